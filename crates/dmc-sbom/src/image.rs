//! What is known of an image when it is described.

use crate::licence::Licensing;
use dmc_deb::deb822::Paragraph;
use dmc_types::{Arch, ImagePath, PackageName, Sha1, Sha256, TemplateName};
use std::collections::BTreeMap;

/// An image of one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The template's name.
    pub name: TemplateName,
    /// Its first tag.
    pub version: String,
    /// Its manifest.
    pub manifest: Sha256,
    /// The architecture.
    pub arch: Arch,
    /// The time of its newest package, RFC 3339.
    pub created: String,
    /// What it was built from.
    pub distribution: Distribution,
    /// Its packages.
    pub packages: BTreeMap<PackageName, Package>,
    /// Its regular files, every name of each.
    pub files: BTreeMap<ImagePath, File>,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Its name in package URLs: `debian`.
    pub vendor: String,
    /// Who makes it: `Debian`.
    pub origin: String,
    /// Its version, `13`; the codename where it has none.
    pub version: String,
}

/// A package of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its version.
    pub version: String,
    /// `Architecture`: a name, or `all`.
    pub arch: String,
    /// The source package that it was built from.
    pub source: String,
    /// That one's version, without the `+bN` of a mere rebuild.
    pub source_version: String,
    /// SHA-256 of the .deb.
    pub deb: Sha256,
    /// The third-party archive that it is from; none for the distribution's own.
    pub archive: Option<String>,
    /// `Homepage`, where it is an address.
    pub homepage: Option<String>,
    /// The first line of `Description`.
    pub summary: Option<String>,
    /// Under which licences it is.
    pub licensing: Licensing,
}

/// A regular file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// SHA-1 of its contents, which SPDX asks for.
    pub sha1: Sha1,
    /// SHA-256 of its contents.
    pub sha256: Sha256,
    /// The package that ships it.
    pub package: Option<PackageName>,
    /// How it came to be, where no package ships it as it is.
    pub made: Option<String>,
}

impl Package {
    /// Reads a control paragraph (deb-control(5)). `name` is the package's.
    pub fn read(name: &PackageName, control: &[u8], deb: Sha256, licensing: Licensing) -> Self {
        let control = Paragraph::new(control);
        let field = |name: &str| control.field(name).unwrap_or_default().to_owned();
        let some = |text: String| (!text.is_empty()).then_some(text);
        let version = field("Version");
        let (source, source_version) = source(&field("Source"));
        let address = |text: &String| {
            let known = text.starts_with("https://") || text.starts_with("http://");
            known && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b))
        };
        Self {
            arch: some(field("Architecture")).unwrap_or_else(|| "all".to_owned()),
            source: source.unwrap_or_else(|| name.to_string()),
            source_version: source_version.unwrap_or_else(|| version.clone()),
            version,
            deb,
            archive: None,
            homepage: Some(field("Homepage")).filter(address),
            summary: field("Description").lines().next().map(str::to_owned),
            licensing,
        }
    }

    /// The .deb's name, as the archive spells it: without the epoch.
    pub fn file_name(&self, name: &PackageName) -> String {
        let version = self.version.split_once(':').map_or(&*self.version, |(_, rest)| rest);
        format!("{name}_{version}_{}.deb", self.arch)
    }
}

/// `Source: NAME (VERSION)`, each part where it is there.
fn source(field: &str) -> (Option<String>, Option<String>) {
    let (name, rest) = field.split_once(' ').unwrap_or((field, ""));
    let version = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (some(name.trim()), version.and_then(|version| some(version.trim())))
}
