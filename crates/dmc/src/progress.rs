//! Progress: bars on a terminal, nothing elsewhere (messages tell what was done there).

use dmc_archive::{DownloadId, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const TASKS: &str = "{bar:24} {pos}/{len} tasks  {msg}";
const BYTES: &str = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}";

/// The bars of a run; clones show the same.
#[derive(Debug, Clone)]
pub(crate) struct Bars {
    multi: MultiProgress,
    tasks: ProgressBar,
    bytes: ProgressBar,
    open: Arc<Mutex<BTreeMap<DownloadId, u64>>>,
}

impl Bars {
    /// Bars for `tasks` tasks, shown where stderr is a terminal and `wanted`.
    pub(crate) fn new(wanted: bool) -> Self {
        let shown = wanted && std::io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let multi = MultiProgress::with_draw_target(target);
        let bar = |template: &str| {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            multi.add(ProgressBar::new(0).with_style(style))
        };
        let tasks = bar(TASKS);
        let bytes = bar(BYTES);
        Self { multi, tasks, bytes, open: Arc::default() }
    }

    /// Shows how many tasks there are.
    pub(crate) fn tasks(&self, count: usize) {
        self.tasks.set_length(count as u64);
        // It takes a thread.
        if !self.tasks.is_hidden() {
            self.tasks.enable_steady_tick(Duration::from_millis(200));
        }
    }

    /// One task more is done; `next` is under way.
    pub(crate) fn task(&self, next: &str) {
        self.tasks.set_message(next.to_owned());
    }

    /// Marks a task as done.
    pub(crate) fn done(&self) {
        self.tasks.inc(1);
    }

    /// Takes the bars away.
    pub(crate) fn clear(&self) {
        self.tasks.finish_and_clear();
        self.bytes.finish_and_clear();
    }

    /// Does something that prints while the bars are out of the way.
    pub(crate) fn suspend(&self, print: impl FnOnce()) {
        self.multi.suspend(print);
    }

    /// Writes a line to stderr, above the bars.
    pub(crate) fn say(&self, line: &str) {
        self.suspend(|| {
            let mut stderr = std::io::stderr().lock();
            // Nobody reads what a closed stderr was to get.
            let _ = writeln!(stderr, "{}", line.trim_end());
        });
    }
}

impl Progress for Bars {
    fn started(&self, id: DownloadId, _name: &str, total: Option<u64>) {
        self.bytes.inc_length(total.unwrap_or(0));
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, 0);
    }

    fn advanced(&self, id: DownloadId, bytes: u64) {
        self.bytes.inc(bytes);
        if let Some(so_far) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id)
        {
            *so_far += bytes;
        }
    }

    fn restarted(&self, id: DownloadId) {
        if let Some(so_far) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id)
        {
            self.bytes.dec(*so_far);
            *so_far = 0;
        }
    }

    fn finished(&self, id: DownloadId, _complete: bool) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
