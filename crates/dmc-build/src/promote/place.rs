//! Where images are promoted: the layout, or a repository of a registry.
//!
//! The same few things are asked of either: what a tag means, what is stated about an image, and
//! to make a tag mean another image.

use super::error::PromoteError;
use super::live::LIVE;
use super::promote::TEST_RESULT;
use crate::error::BuildError;
use crate::push::PushError;
use crate::signing::{self, SigningError};
use crate::workshop::{Workshop, of_platform};
use dmc_image::layout::{self, Document, PREDICATE_TYPE};
use dmc_image::oci::{Annotations, Artifact, Descriptor, Index, Manifest, media_type};
use dmc_image::{Layout, RefName};
use dmc_registry::{Reference, Registry, Repository, Tag};
use dmc_sign::{Bundle, Statement};
use dmc_types::{Arch, Sha256, TemplateName};
use serde_json::Value;

/// Most statements of one kind about an image that are looked at.
const MOST: usize = 200;

/// Longest statement that is read.
const LONGEST: u64 = 1 << 20;

/// Largest layer that is brought from a registry.
const LARGEST: u64 = 8 << 30;

/// The kind of artifact, and the media type, of a statement that nobody signed.
const UNSIGNED: &str = "application/vnd.in-toto+json";

/// Whether a document of the layout says something of an image there alone, not in a registry.
pub(crate) fn is_of_place(entry: &Descriptor) -> bool {
    let kind = entry.annotations.get(PREDICATE_TYPE).map(String::as_str);
    kind.is_some_and(|kind| [LIVE, TEST_RESULT].contains(&kind))
}

/// Where an image of a template is promoted.
pub(crate) struct Place<'a> {
    workshop: &'a Workshop,
    template: TemplateName,
    /// `host[/namespace]/name`, as statements call it.
    pub(crate) repository: String,
    kind: Kind<'a>,
    /// The layout itself, or where images of the registry are brought.
    layout: Layout,
}

enum Kind<'a> {
    Layout,
    Registry(&'a Registry, Repository),
}

/// A statement that counts.
pub(crate) struct Stated {
    pub(crate) predicate: Value,
    /// The trusted key that signed it; none where no key is trusted.
    pub(crate) signer: Option<Sha256>,
}

impl<'a> Place<'a> {
    /// The registry where one is configured, else the layout.
    pub(crate) fn of(workshop: &'a Workshop, template: &TemplateName) -> Result<Self, BuildError> {
        let (repository, kind) = if workshop.settings.conf.host.is_some() {
            let repository = workshop.repository(template)?;
            (repository.to_string(), Kind::Registry(workshop.registry()?, repository))
        } else {
            (format!("localhost/{template}"), Kind::Layout)
        };
        let (template, layout) = (template.clone(), workshop.layout()?);
        Ok(Self { workshop, template, repository, kind, layout })
    }

    /// What a tag means.
    pub(crate) async fn resolve(&self, tag: &str) -> Result<Option<Descriptor>, BuildError> {
        match &self.kind {
            Kind::Layout => Ok(self.layout.resolve(&format!("{}:{tag}", self.template))?),
            Kind::Registry(registry, repository) => {
                let tag = Reference::Tag(tag.parse::<Tag>().map_err(PushError::from)?);
                Ok(registry.head(repository, &tag).await.map_err(PushError::from)?)
            }
        }
    }

    /// An index that is still there, by its digest.
    pub(crate) async fn find(&self, index: &Sha256) -> Result<Option<Descriptor>, BuildError> {
        match &self.kind {
            Kind::Layout => {
                let path = self.layout.blob_path(index);
                let size = path.metadata().ok().map(|found| found.len());
                Ok(size.map(|size| Descriptor::new(media_type::INDEX, *index, size)))
            }
            Kind::Registry(registry, repository) => {
                let found = registry.head(repository, &Reference::Digest(*index)).await;
                Ok(found.map_err(PushError::from)?)
            }
        }
    }

    /// The image of one architecture, in the layout: where it is promoted in a registry, it is
    /// brought from there.
    pub(crate) async fn image(
        &self,
        index: &Descriptor,
        arch: Arch,
    ) -> Result<Descriptor, BuildError> {
        let bytes = self.document(index).await?;
        let none = || PromoteError::NoPlatform {
            image: format!("{}@sha256:{}", self.repository, index.digest),
            arch,
        };
        let document: Index = serde_json::from_slice(&bytes).map_err(|_no_index| none())?;
        let manifest = document.manifests.into_iter().find(|manifest| {
            manifest.platform.as_ref().is_some_and(|platform| of_platform(platform, arch))
        });
        let manifest = manifest.ok_or_else(none)?;
        let bytes = self.document(&manifest).await?;
        let image: Manifest = serde_json::from_slice(&bytes).map_err(|_no_image| none())?;
        for blob in image.layers.iter().chain([&image.config]) {
            self.bring(blob).await?;
        }
        Ok(manifest)
    }

    /// An index or a manifest, which is in the layout afterwards.
    async fn document(&self, document: &Descriptor) -> Result<Vec<u8>, BuildError> {
        let Kind::Registry(registry, repository) = &self.kind else {
            return Ok(self.layout.read_blob(document)?);
        };
        let reference = Reference::Digest(document.digest);
        let found = registry.manifest(repository, &reference).await.map_err(PushError::from)?;
        let Some((_, bytes)) = found else {
            let image = reference.behind(repository);
            return Err(PromoteError::Gone { image }.into());
        };
        self.layout.write_blob(&document.media_type, &bytes)?;
        Ok(bytes)
    }

    async fn bring(&self, blob: &Descriptor) -> Result<(), BuildError> {
        let Kind::Registry(registry, repository) = &self.kind else { return Ok(()) };
        if blob.size > LARGEST {
            let blob = format!("{repository}@sha256:{}", blob.digest);
            return Err(PromoteError::TooLarge { blob, most: LARGEST }.into());
        }
        // Whoever loads it reads it against its digest.
        if self.layout.keep_blob(&blob.digest, blob.size)? {
            return Ok(());
        }
        let mut incoming = self.layout.incoming()?;
        registry.blob_to(repository, blob, &mut incoming).await.map_err(PushError::from)?;
        Ok(incoming.keep(blob)?)
    }

    /// Whether a trusted key has signed an image of the registry, where any is trusted: to promote
    /// it says that it is meant, and must not make good what somebody slipped in.
    pub(crate) async fn check_signed(&self, index: &Descriptor) -> Result<(), BuildError> {
        if let Kind::Registry(_, repository) = &self.kind
            && !self.workshop.trusted()?.is_empty()
        {
            signing::verify(self.workshop, repository, index).await?;
        }
        Ok(())
    }

    /// The layout that images are brought to.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The statements of one kind about an image that count: those signed by trusted keys; where
    /// no key is trusted, those that nobody signed.
    pub(crate) async fn stated(
        &self,
        index: &Descriptor,
        kind: &str,
    ) -> Result<Vec<Stated>, BuildError> {
        if let Kind::Registry(_, repository) = &self.kind
            && !self.workshop.trusted()?.is_empty()
        {
            let said = signing::statements(self.workshop, repository, index, kind).await?;
            let counts = said.into_iter().map(|one| Stated {
                signer: Some(one.key()),
                predicate: one.into_inner().predicate,
            });
            return Ok(counts.collect());
        }
        let referrers = match &self.kind {
            Kind::Layout => self.layout.referrers(&index.digest)?,
            Kind::Registry(registry, repository) => {
                let found = registry.referrers(repository, &index.digest, None).await;
                found.map_err(PushError::from)?
            }
        };
        let of_kind = |entry: &&Descriptor| entry.annotations.values().any(|said| said == kind);
        let mut found = Vec::new();
        for entry in referrers.iter().filter(of_kind).take(MOST) {
            let Some((media_type, bytes)) = self.attached(entry).await? else { continue };
            found.extend(self.checked(&media_type, &bytes, &index.digest, kind)?);
        }
        Ok(found)
    }

    /// The document of an artifact, with its media type.
    async fn attached(&self, entry: &Descriptor) -> Result<Option<(String, Vec<u8>)>, BuildError> {
        let (registry, repository) = match &self.kind {
            Kind::Layout => {
                let artifact: Artifact = self.layout.read_document(entry)?;
                let Some(document) = artifact.layers.into_iter().next() else { return Ok(None) };
                let bytes = self.layout.read_blob(&document)?;
                return Ok(Some((document.media_type, bytes)));
            }
            Kind::Registry(registry, repository) => (registry, repository),
        };
        let reference = Reference::Digest(entry.digest);
        let found = registry.manifest(repository, &reference).await.map_err(PushError::from)?;
        // A list may speak of what is gone, and anybody may attach what is no artifact.
        let artifact = found.and_then(|(_, bytes)| serde_json::from_slice::<Artifact>(&bytes).ok());
        let document = artifact.and_then(|artifact| artifact.layers.into_iter().next());
        let Some(document) = document.filter(|it| it.size <= LONGEST) else { return Ok(None) };
        let bytes = registry.blob(repository, &document, LONGEST).await.map_err(PushError::from)?;
        Ok(Some((document.media_type, bytes)))
    }

    /// What a document states, where it counts.
    fn checked(
        &self,
        media_type: &str,
        bytes: &[u8],
        index: &Sha256,
        kind: &str,
    ) -> Result<Option<Stated>, BuildError> {
        let trusted = self.workshop.trusted()?;
        let (statement, signer) = match media_type {
            UNSIGNED if trusted.is_empty() => {
                let Ok(statement) = serde_json::from_slice::<Statement>(bytes) else {
                    return Ok(None);
                };
                if statement.check_subject(*index, &self.repository).is_err() {
                    return Ok(None);
                }
                (statement, None)
            }
            Bundle::MEDIA_TYPE => {
                let bundle = Bundle::parse(bytes);
                let verified =
                    bundle.and_then(|bundle| bundle.verify(trusted, *index, &self.repository));
                let Ok(verified) = verified else { return Ok(None) };
                let signer = Some(verified.key());
                (verified.into_inner(), signer)
            }
            _ => return Ok(None),
        };
        let counts = statement.predicate_type == kind;
        Ok(counts.then_some(Stated { predicate: statement.predicate, signer }))
    }

    /// States something about an image, signed where there is a key.
    pub(crate) async fn state(
        &self,
        index: &Descriptor,
        kind: &str,
        predicate: Value,
    ) -> Result<(), BuildError> {
        if let Kind::Registry(_, repository) = &self.kind
            && self.workshop.signer()?.is_some()
        {
            signing::attest(self.workshop, repository, index, kind, &predicate).await?;
            return Ok(());
        }
        let statement = Statement::new(index.digest, &self.repository, kind, predicate);
        let (media_type, bytes) = match self.workshop.signer()? {
            Some(signer) => {
                let key = signer.private(&*self.workshop.settings.passwords)?;
                (Bundle::MEDIA_TYPE, Bundle::sign(&statement, key).to_json())
            }
            None if self.workshop.trusted()?.is_empty() => {
                (UNSIGNED, serde_json::to_vec(&statement).unwrap_or_default())
            }
            None => return Err(SigningError::NoKey.into()),
        };
        let annotations = Annotations::from([(PREDICATE_TYPE.to_owned(), kind.to_owned())]);
        match &self.kind {
            Kind::Layout => {
                let (artifact_type, media_type) = (media_type.to_owned(), media_type.to_owned());
                let document = Document { artifact_type, media_type, bytes, annotations };
                self.layout.attach(index, &[document])?;
            }
            Kind::Registry(registry, repository) => {
                let document = Descriptor::of(media_type, &bytes);
                let artifact = Artifact::new(media_type, document, Some(index), annotations);
                let attached = registry.attach(repository, &artifact, &bytes).await;
                attached.map_err(PushError::from)?;
            }
        }
        Ok(())
    }

    /// Makes a tag mean an image.
    pub(crate) async fn tag(&self, tag: &str, index: &Descriptor) -> Result<(), BuildError> {
        match &self.kind {
            Kind::Layout => {
                let name = RefName::new(self.template.clone(), tag)?;
                let full = format!("localhost/{name}");
                // What is said of the image stands at its other names.
                let index = Descriptor::new(&index.media_type, index.digest, index.size);
                Ok(self.layout.tag(&index, &[layout::Reference { name, full }])?)
            }
            Kind::Registry(registry, repository) => {
                let bytes = self.document(index).await?;
                let tag = Reference::Tag(tag.parse::<Tag>().map_err(PushError::from)?);
                let put = registry.put_manifest(repository, &tag, &index.media_type, &bytes).await;
                put.map_err(PushError::from)?;
                Ok(())
            }
        }
    }
}
