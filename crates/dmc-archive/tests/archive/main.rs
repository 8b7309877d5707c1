//! The crate against an archive that signs, on a mirror that misbehaves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::type_complexity,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "these are tests: they stop at the first surprise, and their tables hold what they need"
)]

mod indices;
mod nearby;
mod packages;
mod past;
mod patches;
mod releases;
mod stage;
mod store;
mod transport;
mod unsigned;
