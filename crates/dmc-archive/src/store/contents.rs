//! The files of one package, one after the other in one file of the store.

use super::StoreError;
use camino::Utf8PathBuf;
use dmc_types::FileFacts;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes that are passed on at a time: they stay in the processor's cache.
const PART: usize = 64 << 10;

/// The decoded regular files of one package, in the order of its entries.
#[derive(Debug)]
pub struct Contents {
    file: File,
    length: u64,
    path: Utf8PathBuf,
}

impl Contents {
    pub(super) fn new(file: File, path: Utf8PathBuf) -> Result<Self, StoreError> {
        match file.metadata() {
            Ok(data) => Ok(Self { length: data.len(), file, path }),
            Err(source) => Err(StoreError::io("read", &path, source)),
        }
    }

    /// How long they are, all together, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Replaces what is in `into` by one file's bytes. Their digest is not checked here: whoever
    /// writes them into an image hashes them anyway, and calls
    /// [`Archive::repair_contents`](crate::Archive::repair_contents) where it is wrong.
    pub fn read(&self, facts: &FileFacts, into: &mut Vec<u8>) -> Result<(), StoreError> {
        into.clear();
        self.append(facts.offset, facts.size, into)
    }

    /// The same for `size` bytes from `offset` on, after what is in `into`.
    pub fn append(&self, offset: u64, size: u64, into: &mut Vec<u8>) -> Result<(), StoreError> {
        self.has(offset, size)?;
        let start = into.len();
        into.resize(start.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)), 0);
        self.file
            .read_exact_at(&mut into[start..], offset)
            .map_err(|source| StoreError::io("read", &self.path, source))
    }

    /// The same, passed on in parts.
    pub fn pass(
        &self,
        offset: u64,
        size: u64,
        to: &mut dyn FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        self.has(offset, size)?;
        in_parts(&self.file, offset..offset + size, to)
            .map_err(|source| StoreError::io("read", &self.path, source))
    }

    fn has(&self, offset: u64, size: u64) -> Result<(), StoreError> {
        match offset.checked_add(size) {
            Some(end) if end <= self.length => Ok(()),
            _ => Err(StoreError::Damaged { path: self.path.clone(), why: "it is too short" }),
        }
    }
}

/// Passes a range of a file on.
pub(super) fn in_parts(
    file: &File,
    range: Range<u64>,
    to: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let left = |at: u64| usize::try_from(range.end.saturating_sub(at)).unwrap_or(PART).min(PART);
    let (mut at, mut part) = (range.start, vec![0; left(range.start)]);
    while at < range.end {
        let part = &mut part[..left(at)];
        file.read_exact_at(part, at)?;
        to(part);
        at += part.len() as u64;
    }
    Ok(())
}
