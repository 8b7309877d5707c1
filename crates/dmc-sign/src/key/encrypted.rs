//! A secret under a password, as cosign and go-securesystemslib keep it.
//!
//! JSON: scrypt (RFC 7914) makes a key of the password and a salt of 32 bytes; `NaCl`'s secretbox
//! (`XSalsa20` and Poly1305) seals the secret with it. Work factors are bounded when read, as they
//! are others' numbers: nothing above 2^18 with r = 8, which takes 256 MB.

use crate::error::KeyError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The work factor of new keys, cosign's.
const LOG_N: u8 = 16;
/// What may be read: cosign's of all times, and twice the highest.
const LOG_N_READ: std::ops::RangeInclusive<u8> = 14..=18;
const BLOCK: u32 = 8;
const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";

#[derive(Serialize, Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// The secret that is sealed.
pub(super) fn open(json: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let sealed: Sealed =
        serde_json::from_slice(json).map_err(|_why| KeyError::Damaged { what: "not its JSON" })?;
    let log_n = work(&sealed)?;
    let salt = decoded(&sealed.kdf.salt, "the salt")?;
    let nonce: [u8; 24] = decoded(&sealed.cipher.nonce, "the nonce")?
        .try_into()
        .map_err(|_other: Vec<u8>| KeyError::Damaged { what: "the nonce" })?;
    let ciphertext = decoded(&sealed.ciphertext, "the ciphertext")?;
    let secret = cipher(password, &salt, log_n)?
        .decrypt(&Nonce::from(nonce), ciphertext.as_slice())
        .map_err(|_why| KeyError::Password)?;
    Ok(Zeroizing::new(secret))
}

/// Seals a secret.
pub(super) fn seal(secret: &[u8], password: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (mut salt, mut nonce) = ([0; 32], [0; 24]);
    for random in [&mut salt[..], &mut nonce[..]] {
        getrandom::fill(random).map_err(|_why| KeyError::NoRandomness)?;
    }
    let ciphertext = cipher(password, &salt, LOG_N)?
        .encrypt(&Nonce::from(nonce), secret)
        .map_err(|_why| KeyError::Damaged { what: "too long" })?;
    let sealed = Sealed {
        kdf: Kdf {
            name: KDF.to_owned(),
            params: Params { n: 1 << LOG_N, r: BLOCK, p: 1 },
            salt: BASE64_STANDARD.encode(salt),
        },
        cipher: Cipher { name: CIPHER.to_owned(), nonce: BASE64_STANDARD.encode(nonce) },
        ciphertext: BASE64_STANDARD.encode(ciphertext),
    };
    serde_json::to_vec(&sealed).map_err(|_why| KeyError::Damaged { what: "not its JSON" })
}

/// The binary logarithm of the work factor, where it and the algorithms are known.
fn work(sealed: &Sealed) -> Result<u8, KeyError> {
    let unknown = |what: &str| Err(KeyError::Unknown { what: what.chars().take(60).collect() });
    if sealed.kdf.name != KDF {
        return unknown(&sealed.kdf.name);
    }
    if sealed.cipher.name != CIPHER {
        return unknown(&sealed.cipher.name);
    }
    let Params { n, r, p } = sealed.kdf.params;
    let log_n = LOG_N_READ.into_iter().find(|log_n| 1 << log_n == n);
    match log_n {
        Some(log_n) if r == BLOCK && p == 1 => Ok(log_n),
        _ => unknown(&format!("scrypt with N={n}, r={r}, p={p}")),
    }
}

fn cipher(password: &[u8], salt: &[u8], log_n: u8) -> Result<XSalsa20Poly1305, KeyError> {
    let damaged = KeyError::Damaged { what: "the parameters" };
    let params = scrypt::Params::new(log_n, BLOCK, 1, 32).map_err(|_why| damaged.clone())?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password, salt, &params, key.as_mut()).map_err(|_why| damaged)?;
    Ok(XSalsa20Poly1305::new(Key::from_slice(key.as_ref())))
}

fn decoded(text: &str, what: &'static str) -> Result<Vec<u8>, KeyError> {
    BASE64_STANDARD.decode(text).map_err(|_why| KeyError::Damaged { what })
}
