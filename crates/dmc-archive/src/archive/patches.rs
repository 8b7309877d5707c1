//! Indices by patches (`Packages.diff/`), in place of the whole.
//!
//! The store remembers of each suite, component and architecture which whole index it has. Where a
//! newer release lists an index of patches that leads on from that one, and they are sooner there
//! than the whole, they are fetched and applied. Everything is checked on the way: the index of
//! patches by the release, patches by their index, the result by the release. Whatever goes wrong,
//! the whole index is fetched instead.

use super::indices::by_hash;
use super::{Archive, on_processor};
use crate::error::ArchiveError;
use crate::index::{Base, Form, IndexChoice, PatchFailure, Transfer, patched};
use crate::mirror;
use crate::release::AcceptedRelease;
use dmc_deb::pdiff::{Known, PatchFile, PatchIndex};
use dmc_deb::release::IndexFile;
use dmc_types::{Arch, Checksum, Sha256};
use futures::future::try_join_all;
use sha2::Digest;

/// Most bytes of patches, unpacked, that are held at a time; a fortnight of sid has 5 MB.
const MOST: u64 = 64 << 20;
/// Largest index of patches; sid's has 64 kB.
const LARGEST_INDEX: u64 = 4 << 20;
/// Fewer patches than this are fetched side by side.
const SIDE_BY_SIDE: u64 = 4;

/// One index that is wanted.
pub(super) struct Patchwork<'a> {
    pub(super) accepted: &'a AcceptedRelease,
    pub(super) component: &'a str,
    pub(super) arch: Arch,
    /// The files that hold it whole, the one that would be fetched first.
    pub(super) choices: &'a [IndexChoice],
}

impl Patchwork<'_> {
    fn folder(&self) -> String {
        format!("{}/binary-{}/Packages.diff", self.component, self.arch)
    }

    /// The index of patches, where the release lists one.
    fn listed(&self) -> Option<(String, IndexFile)> {
        let path = format!("{}/Index", self.folder());
        let file = self.accepted.release.file(&path)?;
        (file.size <= LARGEST_INDEX).then_some((path, file))
    }

    /// The plain text that the release vouches for.
    fn plain(&self) -> Option<(&IndexChoice, Known)> {
        let choice = self.choices.iter().find(|choice| choice.form == Form::Plain)?;
        let Checksum::Sha256(sha256) = choice.file.checksum else { return None };
        Some((choice, Known { size: choice.file.size, sha256 }))
    }

    fn key(&self) -> Sha256 {
        let Self { accepted, component, arch, .. } = self;
        let text = format!("text of {:?} {} {component} {arch}", accepted.owner, accepted.suite);
        Sha256::from_bytes(sha2::Sha256::digest(text.as_bytes()).into())
    }
}

impl Archive {
    /// The index made from an older one of the store; none where that cannot be, or is not faster.
    pub(super) async fn patched(&self, work: &Patchwork<'_>) -> Option<(Sha256, IndexChoice)> {
        let done = self.try_patched(work).await;
        let suite = &work.accepted.suite;
        match done {
            Ok(found) => found,
            Err(error) => {
                tracing::info!(%suite, %error, "the index is fetched whole, as it cannot be patched");
                None
            }
        }
    }

    async fn try_patched(
        &self,
        work: &Patchwork<'_>,
    ) -> Result<Option<(Sha256, IndexChoice)>, PatchFailure> {
        let url = &work.accepted.mirror.url;
        let (Some((path, file)), Some((choice, wanted))) = (work.listed(), work.plain()) else {
            return Ok(None);
        };
        let (Some(base), false) = (self.text(work)?, self.transport.is_offline()) else {
            return Ok(None);
        };
        let speed = self.speed(url)?;
        let whole = Transfer { bytes: work.choices.first().map_or(0, |it| it.file.size), turns: 1 };
        let faster = |bytes, turns| Transfer { bytes, turns }.is_faster_than(whole, speed);
        if url.scheme() == "file" || !faster(file.size, 2) {
            return Ok(None);
        }
        let hashed = by_hash(&path, &file.checksum);
        let path = if work.accepted.release.acquire_by_hash() { hashed } else { path };
        let index = self.fetch_small(work, &path, &file, "the index of patches").await?;
        let index = PatchIndex::parse(&index)?;
        let Some(way) = index.way_from(&base.plain).filter(|_| index.current == wanted) else {
            return Ok(None);
        };
        let sum = |size: fn(&PatchFile) -> u64| way.iter().map(size).fold(0, u64::saturating_add);
        let turns = (way.len() as u64).div_ceil(SIDE_BY_SIDE);
        if sum(|patch| patch.plain.size) > MOST || !faster(sum(|patch| patch.packed.size), turns) {
            return Ok(None);
        }
        let patches = try_join_all(way.iter().map(|patch| self.fetch_patch(work, patch))).await?;
        let store = self.store.clone();
        let apply = move || patched(&store, &base, &patches, wanted);
        let digest = on_processor("patching an index", apply).await??;
        Ok(Some((digest, choice.clone())))
    }

    /// By its name alone: patches never change, and have no paths by digest.
    async fn fetch_patch(
        &self,
        work: &Patchwork<'_>,
        patch: &PatchFile,
    ) -> Result<(PatchFile, Vec<u8>), PatchFailure> {
        let name = format!("{}/{}", work.folder(), patch.file);
        let Known { size, sha256 } = patch.packed;
        let file = IndexFile { size, checksum: Checksum::Sha256(sha256) };
        Ok((patch.clone(), self.fetch_small(work, &name, &file, "a patch").await?))
    }

    /// A file that is not kept, of the size and the digest that are known.
    async fn fetch_small(
        &self,
        work: &Patchwork<'_>,
        path: &str,
        file: &IndexFile,
        what: &'static str,
    ) -> Result<Vec<u8>, PatchFailure> {
        let AcceptedRelease { mirror, suite, .. } = work.accepted;
        let base = mirror::below(&mirror.url, &format!("dists/{suite}"));
        let url = mirror::below(&base, path);
        let bytes = self.transport.to_memory(&url, file.size).await.map_err(ArchiveError::from)?;
        let right = match file.checksum {
            Checksum::Sha256(sha256) => Known::of(&bytes) == Known { size: file.size, sha256 },
            Checksum::Sha512(_) => false,
        };
        if right { Ok(bytes) } else { Err(PatchFailure::Wrong { what }) }
    }

    /// The whole index that the store has of an older release.
    fn text(&self, work: &Patchwork<'_>) -> Result<Option<Base>, ArchiveError> {
        let record = self.store.record(&work.key())?;
        Ok(record.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
    }

    /// Remembers which whole index the store has, where a later release may have patches to it.
    pub(super) fn remember_text(
        &self,
        work: &Patchwork<'_>,
        stored: Sha256,
        form: Form,
    ) -> Result<(), ArchiveError> {
        let (Some(_), Some((_, plain))) = (work.listed(), work.plain()) else { return Ok(()) };
        let base = Base { stored, form, plain: plain.sha256 };
        match postcard::to_stdvec(&base) {
            Ok(bytes) => Ok(self.store.put_record(&work.key(), &bytes)?),
            Err(_unreachable) => Ok(()),
        }
    }
}
