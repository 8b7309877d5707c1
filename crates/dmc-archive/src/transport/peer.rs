//! What all requests to one host share: how many there may be, and its wish to be left alone.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// One host with its port.
#[derive(Debug)]
pub(super) struct Peer {
    permits: Semaphore,
    left_alone_until: Mutex<Option<Instant>>,
}

impl Peer {
    pub(super) fn new(connections: usize) -> Self {
        Self { permits: Semaphore::new(connections), left_alone_until: Mutex::default() }
    }

    /// Waits for a turn. The turn is over when the permit is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed; without a permit the request is merely not counted.
        let permit = self.permits.acquire().await.ok();
        while let Some(rest) = self.rest() {
            tokio::time::sleep(rest).await;
        }
        permit
    }

    /// No request is to be sent for so long.
    pub(super) fn leave_alone(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut known = self.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (*known).max(Some(until));
    }

    fn rest(&self) -> Option<Duration> {
        let until = *self.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        until?.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero())
    }
}
