//! What an image holds, as far as vulnerabilities are concerned.

use dmc_deb::deb822::Paragraph;
use dmc_types::{ImagePath, PackageName};
use std::collections::BTreeMap;

/// Most sources that one package may name as built into it.
const MOST: usize = 4096;

/// The packages and files of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Binary packages that dpkg's database in the image names.
    pub packages: Vec<Package>,
    /// Packages in the image of which the database says nothing, with their versions.
    pub unknown: BTreeMap<PackageName, String>,
    /// Everything in the image but folders.
    pub files: Vec<KeptFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Its path.
    pub path: ImagePath,
    /// The package that ships it, or the one that it is a copy from.
    pub package: Option<PackageName>,
    /// The paths in packages that it was made from, where it is a copy or put together.
    pub made_from: Vec<ImagePath>,
    /// Whether the template brings it.
    pub own: bool,
}

/// A source package in one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One binary package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: PackageName,
    /// Its architecture, as written; `all` for packages of all.
    pub arch: String,
    /// What it was built from.
    pub source: Source,
    /// What was built into it: `Static-Built-Using`, and `Built-Using`, which says the same of
    /// older packages (Debian Policy 7.8).
    pub built_using: Vec<Source>,
    /// The third-party archive that it came from; none for the distribution's.
    pub archive: Option<String>,
}

impl Package {
    /// Reads a paragraph of dpkg's database. None where it is of no installed package.
    pub fn read(paragraph: &Paragraph<'_>) -> Option<Self> {
        let field = |name| paragraph.field(name).map(str::trim);
        if field("Status").is_some_and(|status| !status.ends_with(" installed")) {
            return None;
        }
        let name: PackageName = field("Package")?.parse().ok()?;
        let version = field("Version")?;
        let source = match field("Source").map(|text| text.split_once('(')) {
            None => Source { name: name.to_string(), version: without_rebuild(version).to_owned() },
            Some(None) => Source {
                name: field("Source").unwrap_or_default().to_owned(),
                version: without_rebuild(version).to_owned(),
            },
            Some(Some((name, version))) => Source {
                name: name.trim().to_owned(),
                version: version.trim_end_matches(')').trim().to_owned(),
            },
        };
        let built = ["Static-Built-Using", "Built-Using"].into_iter().filter_map(field);
        let mut built_using: Vec<Source> = built.flat_map(sources).take(MOST).collect();
        built_using.sort();
        built_using.dedup();
        let arch = field("Architecture").unwrap_or("all").to_owned();
        Some(Self { name, arch, source, built_using, archive: None })
    }
}

/// A package that was only rebuilt has `+bN` behind its source's version.
fn without_rebuild(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((source, n)) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => source,
        _ => version,
    }
}

/// Of `golang-1.24 (= 1.24.4-1), rust-libc (= 0.2.169-1)` each.
fn sources(field: &str) -> impl Iterator<Item = Source> {
    field.split(',').filter_map(|one| {
        let (name, version) = one.split_once('(')?;
        let version = version.trim().trim_end_matches(')').trim_start_matches('=').trim();
        Some(Source { name: name.trim().to_owned(), version: version.to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Package> {
        Package::read(&Paragraph::new(text.as_bytes()))
    }

    #[test]
    fn the_source_and_its_version_are_what_counts() {
        for (text, wanted) in [
            ("Package: bash\nVersion: 5.2.37-2\n", "bash 5.2.37-2"),
            ("Package: bash\nVersion: 5.2.37-2+b5\nSource: bash (5.2.37-2)\n", "bash 5.2.37-2"),
            ("Package: bash\nVersion: 5.2.37-2+b5\n", "bash 5.2.37-2"),
            ("Package: libc6\nSource: glibc\nVersion: 2.41-12+deb13u1\n", "glibc 2.41-12+deb13u1"),
            ("Package: aa\nSource: gcc-14 (14.2.0-19)\nVersion: 1:14\n", "gcc-14 14.2.0-19"),
            ("Package: aa\nVersion: 1.0+beta\n", "aa 1.0+beta"),
        ] {
            let Source { name, version } = read(text).unwrap().source;
            assert_eq!(format!("{name} {version}"), wanted, "{text}");
        }
    }

    #[test]
    fn what_was_built_into_it_is_named() {
        let text = "Package: tool\nVersion: 1\nBuilt-Using: glibc (= 2.41-12)\n\
            Static-Built-Using: golang-1.24 (= 1.24.4-1), rust-libc (= 0.2.169-1),\n glibc (= 2.41-12)\n";
        let built = read(text).unwrap().built_using;
        let built: Vec<_> = built.iter().map(|s| format!("{} {}", s.name, s.version)).collect();
        assert_eq!(built, ["glibc 2.41-12", "golang-1.24 1.24.4-1", "rust-libc 0.2.169-1"]);
    }

    #[test]
    fn only_installed_packages_count() {
        for text in [
            "Package: aa\nStatus: deinstall ok config-files\nVersion: 1\n",
            "Package: aa\n",
            "Package: NO!\nVersion: 1\n",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(read("Package: aa\nStatus: install ok installed\nVersion: 1\n").is_some());
    }
}
