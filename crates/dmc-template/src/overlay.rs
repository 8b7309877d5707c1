//! The files of a template's own folder that go into the image.
//!
//! `files/etc/x` becomes `/etc/x`, and so does `private.d/etc/x`, which wins: what is private to a
//! site stays out of the repository. `files-arm64/usr/bin/x` is `/usr/bin/x` on arm64 alone, where it
//! wins over `files/`: programs that were built elsewhere. Names may hold placeholders. Modes on disk
//! are not asked, as git and umask change them.

use crate::{ArchPath, TemplateError};
use dmc_types::Arch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bytes of one file, and whether they are from `private.d/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OverlayFile {
    pub(crate) bytes: ArchBytes,
    pub(crate) private: bool,
}

/// Bytes that may differ by architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ArchBytes {
    /// On all that have none of their own.
    every: Option<Arc<[u8]>>,
    own: BTreeMap<Arch, Arc<[u8]>>,
}

impl ArchBytes {
    /// The same on all architectures.
    pub(crate) fn every(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { every: Some(bytes.into()), own: BTreeMap::new() }
    }

    /// The bytes on an architecture; none where there is no file.
    pub(crate) fn on(&self, arch: Arch) -> Option<&Arc<[u8]>> {
        self.own.get(&arch).or(self.every.as_ref())
    }
}

/// The text of a template.
pub(crate) const TEXT: &str = "template.toml";

/// The folder of what tests use; nothing of it goes into the image.
pub(crate) const TESTS: &str = "tests/";

/// The folder of what a cluster mounts; nothing of it goes into the image either.
pub(crate) const DEPLOY: &str = "deploy/";

/// Sorts the files of a folder; `template.toml` and README files stay out.
pub(crate) fn read(
    origin: &str,
    files: BTreeMap<&str, &[u8]>,
) -> Result<BTreeMap<ArchPath, OverlayFile>, TemplateError> {
    let mut overlay: BTreeMap<ArchPath, OverlayFile> = BTreeMap::new();
    // `files…/` sorts before `private.d/`, so that the latter replaces the former.
    for (file, bytes) in files {
        let (folder, path) = match file.split_once('/') {
            Some((folder, path)) => (Folder::of(folder), path),
            None if file == TEXT || file.starts_with("README") => continue,
            None => (None, ""),
        };
        let Some(folder) = folder else {
            let (origin, file) = (origin.to_owned(), file.to_owned());
            return Err(TemplateError::StrayFile { origin, file });
        };
        let path = match ArchPath::try_from(format!("/{path}")) {
            Ok(path) => path,
            Err(source) => {
                let (origin, file) = (origin.to_owned(), file.to_owned());
                return Err(TemplateError::OverlayPath { origin, file, source });
            }
        };
        let entry = overlay.entry(path).or_default();
        match folder {
            Folder::Every => entry.bytes.every = Some(bytes.into()),
            Folder::On(arch) => drop(entry.bytes.own.insert(arch, bytes.into())),
            Folder::Private => {
                *entry = OverlayFile { bytes: ArchBytes::every(bytes), private: true };
            }
        }
    }
    Ok(overlay)
}

/// The folders that hold files of the image.
enum Folder {
    Every,
    On(Arch),
    Private,
}

impl Folder {
    fn of(name: &str) -> Option<Self> {
        match name {
            "files" => Some(Self::Every),
            "private.d" => Some(Self::Private),
            _ => name.strip_prefix("files-")?.parse().ok().map(Self::On),
        }
    }
}
