//! What the changelogs of sources say between two versions.
//!
//! Packages of one source have one changelog; it is read from whichever of them the store has. A
//! package may have its documentation in another one's folder (Debian Policy 12.3), and the
//! packages of an archive may leave out what is older than some years: what is missing is said.

use super::{Held, Holding, Pair};
use crate::error::BuildError;
use crate::workshop::Workshop;
use dmc_archive::{ArchiveError, Store};
use dmc_deb::changelog::{Cve, cves, entries};
use dmc_deb::deb822::Paragraph;
use dmc_deb::version::Version;
use dmc_types::{EntryKind, ImagePath, PackageFacts, PackageName, Sha256};
use flate2::read::MultiGzDecoder;
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Arc;

/// Longest changelog in bytes: compressed, and unpacked.
const LONGEST: [u64; 2] = [16 << 20, 64 << 20];

/// A source whose packages differ between two images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceChange {
    /// The source package.
    pub source: String,
    /// Its version on the old side; none where only the package's own is known.
    pub from: String,
    /// Its version on the new side.
    pub to: String,
    /// The packages of it that differ.
    pub packages: Vec<PackageName>,
    /// Whether the new side has the older version: the entries are those that are taken back.
    pub back: bool,
    /// Entries of the versions that the one side has and the other has not, the newest first.
    pub entries: Vec<ChangelogEntry>,
    /// Numbers of weaknesses that these entries name, in their order.
    pub cves: Vec<String>,
    /// Why entries are missing, where some are.
    pub missing: Option<NoChangelog>,
}

/// One entry of a changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangelogEntry {
    /// The version.
    pub version: String,
    /// Where it was sent to.
    pub distributions: String,
    /// When, as written.
    pub date: Option<String>,
    /// What was changed.
    pub text: String,
}

/// Why there are no entries, or not all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoChangelog {
    /// The store does not have the newer package.
    NotStored,
    /// The package has no changelog, or none that can be read.
    NotInPackage,
    /// The changelog does not go back to the older version.
    TooShort,
    /// The same source was built again.
    SameSource,
}

/// What is to be looked up: a source and its older and newer version.
type Key = (String, String, String);

impl Workshop {
    /// What the changelogs say of packages that both sides have in different versions.
    pub(super) fn source_changes(
        &self,
        packages: &BTreeMap<PackageName, Pair<Held>>,
        (old, new): (&Holding, &Holding),
    ) -> Result<Vec<SourceChange>, BuildError> {
        let mut groups: BTreeMap<(Key, bool), Vec<&PackageName>> = BTreeMap::new();
        for (name, pair) in packages {
            let (Some(from), Some(to)) = pair else { continue };
            let back = parse(&from.version) > parse(&to.version);
            let (older, newer) = if back { (to, from) } else { (from, to) };
            let (source, to) = self.source(name, newer)?;
            let (_, from) = self.source(name, older)?;
            groups.entry(((source, from, to), back)).or_default().push(name);
        }
        let mut changes = Vec::new();
        for (((source, older, newer), back), names) in groups {
            let side = if back { old } else { new };
            let text = self.changelog(&names, side)?;
            let (entries, missing) = between(text, &older, &newer);
            let cves: BTreeSet<Cve> = entries.iter().flat_map(|entry| cves(&entry.text)).collect();
            let cves = cves.iter().map(ToString::to_string).collect();
            let packages = names.into_iter().cloned().collect();
            let (from, to) = if back { (newer, older) } else { (older, newer) };
            changes.push(SourceChange { source, from, to, packages, back, entries, cves, missing });
        }
        Ok(changes)
    }

    fn facts_of(&self, deb: Option<&Sha256>) -> Result<Option<Arc<PackageFacts>>, BuildError> {
        match deb {
            Some(deb) => Ok(self.archive.store().facts(deb).map_err(ArchiveError::from)?),
            None => Ok(None),
        }
    }

    /// A package's source and its version: its own where the package is not at hand.
    fn source(&self, name: &PackageName, held: &Held) -> Result<(String, String), BuildError> {
        let facts = self.facts_of(held.deb.as_ref())?;
        let control = facts.as_ref().map(|facts| Paragraph::new(facts.control.as_bytes()));
        let field = control.as_ref().and_then(|control| control.field("Source"));
        let (source, version) =
            match field.map(|field| field.split_once(" (").unwrap_or((field, ""))) {
                Some((source, version)) => (source.to_owned(), version.trim_end_matches(')')),
                None => (name.to_string(), ""),
            };
        // A package that was merely compiled again has `+b` and a number behind its version.
        let own = match held.version.rsplit_once("+b") {
            Some((own, number)) if number.bytes().all(|b| b.is_ascii_digit()) => own,
            _ => &held.version,
        };
        Ok((source, if version.is_empty() { own } else { version }.to_owned()))
    }

    /// The changelog of one of these packages of a side, which are of one source.
    fn changelog(
        &self,
        names: &[&PackageName],
        side: &Holding,
    ) -> Result<Result<String, NoChangelog>, BuildError> {
        let mut missing = NoChangelog::NotStored;
        for name in names {
            let deb = |name: &PackageName| side.packages.get(name).and_then(|held| held.deb);
            let Some(mut facts) = self.facts_of(deb(name).as_ref())? else { continue };
            missing = missing.max(NoChangelog::NotInPackage);
            if let Some(other) = documented_by(&facts) {
                match self.facts_of(deb(&other).as_ref())? {
                    Some(other) => facts = other,
                    None => continue,
                }
            }
            if let Some(text) = text(self.archive.store(), &facts) {
                return Ok(Ok(text));
            }
        }
        Ok(Err(missing))
    }
}

fn parse(version: &str) -> Option<Version> {
    version.parse().ok()
}

/// The entries above the older version.
fn between(
    text: Result<String, NoChangelog>,
    older: &str,
    newer: &str,
) -> (Vec<ChangelogEntry>, Option<NoChangelog>) {
    if older == newer {
        return (Vec::new(), Some(NoChangelog::SameSource));
    }
    let text = match text {
        Ok(text) => text,
        Err(missing) => return (Vec::new(), Some(missing)),
    };
    let Some(older) = parse(older) else { return (Vec::new(), Some(NoChangelog::TooShort)) };
    let mut found = Vec::new();
    for entry in entries(&text) {
        if entry.version <= older {
            return (found, None);
        }
        found.push(ChangelogEntry {
            version: entry.version.to_string(),
            distributions: entry.distributions.to_owned(),
            date: entry.date.map(str::to_owned),
            text: entry.text.to_owned(),
        });
    }
    let missing = if found.is_empty() { NoChangelog::NotInPackage } else { NoChangelog::TooShort };
    (found, Some(missing))
}

/// The package in whose folder a package has its documentation, where that is another one's.
fn documented_by(facts: &PackageFacts) -> Option<PackageName> {
    let folder = format!("/usr/share/doc/{}", facts.package);
    let entry = facts.entries.iter().find(|entry| entry.path.as_bytes() == folder.as_bytes())?;
    let EntryKind::Symlink(target) = &entry.kind else { return None };
    let target = entry.path.link_target(target).ok()?;
    std::str::from_utf8(target.file_name()).ok()?.parse().ok()
}

/// The changelog in a package: Debian's, or the one of a package that Debian made itself.
fn text(store: &Store, facts: &PackageFacts) -> Option<String> {
    let names = ["changelog.Debian.gz", "changelog.gz", "changelog.Debian", "changelog"];
    let paths = names.map(|name| format!("/usr/share/doc/{}/{name}", facts.package));
    let find = |path: &String| {
        let path = ImagePath::parse(path).ok()?;
        facts.entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::File(file) if entry.path == path => Some(file),
            _ => None,
        })
    };
    let file = paths.iter().find_map(find).filter(|file| file.size <= LONGEST[0])?;
    let mut bytes = Vec::new();
    store.contents(&facts.deb).ok()??.read(file, &mut bytes).ok()?;
    let intact = <[u8; 32]>::from(sha2::Sha256::digest(&bytes)) == *file.digest.as_bytes();
    if !intact {
        return None;
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let limited = MultiGzDecoder::new(bytes.as_slice()).take(LONGEST[1]);
        { limited }.read_to_end(&mut plain).ok()?;
        bytes = plain;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
