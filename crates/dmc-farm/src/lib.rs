//! How many machines share a build: the plan, and what each of them reports.
//!
//! A [`FarmPlan`] names a lock by its digest and says which images each shard builds
//! ([`shards`]); a machine that knows the plan's digest and its own number ([`Shard`]) needs to
//! know nothing else. Each leaves a [`Report`], and [`complete`] says whether the reports together
//! are all that was planned: no less, no more, and nothing twice.
//!
//! As the lock fixes every package and template, it does not matter when, where, how often and in
//! which order the shards are built: the images are those of one machine that builds them all.
//! The crate touches neither disk nor network; texts are JSON and may come from anybody.

mod balance;
mod error;
mod plan;
mod report;
mod shard;

pub use balance::{Cost, shards};
pub use error::FarmError;
pub use plan::{FarmPlan, PlannedImage};
pub use report::{Built, Report, complete};
pub use shard::Shard;
