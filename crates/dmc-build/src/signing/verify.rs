//! Whether trusted keys have signed what a registry holds.

use super::bundles::Bundles;
use super::error::SigningError;
use super::tagged::Tagged;
use crate::error::BuildError;
use crate::promote;
use crate::workshop::Workshop;
use dmc_image::oci::{Descriptor, Index};
use dmc_registry::{Reference, Repository, Tag};
use dmc_sign::{Statement, Verified, predicate};
use dmc_types::{Sha256, TemplateName};
use std::collections::BTreeSet;

/// Who has signed an image; one form of signature is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signers {
    /// Fingerprints of the keys whose signatures lie under the tag.
    pub tagged: BTreeSet<Sha256>,
    /// Fingerprints of the keys whose statements are attached.
    pub attached: BTreeSet<Sha256>,
}

/// Who of the trusted has signed an index or manifest in a repository, under that repository's
/// name; nobody is an error.
pub(crate) async fn verify(
    workshop: &Workshop,
    repository: &Repository,
    subject: &Descriptor,
) -> Result<Signers, BuildError> {
    let trusted = workshop.trusted()?;
    if trusted.is_empty() {
        return Err(SigningError::NoTrusted.into());
    }
    let registry = workshop.registry()?;
    let mut refused = Vec::new();
    let tagged = Tagged { registry, repository, image: subject.digest };
    let tagged = tagged.verified(trusted, &mut refused).await?;
    let bundles = Bundles { registry, repository, subject };
    let attached = bundles.verified(predicate::SIGN, trusted, &mut refused).await?;
    let signers = Signers {
        tagged: tagged.iter().map(Verified::key).collect(),
        attached: attached.iter().map(Verified::key).collect(),
    };
    if signers == Signers::default() {
        let image = format!("{repository}@sha256:{}", subject.digest);
        return Err(SigningError::Unsigned { image, refused }.into());
    }
    Ok(signers)
}

/// A template's images in a registry, all of them signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRepository {
    /// `HOST[/NAMESPACE]/NAME`.
    pub repository: String,
    /// The images by their tags.
    pub images: Vec<CheckedImage>,
    /// The number of the promotion that says what is live, where anything is.
    pub live: Option<u64>,
}

/// An index that is signed, as all of its manifests are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedImage {
    /// The tag that means it.
    pub tag: String,
    /// The index.
    pub digest: Sha256,
    /// Who has signed the index.
    pub signers: Signers,
    /// How many manifests it has.
    pub manifests: usize,
}

/// Looks who has signed the newest and the live image of a template, their indices and all
/// manifests, and whether what is live is older than what was accepted before.
pub(crate) async fn check_repository(
    workshop: &Workshop,
    template: &TemplateName,
) -> Result<CheckedRepository, BuildError> {
    let repository = workshop.repository(template)?;
    let live_tag = promote::live_tag(workshop, template);
    let newest = workshop.latest(template);
    let newest = newest.split_once(':').map_or("latest", |(_, tag)| tag);
    let (mut images, mut live) = (Vec::new(), None);
    for tag in [newest, &live_tag] {
        let Some(image) = check_tag(workshop, &repository, tag).await? else { continue };
        if tag == live_tag {
            live = Some(promote::live(workshop, template).await?.sequence);
        }
        images.push(image);
    }
    let repository = repository.to_string();
    if images.is_empty() {
        let tags = format!("{newest} and {live_tag}");
        return Err(SigningError::NothingThere { repository, tags }.into());
    }
    Ok(CheckedRepository { repository, images, live })
}

/// Verifies what a tag means and all that it names, where there is such a tag.
async fn check_tag(
    workshop: &Workshop,
    repository: &Repository,
    tag: &str,
) -> Result<Option<CheckedImage>, BuildError> {
    let registry = workshop.registry()?;
    let reference = Reference::Tag(tag.parse::<Tag>().map_err(SigningError::from)?);
    let found = registry.manifest(repository, &reference).await.map_err(SigningError::from)?;
    let Some((index, bytes)) = found else { return Ok(None) };
    let signers = verify(workshop, repository, &index).await?;
    let document: Index = serde_json::from_slice(&bytes)
        .map_err(|source| SigningError::Document { what: reference.behind(repository), source })?;
    for manifest in &document.manifests {
        let by_digest = Reference::Digest(manifest.digest);
        let there = registry.head(repository, &by_digest).await.map_err(SigningError::from)?;
        if there.is_none() {
            return Err(SigningError::Missing { image: by_digest.behind(repository) }.into());
        }
        verify(workshop, repository, manifest).await?;
    }
    let manifests = document.manifests.len();
    Ok(Some(CheckedImage { tag: tag.to_owned(), digest: index.digest, signers, manifests }))
}

/// What trusted keys say of an image, of one kind.
pub(crate) async fn statements(
    workshop: &Workshop,
    repository: &Repository,
    subject: &Descriptor,
    predicate_type: &str,
) -> Result<Vec<Verified<Statement>>, BuildError> {
    let bundles = Bundles { registry: workshop.registry()?, repository, subject };
    let mut refused = Vec::new();
    let trusted = workshop.trusted()?;
    let statements = bundles.verified(predicate_type, trusted, &mut refused).await?;
    for why in refused {
        let image = subject.digest;
        tracing::debug!("a statement about {repository}@sha256:{image} does not count: {why}");
    }
    Ok(statements)
}
