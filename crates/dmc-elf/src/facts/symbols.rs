//! Dynamic symbols: what a file imports and exports.
//!
//! The dynamic section says where the symbol table begins but not how long it is. The section
//! header `SHT_DYNSYM` says so in nearly every file. Without one: `DT_HASH` counts all symbols;
//! in `DT_GNU_HASH` the last chain ends with the last symbol; and a linker that had nothing to hash
//! writes a dummy there, so the highest symbol that a relocation names decides.

use super::ElfError;
use super::elf::value;
use super::image::{Image, Names, at_most};
use super::versions::Versions;
use dmc_types::{Exports, Import, NeededVersion};
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ,
    DT_SYMTAB, Dyn,
};
use goblin::elf::header::EM_S390;
use goblin::elf::reloc::RelocSection;
use goblin::elf::section_header::{SHN_UNDEF, SHT_DYNSYM, SectionHeader};
use goblin::elf::sym::{
    STB_GLOBAL, STB_WEAK, STT_FILE, STT_SECTION, STV_DEFAULT, STV_PROTECTED, Sym, Symtab,
};

const WHAT: &str = "its dynamic symbol table";
/// C++ has names of some kilobytes.
const LONGEST_SYMBOL: usize = 64 * 1024;
/// All names together. Symbols may share one long string, so the file's size is no bound.
const MOST_SYMBOL_BYTES: u64 = 16 * 1024 * 1024;

/// What a file's dynamic symbols say.
pub(super) struct Symbols {
    /// Undefined ones, sorted by name, each name once.
    pub(super) imports: Vec<Import>,
    /// Those that others can bind to.
    pub(super) exports: Exports,
}

/// Reads the dynamic symbol table. A file without one has no symbols.
pub(super) fn read(
    image: &Image,
    entries: &[Dyn],
    names: Names,
    versions: &Versions,
) -> Result<Symbols, ElfError> {
    let Some(address) = value(entries, DT_SYMTAB) else {
        return Ok(Symbols { imports: Vec::new(), exports: Exports::default() });
    };
    let offset = image.offset_of(WHAT, address)?;
    let count = count(image, entries, offset)?;
    let size = count.saturating_mul(Sym::size(image.ctx.container) as u64);
    image.slice(WHAT, offset, size)?;
    let bad = |_| ElfError::Outside { what: WHAT, offset, size, end: image.bytes.len() as u64 };
    let at = usize::try_from(offset).unwrap_or(usize::MAX);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let table = Symtab::parse(image.bytes, at, count, image.ctx).map_err(bad)?;
    let (mut imports, mut exports, mut total) = (Vec::new(), Vec::new(), 0);
    for (index, symbol) in table.iter().enumerate() {
        let undefined = symbol.st_shndx == SHN_UNDEF as usize;
        if !undefined && !is_exported(&symbol) {
            continue;
        }
        let name = names.get("a dynamic symbol", symbol.st_name as u64, LONGEST_SYMBOL)?;
        total += name.len() as u64;
        at_most("bytes of symbol names", total, MOST_SYMBOL_BYTES)?;
        // Symbols in other letters than UTF-8 have no Debian package; nothing could ask for them.
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if name.is_empty() {
        } else if undefined {
            imports.push(import(name, versions.needed(index), symbol.st_bind() == STB_WEAK));
        } else {
            exports.push((name, versions.defined(index)));
        }
    }
    imports.sort_unstable();
    // A strong reference counts, should there be two of one name.
    imports.dedup_by(|next, first| {
        let twice = next.name == first.name;
        first.weak &= !twice || next.weak;
        twice
    });
    Ok(Symbols { imports, exports: Exports::new(exports) })
}

fn import(name: &str, needed: Option<&NeededVersion>, weak: bool) -> Import {
    Import {
        name: name.to_owned(),
        version: needed.map(|needed| needed.version.clone()),
        library: needed.map(|needed| needed.library.clone()),
        weak,
    }
}

/// Whether the loader binds references of other files to this definition.
fn is_exported(symbol: &Sym) -> bool {
    const GNU_UNIQUE: u8 = 10;
    matches!(symbol.st_bind(), STB_GLOBAL | STB_WEAK | GNU_UNIQUE)
        && matches!(symbol.st_visibility(), STV_DEFAULT | STV_PROTECTED)
        && !matches!(symbol.st_type(), STT_SECTION | STT_FILE)
}

fn count(image: &Image, entries: &[Dyn], table: u64) -> Result<u64, ElfError> {
    if let Some(count) = counted_by_section(image, table) {
        return Ok(count);
    }
    if let Some(address) = value(entries, DT_HASH) {
        return counted_by_hash(image, address);
    }
    if let Some(address) = value(entries, DT_GNU_HASH)
        && let Some(count) = counted_by_gnu_hash(image, address)?
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

/// One more than the last hashed symbol, whose chain is that of the highest bucket; none where the
/// table hashes nothing.
fn counted_by_gnu_hash(image: &Image, address: u64) -> Result<Option<u64>, ElfError> {
    const WHAT: &str = "its GNU hash table";
    let offset = image.offset_of(WHAT, address)?;
    let word = |at: u64| image.word(WHAT, offset.saturating_add(at)).map(u64::from);
    let (buckets, first, bloom) = (word(0)?, word(4)?, word(8)?);
    let start = 16 + bloom * if image.is_64() { 8 } else { 4 };
    image.slice(WHAT, offset.saturating_add(start), buckets * 4)?;
    let mut last = 0;
    for bucket in 0..buckets {
        last = last.max(word(start + bucket * 4)?);
    }
    let Some(mut hashed) = last.checked_sub(first).filter(|_| last > 0) else { return Ok(None) };
    // The chain ends at a hash with its lowest bit set, or with the file.
    while word(start + buckets * 4 + hashed * 4)? & 1 == 0 {
        hashed += 1;
    }
    Ok(Some(first + hashed + 1))
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
