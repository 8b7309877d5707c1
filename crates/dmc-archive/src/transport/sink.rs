//! Where the bytes of one download go, and how many of them may come.

use super::Wanted;
use super::error::FetchCause;
use super::http::Validator;
use super::part::Part;
use crate::store::{Shelf, Store, StoreError, Unfinished};
use dmc_types::{Checksum, Sha256};
use sha2::Digest as _;
use std::io::{Seek as _, Write as _};

pub(super) struct Sink {
    target: Target,
    bound: Bound,
    /// How many bodies, of this run and earlier ones, make up what is there.
    pieces: u32,
}

enum Target {
    Memory(Vec<u8>),
    Part(Box<Part>),
    Renewal(Box<Renewal>),
}

/// A file of which the store may have this version, or an older one.
struct Renewal {
    new: Unfinished,
    length: u64,
    hash: sha2::Sha256,
    /// What vouches for the version that the store has.
    known: Option<Validator>,
    /// What vouches for the one that came.
    validator: Option<Validator>,
    unchanged: bool,
}

/// What became of a file that the store may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// The server says that it is what the store has.
    Unchanged,
    /// It is in the store now.
    New { digest: Sha256, validator: Option<Validator> },
}

/// What is known of the size beforehand.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(u64),
    Exactly(u64, Checksum),
}

impl Sink {
    pub(super) fn memory(limit: u64) -> Self {
        Self { target: Target::Memory(Vec::new()), bound: Bound::AtMost(limit), pieces: 0 }
    }

    pub(super) fn part(part: Part, wanted: &Wanted) -> Self {
        let bound = Bound::Exactly(wanted.size, wanted.checksum);
        let pieces = u32::from(part.length() > 0);
        Self { target: Target::Part(Box::new(part)), bound, pieces }
    }

    pub(super) fn renewal(new: Unfinished, known: Option<Validator>, limit: u64) -> Self {
        let hash = sha2::Sha256::new();
        let renewal = Renewal { new, length: 0, hash, known, validator: None, unchanged: false };
        Self { target: Target::Renewal(Box::new(renewal)), bound: Bound::AtMost(limit), pieces: 0 }
    }

    /// What a server may answer "not modified" to.
    pub(super) fn condition(&self) -> Option<&Validator> {
        match &self.target {
            Target::Renewal(renewal) if renewal.length == 0 => renewal.known.as_ref(),
            _ => None,
        }
    }

    /// The server says that the file is what the store has.
    pub(super) fn leave_unchanged(&mut self) {
        if let Target::Renewal(renewal) = &mut self.target {
            renewal.unchanged = true;
        }
    }

    /// What vouches for the body that follows.
    pub(super) fn note(&mut self, validator: Option<Validator>) {
        if let Target::Renewal(renewal) = &mut self.target {
            renewal.validator = validator;
        }
    }

    /// Puts what came into the store, named by its digest.
    pub(super) fn renew(self) -> Result<Renewed, StoreError> {
        match self.target {
            Target::Renewal(renewal) if !renewal.unchanged => {
                let digest = Sha256::from_bytes(renewal.hash.finalize().into());
                renewal.new.finish(&digest.to_string())?;
                Ok(Renewed::New { digest, validator: renewal.validator })
            }
            _ => Ok(Renewed::Unchanged),
        }
    }

    pub(super) fn received(&self) -> u64 {
        match &self.target {
            Target::Renewal(renewal) => renewal.length,
            Target::Memory(bytes) => bytes.len() as u64,
            Target::Part(part) => part.length(),
        }
    }

    /// Another body follows.
    pub(super) fn begin(&mut self) {
        self.pieces = self.pieces.saturating_add(1);
    }

    /// Whether it came in one piece. Pieces may be of different files.
    pub(super) fn is_of_one_piece(&self) -> bool {
        self.pieces <= 1
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.bound, Bound::Exactly(size, _) if self.received() == size)
    }

    /// Whether a body of this length, announced before it is read, is one to read at all.
    pub(super) fn admit(&self, announced: u64) -> Result<(), FetchCause> {
        match self.bound {
            Bound::AtMost(limit) if announced > limit => Err(FetchCause::TooLarge { limit }),
            Bound::Exactly(expected, _) if announced != expected => {
                Err(FetchCause::Size { found: announced, expected })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), FetchCause> {
        let length = self.received().saturating_add(bytes.len() as u64);
        match self.bound {
            Bound::AtMost(limit) if length > limit => return Err(FetchCause::TooLarge { limit }),
            Bound::Exactly(expected, _) if length > expected => {
                return Err(FetchCause::Size { found: length, expected });
            }
            _ => {}
        }
        match &mut self.target {
            Target::Memory(all) => all.extend_from_slice(bytes),
            Target::Part(part) => part.append(bytes)?,
            Target::Renewal(renewal) => renewal.append(bytes)?,
        }
        Ok(())
    }

    /// The body is over: `announced` is its length as the server gave it, where it did.
    pub(super) fn end(&self, announced: Option<u64>) -> Result<(), FetchCause> {
        let received = self.received();
        let expected = match self.bound {
            Bound::Exactly(size, _) => Some(size),
            Bound::AtMost(_) => announced,
        };
        match expected {
            Some(expected) if received < expected => Err(FetchCause::Short { received, expected }),
            _ => Ok(()),
        }
    }

    pub(super) fn restart(&mut self) -> Result<(), FetchCause> {
        self.pieces = 0;
        match (&mut self.target, self.bound) {
            (Target::Part(part), Bound::Exactly(_, checksum)) => part.restart(&checksum)?,
            (Target::Memory(bytes), _) => bytes.clear(),
            (Target::Renewal(renewal), _) => renewal.restart()?,
            (Target::Part(_), Bound::AtMost(_)) => {}
        }
        Ok(())
    }

    /// The file's SHA-256, if it is the one that was wanted.
    pub(super) fn verify(&self) -> Result<Sha256, FetchCause> {
        match (&self.target, self.bound) {
            (Target::Part(part), Bound::Exactly(size, expected)) => {
                let (digest, found) = part.digests();
                if part.length() != size {
                    return Err(FetchCause::Size { found: part.length(), expected: size });
                }
                if found != expected {
                    let (found, expected) = (Box::new(found), Box::new(expected));
                    return Err(FetchCause::Digest { found, expected });
                }
                Ok(digest)
            }
            // Only files that an index names are kept.
            _ => Err(FetchCause::NotFound),
        }
    }

    pub(super) fn keep(self, store: &Store, at: Shelf, name: &str) -> Result<(), StoreError> {
        match self.target {
            Target::Part(part) => part.keep(store, at, name),
            Target::Memory(_) | Target::Renewal(_) => Ok(()),
        }
    }

    pub(super) fn remove(self) {
        if let Target::Part(part) = self.target {
            part.remove();
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self.target {
            Target::Memory(bytes) => bytes,
            Target::Part(_) | Target::Renewal(_) => Vec::new(),
        }
    }
}

impl Renewal {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.new.folder().to_owned();
        let written = self.new.file().write_all(bytes);
        written.map_err(|source| StoreError::io("write to", &folder, source))?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> Result<(), StoreError> {
        let folder = self.new.folder().to_owned();
        let file = self.new.file();
        let emptied = file.set_len(0).and_then(|()| file.rewind());
        emptied.map_err(|source| StoreError::io("write to", &folder, source))?;
        (self.length, self.hash) = (0, sha2::Sha256::new());
        Ok(())
    }
}
