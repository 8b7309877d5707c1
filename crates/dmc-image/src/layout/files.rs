//! The files of an image, as its layers leave them.
//!
//! For comparing images, those of other tools too: the layers of a manifest are read in their
//! order, each checked against its digest, and what a later one says of a path counts (OCI image
//! specification, "Image Layer Filesystem Changeset"). Contents are hashed as they pass; those of a
//! few small files are kept for the caller.

use super::{Layout, LayoutError};
use crate::oci::{Descriptor, Manifest};
use crate::sha256::Digesting;
use dmc_types::{ImagePath, Sha1, Sha256};
use flate2::bufread::MultiGzDecoder;
use sha1::Digest as _;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use tar::EntryType;

/// Most bytes that a layer may unpack to.
const LARGEST: u64 = 64 << 30;
/// Most bytes of a file that is kept, and of a header that extends another one.
const LONGEST: u64 = 4 << 20;
/// Most entries, and most files that are kept.
const MOST: usize = 1_000_000;
const MOST_KEPT: usize = 20_000;
/// What marks a removed file (OCI image specification, "Whiteouts").
const GONE: &[u8] = b".wh.";
/// What marks a folder whose former contents are removed.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// One path of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u64,
    /// Group's number.
    pub gid: u64,
    /// What is there.
    pub kind: ImageFileKind,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFileKind {
    /// A folder.
    Directory,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// SHA-256 of its contents.
        digest: Sha256,
        /// SHA-1 of its contents.
        sha1: Sha1,
    },
    /// A symbolic link, with its target as written.
    Symlink(Vec<u8>),
    /// Another name of this file.
    Hardlink(Vec<u8>),
    /// A device, pipe or socket.
    Special,
}

/// The files of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFiles {
    /// By path.
    pub all: BTreeMap<ImagePath, ImageFile>,
    /// Contents that were asked for.
    pub kept: BTreeMap<ImagePath, Vec<u8>>,
}

impl Layout {
    /// Reads the layers of an image; of the files that `keep` names the contents too.
    ///
    /// # Errors
    /// [`LayoutError::BlobMissing`], [`LayoutError::BlobCorrupted`], and
    /// [`LayoutError::Unreadable`] for a layer that is no tar.
    pub fn files(
        &self,
        manifest: &Manifest,
        keep: &dyn Fn(&ImagePath) -> bool,
    ) -> Result<ImageFiles, LayoutError> {
        let mut files = ImageFiles::default();
        for layer in &manifest.layers {
            self.add_layer(layer, keep, &mut files)?;
        }
        Ok(files)
    }

    fn add_layer(
        &self,
        layer: &Descriptor,
        keep: &dyn Fn(&ImagePath) -> bool,
        files: &mut ImageFiles,
    ) -> Result<(), LayoutError> {
        let path = self.blob_path(&layer.digest);
        let unreadable = |source| LayoutError::Unreadable { path: path.clone(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(self.missing(layer)),
            Err(source) => return Err(unreadable(source)),
        };
        // Checked before it is taken apart, as everything that comes with a digest is.
        let mut bytes = Digesting::new(io::sink());
        io::copy(&mut BufReader::with_capacity(1 << 18, &file), &mut bytes).map_err(unreadable)?;
        if bytes.finish() != (layer.digest, layer.size) {
            return Err(self.corrupted(layer));
        }
        let again = File::open(&path).map_err(unreadable)?;
        let plain = decoder(BufReader::with_capacity(1 << 18, again)).map_err(unreadable)?;
        read(plain.take(LARGEST), keep, files).map_err(unreadable)
    }
}

/// By the first bytes: media types of other tools have other names.
fn decoder<'a>(mut bytes: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match bytes.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(bytes)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?),
        _ => Box::new(bytes),
    })
}

/// What the headers before an entry say of it.
#[derive(Default)]
struct Said {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

fn read(
    tar: impl Read,
    keep: &dyn Fn(&ImagePath) -> bool,
    files: &mut ImageFiles,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(tar);
    let mut said = Said::default();
    // Raw: headers that extend others come as entries, so that their length can be bounded.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        match entry.header().entry_type() {
            EntryType::XHeader => extend(&bounded(&mut entry)?, &mut said),
            EntryType::GNULongName => said.path = Some(without_nul(bounded(&mut entry)?)),
            EntryType::GNULongLink => said.target = Some(without_nul(bounded(&mut entry)?)),
            EntryType::XGlobalHeader => {}
            _ => add(&mut entry, std::mem::take(&mut said), keep, files)?,
        }
    }
    Ok(())
}

/// The contents of an entry that must be small.
fn bounded(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn without_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// Records of a PAX header: `LENGTH KEY=VALUE\n` each (POSIX pax).
fn extend(mut records: &[u8], said: &mut Said) {
    while let Some(space) = records.iter().position(|b| *b == b' ') {
        let length = std::str::from_utf8(&records[..space]).ok().and_then(|text| text.parse().ok());
        let Some(record) = length.and_then(|length: usize| records.get(space + 1..length)) else {
            return;
        };
        records = &records[space + 1 + record.len()..];
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        match record.iter().position(|b| *b == b'=').map(|at| record.split_at(at)) {
            Some((b"path", value)) => said.path = Some(value[1..].to_vec()),
            Some((b"linkpath", value)) => said.target = Some(value[1..].to_vec()),
            _ => {}
        }
    }
}

fn add<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    said: Said,
    keep: &dyn Fn(&ImagePath) -> bool,
    files: &mut ImageFiles,
) -> io::Result<()> {
    let name = said.path.unwrap_or_else(|| entry.path_bytes().into_owned());
    let path = ImagePath::from_tar(&name).map_err(io::Error::other)?;
    if path.is_root() || remove_what_is_gone(&path, files) {
        return Ok(());
    }
    if files.all.len() >= MOST || files.kept.len() >= MOST_KEPT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let target = said.target.or_else(|| entry.link_name_bytes().map(Cow::into_owned));
    let kind = match entry.header().entry_type() {
        EntryType::Directory => ImageFileKind::Directory,
        EntryType::Symlink => ImageFileKind::Symlink(target.unwrap_or_default()),
        EntryType::Link => ImageFileKind::Hardlink(target.unwrap_or_default()),
        EntryType::Regular | EntryType::Continuous if keep(&path) => {
            let bytes = bounded(entry)?;
            let file = digests(&bytes[..])?;
            files.kept.insert(path.clone(), bytes);
            file
        }
        EntryType::Regular | EntryType::Continuous => digests(&mut *entry)?,
        _ => ImageFileKind::Special,
    };
    let header = entry.header();
    let (mode, uid, gid) = (header.mode()? & 0o7777, header.uid()?, header.gid()?);
    files.all.insert(path, ImageFile { mode, uid, gid, kind });
    Ok(())
}

/// A regular file of these contents.
fn digests(mut contents: impl Read) -> io::Result<ImageFileKind> {
    let mut bytes = Digesting::new(HashingSha1(sha1::Sha1::new()));
    io::copy(&mut contents, &mut bytes)?;
    let (HashingSha1(sha1), digest, size) = bytes.into_parts();
    Ok(ImageFileKind::File { size, digest, sha1: Sha1::from_bytes(sha1.finalize().into()) })
}

/// Takes bytes in.
struct HashingSha1(sha1::Sha1);

impl Write for HashingSha1 {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Follows a mark of removal. Says whether the path is one.
fn remove_what_is_gone(path: &ImagePath, files: &mut ImageFiles) -> bool {
    let name = path.file_name();
    let Some(hidden) = name.strip_prefix(GONE) else { return false };
    let folder = &path.as_bytes()[..path.as_bytes().len() - name.len()];
    let gone = if name == OPAQUE { folder.to_vec() } else { [folder, hidden].concat() };
    let below = [gone.strip_suffix(b"/").unwrap_or(&gone), b"/"].concat();
    let stays = |path: &ImagePath| path.as_bytes() != gone && !path.as_bytes().starts_with(&below);
    files.all.retain(|path, _| stays(path));
    files.kept.retain(|path, _| stays(path));
    true
}
