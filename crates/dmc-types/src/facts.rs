//! What later rooms need to know of a package, so that none of them opens it again.
//!
//! Facts are made once, while the package is decoded, and are a pure function of its bytes. They
//! are stored beside the contents of its files; `FileFacts::offset` says where in those.

use crate::{Arch, ElfIdent, Exports, ImagePath, PackageName, Sha1, Sha256, UnixTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything known of one binary package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFacts {
    /// SHA-256 of the .deb that this was read from.
    pub deb: Sha256,
    /// `Package`.
    pub package: PackageName,
    /// `Version`, as written.
    pub version: String,
    /// `Architecture`; none for `all`.
    pub arch: Option<Arch>,
    /// The whole control paragraph, as it stands in the package, with one final newline.
    pub control: String,
    /// Maintainer scripts by name (`preinst`, `postinst`, `prerm`, `postrm`, `config`), as written.
    pub scripts: BTreeMap<String, Vec<u8>>,
    /// Files that dpkg treats as configuration, in the package's order and spelling.
    pub conffiles: Vec<ImagePath>,
    /// The `md5sums` member: 32 hexadecimal digits by path, in the package's spelling.
    pub md5sums: BTreeMap<ImagePath, String>,
    /// Names of files in `/usr/share/common-licenses` that its copyright file refers to, sorted.
    pub licences: Vec<String>,
    /// Every member of the package's tar but its root folder, in the package's order and spelling.
    pub entries: Vec<Entry>,
}

impl PackageFacts {
    /// The newest time of any file, in seconds since 1970; 0 for a package without files.
    pub fn newest_time(&self) -> UnixTime {
        self.entries.iter().map(|entry| entry.time).max().unwrap_or(0)
    }
}

/// One member of a package's tar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it goes, in the package's own spelling (`/lib/x` where the package says so).
    pub path: ImagePath,
    /// Permission bits with setuid, setgid and sticky, at most 0o7777.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Modification time in seconds since 1970.
    pub time: UnixTime,
    /// What it is.
    pub kind: EntryKind,
}

/// What a member of a tar is. Device nodes and sockets have no place here: packages that hold
/// them are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A regular file.
    File(FileFacts),
    /// A folder.
    Directory,
    /// A symbolic link, with its target as written.
    Symlink(Vec<u8>),
    /// Another name of an earlier member, in the package's spelling.
    Hardlink(ImagePath),
}

/// What is known of a regular file's contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the contents.
    pub digest: Sha256,
    /// SHA-1 of the contents, for formats that ask for it.
    pub sha1: Sha1,
    /// Where the contents begin in the package's stored contents, which are all its regular
    /// files one after the other in the order of its entries.
    pub offset: u64,
    /// What kind of file its first bytes say it is.
    pub nature: Nature,
}

/// What the contents of a file are to the closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nature {
    /// A program or library.
    Elf(Box<ElfFacts>),
    /// A script that names its interpreter.
    Script(Shebang),
    /// It begins like an ELF file but cannot be read as one: an error only if it is kept.
    BrokenElf(String),
    /// Anything else.
    Data,
}

/// The first line of a script, as the kernel reads it (execve(2), "Interpreter scripts"), and what
/// an execline script may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shebang {
    /// The interpreter as written, mostly an absolute path.
    pub interpreter: Vec<u8>,
    /// The rest of the line, one argument, without white space around it.
    pub argument: Option<Vec<u8>>,
    /// Of an execline script, each word once that could name a program, sorted: absolute paths and
    /// plain names. Empty for other scripts.
    pub words: Vec<String>,
}

/// What the dynamic loader and the closure read in an ELF file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfFacts {
    /// Machine, word size and byte order.
    pub ident: ElfIdent,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_NEEDED`, in order. An item with a slash is a path.
    pub needed: Vec<String>,
    /// `DT_RPATH`, split at colons; empty where `DT_RUNPATH` is present, as the loader ignores it.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`, split at colons.
    pub runpath: Vec<String>,
    /// Whether `DF_1_NODEFLIB` keeps the loader from its default folders.
    pub no_default_lib: bool,
    /// `PT_INTERP`.
    pub interp: Option<String>,
    /// Entries of `.note.dlopen`, in order.
    pub dlopen: Vec<DlopenNote>,
    /// Undefined dynamic symbols, sorted by name, each once.
    pub imports: Vec<Import>,
    /// Dynamic symbols that other files can bind to.
    pub exports: Exports,
    /// Versions that it asks of its libraries (`.gnu.version_r`), in the file's order.
    pub versions_needed: Vec<NeededVersion>,
    /// Versions that it defines (`.gnu.version_d`), in the file's order, without the base version,
    /// which is the file's own name.
    pub versions_defined: Vec<String>,
    /// Strings of its read-only data that look like a soname (`lib*.so*`) and that it does not
    /// need, sorted.
    pub sonames: Vec<String>,
    /// Strings of its read-only data that could be the absolute path of a packaged file, sorted.
    pub paths: Vec<String>,
}

impl ElfFacts {
    /// A file of this identity of which nothing else is known: a static program.
    pub fn new(ident: ElfIdent) -> Self {
        Self {
            ident,
            soname: None,
            needed: Vec::new(),
            rpath: Vec::new(),
            runpath: Vec::new(),
            no_default_lib: false,
            interp: None,
            dlopen: Vec::new(),
            imports: Vec::new(),
            exports: Exports::default(),
            versions_needed: Vec::new(),
            versions_defined: Vec::new(),
            sonames: Vec::new(),
            paths: Vec::new(),
        }
    }

    /// The undefined symbol of this name.
    pub fn import(&self, name: &str) -> Option<&Import> {
        let at = self.imports.binary_search_by(|import| import.name.as_str().cmp(name)).ok()?;
        self.imports.get(at)
    }
}

/// An undefined dynamic symbol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Import {
    /// The symbol's name.
    pub name: String,
    /// The version that it must have.
    pub version: Option<String>,
    /// The library that the linker found that version in.
    pub library: Option<String>,
    /// Whether the file works without it (`STB_WEAK`).
    pub weak: bool,
}

/// A version that a file asks of a library.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NeededVersion {
    /// The library, as in `DT_NEEDED`.
    pub library: String,
    /// The version, such as `GLIBC_2.38`.
    pub version: String,
    /// Whether its absence is only worth a warning (`VER_FLG_WEAK`).
    pub weak: bool,
}

/// One entry of `.note.dlopen` (UAPI Group, "ELF dlopen Metadata"): the file opens the first of
/// these sonames that it finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DlopenNote {
    /// `feature`.
    pub feature: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `priority`; `recommended` where it is missing.
    pub priority: DlopenPriority,
    /// `soname`, best first.
    pub sonames: Vec<String>,
}

/// How much a program misses a library that it opens by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DlopenPriority {
    /// A rarely used feature.
    Suggested,
    /// A feature most users want.
    Recommended,
    /// It does not work without.
    Required,
}
