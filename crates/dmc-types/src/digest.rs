//! Digests, in the two algorithms that Debian's indices and OCI descriptors use.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest: {bits} bits are {digits} lower-case hexadecimal digits")]
pub struct DigestError {
    /// What was read.
    pub text: String,
    /// The digest's width.
    pub bits: usize,
    /// How many digits that is.
    pub digits: usize,
}

/// Stands in [`DIGITS`] for letters that are none; no combination of digits has these bits.
const NO_DIGIT: u8 = 0xff;

/// What each letter is worth: an index has a million of them.
const DIGITS: [u8; 256] = {
    let (mut values, mut digit) = ([NO_DIGIT; 256], 0);
    while digit < 16 {
        values[b"0123456789abcdef"[digit as usize] as usize] = digit;
        digit += 1;
    }
    values
};

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Wraps the output of a hash function.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The raw digest.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                let refused = || DigestError {
                    text: text.chars().take(2 * $bytes + 8).collect(),
                    bits: 8 * $bytes,
                    digits: 2 * $bytes,
                };
                // One spelling a digest keeps file names unique: no capitals.
                let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(refused()) };
                if pairs.len() != $bytes {
                    return Err(refused());
                }
                let (mut bytes, mut all) = ([0; $bytes], 0);
                for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
                    let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
                    *byte = high << 4 | low;
                    all |= high | low;
                }
                if all == NO_DIGIT { Err(refused()) } else { Ok(Self(bytes)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

digest!(
    /// A SHA-1 digest, where a format asks for one; reads and prints as 40 lower-case hexadecimal
    /// digits. Nothing is trusted by it.
    Sha1, 20
);
digest!(
    /// A SHA-256 digest; reads and prints as 64 lower-case hexadecimal digits.
    Sha256, 32
);
digest!(
    /// A SHA-512 digest; reads and prints as 128 lower-case hexadecimal digits.
    Sha512, 64
);

// Raw bytes in compact formats, text where people read.
macro_rules! serial {
    ($name:ident, $bytes:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
                } else {
                    Ok(Self(<[u8; $bytes]>::deserialize(d)?))
                }
            }
        }
    };
}

serial!(Sha1, 20);
serial!(Sha256, 32);

/// The digest by which a signed index vouches for a file: the strongest that it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checksum {
    /// From a `SHA256` field.
    Sha256(Sha256),
    /// From a `SHA512` field.
    Sha512(Sha512),
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "sha256:{digest}"),
            Self::Sha512(digest) => write!(f, "sha512:{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_what_is_not_a_digest() {
        let long = "a".repeat(65);
        let sign = "+f".repeat(32);
        let capital = "A".repeat(64);
        for (why, input) in [
            ("empty", ""),
            ("prefixed", "sha256:9f86"),
            ("sign", &sign),
            ("one digit more", &long),
            ("capitals", &capital),
        ] {
            assert!(input.parse::<Sha256>().is_err(), "{why}: {input:?} was accepted");
        }
    }

    #[test]
    fn prints_as_it_was_read() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<Sha256>().unwrap().to_string(), text);
        let text = "00ff".repeat(32);
        assert_eq!(text.parse::<Sha512>().unwrap().to_string(), text);
    }
}
