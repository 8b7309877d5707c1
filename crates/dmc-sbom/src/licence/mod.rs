//! Licences, as Debian's copyright files tell them.
//!
//! A machine-readable file (DEP-5, "Machine-readable debian/copyright file" 1.0) names a licence
//! for each group of source files; a package is under all of them together. Debian's short names
//! become SPDX's by a table of the configuration; what has no entry there becomes a
//! `LicenseRef-…` with the text that the copyright file gives. Other copyright files are not
//! guessed at: they are told by name.

mod copyright;
mod expression;
mod names;

pub use copyright::{Copyright, CopyrightError};
pub use expression::Expression;
pub use names::{Denied, Names};

/// Under which licences a package is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Licensing {
    /// As its copyright file says.
    Known(Copyright),
    /// Its copyright file is not machine-readable.
    Unread(CopyrightError),
    /// It has none in the image.
    Missing,
}

impl Licensing {
    /// What a copyright file says.
    pub fn read(text: &[u8]) -> Self {
        match Copyright::parse(text) {
            Ok(copyright) => Self::Known(copyright),
            Err(error) => Self::Unread(error),
        }
    }

    /// The licences, where they are known.
    pub fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Known(copyright) => Some(&copyright.expression),
            Self::Unread(_) | Self::Missing => None,
        }
    }
}
