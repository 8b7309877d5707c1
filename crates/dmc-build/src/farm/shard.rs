//! One machine's part of a plan, brought to the registry by digest.

use super::{FarmFailure, KnownPlan, NEWEST, REPORT, Reported, shard_tag};
use crate::error::BuildError;
use crate::image::ImageSummary;
use crate::promote;
use crate::push::Blobs;
use crate::workshop::Workshop;
use dmc_farm::{Built, Report, Shard};
use dmc_image::oci::{Annotations, Artifact, Descriptor};
use dmc_registry::{Reference, Repository, Tag};
use dmc_types::{Arch, TemplateName};
use std::sync::Arc;

/// What a machine builds.
#[derive(Debug, Clone)]
pub struct ShardJob {
    /// The plan.
    pub plan: Arc<KnownPlan>,
    /// Its part.
    pub shard: Shard,
}

/// A shard that is in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Template, architecture and manifest of each image.
    pub images: Vec<(TemplateName, Arch, Descriptor)>,
    /// How their blobs came there.
    pub blobs: Blobs,
}

impl ShardJob {
    /// The images that it builds.
    pub fn images(&self) -> Result<Vec<(TemplateName, Arch)>, FarmFailure> {
        let images = self.plan.plan.images(self.shard)?;
        Ok(images.iter().map(|image| (image.template.clone(), image.arch)).collect())
    }
}

impl Workshop {
    /// Pushes the images of a shard by digest and says so in the registry. Run again, it must come
    /// to the same images.
    pub(crate) async fn deliver(
        &self,
        job: &ShardJob,
        images: Vec<Built<ImageSummary>>,
    ) -> Result<Delivered, BuildError> {
        let layout = self.layout()?;
        let (mut blobs, mut delivered) = (Blobs::default(), Vec::new());
        let mut reported = Vec::new();
        for Built { template, arch, took, image } in images {
            promote::check_private(self, &template, promote::is_private(image.annotations()))?;
            let repository = self.repository(&template)?;
            let manifests: Vec<Descriptor> = image.manifests().cloned().collect();
            let mut documents = Vec::new();
            blobs += self.push_manifests(&repository, &layout, &manifests).await?;
            for manifest in manifests {
                self.push_artifacts(&repository, &layout, &manifest).await?;
                documents.extend(layout.referrers(&manifest.digest)?);
                delivered.push((template.clone(), arch, manifest));
            }
            let image = Reported { summary: image, documents };
            reported.push(Built { template, arch, took, image });
        }
        let plan = &job.plan.reference;
        self.still_newest(job).await?;
        let number = job.shard.index();
        let before = self.last_report(&plan.repository, number).await?;
        if let Some(before) = before.filter(|before| before.plan == plan.digest) {
            same(&before.images, &reported)?;
        }
        let text = Report::new(plan.digest, number, reported).to_json();
        self.put_report(&plan.repository, number, &text).await?;
        Ok(Delivered { images: delivered, blobs })
    }

    async fn put_report(
        &self,
        repository: &Repository,
        shard: u32,
        text: &[u8],
    ) -> Result<(), BuildError> {
        let document = Descriptor::of(REPORT, text);
        let artifact = Artifact::new(REPORT, document, None, Annotations::new());
        self.put_artifact(repository, &artifact, &[text], Some(&shard_tag(shard))).await?;
        Ok(())
    }

    /// The report of an old plan must not take the place of a newer one's.
    async fn still_newest(&self, job: &ShardJob) -> Result<(), BuildError> {
        let reference = &job.plan.reference;
        let tag = Reference::Tag(NEWEST.parse::<Tag>().map_err(FarmFailure::from)?);
        match self.registry.head(&reference.repository, &tag).await? {
            Some(newest) if newest.digest != reference.digest => {
                Err(FarmFailure::Replaced { reference: reference.to_string() }.into())
            }
            _ => Ok(()),
        }
    }
}

/// What was reported before must have come out again.
fn same(before: &[Built<Reported>], now: &[Built<Reported>]) -> Result<(), FarmFailure> {
    for (old, new) in before.iter().zip(now) {
        let pairs = old.image.summary.manifests().zip(new.image.summary.manifests());
        let differs = pairs.into_iter().find(|(old, new)| old != new);
        if let Some((old_manifest, new_manifest)) = differs {
            return Err(FarmFailure::OtherImage {
                template: new.template.clone(),
                arch: new.arch,
                before: old_manifest.digest,
                now: new_manifest.digest,
            });
        }
    }
    Ok(())
}
