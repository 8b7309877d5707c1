//! What does not hold of a lock.

use dmc_types::{Arch, PackageName, TemplateName};

/// Why a build cannot be held to a lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Drift {
    /// Another version of dmc would make other bytes.
    #[error("it is for the output `{locked}` of dmc, and this dmc makes `{}`", crate::OUTPUT)]
    Output {
        /// What it was made with.
        locked: String,
    },
    /// Another distribution.
    #[error("it is of {locked}, and {asked} is asked for")]
    Dist {
        /// Its distribution.
        locked: String,
        /// What was asked for.
        asked: String,
    },
    /// The rules are others.
    #[error("the rules have changed since")]
    Rules,
    /// The template is not in it.
    #[error("it does not have template {template}")]
    NoTemplate {
        /// The template.
        template: TemplateName,
    },
    /// The template is another.
    #[error("template {template} has changed since")]
    Template {
        /// The template.
        template: TemplateName,
    },
    /// The other kind of image.
    #[error("template {template} was locked {} --small", if *.locked { "with" } else { "without" })]
    Small {
        /// The template.
        template: TemplateName,
        /// Whether it was locked as a small image.
        locked: bool,
    },
    /// Not for this architecture.
    #[error("it does not have template {template} for {arch}")]
    NoArch {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
    },
    /// A version that no build can compare.
    #[error("package {package} has the version `{version}`, which Debian's rules do not allow")]
    Version {
        /// The package.
        package: PackageName,
        /// What it says.
        version: String,
    },
    /// The image needs a package that is not there.
    #[error("template {template} needs package {package} on {arch}, which it does not have")]
    NotLocked {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// The package.
        package: PackageName,
    },
    /// The image cannot be made of the packages that are there.
    #[error("its packages for template {template} on {arch} are not enough: {why}")]
    NotEnough {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// What is missing.
        why: String,
    },
    /// The image does not need packages that are there.
    #[error("template {template} does not need these packages on {arch}: {}", .packages.join(", "))]
    NotNeeded {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// The packages.
        packages: Vec<String>,
    },
}

impl Drift {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let renew = |template: &TemplateName| format!("dmc lock -t {template}");
        match self {
            Self::Output { .. } => {
                "build with the dmc that made it, or renew all of it: dmc lock".to_owned()
            }
            Self::Dist { locked, .. } => {
                format!("say -D {locked}, or name another file by --lock")
            }
            Self::Rules => "take the rules back, or renew all of it: dmc lock".to_owned(),
            Self::NoTemplate { template } => format!("add it: {}", renew(template)),
            Self::NoArch { template, arch } => format!("add it: {} -A {arch}", renew(template)),
            Self::Template { template } => {
                format!("take the template back, or lock it again: {}", renew(template))
            }
            Self::Small { locked: true, .. } => "say --small".to_owned(),
            Self::Small { template, locked: false } => {
                format!("leave --small out, or lock it so: {} --small", renew(template))
            }
            Self::Version { .. } => {
                "take the file back from version control, or lock the template again".to_owned()
            }
            Self::NotLocked { template, .. }
            | Self::NotEnough { template, .. }
            | Self::NotNeeded { template, .. } => {
                format!(
                    "the file was changed by hand or merged: lock the template again: {}",
                    renew(template)
                )
            }
        }
    }
}
