//! The program as its users meet it: words, exit codes, what goes where.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::type_complexity,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "these are tests: they stop at the first surprise, and their tables hold what they need"
)]

mod auditing;
mod building;
mod care;
mod deploying;
mod diff;
mod farming;
mod interrupted;
mod keys;
mod listing;
mod locking;
mod machine;
mod messages;
mod nightly;
mod promoting;
mod pushing;
mod same;
mod stage;
mod testing;
mod time;
mod upgrading;
