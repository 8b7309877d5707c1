//! Facts of one ELF file.

use super::ElfError;
use super::image::{Image, Names, at_most, text};
use super::{dlopen, symbols};
use dmc_types::ElfFacts;
use goblin::elf::dynamic::{
    DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB,
    Dyn, Dynamic,
};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP};

/// libreoffice's largest library has some 130 entries.
const MOST_DYNAMIC_ENTRIES: u64 = 4096;
/// Longest item taken for a file name or a list of folders (`PATH_MAX` and some lists of them).
const LONGEST_NAME: usize = 16 * 1024;

/// Reads what the dynamic loader and the closure need of an ELF program or library, given whole.
pub fn read(bytes: &[u8]) -> Result<ElfFacts, ElfError> {
    let image = Image::open(bytes)?;
    let mut facts = ElfFacts {
        ident: image.ident(),
        soname: None,
        needed: Vec::new(),
        rpath: Vec::new(),
        runpath: Vec::new(),
        no_default_lib: false,
        interp: interp(&image)?,
        dlopen: dlopen::read(&image)?,
        imports: Vec::new(),
    };
    let entries = dynamic(&image)?;
    if entries.is_empty() {
        return Ok(facts);
    }
    let names = names(&image, &entries)?;
    for entry in &entries {
        let name = |what| text(what, names.get(what, entry.d_val, LONGEST_NAME)?);
        match entry.d_tag {
            DT_SONAME => facts.soname = Some(name("its DT_SONAME")?),
            DT_NEEDED => facts.needed.push(name("a DT_NEEDED")?),
            DT_RPATH => facts.rpath = folders(&name("its DT_RPATH")?),
            DT_RUNPATH => facts.runpath = folders(&name("its DT_RUNPATH")?),
            DT_FLAGS_1 => facts.no_default_lib = entry.d_val & DF_1_NODEFLIB != 0,
            _ => {}
        }
    }
    // ld.so(8): DT_RPATH counts only where there is no DT_RUNPATH, even an empty one.
    if entries.iter().any(|entry| entry.d_tag == DT_RUNPATH) {
        facts.rpath.clear();
    }
    facts.imports = symbols::undefined(&image, &entries, names)?;
    Ok(facts)
}

/// The value of the last entry with this tag, as the loader takes it.
pub(super) fn value(entries: &[Dyn], tag: u64) -> Option<u64> {
    entries.iter().rev().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val)
}

fn folders(list: &str) -> Vec<String> {
    list.split(':').map(str::to_owned).collect()
}

fn interp(image: &Image) -> Result<Option<String>, ElfError> {
    const WHAT: &str = "its PT_INTERP";
    let Some(segment) = image.segments.iter().find(|segment| segment.p_type == PT_INTERP) else {
        return Ok(None);
    };
    let bytes = image.slice(WHAT, segment.p_offset, segment.p_filesz)?;
    Ok(Some(text(WHAT, Names(bytes).get(WHAT, 0, LONGEST_NAME)?)?))
}

fn dynamic(image: &Image) -> Result<Vec<Dyn>, ElfError> {
    const WHAT: &str = "its dynamic section";
    let Some(segment) = image.segments.iter().find(|segment| segment.p_type == PT_DYNAMIC) else {
        return Ok(Vec::new());
    };
    image.slice(WHAT, segment.p_offset, segment.p_filesz)?;
    let entry = Dyn::size(image.ctx.container) as u64;
    at_most("entries in its dynamic section", segment.p_filesz / entry, MOST_DYNAMIC_ENTRIES)?;
    match Dynamic::parse(image.bytes, &image.segments, image.ctx) {
        Ok(dynamic) => Ok(dynamic.map(|dynamic| dynamic.dyns).unwrap_or_default()),
        Err(error) => Err(ElfError::Header { why: error.to_string() }),
    }
}

fn names<'a>(image: &Image<'a>, entries: &[Dyn]) -> Result<Names<'a>, ElfError> {
    const WHAT: &str = "its dynamic string table";
    let missing = |what| ElfError::Missing { what };
    let address = value(entries, DT_STRTAB).ok_or(missing("DT_STRTAB"))?;
    let size = value(entries, DT_STRSZ).ok_or(missing("DT_STRSZ"))?;
    Ok(Names(image.slice(WHAT, image.offset_of(WHAT, address)?, size)?))
}
