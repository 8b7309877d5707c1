//! Images and what is attached to them, to and from a registry.
//!
//! Speaks the OCI distribution protocol 1.1. Bytes go out as they were hashed, and what comes in
//! is checked against the digest by which it was asked for. Credentials are given to the host
//! that they are for, and to the https token service that it names, and to nobody else.
//!
//! A [`Registry`] is one run's client for all hosts. It sends nothing that is there already, goes
//! on where a connection broke, and leaves a registry alone that asks for patience. In which order
//! blobs, manifests and tags go is the caller's business.

mod blobs;
mod challenge;
mod client;
mod credentials;
mod error;
mod guard;
mod manifests;
mod name;
mod options;
mod pace;
mod progress;
mod referrers;
mod said;

pub use blobs::{Placed, Source};
pub use client::{Registry, Traffic};
pub use credentials::{CredentialError, Credentials};
pub use error::{Cause, RegistryError, Said};
pub use name::{Host, Place, Reference, Repository, Tag};
pub use options::{HostOptions, Options};
pub use progress::{Progress, Quiet, TransferId};
