//! Undefined dynamic symbols: what a file imports.
//!
//! The dynamic section says where the symbol table begins but not how long it is. The section
//! header `SHT_DYNSYM` says so in nearly every file. Without one: `DT_HASH` counts all symbols;
//! in `DT_GNU_HASH` the undefined ones come before the first hashed one; and a linker that had
//! nothing to hash writes a dummy there, so the highest symbol that a relocation names decides.

use super::ElfError;
use super::elf::value;
use super::image::{Image, Names, at_most};
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ,
    DT_SYMTAB, Dyn,
};
use goblin::elf::header::EM_S390;
use goblin::elf::reloc::RelocSection;
use goblin::elf::section_header::{SHN_UNDEF, SHT_DYNSYM, SectionHeader};
use goblin::elf::sym::{Sym, Symtab};

const WHAT: &str = "its dynamic symbol table";
/// C++ has names of some kilobytes.
const LONGEST_SYMBOL: usize = 64 * 1024;
/// All names together. Symbols may share one long string, so the file's size is no bound.
const MOST_SYMBOL_BYTES: u64 = 16 * 1024 * 1024;

/// Names of undefined dynamic symbols, sorted, each once.
pub(super) fn undefined(
    image: &Image,
    entries: &[Dyn],
    names: Names,
) -> Result<Vec<String>, ElfError> {
    let Some(address) = value(entries, DT_SYMTAB) else {
        return Ok(Vec::new());
    };
    let offset = image.offset_of(WHAT, address)?;
    let count = count(image, entries, offset)?;
    let size = count.saturating_mul(Sym::size(image.ctx.container) as u64);
    image.slice(WHAT, offset, size)?;
    let bad = |_| ElfError::Outside { what: WHAT, offset, size, end: image.bytes.len() as u64 };
    let at = usize::try_from(offset).unwrap_or(usize::MAX);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let table = Symtab::parse(image.bytes, at, count, image.ctx).map_err(bad)?;
    let mut found: Vec<&[u8]> = Vec::new();
    let mut total = 0;
    for symbol in table.iter().filter(|symbol| symbol.st_shndx == SHN_UNDEF as usize) {
        let name = names.get("a dynamic symbol", symbol.st_name as u64, LONGEST_SYMBOL)?;
        total += name.len() as u64;
        at_most("bytes of symbol names", total, MOST_SYMBOL_BYTES)?;
        if !name.is_empty() {
            found.push(name);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

fn count(image: &Image, entries: &[Dyn], table: u64) -> Result<u64, ElfError> {
    if let Some(count) = counted_by_section(image, table) {
        return Ok(count);
    }
    if let Some(address) = value(entries, DT_HASH) {
        return counted_by_hash(image, address);
    }
    if let Some(address) = value(entries, DT_GNU_HASH)
        && let Some(count) = before_gnu_hashed(image, address)?
    {
        return Ok(count);
    }
    counted_by_relocations(image, entries)
}

/// Section headers may be missing, cut off or made up; they count only where they agree with the
/// dynamic section.
fn counted_by_section(image: &Image, table: u64) -> Option<u64> {
    let (offset, count) = (image.header.e_shoff, image.header.e_shnum);
    let headers =
        SectionHeader::parse(image.bytes, usize::try_from(offset).ok()?, count.into(), image.ctx)
            .ok()?;
    let section = headers
        .iter()
        .find(|section| section.sh_type == SHT_DYNSYM && section.sh_offset == table)?;
    image.slice(WHAT, table, section.sh_size).ok()?;
    Some(section.sh_size / Sym::size(image.ctx.container) as u64)
}

/// `nchain` of the System V hash table. 64-bit S/390 alone has 64-bit numbers there.
fn counted_by_hash(image: &Image, address: u64) -> Result<u64, ElfError> {
    const WHAT: &str = "its hash table";
    let offset = image.offset_of(WHAT, address)?;
    let wide = image.header.e_machine == EM_S390 && image.is_64();
    // The low half of a big-endian 64-bit number stands last.
    let nchain = offset.saturating_add(if wide { 12 } else { 4 });
    image.word(WHAT, nchain).map(u64::from)
}

/// The first hashed symbol's index; none where the table hashes nothing.
fn before_gnu_hashed(image: &Image, address: u64) -> Result<Option<u64>, ElfError> {
    const WHAT: &str = "its GNU hash table";
    let offset = image.offset_of(WHAT, address)?;
    let word = |at: u64| image.word(WHAT, offset.saturating_add(at)).map(u64::from);
    let (buckets, first, bloom) = (word(0)?, word(4)?, word(8)?);
    let start = 16 + bloom * if image.is_64() { 8 } else { 4 };
    image.slice(WHAT, offset.saturating_add(start), buckets * 4)?;
    for bucket in 0..buckets {
        if word(start + bucket * 4)? != 0 {
            return Ok(Some(first));
        }
    }
    Ok(None)
}

fn counted_by_relocations(image: &Image, entries: &[Dyn]) -> Result<u64, ElfError> {
    const WHAT: &str = "its relocations";
    let procedure_linkage_is_rela = value(entries, DT_PLTREL) == Some(DT_RELA);
    let mut count = 0;
    for (tag, size_tag, is_rela) in [
        (DT_RELA, DT_RELASZ, true),
        (DT_REL, DT_RELSZ, false),
        (DT_JMPREL, DT_PLTRELSZ, procedure_linkage_is_rela),
    ] {
        let (Some(address), Some(size)) = (value(entries, tag), value(entries, size_tag)) else {
            continue;
        };
        if size == 0 {
            continue;
        }
        let bytes = image.slice(WHAT, image.offset_of(WHAT, address)?, size)?;
        let relocations = RelocSection::parse(bytes, 0, bytes.len(), is_rela, image.ctx)
            .map_err(|error| ElfError::Header { why: error.to_string() })?;
        count = relocations.iter().map(|one| one.r_sym as u64 + 1).fold(count, u64::max);
    }
    Ok(count)
}
