//! apt's source lists (sources.list(5)), text to values.
//!
//! Both forms are read: paragraphs (`.sources`) and lines (`.list`). Only `deb` sources that are
//! switched on come out, and of those only what says where an archive is and whose keys it has.
//!
//! Trust switches (`trusted=yes`, `Check-Valid-Until: no` and the like) are never honoured. They
//! are listed in [`Source::ignored`] so that a caller can say so. A source with `Trusted: no` is
//! left out, as its owner does not want it.

mod deb822_form;
mod fields;
mod line_form;

use dmc_types::{Arch, Suite};
use fields::Fields;
use std::path::PathBuf;

/// One archive with its suites, as a source list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it begins in its file, from 1.
    pub line: usize,
    /// Base URIs, as written: `http://…`, `https://…`, `file:/…`, `mirror+…`, `cdrom:…`.
    pub uris: Vec<String>,
    /// Suites or codenames.
    pub suites: Vec<Suite>,
    /// Components.
    pub components: Vec<String>,
    /// Architectures that it is limited to, without those that this program does not know;
    /// none where it is not limited.
    pub archs: Option<Vec<Arch>>,
    /// Whose signature counts.
    pub signed_by: SignedBy,
    /// Switches that would lower the trust needed; not honoured.
    pub ignored: Vec<TrustSwitch>,
}

/// Whose signature counts for a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SignedBy {
    /// Any key that the machine's apt trusts (`/etc/apt/trusted.gpg.d`, `/etc/apt/trusted.gpg`).
    #[default]
    Machine,
    /// The keys in these files; those with these fingerprints, where any are named. Fingerprints
    /// without files are to be looked up among the machine's keys.
    Keys {
        /// Absolute paths of keyrings on the host.
        files: Vec<PathBuf>,
        /// Hexadecimal digits in whatever case; a final `!` asks for exactly that subkey.
        fingerprints: Vec<String>,
    },
    /// An armored key in the source itself.
    Inline(String),
}

/// A switch in a source that would lower the trust needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrustSwitch {
    /// `Trusted: yes`.
    Trusted,
    /// `Allow-Insecure: yes`.
    AllowInsecure,
    /// `Allow-Weak: yes`.
    AllowWeak,
    /// `Allow-Downgrade-To-Insecure: yes`.
    AllowDowngradeToInsecure,
    /// `Check-Valid-Until: no`.
    NoCheckValidUntil,
    /// `Check-Date: no`.
    NoCheckDate,
}

impl std::fmt::Display for TrustSwitch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Trusted => "Trusted: yes",
            Self::AllowInsecure => "Allow-Insecure: yes",
            Self::AllowWeak => "Allow-Weak: yes",
            Self::AllowDowngradeToInsecure => "Allow-Downgrade-To-Insecure: yes",
            Self::NoCheckValidUntil => "Check-Valid-Until: no",
            Self::NoCheckDate => "Check-Date: no",
        })
    }
}

/// What a source list says, and what of it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceList {
    /// Sources, in the order of the file.
    pub sources: Vec<Source>,
    /// Entries that were passed over.
    pub problems: Vec<SourceError>,
}

/// Why an entry of a source list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SourceError {
    /// The line in its file, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: SourceProblem,
}

/// What is wrong with an entry of a source list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceProblem {
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    NotText,
    /// A line that is neither field, comment nor continuation, or of an unknown type.
    #[error("`{text}` cannot be read")]
    Unreadable {
        /// The line, cut short.
        text: String,
    },
    /// A field that must be there is missing or empty.
    #[error("`{field}` is missing")]
    Missing {
        /// Its name in the deb822 form.
        field: &'static str,
    },
    /// A flat archive (a suite that ends in `/`), which has no components.
    #[error("`{suite}` is a flat archive, which is not supported")]
    Flat {
        /// The suite.
        suite: String,
    },
    /// A value that cannot be what its field asks for.
    #[error("`{value}` is not a value of `{field}`")]
    BadValue {
        /// The field's name in the deb822 form.
        field: &'static str,
        /// What it says, cut short.
        value: String,
    },
}

impl SourceError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.problem {
            SourceProblem::Flat { .. } => {
                "name the archive in the program's own configuration, or do without it"
            }
            _ => "see sources.list(5); the rest of the file was read",
        }
    }
}

impl SourceList {
    fn add(&mut self, fields: &Fields) {
        match fields.source() {
            Ok(Some(source)) => self.sources.push(source),
            Ok(None) => {}
            Err(problem) => self.problems.push(problem),
        }
    }
}

/// Reads a file in the deb822 form (`.sources`).
pub fn parse_sources(text: &[u8]) -> SourceList {
    as_text(text, deb822_form::parse)
}

/// Reads a file in the one-line form (`.list`).
pub fn parse_list(text: &[u8]) -> SourceList {
    as_text(text, line_form::parse)
}

fn as_text(bytes: &[u8], parse: fn(&str) -> SourceList) -> SourceList {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text),
        Err(error) => {
            let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1;
            let problems = vec![SourceError { line, problem: SourceProblem::NotText }];
            SourceList { sources: Vec::new(), problems }
        }
    }
}

#[cfg(test)]
mod tests;
