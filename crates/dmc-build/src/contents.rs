//! The store, as the image room sees it: contents of files, and compressed pieces of layers.

use dmc_archive::Store;
use dmc_image::{ContentSource, PieceKey, PieceStore, SourceError, StoredContent};
use dmc_types::{FileFacts, Nature};
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
        let file = FileFacts {
            size: content.size,
            digest: content.digest,
            offset: content.offset,
            nature: Nature::Data,
        };
        let contents = self.store.contents(&content.object)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "the package's contents are not in the store")
        })?;
        let mut bytes = Vec::new();
        contents.read(&file, &mut bytes)?;
        into.append(&mut bytes);
        Ok(())
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
