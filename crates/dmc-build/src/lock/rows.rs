//! Packages as the archive knows them to rows of a lock, and back.

use super::Drift;
use crate::settings::Settings;
use dmc_archive::release::Owner;
use dmc_archive::{AcceptedRelease, Candidate, LockedDeb, Origin};
use dmc_lock::{
    ArchiveName, Lock, LockedPackage, LockedRelease, PackageKey, Role, SuiteKey, TextError,
};
use dmc_types::{Arch, Suite};
use std::collections::BTreeMap;

/// The name of a third party's archive.
fn archive(owner: &Owner) -> Option<ArchiveName> {
    match owner {
        Owner::Vendor(_) => None,
        // The configuration's names are checked where a lock is made.
        Owner::ThirdParty(name) => name.parse().ok(),
    }
}

fn suite_key(owner: &Owner, suite: &Suite) -> SuiteKey {
    SuiteKey { suite: suite.clone(), archive: archive(owner) }
}

/// A package's plain name in a lock.
pub(super) fn key(candidate: &Candidate) -> PackageKey {
    PackageKey::new(candidate.package.clone(), archive(&candidate.pocket.owner))
}

/// A package as a row.
pub(super) fn row(candidate: &Candidate) -> Result<LockedPackage, TextError> {
    let pocket = &candidate.pocket;
    if let Owner::ThirdParty(name) = &pocket.owner {
        name.parse::<ArchiveName>()?;
    }
    Ok(LockedPackage {
        version: candidate.version.as_str().parse()?,
        arch: candidate.arch,
        size: candidate.size,
        checksum: candidate.checksum,
        suite: suite_key(&pocket.owner, &pocket.suite),
        path: candidate.filename.parse()?,
    })
}

/// A release as a lock has it.
pub(super) fn release(accepted: &AcceptedRelease) -> Result<(SuiteKey, LockedRelease), TextError> {
    let release = LockedRelease {
        role: match accepted.owner {
            Owner::Vendor(dmc_archive::Role::Main) => Some(Role::Main),
            Owner::Vendor(dmc_archive::Role::Security) => Some(Role::Security),
            Owner::ThirdParty(_) => None,
        },
        date: accepted.release.date(),
        in_release: accepted.release.digest(),
        signer: accepted.release.signer().parse()?,
        expired: accepted.release.accepted_expired(),
    };
    Ok((suite_key(&accepted.owner, &accepted.suite), release))
}

/// An image's rows as packages that can be fetched.
pub(super) fn debs(
    settings: &Settings,
    lock: &Lock,
    arch: Arch,
    rows: BTreeMap<&PackageKey, &LockedPackage>,
) -> Result<Vec<LockedDeb>, Drift> {
    // A lock that was read has the release of each of its rows.
    let vouched = rows.into_iter().filter_map(|(key, row)| {
        let release = lock.releases.get(&row.suite)?;
        Some((key, row, release))
    });
    let deb = |(key, row, release): (&PackageKey, &LockedPackage, &LockedRelease)| {
        let version = row.version.as_str().parse().map_err(|_error| Drift::Version {
            package: key.package.clone(),
            version: row.version.to_string(),
        })?;
        Ok(LockedDeb {
            package: key.package.clone(),
            version,
            arch: row.arch,
            filename: row.path.to_string(),
            size: row.size,
            checksum: row.checksum,
            origin: origin(settings, arch, &row.suite, release),
        })
    };
    vouched.map(deb).collect()
}

fn origin(settings: &Settings, arch: Arch, key: &SuiteKey, release: &LockedRelease) -> Origin {
    let owner = match (&key.archive, release.role) {
        (Some(name), _) => Owner::ThirdParty(name.to_string()),
        (None, Some(Role::Security)) => Owner::Vendor(dmc_archive::Role::Security),
        (None, _) => Owner::Vendor(dmc_archive::Role::Main),
    };
    Origin {
        past: settings.past(arch, &key.suite, release.date).filter(|_| key.archive.is_none()),
        owner,
        suite: key.suite.clone(),
        in_release: release.in_release,
        signer: release.signer.to_string(),
    }
}
