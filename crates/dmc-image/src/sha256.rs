//! SHA-256 into the digest type that passes between the rooms.

use dmc_types::Sha256;
use sha2::Digest as _;
use std::io::{self, Write};

/// The digest of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256::from_bytes(sha2::Sha256::digest(bytes).into())
}

/// The digest of what a hasher has taken in.
pub(crate) fn finish(hasher: sha2::Sha256) -> Sha256 {
    Sha256::from_bytes(hasher.finalize().into())
}

/// Passes bytes on and keeps their digest and number.
pub(crate) struct Digesting<W> {
    inner: W,
    hasher: sha2::Sha256,
    size: u64,
}

impl<W: Write> Digesting<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hasher: sha2::Sha256::new(), size: 0 }
    }

    /// Digest and number of the bytes that were passed on.
    pub(crate) fn finish(self) -> (Sha256, u64) {
        let (_, digest, size) = self.into_parts();
        (digest, size)
    }

    /// The same, and whatever they were passed to.
    pub(crate) fn into_parts(self) -> (W, Sha256, u64) {
        (self.inner, finish(self.hasher), self.size)
    }
}

impl Digesting<io::Sink> {
    /// Takes bytes in.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.size += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
