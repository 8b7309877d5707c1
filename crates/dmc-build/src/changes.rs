//! How a template's images stand to the archive and to their other inputs, and why.
//!
//! An image that a build would come to again is up to date. Of another one it is said which inputs
//! are others now, which packages of its own are, and which were merely met in the search: the
//! files of the latter are not in the image, and the search may well end where it did before.

use crate::error::BuildError;
use crate::inputs::Input;
use crate::lookups::{Changed, Lookup, Lookups};
use crate::record::{ImageRecord, PackageRecord};
use crate::workshop::Workshop;
use dmc_archive::{ArchiveError, Candidate, Packages};
use dmc_types::{Arch, PackageName, TemplateName};

/// Something that the archive answers otherwise than when an image was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The package, or in words what was asked.
    pub what: String,
    /// The version then; none where there was no such package.
    pub from: Option<String>,
    /// The version now; none where it is gone.
    pub to: Option<String>,
}

/// How a template stands on one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The architecture.
    pub arch: Arch,
    /// What there is to say.
    pub state: State,
}

/// How an image stands to what it is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is no image yet.
    NotBuilt,
    /// A build would come to the same.
    UpToDate,
    /// It has to be built again.
    Outdated(Outdated),
}

/// Why an image has to be built again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Inputs beside the archive that changed.
    pub inputs: Vec<Input>,
    /// Packages with files in the image that are others now: those files can change.
    pub shipped: Vec<Change>,
    /// What else was looked up and has another answer: it touches the search alone.
    pub searched: Vec<Change>,
}

impl Outdated {
    /// Whether a file of the image can change, as far as can be told without building.
    pub fn files_can_change(&self) -> bool {
        !self.inputs.is_empty() || !self.shipped.is_empty()
    }
}

impl Workshop {
    /// Compares a template's images with what they would be made from now.
    pub(crate) async fn changes(
        &self,
        template: &TemplateName,
    ) -> Result<Vec<Standing>, BuildError> {
        let mut standings = Vec::new();
        for arch in self.settings.conf.archs.clone() {
            let state = loop {
                match self.state(template, arch).await {
                    Err(BuildError::Archive(error)) if self.metadata.repair_index(arch, &error) => {
                    }
                    other => break other?,
                }
            };
            standings.push(Standing { arch, state });
        }
        Ok(standings)
    }

    async fn state(&self, template: &TemplateName, arch: Arch) -> Result<State, BuildError> {
        let (layout, manifest) = match self.manifest(template, arch) {
            Ok((layout, manifest, _)) => (layout, manifest.digest),
            Err(BuildError::NoImage { .. }) => return Ok(State::NotBuilt),
            Err(error) => return Err(error),
        };
        let known = self.known(template, arch).await?;
        if known.is_some_and(|known| known.manifest.digest == manifest) {
            return Ok(State::UpToDate);
        }
        let Ok(record) = ImageRecord::read(&layout, &manifest) else { return Ok(State::NotBuilt) };
        let packages = self.metadata.index(arch).await?;
        let mut outdated = Outdated::default();
        match self.origin(&manifest)? {
            Some(origin) => {
                let now = self.inputs(template, arch, &self.releases().await?)?;
                outdated.inputs = origin.inputs.differing(&now);
                for change in origin.trace.changes(&packages).map_err(ArchiveError::from)? {
                    let shipped = self.is_shipped(&record, &change)?;
                    let list = if shipped { &mut outdated.shipped } else { &mut outdated.searched };
                    list.push(change.into());
                }
            }
            // The store has been emptied: its packages alone are known.
            None => outdated.shipped = self.other_packages(template, &record, &packages)?,
        }
        let same = outdated == Outdated::default();
        Ok(if same { State::UpToDate } else { State::Outdated(outdated) })
    }

    /// Whether a change is one of the .deb of a package in the image.
    fn is_shipped(&self, record: &ImageRecord, change: &Changed) -> Result<bool, BuildError> {
        let (Lookup::Package(name) | Lookup::From(_, name)) = change.lookup else {
            return Ok(false);
        };
        let Some(was) = record.packages.get(name) else { return Ok(false) };
        Ok(!self.is_same(was, change.found.first())?)
    }

    fn is_same(&self, was: &PackageRecord, now: Option<&Candidate>) -> Result<bool, BuildError> {
        let Some(now) = now else { return Ok(false) };
        let key = self.archive.store().key(&now.checksum).map_err(ArchiveError::from)?;
        Ok(key == Some(was.deb))
    }

    /// Packages of an image of which the archive now has another .deb.
    fn other_packages(
        &self,
        template: &TemplateName,
        record: &ImageRecord,
        packages: &Packages,
    ) -> Result<Vec<Change>, BuildError> {
        let lookups = Lookups::new(packages);
        let template = self.settings.catalog.get(template.as_str())?.for_arch(record.arch)?;
        let archive = |name: &PackageName| {
            let listed = template.packages.iter().find(|package| package.name == *name);
            listed.and_then(|package| package.archive.as_deref())
        };
        let mut changes = Vec::new();
        for (name, was) in &record.packages {
            let now = match archive(name) {
                Some(archive) => lookups.package_from(archive, name),
                None => lookups.package(name),
            };
            let now = now.map_err(ArchiveError::from)?;
            if !self.is_same(was, now.as_ref())? {
                changes.push(Change {
                    what: name.to_string(),
                    from: Some(was.version.clone()),
                    to: now.map(|candidate| candidate.version.to_string()),
                });
            }
        }
        Ok(changes)
    }
}

impl From<Changed<'_>> for Change {
    fn from(changed: Changed) -> Self {
        let what = match changed.lookup {
            Lookup::Package(name) | Lookup::From(_, name) => name.to_string(),
            Lookup::Providers(name) => format!("packages that provide {name}"),
            Lookup::Essential => "the essential packages".to_owned(),
        };
        let some = |says: &str| (!says.is_empty()).then(|| says.to_owned());
        Self { what, from: some(changed.was), to: some(&changed.now) }
    }
}
