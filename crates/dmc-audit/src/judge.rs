//! The packages of an image held against the tracker.
//!
//! A source version is vulnerable where its release is `open`, or where it is older than the
//! version that is fixed. What cannot be compared is undetermined. That a finding does not affect
//! the image is said with evidence only: files or packages that hold the code are not there.

use crate::curated::{Curated, Place};
use crate::image::{Holdings, KeptFile, Package, Source};
use crate::tracker::{Issue, NoDsa, Status, Tracker};
use crate::urgency::{FailOn, Urgency};
use dmc_deb::version::Version;
use dmc_types::PackageName;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What an image's packages came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Audited {
    /// Packages that were held against the tracker.
    pub packages: usize,
    /// Their source packages, and those that were built into them.
    pub sources: usize,
    /// What was found, by issue and source.
    pub findings: Vec<Finding>,
    /// What the tracker says nothing of.
    pub not_covered: Vec<NotCovered>,
    /// Files that the template brings: no tracker speaks of them.
    pub own_files: usize,
}

/// An issue of a source package in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `CVE-2023-45853`, or `TEMP-…`.
    pub id: String,
    /// The source package.
    pub source: String,
    /// Its version in the image.
    pub version: String,
    /// How it is there.
    pub presence: Presence,
    /// The binary packages through which it is there, with their architectures.
    pub packages: BTreeMap<PackageName, String>,
    /// How that version stands to the issue.
    pub standing: Standing,
    /// The source version that is fixed, where there is one.
    pub fixed: Option<String>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Why there will be no advisory, where that is so.
    pub no_dsa: Option<NoDsa>,
    /// Why it does not affect the image; none where that is not known.
    pub not_affected: Option<Evidence>,
}

/// How a source package is in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// As binary packages of it.
    Installed,
    /// Built into programs of other source packages.
    BuiltIn,
}

/// How a version stands to an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Its release is vulnerable.
    Open,
    /// It is older than the version that is fixed.
    Older,
    /// Nobody knows.
    Undetermined,
}

/// Why a finding does not affect an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// In OpenVEX's words.
    pub justification: Justification,
    /// What was looked for and is not there.
    pub because: String,
}

/// OpenVEX's words for what there can be evidence of here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Justification {
    /// The package that holds the code is not there.
    ComponentNotPresent,
    /// The files that hold the code are not there.
    VulnerableCodeNotPresent,
}

/// Something that the tracker says nothing of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCovered {
    /// The package.
    pub package: PackageName,
    /// Its source's version.
    pub version: String,
    /// Why.
    pub why: Uncovered,
}

/// Why the tracker says nothing of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uncovered {
    /// It comes from this third-party archive.
    Archive(String),
    /// The image's own database does not say what it was built from.
    Unlisted,
    /// The tracker does not know the release.
    Release(String),
}

impl Finding {
    /// Whether it fails a run.
    pub fn fails(&self, limits: &[FailOn]) -> bool {
        let known = self.standing != Standing::Undetermined;
        let meant = |limit: &FailOn| match limit {
            FailOn::Undetermined => !known,
            limit => known && limit.means(&self.urgency),
        };
        self.not_affected.is_none() && limits.iter().any(meant)
    }
}

/// Holds what an image has against the tracker.
pub fn audit(holdings: &Holdings, tracker: &Tracker, curated: &Curated) -> Audited {
    let (mut covered, mut not_covered) = (Vec::new(), Vec::new());
    for package in &holdings.packages {
        match uncovered(package, tracker) {
            None => covered.push(package),
            Some(why) => not_covered.push(NotCovered {
                package: package.name.clone(),
                version: package.source.version.clone(),
                why,
            }),
        }
    }
    not_covered.extend(holdings.unknown.iter().map(|(package, version)| NotCovered {
        package: package.clone(),
        version: version.clone(),
        why: Uncovered::Unlisted,
    }));
    let present = present(&covered);
    let mut findings = findings(&present, holdings, tracker, curated);
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    Audited {
        packages: covered.len(),
        sources: present.keys().map(|(_, source)| source).collect::<BTreeSet<_>>().len(),
        findings,
        not_covered,
        own_files: holdings.files.iter().filter(|file| file.own).count(),
    }
}

/// The issues of what is there.
fn findings(
    present: &Present<'_>,
    holdings: &Holdings,
    tracker: &Tracker,
    curated: &Curated,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((presence, source), packages) in present {
        for issue in tracker.issues(&source.name) {
            let Some(standing) = standing(issue, &source.version) else { continue };
            let places = curated.places(&source.name, &issue.id);
            let places = if *presence == Presence::Installed { places } else { &[] };
            findings.push(Finding {
                id: issue.id.clone(),
                source: source.name.clone(),
                version: source.version.clone(),
                presence: *presence,
                packages: named(packages),
                standing,
                fixed: issue.fixed.clone(),
                urgency: issue.urgency.clone(),
                no_dsa: issue.no_dsa.clone(),
                not_affected: places
                    .iter()
                    .find_map(|place| absent(place, holdings))
                    .or_else(|| without_code(packages, holdings, curated)),
            });
        }
    }
    findings
}

/// The most urgent first, then by name.
fn order(finding: &Finding) -> (std::cmp::Reverse<&Urgency>, &str, &str, Presence) {
    let Finding { urgency, id, source, presence, .. } = finding;
    (std::cmp::Reverse(urgency), id, source, *presence)
}

fn uncovered(package: &Package, tracker: &Tracker) -> Option<Uncovered> {
    match &package.archive {
        Some(archive) => Some(Uncovered::Archive(archive.clone())),
        None if !tracker.covers() => Some(Uncovered::Release(tracker.codename().to_owned())),
        None => None,
    }
}

/// Sources in one version, how they are there, and through which packages.
type Present<'a> = BTreeMap<(Presence, &'a Source), Vec<&'a Package>>;

fn present<'a>(packages: &[&'a Package]) -> Present<'a> {
    let mut present = Present::new();
    for &package in packages {
        present.entry((Presence::Installed, &package.source)).or_default().push(package);
        for source in &package.built_using {
            present.entry((Presence::BuiltIn, source)).or_default().push(package);
        }
    }
    present
}

fn named(packages: &[&Package]) -> BTreeMap<PackageName, String> {
    packages.iter().map(|package| (package.name.clone(), package.arch.clone())).collect()
}

/// None where the version is not affected.
fn standing(issue: &Issue, version: &str) -> Option<Standing> {
    match (issue.status, issue.fixed.as_deref()) {
        // A release that is resolved from no version on says nothing of older ones.
        (Status::Undetermined, _) | (Status::Resolved, None) => Some(Standing::Undetermined),
        (_, Some("0")) => None,
        (Status::Open, _) => Some(Standing::Open),
        (Status::Resolved, Some(fixed)) => {
            match (version.parse::<Version>(), fixed.parse::<Version>()) {
                (Ok(version), Ok(fixed)) => (version < fixed).then_some(Standing::Older),
                _ => Some(Standing::Undetermined),
            }
        }
    }
}

/// The evidence that what holds the code is not in the image.
fn absent(place: &Place, holdings: &Holdings) -> Option<Evidence> {
    let there = |name: &PackageName| holdings.packages.iter().any(|package| package.name == *name);
    if !place.packages.is_empty() && !place.packages.iter().any(there) {
        let names = listed(place.packages.iter().map(PackageName::as_str));
        let justification = Justification::ComponentNotPresent;
        return Some(Evidence {
            justification,
            because: format!("the code is in {names}, not in the image"),
        });
    }
    if place.paths.is_empty() && place.sonames.is_empty() {
        return None;
    }
    if holdings.files.iter().any(|file| is_place(place, file)) {
        return None;
    }
    let names = place.paths.iter().map(dmc_types::PathGlob::as_str);
    let names = listed(names.chain(place.sonames.iter().map(dmc_types::SoName::as_str)));
    let justification = Justification::VulnerableCodeNotPresent;
    Some(Evidence { justification, because: format!("the code is in {names}, not in the image") })
}

/// Whether a file, or what it was made from, is one that holds the code.
fn is_place(place: &Place, file: &KeptFile) -> bool {
    std::iter::once(&file.path).chain(&file.made_from).any(|path| {
        // `libz.so.1` lies in `libz.so.1.3.1`, too.
        let soname = |name: &str| {
            let rest = path.file_name().strip_prefix(name.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
        };
        place.paths.iter().any(|glob| glob.matches(path))
            || place.sonames.iter().any(|name| soname(name.as_str()))
    })
}

/// The evidence that nothing of these packages can be executed: of what was kept all is data, and
/// nothing was put together from files whose package is not known.
fn without_code(packages: &[&Package], holdings: &Holdings, curated: &Curated) -> Option<Evidence> {
    let may_be_theirs = |file: &&KeptFile| match &file.package {
        Some(name) => packages.iter().any(|package| package.name == *name),
        None => !file.made_from.is_empty(),
    };
    let mut files = holdings.files.iter().filter(may_be_theirs);
    let is_code = |file: &KeptFile| {
        !std::iter::once(&file.path).chain(&file.made_from).all(|path| curated.is_data(path))
    };
    if files.any(is_code) {
        return None;
    }
    let names = listed(packages.iter().map(|package| package.name.as_str()));
    Some(Evidence {
        justification: Justification::VulnerableCodeNotPresent,
        because: format!("of {names} the image has no program, library or script"),
    })
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    Vec::from_iter(names).join(", ")
}

#[cfg(test)]
mod tests;
