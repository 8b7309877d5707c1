//! Each program and each plugin in its load scope.
//!
//! A program is what the kernel starts: an ELF file with an interpreter and without soname. A
//! plugin is any other ELF file that no program needs; somebody opens it at run time. Its hosts
//! are those that the tables name, else the programs from which its reasons come, else any program
//! of the image with which it works.

use crate::loader::{Flaws, Loader, ObjectId, Scope};
use crate::report::{Problem, Report, Severity};
use crate::subject::Subject;
use crate::tables::{self, Tables};
use dmc_types::{ImagePath, Import, Nature};
use std::collections::{BTreeMap, BTreeSet};

/// Checks every ELF file.
pub(crate) fn check(subject: &Subject, tables: &Tables, report: &mut Report) {
    let loader = Loader::new(subject);
    let programs: BTreeMap<ObjectId, Scope> = loader
        .objects()
        .filter(|object| loader.is_program(*object))
        .map(|program| (program, loader.load(&[program], None)))
        .collect();
    let mut loaded_by: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
    for (program, scope) in &programs {
        for object in scope.objects() {
            loaded_by.entry(*object).or_default().push(*program);
        }
    }
    let mut check = Check { subject, tables, loader, programs, loaded_by, found: Found::default() };
    check.programs();
    check.plugins();
    check.tell(report);
}

struct Check<'s, 'a> {
    subject: &'s Subject<'a>,
    tables: &'s Tables,
    loader: Loader<'s, 'a>,
    programs: BTreeMap<ObjectId, Scope<'s>>,
    /// The programs that load an object.
    loaded_by: BTreeMap<ObjectId, Vec<ObjectId>>,
    found: Found<'s>,
}

/// What was found, each flaw once with the first program that shows it.
#[derive(Default)]
struct Found<'s> {
    libraries: BTreeMap<(ObjectId, &'s str), ObjectId>,
    versions: BTreeMap<(ObjectId, ObjectId, &'s str), ObjectId>,
    symbols: BTreeMap<(ObjectId, Vec<String>), ObjectId>,
}

impl<'s> Check<'s, '_> {
    fn programs(&mut self) {
        for (program, scope) in &self.programs {
            for object in scope.objects() {
                let flaws = self.loader.flaws(*object, scope);
                self.found.add(*object, *program, scope, &flaws);
            }
            self.found.missing(scope, *program);
        }
    }

    fn plugins(&mut self) {
        let brought = self.brought();
        for plugin in self.loader.objects().collect::<Vec<_>>() {
            if self.loaded_by.contains_key(&plugin)
                || brought.contains(&plugin)
                || self.loader.is_complete(plugin)
            {
                continue;
            }
            let found = match self.hosts(plugin) {
                Some(hosts) => hosts.into_iter().find_map(|host| {
                    Some((host, self.opened(plugin, Some(host))))
                        .filter(|(_, scope)| !self.is_good(scope, Some(host)))
                }),
                None => self.first_unfit(plugin),
            };
            let Some((host, scope)) = found else { continue };
            let known: &[ObjectId] = self.programs.get(&host).map_or(&[], Scope::objects);
            for object in scope.objects().iter().filter(|object| !known.contains(object)) {
                let flaws = self.loader.flaws(*object, &scope);
                self.found.add(*object, host, &scope, &flaws);
            }
            self.found.missing(&scope, host);
        }
    }

    /// Libraries that come with plugins, and are checked with these.
    fn brought(&self) -> BTreeSet<ObjectId> {
        let opened = self.loader.objects().filter(|object| !self.loaded_by.contains_key(object));
        let pairs = opened.flat_map(|plugin| {
            self.loader.brings(plugin).iter().map(move |library| (plugin, *library))
        });
        // Two that need each other are both looked at.
        let one_way = pairs.filter(|(plugin, library)| {
            plugin != library && !self.loader.brings(*library).contains(plugin)
        });
        one_way.map(|(_, library)| library).collect()
    }

    /// Where no host is known: nothing if any program can open it, else the plugin by itself.
    fn first_unfit(&self, plugin: ObjectId) -> Option<(ObjectId, Scope<'s>)> {
        let alone = self.beside(plugin).is_empty();
        let fits = |(host, scope): (&ObjectId, &Scope<'s>)| {
            (!alone || self.loader.may_open(plugin, scope))
                && self.is_good(&self.opened(plugin, Some(*host)), Some(*host))
        };
        if self.programs.iter().any(fits) {
            return None;
        }
        Some((plugin, self.opened(plugin, None)))
    }

    /// The scope of a plugin that a program has opened, with the plugins that it sees beside it.
    fn opened(&self, plugin: ObjectId, host: Option<ObjectId>) -> Scope<'s> {
        let base = host.and_then(|host| self.programs.get(&host));
        let scope = self.loader.load(&[plugin], base);
        let beside = self.beside(plugin);
        if beside.is_empty() || self.is_good(&scope, host) {
            return scope;
        }
        let opened: Vec<ObjectId> = [plugin].into_iter().chain(beside).collect();
        self.loader.load(&opened, base)
    }

    fn is_good(&self, scope: &Scope<'s>, host: Option<ObjectId>) -> bool {
        let known: &[ObjectId] =
            host.and_then(|host| self.programs.get(&host)).map_or(&[], Scope::objects);
        scope.missing.is_empty()
            && scope
                .objects()
                .iter()
                .skip(known.len())
                .all(|object| self.loader.flaws(*object, scope).is_empty())
    }

    /// Plugins whose symbols this one sees.
    fn beside(&self, plugin: ObjectId) -> Vec<ObjectId> {
        let path = self.loader.path(plugin);
        let global = |scope: &&tables::Scope| scope.global && tables::any(&scope.plugins, path);
        let Some(scope) = self.tables.scope.iter().find(global) else { return Vec::new() };
        let others = self.loader.objects().filter(|other| *other != plugin);
        others.filter(|other| tables::any(&scope.plugins, self.loader.path(*other))).collect()
    }

    /// The programs that are known to open a plugin.
    fn hosts(&self, plugin: ObjectId) -> Option<BTreeSet<ObjectId>> {
        let path = self.loader.path(plugin);
        let named = self.tables.scope.iter().filter(|scope| tables::any(&scope.plugins, path));
        let patterns: Vec<_> = named.flat_map(|scope| &scope.hosts).cloned().collect();
        let fits = |program: &&ObjectId| tables::any(&patterns, self.loader.path(**program));
        let named: BTreeSet<ObjectId> = self.programs.keys().filter(fits).copied().collect();
        let hosts = if named.is_empty() { self.openers(path) } else { named };
        Some(hosts).filter(|hosts| !hosts.is_empty())
    }

    /// The programs from which a file's reasons come.
    fn openers(&self, path: &ImagePath) -> BTreeSet<ObjectId> {
        let mut hosts = BTreeSet::new();
        let mut seen: BTreeSet<&ImagePath> = BTreeSet::new();
        let mut queue = self.wanted_by(path);
        while let Some(opener) = queue.pop() {
            if !seen.insert(opener) {
                continue;
            }
            let object = match self.subject.find(opener).map(|(_, item)| item.nature()) {
                Some(Some(Nature::Script(shebang))) => ImagePath::parse(&shebang.interpreter)
                    .ok()
                    .and_then(|it| self.loader.object(&it)),
                _ => self.loader.object(opener),
            };
            match object.and_then(|object| self.loaded_by.get(&object)) {
                Some(programs) => hosts.extend(programs),
                None => queue.extend(self.wanted_by(opener)),
            }
        }
        hosts
    }

    fn wanted_by(&self, path: &ImagePath) -> Vec<&'s ImagePath> {
        self.subject.items.get(path).map(|item| item.wanted_by.clone()).unwrap_or_default()
    }

    fn tell(self, report: &mut Report) {
        let path = |object: ObjectId| self.loader.path(object).clone();
        for ((file, needs), scope) in self.found.libraries {
            let needs = needs.to_owned();
            let problem = Problem::Library { file: path(file), needs, scope: path(scope) };
            report.add(Severity::Error, problem);
        }
        for ((file, library, version), scope) in self.found.versions {
            let (file, library, scope) = (path(file), path(library), path(scope));
            let version = version.to_owned();
            report.add(Severity::Error, Problem::Version { file, library, version, scope });
        }
        for ((file, symbols), scope) in self.found.symbols {
            let problem = Problem::Symbols { file: path(file), scope: path(scope), symbols };
            report.add(Severity::Error, problem);
        }
    }
}

impl<'s> Found<'s> {
    fn add(&mut self, object: ObjectId, host: ObjectId, scope: &Scope, flaws: &Flaws<'s>) {
        for (library, version) in &flaws.versions {
            self.versions.entry((object, *library, &version.version)).or_insert(host);
        }
        // The symbols of a library that is not there are no news.
        if !scope.missing.is_empty() {
            return;
        }
        // A version that is not there is told once, not again with each of its symbols.
        let told = |import: &Import| {
            flaws
                .versions
                .iter()
                .any(|(_, version)| import.version.as_ref() == Some(&version.version))
        };
        let unbound = flaws.unbound.iter().filter(|import| !told(import));
        let symbols: Vec<String> = unbound.map(|import| spelled(import)).collect();
        if !symbols.is_empty() {
            self.symbols.entry((object, symbols)).or_insert(host);
        }
    }

    fn missing(&mut self, scope: &Scope<'s>, host: ObjectId) {
        for (object, needs) in &scope.missing {
            self.libraries.entry((*object, needs)).or_insert(host);
        }
    }
}

fn spelled(import: &Import) -> String {
    match &import.version {
        Some(version) => format!("{}@{version}", import.name),
        None => import.name.clone(),
    }
}
