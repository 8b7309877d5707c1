//! A layer of gzip members, one for each piece.
//!
//! The frame of a member is written here, so that it does not depend on libdeflate. In a store of
//! pieces its CRC-32 follows it.

use super::piece::{Assembled, Piece, PieceKey, PieceValue, verify};
use super::{LayerError, PieceStore, batches, piece, side_by_side};
use crate::sha256::Digesting;
use crate::tar;
use crate::tree::{ContentSource, SealedTree};
use dmc_types::Sha256;
use libdeflater::{CompressionLvl, Compressor, Crc, crc32};
use sha2::Digest as _;
use std::io::{self, Write};

/// libdeflate's level. Part of the promise that equal trees give equal layers: a change changes
/// every digest.
const LEVEL: i32 = 6;

/// What every member begins with: gzip, deflate, no name, no time, no flags, unknown system
/// (RFC 1952, 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// CRC-32 and length of the uncompressed bytes, at the end of a member.
const TRAILER: usize = 8;

/// CRC-32 of the member, after it in a value of the store.
const ENVELOPE: usize = 4;

/// The start of a key: what the bytes depend on besides the entries.
pub(super) fn key_hasher() -> sha2::Sha256 {
    sha2::Sha256::new_with_prefix(format!("dmc piece 1, gzip {LEVEL}\n"))
}

/// Writes a tree. Returns digest and length of the tar.
pub(super) fn write(
    tree: &SealedTree,
    source: &dyn ContentSource,
    pieces: &dyn PieceStore,
    out: &mut (dyn Write + Send),
) -> Result<(Sha256, u64), LayerError> {
    let stores = Stores { source, pieces };
    let mut tar = Digesting::new(io::sink());
    let mut ready: Vec<(&Piece<'_>, Settled)> = Vec::new();
    let cut = piece::cut(tree);
    for batch in batches(&cut) {
        let encoded = side_by_side(batch, Gzip::new, |gzip, piece| stores.encode(piece, gzip))?;
        // A batch is written once its part of the tar is known, which the next one's becomes
        // meanwhile.
        let (settled, written) = rayon::join(
            || {
                let both = batch.iter().zip(encoded);
                let settled =
                    both.map(|(piece, it)| Ok((piece, stores.settle(piece, it, &mut tar)?)));
                settled.collect::<Result<Vec<_>, LayerError>>()
            },
            || ready.iter().try_for_each(|(piece, member)| stores.write(piece, member, out)),
        );
        ready = settled?;
        written?;
    }
    ready.iter().try_for_each(|(piece, member)| stores.write(piece, member, out))?;
    tar.add(&tar::END);
    out.write_all(&Gzip::new().compress(&tar::END)?).map_err(LayerError::Write)?;
    Ok(tar.finish())
}

/// A piece as a member.
enum Encoded {
    /// Compressed just now, with the piece as part of the tar.
    Fresh { plain: Vec<u8>, member: Vec<u8> },
    /// There is one in the store of pieces.
    Stored(PieceKey),
}

/// The same once its part of the tar is known.
enum Settled {
    Fresh(Vec<u8>),
    /// With the trailer that it has if it was made of these very bytes.
    Stored(PieceKey, [u8; TRAILER]),
}

/// Where contents and pieces come from.
#[derive(Clone, Copy)]
struct Stores<'a> {
    source: &'a dyn ContentSource,
    pieces: &'a dyn PieceStore,
}

impl Stores<'_> {
    /// The piece as a member: the stored one where there is one, else compressed anew.
    fn encode(self, piece: &Piece<'_>, gzip: &mut Gzip) -> Result<Encoded, LayerError> {
        let key = piece.key(key_hasher());
        if self.pieces.has(&key) {
            return Ok(Encoded::Stored(key));
        }
        let (plain, member) = self.compress(piece, gzip)?;
        Ok(Encoded::Fresh { plain, member })
    }

    /// The piece as part of the tar, verified, and as a member, which is stored.
    fn compress(
        self,
        piece: &Piece<'_>,
        gzip: &mut Gzip,
    ) -> Result<(Vec<u8>, Vec<u8>), LayerError> {
        let Assembled { plain, key, members } = piece.assemble(self.source, key_hasher())?;
        verify(&plain, &members)?;
        let mut member = gzip.compress(&plain)?;
        member.extend_from_slice(&crc32(&member).to_le_bytes());
        self.pieces.put(&key, &member);
        member.truncate(member.len() - ENVELOPE);
        Ok((plain, member))
    }

    /// Adds the piece to the tar, of which only the digest is kept.
    fn settle(
        self,
        piece: &Piece<'_>,
        encoded: Encoded,
        tar: &mut Digesting<io::Sink>,
    ) -> Result<Settled, LayerError> {
        let key = match encoded {
            Encoded::Fresh { plain, member } => {
                tar.add(&plain);
                return Ok(Settled::Fresh(member));
            }
            Encoded::Stored(key) => key,
        };
        let mut crc = Crc::new();
        let length = piece.pass(self.source, &mut |bytes| {
            crc.update(bytes);
            tar.add(bytes);
        })?;
        Ok(Settled::Stored(key, trailer(crc.sum(), length)))
    }

    /// Writes a member. A stored one that is not whole, or not of these very bytes, is compressed
    /// anew.
    ///
    /// For a stored member contents are compared with it by CRC-32 and length, not by SHA-256:
    /// they were verified when it was made. A decayed store is noticed either way, and decay that
    /// slipped through could only give a layer that its own digests contradict.
    fn write(
        self,
        piece: &Piece<'_>,
        member: &Settled,
        out: &mut (dyn Write + Send),
    ) -> Result<(), LayerError> {
        let (key, trailer) = match member {
            Settled::Fresh(member) => return out.write_all(member).map_err(LayerError::Write),
            Settled::Stored(key, trailer) => (key, trailer),
        };
        if let Some(stored) = self.pieces.get(key).and_then(|value| Whole::of(value, *trailer)) {
            return stored.write(out);
        }
        let (_, member) = self.compress(piece, &mut Gzip::new())?;
        out.write_all(&member).map_err(LayerError::Write)
    }
}

/// A value of the store of pieces that is a whole member.
struct Whole {
    value: Box<dyn PieceValue>,
    /// Of the member.
    length: u64,
    crc: u32,
}

impl Whole {
    /// Reads a value; none where it is not whole, or has another trailer.
    fn of(value: Box<dyn PieceValue>, trailer: [u8; TRAILER]) -> Option<Self> {
        const END: usize = TRAILER + ENVELOPE;
        let length = value.length().checked_sub(ENVELOPE as u64)?;
        let (mut crc, mut rest, mut end) = (Crc::new(), length, Vec::with_capacity(2 * END));
        let read = value.pass(&mut |bytes| {
            crc.update(first(bytes, &mut rest));
            end.extend_from_slice(&bytes[bytes.len().saturating_sub(END)..]);
            end.drain(..end.len().saturating_sub(END));
        });
        read.ok()?;
        let (found, envelope) = end.split_last_chunk::<ENVELOPE>()?;
        let whole = *found == trailer && *envelope == crc.sum().to_le_bytes();
        whole.then(|| Self { value, length, crc: crc.sum() })
    }

    fn write(self, out: &mut (dyn Write + Send)) -> Result<(), LayerError> {
        let (mut crc, mut rest, mut written) = (Crc::new(), self.length, Ok(()));
        let read = self.value.pass(&mut |bytes| {
            let bytes = first(bytes, &mut rest);
            crc.update(bytes);
            if written.is_ok() {
                written = out.write_all(bytes);
            }
        });
        written.map_err(LayerError::Write)?;
        match read {
            Ok(()) if crc.sum() == self.crc => Ok(()),
            Ok(()) => Err(LayerError::Piece(io::Error::other("it changed while it was read"))),
            Err(error) => Err(LayerError::Piece(error)),
        }
    }
}

/// As many of these bytes as are still wanted.
fn first<'b>(bytes: &'b [u8], rest: &mut u64) -> &'b [u8] {
    let wanted = bytes.len().min(usize::try_from(*rest).unwrap_or(usize::MAX));
    *rest -= wanted as u64;
    &bytes[..wanted]
}

fn trailer(crc: u32, length: u64) -> [u8; TRAILER] {
    // RFC 1952: the length modulo 2^32.
    let length = (length & u64::from(u32::MAX)) << 32;
    (length | u64::from(crc)).to_le_bytes()
}

/// libdeflate's state, made once a thread.
struct Gzip(Compressor);

impl Gzip {
    fn new() -> Self {
        Self(Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default()))
    }

    /// One member.
    fn compress(&mut self, plain: &[u8]) -> Result<Vec<u8>, LayerError> {
        let bound = self.0.deflate_compress_bound(plain.len());
        let mut gzip = vec![0; HEADER.len() + bound + TRAILER];
        gzip[..HEADER.len()].copy_from_slice(&HEADER);
        let written = self
            .0
            .deflate_compress(plain, &mut gzip[HEADER.len()..])
            .map_err(|_full| LayerError::Compress)?;
        gzip.truncate(HEADER.len() + written);
        gzip.extend_from_slice(&trailer(crc32(plain), plain.len() as u64));
        gzip.shrink_to_fit();
        Ok(gzip)
    }
}
