//! A cache of files by their digest that is nearer than the mirrors, such as a registry.
//!
//! What it gives is measured and hashed like what a mirror gives, by what a signed index or a lock
//! says: it can be slow or empty, but not wrong. Whatever it does not have, and whatever goes wrong
//! with it, comes from the mirror.

use super::{DownloadId, Shared, Sink, Wanted};
use dmc_types::{Checksum, Sha256};
use futures::future::BoxFuture;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::Ordering;

/// A cache that several machines share.
pub trait Nearby: fmt::Debug + Send + Sync {
    /// Writes the file with this digest, of `size` bytes; false where it is not there. What was
    /// written before an error is thrown away.
    fn copy<'a>(
        &'a self,
        digest: &'a Sha256,
        size: u64,
        into: &'a mut (dyn Write + Send),
    ) -> BoxFuture<'a, io::Result<bool>>;
}

/// Fills a sink from the cache, where it has the very file. Says whether it had.
pub(super) async fn fill(shared: &Shared, wanted: &Wanted, sink: &mut Sink) -> bool {
    let (Some(nearby), Checksum::Sha256(digest)) = (&shared.options.nearby, &wanted.checksum)
    else {
        return false;
    };
    // What an earlier run has begun may be of another file.
    if sink.received() > 0 && sink.restart().is_err() {
        return false;
    }
    let id = DownloadId(shared.next.fetch_add(1, Ordering::Relaxed));
    let name = wanted.url.path_segments().and_then(Iterator::last).unwrap_or_default();
    shared.progress.started(id, name, Some(wanted.size));
    sink.begin();
    let mut counted = Counted { sink, shared, id };
    let found = nearby.copy(digest, wanted.size, &mut counted).await;
    let good = matches!(found, Ok(true)) && sink.verify().is_ok();
    shared.progress.finished(id, good);
    match found {
        Ok(true) if !good => {
            tracing::warn!(%digest, "what the cache has is not the file that was asked for");
        }
        Err(error) => tracing::debug!(%digest, %error, "the cache does not give a file"),
        Ok(_) => {}
    }
    if good {
        shared.nearby.fetch_add(wanted.size, Ordering::Relaxed);
        return true;
    }
    // The mirror begins with an empty file; where that cannot be had it says so itself.
    let _ = sink.restart();
    false
}

/// A sink that tells what arrives.
struct Counted<'a> {
    sink: &'a mut Sink,
    shared: &'a Shared,
    id: DownloadId,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.append(bytes).map_err(io::Error::other)?;
        self.shared.progress.advanced(self.id, bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
