//! Symbol versions: `.gnu.version`, `.gnu.version_r` and `.gnu.version_d` by their tags in the
//! dynamic section (Linux Standard Base, "Symbol Versioning").
//!
//! Numbers in the first name a version of either of the others; 0 and 1 name none, and the highest
//! bit hides a definition from references without a version.

use super::ElfError;
use super::elf::value;
use super::image::{Image, Names, at_most, text};
use dmc_types::NeededVersion;
use goblin::elf::dynamic::{DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM, Dyn};
use std::collections::BTreeMap;

/// glibc defines some 60 versions; Qt's libraries the most, about 200.
const MOST_VERSIONS: u64 = 4096;
const LONGEST_VERSION: usize = 255;
const FLAG_BASE: u16 = 1;
const FLAG_WEAK: u16 = 2;
const HIDDEN: u16 = 0x8000;

/// A file's symbol versions.
pub(super) struct Versions<'a> {
    /// The table of numbers by symbol, and how to read them.
    table: &'a [u8],
    is_little_endian: bool,
    needed: BTreeMap<u16, usize>,
    defined: BTreeMap<u16, usize>,
    needed_list: Vec<NeededVersion>,
    defined_list: Vec<String>,
}

impl<'a> Versions<'a> {
    /// Reads the tables; a file without them has no versions.
    pub(super) fn read(image: &Image<'a>, entries: &[Dyn], names: Names) -> Result<Self, ElfError> {
        let table = match value(entries, DT_VERSYM) {
            Some(address) => {
                const WHAT: &str = "its table of symbol versions";
                let offset = image.offset_of(WHAT, address)?;
                image.slice(WHAT, offset, (image.bytes.len() as u64).saturating_sub(offset))?
            }
            None => &[],
        };
        let mut versions = Self {
            table,
            is_little_endian: image.ctx.is_little_endian(),
            needed: BTreeMap::new(),
            defined: BTreeMap::new(),
            needed_list: Vec::new(),
            defined_list: Vec::new(),
        };
        versions.read_needed(image, entries, names)?;
        versions.read_defined(image, entries, names)?;
        Ok(versions)
    }

    fn read_needed(
        &mut self,
        image: &Image,
        entries: &[Dyn],
        names: Names,
    ) -> Result<(), ElfError> {
        const WHAT: &str = "its needed versions";
        let (Some(address), Some(count)) =
            (value(entries, DT_VERNEED), value(entries, DT_VERNEEDNUM))
        else {
            return Ok(());
        };
        at_most("libraries with versions", count, MOST_VERSIONS)?;
        let mut record = image.offset_of(WHAT, address)?;
        for _ in 0..count {
            let library = name(names, image.word(WHAT, record.saturating_add(4))?)?;
            let mut aux = record.saturating_add(image.word(WHAT, record.saturating_add(8))?.into());
            for _ in 0..image.half(WHAT, record.saturating_add(2))? {
                let flags = image.half(WHAT, aux.saturating_add(4))?;
                let number = image.half(WHAT, aux.saturating_add(6))?;
                let version = name(names, image.word(WHAT, aux.saturating_add(8))?)?;
                self.needed.insert(number & !HIDDEN, self.needed_list.len());
                let weak = flags & FLAG_WEAK != 0;
                self.needed_list.push(NeededVersion { library: library.clone(), version, weak });
                at_most("needed versions", self.needed_list.len() as u64, MOST_VERSIONS)?;
                let next = image.word(WHAT, aux.saturating_add(12))?;
                aux = aux.saturating_add(next.into());
            }
            record = record.saturating_add(image.word(WHAT, record.saturating_add(12))?.into());
        }
        Ok(())
    }

    fn read_defined(
        &mut self,
        image: &Image,
        entries: &[Dyn],
        names: Names,
    ) -> Result<(), ElfError> {
        const WHAT: &str = "its defined versions";
        let (Some(address), Some(count)) =
            (value(entries, DT_VERDEF), value(entries, DT_VERDEFNUM))
        else {
            return Ok(());
        };
        at_most("defined versions", count, MOST_VERSIONS)?;
        let mut record = image.offset_of(WHAT, address)?;
        for _ in 0..count {
            let flags = image.half(WHAT, record.saturating_add(2))?;
            let number = image.half(WHAT, record.saturating_add(4))?;
            // The first name is the version's own, further ones are its parents'.
            let aux = record.saturating_add(image.word(WHAT, record.saturating_add(12))?.into());
            if flags & FLAG_BASE == 0 {
                self.defined.insert(number & !HIDDEN, self.defined_list.len());
                self.defined_list.push(name(names, image.word(WHAT, aux)?)?);
            }
            record = record.saturating_add(image.word(WHAT, record.saturating_add(16))?.into());
        }
        Ok(())
    }

    fn number(&self, symbol: usize) -> Option<u16> {
        let at = symbol.checked_mul(2)?;
        let bytes = self.table.get(at..at.checked_add(2)?)?;
        let bytes = [bytes[0], bytes[1]];
        let number = if self.is_little_endian {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        };
        Some(number & !HIDDEN)
    }

    /// The version that the undefined symbol of this index must have.
    pub(super) fn needed(&self, symbol: usize) -> Option<&NeededVersion> {
        self.needed_list.get(*self.needed.get(&self.number(symbol)?)?)
    }

    /// The version of the defined symbol of this index.
    pub(super) fn defined(&self, symbol: usize) -> Option<&str> {
        self.defined_list.get(*self.defined.get(&self.number(symbol)?)?).map(String::as_str)
    }

    /// Needed and defined versions, in the file's order.
    pub(super) fn into_lists(self) -> (Vec<NeededVersion>, Vec<String>) {
        (self.needed_list, self.defined_list)
    }
}

fn name(names: Names, offset: u32) -> Result<String, ElfError> {
    const WHAT: &str = "a version";
    text(WHAT, names.get(WHAT, offset.into(), LONGEST_VERSION)?)
}
