//! Why a release was refused.

use dmc_types::UnixTime;
use std::error::Error;
use std::fmt;

/// The time as of which a release is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// By the machine's clock.
    Now(UnixTime),
    /// The past moment whose archive is read.
    Snapshot(UnixTime),
}

impl Moment {
    /// In seconds since 1970.
    pub fn time(self) -> UnixTime {
        match self {
            Self::Now(time) | Self::Snapshot(time) => time,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(time) => write!(f, "now is {}", utc(*time)),
            Self::Snapshot(time) => write!(f, "the snapshot is of {}", utc(*time)),
        }
    }
}

/// Why an `InRelease` is not taken, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It is larger than any release is.
    #[error("the InRelease has {size} bytes, more than any release")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// It is not a cleartext-signed message and nothing else.
    #[error("the InRelease is not a signed text: {why}")]
    NotSigned {
        /// What is wrong.
        why: &'static str,
    },
    /// The armored signature block cannot be read.
    #[error("the signature block of the InRelease cannot be read")]
    BrokenSignature {
        /// What the OpenPGP library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No signature is by a key of the keyring.
    #[error(
        "the InRelease is signed by {}, and the keyring holds {}",
        listed(signers),
        listed(keyring)
    )]
    WrongKey {
        /// Key ids or fingerprints that the signatures name.
        signers: Vec<String>,
        /// Fingerprints of the keyring's certificates.
        keyring: Vec<String>,
    },
    /// The signature does not fit the text.
    #[error("the signature of {key} does not match the InRelease")]
    BadSignature {
        /// The key that the signature names.
        key: String,
        /// What the OpenPGP library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The key has expired.
    #[error("the key {key} that signed the InRelease has expired")]
    ExpiredKey {
        /// Its fingerprint.
        key: String,
        /// What the OpenPGP library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The key was revoked.
    #[error("the key {key} that signed the InRelease was revoked")]
    RevokedKey {
        /// Its fingerprint.
        key: String,
    },
    /// The signature was made later than now.
    #[error("the signature of {key} on the InRelease is of {}, {at}", utc(*signed))]
    SignedLater {
        /// The key's fingerprint.
        key: String,
        /// When it was made.
        signed: UnixTime,
        /// The time of judgement.
        at: Moment,
    },
    /// The key or the signature is not acceptable: weak algorithms, a key not for signing.
    #[error("the signature of {key} on the InRelease is not acceptable")]
    RefusedKey {
        /// Its fingerprint.
        key: String,
        /// What the OpenPGP library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A field is missing or cannot be read.
    #[error("the signed release's `{field}` field {why}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong with it, with the text in question.
        why: String,
    },
    /// Only MD5 or SHA-1 vouch for the indices.
    #[error("the signed release lists its indices with neither SHA256 nor SHA512")]
    WeakChecksums,
    /// It is another suite's release.
    #[error("asked for suite `{asked}`, the release is of suite `{suite}`, codename `{codename}`")]
    WrongSuite {
        /// What was asked for.
        asked: String,
        /// Its `Suite`, empty where it has none.
        suite: String,
        /// Its `Codename`, empty where it has none.
        codename: String,
    },
    /// It is another vendor's release.
    #[error("the release's Origin is `{found}`, not `{asked}`")]
    WrongOrigin {
        /// What was asked for.
        asked: String,
        /// Its `Origin`, empty where it has none.
        found: String,
    },
    /// `Valid-Until` has passed.
    #[error("the release of `{suite}` expired at {}, {at}", utc(*valid_until))]
    Expired {
        /// The suite that was asked for.
        suite: String,
        /// Its `Valid-Until`.
        valid_until: UnixTime,
        /// The time of judgement.
        at: Moment,
    },
    /// `Date` has not come yet.
    #[error("the release of `{suite}` is of {}, {at}", utc(*date))]
    Future {
        /// The suite that was asked for.
        suite: String,
        /// Its `Date`.
        date: UnixTime,
        /// The time of judgement.
        at: Moment,
    },
}

impl ReleaseError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::NotSigned { .. } | Self::BrokenSignature { .. } => {
                "check that the mirror's URI leads to a Debian archive; unsigned archives are not used"
            }
            Self::WrongKey { .. } => {
                "install the archive's keyring package, or name its keyring with Signed-By"
            }
            Self::BadSignature { .. } => {
                "the file was changed after it was signed, or the mirror is in mid-update: try again, or take another mirror"
            }
            Self::ExpiredKey { .. } => {
                "update the keyring package (debian-archive-keyring), or set this machine's clock if it is ahead"
            }
            Self::RevokedKey { .. } => {
                "do not use this archive until it signs with a key that holds"
            }
            Self::RefusedKey { .. } => {
                "check this machine's clock; else ask the archive to sign with a current key and SHA-256"
            }
            Self::Malformed { .. } | Self::WeakChecksums => {
                "tell the archive's owner: its release file breaks Debian's repository format"
            }
            Self::WrongSuite { .. } => "check the suite's name and the mirror's URI",
            Self::WrongOrigin { .. } => "check that the mirror is one of the wanted vendor",
            Self::Expired { at: Moment::Now(_), .. } => {
                "take a mirror that is up to date, or set this machine's clock if it is ahead, or accept this suite's age expressly (--accept-expired SUITE)"
            }
            Self::Expired { at: Moment::Snapshot(_), .. } => {
                "ask for another moment, or accept this suite's age expressly (--accept-expired SUITE)"
            }
            Self::Future { at: Moment::Now(_), .. }
            | Self::SignedLater { at: Moment::Now(_), .. } => {
                "check this machine's clock: it seems to be behind"
            }
            Self::Future { at: Moment::Snapshot(_), .. }
            | Self::SignedLater { at: Moment::Snapshot(_), .. } => {
                "the address does not lead to the archive as it was then: check the vendor's `snapshots` in the configuration"
            }
        }
    }
}

/// The first few of them; a machine's keyring may hold dozens.
fn listed(keys: &[String]) -> String {
    match keys {
        [] => "no key".to_owned(),
        _ if keys.len() > 8 => format!("{} and {} more", keys[..8].join(", "), keys.len() - 8),
        _ => keys.join(", "),
    }
}

/// A time as messages show it: RFC 3339, in UTC.
pub fn utc(time: UnixTime) -> String {
    jiff::Timestamp::from_second(time).map_or_else(|_| time.to_string(), |time| time.to_string())
}
