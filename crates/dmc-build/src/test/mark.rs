//! What says that an image's tests hold.
//!
//! Beside the image's record, in `dmc/HEX.tested.json` by the digest of the platform's manifest.
//! It is removed when tests begin and written when all of them hold. Nothing of it is in the image.

use crate::error::BuildError;
use crate::record;
use camino::Utf8PathBuf;
use dmc_image::Layout;
use dmc_types::{Arch, Sha256, TemplateName};
use serde::{Deserialize, Serialize};
use std::io;

/// Which tests of an image hold, and who found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestMark {
    /// The template whose tests they are.
    pub template: TemplateName,
    /// The image's architecture.
    pub arch: Arch,
    /// The engine and its version, as it says them.
    pub engine: String,
    /// The version of dmc.
    pub dmc: String,
    /// The tests.
    pub tests: Vec<String>,
}

impl TestMark {
    fn path(layout: &Layout, manifest: &Sha256) -> Utf8PathBuf {
        layout.root().join(record::ImageRecord::FOLDER).join(format!("{manifest}.tested.json"))
    }

    pub(super) fn write(&self, layout: &Layout, manifest: &Sha256) -> Result<(), BuildError> {
        record::write(layout, &Self::path(layout, manifest), self)
    }

    /// Takes the mark away, if there is one.
    pub(super) fn remove(layout: &Layout, manifest: &Sha256) -> Result<(), BuildError> {
        let path = Self::path(layout, manifest);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(BuildError::WriteRecord { path, source })
            }
            _ => Ok(()),
        }
    }

    /// The mark of the image with this manifest, if its tests held.
    pub(crate) fn read(layout: &Layout, manifest: &Sha256) -> Option<Self> {
        let json = std::fs::read(Self::path(layout, manifest)).ok()?;
        serde_json::from_slice(&json).ok()
    }
}
