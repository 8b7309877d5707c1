//! The files of an image, checked as they come in.
//!
//! A [`FileTree`] takes nodes in any order and refuses what an image cannot or must not hold: two
//! different nodes for one path, a path below a file or below a link (so that under merged-/usr
//! every file has one spelling), names that delete files in a layer, setuid and setgid bits.
//! [`FileTree::seal`] adds missing folders and settles hard links; the [`SealedTree`] is complete
//! and sorted by the bytes of its paths, so that each folder comes before what it holds. Nothing
//! here reads contents.

mod error;
mod listing;
mod node;

pub use error::TreeError;
pub use node::{Content, ContentSource, Node, NodeKind, SourceError, StoredContent};

use dmc_types::{ImagePath, UnixTime};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Longest target of a symbolic link (`PATH_MAX` of Linux, which counts the final NUL).
const LONGEST_TARGET: usize = 4095;

/// A tree that is being filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileTree {
    nodes: BTreeMap<ImagePath, Node>,
}

impl FileTree {
    /// A tree without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a node at a path where nothing is yet. The same node twice is taken as one; so are
    /// two folders that differ in time alone, of which the newer time stays.
    pub fn insert(&mut self, path: ImagePath, node: Node) -> Result<(), TreeError> {
        self.check(&path, &node)?;
        match self.nodes.entry(path) {
            Entry::Vacant(place) => drop(place.insert(node)),
            Entry::Occupied(mut place) => {
                let path = place.key().clone();
                merge(&path, place.get_mut(), &node)?;
            }
        }
        Ok(())
    }

    /// Puts a node at a path, over whatever is there: an overlay wins. A folder that holds
    /// something can be replaced by a folder only.
    pub fn replace(&mut self, path: ImagePath, node: Node) -> Result<(), TreeError> {
        self.check(&path, &node)?;
        self.nodes.insert(path, node);
        Ok(())
    }

    /// The node at a path.
    pub fn get(&self, path: &ImagePath) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Every path and node, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Node)> {
        self.nodes.iter()
    }

    /// Completes the tree: each missing folder above a node is added (root's, mode 0755, with
    /// `time`), and of a file's names the first in order becomes the file, the others its hard
    /// links. `/` itself has an entry only where one was inserted: without it each engine chooses
    /// its own mode for the root (podman 0555, docker 0755).
    pub fn seal(mut self, time: UnixTime) -> Result<SealedTree, TreeError> {
        self.settle_hard_links()?;
        let missing: Vec<ImagePath> = self
            .nodes
            .keys()
            .flat_map(ImagePath::ancestors)
            .filter(|above| !above.is_root() && !self.nodes.contains_key(above))
            .collect();
        for folder in missing {
            self.nodes.insert(folder, Node::directory(time));
        }
        Ok(SealedTree { nodes: self.nodes })
    }

    fn settle_hard_links(&mut self) -> Result<(), TreeError> {
        let mut names: BTreeMap<ImagePath, Vec<ImagePath>> = BTreeMap::new();
        for (path, node) in &self.nodes {
            let NodeKind::Hardlink(target) = &node.kind else { continue };
            let found = match self.nodes.get(target).map(|node| &node.kind) {
                Some(NodeKind::File(_)) => {
                    names.entry(target.clone()).or_default().push(path.clone());
                    continue;
                }
                None => "not in the image",
                Some(NodeKind::Directory) => "a folder",
                Some(NodeKind::Symlink(_)) => "a symbolic link",
                Some(NodeKind::Hardlink(_)) => "a hard link itself",
            };
            let (path, target) = (path.clone(), target.clone());
            return Err(TreeError::Hardlink { path, target, found });
        }
        for (target, mut group) in names {
            let Some(file) = self.nodes.get(&target).cloned() else { continue };
            group.push(target);
            group.sort();
            let first = group.remove(0);
            for name in group {
                let kind = NodeKind::Hardlink(first.clone());
                self.nodes.insert(name, Node { kind, ..file.clone() });
            }
            self.nodes.insert(first, file);
        }
        Ok(())
    }

    fn check(&self, path: &ImagePath, node: &Node) -> Result<(), TreeError> {
        check_names(path, &node.kind)?;
        check_mode(path, node)?;
        self.check_place(path, node)
    }

    /// What is in the tree was checked when it came, so the nearest node above decides.
    fn check_place(&self, path: &ImagePath, node: &Node) -> Result<(), TreeError> {
        let above = std::iter::successors(path.parent(), ImagePath::parent)
            .find_map(|above| self.nodes.get_key_value(&above));
        if let Some((above, found)) = above
            && !found.is_directory()
        {
            return Err(below(path, above, found));
        }
        match self.first_below(path) {
            Some(lower) if !node.is_directory() => Err(below(lower, path, node)),
            _ => Ok(()),
        }
    }

    fn first_below(&self, path: &ImagePath) -> Option<&ImagePath> {
        // 1 is the smallest byte of a name; a path too long to be joined has nothing below it.
        let start = path.join([1]).ok()?;
        self.nodes
            .range(start..)
            .next()
            .map(|(found, _)| found)
            .filter(|found| found.is_within(path))
    }
}

fn below(path: &ImagePath, above: &ImagePath, node: &Node) -> TreeError {
    let (path, above) = (path.clone(), above.clone());
    TreeError::BelowNonDirectory { path, above, kind: node.kind.name() }
}

fn check_names(path: &ImagePath, kind: &NodeKind) -> Result<(), TreeError> {
    if path.parts().any(|part| part.starts_with(b".wh.")) {
        return Err(TreeError::Whiteout { path: path.clone() });
    }
    if path.is_root() && !matches!(kind, NodeKind::Directory) {
        return Err(TreeError::Root { kind: kind.name() });
    }
    let why = match kind {
        NodeKind::Symlink(target) if target.is_empty() => "is empty",
        NodeKind::Symlink(target) if target.contains(&0) => "has a NUL byte",
        NodeKind::Symlink(target) if target.len() > LONGEST_TARGET => "is longer than 4095 bytes",
        _ => return Ok(()),
    };
    Err(TreeError::Symlink { path: path.clone(), why })
}

fn check_mode(path: &ImagePath, node: &Node) -> Result<(), TreeError> {
    let why = match node.mode {
        mode if mode > 0o7777 => "more than permission bits",
        mode if mode & 0o4000 != 0 => "setuid files are not put into images",
        mode if mode & 0o2000 != 0 => "setgid files and folders are not put into images",
        mode if mode & 0o1000 != 0 && !node.is_directory() => "only folders can be sticky",
        _ => return Ok(()),
    };
    Err(TreeError::Mode { path: path.clone(), mode: node.mode, why })
}

fn merge(path: &ImagePath, there: &mut Node, new: &Node) -> Result<(), TreeError> {
    let newest = there.time.max(new.time);
    let same = *there == Node { time: there.time, ..new.clone() };
    if same && (there.is_directory() || there.time == new.time) {
        there.time = newest;
        return Ok(());
    }
    let (first, second) = (listing::short(there), listing::short(new));
    Err(TreeError::Clash { path: path.clone(), first, second })
}

/// A complete tree: every folder explicit, hard links after their file, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedTree {
    nodes: BTreeMap<ImagePath, Node>,
}

impl SealedTree {
    /// The node at a path.
    pub fn get(&self, path: &ImagePath) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Every path and node, in the order of the layer.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Node)> {
        self.nodes.iter()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Sum of the contents of all regular files, in bytes.
    pub fn contents_size(&self) -> u64 {
        self.nodes
            .values()
            .map(|node| if let NodeKind::File(content) = &node.kind { content.size() } else { 0 })
            .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
