//! Images from the layout to a registry.
//!
//! What is named goes before what names it: blobs, manifests, the index by its digest, documents
//! about them, signatures, and tags last, so that no tag ever means something that is not all
//! there. What the registry has is not sent. Manifests and indices go as the bytes that were
//! hashed. An image that is all there costs a few questions.

mod client;
mod error;

pub(crate) use client::client;
pub use error::PushError;

use crate::error::BuildError;
use crate::promote;
use crate::settings::Settings;
use crate::signing::{self, Signed};
use crate::workshop::Workshop;
use dmc_image::Layout;
use dmc_image::oci::{Artifact, Descriptor, Index, Manifest, media_type};
use dmc_registry::{Place, Placed, Reference, Registry, Repository, Source, Tag};
use dmc_types::{Sha256, TemplateName};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// Blobs or documents on their way at the same time.
const SIDE_BY_SIDE: usize = 8;

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// `HOST[/NAMESPACE]/NAME`.
    pub repository: String,
    /// Its index.
    pub index: Descriptor,
    /// The tags that mean it now, the most telling first.
    pub tags: Vec<String>,
    /// How its blobs came there.
    pub blobs: Blobs,
    /// What was signed of it.
    pub signed: Signed,
}

/// How blobs came to be in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blobs {
    /// How many were there.
    pub there: usize,
    /// How many the registry took from other repositories.
    pub mounted: usize,
    /// How many were sent.
    pub sent: usize,
    /// Bytes of those that were sent.
    pub bytes: u64,
}

impl Blobs {
    /// Counts one of this size.
    pub(crate) fn count(&mut self, placed: Placed, size: u64) {
        match placed {
            Placed::There => self.there += 1,
            Placed::Mounted => self.mounted += 1,
            Placed::Sent => {
                self.sent += 1;
                self.bytes += size;
            }
        }
    }
}

impl std::ops::AddAssign for Blobs {
    fn add_assign(&mut self, more: Self) {
        self.there += more.there;
        self.mounted += more.mounted;
        self.sent += more.sent;
        self.bytes += more.bytes;
    }
}

impl Settings {
    /// Where images are pushed.
    ///
    /// # Errors
    /// [`PushError::NoHost`] where no registry is named, [`PushError::Name`] where what is named
    /// is none.
    pub fn place(&self) -> Result<Place, PushError> {
        Ok(self.conf.host.as_deref().ok_or(PushError::NoHost)?.parse()?)
    }
}

impl Workshop {
    /// The client of registries.
    ///
    /// # Errors
    /// [`PushError::NoHost`] where no registry is named.
    pub(crate) fn registry(&self) -> Result<&Registry, PushError> {
        match self.settings.conf.host {
            Some(_) => Ok(&self.registry),
            None => Err(PushError::NoHost),
        }
    }

    /// Where a template's images are kept in the registry.
    pub(crate) fn repository(&self, template: &TemplateName) -> Result<Repository, PushError> {
        Ok(self.settings.place()?.repository(template.as_str())?)
    }

    /// Pushes a template's newest image, with its tags.
    pub(crate) async fn push(&self, template: &TemplateName) -> Result<Pushed, BuildError> {
        let (layout, index) = self.newest(template)?;
        promote::check_host(self, template, &layout, &index)?;
        let repository = self.repository(template)?;
        // A key that cannot be used is better known before than after.
        self.signer()?;
        let blobs = self.push_index(&repository, &layout, &index).await?;
        let signed = signing::sign_pushed(self, &repository, &layout, &index).await?;
        let tags = promote::tags(self, template, &layout, &index)?;
        self.push_tags(&repository, &layout, &index, &tags).await?;
        let repository = repository.to_string();
        Ok(Pushed { repository, index, tags, blobs, signed })
    }

    /// The index of a template's newest image.
    pub(crate) fn newest(
        &self,
        template: &TemplateName,
    ) -> Result<(Layout, Descriptor), BuildError> {
        let none =
            || PushError::NoImage { template: template.clone(), out: self.settings.out.clone() };
        if !self.settings.out.join("index.json").exists() {
            return Err(none().into());
        }
        let layout = self.layout_there()?;
        let entry = layout.resolve(&self.latest(template))?.ok_or_else(none)?;
        Ok((layout, Descriptor::new(&entry.media_type, entry.digest, entry.size)))
    }

    /// Pushes an index and all that it names, and what is attached to them, without any tag.
    pub(crate) async fn push_index(
        &self,
        repository: &Repository,
        layout: &Layout,
        index: &Descriptor,
    ) -> Result<Blobs, BuildError> {
        let document: Index = layout.read_document(index)?;
        let blobs = self.push_manifests(repository, layout, &document.manifests).await?;
        self.push_document(repository, layout, index).await?;
        for subject in document.manifests.iter().chain([index]) {
            self.push_artifacts(repository, layout, subject).await?;
        }
        Ok(blobs)
    }

    /// Pushes manifests and all that they name, by digest.
    pub(crate) async fn push_manifests(
        &self,
        repository: &Repository,
        layout: &Layout,
        manifests: &[Descriptor],
    ) -> Result<Blobs, BuildError> {
        let mut wanted: BTreeMap<Sha256, Descriptor> = BTreeMap::new();
        for manifest in manifests {
            let manifest: Manifest = layout.read_document(manifest)?;
            let blobs = manifest.layers.into_iter().chain([manifest.config]);
            wanted.extend(blobs.map(|blob| (blob.digest, blob)));
        }
        let blobs = self.push_blobs(repository, layout, wanted.into_values().collect()).await?;
        let mut seen = BTreeSet::new();
        let manifests = manifests.iter().filter(|one| seen.insert(one.digest));
        stream::iter(manifests.map(|one| self.push_document(repository, layout, one)))
            .buffered(SIDE_BY_SIDE)
            .try_collect::<()>()
            .await?;
        Ok(blobs)
    }

    async fn push_blobs(
        &self,
        repository: &Repository,
        layout: &Layout,
        wanted: Vec<Descriptor>,
    ) -> Result<Blobs, BuildError> {
        let registry = self.registry()?;
        let placed = wanted.iter().map(async |blob| {
            let path = layout.blob_path(&blob.digest);
            let placed = registry.put_blob(repository, blob, Source::File(&path)).await?;
            Ok::<_, BuildError>((placed, blob.size))
        });
        let placed: Vec<_> = stream::iter(placed).buffered(SIDE_BY_SIDE).try_collect().await?;
        let mut blobs = Blobs::default();
        for (placed, size) in placed {
            blobs.count(placed, size);
        }
        Ok(blobs)
    }

    /// A manifest or index by its digest, unless it is there.
    pub(crate) async fn push_document(
        &self,
        repository: &Repository,
        layout: &Layout,
        document: &Descriptor,
    ) -> Result<(), BuildError> {
        let registry = self.registry()?;
        let reference = Reference::Digest(document.digest);
        if registry.head(repository, &reference).await?.is_none() {
            let bytes = layout.read_blob(document)?;
            registry.put_manifest(repository, &reference, &document.media_type, &bytes).await?;
        }
        Ok(())
    }

    /// The documents of the layout about a manifest or index.
    pub(crate) async fn push_artifacts(
        &self,
        repository: &Repository,
        layout: &Layout,
        subject: &Descriptor,
    ) -> Result<(), BuildError> {
        // A layout from before has images that say nothing of themselves yet.
        if subject.media_type == media_type::MANIFEST
            && let Err(error) = self.described(layout, subject)
        {
            tracing::warn!(%error, "sha256:{} goes without documents", subject.digest);
        }
        let mut local = layout.referrers(&subject.digest)?;
        local.retain(|entry| !promote::is_of_place(entry));
        if local.is_empty() {
            return Ok(());
        }
        let registry = self.registry()?;
        let there = registry.referrers(repository, &subject.digest, None).await?;
        for entry in local {
            if there.iter().any(|one| one.digest == entry.digest) {
                continue;
            }
            let artifact: Artifact = layout.read_document(&entry)?;
            let documents = artifact.layers.iter().map(|layer| layout.read_blob(layer));
            let documents: Vec<_> = documents.collect::<Result<_, _>>()?;
            let document = documents.first().map_or(&[][..], Vec::as_slice);
            registry.attach(repository, &artifact, document).await?;
        }
        Ok(())
    }

    /// Makes tags mean an index that is all there.
    pub(crate) async fn push_tags(
        &self,
        repository: &Repository,
        layout: &Layout,
        index: &Descriptor,
        tags: &[String],
    ) -> Result<(), BuildError> {
        let registry = self.registry()?;
        let bytes = layout.read_blob(index)?;
        let moved = tags.iter().map(async |tag| {
            let tag = Reference::Tag(tag.parse::<Tag>().map_err(PushError::from)?);
            let before = registry.head(repository, &tag).await?;
            if before.is_none_or(|before| before.digest != index.digest) {
                registry.put_manifest(repository, &tag, &index.media_type, &bytes).await?;
            }
            Ok::<_, BuildError>(())
        });
        stream::iter(moved).buffered(SIDE_BY_SIDE).try_collect().await
    }
}
