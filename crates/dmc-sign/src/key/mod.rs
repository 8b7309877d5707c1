//! A pair of keys: ECDSA over P-256 with SHA-256.
//!
//! Nonces follow RFC 6979: the same key and message give the same signature, so that a second run
//! makes the bytes that the first one made. The private half is wiped from memory when it goes,
//! has no text form but the encrypted one, and shows nothing of itself to `{:?}`.

mod encrypted;
#[cfg(test)]
mod tests;

use crate::digest;
use crate::error::KeyError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dmc_types::Sha256;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{SigningKey, VerifyingKey};
use p256::pkcs8::der::pem;
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use std::fmt;
use zeroize::Zeroizing;

/// What a public key's text says it is.
const PUBLIC: &str = "PUBLIC KEY";
/// What an encrypted private key's text says it is; the second by cosign before 2.0.
const PRIVATE: [&str; 2] = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];
/// What unencrypted private keys' texts say they are.
const BARE: [&str; 2] = ["PRIVATE KEY", "EC PRIVATE KEY"];

/// What signs.
#[derive(Clone)]
pub struct PrivateKey {
    key: SigningKey,
    public: PublicKey,
}

/// What checks signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    fingerprint: Sha256,
}

/// A signature; well-formed, which does not say by whom it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(p256::ecdsa::Signature);

impl PrivateKey {
    fn new(key: SigningKey) -> Result<Self, KeyError> {
        let public = PublicKey::new(*key.verifying_key())?;
        Ok(Self { key, public })
    }

    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        // One in 2^32 draws is above the order of the curve.
        for _ in 0..8 {
            let mut scalar = Zeroizing::new([0; 32]);
            getrandom::fill(scalar.as_mut()).map_err(|_why| KeyError::NoRandomness)?;
            if let Ok(key) = SigningKey::from_slice(scalar.as_ref()) {
                return Self::new(key);
            }
        }
        Err(KeyError::NoRandomness)
    }

    /// Reads and decrypts a key as cosign writes it.
    pub fn read(text: &str, password: &[u8]) -> Result<Self, KeyError> {
        let (label, body) = decode(text)?;
        if BARE.contains(&label) {
            return Err(KeyError::NotEncrypted);
        }
        if !PRIVATE.contains(&label) {
            return Err(other(label, "an encrypted private key"));
        }
        let der = encrypted::open(&body, password)?;
        Self::new(SigningKey::from_pkcs8_der(&der).map_err(|_why| KeyError::OtherKind)?)
    }

    /// The key under a password, as cosign writes it.
    pub fn write(&self, password: &[u8]) -> Result<String, KeyError> {
        let der = self.key.to_pkcs8_der().map_err(|_why| KeyError::OtherKind)?;
        let body = encrypted::seal(der.as_bytes(), password)?;
        pem::encode_string(PRIVATE[0], LineEnding::LF, &body).map_err(|_why| KeyError::OtherKind)
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.key.sign(message))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public.fingerprint)
    }
}

impl PublicKey {
    fn new(key: VerifyingKey) -> Result<Self, KeyError> {
        let der = key.to_public_key_der().map_err(|_why| KeyError::OtherKind)?;
        Ok(Self { key, fingerprint: digest(der.as_bytes()) })
    }

    /// Reads a public key in PEM.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let (label, body) = decode(text)?;
        if label != PUBLIC {
            return Err(other(label, "a public key"));
        }
        Self::new(VerifyingKey::from_public_key_der(&body).map_err(|_why| KeyError::OtherKind)?)
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.key.to_public_key_pem(LineEnding::LF).map_err(|_why| KeyError::OtherKind)
    }

    /// The SHA-256 of the key's DER, by which people tell keys apart.
    pub fn fingerprint(&self) -> Sha256 {
        self.fingerprint
    }

    /// Whether the key has signed a message.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        self.key.verify(message, &signature.0).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint)
    }
}

impl Signature {
    /// Reads the base64 of ASN.1's DER (SEC 1, C.5); `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        let der = BASE64_STANDARD.decode(text).ok()?;
        p256::ecdsa::Signature::from_der(&der).ok().map(Self)
    }

    /// The base64 of its DER.
    pub fn write(&self) -> String {
        BASE64_STANDARD.encode(self.0.to_der())
    }
}

/// Label and contents of PEM.
fn decode(text: &str) -> Result<(&str, Zeroizing<Vec<u8>>), KeyError> {
    let (label, body) = pem::decode_vec(text.as_bytes()).map_err(|_why| KeyError::NotPem)?;
    Ok((label, Zeroizing::new(body)))
}

fn other(label: &str, wanted: &'static str) -> KeyError {
    KeyError::OtherLabel { label: label.chars().take(40).collect(), wanted }
}
