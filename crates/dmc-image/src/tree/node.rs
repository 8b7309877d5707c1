//! One file, folder or link of a tree, and where its contents come from.

use crate::sha256::sha256;
use dmc_types::{ImagePath, Sha1, Sha256, UnixTime};
use sha1::Digest as _;
use std::sync::Arc;

/// One file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Permission bits, at most 0o7777; sticky on folders only, never setuid or setgid.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Modification time in seconds since 1970.
    pub time: UnixTime,
    /// What it is.
    pub kind: NodeKind,
}

impl Node {
    /// A folder of root's, mode 0755.
    pub const fn directory(time: UnixTime) -> Self {
        Self { mode: 0o755, uid: 0, gid: 0, time, kind: NodeKind::Directory }
    }

    /// A regular file of root's, mode 0644.
    pub const fn file(content: Content, time: UnixTime) -> Self {
        Self { mode: 0o644, uid: 0, gid: 0, time, kind: NodeKind::File(content) }
    }

    /// A symbolic link of root's, mode 0777 as Linux has it.
    pub fn symlink(target: impl Into<Vec<u8>>, time: UnixTime) -> Self {
        Self { mode: 0o777, uid: 0, gid: 0, time, kind: NodeKind::Symlink(target.into()) }
    }

    /// Whether this is a folder.
    pub const fn is_directory(&self) -> bool {
        matches!(self.kind, NodeKind::Directory)
    }
}

/// What a node is. Device nodes, sockets and pipes have no place in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A folder.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link, with its target as it is written.
    Symlink(Vec<u8>),
    /// Another name of a regular file of the tree; takes that file's mode, owner and time.
    Hardlink(ImagePath),
}

impl NodeKind {
    /// The kind in words, for messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Directory => "folder",
            Self::File(_) => "file",
            Self::Symlink(_) => "symbolic link",
            Self::Hardlink(_) => "hard link",
        }
    }
}

/// The contents of a regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In memory: generated files and overlays.
    Inline(Arc<[u8]>),
    /// In the caller's store.
    Stored(StoredContent),
}

impl Content {
    /// Length in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Stored(stored) => stored.size,
        }
    }

    /// SHA-256 of the contents; computed anew on each call for those in memory.
    pub fn digest(&self) -> Sha256 {
        match self {
            Self::Inline(bytes) => sha256(bytes),
            Self::Stored(stored) => stored.digest,
        }
    }

    /// SHA-1 of the contents, as [`Content::digest`].
    pub fn sha1(&self) -> Sha1 {
        match self {
            Self::Inline(bytes) => Sha1::from_bytes(sha1::Sha1::digest(bytes).into()),
            Self::Stored(stored) => stored.sha1,
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Inline(bytes.into())
    }
}

/// Contents that the caller's store keeps: `size` bytes at `offset` of an object.
///
/// `object` and `offset` are the caller's words (the digest of a .deb and `FileFacts::offset`);
/// here they are only handed back to [`ContentSource::append`] and shown in errors. The layer
/// depends on `size` and `digest` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContent {
    /// SHA-256 of the contents.
    pub digest: Sha256,
    /// SHA-1 of the contents; on the caller's word.
    pub sha1: Sha1,
    /// Length in bytes.
    pub size: u64,
    /// What holds them.
    pub object: Sha256,
    /// Where in it they begin.
    pub offset: u64,
}

/// Whatever went wrong in the caller's store.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Where stored contents come from. Asked from several threads at once.
pub trait ContentSource: Sync {
    /// Appends exactly `content.size` bytes to `into`. Size and digest are checked by the caller
    /// of this method, so an implementation need not.
    fn append(&self, content: &StoredContent, into: &mut Vec<u8>) -> Result<(), SourceError>;

    /// Passes the same bytes on, in parts of any size.
    fn pass(&self, content: &StoredContent, to: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        let mut bytes = Vec::new();
        self.append(content, &mut bytes)?;
        to(&bytes);
        Ok(())
    }
}
