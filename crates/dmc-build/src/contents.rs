//! The store, as the image room sees it: contents of files, and compressed pieces of layers.

use dmc_archive::{Contents, Payload, Store};
use dmc_image::{ContentSource, PieceKey, PieceStore, PieceValue, SourceError, StoredContent};
use std::io;

/// Contents and pieces of one store.
#[derive(Debug, Clone)]
pub(crate) struct StoreContents {
    pub(crate) store: Store,
    /// Whether pieces that are there may be taken; else each is compressed again.
    pub(crate) takes_pieces: bool,
}

impl StoreContents {
    fn of(&self, content: &StoredContent) -> Result<Contents, SourceError> {
        let contents = self.store.contents(&content.object)?;
        let missing = "the package's contents are not in the store";
        contents.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, missing).into())
    }
}

impl ContentSource for StoreContents {
    fn append(&self, content: &StoredContent, into: &mut Vec<u8>) -> Result<(), SourceError> {
        Ok(self.of(content)?.append(content.offset, content.size, into)?)
    }

    fn pass(&self, content: &StoredContent, to: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        Ok(self.of(content)?.pass(content.offset, content.size, to)?)
    }
}

/// A compressed piece in the store.
struct Piece(Payload);

impl PieceValue for Piece {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn pass(&self, to: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.0.pass(to)
    }
}

impl PieceStore for StoreContents {
    fn has(&self, key: &PieceKey) -> bool {
        self.takes_pieces && self.store.has_piece(key.as_sha256())
    }

    fn get(&self, key: &PieceKey) -> Option<Box<dyn PieceValue>> {
        let known = self.takes_pieces.then(|| self.store.piece(key.as_sha256()).ok())?;
        Some(Box::new(Piece(known.flatten()?)))
    }

    fn put(&self, key: &PieceKey, value: &[u8]) {
        // A cache: what cannot be kept is compressed again next time.
        if let Err(error) = self.store.put_piece(key.as_sha256(), value) {
            tracing::debug!(%error, "a piece of a layer is not kept");
        }
    }
}
