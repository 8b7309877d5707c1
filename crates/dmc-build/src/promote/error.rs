//! Why an image is not named, promoted or taken for the live one.

use camino::Utf8PathBuf;
use dmc_types::{Arch, Sha256, TemplateName};
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
    /// The image has nothing for this machine.
    #[error("`{image}` is no image for {arch}")]
    NoPlatform {
        /// Which.
        image: String,
        /// The architecture on which tests would run.
        arch: Arch,
    },
    /// What was there is not any more.
    #[error("`{image}` is not there any more")]
    Gone {
        /// Which.
        image: String,
    },
    /// A layer that is larger than anybody needs.
    #[error("`{blob}` has more than {most} bytes")]
    TooLarge {
        /// Which.
        blob: String,
        /// The bound.
        most: u64,
    },
    /// There is nothing to promote.
    #[error("`{repository}` has no `{tag}` to promote")]
    Nothing {
        /// Where.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// It was made from what is in no commit.
    #[error("the image of template {template} was made from templates that are not as committed")]
    Uncommitted {
        /// The template.
        template: TemplateName,
    },
    /// Nothing proves it.
    #[error("template {template} has no [[test]], so that nothing says that its image works")]
    NoTests {
        /// The template.
        template: TemplateName,
    },
    /// Somebody else moved the tag meanwhile.
    #[error(
        "`{repository}:{tag}` was moved by somebody else meanwhile: it is {found}, and should \
         have been {expected}"
    )]
    LostRace {
        /// Where.
        repository: String,
        /// The name of what runs.
        tag: String,
        /// What it means now.
        found: String,
        /// What it should mean.
        expected: String,
    },
    /// There is nothing to go back to.
    #[error("no other image was `{repository}:{tag}` before")]
    NothingBefore {
        /// Where.
        repository: String,
        /// The name of what runs.
        tag: String,
    },
    /// A container of that name was started by somebody else.
    #[error("there is a container `{name}` that dmc did not start: how it is to run is not known")]
    Foreign {
        /// The container.
        name: String,
    },
    /// The new container does not work.
    #[error("container `{name}` does not run the live image ({back}): {why}")]
    Container {
        /// The container.
        name: String,
        /// What went wrong, in lines.
        why: String,
        /// What became of the one before.
        back: &'static str,
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
            Self::NoPlatform { arch, .. } => {
                format!("build it for {arch} too, or promote where its own architecture is at home")
            }
            Self::Gone { .. } => {
                "create and push it again, or promote another image".to_owned()
            }
            Self::TooLarge { .. } => "it is not an image of dmc's".to_owned(),
            Self::Nothing { .. } => "create it first; with -H, push it".to_owned(),
            Self::Uncommitted { .. } => {
                "commit the templates and create the image again".to_owned()
            }
            Self::NoTests { .. } => "write one: docs/testing.md".to_owned(),
            Self::LostRace { .. } => {
                "see what the other one did, and promote again if that is still right".to_owned()
            }
            Self::NothingBefore { .. } => {
                "promote the image that is meant".to_owned()
            }
            Self::Foreign { name } => format!(
                "say in the template's [run] how it runs, remove it (podman rm -f {name}), and dmc \
                 starts it"
            ),
            Self::Container { .. } => "mend [run] in the template and `dmc restart`, or `dmc \
                 rollback`: the live image is the new one still"
                .to_owned(),
            Self::Memory { .. } => {
                "make the store writable, or name another by --store".to_owned()
            }
        })
    }
}
