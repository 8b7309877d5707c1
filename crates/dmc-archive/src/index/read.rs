//! A compiled index, searched where it lies.

use super::IndexError;
use super::format::{self, ENTRY, HEADER, Header, RowText};
use super::map::map;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_types::{Checksum, Sha256};
use memmap2::Mmap;
use std::fs::File;
use std::ops::Range;

/// A compiled index. It may be shared by threads.
#[derive(Debug)]
pub struct PackageIndex {
    map: Mmap,
    path: Utf8PathBuf,
    header: Header,
}

/// One package of an index, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// `Package`.
    pub name: &'a str,
    /// `Version`.
    pub version: &'a str,
    /// The source package's name.
    pub source: &'a str,
    /// The source package's version.
    pub source_version: &'a str,
    /// `Architecture`.
    pub arch: &'a str,
    /// `Pre-Depends`, as written.
    pub pre_depends: &'a str,
    /// `Depends`, as written.
    pub depends: &'a str,
    /// `Provides`, as written.
    pub provides: &'a str,
    /// `Filename`: below the archive's base address.
    pub filename: &'a str,
    /// `Size` of the .deb in bytes.
    pub size: u64,
    /// `Installed-Size` in KiB.
    pub installed_size: Option<u64>,
    /// `SHA256`, else `SHA512`.
    pub checksum: Checksum,
}

enum Table {
    Records,
    Provisions,
}

impl PackageIndex {
    /// Maps a compiled index and checks its frame and its tables.
    pub(super) fn open(file: &File, path: &Utf8Path) -> Result<Self, IndexError> {
        let damaged = |why| IndexError::Damaged { path: path.to_owned(), why };
        let map = map(file).map_err(|_cause| damaged("it cannot be mapped"))?;
        let header = Header::parse(&map).ok_or_else(|| damaged("its header is wrong"))?;
        let index = Self { map, path: path.to_owned(), header };
        let tables = index.tables_start().and_then(|start| index.map.get(start..));
        if tables.map(|bytes| format::crc(&[bytes])) != Some(header.tables_crc) {
            return Err(damaged("its tables are wrong"));
        }
        Ok(index)
    }

    /// How many packages it holds.
    pub fn len(&self) -> usize {
        usize::try_from(self.header.records).unwrap_or(usize::MAX)
    }

    /// Whether it holds none, as those of quiet pockets.
    pub fn is_empty(&self) -> bool {
        self.header.records == 0
    }

    /// All packages of this name, in the order of the index.
    pub fn packages(&self, name: &str) -> Result<Vec<Row<'_>>, IndexError> {
        self.equal(&Table::Records, name)?.map(|at| self.row(at)).collect()
    }

    /// All packages whose `Provides` names this, whatever the version.
    pub fn providers(&self, name: &str) -> Result<Vec<Row<'_>>, IndexError> {
        let found = self.equal(&Table::Provisions, name)?;
        found.map(|at| self.row(self.words(&Table::Provisions, at)?[2] as usize)).collect()
    }

    /// The names of all packages, sorted.
    pub fn names(&self) -> impl Iterator<Item = Result<&str, IndexError>> {
        (0..self.len()).map(|at| self.name(&Table::Records, at))
    }

    /// The entries whose name is this one.
    fn equal(&self, table: &Table, name: &str) -> Result<Range<usize>, IndexError> {
        let start = self.first(table, |other| other < name)?;
        let end = self.first(table, |other| other <= name)?;
        Ok(start..end.max(start))
    }

    /// The first entry that is not before.
    fn first(&self, table: &Table, before: impl Fn(&str) -> bool) -> Result<usize, IndexError> {
        let (mut low, mut high) = (0, self.count(table));
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.name(table, middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn count(&self, table: &Table) -> usize {
        let count = match table {
            Table::Records => self.header.records,
            Table::Provisions => self.header.provisions,
        };
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    fn tables_start(&self) -> Option<usize> {
        usize::try_from(self.header.heap).ok()?.checked_add(HEADER)
    }

    fn words(&self, table: &Table, at: usize) -> Result<[u32; 3], IndexError> {
        let read = || {
            let before = match table {
                Table::Records => 0,
                Table::Provisions => self.len(),
            };
            let place = before.checked_add(at)?.checked_mul(ENTRY)?;
            let place = place.checked_add(self.tables_start()?)?;
            let [a, b, c] = [0, 4, 8].map(|skip| format::word(&self.map, place + skip));
            Some([a?, b?, c?])
        };
        read().ok_or_else(|| self.damaged("an entry is missing"))
    }

    fn heap(&self, offset: u32, length: u32) -> Result<&[u8], IndexError> {
        let read = || {
            let start = usize::try_from(offset).ok()?.checked_add(HEADER)?;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            (end <= self.tables_start()?).then(|| self.map.get(start..end))?
        };
        read().ok_or_else(|| self.damaged("an entry leads out of it"))
    }

    fn name(&self, table: &Table, at: usize) -> Result<&str, IndexError> {
        let [offset, length, _] = self.words(table, at)?;
        let bytes = self.heap(offset, length)?;
        let name = match table {
            Table::Records => postcard::take_from_bytes(bytes).map(|(name, _rest)| name).ok(),
            Table::Provisions => std::str::from_utf8(bytes).ok(),
        };
        name.ok_or_else(|| self.damaged("a name cannot be read"))
    }

    fn row(&self, at: usize) -> Result<Row<'_>, IndexError> {
        let [offset, length, crc] = self.words(&Table::Records, at)?;
        let bytes = self.heap(offset, length)?;
        if format::crc(&[bytes]) != crc {
            return Err(self.damaged("an entry's checksum is wrong"));
        }
        let text: Option<RowText<'_>> = postcard::from_bytes(bytes).ok();
        text.and_then(row).ok_or_else(|| self.damaged("an entry cannot be read"))
    }

    fn damaged(&self, why: &'static str) -> IndexError {
        IndexError::Damaged { path: self.path.clone(), why }
    }
}

fn row(text: RowText<'_>) -> Option<Row<'_>> {
    let checksum = match text.sha256 {
        Some(digest) => Checksum::Sha256(Sha256::from_bytes(digest)),
        None => Checksum::Sha512(std::str::from_utf8(text.sha512).ok()?.parse().ok()?),
    };
    Some(Row {
        name: text.name,
        version: text.version,
        source: if text.source.is_empty() { text.name } else { text.source },
        source_version: match text.source_version {
            "" => text.version,
            version => version,
        },
        arch: text.arch,
        pre_depends: text.pre_depends,
        depends: text.depends,
        provides: text.provides,
        filename: text.filename,
        size: text.size,
        installed_size: text.installed_size,
        checksum,
    })
}
