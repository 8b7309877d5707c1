//! Blobs: looked for, read and sent.
//!
//! What is read is checked against its descriptor while it comes, and goes on where a broken
//! connection left it (RFC 9110, section 14). What is sent goes in one request where it fits in a
//! chunk, else chunk by chunk; after a broken connection the registry is asked how far it came
//! (OCI distribution specification, "Pushing a blob in chunks"), and where it does not know the
//! upload any more, that begins anew.

use crate::client::{Ask, Content, location, network};
use crate::error::{Cause, RegistryError};
use crate::manifests::digest;
use crate::pace::pauses;
use crate::progress::TransferId;
use crate::{Registry, Repository, said};
use bytes::Bytes;
use camino::Utf8Path;
use dmc_image::oci::Descriptor;
use dmc_types::Sha256;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response, Url};
use sha2::Digest as _;
use std::io::{self, Write};
use std::sync::PoisonError;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// The largest chunk that a registry gets by asking for it: chunks are in memory.
const LARGEST_CHUNK: u64 = 64 << 20;

/// Where the bytes of a blob are.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// In memory.
    Bytes(&'a [u8]),
    /// In a file.
    File(&'a Utf8Path),
}

/// How a blob came to be in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It was there.
    There,
    /// The registry took it from another repository.
    Mounted,
    /// It was sent.
    Sent,
}

/// An upload on its way.
#[derive(Default)]
struct Upload {
    location: Option<Url>,
    offset: u64,
    /// The least that the registry wants at once.
    least: u64,
}

/// What is to be sent, and where.
struct Job<'a> {
    repository: &'a Repository,
    blob: &'a Descriptor,
    source: Source<'a>,
    id: TransferId,
}

impl Registry {
    /// Whether a blob is in a repository.
    pub async fn has_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, RegistryError> {
        let what = format!("look for blob sha256:{} in {repository}", blob.digest);
        let path = format!("blobs/sha256:{}", blob.digest);
        let url = self.url(repository, &path);
        let url = url.map_err(|cause| RegistryError::new(repository.host(), &what, 1, cause))?;
        let response = self.ask(&what, &Ask::new(repository, Method::HEAD, url)).await?;
        let there = response.status().as_u16() != 404;
        if there {
            self.note(repository, blob.digest);
        }
        Ok(there)
    }

    /// A blob of at most `limit` bytes, checked.
    pub async fn blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        if blob.size > limit {
            let what = format!("read blob sha256:{} of {repository}", blob.digest);
            return Err(RegistryError::new(repository.host(), &what, 0, Cause::TooLarge { limit }));
        }
        self.blob_to(repository, blob, &mut bytes).await?;
        Ok(bytes)
    }

    /// Passes a blob on while it comes. After an error, what was written is to be thrown away.
    pub async fn blob_to(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        out: &mut (dyn Write + Send),
    ) -> Result<(), RegistryError> {
        let what = format!("read blob sha256:{} of {repository}", blob.digest);
        let id = self.next_transfer();
        self.progress().started(id, repository.name(), blob.size);
        let mut reading = Reading { blob, out, hash: sha2::Sha256::new(), received: 0 };
        let (mut pauses, mut attempts) = (pauses(self.options()), 0);
        let done = loop {
            attempts += 1;
            let before = reading.received;
            let cause = match self.read_on(repository, &mut reading, id).await {
                Ok(()) => break Ok(()),
                Err(cause) => cause,
            };
            if reading.received > before {
                pauses = crate::pace::pauses(self.options());
            }
            let pause = pauses.next();
            if let Err(error) = self.pause(repository, &what, attempts, cause, pause).await {
                break Err(error);
            }
        };
        self.progress().finished(id, done.is_ok());
        done
    }

    async fn read_on(
        &self,
        repository: &Repository,
        reading: &mut Reading<'_>,
        id: TransferId,
    ) -> Result<(), Cause> {
        let url = self.url(repository, &format!("blobs/sha256:{}", reading.blob.digest))?;
        let mut ask = Ask::new(repository, Method::GET, url);
        if reading.received > 0 && reading.received == reading.blob.size {
            return reading.end();
        }
        if reading.received > 0 {
            let range = HeaderValue::from_str(&format!("bytes={}-", reading.received));
            ask.headers.extend(range.ok().map(|range| (RANGE, range)));
        }
        let mut response = self.once(&ask).await?;
        // What came before the connection broke is passed over where all comes again.
        let mut skip = match response.status().as_u16() {
            404 => return Err(Cause::NotThere),
            206 => 0,
            _ => reading.received,
        };
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
            skip -= passed as u64;
            let chunk = &chunk[passed..];
            reading.take(chunk)?;
            self.progress().advanced(id, chunk.len() as u64);
        }
        reading.end()
    }

    /// Brings a blob to a repository, unless it is there.
    pub async fn put_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        source: Source<'_>,
    ) -> Result<Placed, RegistryError> {
        if self.has_blob(repository, blob).await? {
            return Ok(Placed::There);
        }
        let what = format!("push blob sha256:{} to {repository}", blob.digest);
        let site = self.site(repository.host());
        let site = site.map_err(|cause| RegistryError::new(repository.host(), &what, 0, cause))?;
        let _turn = site.pace.upload().await;
        let id = self.next_transfer();
        self.progress().started(id, repository.name(), blob.size);
        let job = Job { repository, blob, source, id };
        let placed = self.send_all(&what, &job).await;
        self.progress().finished(id, placed.is_ok());
        let placed = placed?;
        self.note(repository, blob.digest);
        if placed == Placed::Sent {
            self.has_sent(blob.size);
        }
        Ok(placed)
    }

    async fn send_all(&self, what: &str, job: &Job<'_>) -> Result<Placed, RegistryError> {
        let (mut pauses, mut attempts) = (pauses(self.options()), 0);
        let (mut upload, mut furthest) = (Upload::default(), 0);
        loop {
            attempts += 1;
            let cause = match self.send_on(job, &mut upload).await {
                Ok(placed) => return Ok(placed),
                Err(cause) => cause,
            };
            let pause = pauses.next();
            self.pause(job.repository, what, attempts, cause, pause).await?;
            self.progress().restarted(job.id);
            upload = self.found_again(job, upload).await;
            if upload.offset > furthest {
                furthest = upload.offset;
                pauses = crate::pace::pauses(self.options());
            }
            self.progress().advanced(job.id, upload.offset);
        }
    }

    /// How far an upload came, by the registry's word; a new one where it does not say.
    async fn found_again(&self, job: &Job<'_>, upload: Upload) -> Upload {
        let Some(at) = upload.location else { return Upload::default() };
        let mut ask = Ask::new(job.repository, Method::GET, at.clone());
        ask.access = crate::client::Access::Push;
        let Ok(response) = self.once(&ask).await else { return Upload::default() };
        if response.status().as_u16() == 404 {
            return Upload::default();
        }
        let Some(offset) = received(response.headers()) else { return Upload::default() };
        if offset > job.blob.size {
            return Upload::default();
        }
        let location = location(&at, response.headers()).unwrap_or(at);
        Upload { location: Some(location), offset, least: upload.least }
    }

    async fn send_on(&self, job: &Job<'_>, upload: &mut Upload) -> Result<Placed, Cause> {
        if upload.location.is_none() {
            let response = self.begin(job).await?;
            if response.status().as_u16() == 201 {
                return Ok(Placed::Mounted);
            }
            let least = response.headers().get("oci-chunk-min-length");
            let least = least.and_then(|value| value.to_str().ok()?.parse().ok());
            upload.least = least.unwrap_or(0).min(LARGEST_CHUNK);
            upload.location = Some(self.moved(job, response.headers())?);
        }
        let size = job.blob.size;
        let chunk = (self.options().chunk as u64).max(upload.least).max(1);
        if upload.offset == 0 && size <= chunk {
            let bytes = job.read(0, size).await?;
            self.complete(job, upload, bytes).await?;
            return Ok(Placed::Sent);
        }
        while upload.offset < size {
            let bytes = job.read(upload.offset, chunk.min(size - upload.offset)).await?;
            self.send_chunk(job, upload, bytes).await?;
        }
        self.complete(job, upload, Bytes::new()).await?;
        Ok(Placed::Sent)
    }

    /// Begins an upload, or has the blob mounted from a repository that is known to have it.
    async fn begin(&self, job: &Job<'_>) -> Result<Response, Cause> {
        let mut url = self.url(job.repository, "blobs/uploads/")?;
        let holder = self.holder(job.repository, job.blob.digest);
        if let Some(holder) = &holder {
            url.query_pairs_mut()
                .append_pair("mount", &format!("sha256:{}", job.blob.digest))
                .append_pair("from", holder.name());
        }
        let mut ask = Ask::new(job.repository, Method::POST, url);
        ask.also = holder.as_ref();
        ask.content = Content::Whole(Bytes::new());
        let response = self.once(&ask).await?;
        match response.status().as_u16() {
            404 => Err(said::refusal(response).await),
            201 if holder.is_none() => Err(Cause::Answer("says that nothing needs to be sent")),
            _ => Ok(response),
        }
    }

    async fn send_chunk(
        &self,
        job: &Job<'_>,
        upload: &mut Upload,
        bytes: Bytes,
    ) -> Result<(), Cause> {
        let Some(url) = upload.location.clone() else { return Err(lost()) };
        let length = bytes.len() as u64;
        let range = format!("{}-{}", upload.offset, upload.offset + length - 1);
        let mut ask = Ask::new(job.repository, Method::PATCH, url);
        let range = HeaderValue::from_str(&range);
        ask.headers.extend(range.ok().map(|range| (CONTENT_RANGE, range)));
        ask.headers.insert(CONTENT_TYPE, OCTETS);
        ask.content = Content::Counted(bytes, job.id);
        let response = self.once(&ask).await?;
        if response.status().as_u16() == 404 {
            return Err(lost());
        }
        upload.location = Some(self.moved(job, response.headers())?);
        let wanted = upload.offset + length;
        upload.offset = received(response.headers()).unwrap_or(wanted);
        if upload.offset == wanted { Ok(()) } else { Err(lost()) }
    }

    async fn complete(&self, job: &Job<'_>, upload: &Upload, bytes: Bytes) -> Result<(), Cause> {
        let Some(mut url) = upload.location.clone() else { return Err(lost()) };
        url.query_pairs_mut().append_pair("digest", &format!("sha256:{}", job.blob.digest));
        let mut ask = Ask::new(job.repository, Method::PUT, url);
        ask.headers.insert(CONTENT_TYPE, OCTETS);
        ask.content = match bytes.len() {
            0 => Content::Whole(bytes),
            _ => Content::Counted(bytes, job.id),
        };
        let response = self.once(&ask).await?;
        if response.status().as_u16() == 404 {
            return Err(lost());
        }
        let expected = job.blob.digest;
        match digest(response.headers()).filter(|found| *found != expected) {
            Some(found) => Err(Cause::Digest { found, expected }),
            None => Ok(()),
        }
    }

    /// Where an upload goes on.
    fn moved(&self, job: &Job<'_>, headers: &HeaderMap) -> Result<Url, Cause> {
        location(&self.site(job.repository.host())?.base, headers)
    }

    /// Remembers who has a blob.
    fn note(&self, repository: &Repository, blob: Sha256) {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.entry((repository.host().clone(), blob)).or_insert_with(|| repository.clone());
    }

    /// Another repository of the same registry that has a blob.
    fn holder(&self, repository: &Repository, blob: Sha256) -> Option<Repository> {
        let holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = holders.get(&(repository.host().clone(), blob))?;
        (holder != repository).then(|| holder.clone())
    }
}

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

fn lost() -> Cause {
    Cause::UploadLost(crate::Said { status: 404, ..crate::Said::default() })
}

/// How many bytes an upload has, of `0-999`. `0-0` is also said of an empty one.
fn received(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RANGE)?.to_str().ok()?.trim();
    let last = text.trim_start_matches("bytes=").strip_prefix("0-")?;
    match last.parse::<u64>().ok()? {
        0 => Some(0),
        last => last.checked_add(1),
    }
}

impl Job<'_> {
    async fn read(&self, from: u64, length: u64) -> Result<Bytes, Cause> {
        match self.source {
            Source::Bytes(bytes) => {
                let part = usize::try_from(from).ok().zip(usize::try_from(length).ok());
                let part = part.and_then(|(from, length)| bytes.get(from..)?.get(..length));
                part.map(Bytes::copy_from_slice)
                    .ok_or(Cause::Short { received: bytes.len() as u64, expected: self.blob.size })
            }
            Source::File(path) => {
                let failed = |source| Cause::File { path: path.to_owned(), source };
                read_part(path, from, length).await.map_err(failed)
            }
        }
    }
}

async fn read_part(path: &Utf8Path, from: u64, length: u64) -> io::Result<Bytes> {
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(io::SeekFrom::Start(from)).await?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 == length {
        Ok(bytes.into())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// A blob that comes.
struct Reading<'a> {
    blob: &'a Descriptor,
    out: &'a mut (dyn Write + Send),
    hash: sha2::Sha256,
    received: u64,
}

impl Reading<'_> {
    fn take(&mut self, chunk: &[u8]) -> Result<(), Cause> {
        self.received += chunk.len() as u64;
        if self.received > self.blob.size {
            return Err(Cause::TooLarge { limit: self.blob.size });
        }
        self.hash.update(chunk);
        self.out.write_all(chunk).map_err(Cause::Write)
    }

    fn end(&self) -> Result<(), Cause> {
        let (received, expected) = (self.received, self.blob.size);
        if received < expected {
            return Err(Cause::Short { received, expected });
        }
        let found = Sha256::from_bytes(self.hash.clone().finalize().into());
        let expected = self.blob.digest;
        if found == expected { Ok(()) } else { Err(Cause::Digest { found, expected }) }
    }
}
