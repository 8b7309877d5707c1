//! Why an image is not named, promoted or taken for the live one.

use camino::Utf8PathBuf;
use dmc_types::{Sha256, TemplateName};
use std::io;

/// What is wrong with a name, or with what it should mean.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// An image with private files may not go there.
    #[error(
        "the image of template {template} holds files of private.d/, and `{host}` is not a host for such"
    )]
    PrivateImage {
        /// The template.
        template: TemplateName,
        /// The registry.
        host: String,
    },
    /// Nothing was promoted yet.
    #[error("`{repository}` has no `{tag}`: nothing was promoted")]
    NotLive {
        /// Where.
        repository: String,
        /// The name of what runs.
        tag: String,
    },
    /// The tag means an image, and no statement that counts says so.
    #[error(
        "`{repository}:{tag}` is sha256:{digest}, but no {kind} statement says that this is meant"
    )]
    Unstated {
        /// Where.
        repository: String,
        /// The name of what runs.
        tag: String,
        /// What the tag means.
        digest: Sha256,
        /// `signed` where keys are trusted.
        kind: &'static str,
    },
    /// The statement is older than one that was accepted.
    #[error(
        "`{repository}:{tag}` is sha256:{digest} with sequence {sequence}, but sequence {accepted} \
         was accepted before: an older image is replayed"
    )]
    Replayed {
        /// Where.
        repository: String,
        /// The name of what runs.
        tag: String,
        /// What the tag means.
        digest: Sha256,
        /// The statement's number.
        sequence: u64,
        /// The number that was accepted last.
        accepted: u64,
    },
    /// One number stands for two images.
    #[error(
        "`{repository}:{tag}` is sha256:{digest} with sequence {sequence}, which was sha256:{accepted} \
         when it was accepted"
    )]
    Forked {
        /// Where.
        repository: String,
        /// The name of what runs.
        tag: String,
        /// What the tag means.
        digest: Sha256,
        /// The statement's number.
        sequence: u64,
        /// What had that number before.
        accepted: Sha256,
    },
    /// What is remembered cannot be read or written.
    #[error("cannot {what} `{path}`, the memory of what was accepted")]
    Memory {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PromoteError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PrivateImage { host, .. } => {
                format!("name it in the configuration if it is: private_hosts = [\"{host}\"]")
            }
            Self::NotLive { .. } => "dmc promote -t NAME tests an image and promotes it".to_owned(),
            Self::Unstated { kind: "signed", .. } => "somebody moved the tag by hand, or a key is \
                 missing in [signing] trusted: promote the image that is meant"
                .to_owned(),
            Self::Unstated { .. } => {
                "somebody moved the tag by hand: promote the image that is meant".to_owned()
            }
            Self::Replayed { .. } => "whoever may write to the registry has put an old image in the \
                 place of the live one: promote the image that is meant, `rollback` for an older one"
                .to_owned(),
            Self::Forked { .. } => "two machines promoted at the same time, or somebody deceives: \
                 promote the image that is meant"
                .to_owned(),
            Self::Memory { .. } => {
                "make the store writable, or name another by --store".to_owned()
            }
        })
    }
}
