//! The scene of every test: a small Debian on loopback, an empty store, an empty layout.
//!
//! Every run is followed by a look at what it left: nothing half-written, whatever happened.

use camino::{Utf8Path, Utf8PathBuf};
use dmc_archive::{Progress, Quiet};
use dmc_build::{
    Activity, BuildError, Described, Extras, ImageSummary, LicenceReport, LockUpdate, Named,
    Outcome, Passwords, Plan, Reach, Selection, Settings, Standing, Step, Watch, Workshop,
    Zeroizing,
};
use dmc_template::{Catalog, Conf, ConfLayer, TemplateFolder};
use dmc_testkit::{EPOCH, FakeArchive, FakeSuite, Server, SigningKey, fixtures};
use dmc_types::{Arch, Sha256, UnixTime};
use sha2::Digest as _;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The archive's key.
pub(crate) static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::with_subkey("archive"));
/// Somebody else's key.
pub(crate) static STRANGER: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate("stranger"));
/// The archive as it should be.
pub(crate) static HONEST: LazyLock<FakeArchive> = LazyLock::new(|| FakeArchive::of(&suites()));

/// An hour after the suites were made.
pub(crate) const NOW: UnixTime = EPOCH + 3600;
pub(crate) const BOTH: [Arch; 2] = [Arch::Amd64, Arch::Arm64];

/// trixie, its updates and its security updates.
pub(crate) fn suites() -> [FakeSuite; 3] {
    fixtures::suites(&BOTH, &KEY)
}

pub(crate) struct Stage {
    pub(crate) server: Server,
    dir: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(&HONEST)
    }

    pub(crate) fn with(archive: &FakeArchive) -> Self {
        Self { server: Server::start(archive), dir: tempfile::tempdir().unwrap() }
    }

    /// An archive whose main suite is changed.
    pub(crate) fn changed(change: impl FnOnce(&mut FakeSuite)) -> Self {
        Self::with(&changed(change))
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    /// Settings as the command line would make them, with the shipped configuration, rules and
    /// templates.
    pub(crate) fn settings(&self) -> Settings {
        self.settings_with("", &[])
    }

    /// The same with more configuration and more templates: name and text.
    pub(crate) fn settings_with(&self, conf: &str, templates: &[(&str, &str)]) -> Settings {
        let url = self.server.url();
        let ours = format!(
            "{conf}\n[vendor.debian]\nkeyrings = [\"test\"]\nmachine_keyrings = []\n\
             [vendor.debian.archives]\nmain = \"{url}\"\nsecurity = \"{url}\"\n\
             {}",
            no_floors()
        );
        let shipped = fs::read(repository().join("conf/dmc.conf")).unwrap();
        let layers = [
            ConfLayer { file: "conf/dmc.conf", bytes: &shipped },
            ConfLayer { file: "test", bytes: ours.as_bytes() },
        ];
        Settings {
            conf: Conf::read(&layers).unwrap(),
            catalog: catalog(templates),
            rules: rules(),
            verify: fs::read_to_string(repository().join("conf/verify.toml")).unwrap(),
            scripts: fs::read_to_string(repository().join("conf/scripts.toml")).unwrap(),
            licences: fs::read_to_string(repository().join("conf/licences.toml")).unwrap(),
            keyrings: BTreeMap::from([("test".to_owned(), KEY.public_binary().into())]),
            compression: dmc_types::Compressions::default(),
            store: self.path("store"),
            out: self.path("out"),
            apt_root: self.path("machine"),
            now: NOW,
            epoch: None,
            allow_skew: false,
            strict: false,
            force: false,
            variant: dmc_build::Variant::default(),
            accept_rollback: BTreeSet::new(),
            accept_keys: BTreeSet::new(),
            auth_files: Vec::new(),
            audit: dmc_build::audit::AuditSettings::default(),
            cache: None,
            passwords: Arc::new(Password("pw")),
            floors: Vec::new(),
            snapshot: None,
            lock_file: self.path("dmc.lock"),
            locked: None,
        }
    }

    /// Builds nginx as everybody would.
    pub(crate) fn build(&self) -> Run {
        build(self.settings(), &["nginx"])
    }

    /// Paths of all packages that were asked for, sorted.
    pub(crate) fn packages_fetched(&self) -> Vec<String> {
        let requests = self.server.requests().into_iter().map(|request| request.path);
        let mut paths: Vec<String> = requests.filter(|path| path.ends_with(".deb")).collect();
        paths.sort();
        paths
    }

    /// The stored files whose path has this in it.
    pub(crate) fn stored(&self, part: &str) -> Vec<Utf8PathBuf> {
        let mut all = files(&self.path("store"));
        all.retain(|path| path.as_str().contains(part));
        all
    }
}

/// The password of every key.
#[derive(Debug)]
pub(crate) struct Password(pub(crate) &'static str);

impl Passwords for Password {
    fn password(&self, _key: &Utf8Path, _new: bool) -> io::Result<Zeroizing<String>> {
        Ok(Zeroizing::new(self.0.to_owned()))
    }
}

/// What takes the shipped floors back: the suites here are of [`EPOCH`].
fn no_floors() -> String {
    let floors = ["bookworm", "trixie"].map(|dist| {
        ["", "-updates", "-security"].map(|pocket| format!("{dist}{pocket} = \"\"\n")).concat()
    });
    format!("[vendor.debian.floors]\n{}", floors.concat())
}

/// The honest archive with another main suite.
pub(crate) fn changed(change: impl FnOnce(&mut FakeSuite)) -> FakeArchive {
    let mut suites = suites();
    change(&mut suites[0]);
    FakeArchive::of(&suites)
}

/// Replaces the package of that name and architecture.
pub(crate) fn replace(
    suite: &mut FakeSuite,
    (name, arch): (&str, &str),
    with: impl FnOnce(dmc_testkit::DebBuilder) -> dmc_testkit::DebBuilder,
) {
    let at = suite
        .debs
        .iter()
        .position(|(_, deb)| deb.package() == name && deb.architecture() == arch)
        .unwrap();
    let (component, deb) = suite.debs.remove(at);
    suite.debs.push((component, with(deb)));
}

pub(crate) fn repository() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The shipped templates, and others: name and text.
pub(crate) fn catalog(more: &[(&str, &str)]) -> Catalog {
    let mut folders = Vec::new();
    let place = repository().join("templates");
    for entry in place.read_dir_utf8().unwrap() {
        let folder = entry.unwrap().into_path();
        let read = |path: &Utf8PathBuf| {
            let name = path.strip_prefix(&folder).unwrap().to_string();
            (!name.starts_with("private.d/")).then(|| (name, fs::read(path).unwrap().into()))
        };
        let files = files(&folder).iter().filter_map(read).collect();
        let name = folder.file_name().unwrap().to_owned();
        folders.push(TemplateFolder { origin: name.clone(), name, files });
    }
    for (name, text) in more {
        let files = BTreeMap::from([("template.toml".to_owned(), text.as_bytes().to_vec().into())]);
        folders.push(TemplateFolder { origin: (*name).into(), name: (*name).into(), files });
    }
    Catalog::read(folders)
}

fn rules() -> Vec<(String, Vec<u8>)> {
    let all = files(&repository().join("conf/rules"));
    all.iter().map(|path| (path.file_name().unwrap().into(), fs::read(path).unwrap())).collect()
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// By `TEMPLATE ARCH`.
    pub(crate) images: BTreeMap<String, ImageSummary>,
    /// How many of them were there already.
    pub(crate) cached: usize,
    /// By template.
    pub(crate) indices: BTreeMap<String, Named>,
    pub(crate) standings: Vec<Standing>,
    /// What verifying said, by `TEMPLATE ARCH`.
    pub(crate) reports: BTreeMap<String, dmc_verify::Report>,
    /// What audits found, by template.
    pub(crate) audits: BTreeMap<String, dmc_build::audit::AuditReport>,
    /// What became of the lock.
    pub(crate) lock: Option<LockUpdate>,
    /// The documents about images.
    pub(crate) documents: Vec<Described>,
    /// The licences of images' packages.
    pub(crate) licences: Vec<LicenceReport>,
    /// Task, message with causes, and hint of each failure.
    pub(crate) failures: Vec<String>,
}

impl Run {
    /// The run, which must have gone well.
    pub(crate) fn good(self) -> Self {
        assert!(self.failures.is_empty(), "{:#?}", self.failures);
        self
    }

    /// Every digest that was made, by what it is of.
    pub(crate) fn digests(&self) -> BTreeMap<String, Sha256> {
        let images = self.images.iter().map(|(name, image)| (name.clone(), image.manifest.digest));
        let indices = self.indices.iter().map(|(name, named)| (name.clone(), named.index.digest));
        images.chain(indices).collect()
    }

    /// The run must have failed, and have said all of this.
    pub(crate) fn said(&self, why: &str, parts: &[&str]) {
        let text = self.failures.join("\n");
        assert!(!text.is_empty(), "{why}: nothing failed");
        for part in parts {
            assert!(text.contains(part), "{why}: no `{part}` in:\n{text}");
        }
        assert!(text.contains("hint: "), "{why}: no hint in:\n{text}");
    }
}

/// Writes down what happens.
#[derive(Debug, Default)]
struct Witness(RefCell<Run>);

impl Watch for Witness {
    fn begun(&self, _: usize, _: &Step) {}

    fn licences(&self, _: &Step, report: &LicenceReport) {
        self.0.borrow_mut().licences.push(report.clone());
    }

    fn ended(&self, _: usize, step: &Step, result: &Result<Outcome, BuildError>, _: Duration) {
        let mut run = self.0.borrow_mut();
        match result {
            Ok(Outcome::Image { summary, cached }) => {
                let name = format!("{} {}", step.template().unwrap(), summary.arch);
                run.images.insert(name, (**summary).clone());
                run.cached += usize::from(*cached);
            }
            Ok(Outcome::Index(named)) => {
                run.indices.insert(step.template().unwrap().to_string(), named.clone());
            }
            Ok(Outcome::Changes(standings)) => run.standings.extend(standings.iter().cloned()),
            Ok(Outcome::Described(all)) => run.documents.extend(all.iter().cloned()),
            Ok(Outcome::Lock { update, .. }) => run.lock = Some((**update).clone()),
            Ok(Outcome::Verified(report)) => {
                let name = format!("{} {}", step.template().unwrap(), step.arch().unwrap());
                run.reports.insert(name, (**report).clone());
            }
            Ok(Outcome::Audited(report)) => {
                run.audits.insert(step.template().unwrap().to_string(), (**report).clone());
            }
            Ok(_) => {}
            Err(error) => run.failures.push(format!("{step}: {}", in_full(error))),
        }
    }
}

/// An error with its causes and its hint.
fn in_full(error: &BuildError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = text + "\ncause: " + &cause.to_string();
        next = cause.source();
    }
    match error.hint() {
        Some(hint) => text + "\nhint: " + &hint,
        None => text,
    }
}

/// Builds templates.
pub(crate) fn build(settings: Settings, templates: &[&str]) -> Run {
    act(Activity::Create, settings, templates)
}

/// Does everything that belongs to an activity, and looks at what is left.
pub(crate) fn act(activity: Activity, settings: Settings, templates: &[&str]) -> Run {
    act_on(activity, settings, templates, &Selection::default())
}

/// Progress that nobody watches.
pub(crate) fn quiet() -> Arc<dyn Progress> {
    Arc::new(Quiet)
}

/// Does some of the tasks of an activity.
pub(crate) fn act_on(
    activity: Activity,
    settings: Settings,
    templates: &[&str],
    selection: &Selection,
) -> Run {
    let templates: Vec<_> = templates.iter().map(|name| name.parse().unwrap()).collect();
    let plan = Plan::new(&[activity].into(), &templates, &settings.conf.archs, Arch::Amd64);
    let held = settings.locked.is_some();
    let plan = if held { plan.held() } else { plan };
    let tasks = plan.select(selection).unwrap();
    let refreshes = held || tasks.iter().any(|(_, step)| matches!(step, Step::Indices(_)));
    let reach = if refreshes { Reach::Everything } else { Reach::Stored };
    do_tasks(reach, settings, &plan, &tasks)
}

/// Does everything that belongs to an activity, reaching no further than this.
pub(crate) fn act_within(
    reach: Reach,
    activity: Activity,
    settings: Settings,
    templates: &[&str],
) -> Run {
    let templates: Vec<_> = templates.iter().map(|name| name.parse().unwrap()).collect();
    let plan = Plan::new(&[activity].into(), &templates, &settings.conf.archs, Arch::Amd64);
    let tasks = plan.select(&Selection::default()).unwrap();
    do_tasks(reach, settings, &plan, &tasks)
}

/// Does tasks of a plan, and looks at what is left.
pub(crate) fn do_tasks(
    reach: Reach,
    settings: Settings,
    plan: &Plan,
    tasks: &[(usize, Step)],
) -> Run {
    let (store, out) = (settings.store.clone(), settings.out.clone());
    let watch = Witness::default();
    match Workshop::open(settings, reach, &quiet()) {
        Ok(workshop) => {
            let workshop = Arc::new(workshop);
            let extras = Extras::default();
            let run = dmc_build::run(&workshop, plan, tasks, &extras, &watch);
            runtime().block_on(run);
        }
        Err(error) => watch.0.borrow_mut().failures.push(in_full(&error)),
    }
    assert_whole(&store, &out);
    watch.0.into_inner()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Nothing half-written: no temporary file anywhere, every blob is what its name says, and
/// `index.json` names only blobs that are there.
fn assert_whole(store: &Utf8Path, out: &Utf8Path) {
    for path in files(store).iter().chain(&files(out)) {
        let name = path.file_name().unwrap();
        assert!(!name.starts_with('.'), "{path} was left behind");
        if path.as_str().contains("/blobs/sha256/") {
            assert_eq!(name, sha256(&fs::read(path).unwrap()).to_string(), "{path}");
        }
    }
    if out.join("index.json").exists() {
        for descriptor in json(&out.join("index.json"))["manifests"].as_array().unwrap() {
            let named = json(&blob(out, &descriptor["digest"]));
            // Documents about images are no indices.
            let listed = named["manifests"].as_array().into_iter().flatten();
            let listed: Vec<_> = listed.map(|it| json(&blob(out, &it["digest"]))).collect();
            for manifest in if listed.is_empty() { vec![named] } else { listed } {
                assert!(blob(out, &manifest["config"]["digest"]).is_file());
                assert!(blob(out, &manifest["layers"][0]["digest"]).is_file());
            }
        }
    }
}

pub(crate) fn json(path: &Utf8Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The entries of `index.json` but the documents about images; none where it is missing.
pub(crate) fn named(out: &Utf8Path) -> Vec<serde_json::Value> {
    let Ok(text) = fs::read(out.join("index.json")) else { return Vec::new() };
    let index: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let entries = index["manifests"].as_array().unwrap().iter();
    entries.filter(|entry| entry.get("artifactType").is_none()).cloned().collect()
}

/// What a layout holds of images: all files but `oci-layout`, `index.json` and the documents about
/// images, which only a build or `sbom` writes.
pub(crate) fn parts(out: &Utf8Path) -> Vec<Utf8PathBuf> {
    let layout = dmc_image::Layout::open(out).unwrap();
    let documents = layout.check().unwrap().documents;
    let is_document =
        |path: &Utf8PathBuf| documents.iter().any(|digest| layout.blob_path(digest) == *path);
    let mut found = files(out);
    found.retain(|path| !path.ends_with("oci-layout") && !path.ends_with("index.json"));
    found.retain(|path| !is_document(path));
    found
}

/// The path of a blob by its digest as documents spell it.
pub(crate) fn blob(out: &Utf8Path, digest: &serde_json::Value) -> Utf8PathBuf {
    out.join("blobs/sha256").join(digest.as_str().unwrap().strip_prefix("sha256:").unwrap())
}

pub(crate) fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256::from_bytes(sha2::Sha256::digest(bytes).into())
}

/// All files below a folder, sorted; none where it is missing.
pub(crate) fn files(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = folder.read_dir_utf8() else { continue };
        for entry in entries {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.into_path());
            } else {
                found.push(entry.into_path());
            }
        }
    }
    found.sort();
    found
}
