//! Tiny ELF files for any architecture.
//!
//! Nothing in them can run, but headers, segments, dynamic section, symbols, hash table and notes
//! are as a linker writes them, so that readers agree on what they say. Written by hand from
//! elf(5), without the library that the product reads ELF with.

mod dynamic;
mod layout;

use dmc_types::Arch;

/// The hash table by which a file's symbols are found; without section headers it is also what
/// says how many symbols there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashStyle {
    /// `DT_GNU_HASH`, with a relocation for each imported symbol. What Debian's linkers write,
    /// except on mips64el, which knows `DT_HASH` only.
    Gnu,
    /// `DT_HASH`.
    SystemV,
}

/// Builds one ELF file. Equal settings give equal bytes.
#[derive(Debug, Clone)]
pub struct ElfBuilder {
    arch: Arch,
    kind: Kind,
    soname: Option<String>,
    needed: Vec<String>,
    rpath: Option<String>,
    runpath: Option<String>,
    interp: Option<String>,
    imports: Vec<String>,
    defines: Vec<String>,
    flags_1: u64,
    notes: Vec<Note>,
    rodata: Vec<u8>,
    hash: HashStyle,
    sections: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Program,
    StaticProgram,
    Library,
    Relocatable,
}

#[derive(Debug, Clone)]
struct Note {
    owner: String,
    kind: u32,
    description: Vec<u8>,
}

/// `DF_1_NODEFLIB`, for [`ElfBuilder::flags_1`].
pub const NO_DEFAULT_LIB: u64 = 0x800;
const PIE: u64 = 0x0800_0000;
const DLOPEN_NOTE: u32 = 0x407c_0c0a;

impl ElfBuilder {
    fn new(arch: Arch, kind: Kind) -> Self {
        let hash = if arch == Arch::Mips64el { HashStyle::SystemV } else { HashStyle::Gnu };
        Self {
            arch,
            kind,
            soname: None,
            needed: Vec::new(),
            rpath: None,
            runpath: None,
            interp: None,
            imports: Vec::new(),
            defines: Vec::new(),
            flags_1: 0,
            notes: Vec::new(),
            rodata: Vec::new(),
            hash,
            sections: true,
        }
    }

    /// A position-independent program with the architecture's own loader as its interpreter.
    pub fn program(arch: Arch) -> Self {
        Self::new(arch, Kind::Program).interp(loader(arch)).flags_1(PIE)
    }

    /// A program without interpreter and dynamic section.
    pub fn static_program(arch: Arch) -> Self {
        Self::new(arch, Kind::StaticProgram)
    }

    /// A shared object.
    pub fn library(arch: Arch, soname: &str) -> Self {
        Self { soname: Some(soname.to_owned()), ..Self::new(arch, Kind::Library) }
    }

    /// A shared object without soname: a plugin, a module.
    pub fn plugin(arch: Arch) -> Self {
        Self::new(arch, Kind::Library)
    }

    /// A relocatable object (`.o`), which no loader handles.
    pub fn relocatable(arch: Arch) -> Self {
        Self::new(arch, Kind::Relocatable)
    }

    /// Adds a `DT_NEEDED`.
    #[must_use]
    pub fn needs(mut self, name: &str) -> Self {
        self.needed.push(name.to_owned());
        self
    }

    /// Sets `DT_RPATH`: folders joined by colons.
    #[must_use]
    pub fn rpath(mut self, folders: &str) -> Self {
        self.rpath = Some(folders.to_owned());
        self
    }

    /// Sets `DT_RUNPATH`: folders joined by colons.
    #[must_use]
    pub fn runpath(mut self, folders: &str) -> Self {
        self.runpath = Some(folders.to_owned());
        self
    }

    /// Sets `PT_INTERP`.
    #[must_use]
    pub fn interp(mut self, path: &str) -> Self {
        self.interp = Some(path.to_owned());
        self
    }

    /// Adds an undefined dynamic symbol.
    #[must_use]
    pub fn imports(mut self, symbol: &str) -> Self {
        self.imports.push(symbol.to_owned());
        self
    }

    /// Adds a defined dynamic symbol.
    #[must_use]
    pub fn defines(mut self, symbol: &str) -> Self {
        self.defines.push(symbol.to_owned());
        self
    }

    /// Adds bits to `DT_FLAGS_1`.
    #[must_use]
    pub fn flags_1(mut self, bits: u64) -> Self {
        self.flags_1 |= bits;
        self
    }

    /// Adds a `.note.dlopen` with this JSON.
    #[must_use]
    pub fn dlopen(self, json: &str) -> Self {
        self.note("FDO", DLOPEN_NOTE, &[json.as_bytes(), b"\0"].concat())
    }

    /// Adds any note.
    #[must_use]
    pub fn note(mut self, owner: &str, kind: u32, description: &[u8]) -> Self {
        let description = description.to_vec();
        self.notes.push(Note { owner: owner.to_owned(), kind, description });
        self
    }

    /// Adds read-only data, such as paths that the program opens.
    #[must_use]
    pub fn rodata(mut self, bytes: &[u8]) -> Self {
        self.rodata.extend_from_slice(bytes);
        self
    }

    /// Chooses the hash table.
    #[must_use]
    pub fn hash(mut self, style: HashStyle) -> Self {
        self.hash = style;
        self
    }

    /// Leaves out section headers, as sstrip does.
    #[must_use]
    pub fn without_sections(mut self) -> Self {
        self.sections = false;
        self
    }

    /// The file.
    pub fn build(&self) -> Vec<u8> {
        layout::write(self)
    }
}

/// The path of the dynamic loader that Debian's programs of an architecture name.
pub fn loader(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "/lib64/ld-linux-x86-64.so.2",
        Arch::Arm64 => "/lib/ld-linux-aarch64.so.1",
        Arch::Armel => "/lib/ld-linux.so.3",
        Arch::Armhf => "/lib/ld-linux-armhf.so.3",
        Arch::I386 => "/lib/ld-linux.so.2",
        Arch::Mips64el => "/lib64/ld.so.1",
        Arch::Ppc64el => "/lib64/ld64.so.2",
        Arch::Riscv64 => "/lib/ld-linux-riscv64-lp64d.so.1",
        Arch::S390x => "/lib/ld64.so.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin::elf::Elf;
    use std::process::Command;

    fn full(arch: Arch) -> ElfBuilder {
        ElfBuilder::library(arch, "libx.so.1")
            .needs("libc.so.6")
            .needs("libz.so.1")
            .runpath("$ORIGIN/lib:/opt")
            .interp(loader(arch))
            .imports("pthread_exit")
            .imports("malloc")
            .defines("x_open")
            .defines("x_close")
            .flags_1(NO_DEFAULT_LIB)
            .dlopen(r#"[{"soname":["libq.so.1"]}]"#)
            .rodata(b"/usr/share/x/data\0")
    }

    fn variants(arch: Arch) -> Vec<ElfBuilder> {
        let mut all = vec![full(arch), full(arch).without_sections()];
        if arch != Arch::Mips64el {
            let program = ElfBuilder::program(arch).needs("libc.so.6").imports("malloc");
            all.push(program.without_sections());
        }
        // goblin reads the 64-bit numbers of S/390's DT_HASH wrongly.
        if arch != Arch::S390x {
            all.push(full(arch).hash(HashStyle::SystemV));
        }
        all
    }

    #[test]
    fn an_independent_reader_agrees() {
        for arch in Arch::ALL {
            for built in variants(arch) {
                let bytes = built.build();
                let elf = Elf::parse(&bytes).unwrap_or_else(|error| panic!("{arch}: {error}"));
                assert_eq!(elf.header.e_machine, arch.elf().machine);
                assert_eq!(elf.libraries, built.needed, "{arch}");
                assert_eq!(elf.soname, built.soname.as_deref(), "{arch}");
                assert_eq!(elf.interpreter, Some(loader(arch)));
                let undefined = elf.dynsyms.iter().skip(1).filter(|symbol| symbol.st_shndx == 0);
                let names: Vec<&str> =
                    undefined.filter_map(|symbol| elf.dynstrtab.get_at(symbol.st_name)).collect();
                assert_eq!(names, built.imports, "{arch}");
                if let Some(notes) = elf.iter_note_headers(&bytes) {
                    assert_eq!(notes.count(), built.notes.len());
                }
            }
        }
    }

    #[test]
    fn readelf_agrees_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        for arch in Arch::ALL {
            for built in [full(arch), full(arch).hash(HashStyle::SystemV)] {
                let path = folder.path().join("x.so");
                std::fs::write(&path, built.build()).unwrap();
                let mut readelf = Command::new("readelf");
                readelf.env("LC_ALL", "C").arg("-aW").arg(&path);
                let Ok(out) = readelf.output() else { return };
                let (text, complaints) =
                    (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
                assert_eq!(complaints, "", "{arch}");
                for wanted in [
                    "Shared library: [libc.so.6]",
                    "Shared library: [libz.so.1]",
                    "Library soname: [libx.so.1]",
                    "Library runpath: [$ORIGIN/lib:/opt]",
                    "NODEFLIB",
                    "pthread_exit",
                    "x_close",
                    "interpreter: ",
                ] {
                    assert!(text.contains(wanted), "{arch}: no {wanted} in {text}");
                }
            }
        }
    }

    #[test]
    fn the_other_kinds_say_what_they_are() {
        for (built, kind) in [
            (ElfBuilder::static_program(Arch::Amd64), 2),
            (ElfBuilder::relocatable(Arch::Amd64), 1),
            (ElfBuilder::plugin(Arch::Amd64), 3),
        ] {
            let bytes = built.build();
            let elf = Elf::parse(&bytes).unwrap();
            assert_eq!(elf.header.e_type, kind);
            assert_eq!((elf.soname, elf.interpreter), (None, None));
        }
    }
}
