//! Trying again, where that may help.

use super::error::{FetchCause, FetchError};
use super::sink::Sink;
use super::{Line, TransportOptions, http};
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
        if !cause.may_pass() {
            return Err(FetchError::new(url, attempts, cause));
        }
        if sink.received() > before.saturating_add(HEADWAY) {
            pauses = self::pauses(options);
        }
        let Some(pause) = pauses.next() else {
            return Err(FetchError::new(url, attempts, cause));
        };
        tracing::debug!(url = %super::shown(url), %cause, ?pause, "tried again");
        tokio::time::sleep(asked_pause(&cause, options).map_or(pause, |asked| asked.max(pause)))
            .await;
    }
    Ok(())
}

fn pauses(options: &TransportOptions) -> impl Iterator<Item = Duration> + use<> {
    ExponentialBuilder::default()
        .with_min_delay(options.first_pause)
        .with_max_delay(options.longest_pause)
        .with_max_times(options.retries)
        .build()
}

/// What the server asks for, within bounds.
fn asked_pause(cause: &FetchCause, options: &TransportOptions) -> Option<Duration> {
    match cause {
        FetchCause::Busy { after: Some(after), .. } => Some((*after).min(options.longest_pause)),
        _ => None,
    }
}
