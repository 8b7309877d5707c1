//! Documents about images.
//!
//! They are written when an image is, from its files and its record. An image that is in the layout
//! can be described at any time, from its layer and with the same words: that needs neither network
//! nor store. An image that has not changed keeps what it has: nothing here runs for it. How it
//! was built only the build itself can say: provenance is never made up afterwards.

mod licences;
mod read;

pub use licences::{LicenceReport, PackageLicence};
pub(crate) use read::is_telling;

use crate::error::BuildError;
use crate::settings::Settings;
use crate::workshop::{Workshop, of_platform};
use dmc_image::Layout;
use dmc_image::layout::{Document, ImageFiles, PREDICATE_TYPE};
use dmc_image::oci::{Annotations, Artifact, Descriptor, Index};
use dmc_sbom::licence::Names;
use dmc_sbom::provenance::{Build, Join};
use dmc_sbom::{Kind, cyclonedx, provenance, spdx};
use dmc_types::{Arch, Sha256, TemplateName};

/// The annotation with the time of what an artifact is about.
const CREATED: &str = "org.opencontainers.image.created";

/// A document about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What kind it is.
    pub kind: Kind,
    /// The manifest that it is about.
    pub image: Sha256,
    /// The artifact that it is the document of.
    pub artifact: Sha256,
    /// The document itself.
    pub document: Descriptor,
}

/// Writes the documents about an image of these files: all that the layout has of them afterwards.
/// How it was built stays as it is where that is not given.
pub(crate) fn describe(
    settings: &Settings,
    layout: &Layout,
    manifest: &Descriptor,
    files: &ImageFiles,
    build: Option<Build>,
) -> Result<(), BuildError> {
    let _span = tracing::trace_span!(target: "dmc_trace", "describe").entered();
    let image = read::image(settings, layout, manifest, files)?;
    let names = names(settings)?;
    let version = env!("CARGO_PKG_VERSION");
    let document = |kind, bytes| document(kind, bytes, &image.created);
    let mut documents = vec![
        document(Kind::Spdx, spdx::write(&image, &names, &format!("dmc-{version}"))?),
        document(Kind::CycloneDx, cyclonedx::write(&image, &names, version)?),
    ];
    if let Some(build) = build {
        documents.push(document(Kind::Provenance, provenance::write(&image, &build)?));
    }
    layout.attach(manifest, &documents)?;
    Ok(())
}

/// Writes what there is to say of an index: which images it joins.
pub(crate) fn describe_index(layout: &Layout, descriptor: &Descriptor) -> Result<(), BuildError> {
    let index: Index = layout.read_document(descriptor)?;
    let said = |key: &str| index.annotations.get(key).cloned().unwrap_or_default();
    let architecture = |manifest: &Descriptor| {
        manifest.platform.as_ref().map(|it| it.architecture.clone()).unwrap_or_default()
    };
    let join = Join {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name: said("org.opencontainers.image.title"),
        tag: said("org.opencontainers.image.version"),
        index: descriptor.digest,
        manifests: index.manifests.iter().map(|it| (architecture(it), it.digest)).collect(),
    };
    let bytes = provenance::write_join(&join)?;
    layout.attach(descriptor, &[document(Kind::Provenance, bytes, &said(CREATED))])?;
    Ok(())
}

fn document(kind: Kind, bytes: Vec<u8>, created: &str) -> Document {
    let mut annotations = Annotations::from([(CREATED.to_owned(), created.to_owned())]);
    if kind == Kind::Provenance {
        annotations.insert(PREDICATE_TYPE.to_owned(), kind.predicate_type().to_owned());
    }
    let (artifact_type, media_type) = (kind.media_type().into(), kind.media_type().into());
    Document { artifact_type, media_type, bytes, annotations }
}

fn names(settings: &Settings) -> Result<Names, BuildError> {
    Ok(Names::new(settings.conf.licences.all_names(&settings.licences)?))
}

impl Workshop {
    /// The documents about the newest image of a template, in all of its forms. What the image is
    /// made of is written where that is missing.
    pub(crate) fn documents(
        &self,
        template: &TemplateName,
        arch: Arch,
    ) -> Result<Vec<Described>, BuildError> {
        let (layout, first, _) = self.manifest(template, arch)?;
        if let Some(index) = layout.resolve(&format!("{template}:latest"))?
            && present(&layout, &index)?.is_empty()
        {
            describe_index(&layout, &index)?;
        }
        let mut all = Vec::new();
        for manifest in forms(&layout, template, arch, &first)? {
            all.extend(self.described(&layout, &manifest)?);
        }
        Ok(all)
    }

    /// The bytes of one of them.
    pub(crate) fn document(
        &self,
        template: &TemplateName,
        arch: Arch,
        kind: Kind,
    ) -> Result<Vec<u8>, BuildError> {
        let (layout, manifest, _) = self.manifest(template, arch)?;
        let all = self.described(&layout, &manifest)?;
        let found = all.into_iter().find(|it| it.kind == kind);
        let template = template.clone();
        let found = found.ok_or(BuildError::NoDocument { template, arch, kind })?;
        let mut bytes = Vec::new();
        layout.copy_blob(&found.document, &mut bytes)?;
        Ok(bytes)
    }

    /// What the layout has about an image, once what it is made of is there.
    pub(crate) fn described(
        &self,
        layout: &Layout,
        manifest: &Descriptor,
    ) -> Result<Vec<Described>, BuildError> {
        let found = present(layout, manifest)?;
        let has = |kind| found.iter().any(|it: &Described| it.kind == kind);
        if has(Kind::Spdx) && has(Kind::CycloneDx) {
            return Ok(found);
        }
        let files = read::files(layout, manifest)?;
        describe(&self.settings, layout, manifest, &files, None)?;
        present(layout, manifest)
    }
}

/// The forms of an image, the first in front.
fn forms(
    layout: &Layout,
    template: &TemplateName,
    arch: Arch,
    first: &Descriptor,
) -> Result<Vec<Descriptor>, BuildError> {
    let Some(index) = layout.resolve(&format!("{template}:latest"))? else {
        return Ok(vec![first.clone()]);
    };
    let index: Index = layout.read_document(&index)?;
    let same = |it: &Descriptor| it.platform.as_ref().is_some_and(|it| of_platform(it, arch));
    Ok(index.manifests.into_iter().filter(same).collect())
}

/// The documents about an image that are whole in the layout.
fn present(layout: &Layout, manifest: &Descriptor) -> Result<Vec<Described>, BuildError> {
    let mut found = Vec::new();
    for entry in layout.referrers(&manifest.digest)? {
        let kind = Kind::ALL.into_iter().find(|kind| is_of(&entry, *kind));
        let artifact: Artifact = layout.read_document(&entry)?;
        let document = artifact.layers.into_iter().next();
        let document = document.filter(|it| layout.has_blob(&it.digest, it.size));
        if let (Some(kind), Some(document)) = (kind, document) {
            let (image, artifact) = (manifest.digest, entry.digest);
            found.push(Described { kind, image, artifact, document });
        }
    }
    found.sort_by_key(|it| it.kind);
    Ok(found)
}

/// Statements are told apart by what they say.
fn is_of(entry: &Descriptor, kind: Kind) -> bool {
    let says = entry.annotations.get(PREDICATE_TYPE);
    let wanted = (kind == Kind::Provenance).then_some(kind.predicate_type());
    entry.artifact_type() == Some(kind.media_type()) && says.map(String::as_str) == wanted
}
