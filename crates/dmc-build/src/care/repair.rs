//! What is damaged is removed and made again.

use super::check::{Checkup, Cure, Damage, Finding, RECORD};
use super::{Referred, records};
use crate::error::BuildError;
use crate::record::ImageRecord;
use crate::sbom;
use crate::workshop::{Workshop, of_platform};
use camino::Utf8PathBuf;
use dmc_archive::ArchiveError;
use dmc_archive::store::{Object, Shelf};
use dmc_image::Layout;
use dmc_image::oci::Index;
use dmc_lock::Lock;
use dmc_types::{Arch, PackageName, Sha256, TemplateName};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io;
use std::sync::Arc;

impl Workshop {
    pub(super) async fn repair(
        self: &Arc<Self>,
        damage: &Damage,
        lock: Option<&Lock>,
        checkup: &mut Checkup,
    ) -> Result<(), BuildError> {
        let store = self.archive.store();
        for (object, _) in &damage.objects {
            store.remove(object).map_err(ArchiveError::from)?;
        }
        // First the images, whose records say which packages are needed.
        let layout = self.present_layout()?;
        let of_layout = match &layout {
            Some(layout) => self.repair_layout(layout, damage).await?,
            None => Vec::new(),
        };
        let referred = self.referred(layout.as_ref(), damage, lock)?;
        let indices = self.restore_indices(&damage.objects).await;
        let debs = self.restore_debs(&damage.objects, &referred, lock).await;
        for (object, why) in &damage.objects {
            let cure = match object.shelf {
                Shelf::Debs | Shelf::Contents | Shelf::Facts => {
                    object.digest().and_then(|deb| debs.get(&deb).cloned())
                }
                Shelf::Indices | Shelf::Compiled if store.path_of(object).exists() => {
                    Some(Cure::Restored)
                }
                Shelf::Compiled => indices.clone(),
                Shelf::Releases if object.is_memory() => Some(forgotten()),
                _ => None,
            };
            let cure = cure.unwrap_or(Cure::Removed);
            let (path, why) = (store.path_of(object), (*why).to_owned());
            checkup.findings.push(Finding { path, why, cure });
        }
        checkup.findings.extend(of_layout);
        Ok(())
    }

    /// What images and lock refer to; images without a record are passed over.
    fn referred(
        &self,
        layout: Option<&Layout>,
        damage: &Damage,
        lock: Option<&Lock>,
    ) -> Result<Referred, BuildError> {
        let mut referred = match lock {
            Some(lock) => self.referred_by_lock(lock)?,
            None => Referred::new(),
        };
        if let Some(layout) = layout {
            let images = records(layout)?.into_iter().map(|(_, image)| image);
            let named = images.filter(|image| damage.names.contains_key(image));
            referred.extend(Self::referred_by_images(layout, named)?);
        }
        Ok(referred)
    }

    /// Has the indices of all architectures again; says why not, where one was damaged that is
    /// searched. What one of these was made from is fetched when it is needed.
    async fn restore_indices(&self, damaged: &[(Object, &'static str)]) -> Option<Cure> {
        if damaged.iter().all(|(object, _)| object.shelf != Shelf::Compiled) {
            return None;
        }
        for arch in &self.settings.conf.archs {
            if let Err(error) = self.metadata.index(*arch).await {
                return Some(lost(&error.into()));
            }
        }
        None
    }

    /// Fetches and decodes again what somebody refers to.
    async fn restore_debs(
        &self,
        damaged: &[(Object, &'static str)],
        referred: &Referred,
        lock: Option<&Lock>,
    ) -> BTreeMap<Sha256, Cure> {
        let of_packages =
            |object: &Object| matches!(object.shelf, Shelf::Debs | Shelf::Contents | Shelf::Facts);
        let mut cures = BTreeMap::new();
        for (object, _) in damaged.iter().filter(|(object, _)| of_packages(object)) {
            let Some(deb) = object.digest() else { continue };
            let Some((package, arch)) = referred.get(&deb) else { continue };
            if cures.contains_key(&deb) {
                continue;
            }
            let cure = match self.restore_deb(&deb, package, *arch, lock).await {
                Ok(()) => Cure::Restored,
                Err(error) => lost(&error),
            };
            cures.insert(deb, cure);
        }
        cures
    }

    /// From the lock where it has the package, else from the index.
    async fn restore_deb(
        &self,
        deb: &Sha256,
        package: &PackageName,
        arch: Arch,
        lock: Option<&Lock>,
    ) -> Result<(), BuildError> {
        let of_lock = match lock {
            Some(lock) => self.package_of(lock, arch, deb).await?,
            None => None,
        };
        let packages = match of_lock {
            Some(packages) => packages,
            None => self.metadata.index(arch).await?,
        };
        let store = self.archive.store();
        for candidate in packages.all_named(package).map_err(ArchiveError::from)? {
            if store.key(&candidate.checksum).map_err(ArchiveError::from)? == Some(*deb) {
                if !store.has_deb(deb) {
                    self.archive.fetch_deb(&candidate).await?;
                }
                self.archive.facts(&candidate).await?;
                return Ok(());
            }
        }
        Err(BuildError::Superseded { package: package.clone(), arch, deb: *deb })
    }

    /// Removes damaged blobs and records, builds their images again, and looks whether the same
    /// came out.
    async fn repair_layout(
        self: &Arc<Self>,
        layout: &Layout,
        damage: &Damage,
    ) -> Result<Vec<Finding>, BuildError> {
        let Damage { blobs, records, names, documents, .. } = damage;
        for blob in blobs.keys() {
            layout.remove_blob(blob)?;
        }
        for (path, _) in records {
            remove(path)?;
        }
        let affected = blobs.keys().chain(records.iter().map(|(_, image)| image));
        let affected: BTreeSet<TemplateName> =
            affected.flat_map(|blob| self.templates_of(names.get(blob))).collect();
        let mut failed = BTreeMap::new();
        for template in affected {
            let described = blobs.keys().any(|blob| documents.contains(blob));
            if let Err(error) = self.write_again(layout, &template, described).await {
                failed.insert(template, lost(&error));
            }
        }
        let cure = |blob: &Sha256, there: bool| match names.get(blob) {
            None => Cure::Removed,
            Some(_) if there => Cure::Restored,
            Some(tags) => {
                let templates = self.templates_of(Some(tags));
                let error = templates.iter().find_map(|template| failed.get(template).cloned());
                error.unwrap_or_else(|| {
                    // Another one says what it said, or it is written when it is asked for.
                    if documents.contains(blob) { Cure::Removed } else { otherwise_now(tags) }
                })
            }
        };
        let blobs = blobs.iter().map(|(blob, how)| {
            let (path, why) = (self.blob(blob), how.why().to_owned());
            Finding { path, why, cure: cure(blob, layout.blob_path(blob).is_file()) }
        });
        let records = records.iter().map(|(path, image)| {
            let why = RECORD.to_owned();
            Finding { path: path.clone(), why, cure: cure(image, path.is_file()) }
        });
        Ok(blobs.chain(records).collect())
    }

    /// Writes the blobs of a template's images, and the index that joins them, without a name:
    /// the same bytes take their old places, others belong to nobody. Documents about images are
    /// written when these are built, so that for their sake nothing is taken as it is.
    async fn write_again(
        self: &Arc<Self>,
        layout: &Layout,
        template: &TemplateName,
        documents: bool,
    ) -> Result<(), BuildError> {
        let mut images = Vec::new();
        for arch in self.archs_of(layout, template)? {
            let force = documents || self.settings.force;
            images.push(self.image_by(template, arch, force).await?.0);
        }
        let index = Self::write_index(layout, &images)?;
        if documents {
            sbom::describe_index(layout, &index)?;
        }
        Ok(())
    }

    /// The architectures for which there are images of a template, as far as its indices and
    /// records can be read; those of the configuration where nothing can.
    fn archs_of(&self, layout: &Layout, template: &TemplateName) -> Result<Vec<Arch>, BuildError> {
        let mut found = BTreeSet::new();
        let tags = layout.refs()?.into_iter();
        for (_, index) in tags.filter(|(tag, _)| tag.split(':').next() == Some(template.as_str())) {
            let Ok(index) = layout.read_document::<Index>(&index) else { continue };
            let platforms: Vec<_> =
                index.manifests.into_iter().filter_map(|it| it.platform).collect();
            let is_there =
                |arch: &Arch| platforms.iter().any(|platform| of_platform(platform, *arch));
            found.extend(Arch::ALL.into_iter().filter(is_there));
        }
        for (_, image) in records(layout)? {
            let record = ImageRecord::read(layout, &image).ok();
            found.extend(record.filter(|it| it.template == *template).map(|record| record.arch));
        }
        let usual = self.settings.conf.archs.iter().copied();
        if found.is_empty() {
            return Ok(usual.collect());
        }
        // An index lists them in the order of the configuration.
        let mut archs: Vec<Arch> = usual.filter(|arch| found.remove(arch)).collect();
        archs.extend(found);
        Ok(archs)
    }
}

/// Removes a record, if it is there.
fn remove(path: &Utf8PathBuf) -> Result<(), BuildError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(BuildError::WriteRecord { path: path.clone(), source })
        }
        _ => Ok(()),
    }
}

fn forgotten() -> Cure {
    Cure::Lost {
        why: "which release of the suite was accepted last is not known any more".to_owned(),
        hint: Some(
            "the next release is accepted if it is not below the floors of the configuration and \
             of a lock: compare the date that `dmc setup` shows with another machine's"
                .to_owned(),
        ),
    }
}

fn otherwise_now(names: &BTreeSet<String>) -> Cure {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let template = names.first().and_then(|name| name.split(':').next()).unwrap_or_default();
    Cure::Lost {
        why: format!("what is built now is no longer the image of {}", names.join(", ")),
        hint: Some(format!(
            "build it from what there is now (dmc -t {template}), or from a lock that was made with it"
        )),
    }
}

/// An error with its causes.
fn lost(error: &BuildError) -> Cure {
    let mut why = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !why.ends_with(&text) {
            why = format!("{why}: {text}");
        }
        next = source.source();
    }
    Cure::Lost { why, hint: error.hint() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_told_with_its_causes_and_a_way_out() {
        let names = ["nginx:1.26.2".to_owned()].into();
        let Cure::Lost { why, hint } = otherwise_now(&names) else { panic!() };
        assert!(why.contains("nginx:1.26.2") && hint.unwrap().contains("dmc -t nginx"));
        let source = io::Error::other("the cause");
        let error = BuildError::Record { path: "x".into(), source };
        let Cure::Lost { why, .. } = lost(&error) else { panic!() };
        assert!(why.contains("`x`") && why.ends_with(": the cause"), "{why}");
    }
}
