//! What the store remembers of images, and when that makes a build unnecessary.
//!
//! Three small records belong to an image: its summary by a key over everything that it depends
//! on, releases included; the same by a key over all but the releases; and, by its manifest, what
//! it was made from. Equal releases vouch for an equal image at once. Where a release moved, the
//! image is still the same if the indices answer every lookup of its build as they did then.

use crate::error::BuildError;
use crate::image::{self, ImageSummary};
use crate::inputs::Inputs;
use crate::lookups::Trace;
use crate::workshop::Workshop;
use dmc_archive::ArchiveError;
use dmc_types::{Arch, Sha256, TemplateName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::sync::Arc;

/// What of the releases of a run reaches an image.
#[derive(Debug, Clone, Default)]
pub(crate) struct Releases {
    /// Digests of their texts, or of what a lock has in their place.
    pub(crate) digests: Vec<Sha256>,
    /// What they are, by name: suites and digests of their texts.
    pub(crate) named: Vec<(String, Sha256)>,
    /// The suites among them that were accepted although they had expired.
    pub(crate) expired: Vec<String>,
}

/// What an image was made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) inputs: Inputs,
    pub(crate) trace: Trace,
}

/// How it is known that an image need not be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Because {
    /// The releases are those that it was built with.
    SameReleases,
    /// The indices answer all lookups as they did.
    SameAnswers,
}

/// An image that need not be built.
struct Found {
    summary: ImageSummary,
    because: Because,
    /// Digests and sizes of what it consists of in the layout.
    blobs: Vec<(Sha256, u64)>,
}

impl Workshop {
    /// What of the releases of a run reaches an image.
    pub(crate) async fn releases(&self) -> Result<Releases, BuildError> {
        let releases = self.metadata.releases().await?;
        let named: Vec<(String, Sha256)> = releases
            .iter()
            .map(|accepted| (accepted.suite.to_string(), accepted.release.digest()))
            .collect();
        let digests = named.iter().map(|(_, digest)| *digest).collect();
        let expired = releases
            .iter()
            .filter(|accepted| accepted.release.accepted_expired())
            .map(|accepted| accepted.suite.to_string())
            .collect();
        Ok(Releases { digests, named, expired })
    }

    /// What an image of a template depends on besides the packages.
    pub(crate) fn inputs(
        &self,
        template: &TemplateName,
        arch: Arch,
        releases: &Releases,
    ) -> Result<Inputs, BuildError> {
        let template = self.settings.catalog.get(template.as_str())?;
        Ok(Inputs::new(&self.settings, template, arch, &releases.expired))
    }

    /// The summary of an image that a build would come to and that is still in the layout.
    /// Looks only: a listing asks too.
    pub(crate) async fn known(
        &self,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Option<ImageSummary>, BuildError> {
        let releases = self.basis(template, arch).await?;
        let inputs = self.inputs(template, arch, &releases)?;
        let found = self.find(&inputs, &releases, arch).await?;
        Ok(found.map(|found| found.summary))
    }

    async fn find(
        &self,
        inputs: &Inputs,
        releases: &Releases,
        arch: Arch,
    ) -> Result<Option<Found>, BuildError> {
        let Ok(layout) = self.layout_there() else { return Ok(None) };
        let complete = |summary: ImageSummary, because| {
            let blobs = image::blobs(&layout, &summary)?;
            Some(Found { summary, because, blobs })
        };
        let same = self.remembered(&inputs.key_with(&releases.digests))?;
        if let Some(found) = same.and_then(|same| complete(same, Because::SameReleases)) {
            return Ok(Some(found));
        }
        if self.settings.locked.is_some() {
            return Ok(None);
        }
        let last = self.remembered(&inputs.key())?;
        let last = last.and_then(|last| complete(last, Because::SameAnswers));
        let Some(found) = last else { return Ok(None) };
        let origin = self.origin(&found.summary.manifest.digest)?;
        let Some(origin) = origin.filter(|origin| origin.inputs == *inputs) else {
            return Ok(None);
        };
        // An index that cannot be had or read is the matter of whoever builds from it.
        let Ok(packages) = self.metadata.index(arch).await else { return Ok(None) };
        let holds = origin.trace.holds(&packages).unwrap_or(false);
        Ok(holds.then_some(found))
    }

    /// What the image with this manifest was made from, as far as the store knows.
    pub(crate) fn origin(&self, manifest: &Sha256) -> Result<Option<Origin>, BuildError> {
        self.remembered(&origin_key(manifest))
    }

    /// Builds an image, or finds it where nothing that it depends on has changed. By force it is
    /// built in any case, and must come to what is known.
    pub(crate) async fn image(
        self: &Arc<Self>,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<(ImageSummary, bool), BuildError> {
        self.image_by(template, arch, self.settings.force).await
    }

    /// The same, where `force` says whether it is built in any case.
    pub(crate) async fn image_by(
        self: &Arc<Self>,
        template: &TemplateName,
        arch: Arch,
        force: bool,
    ) -> Result<(ImageSummary, bool), BuildError> {
        let releases = self.basis(template, arch).await?;
        let inputs = self.inputs(template, arch, &releases)?;
        let found = self.find(&inputs, &releases, arch).await?;
        // Garbage collection spares it for a while, as it does a new one.
        if let Some(Found { summary, because, blobs }) = &found
            && !force
            && self.layout()?.keep_blobs(blobs).unwrap_or(false)
        {
            if *because == Because::SameAnswers {
                self.remember(&inputs.key_with(&releases.digests), summary)?;
            }
            return Ok((summary.clone(), true));
        }
        let (summary, trace) = self.build(template, arch, &releases).await?;
        let before = found.iter().flat_map(|found| found.summary.manifests());
        let other = before.zip(summary.manifests()).find(|(before, now)| before != now);
        if let Some((before, now)) = other {
            return Err(BuildError::OtherDigest {
                template: template.clone(),
                arch,
                before: before.digest,
                now: now.digest,
            });
        }
        self.remember(&inputs.key_with(&releases.digests), &summary)?;
        // What a lock answers tells nothing of the archive.
        if self.settings.locked.is_none() {
            self.remember(&inputs.key(), &summary)?;
            let origin = Origin { inputs, trace };
            self.remember(&origin_key(&summary.manifest.digest), &origin)?;
        }
        self.sweep();
        Ok((summary, false))
    }

    async fn build(
        self: &Arc<Self>,
        template: &TemplateName,
        arch: Arch,
        releases: &Releases,
    ) -> Result<(ImageSummary, Trace), BuildError> {
        let template = self.settings.catalog.get(template.as_str())?;
        loop {
            let packages = self.packages(template, arch).await?;
            match image::build(self, template, &packages, releases).await {
                Err(BuildError::Archive(error)) if self.metadata.repair_index(arch, &error) => {}
                other => return other,
            }
        }
    }

    fn remembered<T: DeserializeOwned>(&self, key: &Sha256) -> Result<Option<T>, BuildError> {
        let json = self.archive.store().record(key).map_err(ArchiveError::from)?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    fn remember(&self, key: &Sha256, what: &impl Serialize) -> Result<(), BuildError> {
        if let Ok(json) = serde_json::to_vec(what) {
            self.archive.store().put_record(key, &json).map_err(ArchiveError::from)?;
        }
        Ok(())
    }
}

fn origin_key(manifest: &Sha256) -> Sha256 {
    let text = format!("origin of {manifest}");
    Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into())
}
