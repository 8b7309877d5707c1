//! Keys, signatures and signed statements; touches neither disk nor network.
//!
//! ECDSA over P-256 with SHA-256, the nonce by RFC 6979, so that equal contents and keys make equal
//! bytes. Private keys are kept as cosign keeps them, under a password; public ones as
//! `SubjectPublicKeyInfo` in PEM. What is signed has two forms:
//!
//! - [`SimpleSigning`], the payload that policies of podman and skopeo check: which manifest, under
//!   which repository name;
//! - [`Bundle`], a DSSE envelope (version 1) around an in-toto [`Statement`] (version 1), as
//!   sigstore's bundle of version 0.3.
//!
//! What was only read has no type that says what it claims: a [`Verified`] is made by checking a
//! signature against trusted keys and nothing else.

mod bundle;
mod error;
mod key;
mod simple;
mod statement;
#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use error::{KeyError, SignatureError};
pub use key::{PrivateKey, PublicKey, Signature};
pub use simple::SimpleSigning;
pub use statement::{REPOSITORY, Statement, Subject, predicate};

use dmc_types::Sha256;
pub use zeroize::Zeroizing;

/// What a trusted key has signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<T> {
    what: T,
    key: Sha256,
}

impl<T> Verified<T> {
    /// What was signed.
    pub fn get(&self) -> &T {
        &self.what
    }

    /// What was signed, by value.
    pub fn into_inner(self) -> T {
        self.what
    }

    /// The fingerprint of the key that signed it.
    pub fn key(&self) -> Sha256 {
        self.key
    }
}

/// The first of the keys that has signed `message`, by its fingerprint.
fn signer(message: &[u8], signature: &Signature, trusted: &[PublicKey]) -> Option<Sha256> {
    trusted.iter().find(|key| key.verifies(message, signature)).map(PublicKey::fingerprint)
}

fn digest(bytes: &[u8]) -> Sha256 {
    use sha2::Digest as _;
    Sha256::from_bytes(sha2::Sha256::digest(bytes).into())
}
