//! The certificates whose signatures count.

use sequoia_openpgp::Cert;
use sequoia_openpgp::cert::CertParser;
use sequoia_openpgp::parse::Parse as _;
use std::error::Error;

/// Certificates read from keyring files.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    certs: Vec<Cert>,
}

/// A certificate as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The primary key's fingerprint: capital hexadecimal digits.
    pub fingerprint: String,
    /// Its first user id, without what would confuse a terminal; empty where it has none.
    pub user: String,
}

/// Why bytes are not a keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// They cannot be read as certificates.
    #[error("the keyring cannot be read")]
    Unreadable {
        /// What the OpenPGP library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// They hold no certificate.
    #[error("the keyring holds no certificate")]
    Empty,
}

impl KeyringError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "it must be an OpenPGP keyring of public keys, binary (.gpg) or armored (.asc)"
    }
}

impl Keyring {
    /// Reads public keys, binary or armored, one or several.
    ///
    /// # Errors
    /// Where anything in it is not a certificate, or nothing is.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyringError> {
        let unreadable = |cause: sequoia_openpgp::anyhow::Error| KeyringError::Unreadable {
            source: cause.into(),
        };
        let mut keyring = Self::default();
        for cert in CertParser::from_bytes(bytes).map_err(unreadable)? {
            keyring.add(cert.map_err(unreadable)?);
        }
        if keyring.is_empty() { Err(KeyringError::Empty) } else { Ok(keyring) }
    }

    /// Adds another keyring's certificates to this one.
    pub fn merge(&mut self, other: Self) {
        other.certs.into_iter().for_each(|cert| self.add(cert));
    }

    /// Two copies of a certificate become one, so that a revocation in either counts.
    fn add(&mut self, cert: Cert) {
        let known = self.certs.iter_mut().find(|known| known.fingerprint() == cert.fingerprint());
        match known {
            Some(known) if *known == cert => {}
            // Merging fails for different fingerprints only.
            Some(known) => *known = known.clone().merge_public(cert).unwrap_or(known.clone()),
            None => self.certs.push(cert),
        }
    }

    /// The certificates of which any key has one of these fingerprints (as in apt's `Signed-By`;
    /// hexadecimal digits in whatever case, a final `!` is passed over).
    #[must_use]
    pub fn restricted_to(&self, fingerprints: &[String]) -> Self {
        let wanted: Vec<String> =
            fingerprints.iter().map(|f| f.trim_end_matches('!').to_ascii_uppercase()).collect();
        let certs = self.certs.iter().filter(|cert| {
            cert.keys().any(|key| wanted.contains(&key.key().fingerprint().to_hex()))
        });
        Self { certs: certs.cloned().collect() }
    }

    /// Fingerprints of the certificates' primary keys: capital hexadecimal digits.
    pub fn fingerprints(&self) -> Vec<String> {
        self.certs.iter().map(|cert| cert.fingerprint().to_hex()).collect()
    }

    /// What it holds, in its order.
    pub fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.certs.iter().map(|cert| {
            let user = cert.userids().next().map(|user| shown(user.userid().value()));
            Certificate { fingerprint: cert.fingerprint().to_hex(), user: user.unwrap_or_default() }
        })
    }

    /// Whether it holds no certificate; such a keyring refuses every release.
    pub fn is_empty(&self) -> bool {
        self.certs.is_empty()
    }

    pub(super) fn certs(&self) -> &[Cert] {
        &self.certs
    }
}

fn shown(user: &[u8]) -> String {
    String::from_utf8_lossy(user).chars().filter(|c| !c.is_control()).take(200).collect()
}
