//! Releases that were fetched and accepted.
//!
//! The `InRelease` of every pocket is fetched anew in each run that may use the network, and
//! verified each time, stored or not: who holds an [`AcceptedRelease`] holds the proof. The bytes
//! of the last accepted one are kept by mirror and suite, for runs without the network. What is
//! remembered of it ([`Memory`]) does not depend on the mirror: an older one, or one by another
//! key, is refused.

use crate::memory::Memory;
use crate::mirror::Mirror;
use crate::spec::Role;
use crate::transport::FetchError;
use dmc_deb::release::{Release, ReleaseError, utc};
use dmc_types::{Arch, Suite, UnixTime};
use std::collections::BTreeSet;

/// A release whose signature, suite, origin and times were found good.
#[derive(Debug, Clone)]
pub struct AcceptedRelease {
    /// The verified text.
    pub release: Release,
    /// The suite, as it stands below `dists/`.
    pub suite: Suite,
    /// Where it was read.
    pub mirror: Mirror,
    /// Whose it is.
    pub owner: Owner,
    /// The components to read of it.
    pub components: Vec<String>,
    /// The architectures to read of it; none for all.
    pub archs: Option<BTreeSet<Arch>>,
    /// All certificates whose signatures on it were found good when it was accepted.
    pub signers: Vec<String>,
    /// What was remembered of the suite before.
    pub before: Option<Memory>,
    /// How it stands to that.
    pub news: News,
}

/// How a release stands to the one accepted last time, from whichever mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// There was none.
    First,
    /// It is the same, byte for byte.
    Unchanged,
    /// It is another.
    Changed,
    /// It comes from the store itself, as this run may not ask the mirror.
    Stored,
}

impl AcceptedRelease {
    /// `Date` of the release that was accepted last time, where that is another one.
    pub fn moved_from(&self) -> Option<UnixTime> {
        let before = self.before.as_ref()?;
        (before.digest != self.release.digest()).then_some(before.date)
    }
}

/// Whose archive it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The vendor's.
    Vendor(Role),
    /// A third party's, by the name that templates use.
    ThirdParty(String),
}

impl Owner {
    pub(crate) fn is_vendor(&self) -> bool {
        matches!(self, Self::Vendor(_))
    }

    pub(crate) fn is_third_party(&self, name: &str) -> bool {
        matches!(self, Self::ThirdParty(own) if own == name)
    }
}

/// An archive that was looked at and is not the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Its base address.
    pub url: String,
    /// Why.
    pub why: String,
    /// Whether it does not have the suite.
    pub absent: bool,
}

/// Why no release is accepted.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseFailure {
    /// It cannot be fetched.
    #[error("suite `{suite}` cannot be read")]
    Fetch {
        /// The suite.
        suite: Suite,
        /// Why not.
        source: FetchError,
    },
    /// It was fetched and refused.
    #[error("suite `{suite}` of {url} is refused")]
    Refused {
        /// The suite.
        suite: Suite,
        /// The mirror.
        url: String,
        /// Why.
        source: ReleaseError,
    },
    /// It is older than the one that was accepted last time.
    #[error("suite `{suite}` of {url} is {} h older than when it was read last", (*.accepted - *.date).unsigned_abs().div_ceil(3600))]
    Rollback {
        /// The suite.
        suite: Suite,
        /// The mirror.
        url: String,
        /// Its `Date`.
        date: UnixTime,
        /// The `Date` of the one in the store.
        accepted: UnixTime,
    },
    /// It is older than the least date that is known of the suite.
    #[error("suite `{suite}` of {url} is of {}, and {from} says {} or later", utc(*.date), utc(*.floor))]
    BelowFloor {
        /// The suite.
        suite: Suite,
        /// The mirror.
        url: String,
        /// Its `Date`.
        date: UnixTime,
        /// The least `Date`.
        floor: UnixTime,
        /// Where that stands.
        from: String,
    },
    /// None of those who signed it did so last time.
    #[error("suite `{suite}` of {url} is signed by {}, {from} by {}", .signers.join(", "), .pinned.join(", "))]
    NewKey {
        /// The suite.
        suite: Suite,
        /// The mirror.
        url: String,
        /// Who signed it: fingerprints of certificates in the keyring.
        signers: Vec<String>,
        /// Who is known to sign the suite.
        pinned: Vec<String>,
        /// Since when, or from where.
        from: String,
    },
    /// The distribution has ended and moved away from the mirrors.
    #[error("`{suite}` has ended, and no mirror that answered has it")]
    Ended {
        /// The suite.
        suite: Suite,
        /// The vendor, as configuration calls it.
        vendor: String,
        /// Where its archives are now: names as in configuration, and addresses.
        moved_to: Vec<(String, String)>,
        /// How the mirrors were asked.
        source: Box<ReleaseFailure>,
    },
    /// None of the archives in apt's configuration, nor the vendor's own, will do.
    #[error("no archive of `{vendor}` was found; {}", listed(.passed))]
    NoneFits {
        /// Whose archive was looked for.
        vendor: String,
        /// The archives that were passed over, and why.
        passed: Vec<PassedOver>,
        /// What was wrong with the last one.
        source: Box<ReleaseFailure>,
    },
}

fn ended_hint(vendor: &str, moved_to: &[(String, String)]) -> String {
    let places: Vec<String> =
        moved_to.iter().map(|(name, url)| format!("{name} = \"{url}\"")).collect();
    let address = moved_to.iter().find(|(name, _)| name == "main").or(moved_to.first());
    let address = address.map_or("the vendor's archive of old releases", |(_, url)| url);
    format!(
        "it is kept at {address}: write the line `vendor.{vendor}.archives = {{ {} }}` to a file and name that with --conf",
        places.join(", ")
    )
}

fn listed(passed: &[PassedOver]) -> String {
    let each: Vec<String> = passed
        .iter()
        .map(|other| format!("{} was passed over: {}", other.url, other.why))
        .collect();
    each.join("; ")
}

impl ReleaseFailure {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Fetch { source, suite } if source.cause.is_absent() => Some(format!(
                "check that the mirror has a suite `{suite}`; suites past their end move to the vendor's archive of old releases"
            )),
            Self::Fetch { source, .. } => source.hint(),
            Self::Refused { source, .. } => Some(source.hint().to_owned()),
            Self::Rollback { suite, .. } => Some(format!(
                "the mirror may be behind, or hide updates: try again later, name another mirror with -M, or, if that is right, say --accept-rollback {suite}"
            )),
            Self::BelowFloor { suite, .. } => Some(format!(
                "the mirror may be behind, or hide updates: try another one with -M, or, if that is right, say --accept-rollback {suite}"
            )),
            Self::NewKey { signers, .. } => Some(format!(
                "find out whether the archive has a new key (its keyring package and announcements tell), then say --accept-key {}",
                signers.first().map_or("FINGERPRINT", String::as_str)
            )),
            Self::Ended { vendor, moved_to, .. } => Some(ended_hint(vendor, moved_to)),
            Self::NoneFits { .. } => Some("name a mirror with -M".to_owned()),
        }
    }

    /// Whether the archive is simply another one than was wanted.
    pub(crate) fn is_another_archive(&self, role: Role) -> bool {
        match self {
            Self::Fetch { source, .. } => source.cause.is_absent(),
            Self::Refused { source, .. } => match source {
                ReleaseError::WrongKey { .. } | ReleaseError::WrongOrigin { .. } => true,
                // Some hosts answer every address with a page; but an unsigned security suite is
                // never passed over in silence.
                ReleaseError::NotSigned { .. } => role == Role::Main,
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether an archive does not have the suite.
    pub(crate) fn is_absent(&self) -> bool {
        match self {
            Self::Fetch { source, .. } => source.cause.is_absent(),
            Self::NoneFits { passed, source, .. } => {
                source.is_absent() || passed.iter().any(|other| other.absent)
            }
            _ => false,
        }
    }

    /// Whether the archive could not be asked.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if !source.cause.is_absent())
    }

    /// The whole chain of causes on one line.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        text
    }
}
