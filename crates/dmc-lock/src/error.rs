//! What can be wrong with the text of a lock.

use crate::names::TextError;

/// Why a text is no lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// It is longer than any lock is.
    #[error("it has more than {} MiB", .limit >> 20)]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// It is not text.
    #[error("line {line} is not UTF-8")]
    NotText {
        /// The first such line, from 1.
        line: usize,
    },
    /// It is not TOML, or not the TOML of a lock.
    #[error("line {line}: {what}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// Another version of the format.
    #[error("it has version {found} of the format; this dmc reads version {known}")]
    Version {
        /// What it says.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// A name or value is not what it should be.
    #[error("{place}: the {key} is wrong")]
    Value {
        /// The table or entry.
        place: String,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        source: TextError,
    },
    /// A key that must be there is not, or one that must not be is.
    #[error("{place}: {what}")]
    Shape {
        /// The table or entry.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A name leads nowhere.
    #[error("{place} names `{name}`, which the lock does not have")]
    Dangling {
        /// Where the name stands.
        place: String,
        /// The name.
        name: String,
    },
}

impl LockError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Version { found, known } if found > known => {
                "a newer dmc wrote it: use that one, or make the lock anew with `dmc lock -t …`"
            }
            _ => {
                "take the file back from version control, or put it away and make it anew with `dmc lock -t …`"
            }
        }
    }
}
