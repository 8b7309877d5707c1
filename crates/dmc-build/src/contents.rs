//! The store, as the image room sees it: contents of files, and compressed pieces of layers.

use dmc_archive::Store;
use dmc_image::{ContentSource, PieceKey, PieceStore, SourceError, StoredContent};
use std::io;

/// Contents and pieces of one store.
#[derive(Debug, Clone)]
pub(crate) struct StoreContents {
    pub(crate) store: Store,
    /// Whether pieces that are there may be taken; else each is compressed again.
    pub(crate) takes_pieces: bool,
}

impl ContentSource for StoreContents {
    fn append(&self, content: &StoredContent, into: &mut Vec<u8>) -> Result<(), SourceError> {
        let contents = self.store.contents(&content.object)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "the package's contents are not in the store")
        })?;
        Ok(contents.append(content.offset, content.size, into)?)
    }
}

impl PieceStore for StoreContents {
    fn get(&self, key: &PieceKey) -> Option<Vec<u8>> {
        let known = self.takes_pieces.then(|| self.store.piece(key.as_sha256()).ok())?;
        known.flatten()
    }

    fn put(&self, key: &PieceKey, value: &[u8]) {
        // A cache: what cannot be kept is compressed again next time.
        if let Err(error) = self.store.put_piece(key.as_sha256(), value) {
            tracing::debug!(%error, "a piece of a layer is not kept");
        }
    }
}
