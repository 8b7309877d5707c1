//! Where the rooms come together: a run's settings, its archive and its layout.

use crate::audit::Trackers;
use crate::error::BuildError;
use crate::farm::RegistryCache;
use crate::image::{self, ImageSummary};
use crate::naming;
use crate::plan::Step;
use crate::record::ImageRecord;
use crate::sbom;
use crate::settings::Settings;
use crate::signing::Keys;
use crate::test::TestMark;
use crate::worktree::Worktrees;
use dmc_archive::mirror::AptConfiguration;
use dmc_archive::transport::Network;
use dmc_archive::{Archive, ArchiveError, Progress, Store, Transport, TransportOptions};
use dmc_image::layout::IndexMemory;
use dmc_image::oci::{Descriptor, Index, Platform, media_type};
use dmc_image::{Layout, LayoutError};
use dmc_registry::Registry;
use dmc_types::{Arch, ImagePath, PackageName, TemplateName};
use dmc_verify::Report;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// A file that is not complete and was not written to for so long belongs to no run any more.
const ABANDONED: Duration = Duration::from_hours(1);

/// One run's tools.
#[derive(Debug)]
pub struct Workshop {
    pub(crate) settings: Settings,
    /// For packages.
    pub(crate) archive: Arc<Archive>,
    /// For releases and indices: the same, or the store alone.
    pub(crate) metadata: Arc<Archive>,
    /// For registries.
    pub(crate) registry: Arc<Registry>,
    /// For audits.
    pub(crate) trackers: Trackers,
    /// For signatures.
    pub(crate) keys: Keys,
    /// For tags.
    pub(crate) worktrees: Worktrees,
    /// The layout, once something is to be written there.
    layout: OnceLock<Layout>,
    /// What was read of its `index.json`, by whoever opened it.
    index: IndexMemory,
}

/// How far a workshop may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Network and store.
    Everything,
    /// The store alone, which is written to.
    Offline,
    /// Releases and indices from the store alone, as an earlier run left them.
    Stored,
    /// It opens no socket and writes nothing.
    Look,
}

impl Workshop {
    /// Opens a workshop. Nothing is read but apt's configuration.
    pub fn open(
        settings: Settings,
        reach: Reach,
        progress: &Arc<dyn Progress>,
    ) -> Result<Self, BuildError> {
        let spec = settings.archive_spec()?;
        let apt = AptConfiguration::read(&settings.apt_root).map_err(ArchiveError::from)?;
        let offline = matches!(reach, Reach::Offline | Reach::Look);
        let registry = Arc::new(crate::push::client(&settings, offline, progress)?);
        let open = |network, store| {
            let mut options = transport_options(&settings, network);
            if let (Some(repository), Network::Allowed) = (&settings.cache, network) {
                let (registry, repository) = (Arc::clone(&registry), repository.clone());
                options.nearby = Some(Arc::new(RegistryCache { registry, repository }));
            }
            let transport = Transport::new(options, Arc::clone(progress));
            Arc::new(Archive::open(spec.clone(), apt.clone(), store, transport))
        };
        let store = Store::open(&settings.store);
        let adapted = if reach == Reach::Look { store.clone().read_only() } else { store.clone() };
        adapted.adapt().map_err(ArchiveError::from)?;
        let stored = || open(Network::Offline, store.clone().read_only());
        let (archive, metadata) = match reach {
            Reach::Everything => {
                let archive = open(Network::Allowed, store.clone());
                (Arc::clone(&archive), archive)
            }
            Reach::Offline => {
                let archive = open(Network::Offline, store.clone());
                (Arc::clone(&archive), archive)
            }
            Reach::Stored => (open(Network::Allowed, store.clone()), stored()),
            Reach::Look => (stored(), stored()),
        };
        Ok(Self {
            settings,
            archive,
            metadata,
            registry,
            trackers: Trackers::default(),
            keys: Keys::default(),
            worktrees: Worktrees::default(),
            layout: OnceLock::new(),
            index: IndexMemory::default(),
        })
    }

    /// Ends a run that the program ends with: what fills its memory is left to the kernel, piece
    /// by piece would take longer. What wipes itself when it is dropped is dropped.
    pub fn leave(self) {
        let Self { settings: Settings { conf, catalog, .. }, archive, metadata, .. } = self;
        std::mem::forget((conf, catalog, archive, metadata));
    }

    /// The run's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The archive.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The layout, made where it is missing.
    pub(crate) fn layout(&self) -> Result<Layout, BuildError> {
        if let Some(layout) = self.layout.get() {
            return Ok(layout.clone());
        }
        let layout = Layout::open_or_create(self.settings.out.clone())?.remembering(&self.index);
        Ok(self.layout.get_or_init(|| layout).clone())
    }

    /// The layout as it is there.
    pub(crate) fn layout_there(&self) -> Result<Layout, LayoutError> {
        match self.layout.get() {
            Some(layout) => Ok(layout.clone()),
            None => Ok(Layout::open(self.settings.out.clone())?.remembering(&self.index)),
        }
    }

    /// Work for the processor, on rayon's threads.
    pub(crate) async fn on_processor<T: Send + 'static>(
        self: Arc<Self>,
        task: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BuildError> {
        let (done, result) = oneshot::channel();
        let span = tracing::trace_span!(target: "dmc_trace", "work", of = task);
        rayon::spawn(move || {
            let _span = span.entered();
            // Another task's failure may end the run before this one's turn, or during it.
            if !done.is_closed() {
                let _ = done.send(work());
            }
        });
        result.await.map_err(|_closed| ArchiveError::Worker { task }.into())
    }

    /// Looks for what is wrong with the image that is in the layout.
    pub(crate) async fn verify(
        self: &Arc<Self>,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Report, BuildError> {
        let record = self.record(template, arch)?;
        let template = self.settings.catalog.get(template.as_str())?;
        loop {
            let packages = self.packages(template, arch).await?;
            match image::verify(self, template, &packages, record.clone()).await {
                Err(BuildError::Archive(error)) if self.metadata.repair_index(arch, &error) => {}
                other => return other,
            }
        }
    }

    /// Removes what runs that were killed left behind in store and layout.
    pub(crate) fn sweep(&self) {
        self.archive.store().sweep(ABANDONED);
        let swept =
            self.layout().and_then(|layout| Ok(layout.sweep(ImageRecord::FOLDER, ABANDONED)?));
        if let Err(error) = swept {
            tracing::debug!(%error, "files of an earlier run stay behind");
        }
    }

    /// Joins images under one index and names it.
    pub(crate) fn index(
        &self,
        template: &TemplateName,
        images: &[ImageSummary],
    ) -> Result<Named, BuildError> {
        self.check_skew(template, images)?;
        let layout = self.layout()?;
        let index = Self::write_index(&layout, images)?;
        self.name(template, &layout, index, images)
    }

    /// The index of these images, without a name yet.
    pub(crate) fn write_index(
        layout: &Layout,
        images: &[ImageSummary],
    ) -> Result<Descriptor, BuildError> {
        let newest = images.iter().max_by_key(|image| image.created);
        let annotations = newest.map(|image| image.annotations().clone()).unwrap_or_default();
        // Clients that know gzip alone take the first manifest of their platform.
        let first = images.iter().map(|image| &image.manifest);
        let second = images.iter().filter_map(|image| Some(&image.second.as_ref()?.manifest));
        let manifests = first.chain(second).cloned().collect();
        let index = Index::new(manifests, annotations).to_json();
        let known = Descriptor::of(media_type::INDEX, &index);
        let known = layout.has_blob(&known.digest, known.size);
        let index = layout.write_blob(media_type::INDEX, &index)?;
        if !known {
            sbom::describe_index(layout, &index)?;
        }
        Ok(index)
    }

    pub(crate) fn check_skew(
        &self,
        template: &TemplateName,
        images: &[ImageSummary],
    ) -> Result<(), BuildError> {
        let mut versions = images.iter().filter_map(|image| {
            let (package, version) = image.source.as_ref()?;
            Some((image.arch, package, version))
        });
        let Some((arch, _, version)) = versions.next() else { return Ok(()) };
        match versions.find(|(_, _, other)| *other != version) {
            Some((other_arch, package, other)) if !self.settings.allow_skew => {
                Err(BuildError::Skew {
                    template: template.clone(),
                    package: package.clone(),
                    one: (arch, version.clone()),
                    other: (other_arch, other.clone()),
                })
            }
            _ => Ok(()),
        }
    }

    /// The layout, and the manifest and tag of a template's newest image for an architecture.
    pub fn manifest(
        &self,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<(Layout, Descriptor, String), BuildError> {
        let none = || BuildError::NoImage {
            template: template.clone(),
            arch,
            out: self.settings.out.clone(),
        };
        // A layout that is not there holds no image either.
        if !self.settings.out.join("index.json").exists() {
            return Err(none());
        }
        let layout = self.layout_there()?;
        let index = layout.resolve(&self.latest(template))?.ok_or_else(none)?;
        let document: Index = layout.read_document(&index)?;
        let version = document.annotations.get("org.opencontainers.image.version");
        let tag = version.map_or("latest", String::as_str);
        let tag = naming::ended(tag, self.is_private(template));
        let manifest = document.manifests.into_iter().find(|manifest| {
            manifest.platform.as_ref().is_some_and(|platform| of_platform(platform, arch))
        });
        Ok((layout, manifest.ok_or_else(none)?, tag))
    }

    /// The record of a template's newest image for an architecture.
    pub fn record(&self, template: &TemplateName, arch: Arch) -> Result<ImageRecord, BuildError> {
        let (layout, manifest, _) = self.manifest(template, arch)?;
        ImageRecord::read(&layout, &manifest.digest)
    }

    /// What says that the tests of a template's newest image for an architecture hold.
    pub fn tested(&self, template: &TemplateName, arch: Arch) -> Option<TestMark> {
        let (layout, manifest, _) = self.manifest(template, arch).ok()?;
        TestMark::read(&layout, &manifest.digest)
    }

    /// Which packages would ship a path: of those that the template's image is made of, else of
    /// the whole archive.
    pub async fn who_ships(
        &self,
        record: &ImageRecord,
        path: &ImagePath,
    ) -> Result<Vec<PackageName>, BuildError> {
        let mut found = Vec::new();
        for (name, package) in &record.packages {
            let facts = self.archive.store().facts(&package.deb).map_err(ArchiveError::from)?;
            let ships = |facts: &dmc_types::PackageFacts| {
                facts.entries.iter().any(|entry| entry.path.merged_usr() == *path)
            };
            if facts.is_some_and(|facts| ships(&facts)) {
                found.push(name.clone());
            }
        }
        if found.is_empty() {
            found = self.metadata.who_ships(record.arch, path).await?;
        }
        Ok(found)
    }

    /// Whether a task's result is at hand, so that doing it again would cost next to nothing.
    pub async fn is_cached(&self, step: &Step) -> bool {
        match step {
            Step::Prepare => self.archive.store().root().exists(),
            Step::Indices(arch) => self.metadata.index(*arch).await.is_ok(),
            Step::Image(template, arch) => {
                self.known(template, *arch).await.is_ok_and(|known| known.is_some())
            }
            Step::Index(template) => {
                for arch in &self.settings.conf.archs {
                    if !self.known(template, *arch).await.is_ok_and(|known| known.is_some()) {
                        return false;
                    }
                }
                self.layout_there()
                    .and_then(|layout| layout.resolve(&self.latest(template)))
                    .is_ok_and(|found| found.is_some())
            }
            _ => false,
        }
    }
}

fn transport_options(settings: &Settings, network: Network) -> TransportOptions {
    let (conf, usual) = (&settings.conf, TransportOptions::default());
    let options = TransportOptions {
        network,
        connections_per_host: usize::from(conf.connections),
        connect_timeout: usual.connect_timeout.min(conf.timeout),
        read_timeout: conf.timeout,
        retries: usize::from(conf.retries),
        ..usual
    };
    if settings.snapshot.is_none() {
        return options;
    }
    // Snapshots are kept by few machines for everybody.
    TransportOptions {
        connections_per_host: options.connections_per_host.min(2),
        longest_wait: Duration::from_mins(10),
        ..options
    }
}

/// Whether an image's platform is that of an architecture.
pub(crate) fn of_platform(platform: &Platform, arch: Arch) -> bool {
    let oci = arch.oci();
    platform.architecture == oci.architecture && platform.variant.as_deref() == oci.variant
}

/// An index in the layout and its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The index.
    pub index: Descriptor,
    /// `NAME:TAG`, the most telling first.
    pub references: Vec<String>,
    /// Which names it does not have, and why.
    pub notes: Vec<String>,
}
