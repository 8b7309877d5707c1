//! Why machines do not come together.

use crate::error::BuildError;
use dmc_farm::FarmError;
use dmc_types::{Arch, NameError, Sha256, TemplateName};
use std::io;

/// A plan, shard or set that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum FarmFailure {
    /// A text that names no plan.
    #[error("`{text}` names no plan by its digest")]
    NoReference {
        /// The text.
        text: String,
    },
    /// The registry does not have the plan.
    #[error("there is no plan {reference}")]
    NoPlan {
        /// What names it.
        reference: String,
    },
    /// What is there is no plan.
    #[error("{reference} is no plan: {why}")]
    BrokenPlan {
        /// What names it.
        reference: String,
        /// What is wrong with it.
        why: String,
    },
    /// No plan and shard were named.
    #[error("it is not said which shard of which plan this machine builds")]
    NoShard,
    /// None of the templates could be planned.
    #[error("no template can be planned")]
    NothingPlanned {
        /// Why each could not.
        failed: Vec<(TemplateName, BuildError)>,
    },
    /// A newer plan has taken the place of this one.
    #[error("a newer plan has taken the place of {reference}")]
    Replaced {
        /// What names the old one.
        reference: String,
    },
    /// A shard that ran twice came to two images.
    #[error(
        "the image of template {template} for {arch} came out as sha256:{now}, and as \
         sha256:{before} when the shard was built before"
    )]
    OtherImage {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// What was reported before.
        before: Sha256,
        /// What came out now.
        now: Sha256,
    },
    /// Something that was reported is not in the registry.
    #[error(
        "the image of template {template} for {arch} was reported, but sha256:{digest} is not in {repository}"
    )]
    NotThere {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// The manifest.
        digest: Sha256,
        /// The repository.
        repository: String,
    },
    /// There is no place for what is only needed while a set is finished.
    #[error("cannot make a folder for temporary files")]
    Folder(#[source] io::Error),
    /// A part of what dmc-farm checks.
    #[error(transparent)]
    Farm(#[from] FarmError),
    /// A name that cannot be.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FarmFailure {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoReference { .. } => {
                "`dmc farm plan` prints it: registry.example/dmc-farm@sha256:…".to_owned()
            }
            Self::NoPlan { .. } => {
                "check its name and the registry's credentials, or plan again: dmc farm plan"
                    .to_owned()
            }
            Self::BrokenPlan { .. } => "plan again: dmc farm plan".to_owned(),
            Self::NoShard => "name them: --plan REF@sha256:… --shard 0/4".to_owned(),
            Self::NothingPlanned { .. } => "see above why each could not".to_owned(),
            Self::Replaced { .. } => {
                "build the shards of the newer one; farms that work side by side need namespaces \
                 of their own (-H HOST/NAMESPACE)"
                    .to_owned()
            }
            Self::OtherImage { .. } => {
                "all machines of a farm must have the same dmc; if they do, this is a mistake in it"
                    .to_owned()
            }
            Self::NotThere { .. } => {
                "the registry has removed it: let its shard run again, and finish after that"
                    .to_owned()
            }
            Self::Folder(_) => "set TMPDIR to a folder that can be written to".to_owned(),
            Self::Farm(error) => error.hint(),
            Self::Name(_) => return None,
        })
    }

    /// The folder of temporary files has a name that is not UTF-8.
    pub(super) fn odd_folder() -> Self {
        Self::Folder(io::Error::other("its name is not UTF-8"))
    }

    /// Whether the command line is at fault.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoReference { .. }
                | Self::NoShard
                | Self::Farm(FarmError::NoShard { .. } | FarmError::OtherCount { .. })
        )
    }
}
