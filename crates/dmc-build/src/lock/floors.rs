//! What a lock says of releases to come: they are not older than those that it was made of, and
//! signed by the same keys. So a fresh store knows as much as the one that the lock was made with.

use dmc_archive::release::Owner;
use dmc_archive::{Floor, Role};
use dmc_lock::Lock;

/// A floor for each release of a lock; `from` is the lock's file, for messages.
pub fn floors(lock: &Lock, from: &str) -> Vec<Floor> {
    let floor = |(key, release): (&dmc_lock::SuiteKey, &dmc_lock::LockedRelease)| {
        let owner = match (&key.archive, release.role) {
            (Some(archive), _) => Owner::ThirdParty(archive.as_str().to_owned()),
            (None, Some(dmc_lock::Role::Security)) => Owner::Vendor(Role::Security),
            (None, _) => Owner::Vendor(Role::Main),
        };
        Floor {
            owner,
            suite: key.suite.clone(),
            date: release.date,
            signer: Some(release.signer.as_str().to_owned()),
            from: from.to_owned(),
        }
    };
    lock.releases.iter().map(floor).collect()
}
