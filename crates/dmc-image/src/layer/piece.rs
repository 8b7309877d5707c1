//! One piece of a layer: some whole members of the tar, and the gzip member they become.
//!
//! Where a piece begins is a function of the tree alone (see [`cut`]), so that a change somewhere
//! leaves the other pieces as they are. A piece's key names the bytes that go in and the way they
//! are compressed; what comes out is a function of the key, and a store of pieces only saves work.

use super::LayerError;
use crate::sha256::{finish, sha256};
use crate::tar::{self, Header, Kind};
use crate::tree::{Content, ContentSource, Node, NodeKind, SealedTree, StoredContent};
use dmc_types::{ImagePath, Sha256};
use libdeflater::{CompressionLvl, Compressor, crc32};
use sha2::Digest as _;
use std::fmt;
use std::ops::Range;

/// A file of this size or more is a piece of its own; smaller entries share pieces up to it.
const LARGEST_SHARED: u64 = 256 << 10;

/// Mean distance in bytes between cuts that the hash of a path asks for.
const CUT_DISTANCE: u64 = 512 << 10;

/// libdeflate's level. Part of the promise that equal trees give equal layers: a change changes
/// every digest.
const LEVEL: i32 = 6;

/// What every piece begins with: gzip, deflate, no name, no time, no flags, unknown system
/// (RFC 1952, 2.3).
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// CRC-32 and length of the uncompressed bytes, at the end of a gzip member.
const GZIP_TRAILER: usize = 8;

/// CRC-32 of the gzip member, after it in a value of the store.
const ENVELOPE: usize = 4;

/// Most memory that is set aside on the word of a size alone.
const LARGEST_RESERVED: usize = 64 << 20;

/// What a piece of the tar is called in a store of pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceKey(Sha256);

impl PieceKey {
    /// The key as a digest, over the format, the level, each header and each digest of contents.
    pub const fn as_sha256(&self) -> &Sha256 {
        &self.0
    }
}

impl fmt::Display for PieceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Pieces that were compressed earlier. Asked from several threads at once.
///
/// It is a cache: what it returns is checked, what it fails to keep is compressed again. The
/// values are opaque to it.
pub trait PieceStore: Sync {
    /// What was put under this key, if it is still there.
    fn get(&self, key: &PieceKey) -> Option<Vec<u8>>;

    /// Keeps a value under a key, replacing what is there.
    fn put(&self, key: &PieceKey, value: &[u8]);
}

/// A store that keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPieces;

impl PieceStore for NoPieces {
    fn get(&self, _: &PieceKey) -> Option<Vec<u8>> {
        None
    }

    fn put(&self, _: &PieceKey, _: &[u8]) {}
}

/// A path and what is there.
type Entry<'a> = (&'a ImagePath, &'a Node);

/// Some whole entries of a tree, next to each other in its order.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    entries: Vec<Entry<'a>>,
    /// Length of the tar members in bytes, without extended headers.
    pub(super) size: u64,
}

/// Cuts a tree into pieces.
///
/// A file of [`LARGEST_SHARED`] bytes or more stands alone. Others share a piece until the next
/// would make it larger than that, or until a cut: the hash of an entry's path, as a fraction,
/// is below the entry's share of [`CUT_DISTANCE`]. These cuts stand still while entries come and
/// go around them.
pub(super) fn cut(tree: &SealedTree) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let mut closed = true;
    for (path, node) in tree.iter() {
        let size = member_size(node);
        let alone = content(node).is_some_and(|content| content.size() >= LARGEST_SHARED);
        let full =
            pieces.last().is_none_or(|piece| piece.size.saturating_add(size) > LARGEST_SHARED);
        if closed || alone || full || cuts_before(path, size) {
            pieces.push(Piece { entries: Vec::new(), size: 0 });
        }
        if let Some(piece) = pieces.last_mut() {
            piece.entries.push((path, node));
            piece.size = piece.size.saturating_add(size);
        }
        closed = alone;
    }
    pieces
}

fn cuts_before(path: &ImagePath, size: u64) -> bool {
    let hash = sha256(path.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    u64::from(u32::from_be_bytes([a, b, c, d])) * CUT_DISTANCE < size << 32
}

fn member_size(node: &Node) -> u64 {
    let size = content(node).map_or(0, Content::size);
    size.saturating_add((tar::BLOCK + tar::padding(size)) as u64)
}

pub(super) const fn content(node: &Node) -> Option<&Content> {
    match &node.kind {
        NodeKind::File(content) => Some(content),
        _ => None,
    }
}

/// A piece as part of the tar, and compressed.
pub(super) struct Encoded {
    pub(super) plain: Vec<u8>,
    pub(super) gzip: Vec<u8>,
}

impl Piece<'_> {
    /// The piece as a gzip member: the stored one if it is intact and belongs to these very
    /// bytes, else compressed anew and stored.
    ///
    /// For a stored piece contents are compared with it by CRC-32 and length, not by SHA-256:
    /// they were verified when it was made. A decayed store is noticed either way, and decay that
    /// slipped through could only give a layer that its own digests contradict.
    pub(super) fn encode(
        &self,
        compressor: &mut Gzip,
        source: &dyn ContentSource,
        pieces: &dyn PieceStore,
    ) -> Result<Encoded, LayerError> {
        let Assembled { plain, key, members } = self.assemble(source, key_hasher())?;
        let stored = pieces.get(&key).and_then(|stored| unwrap(stored, &plain));
        if let Some(gzip) = stored {
            return Ok(Encoded { plain, gzip });
        }
        verify(&plain, &members)?;
        let mut gzip = compressor.compress(&plain)?;
        gzip.extend_from_slice(&crc32(&gzip).to_le_bytes());
        pieces.put(&key, &gzip);
        gzip.truncate(gzip.len() - ENVELOPE);
        Ok(Encoded { plain, gzip })
    }

    /// The piece as part of the tar, contents verified.
    pub(super) fn plain(&self, source: &dyn ContentSource) -> Result<Vec<u8>, LayerError> {
        let Assembled { plain, members, .. } = self.assemble(source, key_hasher())?;
        verify(&plain, &members)?;
        Ok(plain)
    }

    /// Reads the piece, contents not verified; `key` has taken in how it is to be compressed.
    pub(super) fn assemble(
        &self,
        source: &dyn ContentSource,
        mut key: sha2::Sha256,
    ) -> Result<Assembled<'_>, LayerError> {
        let capacity = usize::try_from(self.size).unwrap_or(usize::MAX).min(LARGEST_RESERVED);
        let mut plain = Vec::with_capacity(capacity);
        let mut members = Vec::new();
        for (path, node) in &self.entries {
            let head = plain.len();
            header(path, node).append_to(&mut plain);
            let body = plain.len();
            add_to_key(&mut key, &plain[head..], content(node));
            if let Some(content) = content(node) {
                append_content(path, content, source, &mut plain)?;
            }
            members.push(Member { path, node, body: body..plain.len() });
            tar::pad(&mut plain, content(node).map_or(0, Content::size));
        }
        Ok(Assembled { plain, key: PieceKey(finish(key)), members })
    }

    /// How many entries it holds.
    #[cfg(test)]
    pub(super) const fn paths(&self) -> usize {
        self.entries.len()
    }

    /// Feeds what the piece's key is made of to a key of the whole layer.
    pub(super) fn add_to(&self, key: &mut sha2::Sha256) {
        let mut head = Vec::new();
        for (path, node) in &self.entries {
            head.clear();
            header(path, node).append_to(&mut head);
            add_to_key(key, &head, content(node));
        }
    }
}

/// A piece as part of the tar, and what is where in it.
pub(super) struct Assembled<'a> {
    pub(super) plain: Vec<u8>,
    pub(super) key: PieceKey,
    pub(super) members: Vec<Member<'a>>,
}

/// One member of the tar in a piece.
pub(super) struct Member<'a> {
    pub(super) path: &'a ImagePath,
    pub(super) node: &'a Node,
    /// Where its contents are.
    pub(super) body: Range<usize>,
}

/// The start of a key: what the bytes depend on besides the entries.
pub(super) fn key_hasher() -> sha2::Sha256 {
    sha2::Sha256::new_with_prefix(format!("dmc piece 1, gzip {LEVEL}\n"))
}

fn add_to_key(key: &mut sha2::Sha256, head: &[u8], content: Option<&Content>) {
    // A header says by its own length and typeflag whether a digest follows.
    key.update(head);
    if let Some(content) = content {
        key.update(content.digest().as_bytes());
    }
}

pub(super) fn header<'a>(path: &'a ImagePath, node: &'a Node) -> Header<'a> {
    let (kind, link): (_, &[u8]) = match &node.kind {
        NodeKind::Directory => (Kind::Directory, b""),
        NodeKind::File(_) => (Kind::File, b""),
        NodeKind::Symlink(target) => (Kind::Symlink, target),
        NodeKind::Hardlink(target) => (Kind::Hardlink, target.relative()),
    };
    Header {
        name: path.relative(),
        mode: node.mode,
        uid: node.uid,
        gid: node.gid,
        size: content(node).map_or(0, Content::size),
        time: node.time,
        kind,
        link,
    }
}

fn append_content(
    path: &ImagePath,
    content: &Content,
    source: &dyn ContentSource,
    plain: &mut Vec<u8>,
) -> Result<(), LayerError> {
    let stored = match content {
        Content::Inline(bytes) => {
            plain.extend_from_slice(bytes);
            return Ok(());
        }
        Content::Stored(stored) => stored,
    };
    let start = plain.len();
    source.append(stored, plain).map_err(|source| LayerError::Source {
        path: path.clone(),
        object: stored.object,
        source,
    })?;
    match plain.get(start..) {
        Some(found) if found.len() as u64 == stored.size => Ok(()),
        found => Err(corrupted(path, stored, found.unwrap_or_default())),
    }
}

/// The contents of one file, verified.
pub(crate) fn read_content(
    path: &ImagePath,
    content: &Content,
    source: &dyn ContentSource,
) -> Result<Vec<u8>, LayerError> {
    let mut bytes = Vec::new();
    append_content(path, content, source, &mut bytes)?;
    match content {
        Content::Stored(stored) if sha256(&bytes) != stored.digest => {
            Err(corrupted(path, stored, &bytes))
        }
        _ => Ok(bytes),
    }
}

/// Compares what a store delivered with its digests.
pub(super) fn verify(plain: &[u8], members: &[Member<'_>]) -> Result<(), LayerError> {
    for Member { path, node, body, .. } in members {
        let Some(Content::Stored(stored)) = content(node) else { continue };
        let found = plain.get(body.clone()).unwrap_or_default();
        if sha256(found) != stored.digest {
            return Err(corrupted(path, stored, found));
        }
    }
    Ok(())
}

fn corrupted(path: &ImagePath, stored: &StoredContent, found: &[u8]) -> LayerError {
    LayerError::Corrupted {
        path: path.clone(),
        object: stored.object,
        wanted: stored.size,
        found: found.len() as u64,
    }
}

/// The gzip member in a value of the store, if it is whole and made of `plain`.
fn unwrap(mut stored: Vec<u8>, plain: &[u8]) -> Option<Vec<u8>> {
    let (gzip, envelope) = stored.split_last_chunk::<ENVELOPE>()?;
    let (_, trailer) = gzip.split_last_chunk::<GZIP_TRAILER>()?;
    let intact = gzip.starts_with(&GZIP_HEADER)
        && *trailer == gzip_trailer(plain)
        && *envelope == crc32(gzip).to_le_bytes();
    stored.truncate(stored.len() - ENVELOPE);
    intact.then_some(stored)
}

fn gzip_trailer(plain: &[u8]) -> [u8; GZIP_TRAILER] {
    // RFC 1952: the length modulo 2^32.
    let length = (plain.len() as u64 & u64::from(u32::MAX)) << 32;
    (length | u64::from(crc32(plain))).to_le_bytes()
}

/// libdeflate's state, made once a thread.
pub(super) struct Gzip(Compressor);

impl Gzip {
    pub(super) fn new() -> Self {
        Self(Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default()))
    }

    /// One gzip member. The frame is written here, so that it does not depend on libdeflate.
    pub(super) fn compress(&mut self, plain: &[u8]) -> Result<Vec<u8>, LayerError> {
        let bound = self.0.deflate_compress_bound(plain.len());
        let mut gzip = vec![0; GZIP_HEADER.len() + bound + GZIP_TRAILER];
        gzip[..GZIP_HEADER.len()].copy_from_slice(&GZIP_HEADER);
        let written = self
            .0
            .deflate_compress(plain, &mut gzip[GZIP_HEADER.len()..])
            .map_err(|_full| LayerError::Compress)?;
        gzip.truncate(GZIP_HEADER.len() + written);
        gzip.extend_from_slice(&gzip_trailer(plain));
        gzip.shrink_to_fit();
        Ok(gzip)
    }
}
