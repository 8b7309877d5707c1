//! What is remembered of the last release of a suite that was accepted, and what follows from it.
//!
//! The store keeps one memory an archive and suite, whichever mirror the release came from:
//! another mirror must not take the suite back in time either. Before anything is remembered, the
//! floors of the caller stand in: the least date of a suite and, from a lock, its signer. A release
//! must be neither older than either, nor signed by none of the keys that signed the last one,
//! unless that one named its successor (`Signed-By`) or the caller accepts it expressly.
//!
//! A snapshot has a memory of its own, by its moment, and no floors: its age is what is asked for.

use crate::release::ReleaseFailure;
use crate::spec::Floor;
use dmc_deb::release::Release;
use dmc_types::{Sha256, Suite, UnixTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The last release of a suite that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Its `Date`.
    pub date: UnixTime,
    /// SHA-256 of the whole `InRelease`.
    pub digest: Sha256,
    /// The certificates whose signatures on it were good, by their fingerprints.
    pub signers: Vec<String>,
    /// The keys that it named in `Signed-By`: they may sign the next one.
    pub successors: Vec<String>,
}

impl Memory {
    pub(crate) fn of(release: &Release, signers: &[String]) -> Self {
        Self {
            date: release.date(),
            digest: release.digest(),
            signers: signers.to_vec(),
            successors: release.successors().to_vec(),
        }
    }
}

/// What a release of a suite has to stand up to.
pub(crate) struct Past<'a> {
    pub(crate) suite: &'a Suite,
    pub(crate) url: &'a str,
    pub(crate) memory: Option<&'a Memory>,
    pub(crate) floors: &'a [&'a Floor],
    /// It may be older than what was accepted before.
    pub(crate) accept_rollback: bool,
    pub(crate) accept_keys: &'a BTreeSet<String>,
}

/// Who signed a release, and how the keyring names those that the last one allows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signers {
    pub(crate) good: Vec<String>,
    /// Certificates that have one of the keys of [`Memory::successors`].
    pub(crate) allowed: Vec<String>,
}

impl Past<'_> {
    pub(crate) fn check(&self, release: &Release, signers: &Signers) -> Result<(), ReleaseFailure> {
        if !self.accept_rollback {
            self.check_age(release.date())?;
        }
        self.check_signers(signers)
    }

    fn check_age(&self, date: UnixTime) -> Result<(), ReleaseFailure> {
        let (suite, url) = (self.suite.clone(), self.url.to_owned());
        if let Some(memory) = self.memory.filter(|memory| date < memory.date) {
            return Err(ReleaseFailure::Rollback { suite, url, date, accepted: memory.date });
        }
        match self.floors.iter().find(|floor| date < floor.date) {
            Some(floor) => Err(ReleaseFailure::BelowFloor {
                suite,
                url,
                date,
                floor: floor.date,
                from: floor.from.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Floors speak only where nothing is remembered: a change of keys that was accepted later
    /// than the lock was written stays accepted.
    fn check_signers(&self, signers: &Signers) -> Result<(), ReleaseFailure> {
        let (pinned, from) = self.pins();
        let known = |key: &String| {
            pinned.contains(key) || signers.allowed.contains(key) || self.accept_keys.contains(key)
        };
        if pinned.is_empty() || signers.good.iter().any(known) {
            return Ok(());
        }
        Err(ReleaseFailure::NewKey {
            suite: self.suite.clone(),
            url: self.url.to_owned(),
            signers: signers.good.clone(),
            pinned,
            from,
        })
    }

    /// Who is known to sign the suite, and from where.
    fn pins(&self) -> (Vec<String>, String) {
        if let Some(memory) = self.memory {
            return (memory.signers.clone(), "when it was read last".to_owned());
        }
        let pins = self.floors.iter().filter(|floor| floor.signer.is_some());
        let from = pins.clone().next().map(|floor| format!("in {}", floor.from));
        (pins.filter_map(|floor| floor.signer.clone()).collect(), from.unwrap_or_default())
    }
}
