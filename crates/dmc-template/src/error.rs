//! What can be wrong with a template, and what to do about it.

use crate::{TextError, WordError, nearest};
use dmc_types::{Arch, GlobError, NameError, PathError, TemplateName};
use std::sync::Arc;

/// Why there is no template to work from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Its text is wrong.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Its folder's name cannot be a template's.
    #[error("the folder {origin} cannot be a template")]
    Name {
        /// The folder.
        origin: String,
        /// Why.
        source: NameError,
    },
    /// Its folder has no `template.toml`.
    #[error("the folder {origin} has no template.toml")]
    NoText {
        /// The folder.
        origin: String,
    },
    /// Its folder holds something that no part of an image comes from.
    #[error("the folder {origin} holds `{file}`, which goes nowhere")]
    StrayFile {
        /// The folder.
        origin: String,
        /// The file in it.
        file: String,
    },
    /// A file of the overlay has a path that no image can hold.
    #[error("the overlay of {origin} cannot hold `{file}`")]
    OverlayPath {
        /// The folder.
        origin: String,
        /// The file in it.
        file: String,
        /// Why.
        source: WordError,
    },
    /// No template has this name.
    #[error("there is no template `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// No template is in this group.
    #[error("there is no group `{name}`")]
    UnknownGroup {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// A template extends one that does not exist.
    #[error("template `{template}` extends `{parent}`, which does not exist")]
    UnknownParent {
        /// The template.
        template: TemplateName,
        /// The parent it names.
        parent: TemplateName,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A template extends one that is itself wrong.
    #[error("template `{template}` extends `{parent}`, which cannot be used")]
    BrokenParent {
        /// The template.
        template: TemplateName,
        /// The parent it names.
        parent: TemplateName,
        /// What is wrong with that.
        source: Arc<TemplateError>,
    },
    /// Templates extend each other in a circle.
    #[error("templates extend each other in a circle: {}", join(circle))]
    Cycle {
        /// The templates of the circle, the first one again at the end.
        circle: Vec<TemplateName>,
    },
    /// It is a part for others, not an image.
    #[error("template `{template}` is abstract: no image is built from it")]
    Abstract {
        /// The template.
        template: TemplateName,
        /// Templates that extend it.
        used_by: Vec<TemplateName>,
    },
    /// Two of its parents contradict each other.
    #[error("template `{template}`: `{first}` and `{second}` both set {what}, differently")]
    Clash {
        /// The template that extends both.
        template: TemplateName,
        /// One parent.
        first: TemplateName,
        /// The other.
        second: TemplateName,
        /// The key or path.
        what: String,
    },
    /// One template says two things of one key or path.
    #[error("template `{template}` sets {what} twice, differently")]
    Twice {
        /// The template.
        template: TemplateName,
        /// The key or path.
        what: String,
    },
    /// It names a user or group that nothing defines.
    #[error("template `{template}`: {what} names `{name}`, which nothing defines")]
    UnknownAccount {
        /// The template.
        template: TemplateName,
        /// The key or path that names it.
        what: String,
        /// The name.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A test or `[deploy]` mounts a file that is not there.
    #[error("template `{template}`: {by} names `{file}`, which `{folder}` does not hold")]
    UnknownFile {
        /// The template.
        template: TemplateName,
        /// Who mounts it.
        by: String,
        /// The template's folder that is to hold it.
        folder: &'static str,
        /// The file.
        file: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// It lists extensions, and no template says what an extension is.
    #[error(
        "template `{template}` asks for extension `{extension}`, but nothing that it extends has extensions"
    )]
    NoExtensions {
        /// The template.
        template: TemplateName,
        /// The first that it lists.
        extension: String,
    },
    /// Two users, or two groups, have one number, or one name has two numbers.
    #[error("template `{template}`: {first} and {second} cannot both be")]
    AccountClash {
        /// The template.
        template: TemplateName,
        /// One, as `user mysql (100)`.
        first: String,
        /// The other.
        second: String,
    },
    /// A program that its folder is to bring is not there.
    #[error("template `{template}` has no program `{path}`{}", on(*arch))]
    NoProgram {
        /// The template.
        template: TemplateName,
        /// Where the program goes.
        path: String,
        /// The architecture; none where there is none for any.
        arch: Option<Arch>,
    },
    /// A path with its placeholders replaced is none.
    #[error("template `{template}`: a path is wrong on this architecture")]
    ArchPath {
        /// The template.
        template: TemplateName,
        /// Why.
        source: PathError,
    },
    /// A pattern with its placeholders replaced is none.
    #[error("template `{template}`: a pattern is wrong on this architecture")]
    ArchGlob {
        /// The template.
        template: TemplateName,
        /// Why.
        source: GlobError,
    },
}

impl TemplateError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Text(error) => error.hint(),
            Self::Unknown { nearest, known, .. } | Self::UnknownGroup { nearest, known, .. } => {
                nearest::hint(nearest.as_deref(), known.iter().map(String::as_str))
            }
            Self::UnknownParent { nearest, .. } => nearest::hint(nearest.as_deref(), []),
            Self::UnknownAccount { nearest, .. } => nearest::hint(nearest.as_deref(), [])
                .or_else(|| Some("define it under [[users]], or take it by `accounts`".to_owned())),
            Self::UnknownFile { nearest, folder, .. } => nearest::hint(nearest.as_deref(), [])
                .or_else(|| {
                    Some(format!("put it below the template's {folder}, or write {{ text = \"…\" }}"))
                }),
            Self::BrokenParent { source, .. } => source.hint(),
            Self::Abstract { used_by, .. } if !used_by.is_empty() => {
                Some(format!("build one that extends it: {}", join_with(used_by, ", ")))
            }
            Self::Abstract { .. } => Some("write a template that extends it".to_owned()),
            Self::NoText { .. } => Some("write one, or remove the folder".to_owned()),
            Self::StrayFile { .. } => Some(
                "files of the image go below files/, files-ARCH/ or private.d/, those of tests below \
                 tests/, those that a cluster mounts below deploy/"
                    .to_owned(),
            ),
            Self::Cycle { .. } => Some("take one of them out of another's `extends`".to_owned()),
            Self::Clash { template, what, .. } => {
                Some(format!("set {what} in `{template}` to say which it is"))
            }
            Self::NoExtensions { .. } => {
                Some("extend a template that has a table [extension], such as `php`".to_owned())
            }
            Self::NoProgram { path, arch: None, .. } => Some(format!(
                "put one for each architecture into the template's folder, as files-amd64{path}"
            )),
            Self::NoProgram { path, arch: Some(arch), .. } => Some(format!(
                "put it into the template's folder as files-{arch}{path}, or leave {arch} out: -A"
            )),
            Self::Twice { .. } => Some("leave one of them out".to_owned()),
            Self::AccountClash { .. } => Some("give each name one number of its own".to_owned()),
            Self::Name { .. }
            | Self::OverlayPath { .. }
            | Self::ArchPath { .. }
            | Self::ArchGlob { .. } => None,
        }
    }
}

fn on(arch: Option<Arch>) -> String {
    arch.map(|arch| format!(" for {arch}")).unwrap_or_default()
}

fn join(names: &[TemplateName]) -> String {
    join_with(names, " → ")
}

fn join_with(names: &[TemplateName], between: &str) -> String {
    names.iter().map(TemplateName::as_str).collect::<Vec<_>>().join(between)
}
