//! The compiled index: a file that is searched where it lies.
//!
//! All numbers are little-endian. A header of 48 bytes: `dmcindex`, version (u32), CRC-32 of both
//! tables (u32), length of the heap (u64), number of records (u64), number of provisions (u64),
//! length of the file (u64). Then the heap, the records, the provisions.
//!
//! A record's table entry is heap offset, length and CRC-32 of a [`RowText`] in postcard form
//! (u32 each), sorted by package name, equal names in the index's order. A provision's entry is
//! heap offset and length of the provided name and the number of the record (u32 each), sorted by
//! name. The tables' checksum is checked when the file is opened, a record's when it is read.

use serde::{Deserialize, Serialize};

pub(super) const MAGIC: &[u8; 8] = b"dmcindex";
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER: usize = 48;
pub(super) const ENTRY: usize = 12;

/// The fields of one stanza that dmc needs, as they stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowText<'a> {
    // First: the search reads nothing else.
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) source: &'a str,
    pub(super) source_version: &'a str,
    pub(super) arch: &'a str,
    pub(super) pre_depends: &'a str,
    pub(super) depends: &'a str,
    pub(super) provides: &'a str,
    pub(super) filename: &'a str,
    pub(super) size: u64,
    pub(super) installed_size: Option<u64>,
    /// 64 lower-case digits, or none.
    pub(super) sha256: Option<[u8; 32]>,
    /// 64 bytes, or none.
    pub(super) sha512: &'a [u8],
}

/// The header's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tables_crc: u32,
    pub(super) heap: u64,
    pub(super) records: u64,
    pub(super) provisions: u64,
}

impl Header {
    pub(super) fn file_length(&self) -> Option<u64> {
        let entries = self.records.checked_add(self.provisions)?;
        let tables = entries.checked_mul(ENTRY as u64)?;
        self.heap.checked_add(tables)?.checked_add(HEADER as u64)
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.tables_crc.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.heap.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.records.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.provisions.to_le_bytes());
        bytes[40..].copy_from_slice(&self.file_length().unwrap_or(0).to_le_bytes());
        bytes
    }

    /// Reads a header of this very version whose length is the file's.
    pub(super) fn parse(file: &[u8]) -> Option<Self> {
        let header = file.get(..HEADER)?;
        let number = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        let found = Self {
            tables_crc: word(header, 12)?,
            heap: number(16)?,
            records: number(24)?,
            provisions: number(32)?,
        };
        let whole = found.file_length()? == file.len() as u64;
        (whole && found.to_bytes() == *header).then_some(found)
    }
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn entry(words: [u32; 3]) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
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
        let header = Header { tables_crc: 7, heap: 10, records: 2, provisions: 1 };
        let mut file = header.to_bytes().to_vec();
        file.resize(HEADER + 10 + 3 * ENTRY, 0);
        assert_eq!(Header::parse(&file), Some(header));
        file.push(0);
        assert_eq!(Header::parse(&file), None);
        let huge = Header { heap: u64::MAX, ..header };
        assert_eq!(Header::parse(&huge.to_bytes()), None);
    }
}
