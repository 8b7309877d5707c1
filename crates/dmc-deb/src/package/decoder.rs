//! The compressions of a package's members.

use super::error::DebError;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use std::io::{self, BufRead, BufReader, Read};

/// Most memory that an xz stream may ask for, in bytes; `xz -9` asks for 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;

/// Decoded bytes held at a time. Tar reads headers of 512 bytes; files larger than this are
/// decoded straight into place.
const CHUNK: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    /// By what follows `data.tar` or `control.tar` in a member's name.
    pub(super) fn from_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "" => Self::None,
            ".gz" => Self::Gzip,
            ".xz" => Self::Xz,
            ".zst" => Self::Zstd,
            _ => return None,
        })
    }
}

/// Lets `read` have the decoded bytes, then decodes the rest, so that the checksum at the end of
/// the stream is checked.
pub(super) fn decode<T>(
    encoded: impl BufRead,
    compression: Compression,
    member: &'static str,
    limit: u64,
    read: impl FnOnce(&mut dyn Read) -> Result<T, DebError>,
) -> Result<T, DebError> {
    let reading = |source| DebError::reading(member, limit, source);
    let decoder = open(encoded, compression).map_err(reading)?;
    let mut plain = BufReader::with_capacity(CHUNK, Bounded { decoder, left: limit });
    let value = read(&mut plain)?;
    io::copy(&mut plain, &mut io::sink()).map_err(reading)?;
    Ok(value)
}

fn open<'a>(
    encoded: impl BufRead + 'a,
    compression: Compression,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::None => Box::new(encoded),
        Compression::Gzip => Box::new(MultiGzDecoder::new(encoded)),
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
            Box::new(XzDecoder::new_stream(encoded, stream))
        }
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(encoded)?),
    })
}

/// Fails where more than so many bytes come.
struct Bounded<R> {
    decoder: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(into)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(count)
    }
}
