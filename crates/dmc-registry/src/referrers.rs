//! What is attached to an image: its referrers.
//!
//! A registry that says `OCI-Subject` when it takes an artifact lists it by itself. For others the
//! list is an index under the tag `sha256-HEX` that whoever attaches keeps (OCI distribution
//! specification 1.1, "Referrers Tag Schema"): entries of others stay, and as nothing keeps two
//! writers apart, it is read again after it was written.

use crate::client::Ask;
use crate::error::{Cause, RegistryError};
use crate::manifests::{DOCUMENT_LIMIT, next_page};
use crate::{Reference, Registry, Repository, Source, Tag};
use dmc_image::oci::{Annotations, Artifact, Descriptor, EMPTY, EMPTY_JSON, Index, media_type};
use dmc_types::Sha256;
use reqwest::Method;

/// How often a list that others write too is written.
const ATTEMPTS: usize = 8;

/// Most pages that are read of a list.
const PAGES: usize = 1_000;

impl Registry {
    /// The artifacts about a manifest or index, of one kind or of all.
    pub async fn referrers(
        &self,
        repository: &Repository,
        subject: &Sha256,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let found = match self.listed(repository, subject).await? {
            Some(found) => found,
            None => self.tagged(repository, subject).await?.manifests,
        };
        let wanted =
            |one: &Descriptor| artifact_type.is_none_or(|a| one.artifact_type() == Some(a));
        Ok(found.into_iter().filter(wanted).collect())
    }

    /// Pushes an artifact and its document; the registry lists it among its subject's referrers
    /// afterwards. The subject need not be there yet.
    pub async fn attach(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        document: &[u8],
    ) -> Result<Descriptor, RegistryError> {
        let empty = Descriptor::of(EMPTY, EMPTY_JSON);
        self.put_blob(repository, &empty, Source::Bytes(EMPTY_JSON)).await?;
        for layer in &artifact.layers {
            self.put_blob(repository, layer, Source::Bytes(document)).await?;
        }
        let descriptor = artifact.descriptor();
        let reference = Reference::Digest(descriptor.digest);
        let bytes = artifact.to_json();
        let (_, listed) = self.put(repository, &reference, media_type::MANIFEST, &bytes).await?;
        if let Some(subject) = artifact.subject.as_ref().filter(|_| !listed) {
            self.list(repository, &subject.digest, &descriptor).await?;
        }
        Ok(descriptor)
    }

    /// The registry's own list; none where it keeps none.
    async fn listed(
        &self,
        repository: &Repository,
        subject: &Sha256,
    ) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let what = format!("list what is attached to {repository}@sha256:{subject}");
        let failed = |cause| RegistryError::new(repository.host(), &what, 1, cause);
        let path = format!("referrers/sha256:{subject}");
        let mut next = Some(self.url(repository, &path).map_err(failed)?);
        let (mut found, mut left) = (Vec::new(), DOCUMENT_LIMIT);
        for _ in 0..PAGES {
            let Some(url) = next else { break };
            let ask = Ask::new(repository, Method::GET, url);
            let Some((headers, bytes)) = self.read(&what, &ask, left).await? else {
                return Ok(None);
            };
            left = left.saturating_sub(bytes.len() as u64);
            next = next_page(&ask.url, &headers);
            let page: Index =
                serde_json::from_slice(&bytes).map_err(|error| failed(Cause::Json(error)))?;
            found.extend(page.manifests);
        }
        Ok(Some(found))
    }

    /// The list under the tag, empty where there is none.
    async fn tagged(
        &self,
        repository: &Repository,
        subject: &Sha256,
    ) -> Result<Index, RegistryError> {
        let tag = fallback(repository, subject)?;
        let Some((_, bytes)) = self.manifest(repository, &tag).await? else {
            return Ok(Index::new(Vec::new(), Annotations::new()));
        };
        serde_json::from_slice(&bytes).map_err(|error| {
            let what = format!("read {}", tag.behind(repository));
            RegistryError::new(repository.host(), &what, 1, Cause::Json(error))
        })
    }

    /// Enters an artifact into the list under the tag, until it stands there.
    async fn list(
        &self,
        repository: &Repository,
        subject: &Sha256,
        artifact: &Descriptor,
    ) -> Result<(), RegistryError> {
        let tag = fallback(repository, subject)?;
        let mut pauses = crate::pace::pauses(self.options());
        for _ in 0..ATTEMPTS {
            let mut list = self.tagged(repository, subject).await?;
            if list.manifests.iter().any(|entry| entry.digest == artifact.digest) {
                return Ok(());
            }
            list.manifests.push(artifact.clone());
            self.put_manifest(repository, &tag, media_type::INDEX, &list.to_json()).await?;
            let list = self.tagged(repository, subject).await?;
            if list.manifests.iter().any(|entry| entry.digest == artifact.digest) {
                return Ok(());
            }
            // Another one wrote between reading and writing.
            tokio::time::sleep(pauses.next().unwrap_or_default()).await;
        }
        let what = format!("attach sha256:{} to sha256:{subject} in {repository}", artifact.digest);
        Err(RegistryError::new(repository.host(), &what, 1, Cause::Contended(tag.to_string())))
    }
}

/// The tag with the list of what is attached to a manifest or index.
fn fallback(repository: &Repository, subject: &Sha256) -> Result<Reference, RegistryError> {
    let text = format!("sha256-{subject}");
    let tag: Result<Tag, _> = text.parse();
    tag.map(Reference::Tag).map_err(|_never| {
        RegistryError::new(repository.host(), &text, 0, Cause::Answer("is no tag"))
    })
}
