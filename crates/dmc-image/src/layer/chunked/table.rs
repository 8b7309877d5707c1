//! The table of contents of a zstd:chunked layer, and what is written after the tar.

use super::super::LayerError;
use super::super::piece::{Member, content, header};
use super::frames::{Frames, Zstd};
use super::tar_split::TarSplit;
use crate::oci::{Annotations, rfc3339};
use crate::sha256::sha256;
use crate::tar::{self, Kind};
use dmc_types::{Sha256, UnixTime};
use serde::{Deserialize, Serialize};
use std::io::Write;

/// First bytes of a frame that decoders skip (RFC 8878, 3.1.2); four bytes of length follow.
const SKIPPABLE: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// Last bytes of the footer.
const MAGIC: [u8; 8] = *b"GNUlInUx";

/// The kind of table of contents, in annotation and footer.
const KIND: u64 = 1;

/// Last moment that RFC 3339 can write, as the table does.
const LAST: UnixTime = 253_402_300_799;

/// Where the tables of a layer are, and the digest by which the first is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// SHA-256 of the table of contents, as it is compressed.
    pub digest: Sha256,
    /// The table of contents.
    pub contents: Section,
    /// The tar-split, whose digest is in the table of contents.
    pub tar_split: Section,
}

/// A compressed part of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Where it begins in the layer.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Its length uncompressed.
    pub plain_size: u64,
}

impl Table {
    /// What a layer's descriptor says of them.
    pub(crate) fn annotations(&self) -> Annotations {
        let place = |section: Section| {
            format!("{}:{}:{}", section.offset, section.size, section.plain_size)
        };
        [
            ("manifest-checksum", format!("sha256:{}", self.digest)),
            ("manifest-position", format!("{}:{KIND}", place(self.contents))),
            ("tarsplit-position", place(self.tar_split)),
        ]
        .map(|(key, value)| (format!("io.github.containers.zstd-chunked.{key}"), value))
        .into()
    }

    fn footer(&self) -> Vec<u8> {
        let Self { contents, tar_split, .. } = self;
        let numbers = [contents.offset, contents.size, contents.plain_size, KIND];
        let more = [tar_split.offset, tar_split.size, tar_split.plain_size];
        let numbers = numbers.into_iter().chain(more).flat_map(u64::to_le_bytes);
        numbers.chain(MAGIC).collect()
    }
}

/// The table of contents.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: u8,
    entries: &'a [Entry],
    tar_split_digest: String,
}

/// One member of the tar.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    r#type: &'static str,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    link_name: String,
    mode: u32,
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    uid: u64,
    #[serde(skip_serializing_if = "is_zero")]
    gid: u64,
    modtime: String,
    #[serde(flatten)]
    chunk: Option<Chunk>,
}

/// A file's contents, by their digest and their frame.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    digest: String,
    offset: u64,
    end_offset: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Entry {
    fn new(member: &Member<'_>, chunk: Option<Chunk>) -> Result<Self, LayerError> {
        let header = header(member.path, member.node);
        let untold = |why| LayerError::Untold { path: member.path.clone(), why };
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_raw| untold("its name or target is not UTF-8"))
        };
        if !(0..=LAST).contains(&header.time) {
            return Err(untold("its time is not of the years 1970 to 9999"));
        }
        Ok(Self {
            r#type: match header.kind {
                Kind::Hardlink => "hardlink",
                Kind::Symlink => "symlink",
                Kind::Directory => "dir",
                Kind::File | Kind::Extended => "reg",
            },
            name: text(header.member_name())?,
            link_name: text(header.link.to_vec())?,
            mode: header.mode,
            size: header.size,
            uid: header.uid.into(),
            gid: header.gid.into(),
            modtime: rfc3339(header.time),
            chunk,
        })
    }
}

/// Table of contents and tar-split in the making.
#[derive(Default)]
pub(super) struct Contents {
    entries: Vec<Entry>,
    tar_split: TarSplit,
    /// How much of the layer has been written.
    offset: u64,
}

impl Contents {
    /// Takes a piece that has been written.
    pub(super) fn add(&mut self, piece: &Frames<'_>) -> Result<(), LayerError> {
        let mut frames = piece.each.iter();
        let mut at = 0;
        for member in &piece.members {
            self.tar_split.pass(&piece.plain[at..member.body.start]);
            let (mut chunk, mut crc64) = (None, 0);
            if let Some(content) = content(member.node).filter(|content| content.size() > 0)
                && let (Some(between), Some(frame)) = (frames.next(), frames.next())
            {
                let offset = self.offset + between.size;
                self.offset = offset + frame.size;
                let digest = format!("sha256:{}", content.digest());
                chunk = Some(Chunk { digest, offset, end_offset: self.offset });
                crc64 = frame.crc64;
            }
            let entry = Entry::new(member, chunk)?;
            self.tar_split.file(&entry.name, entry.size, crc64);
            self.entries.push(entry);
            at = member.body.end;
        }
        self.tar_split.pass(&piece.plain[at..]);
        self.offset += frames.map(|frame| frame.size).sum::<u64>();
        Ok(())
    }

    /// Writes everything that comes after the tar, whose end has become `end` bytes.
    pub(super) fn write(
        mut self,
        end: u64,
        zstd: &mut Zstd,
        out: &mut dyn Write,
    ) -> Result<Table, LayerError> {
        self.tar_split.pass(&tar::END);
        let lines = self.tar_split.finish();
        let tar_split = zstd.compress(&lines)?;
        let document = Document {
            version: 1,
            entries: &self.entries,
            tar_split_digest: format!("sha256:{}", sha256(&tar_split)),
        };
        // Text and numbers: it cannot fail.
        let json = serde_json::to_vec(&document).unwrap_or_default();
        let contents = zstd.compress(&json)?;
        let mut offset = self.offset + end;
        let mut section = |bytes: &[u8], plain: &[u8]| {
            let offset_of = offset + (SKIPPABLE.len() + size_of::<u32>()) as u64;
            offset = offset_of + bytes.len() as u64;
            Section { offset: offset_of, size: bytes.len() as u64, plain_size: plain.len() as u64 }
        };
        let table = Table {
            digest: sha256(&contents),
            contents: section(&contents, &json),
            tar_split: section(&tar_split, &lines),
        };
        for bytes in [&contents, &tar_split, &table.footer()] {
            skippable(bytes, out)?;
        }
        Ok(table)
    }
}

fn skippable(bytes: &[u8], out: &mut dyn Write) -> Result<(), LayerError> {
    let size = u32::try_from(bytes.len()).map_err(|_large| LayerError::Compress)?;
    for part in [&SKIPPABLE[..], &size.to_le_bytes(), bytes] {
        out.write_all(part).map_err(LayerError::Write)?;
    }
    Ok(())
}
