//! An OCI image layout on disk, shared by all templates and by several dmc at once.
//!
//! `oci-layout`, `index.json` and `blobs/sha256/DIGEST`. Whatever is written goes to a temporary
//! file in the layout's folder first and is renamed when it is complete, so that a reader sees the
//! old or the new and an interrupted run leaves nothing but a file that [`Layout::collect_garbage`]
//! removes. `index.json` is changed under a lock on `oci-layout`. Modes of files do not depend on the umask.
//! Layers and `index.json` reach the disk before they are renamed, as later runs trust a layer of
//! the right size; the few small documents are compared byte for byte whenever they are written.
//! Follows the OCI image specification 1.1, "Image Layout".

mod artifacts;
mod blobs;
mod check;
mod error;
mod files;
mod garbage;
mod memory;
mod planned;
mod reference;
mod refs;

pub use artifacts::{Document, PREDICATE_TYPE};
pub use blobs::IncomingBlob;
pub use check::{Checked, Unsound};
pub use error::LayoutError;
pub use files::{ImageFile, ImageFileKind, ImageFiles};
pub use garbage::Collected;
pub use memory::IndexMemory;
pub use reference::{RefName, Reference, TagError};
pub use refs::{CONTAINERD_NAME, REF_NAME};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use tempfile::NamedTempFile;

/// What a temporary file's name begins with.
const TEMPORARY: &str = ".dmc-";

/// Most that is read of `oci-layout`.
const MARKER_LIMIT: u64 = 4 << 10;

/// Most that is read of any index or manifest: some 50,000 references.
const DOCUMENT_LIMIT: u64 = 16 << 20;

/// An OCI image layout.
#[derive(Debug, Clone)]
pub struct Layout {
    root: Utf8PathBuf,
    memory: IndexMemory,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

impl Layout {
    /// Opens the layout at `root`.
    ///
    /// # Errors
    /// [`LayoutError::NotALayout`] where there is none.
    pub fn open(root: impl Into<Utf8PathBuf>) -> Result<Self, LayoutError> {
        let layout = Self { root: root.into(), memory: IndexMemory::default() };
        layout.accept(layout.marker()?)?;
        Ok(layout)
    }

    /// Opens the layout at `root`, or makes one where there is nothing or an empty folder.
    ///
    /// # Errors
    /// [`LayoutError::NotALayout`] for a folder with other contents.
    pub fn open_or_create(root: impl Into<Utf8PathBuf>) -> Result<Self, LayoutError> {
        let layout = Self { root: root.into(), memory: IndexMemory::default() };
        let mut marker = layout.marker()?;
        if marker.is_none() {
            create_folder(&layout.root)?;
            layout.create()?;
            marker = layout.marker()?;
        }
        layout.accept(marker)?;
        let blobs = layout.root.join("blobs/sha256");
        if !blobs.is_dir() {
            create_folder(&blobs)?;
        }
        Ok(layout)
    }

    fn accept(&self, marker: Option<Marker>) -> Result<(), LayoutError> {
        let path = || self.root.clone();
        match marker {
            None => Err(LayoutError::NotALayout { path: path() }),
            Some(marker) if marker.image_layout_version == "1.0.0" => Ok(()),
            Some(Marker { image_layout_version: version }) => {
                Err(LayoutError::Version { path: path(), version })
            }
        }
    }

    /// The same layout, with what is remembered of its `index.json` from other openings.
    #[must_use]
    pub fn remembering(self, memory: &IndexMemory) -> Self {
        Self { memory: memory.clone(), ..self }
    }

    /// The folder.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    fn create(&self) -> Result<(), LayoutError> {
        let listing =
            self.root.read_dir_utf8().map_err(|e| LayoutError::io("read", &self.root, e))?;
        let foreign = listing
            .flatten()
            .any(|item| item.file_name() != "blobs" && !item.file_name().starts_with(TEMPORARY));
        // Another dmc may have made the layout just now.
        if foreign && self.marker()?.is_none() {
            return Err(LayoutError::NotALayout { path: self.root.clone() });
        }
        let path = self.root.join("oci-layout");
        self.write_new(&path, br#"{"imageLayoutVersion":"1.0.0"}"#)
    }

    fn marker(&self) -> Result<Option<Marker>, LayoutError> {
        let path = self.root.join("oci-layout");
        match read_bounded(&path, MARKER_LIMIT)? {
            None => Ok(None),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| LayoutError::Json { path, source }),
        }
    }

    /// A temporary file that can be renamed to any place of the layout.
    fn temporary(&self) -> Result<NamedTempFile, LayoutError> {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(&self.root)
            .and_then(|file| {
                // The umask was applied to the permissions above.
                file.as_file().set_permissions(Permissions::from_mode(0o644))?;
                Ok(file)
            })
            .map_err(|e| LayoutError::io("write in", &self.root, e))
    }

    fn write_replacing(&self, path: &Utf8Path, bytes: &[u8]) -> Result<(), LayoutError> {
        let mut file = self.temporary()?;
        file.write_all(bytes).map_err(|e| LayoutError::io("write", path, e))?;
        file.persist(path).map(drop).map_err(|e| LayoutError::io("write", path, e.error))
    }

    fn write_durably(&self, path: &Utf8Path, bytes: &[u8]) -> Result<(), LayoutError> {
        let failed = |e| LayoutError::io("write", path, e);
        let mut file = self.temporary()?;
        file.write_all(bytes).map_err(failed)?;
        file.as_file().sync_data().map_err(failed)?;
        file.persist(path).map(drop).map_err(|e| failed(e.error))
    }

    /// Leaves a file that is there already as it is.
    fn write_new(&self, path: &Utf8Path, bytes: &[u8]) -> Result<(), LayoutError> {
        let mut file = self.temporary()?;
        file.write_all(bytes).map_err(|e| LayoutError::io("write", path, e))?;
        match file.persist_noclobber(path) {
            Err(e) if e.error.kind() != io::ErrorKind::AlreadyExists => {
                Err(LayoutError::io("write", path, e.error))
            }
            _ => Ok(()),
        }
    }

    /// Alone with the layout until the file is dropped.
    fn lock(&self) -> Result<File, LayoutError> {
        let (path, file) = self.lock_file()?;
        file.lock().map_err(|e| LayoutError::io("lock", &path, e))?;
        Ok(file)
    }

    /// Together with others that share, until the file is dropped.
    fn lock_shared(&self) -> Result<File, LayoutError> {
        let (path, file) = self.lock_file()?;
        file.lock_shared().map_err(|e| LayoutError::io("lock", &path, e))?;
        Ok(file)
    }

    fn lock_file(&self) -> Result<(Utf8PathBuf, File), LayoutError> {
        let path = self.root.join("oci-layout");
        match File::open(&path) {
            Ok(file) => Ok((path, file)),
            Err(e) => Err(LayoutError::io("read", &path, e)),
        }
    }
}

fn create_folder(path: &Utf8Path) -> Result<(), LayoutError> {
    fs::create_dir_all(path).map_err(|e| LayoutError::io("create", path, e))
}

/// The whole of a file, if it is there and not larger than `limit`.
fn read_bounded(path: &Utf8Path, limit: u64) -> Result<Option<Vec<u8>>, LayoutError> {
    let failed = |e| LayoutError::io("read", path, e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let size = file.metadata().map_err(failed)?.len();
    if size > limit {
        return Err(LayoutError::TooLarge { path: path.to_owned(), size, limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    // It may grow while it is read.
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
