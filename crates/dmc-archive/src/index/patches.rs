//! An older index of the store, brought up to date by patches: whether that is sooner done than
//! fetching the whole, and the doing.

use super::fetch::{Form, index_name};
use crate::error::ArchiveError;
use crate::store::{Shelf, Store, StoreError};
use dmc_deb::pdiff::{Known, Patch, PatchError, PatchFile, Patched};
use dmc_types::Sha256;
use serde::{Deserialize, Serialize};
use sha2::Digest;
use std::io::{self, BufRead, BufReader, Read, Write};

/// Bytes of a text or of a patch that are held at a time.
const CHUNK: usize = 64 * 1024;

/// A whole index of the store that patches may be applied to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Base {
    /// The file's name on its shelf.
    pub(crate) stored: Sha256,
    /// What it is compressed with.
    pub(crate) form: Form,
    /// Digest of its plain text.
    pub(crate) plain: Sha256,
}

/// What has to come from a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) bytes: u64,
    /// How often something is asked for that depends on the answer before.
    pub(crate) turns: u64,
}

impl Transfer {
    /// How long a mirror takes to answer: that of a far one.
    const TURN: u64 = 100;
    /// Bytes a second of a link of which nothing is known.
    const UNKNOWN: u64 = 1_000_000;

    /// Whether this is sooner there than the other, at so many bytes a second.
    pub(crate) fn is_faster_than(self, other: Self, speed: Option<u64>) -> bool {
        let speed = speed.unwrap_or(Self::UNKNOWN).max(1);
        let millis = |it: Self| {
            let moving = it.bytes.saturating_mul(1000) / speed;
            moving.saturating_add(it.turns.saturating_mul(Self::TURN))
        };
        millis(self) < millis(other)
    }
}

/// Why an index was not patched. Never the end of a run: the whole index is fetched instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatchFailure {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Patch(#[from] PatchError),
    #[error("{what} cannot be read")]
    Read { what: &'static str, source: io::Error },
    #[error("{what} has not the size or the digest that is signed")]
    Wrong { what: &'static str },
    #[error("the older index vanished")]
    NoBase,
}

/// Applies compressed patches, in their order, to an older index, and puts what comes out into the
/// store, where it has the size and the digest that are wanted.
pub(crate) fn patched(
    store: &Store,
    base: &Base,
    way: &[(PatchFile, Vec<u8>)],
    wanted: Known,
) -> Result<Sha256, PatchFailure> {
    let patches = way.iter().map(|(file, packed)| unpacked(file, packed));
    let patches: Vec<Patch> = patches.collect::<Result<_, _>>()?;
    let name = index_name(&base.stored);
    let file = store.verified(Shelf::Indices, &name, &base.stored)?;
    let text = base.form.open(file.ok_or(PatchFailure::NoBase)?);
    let mut text: Box<dyn BufRead + '_> = Box::new(BufReader::with_capacity(CHUNK, text));
    for patch in &patches {
        text = Box::new(BufReader::with_capacity(CHUNK, Patched::new(text, patch)));
    }
    let mut new = store.start(Shelf::Indices)?;
    let folder = new.folder().to_owned();
    let (mut hash, mut left) = (sha2::Sha256::new(), wanted.size);
    loop {
        let what = "the patched index";
        let chunk = text.fill_buf().map_err(|source| PatchFailure::Read { what, source })?;
        let length = chunk.len();
        if length == 0 && left == 0 && digest(hash.clone()) == wanted.sha256 {
            break;
        }
        left = match left.checked_sub(length as u64) {
            Some(left) if length > 0 => left,
            _ => return Err(PatchFailure::Wrong { what }),
        };
        hash.update(chunk);
        new.file().write_all(chunk).map_err(|e| StoreError::io("write to", &folder, e))?;
        text.consume(length);
    }
    new.finish(&index_name(&wanted.sha256))?;
    Ok(wanted.sha256)
}

/// A patch as it was before it was compressed; it can be trusted as far as the index of patches.
fn unpacked(file: &PatchFile, packed: &[u8]) -> Result<Patch, PatchFailure> {
    let what = "a patch";
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(packed)
        .take(file.plain.size.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| PatchFailure::Read { what, source })?;
    if Known::of(&bytes) != file.plain {
        return Err(PatchFailure::Wrong { what });
    }
    Ok(Patch::parse(bytes)?)
}

fn digest(hash: sha2::Sha256) -> Sha256 {
    Sha256::from_bytes(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_taken_where_they_are_sooner_there() {
        const WHOLE: u64 = 10_000_000;
        for (why, patches, turns, whole, speed, wanted) in [
            ("little, on a slow link", 1_000_000, 3, WHOLE, Some(2_000_000), true),
            ("little, on an unknown link", 1_000_000, 3, WHOLE, None, true),
            ("little, on a fast link", 1_000_000, 3, WHOLE, Some(100_000_000), false),
            ("nearly all of it", 9_900_000, 3, WHOLE, Some(2_000_000), false),
            ("more than all of it", 11_000_000, 2, WHOLE, Some(2_000_000), false),
            ("of an index that is small anyway", 6_000, 2, 1_400, None, false),
            ("in many turns", 100_000, 60, 4_000_000, Some(1_000_000), false),
            ("on a link that moves nothing", 1, 2, 2, Some(0), true),
            ("absurd sizes", u64::MAX, u64::MAX, u64::MAX, Some(1), false),
        ] {
            let patches = Transfer { bytes: patches, turns };
            let whole = Transfer { bytes: whole, turns: 1 };
            assert_eq!(patches.is_faster_than(whole, speed), wanted, "{why}");
        }
    }
}
