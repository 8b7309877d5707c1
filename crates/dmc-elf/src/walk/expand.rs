//! The edges that leave a kept file.

use super::need::{Need, Task, Want};
use super::{Walk, WalkError};
use crate::closure::{Edge, EdgeKind, Kept, Note};
use crate::search::{self, Loaded, Search};
use dmc_types::{
    DlopenPriority, ElfFacts, EntryKind, ImagePath, Nature, PackageName, Rule, RuleTrigger, SoName,
};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Walk {
    /// Queues whatever a newly kept file needs.
    pub(super) fn expand(
        &mut self,
        path: &ImagePath,
        kept: &Kept,
        edge: &Edge,
    ) -> Result<(), WalkError> {
        let package = &kept.package().package;
        let entry = kept.entry();
        if matches!(entry.kind, EntryKind::Directory) {
            return Ok(());
        }
        self.meet(path, package);
        let by_path = |when: &_| matches!(when, RuleTrigger::Path(glob) if glob.matches(path));
        self.fire(Some(path), package, by_path);
        match kept.file().map(|file| &file.nature) {
            Some(Nature::Elf(elf)) => self.expand_elf(path, package, elf, edge),
            // The kernel starts only what is executable; other scripts are read by programs.
            Some(Nature::Script(shebang))
                if entry.mode & 0o111 != 0 || edge.kind == EdgeKind::Root =>
            {
                self.expand_script(path, Some(package), shebang);
                Ok(())
            }
            Some(Nature::BrokenElf(why)) => Err(WalkError::BrokenElf {
                path: path.clone(),
                package: package.clone(),
                why: why.clone(),
            }),
            Some(Nature::Script(_) | Nature::Data) | None => Ok(()),
        }
    }

    /// The first file of a package brings its licence and what rules say of the package.
    pub(super) fn meet(&mut self, path: &ImagePath, package: &PackageName) {
        if self.licensed.insert(package.clone()) {
            self.queue.push_back(Task::Licence(package.clone()));
            self.fire(Some(path), package, |when| when.is_for_package(package));
        }
    }

    fn expand_elf(
        &mut self,
        path: &ImagePath,
        package: &PackageName,
        elf: &ElfFacts,
        edge: &Edge,
    ) -> Result<(), WalkError> {
        if elf.ident != self.arch.elf() {
            // Foreign code that only a pattern brought in (firmware, test data) is data.
            return match edge.kind {
                EdgeKind::Included(_) | EdgeKind::Copied | EdgeKind::Rule(_) => Ok(()),
                _ => Err(WalkError::WrongMachine {
                    path: path.clone(),
                    found: elf.ident,
                    arch: self.arch,
                }),
            };
        }
        if let Some(interp) = elf.interp.as_deref().and_then(|interp| ImagePath::parse(interp).ok())
        {
            self.need_path(path, Some(package), &interp, EdgeKind::Interp);
        }
        self.expand_needed(path, package, elf)?;
        for note in elf.dlopen.iter().filter(|note| note.priority > DlopenPriority::Suggested) {
            let names: Vec<SoName> =
                note.sonames.iter().filter_map(|name| name.parse().ok()).collect();
            let feature = note.feature.clone().unwrap_or_else(|| note.sonames.join(" or "));
            let hard = note.priority == DlopenPriority::Required;
            self.need_library(path, names, EdgeKind::Dlopen(feature), hard);
        }
        self.fire(Some(path), package, |when| fires_for_elf(when, elf));
        self.note_strings(path, package, elf);
        Ok(())
    }

    fn expand_needed(
        &mut self,
        path: &ImagePath,
        package: &PackageName,
        elf: &ElfFacts,
    ) -> Result<(), WalkError> {
        for needed in &elf.needed {
            let kind = EdgeKind::Needed(needed.clone());
            match (needed.parse::<SoName>(), ImagePath::parse(needed)) {
                (Ok(soname), _) => self.need_library(path, vec![soname], kind, true),
                (_, Ok(file)) => self.need_path(path, Some(package), &file, kind),
                _ => {
                    let why = format!(
                        "it needs a library by the impossible name `{}`",
                        needed.escape_debug()
                    );
                    return Err(WalkError::BrokenElf {
                        path: path.clone(),
                        package: package.clone(),
                        why,
                    });
                }
            }
        }
        Ok(())
    }

    pub(super) fn need_path(
        &mut self,
        from: &ImagePath,
        by: Option<&PackageName>,
        path: &ImagePath,
        kind: EdgeKind,
    ) {
        self.queue.push_back(Task::Keep {
            path: path.clone(),
            edge: Edge { kind, from: Some(from.clone()) },
            by: by.cloned(),
        });
    }

    fn need_library(&mut self, from: &ImagePath, names: Vec<SoName>, kind: EdgeKind, hard: bool) {
        if !names.is_empty() {
            self.queue.push_back(Task::Library { names, from: from.clone(), kind, hard });
        }
    }

    /// Applies each rule that has a trigger which `fires`, once a rule and package. `path` is the
    /// kept file that fires it; none for a package that the template names.
    pub(super) fn fire(
        &mut self,
        path: Option<&ImagePath>,
        package: &PackageName,
        fires: impl Fn(&RuleTrigger) -> bool,
    ) {
        let rules: Vec<(usize, Rule)> = self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| !rule.except.contains(package))
            .filter(|(_, rule)| rule.triggers.iter().any(&fires))
            .map(|(at, rule)| (at, rule.clone()))
            .collect();
        for (at, rule) in rules {
            for text in rule.effect.notes {
                self.closure.notes.insert(Note::Rule { name: rule.name.clone(), text });
            }
            self.closure.generate.extend(rule.effect.generate);
            let kind = EdgeKind::Rule(rule.name.clone());
            for library in rule.effect.libraries {
                if let Some(path) = path {
                    self.need_library(path, vec![library], kind.clone(), true);
                }
            }
            if !self.fired.insert((at, package.clone())) {
                continue;
            }
            let packages: Arc<[PackageName]> = if rule.effect.packages.is_empty() {
                Arc::new([package.clone()])
            } else {
                rule.effect.packages.into()
            };
            let certain = rule.effect.include.into_iter().map(|glob| (glob, false));
            for (glob, optional) in
                certain.chain(rule.effect.optional.into_iter().map(|glob| (glob, true)))
            {
                let edge = Edge { kind: kind.clone(), from: path.cloned() };
                let packages = Arc::clone(&packages);
                self.queue.push_back(Task::Include { glob, packages, edge, optional });
            }
        }
    }

    /// Resolves a library as the loader would, among the packages at hand.
    pub(super) fn library(
        &mut self,
        names: &[SoName],
        from: &ImagePath,
        kind: &EdgeKind,
        hard: bool,
    ) -> Result<Option<Need>, WalkError> {
        let mut want = Vec::new();
        for name in names {
            let places = self.search(from, |search| search::candidates(name.as_str(), search));
            let allowed = places.iter().filter(|place| hard || !self.is_excluded(place));
            let found = allowed.clone().find(|place| {
                self.universe.lookup(place).place.is_some_and(|place| self.is_loadable(place))
            });
            if let Some(found) = found {
                return self.take_library(name, found, from, kind).map(|()| None);
            }
            if places.iter().any(|place| self.placed.contains(place)) {
                return Ok(None);
            }
            want.push((name.clone(), places));
        }
        if let Some(loaded) = self.loaded_already(names, from) {
            let edge = Edge { kind: kind.clone(), from: Some(from.clone()) };
            return self.keep(&loaded, &edge, None);
        }
        Ok(Some(Need { by: self.owner_of(from), want: Want::Library(want), hard }))
    }

    /// A library of one of these names that a program of `from` has loaded for another of its
    /// files, which may look in folders where `from` does not: the loader takes what it has.
    fn loaded_already(&self, names: &[SoName], from: &ImagePath) -> Option<ImagePath> {
        let wanted = |kept: &Kept| match kept.file().map(|file| &file.nature) {
            Some(Nature::Elf(elf)) => {
                names.iter().any(|name| elf.soname.as_deref() == Some(name.as_str()))
            }
            _ => false,
        };
        let mut alike = self.closure.files.iter().filter(|(_, kept)| wanted(kept)).peekable();
        alike.peek()?;
        let above = self.above(from);
        alike.find(|(path, _)| !self.above(path).is_disjoint(&above)).map(|(path, _)| path.clone())
    }

    /// The files of the image that need this one, whether directly or not, without any that
    /// others need in turn.
    fn above<'a>(&'a self, path: &'a ImagePath) -> BTreeSet<&'a ImagePath> {
        let (mut seen, mut tops, mut queue) = (BTreeSet::new(), BTreeSet::new(), vec![path]);
        while let Some(path) = queue.pop() {
            if !seen.insert(path) {
                continue;
            }
            let Some(kept) = self.closure.files.get(path) else { continue };
            let by: Vec<_> = kept.reasons.iter().filter_map(|edge| edge.from.as_ref()).collect();
            if by.is_empty() {
                tops.insert(path);
            }
            queue.extend(by);
        }
        tops
    }

    fn take_library(
        &mut self,
        name: &SoName,
        found: &ImagePath,
        from: &ImagePath,
        kind: &EdgeKind,
    ) -> Result<(), WalkError> {
        let edge = Edge { kind: kind.clone(), from: Some(from.clone()) };
        self.keep(found, &edge, None)?;
        for variant in self.search(from, |search| search::hwcaps_candidates(name.as_str(), search))
        {
            if self.universe.lookup(&variant).place.is_some() {
                let kind = EdgeKind::Hwcaps(name.to_string());
                self.keep(&variant, &Edge { kind, from: Some(from.clone()) }, None)?;
            }
        }
        Ok(())
    }

    /// Asks the loader's search order about a library that `from` needs.
    fn search(&self, from: &ImagePath, ask: impl Fn(&Search) -> Vec<ImagePath>) -> Vec<ImagePath> {
        ask(&Search { arch: self.arch, chain: &self.chain(from), extra: &[] })
    }

    /// `from` and the files through which it was loaded, the nearest first.
    fn chain(&self, from: &ImagePath) -> Vec<Loaded<'_>> {
        let mut chain: Vec<Loaded> = Vec::new();
        let mut next = Some(from);
        while let Some((path, kept)) = next.and_then(|path| self.closure.files.get_key_value(path))
        {
            if chain.iter().any(|seen| seen.path == path) {
                break;
            }
            if let Some(Nature::Elf(facts)) = kept.file().map(|file| &file.nature) {
                chain.push(Loaded { path, facts });
            }
            next = kept.reasons.first().and_then(|edge| edge.from.as_ref());
        }
        chain
    }
}

/// Whether what an ELF file imports or needs makes a rule fire.
pub(super) fn fires_for_elf(when: &RuleTrigger, elf: &ElfFacts) -> bool {
    match when {
        RuleTrigger::Import(symbol) => elf.import(symbol).is_some(),
        RuleTrigger::Needs(soname) => elf.needed.iter().any(|needed| needed == soname.as_str()),
        RuleTrigger::Path(_) | RuleTrigger::Package(_) | RuleTrigger::PackageLike(_) => false,
    }
}
