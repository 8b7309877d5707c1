//! What tmpfiles.d of the packages asks for.
//!
//! A package's files count where one of its programs is in the image, or where the template keeps
//! the file itself; what the template excludes (the file, or the path that a line is about) does
//! not. Whatever the template places at such a path comes later and stays.

use super::accounts::Ids;
use super::{AssembleError, Layout};
use dmc_elf::Closure;
use dmc_image::{Content, Node, NodeKind};
use dmc_system::{TmpKind, TmpLine};
use dmc_types::{Entry, EntryKind, ImagePath, Nature, PackageFacts, PackageName};
use std::collections::{BTreeMap, BTreeSet};

/// Folders whose executable files are programs.
const PROGRAMS: [&[u8]; 3] = [b"/usr/bin", b"/usr/sbin", b"/usr/games"];

impl Layout<'_> {
    /// Lays out folders, files and links of tmpfiles.d.
    pub(super) fn tmpfiles(
        &mut self,
        closure: &Closure,
        shipped: &BTreeMap<PackageName, &PackageFacts>,
        ids: &Ids,
    ) -> Result<(), AssembleError> {
        let running = with_programs(closure);
        for (name, facts) in shipped {
            for entry in dmc_system::tmpfiles_of(facts) {
                let path = entry.path.merged_usr();
                let wanted = running.contains(name) || closure.files.contains_key(&path);
                if wanted && !self.is_excluded(&path) {
                    self.tmpfile(facts, entry, ids)?;
                }
            }
        }
        Ok(())
    }

    fn is_excluded(&self, path: &ImagePath) -> bool {
        self.template.exclude.iter().any(|glob| glob.matches(path))
    }

    fn tmpfile(
        &mut self,
        facts: &PackageFacts,
        entry: &Entry,
        ids: &Ids,
    ) -> Result<(), AssembleError> {
        let text = self.contents_of(facts, entry)?;
        let file = dmc_system::read_tmpfiles(facts, &entry.path, &text);
        for line in &file.lines {
            if self.is_excluded(&line.path) {
                continue;
            }
            let ownership =
                (number(line.user.as_ref(), &ids.users), number(line.group.as_ref(), &ids.groups));
            match ownership {
                (Ok(user), Ok(group)) => self.declare(line, user, group)?,
                // A program that runs as somebody else needs no folder of that user's.
                (Err(name), _) | (_, Err(name)) => self.notes.push(format!(
                    "{}, is left out: its owner `{name}` is not in the image (accounts = \
                     [\"{name}\"] takes it)",
                    line.origin
                )),
            }
        }
        let left_out = file.left_out.into_iter();
        self.notes.extend(left_out.map(|(origin, why)| format!("{origin}, is left out: {why}")));
        Ok(())
    }

    fn declare(
        &mut self,
        line: &TmpLine,
        user: Option<u32>,
        group: Option<u32>,
    ) -> Result<(), AssembleError> {
        let there = self.tree.get(&line.path).cloned();
        let missing = there.is_none();
        let mut node = match (&line.kind, there) {
            (TmpKind::Directory, Some(node)) if node.is_directory() => node,
            (TmpKind::Adjust, Some(node)) => node,
            (TmpKind::Directory, None) => Node::directory(self.time),
            (TmpKind::File(text), None) => {
                Node::file(Content::from(text.clone().into_bytes()), self.time)
            }
            (TmpKind::Link { target, .. }, None) => Node::symlink(target.as_bytes(), self.time),
            (TmpKind::Link { target, force: true }, Some(_)) => {
                Node::symlink(target.as_bytes(), self.time)
            }
            _ => return Ok(()),
        };
        if !matches!(node.kind, NodeKind::Symlink(_)) {
            let sticky = if node.is_directory() { 0o1777 } else { 0o777 };
            node.mode = line.mode.map_or(node.mode, |mode| mode & sticky);
            node.uid = user.unwrap_or(node.uid);
            node.gid = group.unwrap_or(node.gid);
        }
        if missing {
            return self.insert(line.path.clone(), node);
        }
        self.tree.replace(line.path.clone(), node).map_err(|source| self.failed(source))
    }
}

/// A number, by itself or by a name of the image; the name where the image has none such.
fn number<'a>(
    name: Option<&'a String>,
    ids: &BTreeMap<String, u32>,
) -> Result<Option<u32>, &'a String> {
    let Some(name) = name else { return Ok(None) };
    name.parse().ok().or_else(|| ids.get(name).copied()).map(Some).ok_or(name)
}

/// Packages of which a program is kept.
fn with_programs(closure: &Closure) -> BTreeSet<PackageName> {
    let programs = closure.files.iter().filter(|(path, kept)| {
        let entry = kept.entry();
        let runs = matches!(entry.kind, EntryKind::File(_) | EntryKind::Hardlink(_))
            && entry.mode & 0o111 != 0;
        let started = match kept.file().map(|file| &file.nature) {
            Some(Nature::Elf(elf)) => elf.interp.is_some() && elf.soname.is_none(),
            _ => false,
        };
        let among = |folder: &ImagePath| PROGRAMS.contains(&folder.as_bytes());
        runs && (started || path.parent().as_ref().is_some_and(among))
    });
    programs.map(|(_, kept)| kept.package().package.clone()).collect()
}
