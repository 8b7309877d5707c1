//! Every blob of a layout, read again and compared with its name.

use super::artifacts::is_artifact;
use super::garbage::{is_document, links};
use super::refs::ref_name;
use super::{Layout, LayoutError};
use crate::oci::{Descriptor, media_type};
use crate::sha256::Digesting;
use dmc_types::Sha256;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;

/// What was looked at, and what of it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// How many blobs there are.
    pub blobs: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// The blobs that are not what they should be.
    pub unsound: BTreeMap<Sha256, Unsound>,
    /// Whatever the names lead to: the names of each blob, as `NAME:TAG`.
    pub named: BTreeMap<Sha256, BTreeSet<String>>,
    /// The manifests of images among these.
    pub images: BTreeSet<Sha256>,
    /// Documents about images, and all that they are made of.
    pub documents: BTreeSet<Sha256>,
}

/// What is wrong with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsound {
    /// Its bytes are not what its name says.
    Damaged,
    /// Something leads to it and it is not there.
    Missing,
}

impl Unsound {
    /// What is wrong, in words that follow its name.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Damaged => "its digest is wrong",
            Self::Missing => "it is missing",
        }
    }
}

impl Layout {
    /// Reads every blob, on rayon's threads, and follows every name. Changes nothing.
    ///
    /// # Errors
    /// An `index.json` that cannot be read: nothing says then which images there were.
    pub fn check(&self) -> Result<Checked, LayoutError> {
        let _lock = self.lock_shared()?;
        let entries = self.read_index()?.manifests.clone();
        let mut checked = Checked::default();
        for (digest, length, sound) in self.read_all()? {
            checked.blobs += 1;
            checked.bytes += length;
            if !sound {
                checked.unsound.insert(digest, Unsound::Damaged);
            }
        }
        let (artifacts, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_artifact);
        for name in others {
            let text = ref_name(&name).unwrap_or_default().to_owned();
            self.trace(name, &text, &mut checked);
        }
        let all: BTreeSet<String> = checked.named.values().flatten().cloned().collect();
        for artifact in artifacts {
            let about = self.artifact(&artifact).ok().flatten().and_then(|it| it.subject);
            // A document goes by the names of what it is about; one that cannot be read may be
            // about anything.
            let names = match about {
                Some(about) => checked.named.get(&about.digest).cloned().unwrap_or_default(),
                None => all.clone(),
            };
            for name in if names.is_empty() { [String::new()].into() } else { names } {
                self.trace(artifact.clone(), &name, &mut checked);
            }
            checked.documents.insert(artifact.digest);
            if let Ok(bytes) = self.read_blob(&artifact)
                && let Ok(found) = links(&bytes)
            {
                checked.documents.extend(found.map(|it| it.digest));
            }
        }
        Ok(checked)
    }

    /// Removes a blob that is damaged, so that it is written again.
    pub fn remove_blob(&self, digest: &Sha256) -> Result<(), LayoutError> {
        let _lock = self.lock()?;
        let path = self.blob_path(digest);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(LayoutError::io("remove", &path, e))
            }
            _ => Ok(()),
        }
    }

    /// Each blob with its length, and whether it is what its name says.
    fn read_all(&self) -> Result<Vec<(Sha256, u64, bool)>, LayoutError> {
        let folder = self.root.join("blobs/sha256");
        let listing = folder.read_dir_utf8().map_err(|e| LayoutError::io("read", &folder, e))?;
        let digests = listing.flatten().filter_map(|item| item.file_name().parse().ok());
        let read = |digest: Sha256| {
            let path = self.blob_path(&digest);
            let mut taken = Digesting::new(io::sink());
            let copied = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut taken));
            match copied {
                Ok(_) => {
                    let (found, length) = taken.finish();
                    Ok(Some((digest, length, found == digest)))
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(LayoutError::io("read", &path, e)),
            }
        };
        let digests: Vec<Sha256> = digests.collect();
        digests.into_par_iter().filter_map(|digest| read(digest).transpose()).collect()
    }

    fn trace(&self, from: Descriptor, name: &str, checked: &mut Checked) {
        let mut ahead = vec![from];
        while let Some(descriptor) = ahead.pop() {
            let artifact = descriptor.artifact_type().is_some();
            if descriptor.media_type == media_type::MANIFEST && !artifact {
                checked.images.insert(descriptor.digest);
            }
            let names = checked.named.entry(descriptor.digest).or_default();
            if !names.insert(name.to_owned()) || checked.unsound.contains_key(&descriptor.digest) {
                continue;
            }
            if !self.has_blob(&descriptor.digest, descriptor.size) {
                checked.unsound.insert(descriptor.digest, Unsound::Missing);
            } else if is_document(&descriptor.media_type)
                && let Ok(bytes) = self.read_blob(&descriptor)
                && let Ok(found) = links(&bytes)
            {
                ahead.extend(found);
            }
        }
    }
}
