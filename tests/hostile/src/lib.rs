//! Every reader of foreign bytes as one function that a fuzzer can call.
//!
//! A target takes any bytes, reads them as the program would, and asserts what the reader promises:
//! an order that is one, paths that stay below, sizes within their bounds. It fails by a panic and
//! by nothing else. Its seeds are made by the test kit; inputs that once failed lie in
//! `findings/TARGET/`. The test `replay` runs both, `scripts/fuzz` runs the targets under
//! libFuzzer (`tests/fuzz`), and the program of this crate writes the seeds into a folder.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target tells what it found by a panic"
)]

mod copyright;
mod elf;
mod farm;
mod package;
mod pdiff;
mod release;
mod scripts;
mod settings;
mod signed;
mod text;
mod tracker;

pub use copyright::copyright;
pub use elf::{dlopen, elf};
pub use farm::farm;
pub use package::{ar, deb, tar};
pub use pdiff::pdiff;
pub use release::release;
pub use scripts::scripts;
pub use settings::{conf, lock, template};
pub use signed::signed;
pub use text::{deb822, relations, versions};
pub use tracker::tracker;

/// One reader.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is its function's.
    pub name: &'static str,
    /// Reads the bytes and checks what was promised.
    pub run: fn(&[u8]),
    /// What a fuzzer begins with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 18] = [
    Target { name: "deb822", run: deb822, seeds: text::deb822_seeds },
    Target { name: "release", run: release, seeds: release::seeds },
    Target { name: "relations", run: relations, seeds: text::relations_seeds },
    Target { name: "versions", run: versions, seeds: text::versions_seeds },
    Target { name: "ar", run: ar, seeds: package::ar_seeds },
    Target { name: "tar", run: tar, seeds: package::tar_seeds },
    Target { name: "deb", run: deb, seeds: package::deb_seeds },
    Target { name: "elf", run: elf, seeds: elf::seeds },
    Target { name: "dlopen", run: dlopen, seeds: elf::dlopen_seeds },
    Target { name: "template", run: template, seeds: settings::template_seeds },
    Target { name: "lock", run: lock, seeds: settings::lock_seeds },
    Target { name: "pdiff", run: pdiff, seeds: pdiff::seeds },
    Target { name: "conf", run: conf, seeds: settings::conf_seeds },
    Target { name: "scripts", run: scripts, seeds: scripts::seeds },
    Target { name: "tracker", run: tracker, seeds: tracker::seeds },
    Target { name: "copyright", run: copyright, seeds: copyright::seeds },
    Target { name: "farm", run: farm, seeds: farm::seeds },
    Target { name: "signed", run: signed, seeds: signed::seeds },
];
