//! One architecture's image: closure, tree, layer, configuration, manifest.

use crate::assemble::{self, AssembleError, Assembled};
use crate::config::{Description, run_config};
use crate::contents::StoreContents;
use crate::error::BuildError;
use crate::extensions::{self, Extension, ExtensionCosts};
use crate::inputs::template_digest;
use crate::known::Releases;
use crate::lookups::{Lookups, Trace};
use crate::naming;
use crate::record::ImageRecord;
use crate::resolve::{Resolved, resolve};
use crate::sbom;
use crate::small;
use crate::start::start;
use crate::verify::{self, Finished};
use crate::workshop::Workshop;
use dmc_archive::release::Owner;
use dmc_archive::{Candidate, Packages};
use dmc_deb::deb822::Paragraph;
use dmc_elf::Closure;
use dmc_image::layer::{Layer, LayerError, layer_key};
use dmc_image::layout::ImageFiles;
use dmc_image::oci::{Descriptor, ImageConfig, Manifest};
use dmc_image::{Layout, LayoutError};
use dmc_sbom::provenance::Build;
use dmc_template::{ArchTemplate, BuildMode, Template};
use dmc_types::{Arch, Compression, PackageName, Sha256, UnixTime};
use dmc_verify::{Counts, Problem, Report, Severity};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tracing::Instrument as _;

/// One of the forms in which an image is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// How its layer is compressed.
    pub compression: Compression,
    /// The manifest.
    pub manifest: Descriptor,
    /// The compressed layer's size in bytes.
    pub layer_size: u64,
}

/// What is known of an image once it is in the layout; kept in the store by keys over all that it
/// depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSummary {
    /// The architecture.
    pub arch: Arch,
    /// The manifest of its first form.
    pub manifest: Descriptor,
    /// That form's compressed layer's size in bytes.
    pub layer_size: u64,
    /// The same image for clients that know another compression.
    #[serde(default)]
    pub second: Option<Form>,
    /// Packages with a file in it.
    pub packages: usize,
    /// Files, links and folders in it.
    pub files: usize,
    /// The tags that its version gives, the most telling first.
    pub tags: Vec<String>,
    /// The package that gives the version, with its source's version.
    pub source: Option<(PackageName, String)>,
    /// The time of the newest package, in seconds since 1970.
    pub created: UnixTime,
    /// What the user should know.
    pub notes: Vec<String>,
    /// What the extensions cost that the template lists.
    #[serde(default)]
    pub extensions: Option<ExtensionCosts>,
    /// What was counted when the image was verified.
    pub counts: Counts,
    /// What verifying found that stops nothing.
    pub warnings: Vec<String>,
    annotations: BTreeMap<String, String>,
}

impl ImageSummary {
    /// The manifests of all its forms, the first in front.
    pub fn manifests(&self) -> impl Iterator<Item = &Descriptor> {
        [&self.manifest].into_iter().chain(self.second.iter().map(|form| &form.manifest))
    }

    /// Annotations for an index that this image is part of.
    pub(crate) fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }
}

/// Builds the image of one architecture into the layout.
pub(crate) async fn build(
    workshop: &Arc<Workshop>,
    template: &Template,
    packages: &Packages,
    releases: &Releases,
) -> Result<(ImageSummary, Trace), BuildError> {
    let (job, trace) = Job::prepare(workshop, template, packages, releases).await?;
    Ok((job.perform(Job::write).await?, trace))
}

/// Looks for what is wrong with the image that template, rules and packages come to, and whether
/// `record` is that image's. Writes nothing but what it has to fetch.
pub(crate) async fn verify(
    workshop: &Arc<Workshop>,
    template: &Template,
    packages: &Packages,
    record: ImageRecord,
) -> Result<Report, BuildError> {
    let (job, _) = Job::prepare(workshop, template, packages, &Releases::default()).await?;
    job.perform(move |job| job.look(&record)).await
}

/// What an image would be made of.
#[derive(Debug)]
pub(crate) struct Choice {
    /// The packages without which it could not be made, by name.
    pub(crate) candidates: BTreeMap<PackageName, Candidate>,
    pub(crate) closure: Closure,
}

/// Chooses what an image would be made of.
pub(crate) async fn choose(
    workshop: &Arc<Workshop>,
    template: &Template,
    packages: &Packages,
) -> Result<Choice, BuildError> {
    let lookups = Lookups::new(packages);
    let job = Job::choose(workshop, template, &lookups, &Releases::default()).await?;
    Ok(Choice { candidates: job.candidates(), closure: job.resolved.closure })
}

/// The package whose contents in the store are not what they were.
fn damaged(error: &BuildError) -> Option<&Sha256> {
    match error {
        BuildError::Layout(LayoutError::Layer(
            LayerError::Corrupted { object, .. } | LayerError::Source { object, .. },
        ))
        | BuildError::Assemble(AssembleError::Contents { object, .. }) => Some(object),
        _ => None,
    }
}

/// The part of a build that needs no network.
struct Job {
    workshop: Arc<Workshop>,
    template: Template,
    arch_template: ArchTemplate,
    extensions: Vec<Extension>,
    resolved: Resolved,
    releases: Releases,
}

impl Job {
    /// Finds the closure, and says what was looked up for it.
    async fn prepare(
        workshop: &Arc<Workshop>,
        template: &Template,
        packages: &Packages,
        releases: &Releases,
    ) -> Result<(Arc<Self>, Trace), BuildError> {
        let lookups = Lookups::new(packages);
        let span = tracing::trace_span!(target: "dmc_trace", "closure");
        let job = Self::choose(workshop, template, &lookups, releases)
            .instrument(span)
            .await
            .map_err(|error| workshop.not_enough(template, packages.arch(), error))?;
        workshop.check_choice(template, packages.arch(), &job.candidates())?;
        // What comes now needs the memory more.
        packages.give_back();
        Ok((Arc::new(job), lookups.trace()))
    }

    /// Finds the closure among these packages.
    async fn choose(
        workshop: &Arc<Workshop>,
        template: &Template,
        packages: &Lookups<'_>,
        releases: &Releases,
    ) -> Result<Self, BuildError> {
        let mut arch_template = template.for_arch(packages.arch())?;
        let extensions =
            extensions::expand(&workshop.archive, packages, &mut arch_template).await?;
        if workshop.settings.variant.small {
            arch_template.mode = BuildMode::Small;
        }
        if arch_template.mode == BuildMode::Small {
            arch_template.accounts = vec!["*".to_owned()];
        }
        let mut start = start(&arch_template, workshop.settings.rules(packages.arch())?);
        start.extensions = extensions::roots(&extensions);
        let strict = workshop.settings.strict;
        let resolved = match arch_template.mode {
            BuildMode::Micro => {
                resolve(&workshop.archive, packages, &arch_template, start, strict).await?
            }
            BuildMode::Small => {
                let more = extensions.iter().flat_map(Extension::packages).cloned().collect();
                small::resolve(&workshop.archive, packages, &arch_template, &start, more).await?
            }
        };
        Ok(Self {
            workshop: Arc::clone(workshop),
            template: template.clone(),
            arch_template,
            extensions,
            resolved,
            releases: releases.clone(),
        })
    }

    /// The packages that answered a need, and those that extensions are of.
    fn candidates(&self) -> BTreeMap<PackageName, Candidate> {
        let mut all = self.resolved.candidates.clone();
        for one in self.extensions.iter().flat_map(Extension::candidates) {
            all.entry(one.package.clone()).or_insert_with(|| one.clone());
        }
        all
    }

    /// Does `work` on a thread for work, again after repairs where the store is damaged.
    async fn perform<T: Send + 'static>(
        self: Arc<Self>,
        work: impl Fn(&Self) -> Result<T, BuildError> + Clone + Send + 'static,
    ) -> Result<T, BuildError> {
        let mut repaired = BTreeSet::new();
        loop {
            let (job, work) = (Arc::clone(&self), work.clone());
            let made = self.workshop.clone().on_processor("an image", move || work(&job)).await?;
            let Some(object) = made.as_ref().err().and_then(damaged).copied() else { return made };
            // The store gave other bytes than it was given: make them again, once a package.
            let facts = self.resolved.closure.packages.values().find(|facts| facts.deb == object);
            match facts.and_then(|facts| self.resolved.candidates.get(&facts.package)) {
                Some(candidate) if repaired.insert(object) => {
                    self.workshop.archive.repair_contents(candidate).await?;
                }
                _ => return made,
            }
        }
    }

    fn contents(&self) -> StoreContents {
        let store = self.workshop.archive.store().clone();
        StoreContents { store, takes_pieces: !self.workshop.settings.force }
    }

    fn assemble(&self, contents: &StoreContents) -> Result<Assembled, AssembleError> {
        let _span = tracing::trace_span!(target: "dmc_trace", "assemble").entered();
        let Resolved { closure, whole, .. } = &self.resolved;
        let epoch = self.workshop.settings.epoch;
        assemble::assemble(closure, whole.as_ref(), &self.arch_template, contents, epoch)
    }

    fn record(&self, assembled: &Assembled) -> ImageRecord {
        let Resolved { closure, whole, .. } = &self.resolved;
        let mut record = ImageRecord::new(closure, &self.arch_template, assembled);
        if let Some(whole) = whole {
            record.explain(closure, whole);
        }
        let candidates = self.candidates();
        for (name, package) in &mut record.packages {
            package.archive = candidates.get(name).and_then(third_party);
        }
        record
    }

    fn verified(
        &self,
        assembled: &Assembled,
        contents: &StoreContents,
    ) -> Result<Report, BuildError> {
        let _span = tracing::trace_span!(target: "dmc_trace", "verify").entered();
        let settings = &self.workshop.settings;
        let closure = &self.resolved.closure;
        let finished = Finished { closure, template: &self.arch_template, assembled, contents };
        let mut report = verify::verify(finished, &settings.verify_tables()?, settings.strict)?;
        if self.resolved.whole.is_some() && !settings.strict {
            small::soften(&mut report, &self.arch_template, closure);
        }
        Ok(report)
    }

    fn look(&self, record: &ImageRecord) -> Result<Report, BuildError> {
        let contents = self.contents();
        let closure = &self.resolved.closure;
        let assembled = self.assemble(&contents)?;
        let mut report = self.verified(&assembled, &contents)?;
        verify::uncovered(closure, &self.workshop.settings.grammar()?, &mut report);
        if self.record(&assembled) != *record {
            report.add(Severity::Warning, Problem::Outdated);
            report.sort();
        }
        Ok(report)
    }

    fn write(&self) -> Result<ImageSummary, BuildError> {
        let workshop = &self.workshop;
        let contents = self.contents();
        let closure = &self.resolved.closure;
        let assembled = self.assemble(&contents)?;
        let report = self.verified(&assembled, &contents)?;
        if !report.is_good() {
            let (template, report) = (self.template.name().clone(), Box::new(report));
            return Err(BuildError::Unfit { template, arch: self.arch_template.arch, report });
        }
        let layout = workshop.layout()?;
        let made = extensions::Made {
            closure,
            template: &self.arch_template,
            tree: &assembled.tree,
            store: &contents,
            compression: workshop.settings.compression.first(),
        };
        let costs = extensions::costs(&made, &self.extensions)?;
        let (tags, named_by) = self.version();
        let facts = named_by.and_then(|found| closure.packages.get(&found.package));
        let homepage =
            facts.and_then(|facts| Paragraph::new(facts.control.as_bytes()).field("Homepage"));
        let description = Description {
            template: &self.template,
            version: tags.first().map_or("latest", String::as_str),
            package: named_by.map(|found| (&found.package, found.version.as_str())),
            homepage,
            dist: &workshop.settings.conf.dist,
            expired: &self.releases.expired,
            small: self.resolved.whole.is_some(),
            created: assembled.time,
        };
        let annotations = description.annotations();
        let platform = self.arch_template.arch.oci();
        let (record, by) = (self.record(&assembled), description.created_by());
        let files = ImageFiles::of_tree(&assembled.tree, &contents, &sbom::is_telling)
            .map_err(LayoutError::Layer)?;
        let form = |compression| -> Result<Form, BuildError> {
            let layer = self.layer(&assembled, &contents, &layout, compression)?;
            let run = run_config(&self.arch_template.image, annotations.clone());
            let config = ImageConfig::new(platform, assembled.time, run, &layer, &by);
            let manifest = layout.write_image(platform, &config, &layer, annotations.clone())?;
            record.write(&layout, &manifest.digest)?;
            let build = Some(self.build(compression));
            sbom::describe(&workshop.settings, &layout, &manifest, &files, build)?;
            Ok(Form { compression, manifest, layer_size: layer.size })
        };
        let first = form(workshop.settings.compression.first())?;
        let second = workshop.settings.compression.second().map(form).transpose()?;
        Ok(ImageSummary {
            arch: self.arch_template.arch,
            manifest: first.manifest,
            layer_size: first.layer_size,
            second,
            packages: record.packages.len(),
            files: assembled.tree.len(),
            source: named_by.map(|found| (found.package.clone(), found.source_version.clone())),
            tags,
            created: assembled.time,
            notes: record.notes,
            extensions: costs,
            counts: report.counts,
            warnings: report
                .of(Severity::Warning)
                .map(|finding| finding.problem.to_string())
                .collect(),
            annotations,
        })
    }

    /// What the image is built from besides its packages.
    fn build(&self, compression: Compression) -> Build {
        let settings = &self.workshop.settings;
        let flags = [(self.resolved.whole.is_some(), "small"), (settings.strict, "strict")];
        Build {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dist: settings.dist(),
            compression: compression.to_string(),
            flags: flags.into_iter().filter_map(|(is, name)| is.then_some(name)).collect(),
            template: template_digest(&self.template),
            rules: settings.rules_digest(),
            vouching: self.releases.named.clone(),
        }
    }

    /// The layer: written, or found in the layout where the same tree was written before.
    fn layer(
        &self,
        assembled: &Assembled,
        contents: &StoreContents,
        layout: &Layout,
        compression: Compression,
    ) -> Result<Layer, BuildError> {
        let _span = tracing::trace_span!(target: "dmc_trace", "layer", of = %compression).entered();
        let store = self.workshop.archive.store();
        let key = layer_key(&assembled.tree, compression);
        let known = store.record(&key).ok().flatten().filter(|_| !self.workshop.settings.force);
        if let Some(layer) = known.and_then(|json| serde_json::from_slice::<Layer>(&json).ok())
            && layout.keep_blob(&layer.digest, layer.size)?
        {
            return Ok(layer);
        }
        let layer = layout.write_layer(&assembled.tree, contents, contents, compression)?;
        if let Ok(json) = serde_json::to_vec(&layer) {
            store.put_record(&key, &json).map_err(dmc_archive::ArchiveError::from)?;
        }
        Ok(layer)
    }

    /// The tags, and the package that they come from. Without one, the distribution's name is the
    /// version.
    fn version(&self) -> (Vec<String>, Option<&Candidate>) {
        if let Some(version) = &self.arch_template.version
            && let Ok(version) = version.parse()
        {
            return (naming::tags(&version), None);
        }
        let package = self.arch_template.version_from.as_ref();
        match package.and_then(|package| self.resolved.candidates.get(package)) {
            Some(candidate) => (naming::tags(&candidate.version), Some(candidate)),
            None => (vec![self.workshop.settings.conf.dist.clone(), "latest".to_owned()], None),
        }
    }
}

/// The third-party archive that a package comes from.
fn third_party(candidate: &Candidate) -> Option<String> {
    match &candidate.pocket.owner {
        Owner::ThirdParty(name) => Some(name.clone()),
        Owner::Vendor(_) => None,
    }
}

/// The blobs that a summary speaks of, by digest and size, where all of them are in the layout, and
/// the record of its files. Of the layers only the size is looked at.
pub(crate) fn blobs(layout: &Layout, summary: &ImageSummary) -> Option<Vec<(Sha256, u64)>> {
    let mut blobs = Vec::new();
    for manifest in summary.manifests() {
        let image: Manifest = layout.read_document(manifest).ok()?;
        layout.read_blob(&image.config).ok()?;
        let there = ImageRecord::is_there(layout, &manifest.digest)
            && image.layers.iter().all(|layer| layout.has_blob(&layer.digest, layer.size));
        if !there {
            return None;
        }
        let all = [manifest, &image.config].into_iter().chain(&image.layers);
        blobs.extend(all.map(|blob| (blob.digest, blob.size)));
    }
    Some(blobs)
}
