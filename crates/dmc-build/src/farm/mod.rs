//! Many machines, one set of images.
//!
//! Everything that the machines share is in the registry, in the repository `dmc-farm` beside those
//! of the images. [`plan`](Workshop::farm_plan) puts a plan there: an artifact with the lock, who
//! builds what, and the very .debs and package indices, which thereby are a cache that outlives the
//! mirror's next update. A shard's machine builds from that lock and pushes by digest alone
//! ([`deliver`](Workshop::deliver)); what it has done is told under a tag of its own, as lists of
//! referrers lose entries where many write at once. One machine [finishes](Workshop::farm_finish):
//! it alone signs, and moves tags once all of the set is there.
//!
//! Trusted is the plan, by its digest, and whoever may write to the registry's repositories of the
//! farm. .debs and indices are held against signed releases or the lock, wherever they come from.

mod cache;
mod error;
mod finish;
mod make;
mod reference;
mod shard;

pub use error::FarmFailure;
pub use finish::Finished;
pub use make::{Planned, farm_repository};
pub use reference::PlanRef;
pub use shard::{Delivered, ShardJob};

pub(crate) use cache::RegistryCache;

use crate::error::BuildError;
use crate::image::ImageSummary;
use crate::workshop::Workshop;
use dmc_farm::{FarmPlan, Report};
use dmc_image::oci::{Artifact, Descriptor, EMPTY, EMPTY_JSON, media_type};
use dmc_lock::Lock;
use dmc_registry::{Reference, Repository, Source, Tag};
use serde::{Deserialize, Serialize};

/// The name of the repository with plans and reports.
const REPOSITORY: &str = "dmc-farm";

/// The tag of the newest plan.
const NEWEST: &str = "plan";

/// The kind of an artifact with a plan, and the media type of the plan itself.
const PLAN: &str = "application/vnd.dmc.farm.plan.v1+json";

/// The kind of an artifact with the report of a shard, and the media type of the report itself.
const REPORT: &str = "application/vnd.dmc.farm.report.v1+json";

/// The media type of a lock.
const LOCK: &str = "application/vnd.dmc.lock.v1+toml";

/// The media type of a .deb, as IANA has it.
const DEB: &str = "application/vnd.debian.binary-package";

/// The media type of a package index.
const INDEX: &str = "application/octet-stream";

/// No plan, lock or report is longer, in bytes.
const LONGEST: u64 = 16 << 20;

/// A plan with its lock, as they are in the registry.
#[derive(Debug, Clone)]
pub struct KnownPlan {
    /// What names it.
    pub reference: PlanRef,
    /// The plan.
    pub plan: FarmPlan,
    /// The lock that it names.
    pub lock: Lock,
}

impl Workshop {
    /// Reads a plan from its registry. Its digest says that it is the one that was meant.
    pub async fn known_plan(&self, reference: &PlanRef) -> Result<KnownPlan, BuildError> {
        let at = Reference::Digest(reference.digest);
        let missing = || FarmFailure::NoPlan { reference: reference.to_string() };
        let (_, bytes) =
            self.registry.manifest(&reference.repository, &at).await?.ok_or_else(missing)?;
        let broken = |why: &str| FarmFailure::BrokenPlan {
            reference: reference.to_string(),
            why: why.to_owned(),
        };
        let artifact: Artifact =
            serde_json::from_slice(&bytes).map_err(|error| broken(&error.to_string()))?;
        let (Some(plan), Some(lock)) = (artifact.layers.first(), artifact.layers.get(1)) else {
            return Err(broken("it has not both a plan and a lock").into());
        };
        if artifact.artifact_type != PLAN || plan.media_type != PLAN || lock.media_type != LOCK {
            return Err(broken("it is another kind of artifact").into());
        }
        let text = self.registry.blob(&reference.repository, plan, LONGEST).await?;
        let plan = FarmPlan::parse(&text).map_err(FarmFailure::from)?;
        if plan.lock != lock.digest {
            return Err(broken("its lock is not the one that it names").into());
        }
        let text = self.registry.blob(&reference.repository, lock, LONGEST).await?;
        let lock = Lock::parse(&text).map_err(|error| broken(&error.to_string()))?;
        Ok(KnownPlan { reference: reference.clone(), plan, lock })
    }

    /// Puts an artifact of these layers into a repository; `documents` are those that are not there
    /// yet. Named by a tag or, without one, by its digest alone.
    async fn put_artifact(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        documents: &[&[u8]],
        tag: Option<&str>,
    ) -> Result<Descriptor, BuildError> {
        let empty = Descriptor::of(EMPTY, EMPTY_JSON);
        self.registry.put_blob(repository, &empty, Source::Bytes(EMPTY_JSON)).await?;
        for (layer, document) in artifact.layers.iter().zip(documents) {
            self.registry.put_blob(repository, layer, Source::Bytes(document)).await?;
        }
        let (bytes, descriptor) = (artifact.to_json(), artifact.descriptor());
        let at = match tag {
            Some(tag) => Reference::Tag(tag.parse::<Tag>().map_err(FarmFailure::from)?),
            None => Reference::Digest(descriptor.digest),
        };
        self.registry.put_manifest(repository, &at, media_type::MANIFEST, &bytes).await?;
        Ok(descriptor)
    }

    /// The report that was left last for the shard of this number, of whatever plan; none where
    /// there is none, or none that can be read.
    async fn last_report(
        &self,
        repository: &Repository,
        shard: u32,
    ) -> Result<Option<Report<Reported>>, BuildError> {
        let tag = Reference::Tag(shard_tag(shard).parse::<Tag>().map_err(FarmFailure::from)?);
        let Some((_, bytes)) = self.registry.manifest(repository, &tag).await? else {
            return Ok(None);
        };
        let Ok(artifact) = serde_json::from_slice::<Artifact>(&bytes) else { return Ok(None) };
        let Some(layer) = artifact.layers.first().filter(|layer| layer.media_type == REPORT) else {
            return Ok(None);
        };
        let text = self.registry.blob(repository, layer, LONGEST).await?;
        Ok(Report::parse(&text).ok())
    }
}

/// What a report says of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reported {
    /// What is known of it.
    pub(crate) summary: ImageSummary,
    /// The artifacts about its manifests.
    pub(crate) documents: Vec<Descriptor>,
}

/// The tag of the last report of a shard.
fn shard_tag(shard: u32) -> String {
    format!("shard-{shard}")
}
