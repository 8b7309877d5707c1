//! The compiled index: a file that is searched where it lies.
//!
//! All numbers are little-endian. A header of 56 bytes: `dmcindex`, version (u32), CRC-32 of all
//! that follows the heap (u32), lengths of the heap and of the names (u64), numbers of records and
//! of provisions (u64), length of the file (u64). Then the heap, the records, the provisions, the
//! names.
//!
//! A record is where its name ends among the names, then heap offset, length and CRC-32 of a
//! [`RowText`] in postcard form (u32 each); records are sorted by package name, equal names in the
//! index's order. A provision is where its name ends and the number of its record (u32 each),
//! sorted by name. Names follow each other in the order of both tables.
//!
//! What a search looks at is checked when the file is opened, a row when it is read.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::FileExt;

pub(super) const MAGIC: &[u8; 8] = b"dmcindex";
/// Raised whenever the meaning of its bytes changes.
pub(crate) const VERSION: u32 = 3;
pub(super) const HEADER: usize = 56;
/// Length of a record's entry.
pub(super) const RECORD: usize = 16;
/// Length of a provision's entry.
pub(super) const PROVISION: usize = 8;

/// The fields of one stanza that dmc needs, as they stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowText<'a> {
    pub(super) version: &'a str,
    pub(super) source: &'a str,
    pub(super) source_version: &'a str,
    pub(super) arch: &'a str,
    pub(super) pre_depends: &'a str,
    pub(super) depends: &'a str,
    pub(super) provides: &'a str,
    pub(super) conflicts: &'a str,
    pub(super) breaks: &'a str,
    pub(super) multi_arch: &'a str,
    pub(super) priority: &'a str,
    pub(super) essential: bool,
    pub(super) filename: &'a str,
    pub(super) size: u64,
    pub(super) installed_size: Option<u64>,
    pub(super) sha256: Option<[u8; 32]>,
    /// 128 lower-case digits, or nothing.
    pub(super) sha512: &'a [u8],
}

/// The header's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tables_crc: u32,
    pub(super) heap: u64,
    pub(super) names: u64,
    pub(super) records: u64,
    pub(super) provisions: u64,
}

impl Header {
    pub(super) fn file_length(&self) -> Option<u64> {
        let records = self.records.checked_mul(RECORD as u64)?;
        let provisions = self.provisions.checked_mul(PROVISION as u64)?;
        let parts = [self.heap, records, provisions, self.names];
        parts.into_iter().try_fold(HEADER as u64, u64::checked_add)
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.tables_crc.to_le_bytes());
        let length = self.file_length().unwrap_or(0);
        let numbers = [self.heap, self.names, self.records, self.provisions, length];
        for (place, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads a header of this very version whose length is the file's.
    pub(super) fn parse(file: &[u8]) -> Option<Self> {
        let header = file.get(..HEADER)?;
        let number = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        let found = Self {
            tables_crc: word(header, 12)?,
            heap: number(16)?,
            names: number(24)?,
            records: number(32)?,
            provisions: number(40)?,
        };
        let whole = found.file_length()? == file.len() as u64;
        (whole && found.to_bytes() == *header).then_some(found)
    }
}

/// Whether a file is a compiled index, but not of the version that is read here.
pub(super) fn is_of_another_version(file: &File) -> bool {
    let mut head = [0; 12];
    let read = file.read_exact_at(&mut head, 0).is_ok();
    read && head.starts_with(MAGIC) && word(&head, 8) != Some(VERSION)
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn crc(parts: &[&[u8]]) -> u32 {
    let mut crc = libdeflater::Crc::new();
    for part in parts {
        crc.update(part);
    }
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_and_must_fit_the_file() {
        let header = Header { tables_crc: 7, heap: 10, names: 5, records: 2, provisions: 1 };
        let mut file = header.to_bytes().to_vec();
        file.resize(HEADER + 10 + 2 * RECORD + PROVISION + 5, 0);
        assert_eq!(Header::parse(&file), Some(header));
        file.push(0);
        assert_eq!(Header::parse(&file), None);
        let huge = Header { heap: u64::MAX, ..header };
        assert_eq!(Header::parse(&huge.to_bytes()), None);
    }
}
