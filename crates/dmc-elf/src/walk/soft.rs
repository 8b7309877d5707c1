//! Edges that only count if something is there: paths in read-only data, words of scripts.
//!
//! A built-in path says that a program may open a file, not that it does, nor that the file is a
//! package's. Such an edge is looked at when everything else has been found, among the packages at
//! hand, so that its result does not depend on when these came; where it finds nothing, a package
//! whose name the path hints at is asked for once ([`Want::File`]). Folders are not kept:
//! programs look for folders in which somebody may put something.

use super::need::{Need, Want};
use super::{Walk, WalkError};
use crate::closure::{AlternativeLink, Edge, EdgeKind, Note};
use dmc_types::{
    ElfFacts, EntryKind, ImagePath, Nature, PackageName, PathGlob, Rule, RuleTrigger, Shebang,
};
use std::collections::BTreeSet;

/// Where the words of scripts are looked for, in this order: an image with execline has its folder
/// in front of its `PATH`.
const PROGRAMS: [&str; 3] = ["/usr/lib/execline/bin", "/usr/bin", "/usr/sbin"];

/// An edge that counts if one of its paths is there.
#[derive(Debug, Clone)]
pub(super) struct Soft {
    /// Where it may lead; the first that is there counts.
    pub(super) paths: Vec<ImagePath>,
    pub(super) edge: Edge,
    /// The package in whose dependencies the path may be; none where that is not worth a look.
    pub(super) by: Option<PackageName>,
}

impl Walk {
    /// Notes the paths and sonames that a kept ELF file holds, as far as no rule ignores them.
    pub(super) fn note_strings(&mut self, path: &ImagePath, package: &PackageName, elf: &ElfFacts) {
        let ignored = self.ignored(path, package, elf);
        let matters = |path: &ImagePath| !ignored.iter().any(|glob| glob.matches(path));
        let edge = Edge { kind: EdgeKind::Path, from: Some(path.clone()) };
        for text in &elf.paths {
            let Ok(named) = ImagePath::parse(text).map(|path| path.merged_usr()) else { continue };
            if named != *path && matters(&named) && !self.is_excluded(&named) {
                let by = Some(package.clone());
                let soft = Soft { paths: vec![named], edge: edge.clone(), by };
                self.soft.push(soft);
            }
        }
        // What `.note.dlopen` tells has been dealt with.
        let told = |soname: &String| elf.dlopen.iter().any(|note| note.sonames.contains(soname));
        let sonames = elf.sonames.iter().filter(|soname| !told(soname)).filter(|soname| {
            ImagePath::root().join(soname.as_bytes()).is_ok_and(|name| matters(&name))
        });
        let sonames: Vec<String> = sonames.cloned().collect();
        if !sonames.is_empty() {
            self.sonames.push((path.clone(), sonames));
        }
    }

    /// What rules say need not be there for this file.
    fn ignored(&self, path: &ImagePath, package: &PackageName, elf: &ElfFacts) -> Vec<PathGlob> {
        let fires = |when: &RuleTrigger| match when {
            RuleTrigger::Path(glob) => glob.matches(path),
            other => other.is_for_package(package) || super::expand::fires_for_elf(other, elf),
        };
        let matters =
            |rule: &&Rule| !rule.effect.ignore.is_empty() && !rule.except.contains(package);
        let rules = self.rules.iter().filter(matters);
        rules
            .filter(|rule| rule.triggers.iter().any(fires))
            .flat_map(|rule| rule.effect.ignore.iter().cloned())
            .collect()
    }

    /// Notes the words of an execline script that may be programs.
    pub(super) fn note_words(&mut self, script: &ImagePath, shebang: &Shebang) {
        for word in &shebang.words {
            let paths: Vec<ImagePath> = if word.starts_with('/') {
                ImagePath::parse(word).map(|path| path.merged_usr()).into_iter().collect()
            } else {
                let folders = PROGRAMS.iter();
                folders.filter_map(|at| ImagePath::parse(format!("{at}/{word}")).ok()).collect()
            };
            let edge = Edge { kind: EdgeKind::Word(word.clone()), from: Some(script.clone()) };
            self.soft.push(Soft { paths, edge, by: None });
        }
    }

    /// Keeps what soft edges lead to among the packages at hand. Returns where else to look.
    pub(super) fn soften(&mut self) -> Result<Vec<Need>, WalkError> {
        let mut needs = Vec::new();
        for soft in std::mem::take(&mut self.soft) {
            if let Some(path) = soft.paths.iter().find(|path| self.is_file(path)).cloned() {
                self.keep(&path, &soft.edge, None)?;
                continue;
            }
            if let (Some(by), Some(path)) = (&soft.by, soft.paths.first())
                && self.asked.insert((by.clone(), path.clone()))
            {
                needs.push(Need {
                    by: Some(by.clone()),
                    want: Want::File(path.clone()),
                    hard: false,
                });
            }
            self.soft.push(soft);
        }
        Ok(needs)
    }

    fn is_file(&self, path: &ImagePath) -> bool {
        let place = self.universe.lookup(path).place;
        place.is_some_and(|place| !matches!(self.universe.entry(place).kind, EntryKind::Directory))
    }

    /// Says which paths in read-only data are in none of the packages at hand.
    pub(super) fn note_unresolved_paths(&mut self) {
        for Soft { paths, edge, by } in std::mem::take(&mut self.soft) {
            if let (Some(by), Some(from), Some(path)) = (by, edge.from, paths.into_iter().next()) {
                self.closure.unresolved.entry(by).or_default().insert((path, from));
            }
        }
    }

    /// Says which soname-like strings nothing in the image resolves.
    pub(super) fn note_open_sonames(&mut self) {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for (path, kept) in &self.closure.files {
            known.extend(std::str::from_utf8(path.file_name()));
            if let Some(Nature::Elf(elf)) = kept.file().map(|file| &file.nature) {
                known.extend(elf.soname.as_deref());
            }
        }
        for (by, sonames) in &self.sonames {
            for soname in sonames.iter().filter(|name| !known.contains(name.as_str())) {
                let note = Note::Open { by: by.clone(), soname: soname.clone() };
                self.closure.notes.insert(note);
            }
        }
    }

    /// Adds the links by which update-alternatives makes kept files known under other names, where
    /// the links that packages ship on the way are kept too.
    pub(super) fn keep_alternatives(&mut self) {
        let links: Vec<ImagePath> = self.universe.alternatives().cloned().collect();
        for link in links {
            let found = self.universe.lookup(&link);
            let is_kept = |path: &ImagePath| self.closure.files.contains_key(path);
            let leads = |link| self.universe.alternative(link).is_some() || is_kept(link);
            if is_kept(&found.path) && found.links.iter().all(leads) {
                let kind = EdgeKind::LinkTarget;
                let mut edge = Edge { kind, from: Some(found.path.clone()) };
                for link in &found.links {
                    self.keep_alternative(link, &edge);
                    edge = Edge { kind: EdgeKind::LinkTarget, from: Some(link.clone()) };
                }
            }
        }
    }

    /// Takes in a link that update-alternatives makes, if this is one.
    pub(super) fn keep_alternative(&mut self, link: &ImagePath, edge: &Edge) {
        let Some(found) = self.universe.alternative(link) else { return };
        let fresh = || AlternativeLink {
            target: found.target.clone(),
            package: found.package.clone(),
            reasons: Vec::new(),
        };
        let kept = self.closure.alternatives.entry(link.clone()).or_insert_with(fresh);
        if !kept.reasons.contains(edge) {
            kept.reasons.push(edge.clone());
        }
    }
}
