//! Removal of blobs that nothing refers to.
//!
//! Names keep what they lead to. A document about an image is kept as long as its subject is, and
//! goes from `index.json` with it.

use super::artifacts::is_artifact;
use super::{DOCUMENT_LIMIT, Layout, LayoutError, TEMPORARY, read_bounded};
use crate::oci::Descriptor;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_types::Sha256;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many files.
    pub files: u64,
    /// Their length in bytes.
    pub bytes: u64,
}

/// Whatever an index or a manifest refers to.
#[derive(Deserialize)]
struct Links {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    blobs: Vec<Descriptor>,
    config: Option<Descriptor>,
}

/// What is kept, and which documents have lost what they are about.
struct Kept {
    blobs: BTreeSet<Sha256>,
    orphans: BTreeSet<Sha256>,
}

impl Layout {
    /// Removes blobs that no name leads to, documents about images that are gone, what is kept of
    /// either in the folder `beside` (`HEX.….json`), and temporary files of interrupted runs,
    /// unless they are younger than `spare`: another dmc may be about to name them.
    ///
    /// # Errors
    /// An index or manifest that is named but cannot be read stops it before anything is removed.
    pub fn collect_garbage(&self, beside: &str, spare: Duration) -> Result<Collected, LayoutError> {
        let _lock = self.lock()?;
        let kept = self.kept(spare)?;
        let garbage = self.find_garbage(&kept, beside, spare)?;
        if !kept.orphans.is_empty() {
            // First the list, so that it never speaks of what is gone.
            self.change_index(|entries| {
                entries.retain(|it| !is_artifact(it) || !kept.orphans.contains(&it.digest));
            })?;
        }
        remove(garbage)
    }

    /// What [`Layout::collect_garbage`] would remove now: path and length of each file.
    pub fn garbage(
        &self,
        beside: &str,
        spare: Duration,
    ) -> Result<Vec<(Utf8PathBuf, u64)>, LayoutError> {
        let _lock = self.lock_shared()?;
        self.find_garbage(&self.kept(spare)?, beside, spare)
    }

    /// The caller holds the lock.
    fn find_garbage(
        &self,
        kept: &Kept,
        beside: &str,
        spare: Duration,
    ) -> Result<Vec<(Utf8PathBuf, u64)>, LayoutError> {
        let gone =
            |name: &str| name.parse::<Sha256>().is_ok_and(|digest| !kept.blobs.contains(&digest));
        let of_gone = |name: &str| name.split('.').next().is_some_and(gone);
        let mut found = old_files(&self.root.join("blobs/sha256"), spare, gone)?;
        found.extend(old_files(&self.root.join(beside), spare, of_gone)?);
        found.extend(old_files(&self.root, spare, |name| name.starts_with(TEMPORARY))?);
        Ok(found)
    }

    /// Removes temporary files of interrupted runs alone, in the layout's folder and in `beside`
    /// below it, unless they are younger than `spare`.
    pub fn sweep(&self, beside: &str, spare: Duration) -> Result<Collected, LayoutError> {
        let unfinished = |name: &str| name.starts_with(TEMPORARY);
        let mut found = old_files(&self.root, spare, unfinished)?;
        found.extend(old_files(&self.root.join(beside), spare, unfinished)?);
        remove(found)
    }

    /// Every blob that a name leads to, and the documents about these or about images so young
    /// that another dmc may be about to name them. The caller holds the lock.
    fn kept(&self, spare: Duration) -> Result<Kept, LayoutError> {
        let (artifacts, named): (Vec<_>, Vec<_>) =
            self.read_index()?.manifests.iter().cloned().partition(is_artifact);
        let mut kept = Kept { blobs: BTreeSet::new(), orphans: BTreeSet::new() };
        self.follow(named, &mut kept.blobs)?;
        let mut open = Vec::new();
        for artifact in artifacts {
            match self.artifact(&artifact)? {
                Some(read) => open.push((artifact, read.subject.map(|about| about.digest))),
                None => drop(kept.orphans.insert(artifact.digest)),
            }
        }
        let young = |subject: &Sha256| is_younger(&self.blob_path(subject), spare);
        // A document may be about another document.
        loop {
            let stays = |subject: &Option<Sha256>| {
                subject.is_none_or(|subject| kept.blobs.contains(&subject) || young(&subject))
            };
            let (alive, rest): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|(_, subject)| stays(subject));
            open = rest;
            if alive.is_empty() {
                break;
            }
            self.follow(alive.into_iter().map(|(it, _)| it).collect(), &mut kept.blobs)?;
        }
        kept.orphans.extend(open.into_iter().map(|(it, _)| it.digest));
        Ok(kept)
    }

    /// Adds every blob that these lead to. Blobs that are missing lead nowhere; of the others,
    /// those that are JSON documents are followed.
    fn follow(
        &self,
        mut ahead: Vec<Descriptor>,
        reached: &mut BTreeSet<Sha256>,
    ) -> Result<(), LayoutError> {
        while let Some(descriptor) = ahead.pop() {
            if !reached.insert(descriptor.digest) || !is_document(&descriptor.media_type) {
                continue;
            }
            let path = self.blob_path(&descriptor.digest);
            let Some(bytes) = read_bounded(&path, DOCUMENT_LIMIT)? else { continue };
            ahead.extend(links(&bytes).map_err(|source| LayoutError::Json { path, source })?);
        }
        Ok(())
    }
}

/// Whatever a document refers to, but what it is about.
pub(super) fn links(bytes: &[u8]) -> Result<impl Iterator<Item = Descriptor>, serde_json::Error> {
    let links: Links = serde_json::from_slice(bytes)?;
    let many = [links.manifests, links.layers, links.blobs].into_iter().flatten();
    Ok(many.chain(links.config))
}

/// Indices and manifests of OCI and of Docker, whose layers may lie here too.
pub(super) fn is_document(media_type: &str) -> bool {
    [".index.v1+json", ".manifest.v1+json", ".manifest.v2+json", ".manifest.list.v2+json"]
        .iter()
        .any(|end| media_type.ends_with(end))
}

fn limit(spare: Duration) -> SystemTime {
    SystemTime::now().checked_sub(spare).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn is_younger(path: &Utf8Path, spare: Duration) -> bool {
    path.metadata().and_then(|data| data.modified()).is_ok_and(|time| time > limit(spare))
}

/// The unwanted files of a folder that are older than `spare`, with their lengths. A folder that
/// is not there, or is a link to elsewhere, has none.
fn old_files(
    folder: &Utf8Path,
    spare: Duration,
    unwanted: impl Fn(&str) -> bool,
) -> Result<Vec<(Utf8PathBuf, u64)>, LayoutError> {
    let mut found = Vec::new();
    if folder.symlink_metadata().is_ok_and(|data| !data.is_dir()) || !folder.exists() {
        return Ok(found);
    }
    for item in folder.read_dir_utf8().map_err(|e| LayoutError::io("read", folder, e))? {
        let item = item.map_err(|e| LayoutError::io("read", folder, e))?;
        if !unwanted(item.file_name()) {
            continue;
        }
        // A temporary file may be renamed meanwhile.
        let Ok(data) = item.metadata() else { continue };
        let old = data.modified().is_ok_and(|time| time <= limit(spare));
        if old && data.is_file() {
            found.push((item.into_path(), data.len()));
        }
    }
    Ok(found)
}

fn remove(files: Vec<(Utf8PathBuf, u64)>) -> Result<Collected, LayoutError> {
    let mut collected = Collected::default();
    for (path, length) in files {
        match fs::remove_file(&path) {
            Ok(()) => {
                collected.files += 1;
                collected.bytes += length;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(LayoutError::io("remove", &path, e)),
        }
    }
    Ok(collected)
}
