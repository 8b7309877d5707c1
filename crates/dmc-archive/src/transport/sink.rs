//! Where the bytes of one download go, and how many of them may come.

use super::Wanted;
use super::error::FetchCause;
use super::part::Part;
use crate::store::{Shelf, Store, StoreError};
use dmc_types::{Checksum, Sha256};

pub(super) struct Sink {
    target: Target,
    bound: Bound,
    /// How many bodies, of this run and earlier ones, make up what is there.
    pieces: u32,
}

enum Target {
    Memory(Vec<u8>),
    Part(Box<Part>),
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

    pub(super) fn received(&self) -> u64 {
        match &self.target {
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
            Target::Memory(_) => Ok(()),
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
            Target::Part(_) => Vec::new(),
        }
    }
}
