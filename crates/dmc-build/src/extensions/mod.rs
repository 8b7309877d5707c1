//! From the names of extensions to files: which packages they are in, what of these is kept, and
//! how the program is told to load them.
//!
//! A name's package is the one that its template's pattern gives, or one that provides that name.
//! Packages of other extensions that it depends on come with it, as the distribution's own
//! packaging would have it. The packages are read before the walk begins; what is switched on is
//! then placed as if the template had said so, and a template that does say so is not overruled.

mod cost;

pub use cost::{ExtensionCost, ExtensionCosts};
pub(crate) use cost::{Made, costs};

use crate::error::BuildError;
use crate::lookups::Lookups;
use dmc_archive::{Archive, ArchiveError, Candidate};
use dmc_template::{ArchTemplate, ExtensionName, Extensions, Package, Placed};
use dmc_types::{
    EntryKind, FileFacts, ImagePath, PackageFacts, PackageName, PathGlob, TemplateName,
};
use futures::future::try_join_all;
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

/// A file that says how an extension is loaded is not longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// An extension that a template lists; several, where one package holds them.
#[derive(Debug, Clone)]
pub(crate) struct Extension {
    /// The names by which it is listed.
    pub(crate) names: Vec<String>,
    /// Itself, where it comes by its own name alone.
    apart: Option<ExtensionName>,
    /// Its package in front, then those of extensions that it depends on.
    packages: Vec<Candidate>,
    /// Files to keep.
    pub(crate) files: Vec<ImagePath>,
    /// What is placed in the image to switch it on.
    pub(crate) placed: Vec<ImagePath>,
}

impl Extension {
    /// Names of its packages.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &PackageName> {
        self.packages.iter().map(|candidate| &candidate.package)
    }

    /// The same as the indices know them.
    pub(crate) fn candidates(&self) -> &[Candidate] {
        &self.packages
    }

    /// Its names, for reasons and messages.
    pub(crate) fn label(&self) -> String {
        self.names.join(", ")
    }
}

/// Finds the extensions of a template and places what switches them on.
pub(crate) async fn expand(
    archive: &Archive,
    packages: &Lookups<'_>,
    template: &mut ArchTemplate,
) -> Result<Vec<Extension>, BuildError> {
    let Some(wanted) = template.extensions.clone() else { return Ok(Vec::new()) };
    let finder = Finder { packages, template: &template.name, wanted: &wanted };
    let mut found = finder.all()?;
    let mut candidates: BTreeMap<PackageName, Candidate> = BTreeMap::new();
    for candidate in found.iter().flat_map(|extension| &extension.packages) {
        candidates.insert(candidate.package.clone(), candidate.clone());
    }
    let reads = candidates.values().map(|candidate| archive.facts(candidate));
    let facts = try_join_all(reads).await?.into_iter().map(|facts| (facts.package.clone(), facts));
    let facts: BTreeMap<PackageName, Arc<PackageFacts>> = facts.collect();
    for extension in &mut found {
        for candidate in extension.packages.clone() {
            let Some(facts) = facts.get(&candidate.package) else { continue };
            add_package(archive, (&candidate, facts), extension, &wanted, template).await?;
        }
        if let ([], Some(own)) = (extension.files.as_slice(), extension.packages.first()) {
            let include: Vec<&str> = wanted.include.iter().map(PathGlob::as_str).collect();
            return Err(BuildError::NotAnExtension {
                template: template.name.clone(),
                extension: extension.label(),
                package: own.package.clone(),
                include: include.join(" or "),
            });
        }
    }
    Ok(found)
}

/// The files of extensions, each with its extension's names, as a walk starts from them.
pub(crate) fn roots(extensions: &[Extension]) -> Vec<(String, ImagePath)> {
    let files = |extension: &Extension| {
        let label = extension.label();
        extension.files.clone().into_iter().map(move |file| (label.clone(), file))
    };
    extensions.iter().flat_map(files).collect()
}

/// Looks extensions up in the indices.
struct Finder<'a> {
    packages: &'a Lookups<'a>,
    template: &'a TemplateName,
    wanted: &'a Extensions,
}

impl Finder<'_> {
    fn all(&self) -> Result<Vec<Extension>, BuildError> {
        let mut found: Vec<Extension> = Vec::new();
        for name in &self.wanted.names {
            let own = self.package(name)?;
            let apart = self.wanted.apart.contains(name).then(|| name.clone());
            let same = |extension: &&mut Extension| {
                extension.packages.first().is_some_and(|first| first.package == own.package)
                    && extension.apart == apart
            };
            match found.iter_mut().find(same) {
                Some(extension) => extension.names.push(name.to_string()),
                None => found.push(Extension {
                    names: vec![name.to_string()],
                    apart,
                    packages: self.with_dependencies(own)?,
                    files: Vec::new(),
                    placed: Vec::new(),
                }),
            }
        }
        Ok(found)
    }

    /// The package of an extension.
    fn package(&self, name: &ExtensionName) -> Result<Candidate, BuildError> {
        let package = self.wanted.package.package(name).map_err(|error| BuildError::Extension {
            template: self.template.clone(),
            extension: name.to_string(),
            source: error.into(),
        })?;
        if let Some(candidate) = self.candidate(&package)? {
            return Ok(candidate);
        }
        let near = self.packages.nearest(package.as_str()).map_err(ArchiveError::from)?;
        let near = near.iter().filter_map(|near| self.wanted.package.name(near));
        Err(BuildError::UnknownExtension {
            template: self.template.clone(),
            extension: name.to_string(),
            near: near.map(str::to_owned).collect(),
            package,
            arch: self.packages.arch(),
        })
    }

    fn candidate(&self, package: &PackageName) -> Result<Option<Candidate>, ArchiveError> {
        match self.packages.package(package)? {
            Some(candidate) => Ok(Some(candidate)),
            None => Ok(self.packages.providers(package)?.into_iter().next()),
        }
    }

    /// A package and, after it, those of other extensions that it depends on, each once.
    fn with_dependencies(&self, own: Candidate) -> Result<Vec<Candidate>, BuildError> {
        let mut all = vec![own];
        let mut next = 0;
        while let Some(relations) = all.get(next).map(Candidate::relations) {
            next += 1;
            for relation in relations.iter() {
                if self.wanted.package.name(&relation.name).is_none() {
                    continue;
                }
                let found = self.candidate(&relation.name)?;
                let new = |one: &Candidate| all.iter().all(|other| other.package != one.package);
                if let Some(candidate) = found.filter(new) {
                    all.push(candidate);
                }
            }
        }
        Ok(all)
    }
}

/// Adds the files of one package to an extension, and to the template what switches them on.
async fn add_package(
    archive: &Archive,
    (candidate, facts): (&Candidate, &PackageFacts),
    extension: &mut Extension,
    wanted: &Extensions,
    template: &mut ArchTemplate,
) -> Result<(), BuildError> {
    let exclude = template.exclude.clone();
    let apart = extension.apart.clone();
    let kept = |globs: &[PathGlob], path: &ImagePath| {
        globs.iter().any(|glob| glob.matches(path))
            && !exclude.iter().any(|glob| glob.matches(path))
            && comes_along(path, apart.as_ref(), wanted)
    };
    let mut used = false;
    for entry in &facts.entries {
        let path = entry.path.merged_usr();
        if kept(&wanted.include, &path) {
            extension.files.push(path.clone());
            used = true;
        }
        if let (Some(switch), EntryKind::File(file)) = (&wanted.switch, &entry.kind)
            && kept(&switch.files, &path)
        {
            let text = text(archive, candidate, facts, file).await?;
            let name = String::from_utf8_lossy(path.file_name());
            let (copy, link) = switch
                .places(&name, &text)
                .map_err(|error| broken(&template.name, extension, error))?;
            if copy == path {
                extension.files.push(path);
            } else {
                template.placed.entry(copy.clone()).or_insert(Placed::Copy(path));
                extension.placed.push(copy.clone());
            }
            let target = Placed::Link(copy.to_string());
            template.placed.entry(link.clone()).or_insert(target);
            extension.placed.push(link);
        }
    }
    if used && template.packages.iter().all(|package| package.name != facts.package) {
        template.packages.push(Package { name: facts.package.clone(), archive: None });
    }
    Ok(())
}

/// Whether a file of a package comes with an extension of it, by the file's name.
fn comes_along(path: &ImagePath, alone: Option<&ExtensionName>, wanted: &Extensions) -> bool {
    let stem = path.file_name().split(|b| *b == b'.').next().unwrap_or_default();
    let is = |name: &&ExtensionName| name.as_str().as_bytes() == stem;
    wanted.apart.iter().find(is).is_none_or(|name| Some(name) == alone)
}

fn broken(
    template: &TemplateName,
    extension: &Extension,
    source: impl Error + Send + Sync + 'static,
) -> BuildError {
    let (template, extension) = (template.clone(), extension.label());
    BuildError::Extension { template, extension, source: Box::new(source) }
}

/// What a file of a package holds. Contents that are damaged in the store are made again.
async fn text(
    archive: &Archive,
    candidate: &Candidate,
    facts: &PackageFacts,
    file: &FileFacts,
) -> Result<Vec<u8>, BuildError> {
    if file.size > LONGEST {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    if let Ok(contents) = archive.contents(facts)
        && contents.read(file, &mut bytes).is_ok()
        && <[u8; 32]>::from(sha2::Sha256::digest(&bytes)) == *file.digest.as_bytes()
    {
        return Ok(bytes);
    }
    bytes.clear();
    let contents = archive.repair_contents(candidate).await?;
    contents.read(file, &mut bytes).map_err(ArchiveError::from)?;
    Ok(bytes)
}
