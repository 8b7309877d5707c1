//! What an image is made of, as documents: SPDX, `CycloneDX`, SLSA provenance, and licences.
//!
//! An [`Image`] says which files an image holds, which packages they are of and under which licences
//! these are; [`spdx`](spdx::write()) and [`cyclonedx`](cyclonedx::write()) write that down file by
//! file, [`provenance`] says what the image was built from. The same image gives the same bytes:
//! identifiers come from the manifest's digest, times from the image, and nothing says where or
//! when a document was written.
//!
//! | module | follows |
//! |---|---|
//! | [`spdx`] | SPDX 2.3, JSON |
//! | [`cyclonedx`] | `CycloneDX` 1.6, JSON |
//! | [`provenance`] | in-toto statement 1 with SLSA provenance 1 |
//! | [`purl`] | package URLs of type `deb` and `oci` |
//! | [`licence`] | Debian's machine-readable copyright files (DEP-5) |
//!
//! Touches neither disk nor network; what packages say of themselves is taken as hostile.

pub mod cyclonedx;
mod image;
pub mod licence;
pub mod provenance;
pub mod purl;
pub mod spdx;
#[cfg(test)]
mod tests;

pub use image::{Distribution, File, Image, Package};

use std::fmt;
use uuid::Uuid;

/// A kind of document about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SPDX 2.3.
    Spdx,
    /// `CycloneDX` 1.6.
    CycloneDx,
    /// SLSA provenance 1 in an in-toto statement.
    Provenance,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Spdx, Self::CycloneDx, Self::Provenance];

    /// Its media type, which is its artifact's type too.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Spdx => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Provenance => "application/vnd.in-toto+json",
        }
    }

    /// What it says as the predicate of a statement (in-toto's registry of predicates).
    pub const fn predicate_type(self) -> &'static str {
        match self {
            Self::Spdx => "https://spdx.dev/Document",
            Self::CycloneDx => "https://cyclonedx.org/bom",
            Self::Provenance => provenance::PREDICATE_TYPE,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Spdx => "spdx",
            Self::CycloneDx => "cyclonedx",
            Self::Provenance => "provenance",
        })
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// A name that makes no package URL.
    #[error("`{name}` makes no package URL")]
    Purl {
        /// The name.
        name: String,
        /// Why.
        source: packageurl::Error,
    },
}

impl SbomError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Purl { .. } => {
                "give the third-party archive or the vendor another name in the configuration"
                    .to_owned()
            }
        }
    }
}

/// The number of a document: UUID 5 of the manifest's digest, another one for each kind.
fn number(kind: Kind, image: &Image) -> Uuid {
    let name = format!("{} sha256:{}", kind.media_type(), image.manifest);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}
