//! Blobs of a layout.

use super::{DOCUMENT_LIMIT, Layout, LayoutError, read_bounded};
use crate::layer::{Layer, LayerError, PieceStore, write_layer};
use crate::oci::{Annotations, Descriptor, ImageConfig, Index, Manifest, media_type};
use crate::sha256::{Digesting, sha256};
use crate::tree::{ContentSource, SealedTree};
use camino::Utf8PathBuf;
use dmc_types::{Compression, OciPlatform, Sha256};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::time::SystemTime;
use tempfile::NamedTempFile;

impl Layout {
    /// Where a blob is, or would be.
    pub fn blob_path(&self, digest: &Sha256) -> Utf8PathBuf {
        self.root.join("blobs/sha256").join(digest.to_string())
    }

    /// Whether a blob of that digest and size is there. Its bytes are not read, and nothing is
    /// written.
    pub fn has_blob(&self, digest: &Sha256, size: u64) -> bool {
        std::fs::metadata(self.blob_path(digest)).is_ok_and(|there| there.len() == size)
    }

    /// Whether a blob of that digest and size is there; if so, garbage collection spares it for
    /// a while even where nothing refers to it. Its bytes are not read.
    pub fn keep_blob(&self, digest: &Sha256, size: u64) -> Result<bool, LayoutError> {
        self.keep_blobs(&[(*digest, size)])
    }

    /// The same of several: whether all are there.
    pub fn keep_blobs(&self, blobs: &[(Sha256, u64)]) -> Result<bool, LayoutError> {
        // Not while garbage is collected: it must see the new time or have removed the blob.
        let _lock = self.lock_shared()?;
        let now = SystemTime::now();
        for (digest, size) in blobs {
            let path = self.blob_path(digest);
            let touched = File::open(&path).and_then(|file| {
                let there = file.metadata()?.len() == *size;
                if there {
                    file.set_modified(now)?;
                }
                Ok(there)
            });
            match touched {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(LayoutError::io("keep", &path, e)),
            }
        }
        Ok(true)
    }

    /// Writes a document, or leaves it where the same bytes are there.
    pub fn write_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, LayoutError> {
        let descriptor = Descriptor::of(media_type, bytes);
        let path = self.blob_path(&descriptor.digest);
        let there = self.keep_blob(&descriptor.digest, descriptor.size)?
            && read_bounded(&path, descriptor.size)?.is_some_and(|found| found == bytes);
        if !there {
            self.write_replacing(&path, bytes)?;
        }
        Ok(descriptor)
    }

    /// Begins a blob that comes from elsewhere.
    pub fn incoming(&self) -> Result<IncomingBlob, LayoutError> {
        Ok(IncomingBlob { file: self.temporary()?, layout: self.clone() })
    }

    /// Writes a tree as a layer's blob. A blob of the same name is replaced, so that a damaged
    /// one is healed.
    pub fn write_layer(
        &self,
        tree: &SealedTree,
        source: &dyn ContentSource,
        pieces: &dyn PieceStore,
        compression: Compression,
    ) -> Result<Layer, LayoutError> {
        let mut file = BufWriter::with_capacity(256 << 10, self.temporary()?);
        let layer = write_layer(tree, source, pieces, compression, &mut file);
        let layer = layer.map_err(|error| match error {
            LayerError::Write(source) => LayoutError::io("write in", &self.root, source),
            error => LayoutError::Layer(error),
        })?;
        let path = self.blob_path(&layer.digest);
        let failed = |e| LayoutError::io("write", &path, e);
        let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.as_file().sync_data().map_err(failed)?;
        file.persist(&path).map_err(|e| failed(e.error))?;
        Ok(layer)
    }

    /// Writes configuration and manifest of an image of one layer. Returns the manifest's
    /// descriptor with its platform, as an index lists it.
    pub fn write_image(
        &self,
        platform: OciPlatform,
        config: &ImageConfig,
        layer: &Layer,
        annotations: Annotations,
    ) -> Result<Descriptor, LayoutError> {
        let config = self.write_blob(media_type::CONFIG, &config.to_json())?;
        let manifest = Manifest::new(config, layer, annotations);
        let manifest = self.write_blob(media_type::MANIFEST, &manifest.to_json())?;
        let manifest = manifest.for_platform(platform);
        let zstd = layer.compression.is_zstd();
        Ok(if zstd { manifest.compressed_by_zstd() } else { manifest })
    }

    /// Writes an index of manifests.
    pub fn write_index(
        &self,
        manifests: Vec<Descriptor>,
        annotations: Annotations,
    ) -> Result<Descriptor, LayoutError> {
        self.write_blob(media_type::INDEX, &Index::new(manifests, annotations).to_json())
    }

    /// A document's bytes, at most 16 MiB, checked against its descriptor.
    pub fn read_blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let path = self.blob_path(&descriptor.digest);
        let bytes = read_bounded(&path, DOCUMENT_LIMIT)?.ok_or_else(|| self.missing(descriptor))?;
        if bytes.len() as u64 != descriptor.size || sha256(&bytes) != descriptor.digest {
            return Err(self.corrupted(descriptor));
        }
        Ok(bytes)
    }

    /// A document, read and checked as [`Layout::read_blob`] does.
    pub fn read_document<T: serde::de::DeserializeOwned>(
        &self,
        descriptor: &Descriptor,
    ) -> Result<T, LayoutError> {
        let bytes = self.read_blob(descriptor)?;
        let path = self.blob_path(&descriptor.digest);
        serde_json::from_slice(&bytes).map_err(|source| LayoutError::Json { path, source })
    }

    /// Passes a blob of any size on. It is checked while it passes: after an error, what was
    /// written is to be thrown away.
    pub fn copy_blob(
        &self,
        descriptor: &Descriptor,
        out: &mut dyn Write,
    ) -> Result<(), LayoutError> {
        let path = self.blob_path(&descriptor.digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(self.missing(descriptor)),
            Err(e) => return Err(LayoutError::io("read", &path, e)),
        };
        let mut out = Digesting::new(out);
        io::copy(&mut file.take(descriptor.size), &mut out)
            .map_err(|e| LayoutError::io("copy", &path, e))?;
        if out.finish() != (descriptor.digest, descriptor.size) {
            // A layer of the right size is not read again when its image is created: without
            // these bytes it is written anew. Where they cannot be removed, the error says enough.
            drop(std::fs::remove_file(self.blob_path(&descriptor.digest)));
            return Err(self.corrupted(descriptor));
        }
        Ok(())
    }

    pub(super) fn missing(&self, descriptor: &Descriptor) -> LayoutError {
        LayoutError::BlobMissing { layout: self.root.clone(), digest: descriptor.digest }
    }

    pub(super) fn corrupted(&self, descriptor: &Descriptor) -> LayoutError {
        LayoutError::BlobCorrupted { layout: self.root.clone(), digest: descriptor.digest }
    }
}

/// A blob on its way into a layout; gone again if it is dropped.
#[derive(Debug)]
pub struct IncomingBlob {
    file: NamedTempFile,
    layout: Layout,
}

impl IncomingBlob {
    /// Puts what was written into its place. The caller has checked its digest.
    pub fn keep(self, blob: &Descriptor) -> Result<(), LayoutError> {
        let path = self.layout.blob_path(&blob.digest);
        let failed = |e| LayoutError::io("write", &path, e);
        self.file.as_file().sync_data().map_err(failed)?;
        self.file.persist(&path).map(drop).map_err(|e| failed(e.error))
    }
}

impl Write for IncomingBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
