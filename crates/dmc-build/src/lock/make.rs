//! From templates to the lock's file.

use super::{LockFailure, codename, file, prove, rows};
use crate::error::BuildError;
use crate::image::{self, Choice};
use crate::inputs::{OUTPUT, template_digest};
use crate::workshop::Workshop;
use camino::Utf8PathBuf;
use dmc_lock::{Difference, Lock, LockedPackage, PackageKey};
use dmc_template::Template;
use dmc_types::{Arch, Sha256, TemplateName};
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One template's images, ready to be put into a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedImages {
    /// The template.
    pub template: TemplateName,
    digest: Sha256,
    small: bool,
    /// The packages on each architecture.
    pub images: BTreeMap<Arch, BTreeMap<PackageKey, LockedPackage>>,
}

/// What became of a lock's file, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockUpdate {
    /// The file.
    pub path: Utf8PathBuf,
    /// Whether it was there before.
    pub existed: bool,
    /// Every image of the old or the new lock, with the packages that differ.
    pub differences: Vec<Difference>,
    /// How many packages it has now, those of all architectures counted.
    pub packages: usize,
}

impl Workshop {
    /// Finds the packages of a template on all architectures of the run, and proves that they do
    /// without any other.
    pub(crate) async fn lock_images(
        self: &Arc<Self>,
        template: &TemplateName,
    ) -> Result<LockedImages, BuildError> {
        let template = self.settings.catalog.get(template.as_str())?;
        let archs = &self.settings.conf.archs;
        let images = archs.iter().map(|arch| async move {
            Ok::<_, BuildError>((*arch, self.lock_image(template, *arch).await?))
        });
        Ok(LockedImages {
            template: template.name().clone(),
            digest: template_digest(template),
            small: self.settings.variant.small,
            images: try_join_all(images).await?.into_iter().collect(),
        })
    }

    async fn lock_image(
        self: &Arc<Self>,
        template: &Template,
        arch: Arch,
    ) -> Result<BTreeMap<PackageKey, LockedPackage>, BuildError> {
        let whole = loop {
            let packages = self.metadata.index(arch).await?;
            match image::choose(self, template, &packages).await {
                Err(BuildError::Archive(error)) if self.metadata.repair_index(arch, &error) => {}
                other => break other?,
            }
        };
        let rows = rows_of(&whole)?;
        let lock = self.empty_lock().await?;
        let debs = rows::debs(&self.settings, &lock, arch, rows.iter().collect())
            .map_err(|why| self.drift(why))?;
        let alone = self.archive.locked(arch, &debs).await?;
        let alone = image::choose(self, template, &alone).await?;
        let differences = prove::differences(&whole, &alone);
        if differences.is_empty() {
            return Ok(rows);
        }
        let template = template.name().clone();
        Err(LockFailure::NotAlone { template, arch, differences }.into())
    }

    /// A lock of this run's archive, with no template in it.
    async fn empty_lock(&self) -> Result<Lock, BuildError> {
        let settings = &self.settings;
        let mut lock = Lock::new(OUTPUT, &settings.dist(), settings.rules_digest());
        for accepted in self.metadata.releases().await? {
            lock.releases.extend([rows::release(accepted).map_err(LockFailure::from)?]);
        }
        Ok(lock)
    }

    /// A lock of these images alone.
    pub(crate) async fn lock_of(&self, images: &[LockedImages]) -> Result<Lock, BuildError> {
        let fresh = self.empty_lock().await?;
        self.join(None, fresh, images)
    }

    /// Puts images into the file of the lock, whose other images stay.
    pub(crate) async fn write_lock(
        &self,
        images: &[LockedImages],
    ) -> Result<LockUpdate, BuildError> {
        let fresh = self.empty_lock().await?;
        let path = &self.settings.lock_file;
        let (old, new) = file::update(path, |old| self.join(old, fresh, images))?;
        Ok(self.told(old, &new))
    }

    /// What [`write_lock`](Self::write_lock) would change. Writes nothing.
    pub(crate) async fn compare_lock(
        &self,
        images: &[LockedImages],
    ) -> Result<LockUpdate, BuildError> {
        let fresh = self.empty_lock().await?;
        let old = file::read_lock(&self.settings.lock_file)?;
        let new = self.join(old.as_ref(), fresh, images)?;
        Ok(self.told(old, &new))
    }

    fn told(&self, old: Option<Lock>, new: &Lock) -> LockUpdate {
        let existed = old.is_some();
        let nothing = || Lock { templates: BTreeMap::new(), ..new.clone() };
        LockUpdate {
            path: self.settings.lock_file.clone(),
            existed,
            differences: old.unwrap_or_else(nothing).differences(new),
            packages: new.debs().count(),
        }
    }

    /// The lock with these images. Images that stay must have been chosen by what is chosen by now.
    fn join(
        &self,
        old: Option<&Lock>,
        fresh: Lock,
        images: &[LockedImages],
    ) -> Result<Lock, BuildError> {
        let mut lock = match old {
            None => fresh,
            Some(old) => match changed_since(old, &fresh) {
                None => {
                    let mut lock = Lock { dist: fresh.dist, ..old.clone() };
                    lock.put_releases(fresh.releases);
                    lock
                }
                Some(what) => {
                    let staying = staying(old, images);
                    if !staying.is_empty() {
                        let path = self.settings.lock_file.clone();
                        return Err(LockFailure::Staying { path, what, staying }.into());
                    }
                    fresh
                }
            },
        };
        for made in images {
            lock.put(&made.template, (made.digest, made.small), made.images.clone());
        }
        Ok(lock)
    }
}

fn rows_of(choice: &Choice) -> Result<BTreeMap<PackageKey, LockedPackage>, BuildError> {
    let row = |candidate| Ok((rows::key(candidate), rows::row(candidate)?));
    let rows: Result<_, dmc_lock::TextError> = choice.candidates.values().map(row).collect();
    Ok(rows.map_err(LockFailure::from)?)
}

/// What all images of a lock were chosen by and has changed since.
fn changed_since(old: &Lock, new: &Lock) -> Option<&'static str> {
    if codename(&old.dist) != codename(&new.dist) {
        Some("the distribution")
    } else if old.output != new.output {
        Some("what dmc makes of equal packages")
    } else if old.rules != new.rules {
        Some("the rules")
    } else {
        None
    }
}

/// Images of a lock that are not made anew.
fn staying(old: &Lock, images: &[LockedImages]) -> Vec<String> {
    let renewed: BTreeSet<(&TemplateName, Arch)> = images
        .iter()
        .flat_map(|made| made.images.keys().map(|arch| (&made.template, *arch)))
        .collect();
    old.images()
        .filter(|(template, arch)| !renewed.contains(&(template, *arch)))
        .map(|(template, arch)| format!("{template} on {arch}"))
        .collect()
}
