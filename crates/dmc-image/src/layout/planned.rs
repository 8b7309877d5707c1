//! The files of an image as its tree has them, before or after it is written.
//!
//! What [`Layout::files`](super::Layout::files) finds in the layer of that tree, without reading
//! the layer: digests of stored contents are those that they were stored with.

use super::files::{ImageFile, ImageFileKind, ImageFiles};
use crate::layer::{LayerError, read_content};
use crate::tree::{ContentSource, NodeKind, SealedTree};
use dmc_types::ImagePath;

impl ImageFiles {
    /// The files of a tree; of those that `keep` names the contents too.
    ///
    /// # Errors
    /// [`LayerError::Source`] and [`LayerError::Corrupted`] for contents that are kept and are not
    /// what they should be.
    pub fn of_tree(
        tree: &SealedTree,
        source: &dyn ContentSource,
        keep: &dyn Fn(&ImagePath) -> bool,
    ) -> Result<Self, LayerError> {
        let mut files = Self::default();
        for (path, node) in tree.iter().filter(|(path, _)| !path.is_root()) {
            let kind = match &node.kind {
                NodeKind::Directory => ImageFileKind::Directory,
                NodeKind::Symlink(target) => ImageFileKind::Symlink(target.clone()),
                NodeKind::Hardlink(target) => ImageFileKind::Hardlink(target.relative().to_vec()),
                NodeKind::File(content) => {
                    if keep(path) {
                        files.kept.insert(path.clone(), read_content(path, content, source)?);
                    }
                    let (size, digest, sha1) = (content.size(), content.digest(), content.sha1());
                    ImageFileKind::File { size, digest, sha1 }
                }
            };
            let (mode, uid, gid) = (node.mode, node.uid.into(), node.gid.into());
            files.all.insert(path.clone(), ImageFile { mode, uid, gid, kind });
        }
        Ok(files)
    }
}
