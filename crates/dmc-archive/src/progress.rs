//! How a run tells what it fetches, without printing.

/// One download of a run; numbers are given in the order in which downloads begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DownloadId(pub u64);

/// Whoever shows progress. Calls come from the thread that runs the futures and must return fast.
pub trait Progress: Send + Sync {
    /// A download begins. `name` is the last part of its address; `total` is its size in bytes,
    /// where that is known.
    fn started(&self, _id: DownloadId, _name: &str, _total: Option<u64>) {}

    /// `bytes` more have arrived (those that an earlier run left behind count as well).
    fn advanced(&self, _id: DownloadId, _bytes: u64) {}

    /// A broken download begins again at its first byte.
    fn restarted(&self, _id: DownloadId) {}

    /// The download is over, well or not.
    fn finished(&self, _id: DownloadId, _complete: bool) {}
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {}
