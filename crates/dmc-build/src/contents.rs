//! The store, as the image room sees it: contents of files, and compressed pieces of layers.

use dmc_archive::Store;
use dmc_image::{ContentSource, PieceKey, PieceStore, SourceError, StoredContent};
use dmc_types::{FileFacts, Nature};
use std::io;

/// Contents and pieces of one store.
#[derive(Debug, Clone)]
pub(crate) struct StoreContents(pub(crate) Store);

impl ContentSource for StoreContents {
    fn append(&self, content: &StoredContent, into: &mut Vec<u8>) -> Result<(), SourceError> {
        let file = FileFacts {
            size: content.size,
            digest: content.digest,
            offset: content.offset,
            nature: Nature::Data,
        };
        let contents = self.0.contents(&content.object)?.ok_or_else(|| {
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
        self.0.piece(key.as_sha256()).ok().flatten()
    }

    fn put(&self, key: &PieceKey, value: &[u8]) {
        // A cache: what cannot be kept is compressed again next time.
        if let Err(error) = self.0.put_piece(key.as_sha256(), value) {
            tracing::debug!(%error, "a piece of a layer is not kept");
        }
    }
}
