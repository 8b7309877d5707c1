//! Bad days: mirrors that fail, runs that are killed, full disks, wrong clocks. Each fault meets the
//! real program and the archive of the kit; afterwards a plain run ends at the right digest.
//! `docs/faults.md` has the table of what was tried and what happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "these are tests: they stop at the first surprise, and say how often they tried"
)]

mod clock;
mod disk;
mod killed;
mod mirror;
mod road;
mod scene;
mod shared;
#[path = "../cli/stage.rs"]
#[expect(dead_code, reason = "the scene of the other tests, of which these need a part")]
mod stage;
