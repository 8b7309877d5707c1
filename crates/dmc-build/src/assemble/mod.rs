//! From a closure and a template to the tree of an image.
//!
//! Kept files come with the mode, owner and time that their package gives them (without setuid
//! and setgid bits: nothing in an image gains rights). Then come, by declaration, what Debian's
//! maintainer scripts would have made: users, the record of packages, links of merged-/usr, and
//! last whatever the template places itself, which wins. Files that no package dates take the
//! newest time of any package in the image, so that the tree depends on nothing but its inputs.

mod accounts;
mod certificates;
mod dpkg;
mod loader;
mod tmpfiles;
mod whole;

use crate::small::Whole;
use accounts::Ids;
use dmc_elf::{Closure, Kept};
use dmc_image::{
    Content, ContentSource, FileTree, Node, NodeKind, SealedTree, SourceError, StoredContent,
    TreeError,
};
use dmc_system::{CertificateError, SystemAccounts};
use dmc_template::{ArchTemplate, Piece, Placed};
use dmc_types::{
    Entry, EntryKind, FileFacts, ImagePath, PackageFacts, PackageName, PathError, Sha256, UnixTime,
};
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};

/// Where base-passwd keeps what `/etc/passwd` and `/etc/group` begin with.
pub(crate) const MASTERS: [&str; 2] =
    ["/usr/share/base-passwd/passwd.master", "/usr/share/base-passwd/group.master"];

/// The links of merged-/usr that every image has.
const ALIASES: [&str; 3] = ["bin", "sbin", "lib"];

/// Why a closure does not become a tree.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A file that the template's parts need was not among what the walk found.
    #[error("`{path}` is not in the packages of template {template}")]
    Missing {
        /// The file.
        path: ImagePath,
        /// The template.
        template: String,
    },
    /// The store could not give the contents of a file.
    #[error("cannot read the contents of `{path}`")]
    Contents {
        /// The file.
        path: ImagePath,
        /// The package that it is from.
        object: Sha256,
        /// Why.
        #[source]
        source: SourceError,
    },
    /// The tree takes no such node.
    #[error("the image's tree cannot take a file of template {template}")]
    Tree {
        /// The template.
        template: String,
        /// Why.
        #[source]
        source: TreeError,
    },
    /// The template takes an account that nothing defines.
    #[error(
        "template {template}: `accounts` names `{name}`, which neither base-passwd nor any package \
         of the image defines"
    )]
    UnknownAccount {
        /// The template.
        template: String,
        /// The name.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A package fixes the number of an account that the template takes.
    #[error("`{name}` has the number {fixed} ({origin})")]
    FixedNumber {
        /// The name.
        name: String,
        /// Its number.
        fixed: u32,
        /// Where it is said.
        origin: String,
    },
    /// A file of trusted certificates holds none.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A name that was made up of a package's or template's name is no path.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl AssembleError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        let hint = match self {
            Self::UnknownAccount { nearest: Some(nearest), .. } => {
                return format!("did you mean `{nearest}`?");
            }
            Self::UnknownAccount { .. } => {
                "name the package that defines it under `packages`, or define it under [[users]]"
            }
            Self::FixedNumber { name, fixed, .. } => {
                return format!("[[users]] with name = \"{name}\" and uid = {fixed} says so");
            }
            Self::Missing { .. } => "name the package that ships it under `packages`",
            Self::Contents { .. } => {
                "run the same command again; what is damaged in the store is made anew"
            }
            Self::Tree { .. } => "correct the template, or `exclude` the file",
            Self::Certificate(error) => error.hint(),
            Self::Path(_) => "correct the name",
        };
        hint.to_owned()
    }
}

/// A tree and the time that its generated files bear.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) tree: SealedTree,
    pub(crate) time: UnixTime,
    /// Files of packages over which the template places its own, each with the package that has
    /// it as a configuration file.
    pub(crate) shadowed: Vec<(ImagePath, Option<PackageName>)>,
    /// Files whose setuid or setgid bit was dropped.
    pub(crate) lowered: Vec<ImagePath>,
    /// What else the user should know.
    pub(crate) notes: Vec<String>,
}

/// Lays out the image. `epoch` is `SOURCE_DATE_EPOCH`: it dates generated files, and no file is
/// newer than it. A small image comes with what else is known of its packages.
pub(crate) fn assemble(
    closure: &Closure,
    whole: Option<&Whole>,
    template: &ArchTemplate,
    contents: &dyn ContentSource,
    epoch: Option<UnixTime>,
) -> Result<Assembled, AssembleError> {
    let shipped: BTreeMap<PackageName, &PackageFacts> =
        closure.shipped().into_iter().map(|(name, facts)| (name, &**facts)).collect();
    let newest = shipped.values().map(|facts| facts.newest_time()).max().unwrap_or(0);
    let mut layout = Layout {
        tree: FileTree::new(),
        template,
        contents,
        time: epoch.unwrap_or(newest),
        epoch,
        shadowed: Vec::new(),
        lowered: Vec::new(),
        notes: Vec::new(),
    };
    // Engines differ on the mode of a root that a layer does not mention.
    layout.insert(ImagePath::root(), Node::directory(layout.time))?;
    layout.keep(closure, &shipped)?;
    layout.link_usr(closure)?;
    match whole {
        Some(whole) => layout.complete(whole, closure)?,
        None => layout.record_packages(closure, &shipped)?,
    }
    layout.link_alternatives(closure)?;
    let ids = layout.write_accounts(closure)?;
    layout.tmpfiles(closure, &shipped, &ids)?;
    layout.place(closure, &shipped)?;
    layout.place_spare_links()?;
    layout.trust()?;
    layout.loader_cache(closure)?;
    let failed = |source| AssembleError::Tree { template: template.name.to_string(), source };
    let tree = layout.tree.seal(layout.time).map_err(failed)?;
    let Layout { time, shadowed, lowered, notes, .. } = layout;
    Ok(Assembled { tree, time, shadowed, lowered, notes })
}

/// A tree while it is being laid out.
struct Layout<'a> {
    tree: FileTree,
    template: &'a ArchTemplate,
    contents: &'a dyn ContentSource,
    time: UnixTime,
    epoch: Option<UnixTime>,
    shadowed: Vec<(ImagePath, Option<PackageName>)>,
    lowered: Vec<ImagePath>,
    notes: Vec<String>,
}

impl Layout<'_> {
    fn failed(&self, source: TreeError) -> AssembleError {
        AssembleError::Tree { template: self.template.name.to_string(), source }
    }

    fn insert(&mut self, path: ImagePath, node: Node) -> Result<(), AssembleError> {
        self.tree.insert(path, node).map_err(|source| self.failed(source))
    }

    fn text(&mut self, path: &str, text: String) -> Result<(), AssembleError> {
        let node = Node::file(Content::from(text.into_bytes()), self.time);
        self.insert(ImagePath::parse(path)?, node)
    }

    /// Kept files, and the folders above them as their packages have them.
    fn keep(
        &mut self,
        closure: &Closure,
        shipped: &BTreeMap<PackageName, &PackageFacts>,
    ) -> Result<(), AssembleError> {
        for (path, kept) in &closure.files {
            let node = self.node(path, kept, closure);
            self.insert(path.clone(), node)?;
        }
        let above: BTreeSet<ImagePath> =
            closure.files.keys().flat_map(ImagePath::ancestors).collect();
        for entry in shipped.values().flat_map(|facts| &facts.entries) {
            let path = entry.path.merged_usr();
            if matches!(entry.kind, EntryKind::Directory)
                && above.contains(&path)
                && !path.is_root()
            {
                let folder = Node {
                    mode: entry.mode & 0o1777,
                    uid: entry.uid,
                    gid: entry.gid,
                    time: self.dated(entry.time),
                    kind: NodeKind::Directory,
                };
                // Packages may differ on a folder's rights; the first by name is followed.
                match self.tree.get(&path) {
                    Some(there) if !there.is_directory() => {}
                    Some(there) => {
                        let folder = Node { time: folder.time.max(there.time), ..there.clone() };
                        self.tree.replace(path, folder).map_err(|source| self.failed(source))?;
                    }
                    None => self.insert(path, folder)?,
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, path: &ImagePath, kept: &Kept, closure: &Closure) -> Node {
        let entry = kept.entry();
        let (allowed, kind) = match &entry.kind {
            EntryKind::Directory => (0o1777, NodeKind::Directory),
            EntryKind::Symlink(target) => (0o777, NodeKind::Symlink(target.clone())),
            EntryKind::Hardlink(first) if closure.files.contains_key(&first.merged_usr()) => {
                (0o777, NodeKind::Hardlink(first.merged_usr()))
            }
            EntryKind::File(_) | EntryKind::Hardlink(_) => (0o777, stored(kept)),
        };
        if entry.mode & 0o6000 != 0 {
            self.lowered.push(path.clone());
        }
        Node {
            mode: entry.mode & allowed,
            uid: entry.uid,
            gid: entry.gid,
            time: self.dated(entry.time),
            kind,
        }
    }

    fn dated(&self, time: UnixTime) -> UnixTime {
        self.epoch.map_or(time, |epoch| time.min(epoch))
    }

    /// `/bin`, `/sbin`, `/lib`, and the other top-level library folders that are in use.
    fn link_usr(&mut self, closure: &Closure) -> Result<(), AssembleError> {
        let mut names: BTreeSet<String> = ALIASES.map(str::to_owned).into();
        for path in closure.files.keys() {
            let mut parts = path.parts();
            if let (Some(b"usr"), Some(name)) = (parts.next(), parts.next())
                && name.starts_with(b"lib")
                && ImagePath::parse([b"/", name].concat()).is_ok_and(|path| path.is_usr_alias())
            {
                names.insert(String::from_utf8_lossy(name).into_owned());
            }
        }
        for name in names {
            let folder = ImagePath::parse(format!("/usr/{name}"))?;
            if self.tree.get(&folder).is_none() {
                self.insert(folder, Node::directory(self.time))?;
            }
            let link = Node::symlink(format!("usr/{name}"), self.time);
            self.insert(ImagePath::parse(format!("/{name}"))?, link)?;
        }
        Ok(())
    }

    fn record_packages(
        &mut self,
        closure: &Closure,
        shipped: &BTreeMap<PackageName, &PackageFacts>,
    ) -> Result<(), AssembleError> {
        let kept: BTreeSet<&ImagePath> = closure.files.keys().collect();
        for (name, facts) in shipped {
            self.text(&format!("/var/lib/dpkg/status.d/{name}"), dpkg::status(facts))?;
            let sums = dpkg::md5sums(facts, &kept);
            self.text(&format!("/var/lib/dpkg/status.d/{name}.md5sums"), sums)?;
        }
        Ok(())
    }

    /// Links of update-alternatives on the way to what is kept.
    fn link_alternatives(&mut self, closure: &Closure) -> Result<(), AssembleError> {
        for (path, link) in &closure.alternatives {
            if self.tree.get(path).is_none() {
                self.insert(path.clone(), Node::symlink(link.target.as_bytes(), self.time))?;
            }
        }
        Ok(())
    }

    /// The accounts that packages define, if the template takes any.
    fn packaged(&self, closure: &Closure) -> Result<SystemAccounts, AssembleError> {
        if self.template.packaged_accounts.is_empty() {
            return Ok(SystemAccounts::default());
        }
        let packages = closure.packages.values().map(|facts| &**facts);
        SystemAccounts::gather(packages, |facts, entry| self.contents_of(facts, entry))
    }

    fn write_accounts(&mut self, closure: &Closure) -> Result<Ids, AssembleError> {
        let mut masters = [String::new(), String::new()];
        if !self.template.accounts.is_empty() {
            for (text, path) in masters.iter_mut().zip(MASTERS) {
                let path = ImagePath::parse(path)?;
                let bytes = self.read(&path, closure)?;
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        let [passwd, group] = masters;
        let template = accounts::with_packaged(self.template, &self.packaged(closure)?)?;
        let group = accounts::group(&passwd, &group, &template);
        let passwd = accounts::passwd(&passwd, &template);
        let ids = Ids::read(&passwd, &group);
        for (path, text) in [("/etc/passwd", passwd), ("/etc/group", group)] {
            if !text.is_empty() {
                self.text(path, text)?;
            }
        }
        Ok(ids)
    }

    /// The contents of a file that the walk found to be copied.
    fn read(&self, path: &ImagePath, closure: &Closure) -> Result<Vec<u8>, AssembleError> {
        match closure.copied.get(path).map(stored) {
            Some(NodeKind::File(Content::Stored(content))) => self.fetch(path, &content),
            _ => Err(self.missing(path)),
        }
    }

    /// The contents of a package's file.
    fn contents_of(&self, facts: &PackageFacts, entry: &Entry) -> Result<Vec<u8>, AssembleError> {
        match &entry.kind {
            EntryKind::File(file) => self.fetch(&entry.path, &in_store(facts, file)),
            _ => Err(self.missing(&entry.path)),
        }
    }

    /// The contents of a file in the store.
    fn fetch(&self, path: &ImagePath, content: &StoredContent) -> Result<Vec<u8>, AssembleError> {
        let mut bytes = Vec::new();
        let object = content.object;
        let failed = |source| AssembleError::Contents { path: path.clone(), object, source };
        self.contents.append(content, &mut bytes).map_err(failed)?;
        // What goes into a layer as it is, is checked there; this is worked on before.
        if <[u8; 32]>::from(sha2::Sha256::digest(&bytes)) != *content.digest.as_bytes() {
            return Err(failed("its digest is not what it was when it was stored".into()));
        }
        Ok(bytes)
    }

    fn missing(&self, path: &ImagePath) -> AssembleError {
        let template = self.template.name.to_string();
        AssembleError::Missing { path: path.clone(), template }
    }

    fn concatenated(&self, parts: &[Piece], closure: &Closure) -> Result<Vec<u8>, AssembleError> {
        let mut bytes = Vec::new();
        for part in parts {
            match part {
                Piece::File(path) => bytes.extend(self.read(path, closure)?),
                Piece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            }
        }
        Ok(bytes)
    }

    /// Links where there is nothing else.
    fn place_spare_links(&mut self) -> Result<(), AssembleError> {
        for (path, target) in &self.template.spare_links {
            if self.tree.get(path).is_none() {
                self.insert(path.clone(), Node::symlink(target.as_bytes(), self.time))?;
            }
        }
        Ok(())
    }

    /// What the template puts there itself, over anything else.
    fn place(
        &mut self,
        closure: &Closure,
        shipped: &BTreeMap<PackageName, &PackageFacts>,
    ) -> Result<(), AssembleError> {
        let conffiles: BTreeMap<ImagePath, &PackageName> = shipped
            .iter()
            .flat_map(|(name, facts)| facts.conffiles.iter().map(move |it| (it.merged_usr(), name)))
            .collect();
        for (path, placed) in &self.template.placed {
            let node = match placed {
                Placed::File { bytes, mode, owner, private: _ } => Node {
                    mode: *mode,
                    uid: owner.uid,
                    gid: owner.gid,
                    time: self.time,
                    kind: NodeKind::File(Content::Inline(bytes.clone())),
                },
                Placed::Link(target) => Node::symlink(target.as_bytes(), self.time),
                Placed::Directory { mode, owner } => Node {
                    mode: *mode,
                    uid: owner.uid,
                    gid: owner.gid,
                    time: self.time,
                    kind: NodeKind::Directory,
                },
                Placed::Concat { parts, mode, owner } => Node {
                    mode: *mode,
                    uid: owner.uid,
                    gid: owner.gid,
                    time: self.time,
                    kind: NodeKind::File(Content::from(self.concatenated(parts, closure)?)),
                },
                Placed::Copy(from) => {
                    let kept = closure.copied.get(from).ok_or_else(|| self.missing(from))?;
                    let entry = kept.entry();
                    Node {
                        mode: entry.mode & 0o777,
                        uid: entry.uid,
                        gid: entry.gid,
                        time: self.dated(entry.time),
                        kind: stored(kept),
                    }
                }
            };
            let conffile = conffiles.get(path).copied().cloned();
            if conffile.is_some() || self.tree.get(path).is_some_and(|there| !there.is_directory())
            {
                self.shadowed.push((path.clone(), conffile));
            }
            self.tree.replace(path.clone(), node).map_err(|source| self.failed(source))?;
        }
        Ok(())
    }
}

/// Contents in the store. Only regular files and their other names get here; a folder or link
/// would become an empty file.
fn stored(kept: &Kept) -> NodeKind {
    match kept.file() {
        Some(file) => NodeKind::File(Content::Stored(in_store(kept.package(), file))),
        None => NodeKind::File(Content::Inline(Vec::new().into())),
    }
}

fn in_store(package: &PackageFacts, file: &FileFacts) -> StoredContent {
    let FileFacts { size, digest, sha1, offset, .. } = *file;
    StoredContent { digest, sha1, size, object: package.deb, offset }
}
