//! Does tasks: side by side where they allow it, each failure kept to what depends on it.

use crate::audit::AuditReport;
use crate::changes::Standing;
use crate::deploy::{DeployOptions, Deployed, Undeployed};
use crate::error::BuildError;
use crate::farm::{Delivered, FarmFailure, ShardJob};
use crate::image::ImageSummary;
use crate::load::{self, Engine};
use crate::lock::{LockFailure, LockUpdate, LockedImages};
use crate::naming;
use crate::plan::{Plan, Step};
use crate::promote::{self, Promoted, Restarted, Trial};
use crate::push::Pushed;
use crate::sbom::{Described, LicenceReport};
use crate::signing::{self, CheckedRepository};
use crate::test::{self, TestResult};
use crate::workshop::{Named, Workshop};
use camino::Utf8PathBuf;
use dmc_archive::ArchiveError;
use dmc_archive::KeyInUse;
use dmc_archive::release::News;
use dmc_farm::Built;
use dmc_sbom::Kind as DocumentKind;
use dmc_types::{Arch, TemplateName};
use dmc_verify::Report;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// What a task came to.
#[derive(Debug)]
pub enum Outcome {
    /// The store is there; the configuration file was written where a path is given.
    Prepared {
        /// The store's folder.
        store: Utf8PathBuf,
        /// The file that was made.
        conf: Option<Utf8PathBuf>,
    },
    /// The indices of an architecture are there.
    Indices {
        /// How many packages they hold; none where nothing has changed since they were read last,
        /// so that they are opened only by whoever needs them.
        packages: Option<usize>,
        /// The releases that vouch for them.
        releases: Vec<ReleaseLine>,
    },
    /// Whose signatures count, and for which suites.
    Keys(Vec<KeyInUse>),
    /// Which tools are there.
    Tools(Vec<Tool>),
    /// How a template's images stand to the indices.
    Changes(Vec<Standing>),
    /// An image is in the layout.
    Image {
        /// What is known of it.
        summary: Box<ImageSummary>,
        /// Whether it was there already.
        cached: bool,
    },
    /// An index is in the layout.
    Index(Named),
    /// All of so many tests hold.
    Tested(usize),
    /// What is wrong with an image.
    Verified(Box<Report>),
    /// What a security tracker knows of a template's images.
    Audited(Box<AuditReport>),
    /// What the layout has of documents about an image.
    Described(Vec<Described>),
    /// One of these, as it is.
    Document(Vec<u8>),
    /// The licences of an image's packages, none of which is denied.
    Licences,
    /// The engine has the image.
    Loaded(Vec<String>),
    /// The registry has the image.
    Pushed(Box<Pushed>),
    /// The live image is another, or the same again.
    Promoted(Box<Promoted>),
    /// What runs here is the live image, or nothing does.
    Restarted(Restarted),
    /// The image runs in the cluster, or is shown as it would.
    Deployed(Box<Deployed>),
    /// The cluster does not have it any more.
    Undeployed(Box<Undeployed>),
    /// The registry has the images of a shard.
    Delivered(Box<Delivered>),
    /// Trusted keys have signed what the registry has.
    Signatures(Box<CheckedRepository>),
    /// The packages of a template's images are known.
    Chosen(Box<LockedImages>),
    /// What became of the lock, or would.
    Lock {
        /// What differs.
        update: Box<LockUpdate>,
        /// Whether it was written.
        written: bool,
    },
}

/// A verified release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseLine {
    /// Its suite.
    pub suite: String,
    /// Its mirror.
    pub url: String,
    /// When it was made, in seconds since 1970.
    pub date: i64,
    /// When the one was made that was accepted last time, where that is another.
    pub before: Option<i64>,
    /// How it stands to the one that was accepted last time.
    pub news: News,
    /// Fingerprint of the certificate that signed it.
    pub signer: String,
}

/// A program that some activities use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// The program.
    pub program: &'static str,
    /// What for.
    pub purpose: &'static str,
    /// Whether it is there.
    pub found: bool,
}

/// Optional tools, and what they are for.
const TOOLS: [(&str, &str); 4] = [
    ("podman", "load, and to run images without root"),
    ("docker", "load, where podman is not used"),
    ("skopeo", "to copy images from the layout to elsewhere"),
    ("qemu-aarch64-static", "to run arm64 images on this machine"),
];

/// Whoever watches a run.
pub trait Watch {
    /// A task begins.
    fn begun(&self, number: usize, step: &Step);
    /// A test of a template is over.
    fn tested(&self, _step: &Step, _result: &TestResult) {}
    /// A task has come further.
    fn further(&self, _step: &Step, _state: &str) {}
    /// The licences of an image's packages are known.
    fn licences(&self, _step: &Step, _report: &LicenceReport) {}
    /// A task is over.
    fn ended(
        &self,
        number: usize,
        step: &Step,
        result: &Result<Outcome, BuildError>,
        took: Duration,
    );
}

/// What `load`, `test`, `deploy` and `setup` need besides the workshop.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// The engine; none for whichever answers.
    pub engine: Option<Engine>,
    /// A program that hands its standard input to the port of loopback that follows these words,
    /// and prints what comes back; requests of tests go through it.
    pub relay: Vec<OsString>,
    /// The repository for loaded images; none for `localhost/NAME`.
    pub repository: Option<String>,
    /// How to deploy.
    pub deploy: DeployOptions,
    /// The user's configuration file and the text that it begins with.
    pub conf: Option<(Utf8PathBuf, String)>,
    /// What this machine builds of a farm's plan.
    pub shard: Option<ShardJob>,
    /// The document that `sbom` hands out; none for a list.
    pub document: Option<DocumentKind>,
}

/// Does the selected tasks. Returns how many failed.
pub async fn run(
    workshop: &Arc<Workshop>,
    plan: &Plan,
    tasks: &[(usize, Step)],
    extras: &Extras,
    watch: &dyn Watch,
) -> usize {
    let mut run = Run {
        workshop,
        plan,
        extras,
        watch,
        selected: tasks.iter().map(|(_, step)| step.clone()).collect(),
        failed: BTreeSet::new(),
        images: BTreeMap::new(),
        took: BTreeMap::new(),
        chosen: Vec::new(),
    };
    for group in tasks.chunk_by(|(_, one), (_, other)| together(one, other)) {
        let results = join_all(group.iter().map(|(number, step)| run.task(*number, step))).await;
        // Told in their order, whichever was done first: the same run says the same.
        for ((number, step), (result, took)) in group.iter().zip(results) {
            watch.ended(*number, step, &result, took);
            run.keep(step, result, took);
        }
    }
    if !run.failed.is_empty() {
        // What a failed task had begun on other threads comes to its end first: a program that
        // ends under their hands leaves half-written files behind.
        rayon::broadcast(|_| ());
    }
    run.failed.len()
}

/// Whether two neighbouring tasks can be done side by side.
fn together(one: &Step, other: &Step) -> bool {
    match (one, other) {
        (Step::Indices(_), Step::Indices(_))
        | (Step::Push(_), Step::Push(_))
        | (Step::Signatures(_), Step::Signatures(_)) => true,
        (Step::Image(one, _), Step::Image(other, _)) => one == other,
        _ => false,
    }
}

struct Run<'a> {
    workshop: &'a Arc<Workshop>,
    plan: &'a Plan,
    extras: &'a Extras,
    watch: &'a dyn Watch,
    selected: BTreeSet<Step>,
    failed: BTreeSet<Step>,
    images: BTreeMap<(TemplateName, Arch), ImageSummary>,
    took: BTreeMap<(TemplateName, Arch), Duration>,
    chosen: Vec<LockedImages>,
}

impl Run<'_> {
    async fn task(&self, number: usize, step: &Step) -> (Result<Outcome, BuildError>, Duration) {
        self.watch.begun(number, step);
        let begun = Instant::now();
        let failed = self.needs(step).find(|needed| self.failed.contains(needed));
        let result = if let Some(needed) = failed {
            Err(BuildError::Skipped { needed })
        } else {
            let span = tracing::trace_span!(target: "dmc_trace", "task", of = %step);
            self.perform(step).instrument(span).await
        };
        (result, begun.elapsed())
    }

    fn keep(&mut self, step: &Step, result: Result<Outcome, BuildError>, took: Duration) {
        match (step, result) {
            (Step::Image(template, arch), Ok(Outcome::Image { summary, .. })) => {
                self.images.insert((template.clone(), *arch), *summary);
                self.took.insert((template.clone(), *arch), took);
            }
            (_, Ok(Outcome::Chosen(images))) => self.chosen.push(*images),
            (_, Ok(Outcome::Audited(report))) if report.failing > 0 => {
                self.failed.insert(step.clone());
            }
            (_, Ok(_)) => {}
            (_, Err(_)) => drop(self.failed.insert(step.clone())),
        }
    }

    /// The tasks on which a task builds.
    fn needs(&self, step: &Step) -> impl Iterator<Item = Step> {
        let archs = self.workshop.settings.conf.archs.clone();
        let needs: Vec<Step> = match step {
            Step::Image(_, arch) => vec![Step::Indices(*arch)],
            Step::Keys | Step::Changes(_) | Step::Choose(_) => {
                archs.into_iter().map(Step::Indices).collect()
            }
            Step::Index(template) => {
                archs.into_iter().map(|arch| Step::Image(template.clone(), arch)).collect()
            }
            Step::Audit(template)
            | Step::Verify(template, _)
            | Step::Sbom(template, _)
            | Step::Licences(template, _)
            | Step::Test(template, _)
            | Step::Load(template, _) => {
                vec![Step::Index(template.clone())]
            }
            // What is known not to work goes nowhere.
            Step::Push(template) => {
                let checks = archs.into_iter().flat_map(|arch| {
                    [
                        Step::Verify(template.clone(), arch),
                        Step::Licences(template.clone(), arch),
                        Step::Test(template.clone(), arch),
                    ]
                });
                let all = [Step::Index(template.clone()), Step::Audit(template.clone())];
                checks.chain(all).collect()
            }
            Step::Promote(template, _) => {
                let checks = archs.into_iter().flat_map(|arch| {
                    [Step::Verify(template.clone(), arch), Step::Test(template.clone(), arch)]
                });
                let made = [Step::Index(template.clone()), Step::Push(template.clone())];
                checks.chain(made).collect()
            }
            Step::Restart(template, _) => {
                let moved = archs.into_iter().map(|arch| Step::Promote(template.clone(), arch));
                moved.chain([Step::Rollback(template.clone())]).collect()
            }
            // What does not become the live image is not deployed either.
            Step::Deploy(template) => {
                let host = archs.into_iter().map(|arch| Step::Promote(template.clone(), arch));
                host.chain([Step::Push(template.clone())]).collect()
            }
            Step::Deliver => self.shard_images().unwrap_or_default(),
            Step::Signatures(template) => vec![Step::Push(template.clone())],
            // What of the templates did not fail is locked.
            Step::Undeploy(_)
            | Step::Prepare
            | Step::Indices(_)
            | Step::Tools
            | Step::Rollback(_)
            | Step::WriteLock
            | Step::CompareLock => Vec::new(),
        };
        needs.into_iter()
    }

    async fn perform(&self, step: &Step) -> Result<Outcome, BuildError> {
        match step {
            Step::Prepare => self.prepare(),
            Step::Indices(arch) => self.indices(*arch).await,
            Step::Keys => Ok(Outcome::Keys(self.workshop.metadata.keys().await?)),
            Step::Tools => Ok(Outcome::Tools(tools())),
            Step::Changes(template) => Ok(Outcome::Changes(self.workshop.changes(template).await?)),
            Step::Image(template, arch) => self.image(step, template, *arch).await,
            Step::Index(template) => self.index(step, template).await,
            Step::Verify(template, arch) => self.verify(step, template, *arch).await,
            Step::Audit(template) => {
                Ok(Outcome::Audited(Box::new(self.workshop.audit(template).await?)))
            }
            Step::Sbom(template, arch) => self.sbom(template, *arch),
            Step::Licences(template, arch) => self.licences(step, template, *arch),
            Step::Test(template, arch) => self.test(step, template, *arch).await,
            Step::Load(template, arch) => self.load(template, *arch),
            Step::Push(template) => {
                Ok(Outcome::Pushed(Box::new(self.workshop.push(template).await?)))
            }
            Step::Promote(template, arch) => self.promote(step, template, *arch).await,
            Step::Restart(template, arch) => {
                let engine = self.engine()?;
                let restarted = promote::restart(self.workshop, template, *arch, engine).await?;
                Ok(Outcome::Restarted(restarted))
            }
            Step::Rollback(template) => {
                let back = promote::rollback(self.workshop, template).await?;
                Ok(Outcome::Promoted(Box::new(back)))
            }
            Step::Deploy(template) => {
                let tell = |state: &str| self.watch.further(step, state);
                let deployed = self.workshop.deploy(template, &self.extras.deploy, &tell).await?;
                Ok(Outcome::Deployed(Box::new(deployed)))
            }
            Step::Undeploy(template) => {
                let gone = self.workshop.undeploy(template, &self.extras.deploy).await?;
                Ok(Outcome::Undeployed(Box::new(gone)))
            }
            Step::Deliver => self.deliver(step).await,
            Step::Signatures(template) => {
                let checked = signing::check_repository(self.workshop, template).await?;
                Ok(Outcome::Signatures(Box::new(checked)))
            }
            Step::Choose(template) => {
                let images = self.workshop.lock_images(template).await?;
                Ok(Outcome::Chosen(Box::new(images)))
            }
            Step::WriteLock => self.lock(true).await,
            Step::CompareLock => self.lock(false).await,
        }
    }

    async fn lock(&self, written: bool) -> Result<Outcome, BuildError> {
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

    fn prepare(&self) -> Result<Outcome, BuildError> {
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

    async fn indices(&self, arch: Arch) -> Result<Outcome, BuildError> {
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

    async fn image(
        &self,
        step: &Step,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Outcome, BuildError> {
        self.has_index(step, arch).await?;
        let (summary, cached) = self.workshop.image(template, arch).await?;
        Ok(Outcome::Image { summary: Box::new(summary), cached })
    }

    async fn index(&self, step: &Step, template: &TemplateName) -> Result<Outcome, BuildError> {
        let mut images = Vec::new();
        for arch in &self.workshop.settings.conf.archs {
            let known = self.made(template, *arch).await;
            let needed = || Step::Image(template.clone(), *arch);
            images.push(known.ok_or_else(|| self.not_yet(step, needed()))?);
        }
        Ok(Outcome::Index(self.workshop.index(template, &images)?))
    }

    /// The tasks that build the images of this machine's shard.
    fn shard_images(&self) -> Result<Vec<Step>, BuildError> {
        let Some(job) = &self.extras.shard else { return Ok(Vec::new()) };
        let images = job.images()?.into_iter();
        Ok(images.map(|(template, arch)| Step::Image(template, arch)).collect())
    }

    async fn deliver(&self, step: &Step) -> Result<Outcome, BuildError> {
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

    async fn verify(
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

    fn engine(&self) -> Result<Engine, BuildError> {
        self.extras.engine.or_else(Engine::find).ok_or(BuildError::NoEngine)
    }

    async fn test(
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

    async fn promote(
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

    fn sbom(&self, template: &TemplateName, arch: Arch) -> Result<Outcome, BuildError> {
        Ok(match self.extras.document {
            Some(kind) => Outcome::Document(self.workshop.document(template, arch, kind)?),
            None => Outcome::Described(self.workshop.documents(template, arch)?),
        })
    }

    fn licences(
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

    fn load(&self, template: &TemplateName, arch: Arch) -> Result<Outcome, BuildError> {
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

fn tools() -> Vec<Tool> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    TOOLS.map(|(program, purpose)| Tool { program, purpose, found: there(program) }).into()
}
