//! The last live image of each repository that this machine accepted.
//!
//! One small file for each repository and tag, in `live/` of the store: `clean` leaves it alone, as
//! it does the memory of releases. It counts up and never down; losing it loses the protection
//! against replays until the next time that a live image is accepted, and nothing else.

use super::error::PromoteError;
use super::live::Live;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_types::Sha256;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::fs;
use std::io;

/// The folder in the store.
const FOLDER: &str = "live";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Accepted {
    repository: String,
    tag: String,
    digest: String,
    sequence: u64,
}

/// Checks a live image against the last that was accepted, and remembers it where `store` can be
/// written to.
pub(crate) fn accept(store: &Utf8Path, live: &Live, writes: bool) -> Result<(), PromoteError> {
    let path = path(store, &live.repository, &live.tag);
    let last = read(&path)?;
    check(last.as_ref(), live)?;
    let now = Accepted {
        repository: live.repository.clone(),
        tag: live.tag.clone(),
        digest: live.index.digest.to_string(),
        sequence: live.sequence,
    };
    if !writes || last.as_ref() == Some(&now) {
        return Ok(());
    }
    write(&path, &now).map_err(|source| PromoteError::Memory { what: "write", path, source })
}

/// The last that was accepted: its index and its sequence.
pub(crate) fn last(
    store: &Utf8Path,
    repository: &str,
    tag: &str,
) -> Result<Option<(Sha256, u64)>, PromoteError> {
    let last = read(&path(store, repository, tag))?;
    Ok(last.and_then(|last| Some((last.digest.parse().ok()?, last.sequence))))
}

fn path(store: &Utf8Path, repository: &str, tag: &str) -> Utf8PathBuf {
    let name = sha2::Sha256::digest(format!("{repository} {tag}").as_bytes());
    let name = Sha256::from_bytes(name.into());
    store.join(FOLDER).join(format!("{name}.json"))
}

fn read(path: &Utf8Path) -> Result<Option<Accepted>, PromoteError> {
    let failed = |source| PromoteError::Memory { what: "read", path: path.to_owned(), source };
    match fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).map(Some).map_err(|error| failed(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(source)),
    }
}

fn check(last: Option<&Accepted>, live: &Live) -> Result<(), PromoteError> {
    let Some(last) = last else { return Ok(()) };
    let (repository, tag) = (live.repository.clone(), live.tag.clone());
    let (digest, sequence) = (live.index.digest, live.sequence);
    if sequence < last.sequence {
        let accepted = last.sequence;
        return Err(PromoteError::Replayed { repository, tag, digest, sequence, accepted });
    }
    match last.digest.parse::<Sha256>() {
        Ok(accepted) if sequence == last.sequence && accepted != digest => {
            Err(PromoteError::Forked { repository, tag, digest, sequence, accepted })
        }
        _ => Ok(()),
    }
}

fn write(path: &Utf8Path, what: &Accepted) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::with_prefix_in(".new-", folder)?;
    serde_json::to_writer(&mut file, what)?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmc_image::oci::{Descriptor, media_type};

    fn live(image: &str, sequence: u64) -> Live {
        Live {
            repository: "registry.example/nginx".to_owned(),
            tag: "live".to_owned(),
            index: Descriptor::of(media_type::INDEX, image.as_bytes()),
            sequence,
            signer: None,
            history: Vec::new(),
        }
    }

    #[test]
    fn no_sequence_is_accepted_that_is_lower_than_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let store = Utf8Path::from_path(folder.path()).unwrap();
        let accept = |live: &Live| accept(store, live, true);
        accept(&live("a", 3)).unwrap();
        accept(&live("a", 3)).unwrap();
        accept(&live("b", 5)).unwrap();
        let replayed = accept(&live("a", 3)).unwrap_err();
        assert!(
            matches!(replayed, PromoteError::Replayed { sequence: 3, accepted: 5, .. }),
            "{replayed}"
        );
        let forked = accept(&live("a", 5)).unwrap_err();
        assert!(matches!(forked, PromoteError::Forked { sequence: 5, .. }), "{forked}");
        assert!(replayed.hint().is_some() && forked.hint().is_some());
        // Another repository has another count.
        accept(&Live { repository: "registry.example/php".to_owned(), ..live("a", 1) }).unwrap();
        accept(&live("a", 6)).unwrap();
    }

    #[test]
    fn a_look_leaves_nothing_behind_and_a_damaged_memory_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Utf8Path::from_path(folder.path()).unwrap();
        accept(store, &live("a", 3), false).unwrap();
        assert!(!store.join(FOLDER).exists());
        accept(store, &live("a", 3), true).unwrap();
        fs::write(path(store, "registry.example/nginx", "live"), "{").unwrap();
        let error = accept(store, &live("a", 4), true).unwrap_err();
        assert!(matches!(error, PromoteError::Memory { what: "read", .. }), "{error}");
        assert!(error.hint().is_some());
    }
}
