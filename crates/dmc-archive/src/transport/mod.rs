//! Bytes from mirrors: `http`, `https` and `file`.
//!
//! A file that a signed index names is streamed into the store's `partial/` while it is hashed, and
//! gets its place only when size and digest are right. Sizes are bounded before and while reading.
//! Broken downloads are resumed by `Range` (RFC 9110, section 14), in later runs too. What can pass
//! (time-outs, resets, 5xx, 429) is tried again with growing pauses; a host that asks to wait
//! (`Retry-After`, RFC 9110, section 10.2.3) is left alone by all requests. A mirror that is taking
//! in an update is given the same patience for files that are not there, or not these, yet. A cache
//! that machines share may be asked first ([`Nearby`]).
//!
//! Four connections a host by default; a host name is looked up once a run; proxies come from the
//! environment. The HTTP client is made when it is first needed, and the system's certificates
//! are read only for https. Small writes to the store happen on the caller's thread.

mod error;
mod file;
mod http;
mod nearby;
mod part;
mod peer;
mod resolve;
mod retry;
mod sink;
mod speed;

pub use error::{FetchCause, FetchError};
pub use nearby::Nearby;

pub(crate) use error::shown;
pub(crate) use http::Validator;
pub(crate) use sink::Renewed;

use crate::progress::{DownloadId, Progress};
use crate::store::{Shelf, Store, StoreError};
use dmc_types::{Checksum, Sha256};
use part::Part;
use peer::Peer;
use reqwest::Url;
use sink::Sink;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// How patient and how greedy a transport is.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// Whether the network may be used at all; `file:` always may.
    pub network: Network,
    /// Connections to one host at a time.
    pub connections_per_host: usize,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a server may send nothing.
    pub read_timeout: Duration,
    /// How often a request is repeated when nothing more arrives.
    pub retries: usize,
    /// The first pause; each later one is twice as long.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long a server may ask to wait (`Retry-After`); one that asks for more is not waited for.
    pub longest_wait: Duration,
    /// Redirects that are followed.
    pub redirects: usize,
    /// A cache that is asked before a mirror.
    pub nearby: Option<Arc<dyn Nearby>>,
}

/// Whether a run may use the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Allowed,
    /// It may not: whatever is not in the store or in a local archive is an error.
    Offline,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            network: Network::Allowed,
            connections_per_host: 4,
            connect_timeout: Duration::from_secs(15),
            read_timeout: Duration::from_secs(30),
            retries: 4,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(20),
            longest_wait: Duration::from_mins(2),
            redirects: 5,
            nearby: None,
        }
    }
}

/// Fetches files. Clones share connections, look-ups and limits.
#[derive(Clone)]
pub struct Transport {
    shared: Arc<Shared>,
}

struct Shared {
    options: TransportOptions,
    progress: Arc<dyn Progress>,
    hosts: resolve::Hosts,
    peers: Mutex<HashMap<String, Arc<Peer>>>,
    plain: OnceLock<reqwest::Client>,
    secure: OnceLock<reqwest::Client>,
    speeds: speed::Speeds,
    next: AtomicU64,
    requests: AtomicU64,
    received: AtomicU64,
    nearby: AtomicU64,
}

/// What a transport has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Requests over the network, redirects and repetitions included.
    pub requests: u64,
    /// Bytes of bodies that arrived, over the network or from local archives.
    pub received: u64,
    /// Bytes of files that the cache had.
    pub nearby: u64,
}

/// One file that a signed index names.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) url: Url,
    pub(crate) size: u64,
    pub(crate) checksum: Checksum,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Transport {
    /// A transport for one run. Nothing is opened yet.
    pub fn new(options: TransportOptions, progress: Arc<dyn Progress>) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                progress,
                hosts: resolve::Hosts::default(),
                peers: Mutex::default(),
                plain: OnceLock::new(),
                secure: OnceLock::new(),
                speeds: speed::Speeds::default(),
                next: AtomicU64::new(0),
                requests: AtomicU64::new(0),
                received: AtomicU64::new(0),
                nearby: AtomicU64::new(0),
            }),
        }
    }

    /// What it has done so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.shared.requests.load(Ordering::Relaxed),
            received: self.shared.received.load(Ordering::Relaxed),
            nearby: self.shared.nearby.load(Ordering::Relaxed),
        }
    }

    /// Whether the network may not be used.
    pub fn is_offline(&self) -> bool {
        self.shared.options.network == Network::Offline
    }

    /// Bytes a second from this address's host, as far as this run has seen.
    pub(crate) fn speed(&self, url: &Url) -> Option<u64> {
        self.shared.speeds.of(url)
    }

    /// A file whose digest is not known beforehand, of at most `limit` bytes.
    pub(crate) async fn to_memory(&self, url: &Url, limit: u64) -> Result<Vec<u8>, FetchError> {
        let mut sink = Sink::memory(limit);
        self.fill(url, &mut sink, None).await?;
        Ok(sink.into_bytes())
    }

    /// Fetches a file that no index names onto its shelf, of at most `limit` bytes, unless the
    /// server says that it is what `known` vouches for (RFC 9110, section 13).
    pub(crate) async fn renew(
        &self,
        url: &Url,
        limit: u64,
        known: Option<Validator>,
        store: &Store,
    ) -> Result<Renewed, FetchError> {
        let failed = |error: StoreError| FetchError::new(url, 0, error.into());
        let new = store.start(Shelf::Unsigned).map_err(failed)?;
        let mut sink = Sink::renewal(new, known, limit);
        self.fill(url, &mut sink, None).await?;
        sink.renew().map_err(failed)
    }

    /// Fetches a file into its place on a shelf, verified; gives its SHA-256. Waits for another
    /// process that fetches the same file, and takes its result.
    pub(crate) async fn to_store(
        &self,
        wanted: &Wanted,
        store: &Store,
        at: Shelf,
        name: fn(&Sha256) -> String,
    ) -> Result<Sha256, FetchError> {
        let failed = |cause| FetchError::new(&wanted.url, 0, cause);
        let part = Part::open(store, &wanted.checksum).await.map_err(|e| failed(e.into()))?;
        if let Checksum::Sha256(digest) = &wanted.checksum
            && store.exists(at, &name(digest))
        {
            // Another process was faster.
            part.remove();
            return Ok(*digest);
        }
        let mut sink = Sink::part(part, wanted);
        if !nearby::fill(&self.shared, wanted, &mut sink).await {
            self.fill(&wanted.url, &mut sink, Some(wanted.size)).await?;
        }
        if !sink.is_of_one_piece() && sink.verify().is_err() {
            // The first piece, perhaps left by an earlier run, was of another file.
            sink.restart().map_err(failed)?;
            self.fill(&wanted.url, &mut sink, Some(wanted.size)).await?;
        }
        match sink.verify() {
            Ok(digest) => {
                sink.keep(store, at, &name(&digest)).map_err(|e| failed(e.into()))?;
                Ok(digest)
            }
            Err(cause) => {
                sink.remove();
                Err(FetchError::new(&wanted.url, 1, cause))
            }
        }
    }

    async fn fill(&self, url: &Url, sink: &mut Sink, total: Option<u64>) -> Result<(), FetchError> {
        let name = url.path_segments().and_then(Iterator::last).unwrap_or_default();
        let span = tracing::trace_span!(target: "dmc_trace", "fetch", of = name);
        self.fill_from(url, name, (sink, total)).instrument(span).await
    }

    async fn fill_from(
        &self,
        url: &Url,
        name: &str,
        (sink, total): (&mut Sink, Option<u64>),
    ) -> Result<(), FetchError> {
        let shared = &self.shared;
        let id = DownloadId(shared.next.fetch_add(1, Ordering::Relaxed));
        shared.progress.started(id, name, total);
        shared.progress.advanced(id, sink.received());
        let mut line = Line { shared, id, pace: speed::Pace::default() };
        let done = match url.scheme() {
            "file" => {
                file::copy(url, sink, &mut line).map_err(|cause| FetchError::new(url, 0, cause))
            }
            "http" | "https" if self.is_offline() => {
                Err(FetchError::new(url, 0, FetchCause::Offline))
            }
            "http" | "https" => retry::until_done(url, sink, &mut line).await,
            other => Err(FetchError::new(url, 0, FetchCause::Scheme(other.to_owned()))),
        };
        shared.progress.finished(id, done.is_ok());
        shared.speeds.note(url, &line.pace);
        done
    }
}

/// One download on its way: what the lower parts need of the transport.
struct Line<'a> {
    shared: &'a Shared,
    id: DownloadId,
    pace: speed::Pace,
}

impl Line<'_> {
    fn arrived(&mut self, bytes: usize) {
        self.pace.arrived(bytes as u64, Instant::now());
        self.shared.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.shared.progress.advanced(self.id, bytes as u64);
    }

    fn restarted(&self) {
        self.shared.progress.restarted(self.id);
    }

    fn peer(&self, url: &Url) -> Arc<Peer> {
        let mut peers = self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = self.shared.options.connections_per_host.max(1);
        peers
            .entry(url.authority().to_owned())
            .or_insert_with(|| Arc::new(Peer::new(connections)))
            .clone()
    }
}
