//! The dynamic section and what it points to: strings, symbols, hash table, relocations.

use super::layout::{Piece, SHT_DYNAMIC, SHT_STRTAB, Words};
use super::{ElfBuilder, HashStyle};
use dmc_types::Arch;

const SHT_RELA: u32 = 4;
const SHT_HASH: u32 = 5;
const SHT_DYNSYM: u32 = 11;
const SHT_GNU_HASH: u32 = 0x6fff_fff6;
const PT_DYNAMIC: u32 = 2;

const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_RELAENT: u64 = 9;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_FLAGS_1: u64 = 0x6fff_fffb;

/// A string table being filled; a text's offset is found again by the order of adding.
pub(super) struct Strings(pub(super) Vec<u8>);

impl Strings {
    pub(super) fn new() -> Self {
        Self(vec![0])
    }

    pub(super) fn add(&mut self, text: &str) -> u64 {
        let at = self.0.len() as u64;
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        at
    }
}

/// Every piece, the dynamic section itself as zeros of the right length.
pub(super) fn pieces(elf: &ElfBuilder, words: Words) -> Vec<Piece> {
    let (symbols, strings, _) = tables(elf, words);
    let symbol_size = if words.wide { 24 } else { 16 };
    let hash = match elf.hash {
        HashStyle::Gnu => Piece::new(".gnu.hash", SHT_GNU_HASH, gnu_hash(elf, words)),
        HashStyle::SystemV => {
            // 64-bit S/390 alone has 64-bit numbers there.
            let width = if elf.arch == Arch::S390x { 8 } else { 4 };
            Piece::new(".hash", SHT_HASH, system_v_hash(elf, words, width)).entry(width)
        }
    };
    let mut pieces = vec![
        hash.link(".dynsym"),
        Piece::new(".dynsym", SHT_DYNSYM, symbols).link(".dynstr").entry(symbol_size),
        Piece::new(".dynstr", SHT_STRTAB, strings),
    ];
    let relocations = relocations(elf, words);
    if !relocations.is_empty() {
        let piece = Piece::new(".rela.dyn", SHT_RELA, relocations);
        pieces.push(piece.link(".dynsym").entry(3 * words.size()));
    }
    let size = section(elf, words, &pieces).len();
    let dynamic = Piece::new(".dynamic", SHT_DYNAMIC, vec![0; size]);
    pieces.push(dynamic.segment(PT_DYNAMIC).link(".dynstr").entry(2 * words.size()));
    pieces
}

/// The dynamic section for pieces that have their places.
pub(super) fn section(elf: &ElfBuilder, words: Words, pieces: &[Piece]) -> Vec<u8> {
    let (_, _, mut entries) = tables(elf, words);
    for (tag, name) in [
        (DT_GNU_HASH, ".gnu.hash"),
        (DT_HASH, ".hash"),
        (DT_STRTAB, ".dynstr"),
        (DT_SYMTAB, ".dynsym"),
        (DT_RELA, ".rela.dyn"),
    ] {
        if let Some(piece) = pieces.iter().find(|piece| piece.name == name) {
            entries.push((tag, piece.offset));
            let size = piece.bytes.len() as u64;
            match tag {
                DT_STRTAB => entries.push((DT_STRSZ, size)),
                DT_SYMTAB => entries.push((DT_SYMENT, piece.entry)),
                DT_RELA => entries.extend([(DT_RELASZ, size), (DT_RELAENT, piece.entry)]),
                _ => {}
            }
        }
    }
    if elf.flags_1 != 0 {
        entries.push((DT_FLAGS_1, elf.flags_1));
    }
    entries.push((DT_NULL, 0));
    let mut out = Vec::new();
    for (tag, value) in entries {
        words.long(&mut out, tag);
        words.long(&mut out, value);
    }
    out
}

/// `.dynsym`, `.dynstr`, and the entries of the dynamic section that name strings.
fn tables(elf: &ElfBuilder, words: Words) -> (Vec<u8>, Vec<u8>, Vec<(u64, u64)>) {
    let mut strings = Strings::new();
    let mut symbols = Vec::new();
    symbol(words, 0, false, &mut symbols);
    symbols[..].fill(0);
    for name in &elf.imports {
        symbol(words, strings.add(name), false, &mut symbols);
    }
    for name in &elf.defines {
        symbol(words, strings.add(name), true, &mut symbols);
    }
    let mut entries = Vec::new();
    for (tag, text) in (elf.needed.iter().map(|name| (DT_NEEDED, name)))
        .chain(elf.soname.iter().map(|name| (DT_SONAME, name)))
        .chain(elf.rpath.iter().map(|folders| (DT_RPATH, folders)))
        .chain(elf.runpath.iter().map(|folders| (DT_RUNPATH, folders)))
    {
        entries.push((tag, strings.add(text)));
    }
    (symbols, strings.0, entries)
}

fn symbol(words: Words, name: u64, defined: bool, out: &mut Vec<u8>) {
    const GLOBAL_FUNCTION: u64 = 0x12;
    const ABSOLUTE: u64 = 0xfff1;
    let (value, section) = if defined { (0x40, ABSOLUTE) } else { (0, 0) };
    words.put(out, name, 4);
    if words.wide {
        words.put(out, GLOBAL_FUNCTION, 1);
        words.put(out, 0, 1);
        words.put(out, section, 2);
        words.put(out, value, 8);
        words.put(out, 0, 8);
    } else {
        words.put(out, value, 4);
        words.put(out, 0, 4);
        words.put(out, GLOBAL_FUNCTION, 1);
        words.put(out, 0, 1);
        words.put(out, section, 2);
    }
}

/// One bucket with every symbol.
fn system_v_hash(elf: &ElfBuilder, words: Words, width: usize) -> Vec<u8> {
    let count = 1 + (elf.imports.len() + elf.defines.len()) as u64;
    let mut out = Vec::new();
    let first = u64::from(count > 1);
    for value in [1, count, first, 0] {
        words.put(&mut out, value, width);
    }
    for symbol in 1..count {
        words.put(&mut out, if symbol + 1 < count { symbol + 1 } else { 0 }, width);
    }
    out
}

/// One bucket with the defined symbols, and a Bloom filter that lets everything pass.
fn gnu_hash(elf: &ElfBuilder, words: Words) -> Vec<u8> {
    let first = 1 + elf.imports.len() as u64;
    // As GNU ld: the table of a file that defines nothing is a dummy.
    let (first, bucket) = if elf.defines.is_empty() { (1, 0) } else { (first, first) };
    let mut out = Vec::new();
    for value in [1, first, 1, 0] {
        words.put(&mut out, value, 4);
    }
    words.long(&mut out, u64::MAX);
    words.put(&mut out, bucket, 4);
    for (at, name) in elf.defines.iter().enumerate() {
        let hash = name
            .bytes()
            .fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(byte.into()));
        let last = at + 1 == elf.defines.len();
        words.put(&mut out, u64::from(hash & !1 | u32::from(last)), 4);
    }
    out
}

/// One relocation of type NONE for each imported symbol.
fn relocations(elf: &ElfBuilder, words: Words) -> Vec<u8> {
    let mut out = Vec::new();
    if elf.hash == HashStyle::Gnu {
        for symbol in 1..=elf.imports.len() as u64 {
            words.long(&mut out, 0x40);
            words.long(&mut out, if words.wide { symbol << 32 } else { symbol << 8 });
            words.long(&mut out, 0);
        }
    }
    out
}
