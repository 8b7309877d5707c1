//! Where everything goes: header, program headers, contents, section headers, in this order, with
//! every address equal to its offset in the file.

use super::dynamic::{self, Strings};
use super::{ElfBuilder, Kind};
use dmc_types::{ElfClass, Endian};

const ET_REL: u16 = 1;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;

const SHT_PROGBITS: u32 = 1;
pub(super) const SHT_STRTAB: u32 = 3;
pub(super) const SHT_DYNAMIC: u32 = 6;
const SHT_NOTE: u32 = 7;

/// Numbers in a file's own width and byte order.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) wide: bool,
    big: bool,
}

impl Words {
    pub(super) fn put(self, out: &mut Vec<u8>, value: u64, bytes: usize) {
        let all = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        out.extend_from_slice(if self.big { &all[8 - bytes..] } else { &all[..bytes] });
    }

    pub(super) fn half(self, out: &mut Vec<u8>, value: u16) {
        self.put(out, value.into(), 2);
    }

    pub(super) fn word(self, out: &mut Vec<u8>, value: u32) {
        self.put(out, value.into(), 4);
    }

    /// An address, an offset, or whatever else grows with the class.
    pub(super) fn long(self, out: &mut Vec<u8>, value: u64) {
        self.put(out, value, self.size());
    }

    pub(super) fn size(self) -> usize {
        if self.wide { 8 } else { 4 }
    }
}

/// A piece of the file that has a section header, and perhaps a segment of its own.
pub(super) struct Piece {
    pub(super) name: &'static str,
    pub(super) kind: u32,
    pub(super) segment: Option<u32>,
    pub(super) link: &'static str,
    pub(super) entry: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) offset: u64,
}

impl Piece {
    pub(super) fn new(name: &'static str, kind: u32, bytes: Vec<u8>) -> Self {
        Self { name, kind, segment: None, link: "", entry: 0, bytes, offset: 0 }
    }

    pub(super) fn segment(self, kind: u32) -> Self {
        Self { segment: Some(kind), ..self }
    }

    pub(super) fn link(self, name: &'static str) -> Self {
        Self { link: name, ..self }
    }

    pub(super) fn entry(self, size: usize) -> Self {
        Self { entry: size as u64, ..self }
    }
}

pub(super) fn write(elf: &ElfBuilder) -> Vec<u8> {
    let ident = elf.arch.elf();
    let words = Words { wide: ident.class == ElfClass::Elf64, big: ident.endian == Endian::Big };
    let mut pieces = pieces(elf, words);
    let segments = if elf.kind == Kind::Relocatable {
        0
    } else {
        1 + pieces.iter().filter(|piece| piece.segment.is_some()).count()
    };
    let mut end = header_size(words) + segments as u64 * program_header_size(words);
    for piece in &mut pieces {
        piece.offset = end.next_multiple_of(8);
        end = piece.offset + piece.bytes.len() as u64;
    }
    if let Some(at) = pieces.iter().position(|piece| piece.kind == SHT_DYNAMIC) {
        pieces[at].bytes = dynamic::section(elf, words, &pieces);
    }
    let mut file = Vec::new();
    header(elf, words, segments, &pieces, &mut file);
    if segments > 0 {
        program_header(words, PT_LOAD, 0, end, &mut file);
        for piece in &pieces {
            if let Some(kind) = piece.segment {
                program_header(words, kind, piece.offset, piece.bytes.len() as u64, &mut file);
            }
        }
    }
    for piece in &pieces {
        file.resize(at(piece.offset), 0);
        file.extend_from_slice(&piece.bytes);
    }
    if elf.sections {
        file.resize(at(section_headers_at(&pieces)), 0);
        section_headers(words, &pieces, &mut file);
    }
    file
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).expect("files of a test are small")
}

fn header_size(words: Words) -> u64 {
    if words.wide { 64 } else { 52 }
}

fn program_header_size(words: Words) -> u64 {
    if words.wide { 56 } else { 32 }
}

fn section_headers_at(pieces: &[Piece]) -> u64 {
    let last = pieces.last().expect("there is always .shstrtab");
    (last.offset + last.bytes.len() as u64).next_multiple_of(8)
}

fn pieces(elf: &ElfBuilder, words: Words) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(path) = &elf.interp {
        let bytes = [path.as_bytes(), b"\0"].concat();
        pieces.push(Piece::new(".interp", SHT_PROGBITS, bytes).segment(PT_INTERP));
    }
    if !elf.notes.is_empty() {
        pieces.push(Piece::new(".note.dlopen", SHT_NOTE, notes(elf, words)).segment(PT_NOTE));
    }
    if matches!(elf.kind, Kind::Program | Kind::Library) {
        pieces.extend(dynamic::pieces(elf, words));
    }
    if !elf.rodata.is_empty() {
        pieces.push(Piece::new(".rodata", SHT_PROGBITS, elf.rodata.clone()));
    }
    let mut names = Strings::new();
    for piece in &pieces {
        names.add(piece.name);
    }
    names.add(".shstrtab");
    pieces.push(Piece::new(".shstrtab", SHT_STRTAB, names.0));
    pieces
}

fn notes(elf: &ElfBuilder, words: Words) -> Vec<u8> {
    let mut out = Vec::new();
    for note in &elf.notes {
        words.word(&mut out, u32::try_from(note.owner.len() + 1).expect("a short name"));
        words.word(&mut out, u32::try_from(note.description.len()).expect("a short note"));
        words.word(&mut out, note.kind);
        out.extend_from_slice(note.owner.as_bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend_from_slice(&note.description);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

fn header(elf: &ElfBuilder, words: Words, segments: usize, pieces: &[Piece], out: &mut Vec<u8>) {
    let short = |count: usize| u16::try_from(count).expect("files of a test are small");
    out.extend_from_slice(b"\x7fELF");
    out.extend_from_slice(&[1 + u8::from(words.wide), 1 + u8::from(words.big), 1, 0]);
    out.resize(16, 0);
    words.half(
        out,
        match elf.kind {
            Kind::Program | Kind::Library => ET_DYN,
            Kind::StaticProgram => ET_EXEC,
            Kind::Relocatable => ET_REL,
        },
    );
    words.half(out, elf.arch.elf().machine);
    words.word(out, 1);
    words.long(out, if elf.kind == Kind::Relocatable { 0 } else { header_size(words) });
    words.long(out, if segments > 0 { header_size(words) } else { 0 });
    words.long(out, if elf.sections { section_headers_at(pieces) } else { 0 });
    words.word(out, 0);
    words.half(out, short(at(header_size(words))));
    words.half(out, short(at(program_header_size(words))));
    words.half(out, short(segments));
    words.half(out, if words.wide { 64 } else { 40 });
    words.half(out, if elf.sections { short(pieces.len() + 1) } else { 0 });
    words.half(out, if elf.sections { short(pieces.len()) } else { 0 });
}

fn program_header(words: Words, kind: u32, offset: u64, size: u64, out: &mut Vec<u8>) {
    // Nothing runs; what is loaded at all counts as read-only data.
    let flags = if kind == PT_LOAD { 4 } else { 6 };
    let alignment = match kind {
        PT_LOAD => 0x10000,
        PT_INTERP => 1,
        PT_NOTE => 4,
        _ => 8,
    };
    words.word(out, kind);
    if words.wide {
        words.word(out, flags);
    }
    for value in [offset, offset, offset, size, size] {
        words.long(out, value);
    }
    if !words.wide {
        words.word(out, flags);
    }
    words.long(out, alignment);
}

fn section_headers(words: Words, pieces: &[Piece], out: &mut Vec<u8>) {
    const ALLOC: u64 = 2;
    out.resize(out.len() + if words.wide { 64 } else { 40 }, 0);
    let mut name: u32 = 1;
    for piece in pieces {
        let loaded = piece.name != ".shstrtab";
        let link = pieces.iter().position(|other| other.name == piece.link).map_or(0, |at| at + 1);
        words.word(out, name);
        words.word(out, piece.kind);
        words.long(out, if loaded { ALLOC } else { 0 });
        words.long(out, if loaded { piece.offset } else { 0 });
        words.long(out, piece.offset);
        words.long(out, piece.bytes.len() as u64);
        words.word(out, u32::try_from(link).expect("few sections"));
        // Of a symbol table: the first symbol that is not local.
        words.word(out, u32::from(piece.name == ".dynsym"));
        words.long(out, if piece.kind == SHT_NOTE { 4 } else { 8 });
        words.long(out, piece.entry);
        name += u32::try_from(piece.name.len() + 1).expect("short names");
    }
}
