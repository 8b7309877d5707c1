//! How each task is done that is more than a call of its room.

use super::{Outcome, ReleaseLine, Run, Tool};
use crate::error::BuildError;
use crate::farm::FarmFailure;
use crate::image::ImageSummary;
use crate::load::{self, Engine};
use crate::lock::LockFailure;
use crate::naming;
use crate::plan::Step;
use crate::promote::{self, Trial};
use crate::test::{self, TestResult};
use dmc_archive::ArchiveError;
use dmc_archive::release::News;
use dmc_farm::Built;
use dmc_types::{Arch, TemplateName};

/// Optional tools, and what they are for.
const TOOLS: [(&str, &str); 4] = [
    ("podman", "load, and to run images without root"),
    ("docker", "load, where podman is not used"),
    ("skopeo", "to copy images from the layout to elsewhere"),
    ("qemu-aarch64-static", "to run arm64 images on this machine"),
];

impl Run<'_> {
    pub(super) async fn lock(&self, written: bool) -> Result<Outcome, BuildError> {
        if self.chosen.is_empty() {
            let path = self.workshop.settings.lock_file.clone();
            return Err(LockFailure::NothingLocked { path }.into());
        }
        let update = if written {
            self.workshop.write_lock(&self.chosen).await?
        } else {
            self.workshop.compare_lock(&self.chosen).await?
        };
        Ok(Outcome::Lock { update: Box::new(update), written })
    }

    pub(super) fn prepare(&self) -> Result<Outcome, BuildError> {
        let store = self.workshop.archive.store();
        store.prepare().map_err(ArchiveError::from)?;
        let mut written = None;
        if let Some((path, text)) = self.extras.conf.as_ref().filter(|(path, _)| !path.exists()) {
            let failed = |source| BuildError::WriteConf { path: path.clone(), source };
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            std::fs::write(path, text).map_err(failed)?;
            written = Some(path.clone());
        }
        Ok(Outcome::Prepared { store: store.root().to_owned(), conf: written })
    }

    pub(super) async fn indices(&self, arch: Arch) -> Result<Outcome, BuildError> {
        let metadata = &self.workshop.metadata;
        let accepted = metadata.releases().await?;
        let moved = accepted.iter().any(|one| matches!(one.news, News::First | News::Changed));
        let packages = if !moved && metadata.has_index(arch).await? {
            None
        } else {
            Some(metadata.index(arch).await?.len())
        };
        let releases = accepted.iter().map(|accepted| ReleaseLine {
            suite: accepted.suite.to_string(),
            url: without_password(accepted.mirror.url.clone()),
            date: accepted.release.date(),
            before: accepted.moved_from(),
            news: accepted.news,
            signer: accepted.release.signer().to_owned(),
        });
        Ok(Outcome::Indices { packages, releases: releases.collect() })
    }

    pub(super) async fn image(
        &self,
        step: &Step,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Outcome, BuildError> {
        self.has_index(step, arch).await?;
        let (summary, cached) = self.workshop.image(template, arch).await?;
        Ok(Outcome::Image { summary: Box::new(summary), cached })
    }

    pub(super) async fn index(
        &self,
        step: &Step,
        template: &TemplateName,
    ) -> Result<Outcome, BuildError> {
        let mut images = Vec::new();
        for arch in &self.workshop.settings.conf.archs {
            let known = self.made(template, *arch).await;
            let needed = || Step::Image(template.clone(), *arch);
            images.push(known.ok_or_else(|| self.not_yet(step, needed()))?);
        }
        Ok(Outcome::Index(self.workshop.index(template, &images)?))
    }

    /// The tasks that build the images of this machine's shard.
    pub(super) fn shard_images(&self) -> Result<Vec<Step>, BuildError> {
        let Some(job) = &self.extras.shard else { return Ok(Vec::new()) };
        let images = job.images()?.into_iter();
        Ok(images.map(|(template, arch)| Step::Image(template, arch)).collect())
    }

    pub(super) async fn deliver(&self, step: &Step) -> Result<Outcome, BuildError> {
        let Some(job) = &self.extras.shard else { return Err(FarmFailure::NoShard.into()) };
        let mut built = Vec::new();
        for (template, arch) in job.images()? {
            let image = self.made(&template, arch).await;
            let needed = Step::Image(template.clone(), arch);
            let image = image.ok_or_else(|| self.not_yet(step, needed))?;
            let took = self.took.get(&(template.clone(), arch)).copied().unwrap_or_default();
            let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            built.push(Built { template, arch, took, image });
        }
        Ok(Outcome::Delivered(Box::new(self.workshop.deliver(job, built).await?)))
    }

    /// An image of this run, or one that an earlier run has left.
    async fn made(&self, template: &TemplateName, arch: Arch) -> Option<ImageSummary> {
        match self.images.get(&(template.clone(), arch)).cloned() {
            Some(summary) => Some(summary),
            None => self.workshop.known(template, arch).await.ok().flatten(),
        }
    }

    pub(super) async fn verify(
        &self,
        step: &Step,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Outcome, BuildError> {
        self.has_index(step, arch).await?;
        Ok(Outcome::Verified(Box::new(self.workshop.verify(template, arch).await?)))
    }

    /// Where indices are not read in this run, an earlier one must have left them.
    async fn has_index(&self, step: &Step, arch: Arch) -> Result<(), BuildError> {
        let needed = Step::Indices(arch);
        if self.workshop.settings.locked.is_some() {
            return Ok(());
        }
        if !self.selected.contains(&needed) && self.workshop.metadata.index(arch).await.is_err() {
            return Err(self.not_yet(step, needed));
        }
        Ok(())
    }

    fn not_yet(&self, step: &Step, needed: Step) -> BuildError {
        let number = self.plan.number(&needed);
        BuildError::NotYet { step: step.clone(), needed, number }
    }

    pub(super) fn engine(&self) -> Result<Engine, BuildError> {
        self.extras.engine.or_else(Engine::find).ok_or(BuildError::NoEngine)
    }

    pub(super) async fn test(
        &self,
        step: &Step,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Outcome, BuildError> {
        let (engine, relay) = (self.engine()?, self.extras.relay.clone());
        let job = test::Job::new(self.workshop, template, arch, engine, relay)?;
        let held = job.run(|result| self.watch.tested(step, result)).await?;
        Ok(Outcome::Tested(held))
    }

    pub(super) async fn promote(
        &self,
        step: &Step,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Outcome, BuildError> {
        let trial = || {
            let (engine, relay) = (self.engine()?, self.extras.relay.clone());
            Ok(Trial { arch, engine, relay })
        };
        let tell = |result: &TestResult| self.watch.tested(step, result);
        let promoted = promote::promote(self.workshop, template, trial, tell).await?;
        Ok(Outcome::Promoted(Box::new(promoted)))
    }

    pub(super) fn sbom(&self, template: &TemplateName, arch: Arch) -> Result<Outcome, BuildError> {
        Ok(match self.extras.document {
            Some(kind) => Outcome::Document(self.workshop.document(template, arch, kind)?),
            None => Outcome::Described(self.workshop.documents(template, arch)?),
        })
    }

    pub(super) fn licences(
        &self,
        step: &Step,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Outcome, BuildError> {
        let report = self.workshop.licences(template, arch)?;
        self.watch.licences(step, &report);
        match report.denied().count() {
            0 => Ok(Outcome::Licences),
            packages => Err(BuildError::Denied { template: template.clone(), packages }),
        }
    }

    pub(super) fn load(&self, template: &TemplateName, arch: Arch) -> Result<Outcome, BuildError> {
        let (layout, manifest, tag) = self.workshop.manifest(template, arch)?;
        let engine = self.engine()?;
        let own = format!("localhost/{template}");
        let repository = self.extras.repository.as_deref().unwrap_or(&own);
        let mut names = vec![format!("{repository}:{tag}")];
        let latest = naming::latest(self.workshop.is_private(template));
        if tag != latest {
            names.push(format!("{repository}:{latest}"));
        }
        Ok(Outcome::Loaded(load::load(&layout, &manifest, &names, engine)?))
    }
}

/// An address as it may be shown.
fn without_password(mut url: dmc_archive::Url) -> String {
    // Only addresses that cannot have a password refuse to lose it.
    let _ = url.set_password(None);
    url.to_string()
}

pub(super) fn tools() -> Vec<Tool> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    TOOLS.map(|(program, purpose)| Tool { program, purpose, found: there(program) }).into()
}
