//! A compiled index, searched where it lies.
//!
//! Its tables are mapped into memory. What they lead to is read from the file entry by entry: the
//! entries of one package's dependencies lie all over it, and the kernel maps a file in strides.

use super::IndexError;
use super::format::{self, HEADER, Header, PROVISION, RECORD, RowText};
use super::map::{give_back, map};
use camino::{Utf8Path, Utf8PathBuf};
use dmc_types::{Checksum, Sha256};
use memmap2::{Mmap, MmapMut};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// A compiled index. It may be shared by threads.
#[derive(Debug)]
pub struct PackageIndex {
    map: Mmap,
    /// None where it is in memory alone.
    file: Option<File>,
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
    /// `Conflicts`, as written.
    pub conflicts: &'a str,
    /// `Breaks`, as written.
    pub breaks: &'a str,
    /// `Multi-Arch`.
    pub multi_arch: &'a str,
    /// `Priority`.
    pub priority: &'a str,
    /// `Essential: yes`.
    pub essential: bool,
    /// `Filename`: below the archive's base address.
    pub filename: &'a str,
    /// `Size` of the .deb in bytes.
    pub size: u64,
    /// `Installed-Size` in KiB.
    pub installed_size: Option<u64>,
    /// `SHA256`, else `SHA512`.
    pub checksum: Checksum,
}

#[derive(Debug, Clone, Copy)]
enum Table {
    Records,
    Provisions,
}

impl PackageIndex {
    /// Maps a compiled index and checks its frame and its tables.
    pub(crate) fn open(file: &File, path: &Utf8Path) -> Result<Self, IndexError> {
        let damaged = |why| IndexError::Damaged { path: path.to_owned(), why };
        let map = map(file).map_err(|_cause| damaged("it cannot be mapped"))?;
        let index = Self { file: file.try_clone().ok(), ..Self::checked(map, path.to_owned())? };
        // From here on it takes memory for what is looked up.
        index.give_back();
        Ok(index)
    }

    /// An index that is no file; `path` is what messages call it.
    pub(super) fn in_memory(bytes: &[u8], path: Utf8PathBuf) -> Result<Self, IndexError> {
        let mapped = MmapMut::map_anon(bytes.len()).and_then(|mut map| {
            map.copy_from_slice(bytes);
            map.make_read_only()
        });
        match mapped {
            Ok(map) => Self::checked(map, path),
            Err(_no_memory) => Err(IndexError::Damaged { path, why: "there is no memory for it" }),
        }
    }

    fn checked(map: Mmap, path: Utf8PathBuf) -> Result<Self, IndexError> {
        let damaged = |why| IndexError::Damaged { path: path.clone(), why };
        let header = Header::parse(&map).ok_or_else(|| damaged("its header is wrong"))?;
        let index = Self { map, file: None, path, header };
        let tables = index.start_of(Table::Records).and_then(|start| index.map.get(start..));
        if tables.map(|bytes| format::crc(&[bytes])) != Some(header.tables_crc) {
            return Err(index.damaged("its tables are wrong"));
        }
        Ok(index)
    }

    /// Gives back the memory that lookups took.
    pub(super) fn give_back(&self) {
        // What is in memory alone would be lost.
        if self.file.is_some() {
            give_back(&self.map);
        }
    }

    /// How many packages it holds.
    pub fn len(&self) -> usize {
        usize::try_from(self.header.records).unwrap_or(usize::MAX)
    }

    /// Whether it holds none, as those of quiet pockets.
    pub fn is_empty(&self) -> bool {
        self.header.records == 0
    }

    /// What `each` makes of all packages of this name, in the order of the index.
    pub fn packages<T>(
        &self,
        name: &str,
        each: impl Fn(Row<'_>) -> T,
    ) -> Result<Vec<T>, IndexError> {
        self.equal(Table::Records, name)?.map(|at| self.with_row(at, &each)).collect()
    }

    /// What `each` makes of all packages whose `Provides` names this, whatever the version.
    pub fn providers<T>(
        &self,
        name: &str,
        each: impl Fn(Row<'_>) -> T,
    ) -> Result<Vec<T>, IndexError> {
        let record = |at| Some(self.word(Table::Provisions, at, 1)? as usize);
        let found = self.equal(Table::Provisions, name)?;
        let rows = found.map(|at| record(at).ok_or_else(|| self.missing()));
        rows.map(|at| self.with_row(at?, &each)).collect()
    }

    /// The names of essential packages, sorted. Every row is read.
    pub fn essential(&self) -> Result<Vec<&str>, IndexError> {
        let rows = (0..self.len()).map(|at| self.mapped_row(at));
        let named = rows.map(|row| row.map(|row| row.essential.then_some(row.name)));
        named.filter_map(Result::transpose).collect()
    }

    /// The names of all packages, sorted.
    pub fn names(&self) -> impl Iterator<Item = Result<&str, IndexError>> {
        (0..self.len()).map(|at| self.name(Table::Records, at))
    }

    /// Reads every entry, which a search does only for those that it looks at.
    pub(crate) fn check(&self) -> Result<(), IndexError> {
        for at in 0..self.len() {
            self.mapped_row(at)?;
        }
        for at in 0..self.count(Table::Provisions) {
            self.name(Table::Provisions, at)?;
        }
        Ok(())
    }

    /// The entries whose name is this one.
    fn equal(&self, table: Table, name: &str) -> Result<Range<usize>, IndexError> {
        let start = self.first(table, |other| other < name)?;
        let end = self.first(table, |other| other <= name)?;
        Ok(start..end.max(start))
    }

    /// The first entry that is not before.
    fn first(&self, table: Table, before: impl Fn(&str) -> bool) -> Result<usize, IndexError> {
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

    fn count(&self, table: Table) -> usize {
        let count = match table {
            Table::Records => self.header.records,
            Table::Provisions => self.header.provisions,
        };
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    fn start_of(&self, table: Table) -> Option<usize> {
        let records = usize::try_from(self.header.heap).ok()?.checked_add(HEADER)?;
        match table {
            Table::Records => Some(records),
            Table::Provisions => self.len().checked_mul(RECORD)?.checked_add(records),
        }
    }

    /// One word of an entry.
    fn word(&self, table: Table, at: usize, word: usize) -> Option<u32> {
        let size = match table {
            Table::Records => RECORD,
            Table::Provisions => PROVISION,
        };
        let place = at.checked_mul(size)?.checked_add(self.start_of(table)?)?;
        (at < self.count(table)).then(|| format::word(&self.map, place.checked_add(4 * word)?))?
    }

    /// The names are one text: each begins where the one before it ends.
    fn name(&self, table: Table, at: usize) -> Result<&str, IndexError> {
        let read = || {
            let end = self.word(table, at, 0)?;
            let start = match (table, at.checked_sub(1)) {
                (_, Some(before)) => self.word(table, before, 0)?,
                (Table::Records, None) => 0,
                (Table::Provisions, None) => match self.len().checked_sub(1) {
                    Some(last) => self.word(Table::Records, last, 0)?,
                    None => 0,
                },
            };
            let names = self.map.len().checked_sub(usize::try_from(self.header.names).ok()?)?;
            let bytes = self.map.get(names..)?.get(start as usize..end as usize)?;
            std::str::from_utf8(bytes).ok()
        };
        read().ok_or_else(|| self.missing())
    }

    /// What `each` makes of a row, which is read from the file.
    fn with_row<T>(&self, at: usize, each: &impl Fn(Row<'_>) -> T) -> Result<T, IndexError> {
        let Some(file) = &self.file else { return self.mapped_row(at).map(each) };
        let (place, crc) = self.place(at)?;
        let mut bytes = vec![0; place.len()];
        file.read_exact_at(&mut bytes, place.start as u64)
            .map_err(|_cause| self.damaged("an entry cannot be read"))?;
        self.row(at, &bytes, crc).map(each)
    }

    fn mapped_row(&self, at: usize) -> Result<Row<'_>, IndexError> {
        let (place, crc) = self.place(at)?;
        let bytes = self.map.get(place).ok_or_else(|| self.missing())?;
        self.row(at, bytes, crc)
    }

    /// Where a row lies, and its checksum.
    fn place(&self, at: usize) -> Result<(Range<usize>, u32), IndexError> {
        let read = || {
            let [offset, length, crc] = [1, 2, 3].map(|word| self.word(Table::Records, at, word));
            let start = usize::try_from(offset?).ok()?.checked_add(HEADER)?;
            let end = start.checked_add(usize::try_from(length?).ok()?)?;
            (end <= self.start_of(Table::Records)?).then_some((start..end, crc?))
        };
        read().ok_or_else(|| self.missing())
    }

    fn row<'b>(&'b self, at: usize, bytes: &'b [u8], crc: u32) -> Result<Row<'b>, IndexError> {
        if format::crc(&[bytes]) != crc {
            return Err(self.damaged("an entry's checksum is wrong"));
        }
        let text: Option<RowText<'_>> = postcard::from_bytes(bytes).ok();
        let name = self.name(Table::Records, at)?;
        let row = text.and_then(|text| row(name, &text));
        row.ok_or_else(|| self.damaged("an entry cannot be read"))
    }

    fn missing(&self) -> IndexError {
        self.damaged("an entry leads out of it")
    }

    fn damaged(&self, why: &'static str) -> IndexError {
        IndexError::Damaged { path: self.path.clone(), why }
    }
}

fn row<'a>(name: &'a str, text: &RowText<'a>) -> Option<Row<'a>> {
    let checksum = match text.sha256 {
        Some(digest) => Checksum::Sha256(Sha256::from_bytes(digest)),
        None => Checksum::Sha512(std::str::from_utf8(text.sha512).ok()?.parse().ok()?),
    };
    Some(Row {
        name,
        version: text.version,
        source: if text.source.is_empty() { name } else { text.source },
        source_version: match text.source_version {
            "" => text.version,
            version => version,
        },
        arch: text.arch,
        pre_depends: text.pre_depends,
        depends: text.depends,
        provides: text.provides,
        conflicts: text.conflicts,
        breaks: text.breaks,
        multi_arch: text.multi_arch,
        priority: text.priority,
        essential: text.essential,
        filename: text.filename,
        size: text.size,
        installed_size: text.installed_size,
        checksum,
    })
}

#[cfg(test)]
mod tests {
    use super::super::compile::compile;
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn index(text: &str) -> Vec<u8> {
        let mut out = std::io::Cursor::new(Vec::new());
        compile(text.as_bytes(), &mut out).unwrap();
        out.into_inner()
    }

    fn open(bytes: &[u8]) -> Result<PackageIndex, IndexError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        PackageIndex::open(&file, Utf8Path::new("index"))
    }

    fn stanza(name: &str, version: &str) -> String {
        let digest = "ab".repeat(32);
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nProvides: virtual, v-{name} (= 1)\n\
             Filename: pool/{name}.deb\nSize: 5\nSHA256: {digest}\n\n"
        )
    }

    #[test]
    fn packages_are_found_in_an_index_that_is_not_sorted() {
        let text = [("zsh", "2"), ("bash", "1"), ("zsh", "1"), ("dash", "0.5")];
        let text: String = text.iter().map(|(name, version)| stanza(name, version)).collect();
        let index = open(&index(&text)).unwrap();
        assert_eq!(index.len(), 4);
        let versions =
            |name| -> Vec<String> { index.packages(name, |row| row.version.to_owned()).unwrap() };
        assert_eq!(versions("zsh"), ["2", "1"]);
        assert_eq!(versions("bash"), ["1"]);
        for absent in ["", "aaa", "bas", "bashh", "zzz"] {
            assert!(versions(absent).is_empty(), "{absent}");
        }
        assert_eq!(index.providers("virtual", |_| ()).unwrap().len(), 4);
        assert_eq!(index.providers("v-dash", |row| row.name == "dash").unwrap(), [true]);
        let is_right =
            |row: Row<'_>| (row.source, row.source_version, row.size) == ("dash", "0.5", 5);
        assert_eq!(index.packages("dash", is_right).unwrap(), [true]);
    }

    #[test]
    fn an_empty_index_is_an_index() {
        let index = open(&index("")).unwrap();
        assert!(index.is_empty() && index.packages("x", |_| ()).unwrap().is_empty());
    }

    #[test]
    fn every_damage_is_noticed() {
        let text: String = ["one", "two", "three"].map(|name| stanza(name, "1")).concat();
        let whole = index(&text);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x20;
            let Ok(index) = open(&damaged) else { continue };
            // What is damaged is refused, and the rest is right.
            let read = ["one", "two", "three"].map(|name| index.packages(name, |_| ()));
            assert!(read.iter().any(Result::is_err), "byte {at} of {}", whole.len());
            assert!(index.providers("virtual", |_| ()).is_err(), "byte {at} of {}", whole.len());
            assert!(read.iter().flatten().all(|rows| rows.len() == 1), "byte {at}");
        }
        for length in 0..whole.len() {
            assert!(open(&whole[..length]).is_err(), "cut to {length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), records in 0_u64..9) {
            // A header that fits, so that the rest is looked at too.
            let tables = RECORD as u64 * records;
            let heap = (bytes.len() as u64).saturating_sub(tables);
            let split = usize::try_from(heap).unwrap();
            let tables_crc = format::crc(&[&bytes[split..]]);
            let names = 0;
            let header = Header { tables_crc, heap, names, records, provisions: 0 };
            let mut file = header.to_bytes().to_vec();
            file.extend(&bytes);
            if let Ok(index) = open(&file) {
                let _ = index.packages("a", |_| ());
                let _ = index.providers("a", |_| ());
                prop_assert!(index.names().count() == index.len());
            }
            let mut out = std::io::Cursor::new(Vec::new());
            prop_assert!(compile(&bytes[..], &mut out).is_ok());
        }

        #[test]
        fn whatever_is_compiled_is_found(names in prop::collection::btree_set("[a-z][a-z0-9+.-]{1,12}", 0..40)) {
            let text: String = names.iter().rev().map(|name| stanza(name, "1")).collect();
            let index = open(&index(&text)).unwrap();
            for name in &names {
                prop_assert_eq!(index.packages(name, |_| ()).unwrap().len(), 1);
            }
            let sorted: Vec<_> = index.names().map(|name| name.unwrap().to_owned()).collect();
            prop_assert!(sorted.into_iter().eq(names));
        }
    }
}
