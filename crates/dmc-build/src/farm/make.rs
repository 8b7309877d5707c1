//! A plan is made: lock, shards, and the cache that goes with them.

use super::{DEB, INDEX, LOCK, NEWEST, PLAN, PlanRef, REPOSITORY};
use crate::error::BuildError;
use crate::farm::FarmFailure;
use crate::promote;
use crate::push::{Blobs, PushError};
use crate::settings::Settings;
use crate::workshop::Workshop;
use dmc_archive::StoredFile;
use dmc_farm::{Cost, FarmPlan, Shard, shards};
use dmc_image::oci::{Annotations, Artifact, Descriptor};
use dmc_lock::Lock;
use dmc_registry::{Place, Repository, Source};
use dmc_types::{Sha256, TemplateName};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files on their way to the cache at the same time.
const SIDE_BY_SIDE: usize = 8;

/// A plan that is in the registry.
#[derive(Debug)]
pub struct Planned {
    /// What names it.
    pub reference: PlanRef,
    /// The plan.
    pub plan: FarmPlan,
    /// How many packages its images have, those of all architectures counted.
    pub packages: usize,
    /// How .debs and indices came into the cache.
    pub cache: Blobs,
    /// Templates that are not in it, and why.
    pub failed: Vec<(TemplateName, BuildError)>,
}

/// Where plans, reports and the shared cache are.
pub fn farm_repository(settings: &Settings) -> Result<Repository, PushError> {
    let host = settings.conf.host.as_deref().ok_or(PushError::NoHost)?;
    Ok(host.parse::<Place>()?.repository(REPOSITORY)?)
}

impl Workshop {
    /// Locks templates, shares their images among `count` machines, and puts the plan with all that
    /// they need into the registry. `tools` says that the templates are variants with tools.
    pub async fn farm_plan(
        self: &Arc<Self>,
        templates: &[TemplateName],
        count: u32,
        tools: bool,
    ) -> Result<Planned, BuildError> {
        let repository = farm_repository(&self.settings)?;
        let (mut images, mut failed) = (Vec::new(), Vec::new());
        for template in templates {
            let locked = match promote::check_private(self, template, false) {
                Ok(()) => self.lock_images(template).await,
                Err(refused) => Err(refused),
            };
            match locked {
                Ok(locked) => images.push(locked),
                Err(error) => failed.push((template.clone(), error)),
            }
        }
        if images.is_empty() {
            // Where there is one, its own message is the best.
            let first = (failed.len() == 1).then(|| failed.pop()).flatten();
            let all = FarmFailure::NothingPlanned { failed };
            return Err(first.map_or(all.into(), |(_, error)| error));
        }
        let lock = self.lock_of(&images).await?;
        let costs = self.last_costs(&repository).await?;
        let mut plan = self.plan_of(&lock, shards(&lock, &costs, count));
        plan.tools = tools;
        let (digest, cache) = self.put_plan(&repository, &lock, &plan).await?;
        let reference = PlanRef { repository, digest };
        Ok(Planned { reference, plan, packages: lock.debs().count(), cache, failed })
    }

    fn plan_of(&self, lock: &Lock, shards: Vec<Vec<dmc_farm::PlannedImage>>) -> FarmPlan {
        let settings = &self.settings;
        let text = Descriptor::of(LOCK, lock.to_string().as_bytes());
        let host = settings.conf.host.as_deref().unwrap_or_default();
        let mut plan = FarmPlan::new(text.digest, host, shards);
        plan.archs.clone_from(&settings.conf.archs);
        plan.compression = settings.compression.to_string();
        plan.epoch = settings.epoch;
        plan.allow_skew = settings.allow_skew;
        plan
    }

    /// How long images took when they were built last, as far as reports are there.
    async fn last_costs(&self, repository: &Repository) -> Result<Cost, BuildError> {
        let mut costs = Cost::new();
        for shard in 0..Shard::MOST {
            let Some(report) = self.last_report(repository, shard).await? else { break };
            let took = report.images.into_iter();
            costs.extend(took.map(|built| ((built.template, built.arch), built.took)));
        }
        Ok(costs)
    }

    async fn put_plan(
        self: &Arc<Self>,
        repository: &Repository,
        lock: &Lock,
        plan: &FarmPlan,
    ) -> Result<(Sha256, Blobs), BuildError> {
        let (text, lock_text) = (plan.to_json(), lock.to_string());
        let document = Descriptor::of(PLAN, &text);
        let mut artifact = Artifact::new(PLAN, document, None, Annotations::new());
        artifact.layers.push(Descriptor::of(LOCK, lock_text.as_bytes()));
        let (files, cache) = self.fill_cache(repository, lock).await?;
        artifact.layers.extend(files);
        let documents = [text.as_slice(), lock_text.as_bytes()];
        let put = self.put_artifact(repository, &artifact, &documents, None).await?;
        // The tag comes last, and keeps the cache from the registry's garbage collection.
        self.put_artifact(repository, &artifact, &documents, Some(NEWEST)).await?;
        Ok((put.digest, cache))
    }

    /// Brings the packages of a lock, and the indices of this run, to the registry.
    async fn fill_cache(
        &self,
        repository: &Repository,
        lock: &Lock,
    ) -> Result<(Vec<Descriptor>, Blobs), BuildError> {
        let mut files: BTreeMap<Sha256, (&str, StoredFile)> = BTreeMap::new();
        for arch in lock.packages.keys() {
            for deb in self.debs_of(lock, *arch)? {
                let file = self.archive.deb_file(*arch, &deb).await?;
                files.extend(file.map(|file| (file.digest, (DEB, file))));
            }
            let indices = self.metadata.index_files(*arch).await?;
            files.extend(indices.into_iter().map(|file| (file.digest, (INDEX, file))));
        }
        let put = files.into_values().map(async |(kind, file)| {
            let blob = Descriptor::new(kind, file.digest, file.size);
            let placed =
                self.registry.put_blob(repository, &blob, Source::File(&file.path)).await?;
            Ok::<_, BuildError>((blob, placed))
        });
        let put: Vec<_> = stream::iter(put).buffered(SIDE_BY_SIDE).try_collect().await?;
        let mut blobs = Blobs::default();
        for (blob, placed) in &put {
            blobs.count(*placed, blob.size);
        }
        Ok((put.into_iter().map(|(blob, _)| blob).collect(), blobs))
    }
}
