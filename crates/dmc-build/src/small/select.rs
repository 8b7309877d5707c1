//! Which files of whole packages go into a small image.
//!
//! All of them, but for what `conf/small.toml` and the template's `exclude` leave out; what the
//! template's `include` names stays. Of two packages that ship one path differently the one that
//! replaces the other wins (Debian Policy 7.6.1).

#![expect(clippy::result_large_err, reason = "a walk fails once, and its errors tell much")]

use super::alternatives::{Groups, links};
use dmc_deb::deb822::Paragraph;
use dmc_deb::relation::Relations;
use dmc_elf::{Closure, Edge, EdgeKind, Kept, Start, WalkError};
use dmc_template::{ArchTemplate, SmallConf};
use dmc_types::{Entry, EntryKind, Generated, ImagePath, PackageFacts, PathGlob};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most links that are followed on the way to one file, as in the kernel.
const MOST_LINKS: usize = 40;

/// Chooses files. Packages come sorted by name.
pub(super) fn closure(
    packages: &[Arc<PackageFacts>],
    template: &ArchTemplate,
    start: &Start,
    (conf, alternatives): (&SmallConf, &Groups),
) -> Result<Closure, WalkError> {
    let all = everything(packages)?;
    check_patterns(&all, packages, start)?;
    let any = |globs: &[PathGlob], path: &ImagePath| globs.iter().any(|glob| glob.matches(path));
    let stays = |path: &ImagePath| {
        any(&start.include, path) || !(conf.leaves_out(path) || any(&start.exclude, path))
    };
    let mut closure = Closure::default();
    for (path, kept) in all.iter().filter(|(path, _)| stays(path)) {
        closure.files.insert(path.clone(), kept.clone());
    }
    // Folders that were left out, above files that were not.
    let above: BTreeSet<ImagePath> = closure.files.keys().flat_map(ImagePath::ancestors).collect();
    for path in above {
        if let Some(folder) = all.get(&path) {
            closure.files.entry(path).or_insert_with(|| folder.clone());
        }
    }
    for path in &start.copied {
        let found = all.get(&follow(path, &all)).cloned();
        let kept = found.ok_or_else(|| missing(path, packages, start))?;
        closure.copied.insert(path.clone(), kept);
    }
    let is_there = |path: &ImagePath| all.contains_key(&path.merged_usr());
    let made: BTreeSet<ImagePath> = alternatives
        .values()
        .filter_map(|group| group.first())
        .flat_map(|(_, winner)| links(winner, &is_there).map(|(link, ..)| link.merged_usr()))
        .collect();
    for root in &start.roots {
        let place = follow(root, &all);
        if let Some(kept) = closure.files.get_mut(&place) {
            kept.reasons.insert(0, Edge { kind: EdgeKind::Root, from: None });
        } else if !made.contains(&place) && !template.placed.contains_key(root) {
            return Err(missing(root, packages, start));
        }
    }
    closure.packages =
        packages.iter().map(|facts| (facts.package.clone(), Arc::clone(facts))).collect();
    closure.generate.insert(Generated::LdSoCache);
    Ok(closure)
}

/// Every entry of every package by its place in the image.
fn everything(packages: &[Arc<PackageFacts>]) -> Result<BTreeMap<ImagePath, Kept>, WalkError> {
    let links = folder_links(packages);
    let mut all: BTreeMap<ImagePath, Kept> = BTreeMap::new();
    for facts in packages {
        for number in 0..facts.entries.len() {
            let Some(mut kept) = Kept::of(facts, number) else { continue };
            // The image gets the links of merged-/usr whatever the packages say.
            if kept.entry().path.is_usr_alias() {
                continue;
            }
            let path = place(&kept.entry().path.merged_usr(), &links);
            kept.reasons.push(Edge { kind: EdgeKind::Whole, from: None });
            match all.get(&path) {
                Some(there) if !yields(there, &kept, &path)? => {}
                _ => drop(all.insert(path, kept)),
            }
        }
    }
    Ok(all)
}

/// Symbolic links of packages to folders of packages: what other packages ship below goes there.
fn folder_links(packages: &[Arc<PackageFacts>]) -> BTreeMap<ImagePath, ImagePath> {
    let entries = || packages.iter().flat_map(|facts| &facts.entries);
    let is_folder = |entry: &&Entry| matches!(entry.kind, EntryKind::Directory);
    let folders: BTreeSet<ImagePath> =
        entries().filter(is_folder).map(|entry| entry.path.merged_usr()).collect();
    let link = |entry: &Entry| {
        let EntryKind::Symlink(target) = &entry.kind else { return None };
        let path = entry.path.merged_usr();
        let target = path.link_target(target).ok()?.merged_usr();
        (!entry.path.is_usr_alias() && folders.contains(&target)).then_some((path, target))
    };
    entries().filter_map(link).collect()
}

/// Where a path leads through links to folders on its way.
fn place(path: &ImagePath, links: &BTreeMap<ImagePath, ImagePath>) -> ImagePath {
    let mut path = path.clone();
    for _ in 0..MOST_LINKS {
        let through = path.ancestors().into_iter().find_map(|above| {
            let target = links.get(&above)?;
            let below = path.as_bytes().get(above.as_bytes().len() + 1..)?;
            target.join(below).ok()
        });
        match through {
            Some(there) => path = there,
            None => break,
        }
    }
    path
}

/// Follows links at a path itself.
fn follow(path: &ImagePath, all: &BTreeMap<ImagePath, Kept>) -> ImagePath {
    let mut path = path.merged_usr();
    for _ in 0..MOST_LINKS {
        match all.get(&path).map(|kept| &kept.entry().kind) {
            Some(EntryKind::Symlink(target)) => match path.link_target(target) {
                Ok(there) => path = there.merged_usr(),
                Err(_) => break,
            },
            _ => break,
        }
    }
    path
}

/// Whether what is there gives way to a later package's.
fn yields(there: &Kept, new: &Kept, path: &ImagePath) -> Result<bool, WalkError> {
    let same = match (&there.entry().kind, &new.entry().kind) {
        // A link to a folder stands for the folder.
        (EntryKind::Directory | EntryKind::Symlink(_), EntryKind::Directory) => return Ok(false),
        (EntryKind::Directory, EntryKind::Symlink(_)) => return Ok(true),
        (EntryKind::Symlink(one), EntryKind::Symlink(other)) => one == other,
        _ => match (there.file(), new.file()) {
            (Some(one), Some(other)) => one.digest == other.digest,
            _ => false,
        },
    };
    let (first, second) = (there.package(), new.package());
    if same || replaces(first, second) {
        return Ok(false);
    }
    if replaces(second, first) {
        return Ok(true);
    }
    let packages = [first.package.clone(), second.package.clone()];
    Err(WalkError::Clash { path: path.clone(), packages })
}

fn replaces(one: &PackageFacts, other: &PackageFacts) -> bool {
    let field = Paragraph::new(one.control.as_bytes()).field("Replaces").unwrap_or_default();
    let version = other.version.parse().ok();
    Relations::parse(field).0.iter().any(|relation| {
        relation.name == other.package
            && match (&relation.constraint, &version) {
                (Some((operator, bound)), Some(version)) => operator.holds(version, bound),
                (constraint, _) => constraint.is_none(),
            }
    })
}

fn check_patterns(
    all: &BTreeMap<ImagePath, Kept>,
    packages: &[Arc<PackageFacts>],
    start: &Start,
) -> Result<(), WalkError> {
    let idle = start.include.iter().find(|glob| !all.keys().any(|path| glob.matches(path)));
    match idle {
        None => Ok(()),
        Some(glob) => Err(WalkError::NothingMatches {
            glob: glob.as_str().to_owned(),
            arch: start.arch,
            packages: packages.iter().map(|facts| facts.package.clone()).collect(),
            by: Edge { kind: EdgeKind::Included(glob.as_str().to_owned()), from: None },
            similar: Vec::new(),
        }),
    }
}

fn missing(path: &ImagePath, packages: &[Arc<PackageFacts>], start: &Start) -> WalkError {
    let entries = packages.iter().flat_map(|facts| &facts.entries);
    let alike = entries.filter(|entry| entry.path.file_name() == path.file_name());
    let similar: BTreeSet<ImagePath> = alike
        .filter(|entry| !matches!(entry.kind, EntryKind::Directory))
        .map(|entry| entry.path.merged_usr())
        .collect();
    WalkError::MissingRoot {
        path: path.clone(),
        arch: start.arch,
        packages: start.packages.clone(),
        similar: similar.into_iter().take(5).collect(),
    }
}
