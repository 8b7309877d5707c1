//! What store and layout hold that nobody needs any more.

use super::{Amount, records};
use crate::error::BuildError;
use crate::record::ImageRecord;
use crate::workshop::Workshop;
use camino::Utf8PathBuf;
use dmc_archive::ArchiveError;
use dmc_archive::store::{Limits, Needed, SPARE, surplus};
use dmc_image::Layout;
use dmc_lock::Lock;
use std::collections::BTreeSet;
use std::time::SystemTime;

/// What was removed or, where it was only looked for, would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The files.
    pub gone: Vec<Gone>,
    /// What the store still has.
    pub left: Amount,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Where it was.
    pub path: Utf8PathBuf,
    /// The shelf of the store, or `layout`.
    pub of: &'static str,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last used, as far as that is known.
    pub used: Option<SystemTime>,
}

impl Workshop {
    /// Removes from the store what `limits` say, and from the layout what no name leads to. What
    /// was used within the last hour stays: another dmc may be at work with it. Where `looks`,
    /// nothing is removed.
    ///
    /// # Errors
    /// [`BuildError::NothingRefers`] where there is neither a layout nor a lock and no limit. A
    /// record, index or manifest that cannot be read stops it before anything is removed.
    pub fn clean(
        &self,
        limits: &Limits,
        lock: Option<&Lock>,
        looks: bool,
    ) -> Result<Cleaned, BuildError> {
        let layout = self.present_layout()?;
        if layout.is_none() && lock.is_none() && *limits == Limits::default() {
            return Err(BuildError::NothingRefers { out: self.settings.out.clone() });
        }
        let spare = limits.older_than.unwrap_or_default().max(SPARE);
        let garbage = match &layout {
            Some(layout) => layout.garbage(ImageRecord::FOLDER, spare)?,
            None => Vec::new(),
        };
        let needed = self.needed(layout.as_ref(), &garbage, lock)?;
        let store = self.archive.store();
        let objects = store.objects().map_err(ArchiveError::from)?;
        let mut left = Amount::default();
        for object in &objects {
            left.add(object.size);
        }
        let mut gone = Vec::new();
        for object in surplus(objects, &needed, limits, SystemTime::now()) {
            if !looks && !store.remove_unused(&object).map_err(ArchiveError::from)? {
                continue;
            }
            left.files -= 1;
            left.bytes -= object.size;
            let (path, of) = (store.path_of(&object), object.shelf.name());
            gone.push(Gone { path, of, size: object.size, used: Some(object.used) });
        }
        if let Some(layout) = layout.filter(|_| !looks) {
            layout.collect_garbage(ImageRecord::FOLDER, spare)?;
        }
        let of_layout = garbage.into_iter();
        gone.extend(of_layout.map(|(path, size)| Gone { path, of: "layout", size, used: None }));
        Ok(Cleaned { gone, left })
    }

    /// What images and lock refer to, and releases of the store name.
    fn needed(
        &self,
        layout: Option<&Layout>,
        garbage: &[(Utf8PathBuf, u64)],
        lock: Option<&Lock>,
    ) -> Result<Needed, BuildError> {
        let mut debs = BTreeSet::new();
        if let Some(layout) = layout {
            let stays = |path: &Utf8PathBuf| garbage.iter().all(|(gone, _)| gone != path);
            let images = records(layout)?.into_iter().filter(|(path, _)| stays(path));
            let images = images.map(|(_, image)| image);
            debs.extend(Self::referred_by_images(layout, images)?.into_keys());
        }
        if let Some(lock) = lock {
            debs.extend(self.referred_by_lock(lock)?.into_keys());
        }
        let indices = self.archive.store().named_indices().map_err(ArchiveError::from)?;
        Ok(Needed { debs, indices })
    }
}
