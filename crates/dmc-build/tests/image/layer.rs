//! Layers, read back as an engine reads them.

use crate::stage::{blob, json, sha256};
use camino::{Utf8Path, Utf8PathBuf};
use dmc_build::ImageSummary;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use tar::EntryType;

/// Where an image's layer is.
pub(crate) fn path(out: &Utf8Path, image: &ImageSummary) -> Utf8PathBuf {
    let manifest = json(&out.join("blobs/sha256").join(image.manifest.digest.to_string()));
    blob(out, &manifest["layers"][0]["digest"])
}

/// A layer's bytes, decompressed.
pub(crate) fn tar(out: &Utf8Path, image: &ImageSummary) -> Vec<u8> {
    let manifest = json(&out.join("blobs/sha256").join(image.manifest.digest.to_string()));
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1, "{manifest}");
    let file = File::open(blob(out, &layers[0]["digest"])).unwrap();
    let mut bytes = Vec::new();
    match layers[0]["mediaType"].as_str().unwrap().rsplit('+').next() {
        Some("gzip") => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes),
        Some("zstd") => zstd::stream::read::Decoder::new(file).unwrap().read_to_end(&mut bytes),
        other => panic!("{other:?}"),
    }
    .unwrap();
    bytes
}

/// One line a member, in the layer's order: `mode uid:gid size sha256 path`, with the digest of
/// the whole at the end.
pub(crate) fn listing(out: &Utf8Path, image: &ImageSummary) -> String {
    let bytes = tar(out, image);
    let mut text = String::new();
    for entry in tar::Archive::new(&*bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        let header = entry.header();
        let (letter, about) = match header.entry_type() {
            EntryType::Regular => ('-', format!("{} {}", contents.len(), sha256(&contents))),
            EntryType::Directory => ('d', "- -".to_owned()),
            EntryType::Symlink => ('l', "- -".to_owned()),
            EntryType::Link => ('h', "- -".to_owned()),
            other => panic!("{other:?}"),
        };
        let (mode, uid, gid) =
            (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap());
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let _ = write!(text, "{letter}{mode:04o} {uid}:{gid} {about} {path}");
        if let Some(target) = entry.link_name_bytes() {
            let _ = write!(text, " -> {}", String::from_utf8_lossy(&target));
        }
        text.push('\n');
    }
    let _ = writeln!(text, "diff id {}", sha256(&bytes));
    text
}

/// Modification times, by path.
pub(crate) fn times(out: &Utf8Path, image: &ImageSummary) -> Vec<(String, u64)> {
    let bytes = tar(out, image);
    let mut archive = tar::Archive::new(&*bytes);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            (path, entry.header().mtime().unwrap())
        })
        .collect()
}
