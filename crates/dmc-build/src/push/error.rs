//! Why nothing was pushed.

use camino::Utf8PathBuf;
use dmc_registry::RegistryError;
use dmc_types::{NameError, TemplateName};

/// An image that did not come to a registry, or did not come from it.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// No registry is named.
    #[error("no registry is named")]
    NoHost,
    /// A registry, repository or tag that cannot be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A registry of the configuration that cannot be.
    #[error("[registry.\"{host}\"] of the configuration names no registry")]
    Conf {
        /// What it names.
        host: String,
        /// Why that is none.
        source: NameError,
    },
    /// There is nothing to push.
    #[error("there is no image of template {template} in `{out}`")]
    NoImage {
        /// The template.
        template: TemplateName,
        /// The layout.
        out: Utf8PathBuf,
    },
    /// The registry, or the way to it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl PushError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoHost => {
                Some("name it by -H HOST[:PORT][/NAMESPACE], or as `host` in dmc.conf".to_owned())
            }
            Self::Name(_) => Some(
                "a registry is named as registry.example:5000 or registry.example/team".to_owned(),
            ),
            Self::Conf { .. } => {
                Some("write it as [registry.\"registry.example:5000\"]".to_owned())
            }
            Self::NoImage { template, .. } => Some(format!("build it first: dmc -t {template}")),
            Self::Registry(error) => error.hint(),
        }
    }

    /// Whether the command line or the configuration is at fault.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::NoHost | Self::Name(_) | Self::Conf { .. })
    }
}
