//! How fast each host is, as far as this run has seen.

use reqwest::Url;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bytes a second, by host; the best that was seen, since short transfers show less.
#[derive(Debug, Default)]
pub(super) struct Speeds {
    best: Mutex<HashMap<String, u64>>,
}

impl Speeds {
    pub(super) fn note(&self, url: &Url, bytes: u64, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let speed = bytes.saturating_mul(1_000_000) / micros;
        let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        let known = best.entry(url.authority().to_owned()).or_default();
        *known = (*known).max(speed);
    }

    pub(super) fn of(&self, url: &Url) -> Option<u64> {
        let best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        best.get(url.authority()).copied()
    }
}
