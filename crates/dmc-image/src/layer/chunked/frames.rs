//! A piece of the tar as zstd frames: one for each file's contents, one for what is between.
//!
//! Like a gzip piece it is compressed once in its life: a store of pieces keeps the frames with
//! their lengths, and checksums by which it is known that they are whole and of these very bytes.

use super::super::piece::{Assembled, Member, Piece, verify};
use super::super::{LayerError, PieceStore};
use super::crc64::crc64;
use crate::tree::ContentSource;
use dmc_types::ZstdLevel;
use libdeflater::crc32;
use sha2::Digest as _;
use std::ops::Range;

/// CRC-32 of the piece and of all before itself, at the end of a value of the store.
const ENVELOPE: usize = 8;

/// Length of a frame and CRC-64 of what it holds, for each frame in a value of the store.
const RECORD: usize = 16;

/// zstd's state at one level, made once a thread.
pub(super) struct Zstd {
    level: ZstdLevel,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Zstd {
    pub(super) fn new(level: ZstdLevel) -> Result<Self, LayerError> {
        let compressor = zstd::bulk::Compressor::new(i32::from(level.get()));
        Ok(Self { level, compressor: compressor.map_err(|_none| LayerError::Compress)? })
    }

    /// One frame, which says how long its contents are.
    pub(super) fn compress(&mut self, plain: &[u8]) -> Result<Vec<u8>, LayerError> {
        self.compressor.compress(plain).map_err(|_full| LayerError::Compress)
    }

    /// The start of a piece's key.
    fn key(&self) -> sha2::Sha256 {
        sha2::Sha256::new_with_prefix(format!("dmc chunked piece 1, zstd {}\n", self.level.get()))
    }
}

/// One frame of a piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Its length.
    pub(super) size: u64,
    /// CRC-64 of what it holds, for a file's contents.
    pub(super) crc64: u64,
}

/// A piece as part of the tar, and compressed.
pub(super) struct Frames<'a> {
    pub(super) plain: Vec<u8>,
    pub(super) members: Vec<Member<'a>>,
    /// The frames, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Every second one holds a file's contents; the first holds a header.
    pub(super) each: Vec<Frame>,
}

impl<'a> Frames<'a> {
    /// The stored frames if they are intact and belong to these very bytes, else compressed anew
    /// and stored.
    pub(super) fn of(
        piece: &'a Piece<'_>,
        zstd: &mut Zstd,
        source: &dyn ContentSource,
        pieces: &dyn PieceStore,
    ) -> Result<Self, LayerError> {
        let Assembled { plain, key, members } = piece.assemble(source, zstd.key())?;
        let stretches = stretches(&plain, &members);
        let stored = pieces.get(&key).and_then(|stored| {
            let mut value = Vec::new();
            stored.pass(&mut |bytes| value.extend_from_slice(bytes)).ok()?;
            unwrap(value, &plain, stretches.len())
        });
        if let Some((bytes, each)) = stored {
            return Ok(Self { plain, members, bytes, each });
        }
        verify(&plain, &members)?;
        let (mut bytes, mut each) = (Vec::new(), Vec::new());
        for (number, stretch) in stretches.into_iter().enumerate() {
            let stretch = &plain[stretch];
            let frame = zstd.compress(stretch)?;
            bytes.extend_from_slice(&frame);
            let crc64 = if number % 2 == 1 { crc64(stretch) } else { 0 };
            each.push(Frame { size: frame.len() as u64, crc64 });
        }
        pieces.put(&key, &wrap(&bytes, &each, &plain));
        Ok(Self { plain, members, bytes, each })
    }
}

/// What becomes a frame each: headers, contents, padding and headers, contents, and so on.
fn stretches(plain: &[u8], members: &[Member<'_>]) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let mut at = 0;
    for body in members.iter().map(|member| &member.body).filter(|body| !body.is_empty()) {
        stretches.push(at..body.start);
        stretches.push(body.clone());
        at = body.end;
    }
    if at < plain.len() {
        stretches.push(at..plain.len());
    }
    stretches
}

/// Frames as a value of the store.
fn wrap(bytes: &[u8], frames: &[Frame], plain: &[u8]) -> Vec<u8> {
    let mut value = bytes.to_vec();
    for frame in frames {
        value.extend_from_slice(&frame.size.to_le_bytes());
        value.extend_from_slice(&frame.crc64.to_le_bytes());
    }
    value.extend_from_slice(&crc32(plain).to_le_bytes());
    value.extend_from_slice(&crc32(&value).to_le_bytes());
    value
}

/// The frames in a value of the store, if it is whole and made of `plain` in so many stretches.
fn unwrap(mut value: Vec<u8>, plain: &[u8], stretches: usize) -> Option<(Vec<u8>, Vec<Frame>)> {
    let end = value.len().checked_sub(ENVELOPE + RECORD * stretches)?;
    let (rest, whole) = value.split_last_chunk::<4>()?;
    let (records, of) = rest.get(end..)?.split_last_chunk::<4>()?;
    if *whole != crc32(rest).to_le_bytes() || *of != crc32(plain).to_le_bytes() {
        return None;
    }
    let mut frames = Vec::with_capacity(stretches);
    for record in records.chunks_exact(RECORD) {
        let (size, rest) = record.split_first_chunk::<8>()?;
        let (crc64, _) = rest.split_first_chunk::<8>()?;
        frames.push(Frame { size: u64::from_le_bytes(*size), crc64: u64::from_le_bytes(*crc64) });
    }
    let total = frames.iter().try_fold(0_u64, |total, frame| total.checked_add(frame.size))?;
    value.truncate(end);
    (total == end as u64).then_some((value, frames))
}
