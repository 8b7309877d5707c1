//! The bytes of an ELF file with its headers: checked access by offset, address and name.

use super::ElfError;
use dmc_types::{ElfClass, ElfIdent, Endian};
use goblin::container::{Container, Ctx};
use goblin::elf::Elf;
use goblin::elf::header::{ET_CORE, ET_DYN, ET_EXEC, ET_REL, Header};
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};

/// Real files have about a dozen; the kernel takes no more than fit into 64 KiB.
const MOST_SEGMENTS: u64 = 256;

/// An ELF program or library whose header and program headers have been read.
pub(super) struct Image<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) header: Header,
    pub(super) ctx: Ctx,
    pub(super) segments: Vec<ProgramHeader>,
}

impl<'a> Image<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ElfError> {
        if !bytes.starts_with(b"\x7fELF") {
            return Err(ElfError::NotElf);
        }
        let bad = |why: goblin::error::Error| ElfError::Header { why: why.to_string() };
        let header = Elf::parse_header(bytes).map_err(bad)?;
        let ctx = Ctx::new(header.container().map_err(bad)?, header.endianness().map_err(bad)?);
        match header.e_type {
            ET_EXEC | ET_DYN => {}
            ET_REL => return Err(ElfError::NotLoaded { what: "a relocatable object" }),
            ET_CORE => return Err(ElfError::NotLoaded { what: "a core dump" }),
            other => return Err(ElfError::Header { why: format!("its type is {other}") }),
        }
        let count = u64::from(header.e_phnum);
        at_most("program headers", count, MOST_SEGMENTS)?;
        let mut image = Self { bytes, header, ctx, segments: Vec::new() };
        let size = count * ProgramHeader::size(ctx) as u64;
        image.slice("its program headers", image.header.e_phoff, size)?;
        let offset = usize::try_from(image.header.e_phoff).unwrap_or(usize::MAX);
        image.segments =
            ProgramHeader::parse(bytes, offset, image.header.e_phnum.into(), ctx).map_err(bad)?;
        for segment in image.segments.iter().filter(|segment| segment.p_type == PT_LOAD) {
            image.slice("a segment", segment.p_offset, segment.p_filesz)?;
        }
        Ok(image)
    }

    pub(super) fn ident(&self) -> ElfIdent {
        let class = if self.is_64() { ElfClass::Elf64 } else { ElfClass::Elf32 };
        let endian = if self.ctx.is_little_endian() { Endian::Little } else { Endian::Big };
        ElfIdent { class, endian, machine: self.header.e_machine }
    }

    pub(super) fn is_64(&self) -> bool {
        self.ctx.container == Container::Big
    }

    /// `size` bytes at `offset` of the file.
    pub(super) fn slice(
        &self,
        what: &'static str,
        offset: u64,
        size: u64,
    ) -> Result<&'a [u8], ElfError> {
        let end = self.bytes.len() as u64;
        let range = || {
            let from = usize::try_from(offset).ok()?;
            let to = from.checked_add(usize::try_from(size).ok()?)?;
            self.bytes.get(from..to)
        };
        range().ok_or(ElfError::Outside { what, offset, size, end })
    }

    /// Where in the file the byte is that the loader puts at `address`.
    pub(super) fn offset_of(&self, what: &'static str, address: u64) -> Result<u64, ElfError> {
        self.segments
            .iter()
            .filter(|segment| segment.p_type == PT_LOAD)
            .find_map(|segment| {
                let within = address.checked_sub(segment.p_vaddr)?;
                (within < segment.p_filesz).then(|| segment.p_offset.checked_add(within))?
            })
            .ok_or(ElfError::Unmapped { what, address })
    }

    /// The 32-bit number at `offset` of the file.
    pub(super) fn word(&self, what: &'static str, offset: u64) -> Result<u32, ElfError> {
        let bytes = self.slice(what, offset, 4)?;
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        Ok(if self.ctx.is_little_endian() {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    /// The 16-bit number at `offset` of the file.
    pub(super) fn half(&self, what: &'static str, offset: u64) -> Result<u16, ElfError> {
        let bytes = self.slice(what, offset, 2)?;
        let bytes = [bytes[0], bytes[1]];
        Ok(if self.ctx.is_little_endian() {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }
}

/// A string table: names that end in NUL, found by their offset.
#[derive(Clone, Copy)]
pub(super) struct Names<'a>(pub(super) &'a [u8]);

impl<'a> Names<'a> {
    /// The name at `offset`, of at most `longest` bytes.
    pub(super) fn get(
        self,
        what: &'static str,
        offset: u64,
        longest: usize,
    ) -> Result<&'a [u8], ElfError> {
        let bad = || ElfError::Name { what, offset, size: self.0.len() as u64 };
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).ok_or_else(bad)?;
        let seen = &rest[..rest.len().min(longest.saturating_add(1))];
        match seen.iter().position(|b| *b == 0) {
            Some(end) => Ok(&seen[..end]),
            None => Err(bad()),
        }
    }
}

pub(super) fn at_most(what: &'static str, found: u64, limit: u64) -> Result<(), ElfError> {
    if found > limit { Err(ElfError::TooMany { what, found, limit }) } else { Ok(()) }
}

pub(super) fn text(what: &'static str, bytes: &[u8]) -> Result<String, ElfError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(ElfError::NotText { what }),
    }
}
