//! Trying again, where that may help.

use super::error::{FetchCause, FetchError};
use super::sink::Sink;
use super::{Line, Transport, TransportOptions, http};
use crate::error::ArchiveError;
use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::Url;
use std::time::Duration;

/// A try that brought this much more does not count against the number of retries.
const HEADWAY: u64 = 64 * 1024;

/// Sends requests until the file is there, or cannot be had.
pub(super) async fn until_done(
    url: &Url,
    sink: &mut Sink,
    line: &mut Line<'_>,
) -> Result<(), FetchError> {
    let options = &line.shared.options;
    let mut pauses = pauses(options);
    let mut exchange = http::Exchange::new(url);
    let mut attempts = 0;
    while !sink.is_complete() {
        attempts += 1;
        let before = sink.received();
        let cause = match exchange.attempt(sink, line).await {
            Ok(()) => return Ok(()),
            Err(cause) => cause,
        };
        let asked = asked_wait(&cause);
        if !cause.may_pass() || asked > options.longest_wait {
            return Err(FetchError::new(url, attempts, cause));
        }
        line.peer(url).leave_alone(asked);
        if sink.received() > before.saturating_add(HEADWAY) {
            pauses = self::pauses(options);
        }
        let Some(pause) = pauses.next() else {
            return Err(FetchError::new(url, attempts, cause));
        };
        tracing::debug!(url = %super::shown(url), %cause, ?pause, "tried again");
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

impl Transport {
    /// Fetches what a verified index names, again and again where the failure is one that a mirror
    /// shows while it takes in an update.
    pub(crate) async fn through_an_update<T>(
        &self,
        may_pass: fn(&FetchError) -> bool,
        mut fetch: impl AsyncFnMut() -> Result<T, ArchiveError>,
    ) -> Result<T, ArchiveError> {
        let mut pauses = pauses(&self.shared.options);
        let mut attempts = 0;
        loop {
            let mut error = match fetch().await {
                Err(ArchiveError::Fetch(error)) if may_pass(&error) => error,
                other => return other,
            };
            attempts += error.attempts;
            let Some(pause) = pauses.next() else {
                error.attempts = attempts;
                return Err(error.into());
            };
            tracing::debug!(url = %error.url, cause = %error.cause, ?pause, "waits for the mirror");
            tokio::time::sleep(pause).await;
        }
    }
}

fn pauses(options: &TransportOptions) -> impl Iterator<Item = Duration> + use<> {
    ExponentialBuilder::default()
        .with_min_delay(options.first_pause)
        .with_max_delay(options.longest_pause)
        .with_max_times(options.retries)
        .build()
}

/// How long the server asks to be left alone.
fn asked_wait(cause: &FetchCause) -> Duration {
    match cause {
        FetchCause::Busy { after: Some(after), .. } => *after,
        _ => Duration::ZERO,
    }
}
