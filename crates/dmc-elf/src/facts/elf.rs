//! Facts of one ELF file.

use super::ElfError;
use super::image::{Image, Names, at_most, text};
use super::versions::Versions;
use super::{dlopen, strings, symbols};
use dmc_types::ElfFacts;
use goblin::elf::dynamic::{
    DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB,
    Dyn, Dynamic,
};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP};

/// libreoffice's largest library has some 130 entries.
const MOST_DYNAMIC_ENTRIES: u64 = 4096;
/// Longest file name or list of folders that is taken in.
const LONGEST_NAME: usize = 4096;

/// Reads what the dynamic loader and the closure need of an ELF program or library, given whole.
pub fn read(bytes: &[u8]) -> Result<ElfFacts, ElfError> {
    let image = Image::open(bytes)?;
    let mut facts = ElfFacts {
        interp: interp(&image)?,
        dlopen: dlopen::read(&image)?,
        ..ElfFacts::new(image.ident())
    };
    (facts.sonames, facts.paths) = strings::read(&image);
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
    let versions = Versions::read(&image, &entries, names)?;
    let symbols = symbols::read(&image, &entries, names, &versions)?;
    (facts.imports, facts.exports) = (symbols.imports, symbols.exports);
    (facts.versions_needed, facts.versions_defined) = versions.into_lists();
    facts.sonames.retain(|name| {
        !facts.needed.contains(name) && facts.soname.as_deref() != Some(name.as_str())
    });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nature;
    use dmc_testkit::{ElfBuilder, HashStyle, NO_DEFAULT_LIB, loader};
    use dmc_types::{Arch, DlopenPriority, Nature};
    use proptest::prelude::*;

    fn library(arch: Arch) -> ElfBuilder {
        ElfBuilder::library(arch, "libx.so.1")
            .needs("libz.so.1")
            .needs("libc.so.6")
            .runpath("$ORIGIN:/opt/lib")
            .imports("pthread_exit")
            .imports("malloc")
            .defines("x_open")
            .dlopen(r#"[{"soname":["libq.so.1"],"priority":"required"}]"#)
    }

    fn imports(facts: &ElfFacts) -> Vec<&str> {
        facts.imports.iter().map(|import| import.name.as_str()).collect()
    }

    #[test]
    fn every_architecture_and_hash_table_is_read_alike() {
        for arch in Arch::ALL {
            let mut variants = vec![
                library(arch),
                library(arch).without_sections(),
                library(arch).hash(HashStyle::SystemV).without_sections(),
            ];
            if arch == Arch::Mips64el {
                variants.truncate(2);
            }
            for built in variants {
                let facts = read(&built.build()).unwrap_or_else(|error| panic!("{arch} {error}"));
                assert_eq!(facts.ident, arch.elf());
                assert_eq!(facts.soname.as_deref(), Some("libx.so.1"));
                assert_eq!(facts.needed, ["libz.so.1", "libc.so.6"]);
                assert_eq!(facts.runpath, ["$ORIGIN", "/opt/lib"]);
                assert_eq!(imports(&facts), ["malloc", "pthread_exit"], "{arch} {built:?}");
                assert!(facts.exports.contains("x_open", None), "{arch} {built:?}");
                assert_eq!(facts.exports.len(), 1);
                assert_eq!(facts.dlopen[0].sonames, ["libq.so.1"]);
                assert_eq!(facts.dlopen[0].priority, DlopenPriority::Required);
                assert_eq!(facts.interp, None);
            }
        }
    }

    #[test]
    fn relocations_count_symbols_where_nothing_else_does() {
        let program = ElfBuilder::program(Arch::Arm64).needs("libc.so.6").imports("exit");
        let facts = read(&program.without_sections().build()).unwrap();
        assert_eq!(imports(&facts), ["exit"]);
        assert_eq!(facts.interp.as_deref(), Some(loader(Arch::Arm64)));
    }

    #[test]
    fn runpath_silences_rpath() {
        let plain = || ElfBuilder::plugin(Arch::Amd64).rpath("/a:/b");
        for (built, rpath, runpath) in [
            (plain(), vec!["/a", "/b"], vec![]),
            (plain().runpath("/c"), vec![], vec!["/c"]),
            (plain().runpath(""), vec![], vec![""]),
        ] {
            let facts = read(&built.build()).unwrap();
            assert_eq!((facts.rpath, facts.runpath), (owned(&rpath), owned(&runpath)));
        }
    }

    fn owned(items: &[&str]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flags_bar_the_default_folders() {
        let plain = ElfBuilder::program(Arch::Amd64);
        assert!(!read(&plain.build()).unwrap().no_default_lib);
        assert!(read(&plain.flags_1(NO_DEFAULT_LIB).build()).unwrap().no_default_lib);
    }

    #[test]
    fn what_no_loader_handles_is_data() {
        let core = patched(&ElfBuilder::program(Arch::Amd64), 16, &[4]);
        let object = ElfBuilder::relocatable(Arch::S390x).build();
        for bytes in [core, object] {
            assert!(matches!(read(&bytes), Err(ElfError::NotLoaded { .. })));
            assert_eq!(nature(&bytes), Nature::Data);
        }
        let Nature::Elf(facts) = nature(&ElfBuilder::static_program(Arch::Amd64).build()) else {
            panic!("a static program is a program");
        };
        assert!(facts.needed.is_empty() && facts.interp.is_none());
    }

    fn patched(elf: &ElfBuilder, at: usize, with: &[u8]) -> Vec<u8> {
        let mut bytes = elf.build();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    }

    fn number(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    /// Where the program header of a kind is in a little-endian 64-bit file.
    fn header_of(bytes: &[u8], kind: u32) -> usize {
        let mut headers = (64..).step_by(56);
        headers.find(|at| bytes[*at..at + 4] == kind.to_le_bytes()).unwrap()
    }

    /// Gives an entry of the dynamic section another tag or value.
    fn redone(elf: &ElfBuilder, tag: u64, new: (u64, u64)) -> Vec<u8> {
        let mut bytes = elf.build();
        let section = number(&bytes, header_of(&bytes, PT_DYNAMIC) + 8);
        let mut entries = (usize::try_from(section).unwrap()..).step_by(16);
        let at = entries.find(|at| number(&bytes, *at) == tag).unwrap();
        bytes[at..at + 8].copy_from_slice(&new.0.to_le_bytes());
        bytes[at + 8..at + 16].copy_from_slice(&new.1.to_le_bytes());
        bytes
    }

    #[test]
    fn each_thing_that_can_be_wrong_has_its_sentence() {
        const FAR: u64 = 1 << 40;
        let elf = &library(Arch::Amd64).interp("/lib/ld.so");
        let interp = header_of(&elf.build(), PT_INTERP);
        let segment = |at: usize| patched(elf, interp + at, &FAR.to_le_bytes());
        let not_text = {
            let mut bytes = elf.build();
            let at = bytes.windows(9).position(|part| part == b"libc.so.6").unwrap();
            bytes[at] = 0xff;
            bytes
        };
        let crowd = (0..5000).fold(elf.clone(), |elf, _| elf.needs("x"));
        let long = "s".repeat(60_000);
        let wordy = (0..300).fold(elf.clone(), |elf, _| elf.imports(&long));
        for (bytes, wanted) in [
            (b"text".to_vec(), "is not an ELF file"),
            (ElfBuilder::relocatable(Arch::Amd64).build(), "is a relocatable object, neither"),
            (elf.build()[..20].to_vec(), "has an ELF header that cannot be"),
            (patched(elf, 4, &[9]), "has an ELF header that cannot be"),
            (patched(elf, 16, &[9]), "has an ELF header that cannot be: its type is 9"),
            (patched(elf, 32, &FAR.to_le_bytes()), "has its program headers at byte 1099"),
            (patched(elf, 56, &[0xff, 0xff]), "has 65535 program headers; at most 256 are read"),
            (elf.build()[..300].to_vec(), "but ends at byte 300"),
            (segment(8), "has its PT_INTERP at byte 1099"),
            (segment(32), "has its PT_INTERP at byte"),
            (redone(elf, DT_STRSZ, (DT_STRSZ, FAR)), "has its dynamic string table at"),
            (redone(elf, DT_STRSZ, (99, 0)), "has a dynamic section without DT_STRSZ"),
            (redone(elf, DT_STRTAB, (99, 0)), "has a dynamic section without DT_STRTAB"),
            (redone(elf, DT_STRTAB, (DT_STRTAB, FAR)), "at address 0x10000000000, which no"),
            (redone(elf, 6, (6, FAR)), "its dynamic symbol table at address"),
            (redone(elf, DT_NEEDED, (DT_NEEDED, FAR)), "names a DT_NEEDED by offset 1099"),
            (not_text, "has a name for a DT_NEEDED that is not UTF-8"),
            (crowd.build(), "entries in its dynamic section; at most 4096 are read"),
            (wordy.build(), "bytes of symbol names; at most 16777216 are read"),
            (elf.clone().dlopen("{").build(), "has a .note.dlopen that cannot be read"),
            (
                elf.clone().note("x", 1, &vec![0; 70_000]).build(),
                "bytes in a PT_NOTE segment; at most",
            ),
        ] {
            let error = read(&bytes).expect_err(wanted);
            assert!(error.to_string().contains(wanted), "{error} | {wanted}");
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn a_broken_file_is_no_error_until_it_is_kept() {
        let Nature::BrokenElf(why) = nature(b"\x7fELF") else { panic!("it was taken for whole") };
        assert!(why.starts_with("has an ELF header that cannot be"), "{why}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>) {
            bytes.splice(0..0, *b"\x7fELF");
            let _ = nature(&bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(
            arch in proptest::sample::select(&Arch::ALL[..]),
            sections: bool,
            damage in proptest::collection::vec((0_usize..2000, any::<u8>()), 1..12),
            cut in 0_usize..4000,
        ) {
            let elf = library(arch).interp(loader(arch));
            let elf = if sections { elf } else { elf.without_sections() };
            let mut bytes = elf.build();
            for (at, byte) in damage {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            bytes.truncate(cut);
            let _ = nature(&bytes);
        }
    }
}
