//! What all requests to one registry share: how many there may be, and its wish to be left alone.

use crate::Options;
use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// One registry.
#[derive(Debug)]
pub(crate) struct Pace {
    permits: Semaphore,
    uploads: Semaphore,
    left_alone_until: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(connections: usize) -> Self {
        let permits = || Semaphore::new(connections.max(1));
        let left_alone_until = Mutex::default();
        Self { permits: permits(), uploads: permits(), left_alone_until }
    }

    /// Waits for a turn. The turn is over when the permit is dropped.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed; without a permit the request is merely not counted.
        let permit = self.permits.acquire().await.ok();
        while let Some(rest) = self.rest() {
            tokio::time::sleep(rest).await;
        }
        permit
    }

    /// Waits until an upload may begin: each has a chunk in memory.
    pub(crate) async fn upload(&self) -> Option<SemaphorePermit<'_>> {
        self.uploads.acquire().await.ok()
    }

    /// No request is to be sent for so long.
    pub(crate) fn leave_alone(&self, wait: Duration) {
        let until = Instant::now().checked_add(wait);
        let mut known = self.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (*known).max(until);
    }

    fn rest(&self) -> Option<Duration> {
        let until = *self.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        until?.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero())
    }
}

/// The pauses between tries: each twice as long as the one before.
pub(crate) fn pauses(options: &Options) -> impl Iterator<Item = Duration> + use<> {
    ExponentialBuilder::default()
        .with_min_delay(options.first_pause)
        .with_max_delay(options.longest_pause)
        .with_max_times(options.retries)
        .build()
}

/// How long a registry asks to wait, in seconds (RFC 9110, section 10.2.3). A date is not read:
/// the pauses between tries serve.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
