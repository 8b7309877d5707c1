//! Why a key cannot be used, and why a signature does not count.

/// A key that cannot be read, made or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not PEM.
    #[error("the text of the key is not PEM")]
    NotPem,
    /// The text is PEM of something else.
    #[error("the text holds a `{label}`, not {wanted}")]
    OtherLabel {
        /// What it says it is.
        label: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A private key that no password protects.
    #[error("the private key is not encrypted")]
    NotEncrypted,
    /// The envelope of an encrypted key cannot be read.
    #[error("the encrypted key is damaged: {what}")]
    Damaged {
        /// What is wrong with it.
        what: &'static str,
    },
    /// An encrypted key in a form that is not known here.
    #[error("the key is encrypted by {what}, which is not known")]
    Unknown {
        /// The key derivation, its parameters or the cipher.
        what: String,
    },
    /// The password does not open the key.
    #[error("the password does not open the key")]
    Password,
    /// Not a key of the one kind that is used.
    #[error("the key is not one for ECDSA over P-256")]
    OtherKind,
    /// The machine gives no random bytes.
    #[error("the machine gives no random bytes")]
    NoRandomness,
}

impl KeyError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::OtherLabel { wanted, .. } if wanted.contains("private") => {
                "name the private key here, such as dmc.key; its dmc.pub is what others trust"
                    .into()
            }
            Self::OtherLabel { .. } => {
                "name the public key here, such as dmc.pub, not the private one".into()
            }
            Self::NotEncrypted => "`cosign import-key-pair --key FILE` encrypts it".into(),
            Self::Password => "the password comes from COSIGN_PASSWORD or is asked for".into(),
            Self::NotPem | Self::Damaged { .. } | Self::Unknown { .. } | Self::OtherKind => {
                "`dmc keygen` makes a pair that can be used".into()
            }
            Self::NoRandomness => return None,
        })
    }
}

/// A signature, or what it is on, that does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not a document of the kind that it should be.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// The kind of document.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// None of the trusted keys has signed it.
    #[error("none of the {keys} trusted keys has signed it")]
    Untrusted {
        /// How many keys are trusted.
        keys: usize,
    },
    /// What is signed is about something else.
    #[error("what is signed is about {found}, not {wanted}")]
    OtherSubject {
        /// What it is about.
        found: String,
        /// What was asked for.
        wanted: String,
    },
}
