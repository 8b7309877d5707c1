//! What was read of `index.json`, for as long as the file is the same.

use crate::oci::Index;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};

/// Remembers the `index.json` of one layout, for a run that asks for many names. It is another
/// file after each change, as changes are renamed into place.
#[derive(Debug, Clone, Default)]
pub struct IndexMemory(Arc<Mutex<Option<Remembered>>>);

#[derive(Debug)]
struct Remembered {
    of: Stamp,
    index: Arc<Index>,
}

/// Which file it was: device, number, length, and time of change in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u64, u64, u64, i64, i64);

impl Stamp {
    pub(super) fn of(file: &Metadata) -> Self {
        Self(file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec())
    }
}

impl IndexMemory {
    pub(super) fn recall(&self, stamp: Stamp) -> Option<Arc<Index>> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.as_ref().filter(|it| it.of == stamp).map(|it| Arc::clone(&it.index))
    }

    pub(super) fn keep(&self, stamp: Stamp, index: &Arc<Index>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *remembered = Some(Remembered { of: stamp, index: Arc::clone(index) });
    }
}
