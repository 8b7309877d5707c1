//! One image as a single file that every engine loads.
//!
//! The tar is an OCI image layout and a docker archive at once: `oci-layout` and `index.json` for
//! those who read OCI, `manifest.json` naming the same blobs for `docker load`, which refuses a
//! plain layout. Written in one pass, in a fixed order, with fixed modes and times.

use crate::layout::{CONTAINERD_NAME, Layout, LayoutError, REF_NAME};
use crate::oci::{Annotations, Descriptor, Index, Manifest};
use crate::tar::{self, Header, Kind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The image could not be read.
    #[error("cannot read the image from its layout")]
    Layout(#[from] LayoutError),
    /// The archive's bytes could not be written.
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
}

impl ArchiveError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Layout(error) => error.hint(),
            Self::Write(_) => "check the engine that reads the archive, or the free space",
        }
    }
}

/// An entry of docker's `manifest.json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Writes the image of one platform, given by its manifest's descriptor, under `names`
/// (`localhost/nginx:1.26.3`).
pub fn write_archive(
    layout: &Layout,
    manifest: &Descriptor,
    names: &[String],
    out: &mut dyn Write,
) -> Result<(), ArchiveError> {
    let document: Manifest = layout.read_document(manifest)?;
    let mut blobs: BTreeMap<String, &Descriptor> = BTreeMap::new();
    for blob in [manifest, &document.config].into_iter().chain(&document.layers) {
        blobs.insert(blob_name(blob), blob);
    }
    write_file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, out)?;
    write_file("index.json", &index(manifest, names), out)?;
    write_file("manifest.json", &docker_manifest(&document, names), out)?;
    for folder in ["blobs", "blobs/sha256"] {
        write_header(folder, Kind::Directory, 0, out)?;
    }
    for (name, blob) in blobs {
        write_header(&name, Kind::File, blob.size, out)?;
        layout.copy_blob(blob, out)?;
        write(&tar::END[..tar::padding(blob.size)], out)?;
    }
    write(&tar::END, out)?;
    out.flush().map_err(ArchiveError::Write)
}

fn index(manifest: &Descriptor, names: &[String]) -> Vec<u8> {
    let entries = names.iter().map(|name| {
        let mut entry = manifest.clone();
        entry.annotations.insert(REF_NAME.to_owned(), name.clone());
        entry.annotations.insert(CONTAINERD_NAME.to_owned(), name.clone());
        entry
    });
    Index::new(entries.collect(), Annotations::new()).to_json()
}

fn docker_manifest(document: &Manifest, names: &[String]) -> Vec<u8> {
    let entry = DockerManifest {
        config: blob_name(&document.config),
        repo_tags: names.to_vec(),
        layers: document.layers.iter().map(blob_name).collect(),
    };
    // Text alone: it cannot fail.
    serde_json::to_vec(&[entry]).unwrap_or_default()
}

fn blob_name(blob: &Descriptor) -> String {
    format!("blobs/sha256/{}", blob.digest)
}

fn write_file(name: &str, bytes: &[u8], out: &mut dyn Write) -> Result<(), ArchiveError> {
    write_header(name, Kind::File, bytes.len() as u64, out)?;
    write(bytes, out)?;
    write(&tar::END[..tar::padding(bytes.len() as u64)], out)
}

fn write_header(
    name: &str,
    kind: Kind,
    size: u64,
    out: &mut dyn Write,
) -> Result<(), ArchiveError> {
    let mode = if kind == Kind::Directory { 0o755 } else { 0o644 };
    let header =
        Header { name: name.as_bytes(), mode, uid: 0, gid: 0, size, time: 0, kind, link: b"" };
    let mut bytes = Vec::new();
    header.append_to(&mut bytes);
    write(&bytes, out)
}

fn write(bytes: &[u8], out: &mut dyn Write) -> Result<(), ArchiveError> {
    out.write_all(bytes).map_err(ArchiveError::Write)
}

#[cfg(test)]
mod tests;
