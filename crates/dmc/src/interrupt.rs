//! Ctrl-C and a polite kill, for runs that have something to put away first.

use std::future::pending;
use tokio::signal::unix::{Signal, SignalKind};

/// Waits for SIGINT or SIGTERM; returns the exit code that shells give such an end.
pub(crate) async fn signal() -> u8 {
    tokio::select! {
        code = one(SignalKind::interrupt()) => code,
        code = one(SignalKind::terminate()) => code,
    }
}

async fn one(kind: SignalKind) -> u8 {
    let number = u8::try_from(kind.as_raw_value()).unwrap_or_default();
    match tokio::signal::unix::signal(kind) {
        Ok(signal) => come(signal).await,
        // Then it ends the program, as it does without any of this.
        Err(_) => pending().await,
    }
    128 + number
}

async fn come(mut signal: Signal) {
    if signal.recv().await.is_none() {
        pending::<()>().await;
    }
}
