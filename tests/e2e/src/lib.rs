//! What the end-to-end tests stand on: the program itself, and the world around it.
//!
//! - [`Workplace`] runs the release build of `dmc` in a folder, home and store of its own;
//!   [`nginx`] is one image that tests may share, [`image`] any other.
//! - [`Layout`] and [`Tree`] read what came out, by other means than the program's.
//! - [`Browser`] is Chromium without a screen.
//! - [`Engine`] is podman or a dockerd of its own, [`LazyPodman`] a younger podman that fetches
//!   parts of layers, [`Registry`] a registry on loopback, [`Foreign`] any program of another
//!   Debian release.
//!
//! A tool that is missing stops a test with the name of its Debian package: nothing is skipped.
//! Every wait is bounded, and a process that was started here is ended here, by its number.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::return_self_not_must_use,
    clippy::unwrap_used,
    reason = "the kit runs in tests only, where stopping at the first surprise is right"
)]

mod binfmt;
mod browser;
mod container;
mod dmc;
mod engine;
mod foreign;
mod http;
mod layout;
mod lazy;
mod process;
mod registry;
mod tree;
mod unpack;

pub use binfmt::Arm64;
pub use browser::Browser;
pub use container::{Container, confined};
pub use dmc::{Built, Workplace, image, nginx, program, target};
pub use engine::Engine;
pub use foreign::Foreign;
pub use http::{Page, free_port, get};
pub use layout::Layout;
pub use lazy::LazyPodman;
pub use process::{Background, Done, need_root, run, tool};
pub use registry::{Answer, Registry};
pub use tree::{Item, Tree};
pub use unpack::{host, libraries, unpack, unpack_layer};
