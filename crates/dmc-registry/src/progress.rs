//! How a client tells what it sends and fetches, without printing.

/// One transfer of a run; numbers are given in the order in which transfers begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub u64);

/// Whoever shows progress. Calls come from the thread that runs the futures and must return fast.
pub trait Progress: Send + Sync {
    /// A transfer of so many bytes begins.
    fn started(&self, _id: TransferId, _name: &str, _total: u64) {}

    /// `bytes` more have gone out or come in.
    fn advanced(&self, _id: TransferId, _bytes: u64) {}

    /// A broken transfer goes on where the registry says, at the first byte or later.
    fn restarted(&self, _id: TransferId) {}

    /// The transfer is over, well or not.
    fn finished(&self, _id: TransferId, _complete: bool) {}
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {}
