//! A file tree to OCI blobs, the same bytes each time.
//!
//! The way of the data: a [`FileTree`] is filled, checked at every step, and sealed; the
//! [`SealedTree`] becomes a tar, cut into pieces that are compressed once in their life
//! ([`layer`]); layer, configuration and manifest ([`oci`]) are blobs of an image layout on disk
//! ([`Layout`]), from which [`archive`] writes one image as a single file that every engine loads.
//!
//! Bytes depend on the tree and on nothing else: no clock, no umask, no number of threads, no
//! state of a cache. Where contents and cached pieces come from is the caller's business
//! ([`ContentSource`], [`PieceStore`]); what they return is checked here.

pub mod archive;
pub mod layer;
pub mod layout;
pub mod oci;
mod sha256;
mod tar;
pub mod tree;

pub use layer::{Layer, LayerError, NoPieces, PieceKey, PieceStore, PieceValue};
pub use layout::{Layout, LayoutError, RefName, Reference};
pub use tree::{
    Content, ContentSource, FileTree, Node, NodeKind, SealedTree, SourceError, StoredContent,
    TreeError,
};
