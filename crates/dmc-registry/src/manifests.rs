//! Manifests and indices: as bytes, each with the digest that it has.

use crate::client::Ask;
use crate::error::{Cause, RegistryError};
use crate::{Reference, Registry, Repository, Tag, said};
use bytes::Bytes;
use dmc_image::oci::{Descriptor, media_type};
use dmc_types::Sha256;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use reqwest::{Method, Url};
use serde::Deserialize;

/// Most that is read of a manifest or index, and of all pages of a list.
pub(crate) const DOCUMENT_LIMIT: u64 = 16 << 20;

/// Most pages that are read of a list.
const PAGES: usize = 1_000;

/// What can be read: OCI's documents, and docker's for images of others.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

impl Registry {
    /// A manifest or index, if it is there, with the descriptor that its bytes give. Bytes that
    /// do not have the digest that was asked for are an error.
    pub async fn manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Option<(Descriptor, Vec<u8>)>, RegistryError> {
        let what = format!("read {}", reference.behind(repository));
        let failed = |cause| RegistryError::new(repository.host(), &what, 1, cause);
        let ask = self.about(repository, reference, Method::GET).map_err(failed)?;
        let Some((headers, bytes)) = self.read(&what, &ask, DOCUMENT_LIMIT).await? else {
            return Ok(None);
        };
        let found = Descriptor::of(&content_type(&headers), &bytes);
        match reference {
            Reference::Digest(expected) if found.digest != *expected => {
                Err(failed(Cause::Digest { found: found.digest, expected: *expected }))
            }
            _ => Ok(Some((found, bytes))),
        }
    }

    /// What a tag or digest means, if it is there, without reading it.
    pub async fn head(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Option<Descriptor>, RegistryError> {
        let what = format!("look for {}", reference.behind(repository));
        let failed = |cause| RegistryError::new(repository.host(), &what, 1, cause);
        let ask = self.about(repository, reference, Method::HEAD).map_err(failed)?;
        let response = self.ask(&what, &ask).await?;
        if response.status().as_u16() == 404 {
            return Ok(None);
        }
        let size = number(response.headers());
        match (digest(response.headers()), size, reference) {
            (Some(found), _, Reference::Digest(expected)) if found != *expected => {
                Err(failed(Cause::Digest { found, expected: *expected }))
            }
            (Some(found), Some(size), _) => {
                Ok(Some(Descriptor::new(&content_type(response.headers()), found, size)))
            }
            _ => Ok(self.manifest(repository, reference).await?.map(|(found, _)| found)),
        }
    }

    /// Puts a manifest or index there, under a digest or a tag: these very bytes.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Descriptor, RegistryError> {
        self.put(repository, reference, media_type, bytes).await.map(|(put, _)| put)
    }

    /// The same, saying also whether the registry has taken in the manifest's subject.
    pub(crate) async fn put(
        &self,
        repository: &Repository,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(Descriptor, bool), RegistryError> {
        let what = format!("push {}", reference.behind(repository));
        let failed = |cause| RegistryError::new(repository.host(), &what, 1, cause);
        let put = Descriptor::of(media_type, bytes);
        let mut ask = self.about(repository, reference, Method::PUT).map_err(failed)?;
        let kind = HeaderValue::from_str(media_type)
            .map_err(|_unfit| failed(Cause::Answer("cannot be given that media type")))?;
        ask.headers.insert(CONTENT_TYPE, kind);
        ask.content = crate::client::Content::Whole(Bytes::copy_from_slice(bytes));
        let response = self.ask(&what, &ask).await?;
        if response.status().as_u16() == 404 {
            return Err(failed(said::refusal(response).await));
        }
        self.has_sent(put.size);
        if let Some(found) = digest(response.headers()).filter(|found| *found != put.digest) {
            return Err(failed(Cause::Digest { found, expected: put.digest }));
        }
        Ok((put, response.headers().contains_key("oci-subject")))
    }

    /// All tags of a repository, in the registry's order; none where it has no such repository.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        let what = format!("list the tags of {repository}");
        let failed = |cause| RegistryError::new(repository.host(), &what, 1, cause);
        let mut next = Some(self.url(repository, "tags/list?n=1000").map_err(failed)?);
        let (mut tags, mut left) = (Vec::new(), DOCUMENT_LIMIT);
        for _ in 0..PAGES {
            let Some(url) = next else { break };
            let ask = Ask::new(repository, Method::GET, url);
            let Some((headers, bytes)) = self.read(&what, &ask, left).await? else {
                break;
            };
            left = left.saturating_sub(bytes.len() as u64);
            next = next_page(&ask.url, &headers);
            let list: TagList =
                serde_json::from_slice(&bytes).map_err(|error| failed(Cause::Json(error)))?;
            // What cannot be a tag cannot be asked for either.
            tags.extend(list.tags.into_iter().flatten().filter_map(|tag| tag.parse().ok()));
        }
        Ok(tags)
    }

    fn about<'a>(
        &self,
        repository: &'a Repository,
        reference: &Reference,
        method: Method,
    ) -> Result<Ask<'a>, Cause> {
        let url = self.url(repository, &format!("manifests/{reference}"))?;
        let mut ask = Ask::new(repository, method, url);
        if ask.method != Method::PUT {
            ask.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        }
        Ok(ask)
    }
}

/// What an answer says of its own type; a manifest where it says nothing.
fn content_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = text.and_then(|text| text.split(';').next()).unwrap_or(media_type::MANIFEST);
    kind.trim().chars().take(200).collect()
}

/// The digest that an answer names.
pub(crate) fn digest(headers: &HeaderMap) -> Option<Sha256> {
    let text = headers.get("docker-content-digest")?.to_str().ok()?;
    text.strip_prefix("sha256:")?.parse().ok()
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The next page of a list (RFC 8288), on the same registry.
pub(crate) fn next_page(at: &Url, headers: &HeaderMap) -> Option<Url> {
    let text = headers.get(LINK)?.to_str().ok()?;
    let (target, parameters) = text.trim().strip_prefix('<')?.split_once('>')?;
    let is_next =
        parameters.split(';').any(|one| matches!(one.trim(), "rel=\"next\"" | "rel=next"));
    at.join(target).ok().filter(|next| is_next && next.origin() == at.origin() && next != at)
}
