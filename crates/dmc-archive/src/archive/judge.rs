//! Judging an `InRelease` by the keyrings that count, on a thread for such work.

use crate::memory::{Memory, Signers};
use dmc_deb::release::{Demand, Keyring, Release, ReleaseError};
use dmc_types::{Suite, UnixTime};

/// What a release must be; owned, as it travels to another thread.
pub(super) struct Wish {
    pub(super) suite: Suite,
    pub(super) origin: Option<String>,
    pub(super) now: UnixTime,
    pub(super) snapshot: Option<UnixTime>,
    pub(super) accept_expired: bool,
}

impl Wish {
    fn demand(&self) -> Demand<'_> {
        Demand {
            suite: &self.suite,
            origin: self.origin.as_deref(),
            now: self.now,
            snapshot: self.snapshot,
            accept_expired: self.accept_expired,
        }
    }

    /// The release, by the first keyring that knows a signer, and all who signed it. A text that
    /// is remembered was looked at for its other signers when it was accepted.
    pub(super) fn judge(
        &self,
        bytes: &[u8],
        keys: &[Keyring],
        memory: Option<&Memory>,
    ) -> Result<(Release, Signers), ReleaseError> {
        let release = first(keys, |ring| Release::verify(bytes, ring, &self.demand()))?;
        let known = memory.filter(|memory| memory.digest == release.digest());
        let good = match known {
            Some(memory) => memory.signers.clone(),
            None => first(keys, |ring| Release::signers(bytes, ring, &self.demand()))?,
        };
        let successors = memory.map(|memory| memory.successors.as_slice()).unwrap_or_default();
        let allowed = keys.iter().flat_map(|ring| ring.restricted_to(successors).fingerprints());
        Ok((release, Signers { good, allowed: allowed.collect() }))
    }
}

fn first<T>(
    keys: &[Keyring],
    look: impl Fn(&Keyring) -> Result<T, ReleaseError>,
) -> Result<T, ReleaseError> {
    let mut last = None;
    for ring in keys {
        match look(ring) {
            Err(unknown @ ReleaseError::WrongKey { .. }) => last = Some(unknown),
            other => return other,
        }
    }
    Err(last.unwrap_or(ReleaseError::WrongKey { signers: Vec::new(), keyring: Vec::new() }))
}
