//! What a small image holds besides the files of its packages: dpkg's database, the links of
//! update-alternatives, and what maintainer scripts of essential packages would have made.

use super::{AssembleError, Layout, stored};
use crate::small::{Whole, alternatives, dpkg};
use dmc_elf::Closure;
use dmc_image::{Content, Node, NodeKind};
use dmc_template::Make;
use dmc_types::{ImagePath, PackageFacts};
use md5::{Digest as _, Md5};
use std::collections::BTreeSet;

/// dpkg's own folder.
const DPKG: &str = "/var/lib/dpkg";

impl Layout<'_> {
    /// Adds all of it to a tree that holds the packages' files and the links of merged-/usr.
    pub(super) fn complete(
        &mut self,
        whole: &Whole,
        closure: &Closure,
    ) -> Result<(), AssembleError> {
        self.register(closure)?;
        for group in whole.alternatives.values() {
            self.alternative(group, closure)?;
        }
        for make in &whole.conf.make {
            self.make(make, closure)?;
        }
        self.text("/etc/dpkg/dpkg.cfg.d/dmc", dpkg::exclusions(&whole.conf))
    }

    /// dpkg's record of every package.
    fn register(&mut self, closure: &Closure) -> Result<(), AssembleError> {
        let is_there = |path: &ImagePath| {
            path.is_usr_alias() || closure.files.contains_key(&path.merged_usr())
        };
        let mut status = String::new();
        for facts in closure.packages.values() {
            let sums = self.conffile_sums(facts, closure)?;
            status += &dpkg::status(facts, &sums);
            let info = format!("{DPKG}/info/{}", dpkg::info_name(facts, self.template.arch));
            self.text(&format!("{info}.list"), dpkg::list(facts, &is_there))?;
            let md5sums = dpkg::md5sums(facts, &is_there);
            if !md5sums.is_empty() {
                self.text(&format!("{info}.md5sums"), md5sums)?;
            }
            if !sums.is_empty() {
                let lines = sums.iter().map(|(path, _)| format!("{path}\n"));
                self.text(&format!("{info}.conffiles"), lines.collect())?;
            }
            for (name, script) in &facts.scripts {
                let content = Content::from(script.clone());
                let node = Node { mode: 0o755, ..Node::file(content, self.time) };
                self.insert(ImagePath::parse(format!("{info}.{name}"))?, node)?;
            }
        }
        self.text(&format!("{DPKG}/status"), status)
    }

    /// The MD5 sums of those configuration files of a package that are in the image.
    fn conffile_sums<'f>(
        &self,
        facts: &'f PackageFacts,
        closure: &Closure,
    ) -> Result<Vec<(&'f ImagePath, String)>, AssembleError> {
        let mut sums = Vec::new();
        for path in &facts.conffiles {
            let kept = closure.files.get(&path.merged_usr());
            if let Some(NodeKind::File(Content::Stored(content))) = kept.map(stored) {
                let bytes = self.fetch(path, &content)?;
                sums.push((path, hex::encode(Md5::digest(&bytes))));
            }
        }
        Ok(sums)
    }

    /// Both links of the winner and of its slaves, and what dpkg keeps of the group.
    fn alternative(
        &mut self,
        group: &[(dmc_types::PackageName, dmc_types::Alternative)],
        closure: &Closure,
    ) -> Result<(), AssembleError> {
        let Some((_, winner)) = group.first() else { return Ok(()) };
        let is_there = |path: &ImagePath| closure.files.contains_key(&path.merged_usr());
        if !is_there(&winner.path) {
            return Ok(());
        }
        for (link, name, path) in alternatives::links(winner, &is_there) {
            let chosen = ImagePath::parse(format!("/etc/alternatives/{name}"))?;
            for (at, to) in [(link.merged_usr(), &chosen), (chosen.clone(), path)] {
                if self.tree.get(&at).is_none() {
                    self.insert(at, Node::symlink(to.as_bytes(), self.time))?;
                }
            }
        }
        let state = alternatives::state(group);
        self.text(&format!("{DPKG}/alternatives/{}", winner.name), state)
    }

    fn make(&mut self, make: &Make, closure: &Closure) -> Result<(), AssembleError> {
        if self.tree.get(&make.path).is_some() {
            return Ok(());
        }
        let mode = |otherwise| make.mode.map_or(otherwise, dmc_template::Mode::bits);
        let node = if let Some(target) = &make.link {
            Node::symlink(target.as_bytes(), self.time)
        } else if make.text.is_none() && make.files.is_empty() {
            Node { mode: mode(0o755), ..Node::directory(self.time) }
        } else {
            let Some(bytes) = self.joined(make, closure)? else { return Ok(()) };
            Node { mode: mode(0o644), ..Node::file(Content::from(bytes), self.time) }
        };
        self.insert(make.path.clone(), node)
    }

    /// The text and then the files; none where it is made of files and none of them is there.
    fn joined(&self, make: &Make, closure: &Closure) -> Result<Option<Vec<u8>>, AssembleError> {
        let mut bytes = make.text.clone().unwrap_or_default().into_bytes();
        let mut found = make.files.is_empty();
        let named = |path: &&ImagePath| make.files.iter().any(|glob| glob.matches(path));
        let sources: BTreeSet<&ImagePath> = closure.files.keys().filter(named).collect();
        for path in sources {
            let kept = closure.files.get(path).map(stored);
            if let Some(NodeKind::File(Content::Stored(content))) = kept {
                bytes.extend(self.fetch(path, &content)?);
                found = true;
            }
        }
        Ok(found.then_some(bytes))
    }
}
