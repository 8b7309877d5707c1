//! A template's `[[test]]`s against its real image, in podman or docker.
//!
//! The image is loaded from the layout by its digest under a name of this run alone, and every
//! container, volume and image that a run makes has such a name, so that runs neither meet each
//! other nor what is there already. All of it is removed at the end, also where a test fails,
//! takes too long, or the run is interrupted: the work is done on a thread of its own, which is
//! told to stop, and waited for, when the future that asked for it is dropped.
//!
//! Containers have no network but one of their own with loopback alone; requests get there by
//! nsenter(1). That needs no bridge, no port of the host and no root with podman, and two runs
//! cannot be in each other's way.

pub(crate) mod client;
mod http;
mod judge;
mod mark;
mod names;
mod scene;
mod steps;

use crate::error::BuildError;
use crate::load::{self, Engine};
use crate::workshop::Workshop;
use client::Client;
use dmc_image::Layout;
use dmc_image::oci::Descriptor;
use dmc_template::TemplateTest;
use dmc_types::{Arch, TemplateName};
pub(crate) use judge::shown;
pub use mark::TestMark;
use names::RunNames;
use scene::{Scene, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use steps::Means;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// What a test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// What was to hold.
    pub name: String,
    /// What was expected and what came instead, in lines; none where it holds.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Everything that a run of a template's tests needs.
pub(crate) struct Job {
    template: TemplateName,
    arch: Arch,
    tests: Vec<TemplateTest>,
    /// The signal that stops the image.
    stop_signal: String,
    /// What comes before a test's own arguments.
    program: Vec<String>,
    layout: Layout,
    /// The tested image, and those of companions.
    manifests: BTreeMap<TemplateName, Descriptor>,
    engine: Engine,
    relay: Vec<OsString>,
}

/// The images that tests use: the tested one and its companions', with the layout they are in.
pub(crate) struct Images {
    pub(crate) layout: Layout,
    pub(crate) manifests: BTreeMap<TemplateName, Descriptor>,
}

/// The templates beside whose images a template is tested.
pub(crate) fn companions(
    workshop: &Workshop,
    template: &TemplateName,
) -> Result<BTreeSet<TemplateName>, BuildError> {
    let known = workshop.settings.catalog.get(template.as_str())?;
    let all = known.tests().iter().flat_map(|it| &it.test.companions);
    Ok(all.map(|it| it.template.clone()).filter(|it| it != template).collect())
}

impl Job {
    /// Looks for the images of a template and of its tests' companions.
    pub(crate) fn new(
        workshop: &Workshop,
        template: &TemplateName,
        arch: Arch,
        engine: Engine,
        relay: Vec<OsString>,
    ) -> Result<Self, BuildError> {
        let (layout, manifest, _) = workshop.manifest(template, arch)?;
        let mut manifests = BTreeMap::from([(template.clone(), manifest)]);
        for companion in companions(workshop, template)? {
            let (_, manifest, _) = workshop.manifest(&companion, arch)?;
            manifests.insert(companion, manifest);
        }
        Self::of(workshop, template, arch, engine, relay, Images { layout, manifests })
    }

    /// The same with images of the caller's choice.
    pub(crate) fn of(
        workshop: &Workshop,
        template: &TemplateName,
        arch: Arch,
        engine: Engine,
        relay: Vec<OsString>,
        images: Images,
    ) -> Result<Self, BuildError> {
        let known = workshop.settings.catalog.get(template.as_str())?;
        let mut tests = known.tests().to_vec();
        // As it will run, but for what it would share with the container that runs.
        if let Some(run) = known.run() {
            for it in &mut tests {
                run.lay_under(&mut it.test.scene);
            }
        }
        let stop_signal = known.for_arch(arch)?.image.stop_signal;
        let stop_signal = stop_signal.unwrap_or_else(|| "SIGTERM".to_owned());
        let program = known.folded_entrypoint().to_vec();
        let template = template.clone();
        let Images { layout, manifests } = images;
        Ok(Self { template, arch, tests, stop_signal, program, layout, manifests, engine, relay })
    }

    /// Runs the tests, one after the other. Returns how many there are and hold.
    pub(crate) async fn run(self, tell: impl Fn(&TestResult)) -> Result<usize, BuildError> {
        let (results, mut told) = unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || self.work(&stopped, &results));
        let mut worker = Worker { stop, thread: Some(thread) };
        while let Some(result) = told.recv().await {
            tell(&result);
        }
        worker.end().unwrap_or(Err(BuildError::TestsStopped))
    }

    fn work(
        &self,
        stop: &Arc<AtomicBool>,
        results: &UnboundedSender<TestResult>,
    ) -> Result<usize, BuildError> {
        TestMark::remove(&self.layout, &self.manifest()?.digest)?;
        if self.tests.is_empty() {
            return Ok(0);
        }
        let emulated = Arch::from_uname(std::env::consts::ARCH) != Some(self.arch);
        let client = Client::new(self.engine, Arc::clone(stop), if emulated { 5 } else { 1 });
        let names = RunNames::new(&client);
        let images = self.load(&client, &names)?;
        let means = Means { relay: &self.relay, stop_signal: &self.stop_signal };
        let mut failed = 0;
        for (number, test) in self.tests.iter().enumerate() {
            let begun = Instant::now();
            let subject =
                Subject { template: &self.template, arch: self.arch, program: &self.program };
            let scene = Scene::new(&client, &names, number, test, &subject, &images);
            let failure = scene.and_then(|mut scene| steps::perform(&mut scene, &means));
            if stop.load(Ordering::Relaxed) {
                return Err(BuildError::TestsStopped);
            }
            let failure = failure.err();
            failed += usize::from(failure.is_some());
            let name = test.test.name.clone();
            let _ = results.send(TestResult { name, failure, took: begun.elapsed() });
        }
        if failed > 0 {
            let (template, of) = (self.template.clone(), self.tests.len());
            return Err(BuildError::TestsFailed { template, failed, of });
        }
        self.mark(&client)?;
        Ok(self.tests.len())
    }

    fn manifest(&self) -> Result<&Descriptor, BuildError> {
        self.manifests.get(&self.template).ok_or_else(|| BuildError::NoImage {
            template: self.template.clone(),
            arch: self.arch,
            out: self.layout.root().to_owned(),
        })
    }

    /// Loads the images that tests use; returns the engine's names of them.
    fn load(
        &self,
        client: &Client,
        names: &RunNames,
    ) -> Result<BTreeMap<TemplateName, String>, BuildError> {
        let mut images = BTreeMap::new();
        for (template, manifest) in &self.manifests {
            let name = names.image(template);
            load::load(&self.layout, manifest, std::slice::from_ref(&name), client.engine)?;
            images.insert(template.clone(), name);
        }
        Ok(images)
    }

    fn mark(&self, client: &Client) -> Result<(), BuildError> {
        let mark = TestMark {
            template: self.template.clone(),
            arch: self.arch,
            engine: client.version(),
            dmc: env!("CARGO_PKG_VERSION").to_owned(),
            tests: self.tests.iter().map(|it| it.test.name.clone()).collect(),
        };
        mark.write(&self.layout, &self.manifest()?.digest)
    }
}

/// The thread that works, told to stop and waited for when this goes.
struct Worker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<usize, BuildError>>>,
}

impl Worker {
    fn end(&mut self) -> Option<Result<usize, BuildError>> {
        self.thread.take()?.join().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.end();
    }
}
