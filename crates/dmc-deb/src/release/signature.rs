//! Judging the signatures of a release.

use super::cleartext::Cleartext;
use super::{CLOCK_SKEW, Demand, Keyring, Moment, ReleaseError};
use dmc_types::UnixTime;
use sequoia_openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _};
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use sequoia_openpgp::policy::{HashAlgoSecurity, Policy as _, StandardPolicy};
use sequoia_openpgp::types::RevocationStatus;
use sequoia_openpgp::{KeyHandle, Packet, anyhow};
use std::time::{Duration, SystemTime};

/// Most signatures that are looked at; Debian's releases have three.
const MOST: usize = 32;

/// A good signature.
#[derive(Debug)]
pub(super) struct Good {
    /// The certificate's fingerprint.
    pub(super) signer: String,
    /// When signature or key expire; none where neither does.
    pub(super) until: Option<UnixTime>,
}

/// The first good signature. Without any, the error tells why the last signature by a known key
/// failed.
pub(super) fn first_good(
    message: &Cleartext<'_>,
    keyring: &Keyring,
    demand: &Demand<'_>,
) -> Result<Good, ReleaseError> {
    let mut found = good(message, keyring, demand, 1)?;
    Ok(found.swap_remove(0))
}

/// The certificates of all good signatures, each once; at least one.
pub(super) fn all_good(
    message: &Cleartext<'_>,
    keyring: &Keyring,
    demand: &Demand<'_>,
) -> Result<Vec<String>, ReleaseError> {
    let found = good(message, keyring, demand, MOST)?;
    Ok(found.into_iter().map(|good| good.signer).collect())
}

fn good(
    message: &Cleartext<'_>,
    keyring: &Keyring,
    demand: &Demand<'_>,
    enough: usize,
) -> Result<Vec<Good>, ReleaseError> {
    let signatures = signatures(message.armor())?;
    let judge = Judge::new(message, demand);
    let mut failure = None;
    let mut found: Vec<Good> = Vec::new();
    for signature in &signatures {
        let issuers = signature.get_issuers();
        if issuers.is_empty() {
            continue;
        }
        for cert in keyring.certs() {
            let name = cert.fingerprint().to_hex();
            for key in cert.keys().key_handles(issuers.clone()) {
                match judge.verdict(signature, &key) {
                    Ok(_) if found.iter().any(|good| good.signer == name) => {}
                    Ok(until) => found.push(Good { signer: name.clone(), until }),
                    Err(error) => failure = Some(error),
                }
            }
            if found.len() >= enough {
                return Ok(found);
            }
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    Err(failure.unwrap_or_else(|| ReleaseError::WrongKey {
        signers: signatures.iter().filter_map(issuer).collect(),
        keyring: keyring.fingerprints(),
    }))
}

/// The key that a signature names, by its fingerprint where it gives that.
fn issuer(signature: &Signature) -> Option<String> {
    signature.get_issuers().first().map(KeyHandle::to_hex)
}

fn signatures(armor: &[u8]) -> Result<Vec<Signature>, ReleaseError> {
    let broken = |cause: anyhow::Error| ReleaseError::BrokenSignature { source: cause.into() };
    let mut found = Vec::new();
    let mut next = PacketParser::from_bytes(armor).map_err(broken)?;
    while let PacketParserResult::Some(parser) = next {
        let (packet, rest) = parser.next().map_err(broken)?;
        if let (Packet::Signature(signature), true) = (packet, found.len() < MOST) {
            found.push(signature);
        }
        next = rest;
    }
    if found.is_empty() {
        return Err(ReleaseError::NotSigned { why: "its signature block holds no signature" });
    }
    Ok(found)
}

struct Judge {
    canonical: Vec<u8>,
    moment: Moment,
    at: SystemTime,
    policy: StandardPolicy<'static>,
}

type Key<'a> = ErasedKeyAmalgamation<'a, PublicParts>;

impl Judge {
    fn new(message: &Cleartext<'_>, demand: &Demand<'_>) -> Self {
        let moment = demand.moment();
        // What an algorithm is worth does not depend on when it was used: a forger works today.
        let policy = StandardPolicy::at(system(demand.now));
        Self { canonical: message.canonical(), moment, at: system(moment.time()), policy }
    }

    /// Whether this key made this signature, and might, then and now; and for how long.
    fn verdict(
        &self,
        signature: &Signature,
        key: &Key<'_>,
    ) -> Result<Option<UnixTime>, ReleaseError> {
        let name = key.key().fingerprint().to_hex();
        let skew = Duration::from_secs(CLOCK_SKEW.unsigned_abs());
        let signed = signature.signature_creation_time().unwrap_or(self.at);
        if signed > self.at + skew {
            let (signed, at) = (seconds(signed), self.moment);
            return Err(ReleaseError::SignedLater { key: name, signed, at });
        }
        signature
            .signature_alive(self.at, skew)
            .and_then(|()| self.policy.signature(signature, HashAlgoSecurity::default()))
            .map_err(|cause| ReleaseError::RefusedKey {
                key: name.clone(),
                source: cause.into(),
            })?;
        self.key_holds(key, &name, signed)?;
        let until = self.key_holds(key, &name, self.at)?;
        // Text and binary signatures of this framework are over the same canonical text.
        signature
            .verify_message(key.key(), &self.canonical)
            .map_err(|cause| ReleaseError::BadSignature { key: name, source: cause.into() })?;
        Ok(until.into_iter().chain(signature.signature_expiration_time()).map(seconds).min())
    }

    /// Whether the key was bound, for signing, alive and not revoked at that time; and when it
    /// expires.
    fn key_holds(
        &self,
        key: &Key<'_>,
        name: &str,
        at: SystemTime,
    ) -> Result<Option<SystemTime>, ReleaseError> {
        let refused = |source: anyhow::Error| ReleaseError::RefusedKey {
            key: name.to_owned(),
            source: source.into(),
        };
        let valid = key.clone().with_policy(&self.policy, at).map_err(refused)?;
        let revoked = [valid.valid_cert().revocation_status(), valid.revocation_status()];
        if revoked.iter().any(|status| matches!(status, RevocationStatus::Revoked(_))) {
            return Err(ReleaseError::RevokedKey { key: name.to_owned() });
        }
        valid.valid_cert().alive().and_then(|()| valid.alive()).map_err(|cause| {
            ReleaseError::ExpiredKey { key: name.to_owned(), source: cause.into() }
        })?;
        if valid.for_signing() {
            let primary = valid.valid_cert().primary_key().key_expiration_time();
            return Ok(valid.key_expiration_time().into_iter().chain(primary).min());
        }
        Err(refused(anyhow::anyhow!("the key is not one for signing")))
    }
}

fn system(time: UnixTime) -> SystemTime {
    let since = u64::try_from(time).unwrap_or(0).min(u32::MAX.into());
    SystemTime::UNIX_EPOCH + Duration::from_secs(since)
}

fn seconds(time: SystemTime) -> UnixTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::try_from(since.as_secs()).unwrap_or(UnixTime::MAX)
}
