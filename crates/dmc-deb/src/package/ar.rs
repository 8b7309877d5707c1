//! The outer archive (ar(5), the common part of its dialects).
//!
//! Not the `ar` crate: it indexes its name table by numbers of the file and panics where they
//! are wrong, reserves whatever a header says, and overlooks errors when it skips a member.

use super::decoder::{self, Compression};
use super::error::DebError;
use std::io::{self, BufRead, BufReader, Read};

const MAGIC: &[u8; 8] = b"!<arch>\n";

/// Bytes read from the source at a time.
const CHUNK: usize = 128 << 10;

/// A package, read member by member.
pub(super) struct Archive<R> {
    reader: BufReader<R>,
    /// Why the source failed, kept apart from what a decoder makes of it.
    failed: Option<io::Error>,
}

struct Header {
    name: String,
    size: u64,
}

impl<R: Read> Archive<R> {
    /// Takes the first eight bytes.
    pub(super) fn open(reader: R) -> Result<Self, DebError> {
        let mut reader = BufReader::with_capacity(CHUNK, reader);
        let mut magic = [0; 8];
        match reader.read_exact(&mut magic) {
            Ok(()) if magic == *MAGIC => Ok(Self { reader, failed: None }),
            Ok(()) => Err(DebError::NotAr),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(DebError::NotAr),
            Err(source) => Err(DebError::Read { source }),
        }
    }

    /// Takes `debian-binary`, which must come first.
    pub(super) fn version(&mut self) -> Result<(), DebError> {
        const NAME: &str = "debian-binary";
        let header = self.header(NAME)?.ok_or(DebError::Truncated { member: NAME })?;
        if header.name != NAME || header.size > 64 {
            return Err(DebError::UnexpectedMember { name: header.name, wanted: NAME });
        }
        let mut text = String::new();
        let mut member = Contents { archive: self, left: header.size };
        let read = member.read_to_string(&mut text);
        self.settle(read.map_err(|e| DebError::reading(NAME, 64, e)))?;
        self.skip_padding(header.size)?;
        if text.starts_with("2.") {
            return Ok(());
        }
        Err(DebError::UnknownVersion { version: text.trim_end().to_owned() })
    }

    /// Decodes the next member, which must be `name` with or without a compression's suffix.
    /// `read` need not read to the end.
    pub(super) fn member<T>(
        &mut self,
        name: &'static str,
        limit: u64,
        read: impl FnOnce(&mut dyn Read) -> Result<T, DebError>,
    ) -> Result<T, DebError> {
        let header = self.significant(name)?.ok_or(DebError::Truncated { member: name })?;
        let Some(suffix) = header.name.strip_prefix(name) else {
            return Err(DebError::UnexpectedMember { name: header.name, wanted: name });
        };
        let compression = Compression::from_suffix(suffix)
            .ok_or_else(|| DebError::UnknownCompression { name: header.name.clone() })?;
        let mut contents = Contents { archive: self, left: header.size };
        let result = decoder::decode(&mut contents, compression, name, limit, read);
        let left = contents.left;
        let value = self.settle(result)?;
        if left > 0 {
            let source = io::Error::new(io::ErrorKind::InvalidData, "bytes after its end");
            return Err(DebError::Corrupt { member: name, source });
        }
        self.skip_padding(header.size)?;
        Ok(value)
    }

    /// Sees that nothing but `_…` members follow.
    pub(super) fn finish(mut self) -> Result<(), DebError> {
        match self.significant("_…")? {
            Some(header) => Err(DebError::UnexpectedMember { name: header.name, wanted: "_…" }),
            None => Ok(()),
        }
    }

    /// The next header whose name does not begin with `_`; none at the end.
    fn significant(&mut self, wanted: &'static str) -> Result<Option<Header>, DebError> {
        while let Some(header) = self.header(wanted)? {
            if !header.name.starts_with('_') {
                return Ok(Some(header));
            }
            let mut contents = Contents { archive: self, left: header.size };
            let skipped = io::copy(&mut contents, &mut io::sink());
            let skipped = skipped.map_err(|e| DebError::reading(wanted, header.size, e));
            self.settle(skipped)?;
            self.skip_padding(header.size)?;
        }
        Ok(None)
    }

    fn header(&mut self, wanted: &'static str) -> Result<Option<Header>, DebError> {
        if self.at_end()? {
            return Ok(None);
        }
        let mut bytes = [0; 60];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(DebError::Truncated { member: wanted });
            }
            Err(source) => return Err(DebError::Read { source }),
        }
        Header::parse(&bytes)
            .map(Some)
            .ok_or_else(|| DebError::BadHeader { header: bytes.escape_ascii().to_string() })
    }

    fn at_end(&mut self) -> Result<bool, DebError> {
        self.reader.fill_buf().map(<[u8]>::is_empty).map_err(|source| DebError::Read { source })
    }

    /// Members begin at even places. The very last one's padding may be missing.
    fn skip_padding(&mut self, size: u64) -> Result<(), DebError> {
        if size % 2 == 1 && !self.at_end()? {
            self.reader.consume(1);
        }
        Ok(())
    }

    /// Where the source failed, that is the error, whatever a decoder made of it.
    fn settle<T>(&mut self, result: Result<T, DebError>) -> Result<T, DebError> {
        match self.failed.take() {
            Some(source) => Err(DebError::Read { source }),
            None => result,
        }
    }
}

impl Header {
    /// Name (16 bytes, GNU ends it with `/`), time, owner, group, mode, size (10), magic (2).
    fn parse(bytes: &[u8; 60]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if !text.is_ascii() || &text[58..] != "`\n" {
            return None;
        }
        let name = text[..16].trim_end();
        let name = name.strip_suffix('/').unwrap_or(name);
        let size = text[48..58].trim_end();
        if name.is_empty() || !size.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { name: name.to_owned(), size: size.parse().ok()? })
    }
}

/// Exactly the bytes of one member; an early end is an error.
pub(super) struct Contents<'a, R> {
    archive: &'a mut Archive<R>,
    left: u64,
}

impl<R: Read> BufRead for Contents<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let Archive { reader, failed } = &mut *self.archive;
        match reader.fill_buf() {
            Ok([]) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                let most = usize::try_from(self.left).unwrap_or(usize::MAX);
                Ok(&bytes[..bytes.len().min(most)])
            }
            Err(error) => {
                let kind = error.kind();
                *failed = Some(error);
                Err(kind.into())
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.archive.reader.consume(count);
        self.left = self.left.saturating_sub(count as u64);
    }
}

impl<R: Read> Read for Contents<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}
