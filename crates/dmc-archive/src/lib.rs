//! Verified reads from mirrors of a Debian archive, and the store that keeps what was read.
//!
//! [`Archive`] is the face: it finds out which mirrors to read ([`mirror`]), fetches and verifies
//! the `InRelease` of every pocket ([`release`]), fetches and compiles the package indices
//! ([`index`]), fetches packages and decodes each once ([`package`]). Bytes travel by
//! [`transport`] and rest in the [`store`].
//!
//! Nothing is parsed or decompressed before its size and digest are right, and every digest comes
//! down from a signature that was checked. What the packages mean is left to others: this crate
//! picks no packages, writes no image, prints nothing and ends no program. Its futures run on the
//! caller's tokio runtime, which may have one thread; work for the processor goes to rayon.

mod archive;
mod contents;
mod error;
pub mod index;
mod memory;
pub mod mirror;
pub mod package;
mod progress;
pub mod release;
mod spec;
pub mod store;
pub mod transport;

pub use archive::{Archive, KeyInUse, LockedDeb, Origin, Signs, StoredFile, Unsigned};
pub use error::ArchiveError;
pub use index::{Candidate, Packages};
pub use memory::Memory;
pub use progress::{DownloadId, Progress, Quiet};
pub use release::AcceptedRelease;
pub use reqwest::Url;
pub use spec::{
    ArchiveSpec, Floor, Keyrings, Role, ShippedKeyring, SiteSpec, ThirdPartySpec, VendorSpec,
};
pub use store::{Contents, Payload, Store};
pub use transport::{Transport, TransportOptions};
