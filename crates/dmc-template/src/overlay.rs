//! The files of a template's own folder that go into the image.
//!
//! `files/etc/x` becomes `/etc/x`, and so does `private.d/etc/x`, which wins: what is private to a
//! site stays out of the repository. Names may hold placeholders. Modes on disk are not asked, as git and umask change them.

use crate::{ArchPath, TemplateError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bytes of one file, and whether they are from `private.d/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OverlayFile {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) private: bool,
}

/// The text of a template.
pub(crate) const TEXT: &str = "template.toml";

/// The folder of what tests use; nothing of it goes into the image.
pub(crate) const TESTS: &str = "tests/";

/// Sorts the files of a folder; `template.toml` and README files stay out.
pub(crate) fn read(
    origin: &str,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<ArchPath, OverlayFile>, TemplateError> {
    let mut overlay = BTreeMap::new();
    // `files/` sorts before `private.d/`, so that the latter replaces the former.
    for (file, bytes) in files {
        let (path, private) = match file.split_once('/') {
            Some(("files", path)) => (path, false),
            Some(("private.d", path)) => (path, true),
            None if file == TEXT || file.starts_with("README") => continue,
            _ => return Err(TemplateError::StrayFile { origin: origin.to_owned(), file }),
        };
        let path = match ArchPath::try_from(format!("/{path}")) {
            Ok(path) => path,
            Err(source) => {
                let origin = origin.to_owned();
                return Err(TemplateError::OverlayPath { origin, file, source });
            }
        };
        overlay.insert(path, OverlayFile { bytes: bytes.into(), private });
    }
    Ok(overlay)
}
