//! What can be wrong with plans, shards and reports.

use dmc_types::{Arch, TemplateName};

/// Why something is no plan, no shard of it, or not what was planned.
#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    /// It is longer than it may be.
    #[error("the {what} has more than {limit} bytes")]
    TooLong {
        /// `plan` or `report`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// It is not the JSON that was expected.
    #[error("the {what} cannot be read")]
    Text {
        /// `plan` or `report`.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// Another version of the format.
    #[error("the {what} has version {found} of the format; this dmc reads version {known}")]
    Version {
        /// `plan` or `report`.
        what: &'static str,
        /// What it says.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// It contradicts itself.
    #[error("the {what} is wrong: {why}")]
    Shape {
        /// `plan` or `report`.
        what: &'static str,
        /// How.
        why: String,
    },
    /// A text that names no shard.
    #[error("`{text}` is no shard")]
    NoShard {
        /// The text.
        text: String,
    },
    /// The plan is for another number of machines.
    #[error("the plan has {planned} shards, and this is one of {asked}")]
    OtherCount {
        /// What the plan has.
        planned: usize,
        /// What was asked for.
        asked: u32,
    },
    /// Images that nobody reported.
    #[error("the set is not complete: {}", missing(shards))]
    Incomplete {
        /// The shards that left no report, each with its images.
        shards: Vec<(u32, Vec<(TemplateName, Arch)>)>,
    },
    /// A report that is not of this plan, or not of what its shard had to build.
    #[error("the report of shard {shard} is not of what was planned: {why}")]
    Foreign {
        /// The shard.
        shard: u32,
        /// What differs.
        why: String,
    },
}

impl FarmError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Version { found, known, .. } if found > known => {
                "a newer dmc wrote it: use the same dmc on all machines of a farm".to_owned()
            }
            Self::NoShard { .. } => {
                "shards are counted from 0: --shard 0/4 to --shard 3/4".to_owned()
            }
            Self::OtherCount { planned, .. } => format!(
                "run as many shards as were planned (--shard I/{planned}), or plan again: \
                 dmc farm plan --shards N"
            ),
            Self::Incomplete { .. } => {
                "let these shards run, again where they failed, and finish after that".to_owned()
            }
            Self::TooLong { .. }
            | Self::Text { .. }
            | Self::Version { .. }
            | Self::Shape { .. }
            | Self::Foreign { .. } => "plan again: dmc farm plan --shards N".to_owned(),
        }
    }
}

/// Most images that a message names.
const TOLD: usize = 20;

fn missing(shards: &[(u32, Vec<(TemplateName, Arch)>)]) -> String {
    let images: Vec<String> = shards
        .iter()
        .flat_map(|(_, images)| images)
        .map(|(template, arch)| format!("{template} on {arch}"))
        .collect();
    let numbers: Vec<String> = shards.iter().map(|(shard, _)| shard.to_string()).collect();
    let more = match images.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let images = images.get(..TOLD.min(images.len())).unwrap_or_default().join(", ");
    format!("no report of shard {} ({images}{more})", numbers.join(", "))
}
