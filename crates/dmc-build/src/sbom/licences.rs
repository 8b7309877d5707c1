//! Under which licences the packages of an image are.

use super::{names, read};
use crate::error::BuildError;
use crate::workshop::Workshop;
use dmc_sbom::licence::Licensing;
use dmc_types::{Arch, PackageName, TemplateName};

/// The licences of an image's packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenceReport {
    /// Its packages, by name.
    pub packages: Vec<PackageLicence>,
}

/// The licences of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageLicence {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// Its licences in Debian's words, or why they are not known.
    pub licence: Result<String, String>,
    /// Those that the configuration denies and that no choice gets around.
    pub denied: Vec<String>,
}

impl LicenceReport {
    /// The packages that are under licences that are denied.
    pub fn denied(&self) -> impl Iterator<Item = &PackageLicence> {
        self.packages.iter().filter(|package| !package.denied.is_empty())
    }

    /// The packages of which no licence is known.
    pub fn unknown(&self) -> impl Iterator<Item = &PackageLicence> {
        self.packages.iter().filter(|package| package.licence.is_err())
    }
}

impl Workshop {
    /// Reads the copyright files of a template's newest image.
    pub(crate) fn licences(
        &self,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<LicenceReport, BuildError> {
        let (layout, manifest, _) = self.manifest(template, arch)?;
        let files = read::files(&layout, &manifest)?;
        let image = read::image(&self.settings, &layout, &manifest, &files)?;
        let (names, deny) = (names(&self.settings)?, &self.settings.conf.licences.deny);
        let packages = image.packages.into_iter().map(|(name, package)| {
            let expression = package.licensing.expression();
            PackageLicence {
                denied: expression.map(|it| names.denied(it, deny)).unwrap_or_default(),
                licence: match &package.licensing {
                    Licensing::Known(copyright) => Ok(copyright.expression.to_string()),
                    Licensing::Unread(why) => Err(why.to_string()),
                    Licensing::Missing => Err("it has no copyright file in the image".to_owned()),
                },
                version: package.version,
                name,
            }
        });
        Ok(LicenceReport { packages: packages.collect() })
    }
}
