//! One piece of a layer: some whole members of the tar.
//!
//! Where a piece begins is a function of the tree alone (see [`cut`]), so that a change somewhere
//! leaves the other pieces as they are. A piece's key names the bytes that go in and the way they
//! are compressed; what comes out is a function of the key, and a store of pieces only saves work.

use super::LayerError;
use crate::sha256::{finish, sha256};
use crate::tar::{self, Header, Kind};
use crate::tree::{Content, ContentSource, Node, NodeKind, SealedTree, StoredContent};
use dmc_types::{ImagePath, Sha256};
use sha2::Digest as _;
use std::fmt;
use std::io;
use std::ops::Range;

/// A file of this size or more is a piece of its own; smaller entries share pieces up to it.
const LARGEST_SHARED: u64 = 256 << 10;

/// Mean distance in bytes between cuts that the hash of a path asks for.
const CUT_DISTANCE: u64 = 512 << 10;

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
    /// Whether there is something under this key.
    fn has(&self, key: &PieceKey) -> bool;

    /// What was put under this key, if it is still there.
    fn get(&self, key: &PieceKey) -> Option<Box<dyn PieceValue>>;

    /// Keeps a value under a key, replacing what is there.
    fn put(&self, key: &PieceKey, value: &[u8]);
}

/// One value of a [`PieceStore`], the same bytes whenever it is read.
pub trait PieceValue {
    /// Its length in bytes.
    fn length(&self) -> u64;

    /// Passes all of it on, in parts of any size.
    fn pass(&self, to: &mut dyn FnMut(&[u8])) -> io::Result<()>;
}

/// A store that keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPieces;

impl PieceStore for NoPieces {
    fn has(&self, _: &PieceKey) -> bool {
        false
    }

    fn get(&self, _: &PieceKey) -> Option<Box<dyn PieceValue>> {
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

impl Piece<'_> {
    /// Its key among pieces of one kind, whose keys begin so.
    pub(super) fn key(&self, mut key: sha2::Sha256) -> PieceKey {
        self.add_to(&mut key);
        PieceKey(finish(key))
    }

    /// Passes the piece on, part by part, contents not verified. Returns its length in bytes.
    pub(super) fn pass(
        &self,
        source: &dyn ContentSource,
        to: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, LayerError> {
        let (mut total, mut frame) = (0, Vec::new());
        for (path, node) in &self.entries {
            header(path, node).append_to(&mut frame);
            if let Some(content) = content(node) {
                to(&frame);
                total += frame.len() as u64 + pass_content(path, content, source, to)?;
                frame.clear();
                tar::pad(&mut frame, content.size());
            }
        }
        to(&frame);
        Ok(total + frame.len() as u64)
    }

    /// The piece as part of the tar, contents verified.
    pub(super) fn plain(&self, source: &dyn ContentSource) -> Result<Vec<u8>, LayerError> {
        let Assembled { plain, members, .. } = self.assemble(source, sha2::Sha256::new())?;
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
        found => Err(corrupted(path, stored, found.unwrap_or_default().len() as u64)),
    }
}

/// The same, part by part. Returns how many bytes there were.
fn pass_content(
    path: &ImagePath,
    content: &Content,
    source: &dyn ContentSource,
    to: &mut dyn FnMut(&[u8]),
) -> Result<u64, LayerError> {
    let stored = match content {
        Content::Inline(bytes) => {
            to(bytes);
            return Ok(bytes.len() as u64);
        }
        Content::Stored(stored) => stored,
    };
    let mut passed = 0;
    let mut count = |bytes: &[u8]| {
        passed += bytes.len() as u64;
        to(bytes);
    };
    source.pass(stored, &mut count).map_err(|source| LayerError::Source {
        path: path.clone(),
        object: stored.object,
        source,
    })?;
    if passed == stored.size { Ok(passed) } else { Err(corrupted(path, stored, passed)) }
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
            Err(corrupted(path, stored, bytes.len() as u64))
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
            return Err(corrupted(path, stored, found.len() as u64));
        }
    }
    Ok(())
}

fn corrupted(path: &ImagePath, stored: &StoredContent, found: u64) -> LayerError {
    LayerError::Corrupted { path: path.clone(), object: stored.object, wanted: stored.size, found }
}
