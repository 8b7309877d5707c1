//! An index of chosen packages, made of what these say of themselves.
//!
//! A lock names packages without their relations: these stand in each .deb, whose digest the lock
//! gives. Entries are put together in the form of an index and compiled in memory like one.

use super::compile::{self, CompileError};
use super::{IndexError, PackageIndex};
use camino::Utf8PathBuf;
use dmc_deb::deb822::Paragraph;
use dmc_types::Checksum;
use std::io::Cursor;

/// The fields that an index takes over from a package's control paragraph.
const FIELDS: [&str; 13] = [
    "Package",
    "Version",
    "Source",
    "Architecture",
    "Pre-Depends",
    "Depends",
    "Provides",
    "Conflicts",
    "Breaks",
    "Multi-Arch",
    "Priority",
    "Essential",
    "Installed-Size",
];

/// The entry of a package with this control paragraph, as an archive's index would have it.
pub(crate) fn stanza(control: &str, filename: &str, size: u64, checksum: &Checksum) -> String {
    let paragraph = Paragraph::new(control.as_bytes());
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.extend([name, ": ", value, "\n"]);
    for name in FIELDS {
        if let Some(value) = paragraph.field(name) {
            line(name, value);
        }
    }
    line("Filename", filename);
    line("Size", &size.to_string());
    match checksum {
        Checksum::Sha256(digest) => line("SHA256", &digest.to_string()),
        Checksum::Sha512(digest) => line("SHA512", &digest.to_string()),
    }
    text.push('\n');
    text
}

impl PackageIndex {
    /// The index of these entries, every one of which must be usable.
    pub(crate) fn of_stanzas(stanzas: &[String]) -> Result<Self, IndexError> {
        let path = Utf8PathBuf::from("of a lock");
        let mut out = Cursor::new(Vec::new());
        let done = compile::compile(stanzas.concat().as_bytes(), &mut out);
        let done = done.map_err(|error| match error {
            CompileError::Read(source) | CompileError::Write(source) => {
                IndexError::Corrupt { path: path.clone(), source }
            }
            CompileError::TooLarge(what) => IndexError::TooLarge { path: path.clone(), what },
        })?;
        if done.records != stanzas.len() {
            return Err(IndexError::Damaged { path, why: "a package's control data is no entry" });
        }
        Self::in_memory(out.get_ref(), path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmc_types::Sha256;

    #[test]
    fn a_packages_own_words_become_its_entry_and_never_more() {
        let control = "Package: hello\nVersion: 2\nArchitecture: amd64\nDepends: libc6 (>= 2),\n libx1\n\
                       Filename: ../evil\nSHA256: 00\nDescription: x\n";
        let checksum = Checksum::Sha256(Sha256::from_bytes([7; 32]));
        let stanza = stanza(control, "pool/hello.deb", 5, &checksum);
        let index = PackageIndex::of_stanzas(&[stanza]).unwrap();
        let looked_at = index.packages("hello", |row| {
            assert_eq!((row.version, row.filename, row.size), ("2", "pool/hello.deb", 5));
            assert_eq!((row.checksum, row.depends), (checksum, "libc6 (>= 2),\n libx1"));
        });
        assert_eq!(looked_at.unwrap().len(), 1);
    }

    #[test]
    fn control_data_that_is_no_entry_is_refused() {
        let checksum = Checksum::Sha256(Sha256::from_bytes([7; 32]));
        let nameless = stanza("Version: 2\n", "pool/hello.deb", 5, &checksum);
        assert!(matches!(PackageIndex::of_stanzas(&[nameless]), Err(IndexError::Damaged { .. })));
        assert!(PackageIndex::of_stanzas(&[]).unwrap().is_empty());
    }
}
