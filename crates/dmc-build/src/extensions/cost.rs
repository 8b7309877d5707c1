//! What an extension costs: whatever is in the image only because of it.
//!
//! A file counts if no reason for it is left once the extension is taken off the list. What two
//! extensions share counts for neither, so the costs do not add up to that of all together. The
//! compressed size is measured: the files are packed as a layer of their own, for which most
//! pieces are at hand.

use super::Extension;
use crate::assemble::AssembleError;
use crate::error::BuildError;
use dmc_elf::{Closure, Edge, EdgeKind, Kept};
use dmc_image::layer::{PieceStore, write_layer};
use dmc_image::{ContentSource, FileTree, LayoutError, NodeKind, SealedTree};
use dmc_template::{ArchTemplate, Placed};
use dmc_types::{Compression, ImagePath, PackageName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The extensions of an image and what they cost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExtensionCosts {
    /// Each of them, in the template's order.
    pub each: Vec<ExtensionCost>,
    /// All of them.
    pub together: ExtensionCost,
}

/// What is in an image only because of an extension.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExtensionCost {
    /// The names by which it is listed: several where they are in one package.
    pub names: Vec<String>,
    /// Packages.
    pub packages: Vec<PackageName>,
    /// Files and links.
    pub files: usize,
    /// Their contents in bytes.
    pub size: u64,
    /// Bytes of the compressed layer.
    pub compressed: u64,
}

/// An image, and how its layer is made.
pub(crate) struct Made<'a, S> {
    pub(crate) closure: &'a Closure,
    pub(crate) template: &'a ArchTemplate,
    pub(crate) tree: &'a SealedTree,
    pub(crate) store: &'a S,
    pub(crate) compression: Compression,
}

/// What the extensions of an image cost; none where it has none.
pub(crate) fn costs<S: ContentSource + PieceStore>(
    made: &Made<'_, S>,
    extensions: &[Extension],
) -> Result<Option<ExtensionCosts>, BuildError> {
    if extensions.is_empty() {
        return Ok(None);
    }
    let reasons = Reasons::of(made.closure);
    let mut each = Vec::new();
    for extension in extensions {
        each.push(made.cost(&reasons, extensions, std::slice::from_ref(extension))?);
    }
    let together = made.cost(&reasons, extensions, extensions)?;
    Ok(Some(ExtensionCosts { each, together }))
}

impl<S: ContentSource + PieceStore> Made<'_, S> {
    /// The cost of `dropped`, some of all `extensions`.
    fn cost(
        &self,
        reasons: &Reasons<'_>,
        extensions: &[Extension],
        dropped: &[Extension],
    ) -> Result<ExtensionCost, BuildError> {
        let names: Vec<String> = dropped.iter().flat_map(|one| one.names.clone()).collect();
        let stays = |one: &&Extension| !dropped.iter().any(|gone| gone.names == one.names);
        let stay: BTreeSet<&ImagePath> =
            extensions.iter().filter(stays).flat_map(|one| &one.placed).collect();
        let placed: BTreeSet<&ImagePath> = dropped
            .iter()
            .flat_map(|one| &one.placed)
            .filter(|path| !stay.contains(path))
            .collect();
        let labels: BTreeSet<String> = dropped.iter().map(Extension::label).collect();
        let left = reasons.left(&labels, &self.copied_without(&placed));
        let shipped = self.closure.shipped();
        let packages: Vec<PackageName> =
            shipped.into_keys().filter(|name| !left.packages.contains(name)).collect();
        let records = packages.iter().flat_map(|name| {
            let path = format!("/var/lib/dpkg/status.d/{name}");
            [path.clone(), format!("{path}.md5sums")].map(ImagePath::parse)
        });
        let mut paths: BTreeSet<ImagePath> = records.filter_map(Result::ok).collect();
        paths.extend(self.closure.files.keys().filter(|path| !left.files.contains(path)).cloned());
        paths.extend(placed.into_iter().cloned());
        self.measure(&paths, names, packages)
    }

    /// Packages of which files are copied for other reasons than these placed paths.
    fn copied_without(&self, gone: &BTreeSet<&ImagePath>) -> Vec<&PackageName> {
        let mut users: BTreeMap<&ImagePath, Vec<&ImagePath>> = BTreeMap::new();
        for (path, placed) in &self.template.placed {
            for source in Placed::sources(placed) {
                users.entry(source).or_default().push(path);
            }
        }
        let stays = |path: &ImagePath| match users.get(path) {
            Some(users) => users.iter().any(|user| !gone.contains(user)),
            None => true,
        };
        let copied = self.closure.copied.iter().filter(|(path, _)| stays(path));
        copied.map(|(_, kept)| &kept.package().package).collect()
    }

    fn measure(
        &self,
        paths: &BTreeSet<ImagePath>,
        names: Vec<String>,
        packages: Vec<PackageName>,
    ) -> Result<ExtensionCost, BuildError> {
        let template = || self.template.name.to_string();
        let failed = |source| AssembleError::Tree { template: template(), source };
        let mut part = FileTree::new();
        let (mut files, mut time) = (0, 0);
        for (path, node) in paths.iter().filter_map(|path| Some((path, self.tree.get(path)?))) {
            // Another name of a file that stays costs nothing.
            let name = matches!(&node.kind, NodeKind::Hardlink(of) if !paths.contains(of));
            if !node.is_directory() && !name {
                part.insert(path.clone(), node.clone()).map_err(failed)?;
                (files, time) = (files + 1, node.time.max(time));
            }
        }
        if files == 0 {
            return Ok(ExtensionCost { names, packages, ..ExtensionCost::default() });
        }
        let part = part.seal(time).map_err(failed)?;
        let layer = write_layer(&part, self.store, self.store, self.compression, &mut io::sink())
            .map_err(LayoutError::from)?;
        let (size, compressed) = (part.contents_size(), layer.size);
        Ok(ExtensionCost { names, packages, files, size, compressed })
    }
}

/// Where a reason comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source<'a> {
    Template,
    Extension(&'a str),
    File(&'a ImagePath),
    /// Licences are there for any file of a package.
    Package(&'a PackageName),
}

/// What each source is a reason for.
struct Reasons<'a> {
    leads_to: BTreeMap<Source<'a>, Vec<(&'a ImagePath, &'a Kept)>>,
}

/// What is left without some extensions.
struct Left<'a> {
    files: BTreeSet<&'a ImagePath>,
    packages: BTreeSet<&'a PackageName>,
}

impl<'a> Reasons<'a> {
    fn of(closure: &'a Closure) -> Self {
        let mut leads_to: BTreeMap<Source<'_>, Vec<_>> = BTreeMap::new();
        for (path, kept) in &closure.files {
            for edge in &kept.reasons {
                leads_to.entry(source(closure, kept, edge)).or_default().push((path, kept));
            }
        }
        Self { leads_to }
    }

    /// What is left when these extensions go, where files of some packages are copied.
    fn left(&self, gone: &BTreeSet<String>, copied: &[&'a PackageName]) -> Left<'a> {
        let mut left = Left { files: BTreeSet::new(), packages: copied.iter().copied().collect() };
        let stays = |source: &&Source<'_>| match source {
            Source::Template => true,
            Source::Extension(label) => !gone.contains(*label),
            Source::File(_) | Source::Package(_) => false,
        };
        let mut queue: Vec<Source<'a>> = self.leads_to.keys().filter(stays).cloned().collect();
        queue.extend(copied.iter().map(|package| Source::Package(package)));
        while let Some(source) = queue.pop() {
            for (path, kept) in self.leads_to.get(&source).into_iter().flatten() {
                if left.files.insert(path) {
                    queue.push(Source::File(path));
                    if left.packages.insert(&kept.package().package) {
                        queue.push(Source::Package(&kept.package().package));
                    }
                }
            }
        }
        left
    }
}

fn source<'a>(closure: &'a Closure, kept: &'a Kept, edge: &'a Edge) -> Source<'a> {
    match (&edge.kind, &edge.from) {
        (EdgeKind::Extension(label), _) => Source::Extension(label),
        (EdgeKind::Licence, from) => {
            let by = from.as_ref().and_then(|from| closure.files.get(from)).unwrap_or(kept);
            match from {
                // A text that a copyright file refers to.
                Some(from) if from.file_name() == b"copyright" => Source::File(from),
                _ => Source::Package(&by.package().package),
            }
        }
        (_, Some(from)) => Source::File(from),
        (_, None) => Source::Template,
    }
}
