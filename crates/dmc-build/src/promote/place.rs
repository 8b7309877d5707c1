//! Where images are promoted: the layout, or a repository of a registry.
//!
//! The same few things are asked of either: what a tag means, what is stated about an image, and
//! to make a tag mean another image.

use crate::error::BuildError;
use crate::signing::SigningError;
use crate::workshop::Workshop;
use dmc_image::layout::{Document, PREDICATE_TYPE, Reference};
use dmc_image::oci::{Annotations, Artifact, Descriptor};
use dmc_image::{Layout, RefName};
use dmc_sign::{Bundle, Statement};
use dmc_types::{Sha256, TemplateName};
use serde_json::Value;

/// The kind of artifact, and the media type, of a statement that nobody signed.
const UNSIGNED: &str = "application/vnd.in-toto+json";

/// Where an image of a template is promoted.
pub(crate) struct Place<'a> {
    workshop: &'a Workshop,
    template: TemplateName,
    /// `host[/namespace]/name`, as statements call it.
    pub(crate) repository: String,
    kind: Kind,
}

enum Kind {
    Layout(Layout),
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
        Ok(Self {
            workshop,
            template: template.clone(),
            repository: format!("localhost/{template}"),
            kind: Kind::Layout(workshop.layout()?),
        })
    }

    /// What a tag means.
    pub(crate) async fn resolve(&self, tag: &str) -> Result<Option<Descriptor>, BuildError> {
        match &self.kind {
            Kind::Layout(layout) => Ok(layout.resolve(&format!("{}:{tag}", self.template))?),
        }
    }

    /// The statements of one kind about an image that count: those signed by trusted keys; where
    /// no key is trusted, those that nobody signed.
    pub(crate) async fn stated(
        &self,
        index: &Descriptor,
        kind: &str,
    ) -> Result<Vec<Stated>, BuildError> {
        match &self.kind {
            Kind::Layout(layout) => self.in_layout(layout, index, kind),
        }
    }

    fn in_layout(
        &self,
        layout: &Layout,
        index: &Descriptor,
        kind: &str,
    ) -> Result<Vec<Stated>, BuildError> {
        let mut found = Vec::new();
        for entry in layout.referrers(&index.digest)? {
            if entry.annotations.get(PREDICATE_TYPE).is_none_or(|stated| stated != kind) {
                continue;
            }
            let artifact: Artifact = layout.read_document(&entry)?;
            let Some(document) = artifact.layers.first() else { continue };
            let bytes = layout.read_blob(document)?;
            found.extend(self.checked(&document.media_type, &bytes, &index.digest, kind)?);
        }
        Ok(found)
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
        let document = Document {
            artifact_type: media_type.to_owned(),
            media_type: media_type.to_owned(),
            bytes,
            annotations,
        };
        match &self.kind {
            Kind::Layout(layout) => drop(layout.attach(index, &[document])?),
        }
        Ok(())
    }

    /// Makes a tag mean an image.
    pub(crate) async fn tag(&self, tag: &str, index: &Descriptor) -> Result<(), BuildError> {
        match &self.kind {
            Kind::Layout(layout) => {
                let name = RefName::new(self.template.clone(), tag)?;
                let full = format!("localhost/{name}");
                // What is said of the image stands at its other names.
                Ok(layout.tag(index, &[Reference { name, full }])?)
            }
        }
    }
}
