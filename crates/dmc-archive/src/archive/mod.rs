//! The face of the crate: one archive, with its mirrors, its store and its transport.
//!
//! Everything is worked out when it is first asked for and remembered for the run; requests for
//! the same thing at the same time share one piece of work.

mod contents;
mod indices;
mod judge;
mod keys;
mod locked;
mod packages;
mod patches;
mod releases;
mod shared;
mod unsigned;

pub use keys::{KeyInUse, Signs};
pub use locked::{LockedDeb, Origin};
pub use shared::StoredFile;
pub use unsigned::Unsigned;

use crate::error::ArchiveError;
use crate::index::Packages;
use crate::mirror::AptConfiguration;
use crate::release::AcceptedRelease;
use crate::spec::ArchiveSpec;
use crate::store::Store;
use crate::transport::Transport;
use dmc_types::{Arch, Checksum, PackageFacts};
use judge::KeyringsOfRun;
use std::collections::HashMap;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OnceCell, oneshot};

/// A vendor's archive, and third-party archives beside it.
///
/// With a [`Transport`] that is offline, everything is answered from the store; with a
/// [`Store`] that is read-only besides, nothing is opened but files of the store, and nothing is
/// written.
#[derive(Debug)]
pub struct Archive {
    spec: ArchiveSpec,
    apt: AptConfiguration,
    store: Store,
    transport: Transport,
    keyrings: KeyringsOfRun,
    releases: OnceCell<Vec<AcceptedRelease>>,
    indices: Shared<Arch, Arc<Packages>>,
    facts: Shared<Checksum, Arc<PackageFacts>>,
}

impl Archive {
    /// An archive. Nothing is read yet; `apt` is [`AptConfiguration::read`] of the machine's root
    /// folder, or an empty one where it is not to count.
    pub fn open(
        spec: ArchiveSpec,
        apt: AptConfiguration,
        store: Store,
        transport: Transport,
    ) -> Self {
        Self {
            spec,
            apt,
            store,
            transport,
            keyrings: KeyringsOfRun::default(),
            releases: OnceCell::new(),
            indices: Shared::default(),
            facts: Shared::default(),
        }
    }

    /// What was asked for.
    pub fn spec(&self) -> &ArchiveSpec {
        &self.spec
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The transport.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }
}

/// Results by key, each worked out once; a failure is not kept.
#[derive(Debug)]
struct Shared<K, V> {
    cells: Mutex<HashMap<K, Arc<OnceCell<V>>>>,
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self { cells: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Shared<K, V> {
    fn cell(&self, key: K) -> Arc<OnceCell<V>> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(key).or_default())
    }

    fn forget(&self, key: &K) {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Does work for the processor on rayon's threads.
async fn on_processor<T: Send + 'static>(
    task: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ArchiveError> {
    let (done, result) = oneshot::channel();
    let span = tracing::trace_span!(target: "dmc_trace", "work", of = task);
    rayon::spawn(move || {
        let _span = span.entered();
        // Another task's failure ended the run while this one was waiting for its turn.
        if done.is_closed() {
            return;
        }
        // A panic here would end the whole program; without a result the receiver says which
        // task it was. Nobody listens where the request was dropped meanwhile.
        if let Ok(result) = catch_unwind(AssertUnwindSafe(work)) {
            let _ = done.send(result);
        }
    });
    result.await.map_err(|_closed| ArchiveError::Worker { task })
}
