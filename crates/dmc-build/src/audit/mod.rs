//! Images of the layout held against a security tracker, and what comes of it as VEX beside them.
//!
//! Nothing is built for it: packages, source versions and files are read from the images. What is
//! attached changes only where what there is to say has changed, so that an audit of every night
//! leaves a layout, and a registry, as it was.

mod error;
mod holdings;
mod tracker;
mod vex;

pub use dmc_audit::{
    Audited, Curated, FailOn, Finding, NotCovered, Presence, Standing, Uncovered, UnknownUrgency,
    Urgency,
};
pub use error::AuditError;
pub(crate) use tracker::Trackers;

use crate::error::BuildError;
use crate::workshop::{Workshop, of_platform};
use dmc_image::oci::{Descriptor, Index};
use dmc_types::{Arch, Sha256, TemplateName, UnixTime};
use std::sync::Arc;

/// What images are held against, besides what the configuration says.
#[derive(Debug, Clone, Default)]
pub struct AuditSettings {
    /// Where the code of vulnerabilities lies: names and texts of `conf/vex`.
    pub curated: Vec<(String, Vec<u8>)>,
    /// Which findings fail a run; none do by themselves.
    pub fail_on: Vec<FailOn>,
}

/// What a template's images came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// The images, one an architecture.
    pub images: Vec<AuditedImage>,
    /// Where the tracker's data is from.
    pub tracker: String,
    /// Of when the oldest data is, in seconds since 1970.
    pub checked: UnixTime,
    /// When it was done.
    pub now: UnixTime,
    /// How many findings fail the run.
    pub failing: usize,
}

/// What one image came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedImage {
    /// Its architecture.
    pub arch: Arch,
    /// Its manifest.
    pub manifest: Sha256,
    /// What was found.
    pub audited: Audited,
}

impl Workshop {
    /// Holds a template's newest images against the tracker, and attaches what there is to say.
    pub(crate) async fn audit(
        self: &Arc<Self>,
        template: &TemplateName,
    ) -> Result<AuditReport, BuildError> {
        let curated = &self.settings.audit.curated;
        let curated = curated.iter().map(|(name, text)| (name.as_str(), text.as_slice()));
        let curated = Curated::read(curated).map_err(AuditError::from)?;
        let mut report = AuditReport {
            images: Vec::new(),
            tracker: self.settings.conf.audit.tracker.clone(),
            checked: self.settings.now,
            now: self.settings.now,
            failing: 0,
        };
        for arch in &self.settings.conf.archs {
            let (layout, manifest, _) = self.manifest(template, *arch)?;
            let (shop, at) = (Arc::clone(self), manifest.clone());
            let read = move || shop.audited_holdings(&layout, &at);
            let (codename, holdings) = self.clone().on_processor("an audit", read).await??;
            let known = self.tracker(&codename).await?;
            let audited = dmc_audit::audit(&holdings, &known.tracker, &curated);
            let limits = &self.settings.audit.fail_on;
            report.failing += audited.findings.iter().filter(|one| one.fails(limits)).count();
            report.checked = report.checked.min(known.checked);
            report.images.push(AuditedImage { arch: *arch, manifest: manifest.digest, audited });
        }
        self.attach_vex(template, &report.images)?;
        Ok(report)
    }

    /// Attaches what was found to each image, in all of its forms, and to the index where all of
    /// its images were looked at: scanners ask for what was pulled, be it one or the other.
    fn attach_vex(
        &self,
        template: &TemplateName,
        images: &[AuditedImage],
    ) -> Result<(), BuildError> {
        let layout = self.layout_there()?;
        let Some(index) = layout.resolve(&format!("{template}:latest"))? else { return Ok(()) };
        let document: Index = layout.read_document(&index)?;
        let of = |manifest: &Descriptor| {
            let platform = manifest.platform.as_ref()?;
            images.iter().find(|image| of_platform(platform, image.arch))
        };
        for manifest in &document.manifests {
            if let Some(image) = of(manifest) {
                self.attach_one_vex(&layout, template, manifest, &[&image.audited])?;
            }
        }
        if document.manifests.iter().all(|manifest| of(manifest).is_some()) {
            let all: Vec<&Audited> = images.iter().map(|image| &image.audited).collect();
            self.attach_one_vex(&layout, template, &index, &all)?;
        }
        Ok(())
    }
}
