//! What differs between two images, or between the packages that two locks name.
//!
//! Each side is read into [`Holding`]s, one for each architecture; this file compares them and
//! looks nothing up. Packages come from the image's record, or from dpkg's database in its layer,
//! files from the layer itself, and changelogs from the .deb of the newer version, which was
//! verified when it was fetched: no other host is asked.

mod changelogs;
mod sides;

pub(crate) use sides::is_database;

pub use changelogs::{ChangelogEntry, NoChangelog, SourceChange};

use crate::error::BuildError;
use crate::workshop::Workshop;
use dmc_image::layout::{ImageFile, ImageFileKind};
use dmc_types::{Arch, ImagePath, PackageName, Sha256};
use std::collections::BTreeMap;

/// A package of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its version.
    pub version: String,
    /// SHA-256 of its .deb, where that is known.
    pub deb: Option<Sha256>,
    /// Size of its .deb in bytes, where that is known.
    pub size: Option<u64>,
}

/// One image, or what a lock says of one.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    pub(crate) template: String,
    pub(crate) arch: Arch,
    /// None for a lock.
    pub(crate) manifest: Option<Sha256>,
    /// Bytes of all layers as they are stored.
    pub(crate) layers: Option<u64>,
    pub(crate) packages: BTreeMap<PackageName, Held>,
    pub(crate) files: Option<BTreeMap<ImagePath, ImageFile>>,
}

/// What was there and what is there: none where there is nothing.
pub type Pair<T> = (Option<T>, Option<T>);

/// What two words name on one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// Both name an image.
    Both(Box<Difference>),
    /// The first alone does.
    OnlyOld(String, Arch),
    /// The second alone does.
    OnlyNew(String, Arch),
}

/// What differs between two images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The new one's template.
    pub template: String,
    /// The architecture.
    pub arch: Arch,
    /// What each comes to.
    pub totals: [Totals; 2],
    /// Packages of which one side has another .deb, or none.
    pub packages: BTreeMap<PackageName, Pair<Held>>,
    /// Paths that differ; none where a lock says nothing of files.
    pub files: Option<BTreeMap<ImagePath, Pair<ImageFile>>>,
    /// What the changelogs say of the sources of the packages that differ.
    pub sources: Vec<SourceChange>,
}

/// What an image comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Its manifest; none for a lock.
    pub manifest: Option<Sha256>,
    /// Packages.
    pub packages: usize,
    /// Bytes of all .debs, where each is known.
    pub debs: Option<u64>,
    /// Files, links and folders.
    pub files: usize,
    /// Bytes of the files.
    pub unpacked: u64,
    /// Bytes of the layers as they are stored.
    pub layers: Option<u64>,
}

impl Difference {
    /// Whether neither a package nor a file differs. Two images may differ all the same, in how
    /// they are run and what is said of them.
    pub fn tells_nothing(&self) -> bool {
        self.packages.is_empty() && self.files.as_ref().is_none_or(BTreeMap::is_empty)
    }

    /// Whether both are the same in everything that was compared.
    pub fn is_empty(&self) -> bool {
        let [old, new] = &self.totals;
        let same = old.manifest.zip(new.manifest).is_none_or(|(old, new)| old == new);
        same && self.tells_nothing()
    }
}

impl Workshop {
    /// Compares what two words name: references or digests of images in the layout, those of
    /// another layout as `DIR@REFERENCE`, or files of locks. On `archs` alone, where any are named.
    pub fn diff(
        &self,
        (old, new): (&str, &str),
        archs: &[Arch],
    ) -> Result<Vec<Compared>, BuildError> {
        let [mut old, mut new] = [self.holdings(old)?, self.holdings(new)?];
        for side in [&mut old, &mut new] {
            side.retain(|one| archs.is_empty() || archs.contains(&one.arch));
        }
        let locks = [&old, &new].map(|side| side.iter().all(|one| one.files.is_none()));
        // Beside an image only its own template counts of a lock.
        match locks {
            [true, false] => retain_templates(&mut old, &new),
            [false, true] => retain_templates(&mut new, &old),
            _ => {}
        }
        let together = |one: &Holding, other: &Holding| {
            one.arch == other.arch && (locks != [true, true] || one.template == other.template)
        };
        let mut all = Vec::new();
        for one in &old {
            match new.iter().find(|other| together(one, other)) {
                Some(other) => all.push(Compared::Both(Box::new(self.compare(one, other)?))),
                None => all.push(Compared::OnlyOld(one.template.clone(), one.arch)),
            }
        }
        for other in new.iter().filter(|other| !old.iter().any(|one| together(one, other))) {
            all.push(Compared::OnlyNew(other.template.clone(), other.arch));
        }
        Ok(all)
    }

    fn compare(&self, old: &Holding, new: &Holding) -> Result<Difference, BuildError> {
        // What is known of one side alone cannot differ.
        let same = |one: &Held, other: &Held| {
            let debs = one.deb.zip(other.deb).is_none_or(|(one, other)| one == other);
            debs && one.version == other.version
        };
        let packages = differing(&old.packages, &new.packages, same);
        let files = old.files.as_ref().zip(new.files.as_ref());
        Ok(Difference {
            template: new.template.clone(),
            arch: new.arch,
            totals: [totals(old), totals(new)],
            files: files.map(|(old, new)| differing(old, new, PartialEq::eq)),
            sources: self.source_changes(&packages, (old, new))?,
            packages,
        })
    }
}

fn retain_templates(lock: &mut Vec<Holding>, images: &[Holding]) {
    lock.retain(|one| images.iter().any(|image| image.template == one.template));
}

/// The keys of which the values differ, with both.
fn differing<K: Ord + Clone, V: Clone>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    same: impl Fn(&V, &V) -> bool,
) -> BTreeMap<K, Pair<V>> {
    let gone = old.iter().filter(|(key, _)| !new.contains_key(key));
    let gone = gone.map(|(key, was)| (key.clone(), (Some(was.clone()), None)));
    let other = new.iter().filter_map(|(key, is)| {
        let was = old.get(key);
        let differs = was.is_none_or(|was| !same(was, is));
        differs.then(|| (key.clone(), (was.cloned(), Some(is.clone()))))
    });
    gone.chain(other).collect()
}

fn totals(holding: &Holding) -> Totals {
    let files = holding.files.iter().flatten();
    let sizes = files.map(|(_, file)| match file.kind {
        ImageFileKind::File { size, .. } => size,
        _ => 0,
    });
    Totals {
        manifest: holding.manifest,
        packages: holding.packages.len(),
        debs: holding.packages.values().map(|package| package.size).sum(),
        files: holding.files.as_ref().map_or(0, BTreeMap::len),
        unpacked: sizes.sum(),
        layers: holding.layers,
    }
}
