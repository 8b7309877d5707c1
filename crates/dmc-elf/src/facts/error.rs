//! Why a file cannot be read as a program or library.

/// What is wrong with an ELF file. The texts are halves of a sentence that begins with the file's
/// name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// The first four bytes are not `\x7fELF`.
    #[error("is not an ELF file")]
    NotElf,
    /// An ELF file that no loader handles: a relocatable object or a core dump.
    #[error("is {what}, neither a program nor a library")]
    NotLoaded {
        /// What it is.
        what: &'static str,
    },
    /// A header that contradicts elf(5).
    #[error("has an ELF header that cannot be: {why}")]
    Header {
        /// What is wrong with it.
        why: String,
    },
    /// A table or string reaches outside the file.
    #[error("has {what} at byte {offset}, {size} bytes long, but ends at byte {end}")]
    Outside {
        /// What is there.
        what: &'static str,
        /// Where it should begin.
        offset: u64,
        /// How long it should be.
        size: u64,
        /// The file's own length.
        end: u64,
    },
    /// An address that no `PT_LOAD` segment brings into memory.
    #[error("has {what} at address {address:#x}, which no segment holds")]
    Unmapped {
        /// What is there.
        what: &'static str,
        /// The address.
        address: u64,
    },
    /// A name that does not end within its string table.
    #[error("names {what} by offset {offset} of a string table of {size} bytes")]
    Name {
        /// Whose name it is.
        what: &'static str,
        /// Where it should begin in the string table.
        offset: u64,
        /// The string table's length.
        size: u64,
    },
    /// A name that is not UTF-8.
    #[error("has a name for {what} that is not UTF-8 text")]
    NotText {
        /// Whose name it is.
        what: &'static str,
    },
    /// More or longer than any real file has.
    #[error("has {found} {what}; at most {limit} are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it says it has.
        found: u64,
        /// How many are taken in.
        limit: u64,
    },
    /// Something that the dynamic section needs is missing from it.
    #[error("has a dynamic section without {what}")]
    Missing {
        /// The tag.
        what: &'static str,
    },
    /// A `.note.dlopen` that does not follow its specification.
    #[error("has a .note.dlopen that cannot be read: {why}")]
    Note {
        /// What is wrong with it.
        why: String,
    },
}

impl ElfError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotElf | Self::NotLoaded { .. } => {
                "name a program or a library where one is expected"
            }
            _ => {
                "exclude the file in the template if the program runs without it; the package's \
                  maintainer should hear of it"
            }
        }
    }
}
