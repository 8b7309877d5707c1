//! The whole program against the machine's Debian archive, real tools and real engines.
//!
//! `scripts/test` runs these; what they need is said by the test that misses it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod archive;
mod auditing;
mod bases;
mod browser;
mod cluster;
mod contents;
mod engines;
mod farm;
mod images;
mod large;
mod lazy;
mod listing;
mod mariadb;
mod own;
mod php;
mod promoting;
mod pushing;
mod reproducible;
mod rules;
mod sbom;
mod signing;
mod small;
mod suites;
mod system;
mod targets;
mod testing;
mod tools;
mod verify;
