//! How fast each host is, as far as this run has seen.

use reqwest::Url;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Fewer bytes than this tell nothing.
const TELLING: u64 = 32 * 1024;

/// How the bytes of one download came in. The time up to the first ones is the server's, not the
/// link's, and does not count.
#[derive(Debug, Default)]
pub(super) struct Pace {
    first: Option<Instant>,
    bytes: u64,
    time: Duration,
}

impl Pace {
    pub(super) fn arrived(&mut self, bytes: u64, now: Instant) {
        match self.first {
            None => self.first = Some(now),
            Some(first) => {
                self.bytes += bytes;
                self.time = now.saturating_duration_since(first);
            }
        }
    }

    /// Bytes a second; none where too few came.
    fn speed(&self) -> Option<u64> {
        let micros = u64::try_from(self.time.as_micros()).unwrap_or(u64::MAX).max(1);
        (self.bytes >= TELLING).then(|| self.bytes.saturating_mul(1_000_000) / micros)
    }
}

/// Bytes a second, by host; the best that was seen, since short transfers show less.
#[derive(Debug, Default)]
pub(super) struct Speeds {
    best: Mutex<HashMap<String, u64>>,
}

impl Speeds {
    pub(super) fn note(&self, url: &Url, pace: &Pace) {
        let Some(speed) = pace.speed() else { return };
        let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        let known = best.entry(url.authority().to_owned()).or_default();
        *known = (*known).max(speed);
    }

    pub(super) fn of(&self, url: &Url) -> Option<u64> {
        let best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        best.get(url.authority()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_the_first_bytes_does_not_count() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.arrived(1_000_000, start + Duration::from_secs(9));
        assert_eq!(pace.speed(), None);
        pace.arrived(500_000, start + Duration::from_millis(9_250));
        pace.arrived(500_000, start + Duration::from_millis(9_500));
        assert_eq!(pace.speed(), Some(2_000_000));
    }
}
