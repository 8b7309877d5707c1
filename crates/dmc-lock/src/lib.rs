//! The text of `dmc.lock` to checked values and back.
//!
//! A [`Lock`] says of each template and architecture which packages its image is made of, with
//! everything that is needed to fetch and to check them without an archive's index: version, size
//! and digest of each .deb and its path below the archive; the releases that vouched for them, by
//! whom these were signed; digests of the rules and templates that they were chosen by. One file
//! holds all templates and architectures. Its text is canonical: equal locks are equal bytes, and a
//! package's new version changes one line.
//!
//! The crate reads, writes and compares; it opens no file. Any bytes may be given to
//! [`Lock::parse`]: a lock that comes out is whole, each name in it leads to what it names. The
//! format is TOML 1.0 (<https://toml.io/en/v1.0.0>), laid out in docs/lock.md.

mod change;
mod error;
mod lock;
mod names;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use change::{Change, Difference};
pub use error::LockError;
pub use lock::{Lock, LockedPackage, LockedRelease, LockedTemplate, Role};
pub use names::{ArchiveName, Fingerprint, PackageKey, PoolPath, SuiteKey, TextError, VersionText};
