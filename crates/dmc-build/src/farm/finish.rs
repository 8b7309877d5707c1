//! The set is complete: indices, signatures, and tags last.

use super::{FarmFailure, KnownPlan, LONGEST, Reported};
use crate::error::BuildError;
use crate::image::ImageSummary;
use crate::naming;
use crate::promote;
use crate::signing::{Signed, sign_pushed};
use crate::workshop::Workshop;
use crate::worktree::Worktree;
use camino::Utf8Path;
use dmc_farm::{Built, complete};
use dmc_image::Layout;
use dmc_image::layout::Document;
use dmc_image::oci::{Artifact, Descriptor};
use dmc_registry::{Reference, Repository};
use dmc_types::{Arch, TemplateName};
use std::sync::Arc;

/// A template whose images of all machines have a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The template.
    pub template: TemplateName,
    /// `HOST[/NAMESPACE]/NAME`.
    pub repository: String,
    /// Its index.
    pub index: Descriptor,
    /// The tags that mean it now, the most telling first.
    pub tags: Vec<String>,
    /// What was signed of it.
    pub signed: Signed,
}

/// One template's images, all of which are in the registry.
struct Ready {
    template: TemplateName,
    repository: Repository,
    index: Descriptor,
}

impl Workshop {
    /// Opens the key that signs, where one is named.
    pub fn check_signer(&self) -> Result<(), BuildError> {
        self.signer()?;
        Ok(())
    }

    /// Checks that everything that was planned is in the registry, and only then signs it and moves
    /// the tags of all templates.
    pub async fn farm_finish(
        self: &Arc<Self>,
        known: &KnownPlan,
    ) -> Result<Vec<Finished>, BuildError> {
        // A key that cannot be used is better known before than after.
        self.check_signer()?;
        let mut reports = Vec::new();
        let digest = known.reference.digest;
        for number in (0..).take(known.plan.shards.len()) {
            let report = self.last_report(&known.reference.repository, number).await?;
            // What is there of another plan is not there.
            reports.extend(report.filter(|report| report.plan == digest));
        }
        let set = complete(&known.plan, &digest, reports).map_err(FarmFailure::from)?;
        // A layout of its own: the user's holds whole images alone.
        let folder = tempfile::tempdir().map_err(FarmFailure::Folder)?;
        let folder = Utf8Path::from_path(folder.path()).ok_or_else(FarmFailure::odd_folder)?;
        let layout = Layout::open_or_create(folder.to_owned())?;
        let mut ready = Vec::new();
        for (template, images) in set {
            ready.push(self.join_images(&layout, template, images, &known.plan.archs).await?);
        }
        for one in &ready {
            self.push_document(&one.repository, &layout, &one.index).await?;
        }
        let mut signed = Vec::new();
        for one in &ready {
            signed.push(sign_pushed(self, &one.repository, &layout, &one.index).await?);
        }
        let mut finished = Vec::new();
        for (one, signed) in ready.into_iter().zip(signed) {
            finished.push(self.name_images(&layout, one, signed).await?);
        }
        Ok(finished)
    }

    /// Makes the index of a template's images, all of which must be in the registry, with the
    /// documents about them.
    async fn join_images(
        &self,
        layout: &Layout,
        template: TemplateName,
        images: Vec<Built<Reported>>,
        order: &[Arch],
    ) -> Result<Ready, BuildError> {
        let repository = self.repository(&template)?;
        for built in &images {
            // The template must be here what it was there.
            self.basis(&template, built.arch).await?;
            let private = promote::is_private(built.image.summary.annotations());
            promote::check_private(self, &template, private)?;
            self.check_there(&repository, built).await?;
            for artifact in &built.image.documents {
                self.bring_document(layout, &repository, built, artifact).await?;
            }
        }
        let images = images.into_iter().map(|built| built.image.summary);
        let mut images: Vec<ImageSummary> = images.collect();
        // In the order in which one machine would have joined them.
        images.sort_by_key(|image| order.iter().position(|arch| *arch == image.arch));
        self.check_skew(&template, &images)?;
        let index = Self::write_index(layout, &images)?;
        let named = self.name(&template, layout, index, &images)?;
        Ok(Ready { template, repository, index: named.index })
    }

    async fn check_there(
        &self,
        repository: &Repository,
        built: &Built<Reported>,
    ) -> Result<(), BuildError> {
        for manifest in built.image.summary.manifests() {
            let at = Reference::Digest(manifest.digest);
            if self.registry.head(repository, &at).await?.is_none() {
                return Err(not_there(repository, built, manifest));
            }
        }
        Ok(())
    }

    /// Brings a document about an image into the layout, so that it is signed with the image.
    async fn bring_document(
        &self,
        layout: &Layout,
        repository: &Repository,
        built: &Built<Reported>,
        artifact: &Descriptor,
    ) -> Result<(), BuildError> {
        let at = Reference::Digest(artifact.digest);
        let found = self.registry.manifest(repository, &at).await?;
        let (_, bytes) = found.ok_or_else(|| not_there(repository, built, artifact))?;
        let read = serde_json::from_slice::<Artifact>(&bytes).ok();
        let subject = |artifact: &Artifact| {
            let about = artifact.subject.as_ref()?.digest;
            built.image.summary.manifests().find(|manifest| manifest.digest == about).cloned()
        };
        let known = read.and_then(|artifact| Some((subject(&artifact)?, artifact)));
        let (subject, artifact) = known.ok_or_else(|| not_there(repository, built, artifact))?;
        for blob in &artifact.layers {
            let document = Document {
                artifact_type: artifact.artifact_type.clone(),
                media_type: blob.media_type.clone(),
                bytes: self.registry.blob(repository, blob, LONGEST).await?,
                annotations: artifact.annotations.clone(),
            };
            layout.attach(&subject, &[document])?;
        }
        Ok(())
    }

    /// Moves the tags.
    async fn name_images(
        &self,
        layout: &Layout,
        ready: Ready,
        signed: Signed,
    ) -> Result<Finished, BuildError> {
        let Ready { template, repository, index } = ready;
        let mut tags = promote::tags(self, &template, layout, &index)?;
        // The lock says that the images are made from the templates as they are here.
        if let Worktree::Clean { commit: Some(commit) } = self.worktree(&template) {
            tags.push(naming::ended(&commit, self.is_private(&template)));
        }
        let tags = naming::once(tags);
        self.push_tags(&repository, layout, &index, &tags).await?;
        Ok(Finished { template, repository: repository.to_string(), index, tags, signed })
    }
}

fn not_there(repository: &Repository, built: &Built<Reported>, what: &Descriptor) -> BuildError {
    let (template, arch) = (built.template.clone(), built.arch);
    let (digest, repository) = (what.digest, repository.to_string());
    FarmFailure::NotThere { template, arch, digest, repository }.into()
}
