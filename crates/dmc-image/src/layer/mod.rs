//! A tree as the one layer of an image.
//!
//! A gzip layer is a concatenation of gzip members, which is a gzip stream (RFC 1952, 2.2). Each
//! member is a piece of the tar: whole entries, cut by a pure function of the tree, compressed by
//! libdeflate at one level; the last member holds the two zero blocks that end a tar. A piece that
//! was compressed before is taken from the caller's [`PieceStore`], so a small change costs a
//! small piece and the hashing of the rest. A zstd layer is one plain frame, as frames of such
//! pieces are 5 to 11 % larger; a zstd:chunked layer has a frame for each file, so that a client
//! can fetch those alone that it lacks (the module `chunked`). The tar is the same in all of them.
//!
//! Pieces are made side by side and written in order; about 4 MiB of the tar are in memory at a
//! time, more only where one file is larger, and none of what is stored. Digests are taken while
//! the bytes pass.

mod chunked;
mod error;
mod gzip;
mod piece;

pub use chunked::{Section, Table};
pub use error::LayerError;
pub(crate) use piece::read_content;
pub use piece::{NoPieces, PieceKey, PieceStore, PieceValue};

use crate::oci::{Descriptor, media_type};
use crate::sha256::{Digesting, finish};
use crate::tar;
use crate::tree::{ContentSource, SealedTree};
use dmc_types::{Compression, Sha256, ZstdLevel};
use piece::Piece;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::io::Write;

/// Bytes of the tar that are made at a time.
const BATCH: u64 = 4 << 20;

/// What is known of a layer once it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// SHA-256 of the tar.
    pub diff_id: Sha256,
    /// SHA-256 of the compressed bytes.
    pub digest: Sha256,
    /// Length of the compressed bytes.
    pub size: u64,
    /// Length of the tar.
    pub uncompressed_size: u64,
    /// How it is compressed.
    pub compression: Compression,
    /// What a client reads first that fetches only the files that it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
}

impl Layer {
    /// OCI's name for this kind of layer.
    pub const fn media_type(&self) -> &'static str {
        match self.compression {
            Compression::Gzip => media_type::LAYER_GZIP,
            Compression::Zstd(_) | Compression::ZstdChunked(_) => media_type::LAYER_ZSTD,
        }
    }

    /// The layer in a manifest. A zstd layer carries the annotation by which the containers/image
    /// library knows it without reading it; else skopeo rewrites the manifest on a copy.
    pub fn descriptor(&self) -> Descriptor {
        let mut descriptor = Descriptor::new(self.media_type(), self.digest, self.size);
        if self.compression.is_zstd() {
            descriptor = descriptor.compressed_by_zstd();
        }
        if let Some(table) = &self.table {
            descriptor.annotations.extend(table.annotations());
        }
        descriptor
    }
}

/// A digest of all that a layer's bytes depend on, computed without reading any contents: equal
/// keys mean equal layers, so a caller that kept the [`Layer`] need not write it again.
pub fn layer_key(tree: &SealedTree, compression: Compression) -> Sha256 {
    let mut key = gzip::key_hasher();
    key.update(format!("layer 1, {compression}\n"));
    for piece in piece::cut(tree) {
        piece.add_to(&mut key);
    }
    finish(key)
}

/// Writes a tree as a layer. Runs on rayon's current thread pool.
///
/// # Errors
/// [`LayerError::Source`] and [`LayerError::Corrupted`] name the file and the object in the store;
/// what was written until then is to be thrown away.
pub fn write_layer(
    tree: &SealedTree,
    source: &dyn ContentSource,
    pieces: &dyn PieceStore,
    compression: Compression,
    out: &mut (dyn Write + Send),
) -> Result<Layer, LayerError> {
    let mut out = Digesting::new(out);
    let ((diff_id, uncompressed_size), table) = match compression {
        Compression::Gzip => (gzip::write(tree, source, pieces, &mut out)?, None),
        Compression::Zstd(level) => (write_zstd(tree, source, level, &mut out)?, None),
        Compression::ZstdChunked(level) => {
            let (tar, table) = chunked::write(tree, source, pieces, level, &mut out)?;
            (tar, Some(table))
        }
    };
    out.flush().map_err(LayerError::Write)?;
    let (digest, size) = out.finish();
    Ok(Layer { diff_id, digest, size, uncompressed_size, compression, table })
}

/// Encodes pieces side by side, the largest first so that no thread is left with it at the end,
/// and returns them in their order. What `encode` needs is made by `tool` once a thread.
fn side_by_side<'p, 'a, Tool, Encoded: Send>(
    batch: &'p [Piece<'a>],
    tool: impl Fn() -> Tool + Sync + Send,
    encode: impl Fn(&mut Tool, &'p Piece<'a>) -> Result<Encoded, LayerError> + Sync + Send,
) -> Result<Vec<Encoded>, LayerError> {
    let mut order: Vec<(usize, &Piece<'_>)> = batch.iter().enumerate().collect();
    order.sort_by_key(|(_, piece)| std::cmp::Reverse(piece.size));
    let mut encoded: Vec<(usize, Encoded)> = order
        .into_par_iter()
        .with_max_len(1)
        .map_init(tool, |tool, (at, piece)| Ok((at, encode(tool, piece)?)))
        .collect::<Result<_, LayerError>>()?;
    encoded.sort_by_key(|(at, _)| *at);
    Ok(encoded.into_iter().map(|(_, piece)| piece).collect())
}

/// Runs of pieces of about [`BATCH`] bytes; a larger piece comes alone.
fn batches<'p, 'a>(pieces: &'p [Piece<'a>]) -> impl Iterator<Item = &'p [Piece<'a>]> {
    let mut rest = pieces;
    std::iter::from_fn(move || {
        let mut total = 0_u64;
        let fitting = rest
            .iter()
            .take_while(|piece| {
                total = total.saturating_add(piece.size);
                total <= BATCH
            })
            .count();
        let (batch, after) = rest.split_at(fitting.max(1).min(rest.len()));
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

fn write_zstd(
    tree: &SealedTree,
    source: &dyn ContentSource,
    level: ZstdLevel,
    out: &mut dyn Write,
) -> Result<(Sha256, u64), LayerError> {
    let mut encoder = zstd::Encoder::new(out, i32::from(level.get())).map_err(LayerError::Write)?;
    encoder.include_checksum(true).map_err(LayerError::Write)?;
    let mut tar = Digesting::new(encoder);
    for piece in piece::cut(tree) {
        tar.write_all(&piece.plain(source)?).map_err(LayerError::Write)?;
    }
    tar.write_all(&tar::END).map_err(LayerError::Write)?;
    let (encoder, diff_id, size) = tar.into_parts();
    encoder.finish().map_err(LayerError::Write)?;
    Ok((diff_id, size))
}

#[cfg(test)]
mod tests;
