//! Everything that is kept, read again.

use super::{Amount, records};
use crate::error::BuildError;
use crate::record::ImageRecord;
use crate::workshop::Workshop;
use camino::Utf8PathBuf;
use dmc_archive::ArchiveError;
use dmc_archive::store::{Object, Shelf, Verdict};
use dmc_image::Layout;
use dmc_image::layout::Unsound;
use dmc_lock::Lock;
use dmc_types::{Sha256, TemplateName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was read, and what of it was not what it should be.
#[derive(Debug, Default)]
pub struct Checkup {
    /// What was read, by shelf of the store and `layout`.
    pub read: Vec<(&'static str, Amount)>,
    /// What is wrong, or was.
    pub findings: Vec<Finding>,
}

/// One file that was not what it should be.
#[derive(Debug)]
pub struct Finding {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// What is wrong with it.
    pub why: String,
    /// What became of it.
    pub cure: Cure,
}

/// What became of a damaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure {
    /// Nothing: it was only looked for.
    None,
    /// It was removed. Nothing refers to it, or it is made again when somebody needs it.
    Removed,
    /// It was removed and is there again, as it should be.
    Restored,
    /// It was removed, something refers to it, and it could not be made again.
    Lost {
        /// Why not.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
}

impl Checkup {
    /// Whether something stays damaged or is lost.
    pub fn is_bad(&self) -> bool {
        self.findings.iter().any(|one| matches!(one.cure, Cure::None | Cure::Lost { .. }))
    }
}

/// What is damaged, by what has to be done about it.
#[derive(Debug, Default)]
pub(super) struct Damage {
    pub(super) objects: Vec<(Object, &'static str)>,
    pub(super) blobs: BTreeMap<Sha256, Unsound>,
    /// Records that cannot be read or are missing.
    pub(super) records: Vec<(Utf8PathBuf, Sha256)>,
    /// Whatever names lead to: the names of each blob.
    pub(super) names: BTreeMap<Sha256, BTreeSet<String>>,
    /// Those that are documents about images.
    pub(super) documents: BTreeSet<Sha256>,
}

impl Workshop {
    /// Reads everything in store and layout again and, where it is to repair, removes what is
    /// damaged and makes it anew: packages, indices and their like from the archive, blobs by
    /// building the image again. Tags never change.
    ///
    /// # Errors
    /// What cannot be read at all, as a layout whose `index.json` is damaged.
    pub async fn check(
        self: &Arc<Self>,
        lock: Option<&Lock>,
        repairs: bool,
    ) -> Result<Checkup, BuildError> {
        let layout = self.present_layout()?;
        let this = Arc::clone(self);
        let work = move || this.look(layout.as_ref());
        let (mut checkup, damage) = Arc::clone(self).on_processor("a check", work).await??;
        if repairs {
            self.repair(&damage, lock, &mut checkup).await?;
        } else {
            checkup.findings = self.looked_at(&damage);
        }
        Ok(checkup)
    }

    fn look(&self, layout: Option<&Layout>) -> Result<(Checkup, Damage), BuildError> {
        let store = self.archive.store();
        let objects = store.objects().map_err(ArchiveError::from)?;
        let judged = store.judge(objects).map_err(ArchiveError::from)?;
        let mut damage = Damage::default();
        let mut amounts: BTreeMap<Shelf, Amount> = BTreeMap::new();
        for (object, verdict) in judged {
            match verdict {
                Verdict::Passed => continue,
                Verdict::Good => {}
                Verdict::Damaged(why) => damage.objects.push((object.clone(), why)),
            }
            amounts.entry(object.shelf).or_default().add(object.size);
        }
        let mut read: Vec<_> =
            amounts.into_iter().map(|(shelf, amount)| (shelf.name(), amount)).collect();
        if let Some(layout) = layout {
            let found = layout.check()?;
            read.push(("layout", Amount { files: found.blobs, bytes: found.bytes }));
            damage.records = self.unreadable_records(layout, &found.images, &found.named)?;
            damage.blobs = found.unsound;
            damage.names = found.named;
            damage.documents = found.documents;
        }
        Ok((Checkup { read, findings: Vec::new() }, damage))
    }

    /// Records that cannot be read, and those that images of known templates lack.
    fn unreadable_records(
        &self,
        layout: &Layout,
        images: &BTreeSet<Sha256>,
        named: &BTreeMap<Sha256, BTreeSet<String>>,
    ) -> Result<Vec<(Utf8PathBuf, Sha256)>, BuildError> {
        let there = records(layout)?;
        let missing =
            images.iter().filter(|image| there.iter().all(|(_, digest)| digest != *image));
        let ours = missing.filter(|image| !self.templates_of(named.get(image)).is_empty());
        let missing =
            ours.map(|image| (ImageRecord::path(layout, image), *image)).collect::<Vec<_>>();
        let broken =
            there.into_iter().filter(|(_, image)| ImageRecord::read(layout, image).is_err());
        Ok(broken.chain(missing).collect())
    }

    /// The templates that these names are of.
    pub(super) fn templates_of(&self, names: Option<&BTreeSet<String>>) -> BTreeSet<TemplateName> {
        let templates = names.into_iter().flatten().filter_map(|name| {
            let template = name.split_once(':').map_or(name.as_str(), |(template, _)| template);
            Some(self.settings.catalog.get(template).ok()?.name().clone())
        });
        templates.collect()
    }

    fn looked_at(&self, damage: &Damage) -> Vec<Finding> {
        let finding = |path, why: &str| Finding { path, why: why.to_owned(), cure: Cure::None };
        let store = self.archive.store();
        let objects =
            damage.objects.iter().map(|(object, why)| finding(store.path_of(object), why));
        let blobs = damage.blobs.iter().map(|(blob, how)| finding(self.blob(blob), how.why()));
        let records = damage.records.iter().map(|(path, _)| finding(path.clone(), RECORD));
        objects.chain(blobs).chain(records).collect()
    }

    pub(super) fn blob(&self, digest: &Sha256) -> Utf8PathBuf {
        self.settings.out.join("blobs/sha256").join(digest.to_string())
    }
}

/// What is wrong with a record.
pub(super) const RECORD: &str = "it is missing or cannot be read";
