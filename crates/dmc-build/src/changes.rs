//! What a template's images would be made of now, compared with what they are made of.

use crate::error::BuildError;
use crate::workshop::Workshop;
use dmc_archive::ArchiveError;
use dmc_types::{Arch, PackageName, TemplateName};

/// A package of an image that the archive now has in another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The architecture.
    pub arch: Arch,
    /// The package.
    pub package: PackageName,
    /// Its version in the image.
    pub from: String,
    /// Its version in the archive; none where it is gone.
    pub to: Option<String>,
}

/// How a template stands to the archive on one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is no image yet.
    NotBuilt(Arch),
    /// These packages changed; none means that the image is up to date.
    Built(Arch, Vec<Change>),
}

impl Workshop {
    /// Compares a template's images with the indices.
    pub(crate) async fn changes(
        &self,
        template: &TemplateName,
    ) -> Result<Vec<Standing>, BuildError> {
        let mut standings = Vec::new();
        for arch in self.settings.conf.archs.clone() {
            let record = match self.record(template, arch) {
                Ok(record) => record,
                Err(BuildError::NoImage { .. } | BuildError::Record { .. }) => {
                    standings.push(Standing::NotBuilt(arch));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let packages = self.metadata.index(arch).await?;
            let mut changes = Vec::new();
            for (package, was) in record.packages {
                let now = packages.package(&package).map_err(ArchiveError::from)?;
                let now = now.map(|candidate| candidate.version.as_str().to_owned());
                if now.as_ref() != Some(&was.version) {
                    changes.push(Change { arch, package, from: was.version, to: now });
                }
            }
            standings.push(Standing::Built(arch, changes));
        }
        Ok(standings)
    }
}
