//! An image to a Kubernetes cluster, with no more rights than it needs.
//!
//! [`App`] is what is to run: an image by its digest, the template's `[deploy]` and what its image
//! says. [`App::objects`] makes typed objects of it, which [`yaml`] prints; nothing in that looks
//! at a cluster or the machine. [`Cluster`] applies them (server-side apply, field manager
//! [`MANAGER`], conflicts are never forced), waits for the rollout, and deletes again exactly what
//! it applied: the members of an [`ApplySet`] (Kubernetes' KEP-3659), each by its UID.
//!
//! Pods keep the whole "restricted" profile of the Pod Security Standards and a read-only root
//! besides; [`restricted_pod`] and [`restricted_container`] are that profile for other objects.

mod app;
mod cluster;
mod error;
pub mod farm;
mod objects;
mod set;
mod yaml;

pub use app::App;
pub use cluster::{Applied, Change, Cluster, ClusterOptions, Deleted, rollout};
pub use error::DeployError;
pub use objects::{Kind, Object, restricted_container, restricted_pod};
pub use set::ApplySet;
pub use yaml::yaml;

/// Who dmc is to a cluster: the manager of the fields that it sets.
pub const MANAGER: &str = "dmc";
