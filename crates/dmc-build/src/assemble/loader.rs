//! `/etc/ld.so.cache`, where a rule asks for it.
//!
//! Most images do without: the loader looks into its default folders. The cache is of the tree as
//! it will be, with the configuration in it; its last bytes say which ldconfig wrote it, which that
//! program of the packages tells.

use super::{AssembleError, Layout};
use dmc_elf::Closure;
use dmc_image::{Content, Node, NodeKind};
use dmc_system::{LDCONFIG, LOADER_CACHE, Library};
use dmc_types::{Arch, EntryKind, Generated, ImagePath, Nature, PathGlob};
use std::collections::{BTreeMap, BTreeSet};

/// Most links on the way to a file (`MAXSYMLINKS` of Linux).
const LINKS: usize = 40;

impl Layout<'_> {
    /// Writes the cache, if `closure` asks for it.
    pub(super) fn loader_cache(&mut self, closure: &Closure) -> Result<(), AssembleError> {
        let path = ImagePath::parse(LOADER_CACHE)?;
        if !closure.generate.contains(&Generated::LdSoCache) || self.tree.get(&path).is_some() {
            return Ok(());
        }
        let generator = self.generator(closure)?;
        let arch = self.template.arch;
        let read = |path: &ImagePath| self.bytes(path);
        let folders = dmc_system::library_folders(arch, &read, &|glob| self.matching(glob));
        let places = folders.iter().map(|(_, place)| place).collect();
        let mut libraries = self.libraries(arch, &places, closure);
        let mut entries = Vec::new();
        for (given, place) in &folders {
            let found = libraries.remove(place).unwrap_or_default();
            let names = dmc_system::library_names(&found).into_iter();
            entries.extend(names.map(|name| (name.clone(), format!("{given}/{name}"))));
        }
        let cache = dmc_system::loader_cache(arch, &entries, &generator);
        self.insert(path, Node::file(Content::from(cache), self.time))
    }

    fn generator(&self, closure: &Closure) -> Result<String, AssembleError> {
        let path = ImagePath::parse(LDCONFIG)?;
        let mut all = closure
            .packages
            .values()
            .flat_map(|facts| facts.entries.iter().map(move |entry| (facts, entry)));
        let found = all.find(|(_, entry)| {
            matches!(entry.kind, EntryKind::File(_)) && entry.path.merged_usr() == path
        });
        let Some((facts, entry)) = found else { return Err(self.missing(&path)) };
        let program = self.contents_of(facts, entry)?;
        dmc_system::generator(&program).ok_or_else(|| self.missing(&path))
    }

    /// The contents of a file of the tree, if it is one.
    fn bytes(&self, path: &ImagePath) -> Option<Vec<u8>> {
        match &self.tree.get(path)?.kind {
            NodeKind::File(Content::Inline(bytes)) => Some(bytes.to_vec()),
            NodeKind::File(Content::Stored(stored)) => self.fetch(path, stored).ok(),
            _ => None,
        }
    }

    fn matching(&self, glob: &PathGlob) -> Vec<ImagePath> {
        let found = self.tree.iter().map(|(path, _)| path).filter(|path| glob.matches(path));
        found.cloned().collect()
    }

    /// The libraries in some folders, by folder.
    fn libraries(
        &self,
        arch: Arch,
        folders: &BTreeSet<&ImagePath>,
        closure: &Closure,
    ) -> BTreeMap<ImagePath, Vec<Library>> {
        let mut found: BTreeMap<ImagePath, Vec<Library>> = BTreeMap::new();
        for (path, node) in self.tree.iter() {
            let name = String::from_utf8_lossy(path.file_name()).into_owned();
            if !dmc_system::is_library_name(&name) {
                continue;
            }
            let Some(folder) = path.parent().filter(|folder| folders.contains(folder)) else {
                continue;
            };
            let real = self.followed(path);
            let Some(Nature::Elf(elf)) = real.and_then(|path| self.nature(&path, closure)) else {
                continue;
            };
            if elf.ident == arch.elf() {
                let link = matches!(node.kind, NodeKind::Symlink(_));
                let library = Library { name, soname: elf.soname.clone(), link };
                found.entry(folder).or_default().push(library);
            }
        }
        found
    }

    /// What a file of the tree is: the template's own, or a package's.
    fn nature(&self, path: &ImagePath, closure: &Closure) -> Option<Nature> {
        match &self.tree.get(path)?.kind {
            NodeKind::File(Content::Inline(bytes)) => Some(dmc_elf::nature(bytes)),
            _ => Some(closure.files.get(path)?.file()?.nature.clone()),
        }
    }

    /// Where the links of the tree lead from a path.
    fn followed(&self, path: &ImagePath) -> Option<ImagePath> {
        let mut path = path.clone();
        for _ in 0..LINKS {
            match &self.tree.get(&path)?.kind {
                NodeKind::Symlink(target) => path = path.link_target(target).ok()?.merged_usr(),
                _ => return Some(path),
            }
        }
        None
    }
}
