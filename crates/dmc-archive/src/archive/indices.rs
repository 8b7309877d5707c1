//! From accepted releases to package indices.

use super::patches::Patchwork;
use super::{Archive, on_processor};
use crate::error::ArchiveError;
use crate::index::{
    IndexChoice, IndexError, Link, PackageIndex, Packages, Part, Pocket, choices, compile_stored,
    compiled, index_name, is_compiled,
};
use crate::mirror;
use crate::release::AcceptedRelease;
use crate::store::Shelf;
use crate::transport::{FetchCause, FetchError, Wanted};
use dmc_deb::release::IndexFile;
use dmc_types::{Arch, Checksum, Sha256};
use futures::future::try_join_all;
use reqwest::Url;
use sha2::Digest;
use std::sync::Arc;
use tracing::Instrument as _;

impl Archive {
    /// The packages of an architecture: every pocket's index, fetched and compiled where the
    /// store does not have it.
    pub async fn index(&self, arch: Arch) -> Result<Arc<Packages>, ArchiveError> {
        let cell = self.indices.cell(arch);
        let span = tracing::trace_span!(target: "dmc_trace", "index", of = %arch);
        cell.get_or_try_init(|| self.merge(arch).instrument(span)).await.cloned()
    }

    /// Whether every index of an architecture is compiled already: by its name alone, as what it
    /// holds is checked by whoever opens it.
    pub async fn has_index(&self, arch: Arch) -> Result<bool, ArchiveError> {
        let releases = self.releases().await?.iter().filter(|accepted| accepted.is_for(arch));
        let mut parts = releases.flat_map(|accepted| {
            accepted.components.iter().map(move |component| (accepted, component))
        });
        Ok(parts.all(|(accepted, component)| {
            let choices = choices(&accepted.release, component, arch, Link::Fast);
            is_compiled(&self.store, &choices)
        }))
    }

    /// Removes a compiled index that turned out to be damaged while it was searched, so that it is
    /// made anew when it is next asked for. Says whether the error was of that kind and the file
    /// is gone now.
    pub fn repair_index(&self, arch: Arch, error: &ArchiveError) -> bool {
        let ArchiveError::Index(IndexError::Damaged { path, why }) = error else { return false };
        let Some(name) = path.file_name() else { return false };
        let there = self.store.exists(Shelf::Compiled, name);
        self.store.discard(Shelf::Compiled, name, why);
        self.indices.forget(&arch);
        there && !self.store.exists(Shelf::Compiled, name)
    }

    async fn merge(&self, arch: Arch) -> Result<Arc<Packages>, ArchiveError> {
        let releases = self.releases().await?.iter();
        let read = releases.filter(|accepted| accepted.is_for(arch));
        let parts = read.flat_map(|accepted| {
            accepted.components.iter().map(move |component| self.part(accepted, component, arch))
        });
        let parts = try_join_all(parts.collect::<Vec<_>>()).await?;
        Ok(Arc::new(Packages::new(arch, parts)))
    }

    async fn part(
        &self,
        accepted: &AcceptedRelease,
        component: &str,
        arch: Arch,
    ) -> Result<Part, ArchiveError> {
        let link = self.link(&accepted.mirror.url)?;
        let choices = choices(&accepted.release, component, arch, link);
        if choices.is_empty() {
            return Err(missing(accepted, component, arch).into());
        }
        let index = match compiled(&self.store, &choices)? {
            Some(index) => index,
            None => self.make(accepted, component, choices, arch).await?,
        };
        Ok(Part { pocket: Arc::new(accepted.pocket(component)), index })
    }

    async fn make(
        &self,
        accepted: &AcceptedRelease,
        component: &str,
        choices: Vec<IndexChoice>,
        arch: Arch,
    ) -> Result<PackageIndex, ArchiveError> {
        if self.store.is_read_only() {
            return Err(IndexError::NotStored { suite: accepted.suite.clone(), arch }.into());
        }
        for choice in &choices {
            let Some(digest) = self.store.key(&choice.file.checksum)? else { continue };
            if self.store.verified(Shelf::Indices, &index_name(&digest), &digest)?.is_some() {
                return self.compile(digest, choice.clone()).await;
            }
        }
        let patchwork = Patchwork { accepted, component, arch, choices: &choices };
        let (digest, choice) = if let Some(patched) = self.patched(&patchwork).await {
            patched
        } else {
            let fetch = async || self.fetch_one_of(accepted, &choices, arch).await;
            self.transport.through_an_update(FetchError::may_fall_in_step, fetch).await?
        };
        let index = self.compile(digest, choice.clone()).await?;
        self.remember_text(&patchwork, digest, choice.form)?;
        Ok(index)
    }

    /// The first whole index that the mirror has.
    async fn fetch_one_of(
        &self,
        accepted: &AcceptedRelease,
        choices: &[IndexChoice],
        arch: Arch,
    ) -> Result<(Sha256, IndexChoice), ArchiveError> {
        let mut last = None;
        for choice in choices {
            match self.fetch_listed(accepted, &choice.path, &choice.file).await {
                Ok(digest) => return Ok((digest, choice.clone())),
                Err(ArchiveError::Fetch(error)) if error.cause.is_absent() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        match last {
            Some(error) => Err(error.into()),
            None => Err(IndexError::NotStored { suite: accepted.suite.clone(), arch }.into()),
        }
    }

    async fn compile(
        &self,
        digest: Sha256,
        choice: IndexChoice,
    ) -> Result<PackageIndex, ArchiveError> {
        let store = self.store.clone();
        let work = move || compile_stored(&store, &digest, &choice);
        Ok(on_processor("compiling an index", work).await??)
    }

    /// Fetches a file that a release lists into the store: by its digest, where the archive has
    /// such paths, else by its name.
    pub(super) async fn fetch_listed(
        &self,
        accepted: &AcceptedRelease,
        path: &str,
        file: &IndexFile,
    ) -> Result<Sha256, ArchiveError> {
        let base = mirror::below(&accepted.mirror.url, &format!("dists/{}", accepted.suite));
        if accepted.release.acquire_by_hash() {
            let hashed = mirror::below(&base, &by_hash(path, &file.checksum));
            match self.fetch_index(hashed, file).await {
                Err(ArchiveError::Fetch(FetchError { cause: FetchCause::NotFound, .. })) => {}
                other => return other,
            }
        }
        self.fetch_index(mirror::below(&base, path), file).await
    }

    async fn fetch_index(&self, url: Url, file: &IndexFile) -> Result<Sha256, ArchiveError> {
        let wanted = Wanted { url, size: file.size, checksum: file.checksum };
        let digest =
            self.transport.to_store(&wanted, &self.store, Shelf::Indices, index_name).await?;
        self.store.put_alias(&wanted.checksum, &digest)?;
        self.remember_speed(&wanted.url, wanted.size)?;
        Ok(digest)
    }

    fn link(&self, url: &Url) -> Result<Link, ArchiveError> {
        if url.scheme() == "file" {
            return Ok(Link::Fast);
        }
        Ok(Link::of_speed(self.speed(url)?))
    }

    /// Bytes a second from this address's host, as far as this run or one before has seen.
    pub(super) fn speed(&self, url: &Url) -> Result<Option<u64>, ArchiveError> {
        let seen = self.transport.speed(url);
        let kept = self.store.record(&speed_key(url))?;
        let kept = kept.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        Ok(seen.max(kept))
    }

    /// Long transfers tell the speed of a link better than short ones: later runs know it.
    fn remember_speed(&self, url: &Url, size: u64) -> Result<(), ArchiveError> {
        const TELLING: u64 = 1 << 20;
        match self.transport.speed(url) {
            Some(speed) if size >= TELLING && url.scheme() != "file" => {
                Ok(self.store.put_record(&speed_key(url), &speed.to_le_bytes())?)
            }
            _ => Ok(()),
        }
    }
}

impl AcceptedRelease {
    pub(super) fn is_for(&self, arch: Arch) -> bool {
        self.archs.as_ref().is_none_or(|archs| archs.contains(&arch))
    }

    fn pocket(&self, component: &str) -> Pocket {
        Pocket {
            owner: self.owner.clone(),
            url: self.mirror.url.clone(),
            suite: self.suite.clone(),
            component: component.to_owned(),
            in_release: self.release.digest(),
            signer: self.release.signer().to_owned(),
        }
    }
}

/// Why a release lists no index: of this architecture, or of this component.
fn missing(accepted: &AcceptedRelease, component: &str, arch: Arch) -> IndexError {
    let suite = accepted.suite.clone();
    let archs: Vec<String> = accepted.release.architectures().map(str::to_owned).collect();
    if archs.iter().any(|name| name == arch.name()) {
        let has = accepted.release.components().map(str::to_owned).collect();
        return IndexError::NoComponent { suite, component: component.to_owned(), arch, has };
    }
    IndexError::NoArch { suite, arch, has: archs }
}

/// Where a file lies by its digest: beside its name.
pub(super) fn by_hash(path: &str, checksum: &Checksum) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _name)| folder);
    match checksum {
        Checksum::Sha256(digest) => format!("{folder}/by-hash/SHA256/{digest}"),
        Checksum::Sha512(digest) => format!("{folder}/by-hash/SHA512/{digest}"),
    }
}

fn speed_key(url: &Url) -> Sha256 {
    let text = format!("speed of {}", url.authority());
    Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into())
}
