//! Removal of blobs that nothing refers to.

use super::{DOCUMENT_LIMIT, Layout, LayoutError, TEMPORARY, read_bounded};
use crate::oci::Descriptor;
use camino::Utf8Path;
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
    subject: Option<Descriptor>,
}

impl Layout {
    /// Removes blobs that no name leads to, what is kept of them in the folder `beside`
    /// (`HEX.….json`), and temporary files of interrupted runs, unless they are younger than
    /// `spare`: another dmc may be about to name them.
    ///
    /// # Errors
    /// An index or manifest that is named but cannot be read stops it before anything is removed.
    pub fn collect_garbage(&self, beside: &str, spare: Duration) -> Result<Collected, LayoutError> {
        let _lock = self.lock()?;
        let reachable = self.reachable()?;
        let limit = SystemTime::now().checked_sub(spare).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut collected = Collected::default();
        let gone =
            |name: &str| name.parse::<Sha256>().is_ok_and(|digest| !reachable.contains(&digest));
        sweep(&self.root.join("blobs/sha256"), limit, &mut collected, gone)?;
        let beside = self.root.join(beside);
        if beside.is_dir() {
            let of_gone = |name: &str| name.split('.').next().is_some_and(gone);
            sweep(&beside, limit, &mut collected, of_gone)?;
        }
        sweep(&self.root, limit, &mut collected, |name| name.starts_with(TEMPORARY))?;
        Ok(collected)
    }

    /// Removes temporary files of interrupted runs alone, in the layout's folder and in `beside`
    /// below it, unless they are younger than `spare`.
    pub fn sweep(&self, beside: &str, spare: Duration) -> Result<Collected, LayoutError> {
        let limit = SystemTime::now().checked_sub(spare).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut collected = Collected::default();
        for folder in [self.root.clone(), self.root.join(beside)] {
            if folder.is_dir() {
                sweep(&folder, limit, &mut collected, |name| name.starts_with(TEMPORARY))?;
            }
        }
        Ok(collected)
    }

    /// Every blob that a name leads to. Blobs that are missing lead nowhere; of the others, those
    /// that are JSON documents are followed.
    fn reachable(&self) -> Result<BTreeSet<Sha256>, LayoutError> {
        let mut reached = BTreeSet::new();
        let mut ahead = self.read_index()?.manifests;
        while let Some(descriptor) = ahead.pop() {
            if !reached.insert(descriptor.digest) || !is_document(&descriptor.media_type) {
                continue;
            }
            let path = self.blob_path(&descriptor.digest);
            let Some(bytes) = read_bounded(&path, DOCUMENT_LIMIT)? else { continue };
            let links: Links = serde_json::from_slice(&bytes)
                .map_err(|source| LayoutError::Json { path, source })?;
            ahead.extend([links.manifests, links.layers, links.blobs].into_iter().flatten());
            ahead.extend([links.config, links.subject].into_iter().flatten());
        }
        Ok(reached)
    }
}

/// Indices and manifests of OCI and of Docker, whose layers may lie here too.
fn is_document(media_type: &str) -> bool {
    [".index.v1+json", ".manifest.v1+json", ".manifest.v2+json", ".manifest.list.v2+json"]
        .iter()
        .any(|end| media_type.ends_with(end))
}

fn sweep(
    folder: &Utf8Path,
    limit: SystemTime,
    collected: &mut Collected,
    unwanted: impl Fn(&str) -> bool,
) -> Result<(), LayoutError> {
    for item in folder.read_dir_utf8().map_err(|e| LayoutError::io("read", folder, e))? {
        let item = item.map_err(|e| LayoutError::io("read", folder, e))?;
        if !unwanted(item.file_name()) {
            continue;
        }
        // A temporary file may be renamed meanwhile.
        let Ok(found) = item.metadata() else { continue };
        let old = found.modified().is_ok_and(|time| time <= limit);
        if !old || !found.is_file() {
            continue;
        }
        match fs::remove_file(item.path()) {
            Ok(()) => {
                collected.files += 1;
                collected.bytes += found.len();
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(LayoutError::io("remove", item.path(), e)),
        }
    }
    Ok(())
}
