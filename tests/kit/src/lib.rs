//! What tests of other crates need to play the outside world.
//!
//! - [`ElfBuilder`] writes tiny programs and libraries for any architecture.
//! - [`DebBuilder`] writes binary packages, honest or hostile.
//! - [`SigningKey`] and [`clear_sign`] make keys and `InRelease` signatures.
//! - [`FakeSuite`] and [`FakeArchive`] make a signed repository, [`Server`] serves it on loopback
//!   and misbehaves on demand; [`Proxy`] and [`TlsFront`] stand before it.
//! - [`FakeRegistry`] takes images and misbehaves on demand.
//! - [`FakeTracker`] makes up the data of a security tracker.
//! - [`FakeCluster`] is a Kubernetes API server, strict and obstinate.
//! - [`disk`] and [`clock`] make a program's disk full or its clock wrong.
//! - [`fixtures`] holds a small Debian in which nginx can be built.
//!
//! Everything is deterministic but the keys. A crate uses it as a dev-dependency
//! (`dmc-testkit = { workspace = true }`):
//!
//! ```
//! use dmc_testkit::{DebBuilder, ElfBuilder, FakeArchive, FakeSuite, Fault, Server, SigningKey};
//! use dmc_types::Arch;
//!
//! let nginx = ElfBuilder::program(Arch::Amd64).needs("libc.so.6").build();
//! let deb = DebBuilder::new("nginx", "1.26.3-3", "amd64")
//!     .field("Depends", "libc6 (>= 2.34), nginx-common")
//!     .executable("/usr/sbin/nginx", &nginx);
//!
//! let key = SigningKey::with_subkey("Archive <archive@example.org>");
//! let mut archive = FakeArchive::of(&[FakeSuite::new("trixie").signed_by(&key).deb(deb)]);
//! archive.edit("dists/trixie/main/binary-amd64/Packages.xz", |bytes| bytes.truncate(10));
//!
//! let server = Server::start(&archive);
//! server.fault("dists/trixie/InRelease", 2, Fault::status(503));
//! // … point the program at server.url(), with key.public_binary() as its keyring …
//! assert_eq!(server.count("dists/trixie/InRelease"), 0);
//! ```

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "the kit runs in tests only, where stopping at the first surprise is right"
)]

mod archive;
pub mod clock;
mod cluster;
mod deb;
pub mod disk;
mod elf;
pub mod fixtures;
mod front;
mod key;
mod registry;
mod server;
mod tracker;

pub use archive::{FakeArchive, FakeSuite, Hashes};
pub use cluster::FakeCluster;
pub use deb::{Compression, DebBuilder, Member, MemberKind};
pub use elf::{ElfBuilder, HashStyle, NO_DEFAULT_LIB, loader};
pub use front::{AUTHORITY, Identity, Proxy, TlsFront};
pub use key::{KEY_CREATED, SigningKey, clear_sign, clear_sign_sha1};
pub use registry::{
    Door, FakeRegistry, RegistryFault, RegistryKind, RegistryRequest, registry_error,
};
pub use server::{Fault, Request, Server};
pub use tracker::{FakeTracker, SAMPLE as TRACKER_SAMPLE};

use dmc_types::UnixTime;
use sha2::{Digest as _, Sha256};

/// The time that everything here has unless told otherwise: 2025-09-01T12:00:00Z.
pub const EPOCH: UnixTime = 1_756_728_000;

/// The SHA-256 of these bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
