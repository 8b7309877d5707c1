//! Objects that carry their own digest: `dmc` and a letter for the kind, the format's version
//! (u32, little-endian), the payload's length (u64) and SHA-256, the payload. Large ones that are
//! checked in another way, too, carry its CRC-32 and zeros instead: that costs a tenth.

use super::contents::in_parts;
use super::{Shelf, Store, StoreError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};

/// What a sealed object holds; the version is raised whenever the meaning of its bytes changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) shelf: Shelf,
    pub(super) letter: u8,
    pub(super) version: u32,
    summed: bool,
}

impl Kind {
    pub(super) const fn new(shelf: Shelf, letter: u8, version: u32) -> Self {
        Self { shelf, letter, version, summed: false }
    }

    /// The same with a CRC-32 for a digest.
    pub(super) const fn summed(self) -> Self {
        Self { summed: true, ..self }
    }

    fn digest(self, payload: &[u8]) -> [u8; 32] {
        if !self.summed {
            return Sha256::digest(payload).into();
        }
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&libdeflater::crc32(payload).to_le_bytes());
        digest
    }
}

/// What was found where an object should be.
pub(super) enum Sealed {
    Absent,
    OtherFormat,
    Damaged(&'static str),
    Payload(Vec<u8>),
}

/// What an object holds, as it lies in the store.
#[derive(Debug)]
pub struct Payload {
    file: File,
    length: u64,
}

impl Payload {
    /// Its length in bytes, as the object says.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Passes it on in parts. An error where there is less of it.
    pub fn pass(&self, to: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let start = HEADER as u64;
        in_parts(&self.file, start..start.saturating_add(self.length), to)
    }
}

const HEADER: usize = 4 + 4 + 8 + 32;

/// Most memory that is set aside on the word of a file's length alone.
const LARGEST_RESERVED: usize = 64 << 20;

fn header(kind: Kind, payload: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..3].copy_from_slice(b"dmc");
    header[3] = kind.letter;
    header[4..8].copy_from_slice(&kind.version.to_le_bytes());
    header[8..16].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    header[16..].copy_from_slice(&kind.digest(payload));
    header
}

impl Store {
    pub(super) fn seal(&self, kind: Kind, name: &str, payload: &[u8]) -> Result<(), StoreError> {
        self.write(kind.shelf, name, &[&header(kind, payload), payload])
    }

    /// The payload; none where the object is absent, of another format, or damaged (it is removed).
    pub(super) fn unseal(&self, kind: Kind, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.read_sealed(kind, name)? {
            Sealed::Payload(payload) => return Ok(Some(payload)),
            Sealed::Absent => {}
            Sealed::OtherFormat => {
                let path = self.path(kind.shelf, name);
                tracing::debug!(%path, "an object of another format is made again");
            }
            Sealed::Damaged(why) => self.discard(kind.shelf, name, why),
        }
        Ok(None)
    }

    /// An object whose payload the caller checks; none where it is absent or of another format.
    pub(super) fn open_sealed(
        &self,
        kind: Kind,
        name: &str,
    ) -> Result<Option<Payload>, StoreError> {
        let Some(mut file) = self.open_file(kind.shelf, name)? else { return Ok(None) };
        let mut found = [0; HEADER];
        let is_ours = file.read_exact(&mut found).is_ok() && found[..8] == header(kind, &[])[..8];
        let length = u64::from_le_bytes(std::array::from_fn(|at| found[8 + at]));
        Ok(is_ours.then_some(Payload { file, length }))
    }

    /// The object as it is; nothing is removed.
    pub(super) fn read_sealed(&self, kind: Kind, name: &str) -> Result<Sealed, StoreError> {
        let Some(mut file) = self.open_file(kind.shelf, name)? else {
            return Ok(Sealed::Absent);
        };
        let path = self.path(kind.shelf, name);
        let read = |source| StoreError::io("read", &path, source);
        let length = file.metadata().map_err(read)?.len();
        let mut found = [0; HEADER];
        if length < HEADER as u64 {
            return Ok(Sealed::Damaged("it is too short"));
        }
        file.read_exact(&mut found).map_err(read)?;
        if found[..8] != header(kind, &[])[..8] {
            return Ok(Sealed::OtherFormat);
        }
        let size = usize::try_from(length).unwrap_or(0).min(LARGEST_RESERVED);
        let mut payload = Vec::with_capacity(size);
        file.read_to_end(&mut payload).map_err(read)?;
        if found == header(kind, &payload) {
            return Ok(Sealed::Payload(payload));
        }
        Ok(Sealed::Damaged("its digest is wrong"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty;
    use super::*;
    use std::fs;

    const KIND: Kind = Kind::new(Shelf::Pieces, b'P', 1);

    #[test]
    fn what_was_sealed_comes_back() {
        let (_dir, store) = empty();
        for payload in [Vec::new(), b"x".to_vec(), vec![7; 100_000]] {
            store.seal(KIND, "key", &payload).unwrap();
            assert_eq!(store.unseal(KIND, "key").unwrap().unwrap(), payload);
        }
    }

    #[test]
    fn every_damage_is_noticed_and_removed() {
        let (_dir, store) = empty();
        for kind in [KIND, KIND.summed()] {
            let path = store.path(kind.shelf, "key");
            store.seal(kind, "key", b"payload").unwrap();
            let whole = fs::read(&path).unwrap();
            assert!(store.unseal(kind, "key").unwrap().is_some());
            for at in 8..whole.len() {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x10;
                fs::write(&path, damaged).unwrap();
                assert!(store.unseal(kind, "key").unwrap().is_none(), "byte {at}");
                assert!(!path.exists(), "byte {at}: still there");
            }
            for length in 0..whole.len() {
                fs::write(&path, &whole[..length]).unwrap();
                assert!(store.unseal(kind, "key").unwrap().is_none(), "cut to {length}");
            }
        }
    }

    #[test]
    fn another_format_is_as_good_as_nothing() {
        let (_dir, store) = empty();
        store.seal(KIND, "key", b"payload").unwrap();
        let newer = Kind { version: 2, ..KIND };
        assert!(store.unseal(newer, "key").unwrap().is_none());
        assert!(store.unseal(KIND, "key").unwrap().is_some());
    }
}
