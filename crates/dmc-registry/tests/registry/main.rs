//! The client against a registry that misbehaves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod blobs;
mod doors;
mod failures;
mod manifests;
mod referrers;
mod stage;
