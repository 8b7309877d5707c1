//! Does tasks: side by side where they allow it, each failure kept to what depends on it.

mod outcome;
mod tasks;

pub use outcome::{Outcome, ReleaseLine, Tool};

use crate::deploy::DeployOptions;
use crate::error::BuildError;
use crate::farm::ShardJob;
use crate::image::ImageSummary;
use crate::load::Engine;
use crate::lock::LockedImages;
use crate::plan::{Plan, Step};
use crate::promote;
use crate::sbom::LicenceReport;
use crate::signing;
use crate::test::TestResult;
use crate::workshop::Workshop;
use camino::Utf8PathBuf;
use dmc_sbom::Kind as DocumentKind;
use dmc_types::{Arch, TemplateName};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument as _;

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
            Step::Tools => Ok(Outcome::Tools(tasks::tools())),
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
}
