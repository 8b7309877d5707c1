//! What the dynamic loader would load, and where symbols bind.
//!
//! As glibc does it (`elf/dl-load.c`, `elf/dl-lookup.c`, `elf/dl-version.c`): a program's scope is
//! the program, then what it needs, breadth first; a file that is opened later sees the program's
//! scope and then its own. A library that is already loaded under a name is not sought again. An
//! export counts only in the scope.

use crate::subject::Subject;
use dmc_elf::search::{self, Loaded, Search};
use dmc_types::{ElfFacts, ImagePath, Import, Nature, NeededVersion};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

/// Every ELF file of the image that is for its machine.
pub(crate) struct Loader<'s, 'a> {
    subject: &'s Subject<'a>,
    objects: Vec<Object<'s>>,
    by_path: BTreeMap<&'a ImagePath, ObjectId>,
    /// Folders of `LD_LIBRARY_PATH`, where the image sets it, and of ld.so.cache.
    extra: Vec<ImagePath>,
}

/// An ELF file's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId(usize);

struct Object<'s> {
    path: &'s ImagePath,
    facts: &'s ElfFacts,
    alone: OnceCell<Alone<'s>>,
}

/// What an object comes to with nothing but what it needs itself.
struct Alone<'s> {
    scope: Scope<'s>,
    flaws: Flaws<'s>,
}

/// Objects in the order in which symbols are sought.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope<'s> {
    order: Vec<ObjectId>,
    /// Each object with the one that brought it.
    members: HashMap<ObjectId, Option<ObjectId>>,
    /// Names under which objects were asked for, and their sonames.
    names: HashMap<&'s str, ObjectId>,
    /// What was not found: who needs it, and its name.
    pub(crate) missing: Vec<(ObjectId, &'s str)>,
}

/// What an object lacks in a scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flaws<'s> {
    /// Strong symbols that nothing defines.
    pub(crate) unbound: Vec<&'s Import>,
    /// Versions that a library which is there does not have.
    pub(crate) versions: Vec<(ObjectId, &'s NeededVersion)>,
}

impl<'s, 'a> Loader<'s, 'a> {
    pub(crate) fn new(subject: &'s Subject<'a>) -> Self {
        let mut objects = Vec::new();
        let mut by_path = BTreeMap::new();
        for (path, item) in &subject.items {
            if let Some(Nature::Elf(facts)) = item.nature()
                && facts.ident == subject.arch.elf()
            {
                by_path.insert(*path, ObjectId(objects.len()));
                objects.push(Object { path, facts, alone: OnceCell::new() });
            }
        }
        let preferred = subject.start.environment.get("LD_LIBRARY_PATH").copied();
        let folders = preferred.unwrap_or_default().split([':', ';']);
        let mut extra: Vec<ImagePath> =
            folders.filter_map(|folder| ImagePath::parse(folder).ok()).collect();
        extra.extend(cached_folders(subject));
        Self { subject, objects, by_path, extra }
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = ObjectId> {
        (0..self.objects.len()).map(ObjectId)
    }

    pub(crate) fn path(&self, object: ObjectId) -> &'s ImagePath {
        self.objects[object.0].path
    }

    pub(crate) fn facts(&self, object: ObjectId) -> &'s ElfFacts {
        self.objects[object.0].facts
    }

    /// The object that a path leads to.
    pub(crate) fn object(&self, path: &ImagePath) -> Option<ObjectId> {
        self.by_path.get(self.subject.find(path)?.0).copied()
    }

    /// Whether the kernel starts it. Some libraries name an interpreter as well.
    pub(crate) fn is_program(&self, object: ObjectId) -> bool {
        let facts = self.facts(object);
        facts.interp.is_some() && facts.soname.is_none()
    }

    /// What is loaded with `opened`: a program and what it needs, or files that the program of
    /// scope `host` opens.
    pub(crate) fn load(&self, opened: &[ObjectId], host: Option<&Scope<'s>>) -> Scope<'s> {
        let mut scope = host.cloned().unwrap_or_default();
        scope.missing.clear();
        let (program, mut next) = (scope.order.first().copied(), scope.order.len());
        let interpreter = opened
            .iter()
            .filter_map(|object| self.facts(*object).interp.as_deref())
            .find_map(|path| self.object(&ImagePath::parse(path).ok()?));
        // The loader is in memory before it looks for anything, but last among those that
        // nobody needs.
        if let Some(soname) = interpreter.and_then(|object| self.facts(object).soname.as_deref()) {
            scope.names.extend(interpreter.map(|object| (soname, object)));
        }
        for object in opened {
            scope.add(*object, program, self.facts(*object));
        }
        while let Some(object) = scope.order.get(next).copied() {
            for needed in &self.facts(object).needed {
                match self.needed(&scope, object, needed) {
                    Some(found) => {
                        scope.names.entry(needed).or_insert(found);
                        scope.add(found, Some(object), self.facts(found));
                    }
                    None => scope.missing.push((object, needed)),
                }
            }
            next += 1;
        }
        if let Some(interpreter) = interpreter {
            scope.add(interpreter, None, self.facts(interpreter));
        }
        scope
    }

    /// What the loader takes for a `DT_NEEDED` of `object`.
    fn needed(&self, scope: &Scope<'s>, object: ObjectId, name: &str) -> Option<ObjectId> {
        if let Some(found) = scope.names.get(name) {
            return Some(*found);
        }
        let mut chain = Vec::new();
        let mut next = Some(object);
        while let Some(object) = next {
            chain.push(Loaded { path: self.path(object), facts: self.facts(object) });
            next = scope.members.get(&object).copied().flatten();
        }
        let search = Search { arch: self.subject.arch, chain: &chain, extra: &self.extra };
        search::candidates(name, &search).iter().find_map(|path| self.object(path))
    }

    /// What `object` lacks in `scope`, of which it is part.
    pub(crate) fn flaws(&self, object: ObjectId, scope: &Scope<'s>) -> Flaws<'s> {
        if scope.order.first() == Some(&object) {
            return self.search_flaws(object, scope);
        }
        let alone = self.alone(object);
        // Most objects are complete with what they need, which is then done once, however many
        // programs load them.
        let same = alone.scope.order.iter().all(|member| scope.members.contains_key(member));
        if !same {
            return self.search_flaws(object, scope);
        }
        let open = alone.flaws.unbound.iter().copied();
        Flaws {
            unbound: open.filter(|import| !self.defines(scope, import)).collect(),
            versions: alone.flaws.versions.clone(),
        }
    }

    /// An object and everything that it needs, in the loader's order.
    pub(crate) fn brings(&self, object: ObjectId) -> &[ObjectId] {
        &self.alone(object).scope.order
    }

    /// Whether a scope has the symbols that an object does not bring. Cheap, and not the whole
    /// truth: an image may hold hundreds of programs and of plugins.
    pub(crate) fn may_open(&self, object: ObjectId, scope: &Scope<'s>) -> bool {
        self.alone(object).flaws.unbound.iter().all(|import| self.defines(scope, import))
    }

    /// Whether an object needs nothing but what it brings.
    pub(crate) fn is_complete(&self, object: ObjectId) -> bool {
        let alone = self.alone(object);
        alone.scope.missing.is_empty()
            && alone.flaws.is_empty()
            && alone.scope.order.iter().all(|member| self.flaws(*member, &alone.scope).is_empty())
    }

    fn alone(&self, object: ObjectId) -> &Alone<'s> {
        self.objects[object.0].alone.get_or_init(|| {
            let scope = self.load(&[object], None);
            let flaws = self.search_flaws(object, &scope);
            Alone { scope, flaws }
        })
    }

    fn search_flaws(&self, object: ObjectId, scope: &Scope<'s>) -> Flaws<'s> {
        let facts = self.facts(object);
        let strong = facts.imports.iter().filter(|import| !import.weak);
        let asked = facts.versions_needed.iter().filter(|version| !version.weak);
        let lacking = asked.filter_map(|version| {
            let library = *scope.names.get(version.library.as_str())?;
            let defined = &self.facts(library).versions_defined;
            // Without any version the loader warns and goes on.
            let lacks = !defined.is_empty() && !defined.contains(&version.version);
            lacks.then_some((library, version))
        });
        Flaws {
            unbound: strong.filter(|import| !self.defines(scope, import)).collect(),
            versions: lacking.collect(),
        }
    }

    fn defines(&self, scope: &Scope<'s>, import: &Import) -> bool {
        let has = |object: &ObjectId| {
            self.facts(*object).exports.contains(&import.name, import.version.as_deref())
        };
        // Nearly always where the linker found it.
        let first = import.library.as_deref().and_then(|library| scope.names.get(library));
        first.is_some_and(has) || scope.order.iter().any(has)
    }
}

/// The folders of ld.so.conf(5), which reach the loader through its cache alone.
fn cached_folders(subject: &Subject) -> Vec<ImagePath> {
    let there =
        |path: &str| ImagePath::parse(path).is_ok_and(|path| subject.items.contains_key(&path));
    if !there("/etc/ld.so.cache") {
        return Vec::new();
    }
    let texts = subject.texts.iter().filter(|(path, _)| is_loader_conf(path));
    let lines = texts.flat_map(|(_, text)| text.lines());
    lines.filter_map(|line| ImagePath::parse(line.trim()).ok()).collect()
}

/// Whether ldconfig(8) reads this file.
pub(crate) fn is_loader_conf(path: &ImagePath) -> bool {
    path.as_bytes() == b"/etc/ld.so.conf" || path.as_bytes().starts_with(b"/etc/ld.so.conf.d/")
}

impl<'s> Scope<'s> {
    fn add(&mut self, object: ObjectId, by: Option<ObjectId>, facts: &'s ElfFacts) {
        if self.members.contains_key(&object) {
            return;
        }
        self.members.insert(object, by.filter(|by| *by != object));
        self.order.push(object);
        if let Some(soname) = facts.soname.as_deref() {
            self.names.entry(soname).or_insert(object);
        }
    }

    /// Its objects in order.
    pub(crate) fn objects(&self) -> &[ObjectId] {
        &self.order
    }
}

impl Flaws<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.unbound.is_empty() && self.versions.is_empty()
    }
}
