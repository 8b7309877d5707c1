//! What tests of other crates need to play the outside world.
//!
//! - [`ElfBuilder`] writes tiny programs and libraries for any architecture.
//! - [`DebBuilder`] writes binary packages, honest or hostile.
//! - [`SigningKey`] and [`clear_sign`] make keys and `InRelease` signatures.
//!
//! Everything is deterministic but the keys. A crate uses it as a dev-dependency
//! (`dmc-testkit = { workspace = true }`):
//!
//! ```
//! use dmc_testkit::{DebBuilder, ElfBuilder};
//! use dmc_types::Arch;
//!
//! let nginx = ElfBuilder::program(Arch::Amd64).needs("libc.so.6").build();
//! let deb = DebBuilder::new("nginx", "1.26.3-3", "amd64")
//!     .field("Depends", "libc6 (>= 2.34), nginx-common")
//!     .executable("/usr/sbin/nginx", &nginx);
//! let bytes = deb.build();
//! assert!(bytes.starts_with(b"!<arch>\n"));
//! ```

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "the kit runs in tests only, where stopping at the first surprise is right"
)]

mod deb;
mod elf;
mod key;

pub use deb::{Compression, DebBuilder, Member, MemberKind};
pub use elf::{ElfBuilder, HashStyle, NO_DEFAULT_LIB, loader};
pub use key::{KEY_CREATED, SigningKey, clear_sign, clear_sign_sha1};

use dmc_types::UnixTime;

/// The time that everything here has unless told otherwise: 2025-09-01T12:00:00Z.
pub const EPOCH: UnixTime = 1_756_728_000;
