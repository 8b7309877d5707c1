//! The whole way from a signed archive to an image, without the command line.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::type_complexity,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "these are tests: they stop at the first surprise, and their tables hold what they need"
)]

mod audit;
mod care;
mod damage;
mod edges;
mod extensions;
mod farm;
mod forms;
mod golden;
mod layer;
mod locked;
mod pushing;
mod refused;
mod same;
mod sbom;
mod scanners;
mod signing;
mod small;
mod stage;
mod system;
mod targets;
mod update;
mod verify;
mod work;
