//! The crate against an archive that signs, on a mirror that misbehaves.

mod indices;
mod packages;
mod releases;
mod stage;
mod store;
mod transport;
