//! A zstd layer of which a client fetches only the files that it lacks (`zstd:chunked`).
//!
//! Each file's contents are one zstd frame; what is between two of them in the tar, padding and
//! headers, is another. After the tar come three skippable frames (RFC 8878, 3.1.2): the [`table`] of
//! contents, which says where each file's frame is; the [`tar_split`], from which the very bytes of
//! the tar come back once the files are there; and a footer that says where the two are, as the
//! annotations of the layer do. Decoders of plain zstd skip them and read the whole tar.
//!
//! The format is that of the containers/storage library (podman, cri-o, buildah). A file is one
//! chunk: parts of it are not looked for in other files, as what a compiler makes of a changed
//! source shares next to nothing with what it made before, and every cut costs size.

mod crc64;
mod frames;
mod table;
mod tar_split;

pub use table::{Section, Table};

use super::{LayerError, PieceStore, batches, piece, side_by_side};
use crate::sha256::Digesting;
use crate::tar;
use crate::tree::{ContentSource, SealedTree};
use dmc_types::{Sha256, ZstdLevel};
use frames::{Frames, Zstd};
use std::io::{self, Write};
use table::Contents;

/// Writes a tree. Returns digest and length of the tar, and where the tables are.
pub(super) fn write(
    tree: &SealedTree,
    source: &dyn ContentSource,
    pieces: &dyn PieceStore,
    level: ZstdLevel,
    out: &mut (dyn Write + Send),
) -> Result<((Sha256, u64), Table), LayerError> {
    let mut plain = Digesting::new(io::sink());
    let mut contents = Contents::default();
    for batch in batches(&piece::cut(tree)) {
        let encode = |zstd: &mut Result<Zstd, LayerError>, piece| {
            let zstd = zstd.as_mut().map_err(|_none| LayerError::Compress)?;
            Frames::of(piece, zstd, source, pieces)
        };
        let frames = side_by_side(batch, || Zstd::new(level), encode)?;
        let (hashed, written) = rayon::join(
            || frames.iter().try_for_each(|piece| plain.write_all(&piece.plain)),
            || frames.iter().try_for_each(|piece| out.write_all(&piece.bytes)),
        );
        hashed.and(written).map_err(LayerError::Write)?;
        frames.iter().try_for_each(|piece| contents.add(piece))?;
    }
    plain.write_all(&tar::END).map_err(LayerError::Write)?;
    let mut zstd = Zstd::new(level)?;
    let end = zstd.compress(&tar::END)?;
    out.write_all(&end).map_err(LayerError::Write)?;
    let table = contents.write(end.len() as u64, &mut zstd, out)?;
    Ok((plain.finish(), table))
}
