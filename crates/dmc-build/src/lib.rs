//! From request to image: the only place that knows the order of the rooms.
//!
//! A [`Plan`] numbers the tasks of a request; [`run`](run()) does them in a [`Workshop`], which
//! joins settings, archive and layout. One image goes the whole way here: a template becomes the
//! start of a walk, the walk's needs become packages, the closure becomes a tree, the tree a
//! layer, and all architectures an index.
//!
//! What enters an image is its template, the rules, the packages and the settings that name them.
//! No date of a release, no clock, host name, folder or repository state does: an unchanged
//! package gives an unchanged digest, on every machine.

mod assemble;
pub mod audit;
mod care;
mod changes;
mod config;
mod contents;
mod deploy;
mod diff;
mod error;
mod extensions;
mod farm;
mod guess;
mod image;
mod inputs;
mod known;
mod load;
mod lock;
mod lookups;
mod naming;
mod plan;
mod promote;
mod push;
mod record;
mod resolve;
mod run;
mod sbom;
mod settings;
mod signing;
mod small;
mod start;
mod test;
mod verify;
mod why;
mod workshop;
mod worktree;

pub use assemble::AssembleError;
pub use care::{Amount, Checkup, Cleaned, Cure, Finding, Gone};
pub use changes::{Change, Outdated, Standing, State};
pub use deploy::{DeployOptions, Deployed, Undeployed};
pub use diff::{
    ChangelogEntry, Compared, Difference, Held, NoChangelog, Pair, SourceChange, Totals,
};
pub use dmc_deploy::farm as farm_objects;
pub use dmc_deploy::{Cluster, ClusterOptions};
pub use dmc_farm::Shard;
pub use dmc_sbom::Kind as DocumentKind;
pub use dmc_sign::Zeroizing;
pub use error::BuildError;
pub use extensions::{ExtensionCost, ExtensionCosts};
pub use farm::{
    Delivered, FarmFailure, Finished, KnownPlan, PlanRef, Planned, ShardJob, farm_repository,
};
pub use image::{Form, ImageSummary};
pub use inputs::{Input, OUTPUT, template_digest};
pub use load::Engine;
pub use lock::{Drift, LockFailure, LockUpdate, LockedImages, floors, read_lock};
pub use plan::{Activity, NoTask, Plan, Selection, Step};
pub use promote::{How, Live, Past, PromoteError, Promoted, Restarted};
pub use push::{Blobs, PushError, Pushed};
pub use record::{FileRecord, ImageRecord, PackageRecord};
pub use run::{Extras, Outcome, ReleaseLine, Tool, Watch, run};
pub use sbom::{Described, LicenceReport, PackageLicence};
pub use settings::{Settings, Variant};
pub use signing::{
    CheckedImage, CheckedRepository, NewKeys, Passwords, Signed, Signers, SigningError, keygen,
};
pub use test::{TestMark, TestResult};
pub use why::{Why, why};
pub use workshop::{Named, Reach, Workshop};
