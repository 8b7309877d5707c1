//! Why nothing was signed, and why a signature does not count.

use camino::Utf8PathBuf;
use dmc_registry::RegistryError;
use dmc_sign::{KeyError, SignatureError};
use dmc_types::NameError;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;

/// A key that cannot be used, or a signature that is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// Something is to be signed, and there is no key.
    #[error("there is no key to sign with")]
    NoKey,
    /// Something is to be verified, and no key is trusted.
    #[error("no key is trusted, so that no signature counts")]
    NoTrusted,
    /// The file of a key cannot be read.
    #[error("cannot read the key `{path}`")]
    ReadKey {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read a private key.
    #[error("others may read the private key `{path}`: its mode is {mode:04o}")]
    Loose {
        /// The file.
        path: Utf8PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file holds no key that can be used.
    #[error("the key `{path}` cannot be used")]
    Key {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: KeyError,
    },
    /// The public key beside a private one is not its own.
    #[error("`{public}` is not the public half of `{key}`")]
    OtherHalf {
        /// The private key.
        key: Utf8PathBuf,
        /// The public one.
        public: Utf8PathBuf,
    },
    /// Nobody says the password.
    #[error("there is no password for the key `{path}`")]
    Password {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A new key would take the place of a file.
    #[error("`{path}` is there already, and keys are never overwritten")]
    KeyThere {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A private key would have the name of its public half.
    #[error("`{path}` is the name of a public key")]
    PublicName {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A new key cannot be written.
    #[error("cannot write the key `{path}`")]
    WriteKey {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No trusted key has signed an image under its repository's name.
    #[error("{image} is not signed by a trusted key{}", listed(refused))]
    Unsigned {
        /// The image, as `host/name@sha256:…`.
        image: String,
        /// Why the signatures that are there do not count.
        refused: Vec<SignatureError>,
    },
    /// The registry has nothing that could be signed.
    #[error("{repository} has none of the tags {tags}")]
    NothingThere {
        /// The repository.
        repository: String,
        /// The tags that were looked for.
        tags: String,
    },
    /// An index names what the registry does not have.
    #[error("{image} is named by its index, and the registry does not have it")]
    Missing {
        /// The image, as `host/name@sha256:…`.
        image: String,
    },
    /// A document of the registry is not what it should be.
    #[error("{what} cannot be read")]
    Document {
        /// Its reference.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Others write the same tag at the same time.
    #[error("others keep changing {what}, and the signature is lost each time")]
    Contended {
        /// The tag.
        what: String,
    },
    /// A digest that makes no tag.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// The reasons, each once and one a line.
fn listed(refused: &[SignatureError]) -> String {
    let reasons: BTreeSet<String> = refused.iter().map(ToString::to_string).collect();
    let mut text = String::new();
    for reason in reasons.iter().take(10) {
        let _ = write!(text, "\n- a signature is there: {reason}");
    }
    text
}

impl SigningError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKey => {
                "`dmc keygen` makes one; name it by --sign-key or `key` under [signing]".to_owned()
            }
            Self::NoTrusted => {
                "name public keys as `trusted` under [signing] in dmc.conf".to_owned()
            }
            Self::ReadKey { .. } => {
                "check --sign-key, and `key` and `trusted` under [signing] in dmc.conf".to_owned()
            }
            Self::Loose { path, .. } => format!("chmod 600 {path}"),
            Self::Key { source, .. } => return source.hint(),
            Self::OtherHalf { public, .. } => {
                format!("remove `{public}`, or put the right one there")
            }
            Self::Password { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                "type the same password twice; nothing was written".to_owned()
            }
            Self::Password { .. } => {
                "set COSIGN_PASSWORD, or run dmc where it can ask for it".to_owned()
            }
            Self::KeyThere { .. } => {
                "name another file by --sign-key, or move that one away".to_owned()
            }
            Self::PublicName { .. } => "name the private key, such as dmc.key".to_owned(),
            Self::Unsigned { .. } => {
                "push it again with the key that signs it, or name that key's public half as \
                 `trusted` under [signing]; an image that nobody signed may be somebody else's"
                    .to_owned()
            }
            Self::NothingThere { .. } | Self::Missing { .. } => {
                "push it first: dmc push -t NAME".to_owned()
            }
            Self::Document { .. } => "remove that in the registry, and push again".to_owned(),
            Self::Contended { .. } => "push again once the others are done".to_owned(),
            Self::Registry(error) => return error.hint(),
            Self::Name(_) | Self::WriteKey { .. } => return None,
        })
    }
}
