//! Judging an `InRelease` by the keyrings that count, on a thread for such work.
//!
//! Judging takes far longer than all else that is to be done where nothing has changed. So what it
//! came to is kept in the store, by a digest of the bytes, of the keyrings and of the suite, and
//! serves for a day: whoever can write to the store could change what was made of the release as
//! well. Text, names, dates and `Valid-Until` are looked at each time.

use crate::memory::{Memory, Signers};
use crate::mirror::{KeyFiles, KeyTexts, Mirror, MirrorError};
use crate::release::Owner;
use crate::store::{Store, StoreError};
use bytes::Bytes;
use dmc_deb::release::{Demand, Keyring, Release, ReleaseError, Verdict};
use dmc_deb::sources::SignedBy;
use dmc_types::{Sha256, Suite, UnixTime};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::sync::{Arc, Mutex, PoisonError};

/// A [`Verdict`] as it is written down; its place tells the digest.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    signer: String,
    from: UnixTime,
    until: UnixTime,
}

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

    /// What the verdict on a release by these keyrings, both by their digests, is kept by.
    fn key(&self, release: &Sha256, keys: &Sha256) -> Sha256 {
        let text = format!("verdict 2\n{release}\n{keys}\n{}\n", self.suite);
        Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into())
    }

    /// The release that is remembered, by a verdict of the last day; none where either is missing.
    pub(super) fn recall(
        &self,
        bytes: &Bytes,
        keys: &Sha256,
        (store, memory): (&Store, Option<&Memory>),
    ) -> Result<Option<(Release, Signers)>, ReleaseError> {
        let Some(memory) = memory else { return Ok(None) };
        let kept = store.record(&self.key(&memory.digest, keys)).ok().flatten();
        let kept = kept.and_then(|kept| postcard::from_bytes(&kept).ok());
        let Some(Kept { signer, from, until }) = kept else { return Ok(None) };
        let verdict = Verdict { digest: memory.digest, signer, from, until };
        let release = Release::recall(bytes, &verdict, &self.demand())?;
        let signers = Signers { good: memory.signers.clone(), allowed: Vec::new() };
        Ok(release.map(|release| (release, signers)))
    }

    /// Keeps what judging a release came to.
    pub(super) fn keep(
        &self,
        release: &Release,
        keys: &Sha256,
        store: &Store,
    ) -> Result<(), StoreError> {
        let Verdict { digest, signer, from, until } = release.verdict().clone();
        let key = self.key(&digest, keys);
        match postcard::to_stdvec(&Kept { signer, from, until }) {
            Ok(kept) if self.snapshot.is_none() => store.put_record(&key, &kept),
            _ => Ok(()),
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

/// The keyrings that count for a mirror, parsed only where a signature is to be judged.
#[derive(Debug)]
pub(super) struct Keys {
    texts: KeyTexts,
    pub(super) digest: Sha256,
    parsed: Mutex<Option<Arc<Vec<Keyring>>>>,
}

impl Keys {
    pub(super) fn keyrings(&self) -> Result<Arc<Vec<Keyring>>, MirrorError> {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keyrings) = &*parsed {
            return Ok(Arc::clone(keyrings));
        }
        let keyrings = Arc::new(self.texts.keyrings()?);
        *parsed = Some(Arc::clone(&keyrings));
        Ok(keyrings)
    }
}

/// The keyrings of a run, read once for all mirrors of an owner that name the same.
#[derive(Debug, Default)]
pub(super) struct KeyringsOfRun(Mutex<Vec<(WhoseKeys, Arc<Keys>)>>);

#[derive(Debug, PartialEq, Eq)]
struct WhoseKeys {
    third_party: Option<String>,
    signed_by: SignedBy,
}

impl KeyringsOfRun {
    pub(super) fn of(
        &self,
        owner: &Owner,
        files: &KeyFiles<'_>,
        mirror: &Mirror,
    ) -> Result<Arc<Keys>, MirrorError> {
        let third_party = match owner {
            Owner::Vendor(_) => None,
            Owner::ThirdParty(name) => Some(name.clone()),
        };
        let whose = WhoseKeys { third_party, signed_by: mirror.signed_by.clone() };
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, keys)) = read.iter().find(|(of, _)| *of == whose) {
            return Ok(Arc::clone(keys));
        }
        let texts = files.of(mirror)?;
        let keys = Keys { digest: texts.digest(), texts, parsed: Mutex::default() };
        let keys = Arc::new(keys);
        read.push((whose, Arc::clone(&keys)));
        Ok(keys)
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
