//! `InRelease`: what an archive's keys vouch for.
//!
//! A [`Release`] can only be made by [`Release::verify`], or again on the same day from the same
//! bytes by the [`Verdict`] of that; holding one is the proof that a key of
//! the keyring signed exactly the text that was read, that the key is neither expired nor revoked,
//! that the text speaks of the suite (and origin) that was asked for, and that it is of today, or
//! of the moment whose archive is read. Whether it is older than one seen before, or by another
//! key, is for the caller to remember.
//!
//! Signatures: OpenPGP cleartext framework (RFC 9580, section 7), judged by Sequoia's standard
//! policy, as apt in Debian 13 does. Fields: <https://wiki.debian.org/DebianRepository/Format>.

mod cleartext;
mod error;
mod files;
mod keyring;
mod signature;
mod text;

pub use error::{Moment, ReleaseError, utc};
pub use keyring::{Certificate, Keyring, KeyringError};
pub use text::parse_time;

use bytes::Bytes;
use cleartext::Cleartext;
use dmc_types::{Checksum, Sha256, Suite, UnixTime};
use files::IndexFiles;
use sha2::Digest as _;
use std::borrow::Cow;

/// How far an archive's clock may be ahead of ours, in seconds.
pub const CLOCK_SKEW: UnixTime = 600;

/// Largest `InRelease` that is read, in bytes; Debian's are below 200 kB.
pub const LARGEST: usize = 16 << 20;

/// What a release must be, to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The suite or codename that was asked for.
    pub suite: &'a Suite,
    /// The `Origin` that it must have, if that matters.
    pub origin: Option<&'a str>,
    /// The time of judgement.
    pub now: UnixTime,
    /// The moment whose archive is read, where that is not now: dates, keys and `Valid-Until` are
    /// judged as of then, but what algorithms are worth as of now.
    pub snapshot: Option<UnixTime>,
    /// Take it even where `Valid-Until` has passed; [`Release::accepted_expired`] then tells.
    pub accept_expired: bool,
}

impl Demand<'_> {
    fn moment(&self) -> Moment {
        self.snapshot.map_or(Moment::Now(self.now), Moment::Snapshot)
    }
}

/// Size and digest of an index, vouched for by the release's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexFile {
    /// Size in bytes.
    pub size: u64,
    /// The `SHA256` entry, or the `SHA512` entry where there is no other.
    pub checksum: Checksum,
}

/// How long a verdict on signatures may be taken for a new one, in seconds: a day.
const VERDICT_LASTS: UnixTime = 24 * 60 * 60;

/// What judging the signatures of an `InRelease` came to: that these bytes are signed, by keys of
/// one keyring, and when that was found. Whoever keeps it vouches for keyring and keeping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// SHA-256 of the whole `InRelease`.
    pub digest: Sha256,
    /// The certificate whose signature was found good.
    pub signer: String,
    /// When it was found, in seconds since 1970.
    pub from: UnixTime,
    /// From when on it is to be found anew: after a day, or where a key or signature expires
    /// before.
    pub until: UnixTime,
}

/// Verified metadata of one suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    text: ReleaseText,
    verdict: Verdict,
    accepted_expired: bool,
}

/// The fields of the signed text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReleaseText {
    origin: Option<String>,
    label: Option<String>,
    suite: Option<String>,
    codename: Option<String>,
    version: Option<String>,
    date: UnixTime,
    valid_until: Option<UnixTime>,
    architectures: Vec<String>,
    components: Vec<String>,
    acquire_by_hash: bool,
    successors: Vec<String>,
    files: IndexFiles,
}

impl Release {
    /// Reads an `InRelease` and checks everything that it can be checked for.
    ///
    /// # Errors
    /// See [`ReleaseError`]; the signature is judged before anything of the text is looked at.
    pub fn verify(
        in_release: &[u8],
        keyring: &Keyring,
        demand: &Demand<'_>,
    ) -> Result<Self, ReleaseError> {
        if in_release.len() > LARGEST {
            return Err(ReleaseError::TooLarge { size: in_release.len() });
        }
        let message = Cleartext::split(in_release)?;
        let good = signature::first_good(&message, keyring, demand)?;
        let day = demand.now.saturating_add(VERDICT_LASTS);
        let verdict = Verdict {
            digest: sha256(in_release),
            signer: good.signer,
            from: demand.now,
            until: good.until.unwrap_or(day).min(day),
        };
        let text = Bytes::copy_from_slice(message.text());
        let release = Self::read(&text, verdict, demand)?;
        // What was kept a verdict about has been read.
        release.text.files.check()?;
        Ok(release)
    }

    /// The same by a verdict that was kept: signatures are not judged again, all else is. None
    /// where the verdict is about other bytes or another time; snapshots are always judged anew.
    /// The release keeps the bytes.
    ///
    /// # Errors
    /// See [`ReleaseError`].
    pub fn recall(
        in_release: &Bytes,
        verdict: &Verdict,
        demand: &Demand<'_>,
    ) -> Result<Option<Self>, ReleaseError> {
        let applies = (verdict.from..verdict.until).contains(&demand.now)
            && demand.snapshot.is_none()
            && in_release.len() <= LARGEST
            && verdict.digest == sha256(in_release);
        if !applies {
            return Ok(None);
        }
        let text = match Cleartext::split(in_release)?.into_text() {
            Cow::Borrowed(text) => in_release.slice_ref(text),
            Cow::Owned(text) => text.into(),
        };
        Self::read(&text, verdict.clone(), demand).map(Some)
    }

    fn read(text: &Bytes, verdict: Verdict, demand: &Demand<'_>) -> Result<Self, ReleaseError> {
        let text = ReleaseText::parse(text)?;
        text.check_names(demand)?;
        let accepted_expired = text.check_times(demand)?;
        Ok(Self { text, verdict, accepted_expired })
    }

    /// What judging its signatures came to.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// All certificates of the keyring (their fingerprints) that signed an `InRelease` with a good
    /// signature, each once, in the order of the signatures.
    ///
    /// # Errors
    /// Where there is none: see [`ReleaseError`].
    pub fn signers(
        in_release: &[u8],
        keyring: &Keyring,
        demand: &Demand<'_>,
    ) -> Result<Vec<String>, ReleaseError> {
        signature::all_good(&Cleartext::split(in_release)?, keyring, demand)
    }

    /// `Origin`.
    pub fn origin(&self) -> Option<&str> {
        self.text.origin.as_deref()
    }

    /// `Label`.
    pub fn label(&self) -> Option<&str> {
        self.text.label.as_deref()
    }

    /// `Suite`, such as `stable`.
    pub fn suite(&self) -> Option<&str> {
        self.text.suite.as_deref()
    }

    /// `Codename`, such as `trixie`.
    pub fn codename(&self) -> Option<&str> {
        self.text.codename.as_deref()
    }

    /// `Version`, such as `13.1`.
    pub fn version(&self) -> Option<&str> {
        self.text.version.as_deref()
    }

    /// `Date`.
    pub fn date(&self) -> UnixTime {
        self.text.date
    }

    /// `Valid-Until`; stable's has none.
    pub fn valid_until(&self) -> Option<UnixTime> {
        self.text.valid_until
    }

    /// Whether `Valid-Until` had passed and the demand took it all the same.
    pub fn accepted_expired(&self) -> bool {
        self.accepted_expired
    }

    /// `Architectures`, as written: `all`, `amd64`, and such as this program may not know.
    pub fn architectures(&self) -> impl Iterator<Item = &str> {
        self.text.architectures.iter().map(String::as_str)
    }

    /// `Components`, by the names that paths have: `main` where a security suite's field says
    /// `updates/main`.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.text.components.iter().map(String::as_str)
    }

    /// `Acquire-By-Hash`.
    pub fn acquire_by_hash(&self) -> bool {
        self.text.acquire_by_hash
    }

    /// Fingerprint of the certificate whose signature was found good: capital hexadecimal digits.
    pub fn signer(&self) -> &str {
        &self.verdict.signer
    }

    /// `Signed-By`: fingerprints of the keys that may sign the next release; none where the field
    /// is absent. Capital hexadecimal digits.
    pub fn successors(&self) -> &[String] {
        &self.text.successors
    }

    /// SHA-256 of the whole `InRelease`, signatures and all.
    pub fn digest(&self) -> Sha256 {
        self.verdict.digest
    }

    /// What the release says of an index, by its path below the suite's folder:
    /// `main/binary-amd64/Packages.xz`.
    pub fn file(&self, path: &str) -> Option<IndexFile> {
        self.text.files.get(path)
    }

    /// The indices whose paths begin so, as [`Release::file`] has them.
    pub fn files_starting<'a>(
        &'a self,
        start: &'a str,
    ) -> impl Iterator<Item = (&'a str, IndexFile)> {
        self.text.files.starting(start)
    }

    /// All indices by path, in the order of the text.
    pub fn files(&self) -> impl Iterator<Item = (&str, IndexFile)> {
        self.text.files.iter()
    }
}

fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256::from_bytes(sha2::Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;
