//! A template joined with those that it extends.
//!
//! Every part says what it says; [`Family::settle`] decides between them. A child's word replaces
//! its parents'; parents of which neither extends the other must agree.

use crate::accounts::Accounts;
use crate::deploy::Deploy;
use crate::extensions::RawExtensions;
use crate::overlay::{ArchBytes, OverlayFile};
use crate::run::Run;
use crate::schema::{Package, TemplateFile};
use crate::template::{RawImage, RawPlaced, SideFolder, TemplateTest};
use crate::words::{ArchPath, Mode, OwnerText};
use crate::{Owner, Template, TemplateError};
use dmc_types::{Arch, TemplateName};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One template as it was read, before it is joined with its parents.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: TemplateName,
    /// Where it was read.
    pub(crate) origin: String,
    pub(crate) file: TemplateFile,
    pub(crate) overlay: BTreeMap<ArchPath, OverlayFile>,
    /// Whether it is a variant with a shell and tools.
    pub(crate) with_tools: bool,
    /// What its tests use.
    pub(crate) test_folder: Arc<SideFolder>,
    /// What its `[deploy]` mounts.
    pub(crate) deploy_folder: SideFolder,
    /// Its text and overlay files, in one row of bytes.
    pub(crate) bytes: Vec<u8>,
}

/// A template and all that it extends: parents first, each once, itself last.
pub(crate) struct Family<'a> {
    pub(crate) parts: Vec<&'a Part>,
    pub(crate) own: &'a Part,
    /// What each of them extends, directly or not.
    pub(crate) above: BTreeMap<&'a TemplateName, &'a [TemplateName]>,
}

impl<'a> Family<'a> {
    pub(crate) fn name(&self) -> &'a TemplateName {
        &self.own.name
    }

    /// All parts' items, in order, each once.
    pub(crate) fn append<T>(&self, said: impl Fn(&'a Part) -> &'a Vec<T>) -> Vec<T>
    where
        T: Clone + PartialEq + 'a,
    {
        let mut all = Vec::new();
        for item in self.parts.iter().copied().flat_map(said) {
            if !all.contains(item) {
                all.push(item.clone());
            }
        }
        all
    }

    /// The one value that stands when all parts have spoken.
    pub(crate) fn settle<T: PartialEq>(
        &self,
        what: &str,
        said: impl Fn(&'a Part) -> Option<T>,
    ) -> Result<Option<T>, TemplateError> {
        let parts = self.parts.iter().copied();
        let mut claims: Vec<(&Part, T)> =
            parts.filter_map(|part| said(part).map(|value| (part, value))).collect();
        match claims.pop() {
            None => Ok(None),
            Some(last) => self.decide(what, &claims, last).map(Some),
        }
    }

    /// [`Family::settle`] for each key. Claims come in the order of the parts.
    pub(crate) fn settle_map<K: Ord, V: PartialEq>(
        &self,
        what: impl Fn(&K) -> String,
        claims: impl IntoIterator<Item = (&'a Part, K, V)>,
    ) -> Result<BTreeMap<K, V>, TemplateError> {
        let mut by_key: BTreeMap<K, Vec<(&Part, V)>> = BTreeMap::new();
        for (part, key, value) in claims {
            by_key.entry(key).or_default().push((part, value));
        }
        let mut settled = BTreeMap::new();
        for (key, mut claims) in by_key {
            if let Some(last) = claims.pop() {
                let value = self.decide(&what(&key), &claims, last)?;
                settled.insert(key, value);
            }
        }
        Ok(settled)
    }

    /// [`Family::settle_map`] over a list of every part.
    pub(crate) fn settle_list<K: Ord, T: PartialEq>(
        &self,
        what: impl Fn(&K) -> String,
        list: impl Fn(&'a Part) -> &'a [T],
        key: impl Fn(&'a T) -> K,
    ) -> Result<BTreeMap<K, &'a T>, TemplateError> {
        let parts = self.parts.iter().copied();
        let items = parts.flat_map(|part| list(part).iter().map(move |item| (part, item)));
        self.settle_map(what, items.map(|(part, item)| (part, key(item), item)))
    }

    /// The last claim stands, unless one before it says otherwise and is not overruled: by a part
    /// that extends the claimant's.
    fn decide<T: PartialEq>(
        &self,
        what: &str,
        before: &[(&'a Part, T)],
        (last, value): (&'a Part, T),
    ) -> Result<T, TemplateError> {
        let claimants: Vec<&Part> = before.iter().map(|(part, _)| *part).chain([last]).collect();
        let extends = |by: &Part, part: &Part| {
            self.above.get(&by.name).is_some_and(|above| above.contains(&part.name))
        };
        let overruled = |part: &Part| claimants.iter().any(|by| extends(by, part));
        let against = before.iter().find(|(part, other)| *other != value && !overruled(part));
        match against.map(|(part, _)| *part) {
            None => Ok(value),
            Some(first) if first.name == last.name => {
                Err(TemplateError::Twice { template: last.name.clone(), what: what.to_owned() })
            }
            Some(first) => Err(TemplateError::Clash {
                template: self.name().clone(),
                first: first.name.clone(),
                second: last.name.clone(),
                what: what.to_owned(),
            }),
        }
    }

    /// Everything joined and checked.
    pub(crate) fn join(&self) -> Result<Template, TemplateError> {
        let accounts = Accounts::join(self)?;
        let file = &self.own.file;
        Ok(Template {
            name: self.name().clone(),
            group: file.group.clone(),
            summary: file.summary.clone(),
            description: file.description.clone(),
            is_abstract: file.r#abstract,
            parts: self.parts.iter().map(|part| part.name.clone()).collect(),
            origins: self.parts.iter().map(|part| part.origin.clone()).collect(),
            mode: self.settle("`mode`", |part| part.file.mode)?.unwrap_or_default(),
            version_from: self.settle("`version_from`", |part| part.file.version_from.clone())?,
            version: self.settle("`version`", |part| part.file.version.clone())?,
            packages: self.packages()?,
            packages_like: self.append(|part| &part.file.packages_like),
            roots: self.append(|part| &part.file.roots),
            include: self.append(|part| &part.file.include),
            exclude: self.append(|part| &part.file.exclude),
            programs: self.append(|part| &part.file.programs),
            extensions: RawExtensions::join(self)?,
            placed: self.placed(&accounts)?,
            image: self.image(&accounts)?,
            spare_links: self.append(|part| &part.file.spare_links),
            accounts: self.append(|part| &part.file.accounts),
            packaged_accounts: accounts.packaged,
            users: accounts.users,
            groups: accounts.groups,
            deploy: Deploy::join(self)?,
            run: Run::join(self)?,
            tests: self.tests(),
            with_tools: self.own.with_tools,
            digest_input: self.parts.iter().flat_map(|part| part.bytes.iter().copied()).collect(),
        })
    }

    /// All parts' tests, in order. Of two with one name the later takes the earlier's place.
    fn tests(&self) -> Vec<TemplateTest> {
        let mut tests: Vec<TemplateTest> = Vec::new();
        for part in &self.parts {
            for test in &part.file.test {
                let own =
                    TemplateTest { test: test.clone(), folder: Arc::clone(&part.test_folder) };
                match tests.iter_mut().find(|known| known.test.name == test.name) {
                    Some(known) => *known = own,
                    None => tests.push(own),
                }
            }
        }
        tests
    }

    /// Packages in the order in which they are first named, each from one archive.
    fn packages(&self) -> Result<Vec<Package>, TemplateError> {
        self.settle_list(
            |name| format!("the archive of package `{name}`"),
            |part| &part.file.packages,
            |package| &package.name,
        )?;
        let mut packages: Vec<Package> = Vec::new();
        // From the end, as the last word on an archive stands.
        for package in self.parts.iter().flat_map(|part| &part.file.packages).rev() {
            if !packages.iter().any(|has| has.name == package.name) {
                packages.push(package.clone());
            }
        }
        packages.reverse();
        Ok(packages)
    }

    fn placed(&self, accounts: &Accounts) -> Result<BTreeMap<ArchPath, RawPlaced>, TemplateError> {
        let mut claims = Vec::new();
        for part in self.parts.iter().copied() {
            for (path, what) in self.placed_by(part, accounts)? {
                claims.push((part, path, what));
            }
        }
        self.settle_map(ToString::to_string, claims)
    }

    /// What one part puts into the image.
    fn placed_by(
        &self,
        part: &Part,
        accounts: &Accounts,
    ) -> Result<Vec<(ArchPath, RawPlaced)>, TemplateError> {
        let owner = |path: &ArchPath, text: &Option<OwnerText>| match text {
            None => Ok(Owner::default()),
            Some(text) => accounts.owner(self, &path.to_string(), text),
        };
        let mode = |mode: Option<Mode>, missing| mode.map_or(missing, Mode::bits);
        let file = &part.file;
        let mut placed: Vec<(ArchPath, RawPlaced)> = Vec::new();
        for (path, OverlayFile { bytes, private }) in &part.overlay {
            let program = self.parts.iter().any(|part| part.file.programs.contains(path));
            let mode = if program || part.is_executable(path) { 0o755 } else { 0o644 };
            let (bytes, private, owner) = (bytes.clone(), *private, Owner::default());
            placed.push((path.clone(), RawPlaced::File { bytes, mode, owner, private }));
        }
        for text in &file.files {
            let bytes = ArchBytes::every(text.text.as_bytes());
            let (mode, owner) = (mode(text.mode, 0o644), owner(&text.path, &text.owner)?);
            let what = RawPlaced::File { bytes, mode, owner, private: false };
            placed.push((text.path.clone(), what));
        }
        for folder in &file.directories {
            let (mode, owner) = (mode(folder.mode, 0o755), owner(&folder.path, &folder.owner)?);
            placed.push((folder.path.clone(), RawPlaced::Directory { mode, owner }));
        }
        for concat in &file.concat {
            let (mode, owner) = (mode(concat.mode, 0o644), owner(&concat.path, &concat.owner)?);
            let what = RawPlaced::Concat { parts: concat.parts.clone(), mode, owner };
            placed.push((concat.path.clone(), what));
        }
        placed.extend(file.links.iter().map(|(at, to)| (at.clone(), RawPlaced::Link(to.clone()))));
        placed.extend(file.copies.iter().map(|(to, of)| (to.clone(), RawPlaced::Copy(of.clone()))));
        Ok(placed)
    }

    fn image(&self, accounts: &Accounts) -> Result<RawImage, TemplateError> {
        let user = self.settle("`user`", |part| part.file.user.as_ref())?;
        Ok(RawImage {
            environment: self.pairs("variable", |part| &part.file.environment)?,
            entrypoint: self.settle("`entrypoint`", |part| part.file.entrypoint.clone())?,
            cmd: self.settle("`cmd`", |part| part.file.cmd.clone())?,
            user: user.map(|user| accounts.owner(self, "`user`", user)).transpose()?,
            workdir: self.settle("`workdir`", |part| part.file.workdir.clone())?,
            volumes: self.append(|part| &part.file.volumes),
            ports: self.append(|part| &part.file.ports),
            stop_signal: self.settle("`stop_signal`", |part| part.file.stop_signal.clone())?,
            healthcheck: self.settle("`healthcheck`", |part| part.file.healthcheck.clone())?,
            labels: self.pairs("label", |part| &part.file.labels)?,
        })
    }

    fn pairs<K: Ord + Clone + fmt::Display + 'a>(
        &self,
        kind: &str,
        said: impl Fn(&'a Part) -> &'a BTreeMap<K, String>,
    ) -> Result<BTreeMap<K, String>, TemplateError> {
        let parts = self.parts.iter().copied();
        let pairs = parts.flat_map(|part| said(part).iter().map(move |(k, v)| (part, k, v)));
        self.settle_map(
            |key| format!("{kind} `{key}`"),
            pairs.map(|(part, key, value)| (part, key.clone(), value.clone())),
        )
    }
}

impl Part {
    fn is_executable(&self, path: &ArchPath) -> bool {
        // Which architecture makes no difference, as path and pattern are expanded alike.
        let Ok(path) = path.for_arch(Arch::Amd64) else { return false };
        let globs = self.file.executable.iter().filter_map(|glob| glob.for_arch(Arch::Amd64).ok());
        globs.into_iter().any(|glob| glob.matches(&path))
    }
}
