//! What a run did when: `--trace FILE`.
//!
//! The rooms mark their stages by spans of the target `dmc_trace`; without the flag these cost
//! nothing. With it, each becomes an event of Chrome's Trace Event Format, which
//! <https://ui.perfetto.dev> and the browsers' own profilers show: name, beginning and duration in
//! microseconds, and `busy`, the part of it in which a thread was at work on it rather than
//! waiting for the network or for another thread. Lines of the picture hold what was nested or
//! came one after the other; what went on side by side is on lines of its own.

use crate::error::CommandError;
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use std::fmt::Debug;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The target of spans that are stages.
pub(crate) const TARGET: &str = "dmc_trace";

/// A run's stages so far, and the file that they are written to in the end.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    file: Utf8PathBuf,
    begun: Instant,
    stages: Arc<Mutex<Vec<Stage>>>,
    next: Arc<AtomicU64>,
}

/// A stage that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stage {
    id: u64,
    within: Option<u64>,
    name: String,
    start: Duration,
    took: Duration,
    busy: Duration,
}

/// A stage that is not over yet; kept with its span. The numbers of spans are used again, its own
/// is not.
struct Open {
    id: u64,
    within: Option<u64>,
    name: String,
    start: Instant,
    entered: Option<Instant>,
    busy: Duration,
}

/// The field that says of what a stage is: a package, a task.
#[derive(Default)]
struct Of(String);

impl Visit for Of {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "of" {
            self.0 = format!(" {value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "of" {
            self.0 = format!(" {value}");
        }
    }
}

impl Timeline {
    /// A timeline that begins now.
    pub(crate) fn new(file: &Utf8Path) -> Self {
        Self {
            file: file.to_owned(),
            begun: Instant::now(),
            stages: Arc::default(),
            next: Arc::default(),
        }
    }

    /// Writes down what there is.
    pub(crate) fn finish(&self) -> Result<(), CommandError> {
        let mut stages =
            std::mem::take(&mut *self.stages.lock().unwrap_or_else(PoisonError::into_inner));
        // A stage is over after those within it.
        stages.sort_by_key(|stage| (stage.start, std::cmp::Reverse(stage.took), stage.id));
        let lines = lines(&stages);
        let events: Vec<Value> =
            stages.iter().zip(lines).map(|(stage, line)| stage.event(line)).collect();
        let text = json!({ "traceEvents": events, "displayTimeUnit": "ms" }).to_string();
        fs::write(&self.file, text).map_err(|error| {
            CommandError::failed(format!("cannot write the trace `{}`", self.file)).because(&error)
        })
    }
}

impl Stage {
    fn end(&self) -> Duration {
        self.start + self.took
    }

    fn event(&self, line: usize) -> Value {
        json!({
            "name": self.name, "cat": "dmc", "ph": "X", "pid": 1, "tid": line + 1,
            "ts": micros(self.start), "dur": micros(self.took),
            "args": { "busy": micros(self.busy) },
        })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The line of each stage, in their order: that of the stage around it where nothing else is on
/// it then, else the first that is free.
fn lines(stages: &[Stage]) -> Vec<usize> {
    let mut open: Vec<Vec<&Stage>> = Vec::new();
    let mut chosen = Vec::new();
    for stage in stages {
        for line in &mut open {
            while line.last().is_some_and(|last| last.end() <= stage.start) {
                line.pop();
            }
        }
        let fits = |line: &Vec<&Stage>| match line.last() {
            None => true,
            Some(last) => Some(last.id) == stage.within && stage.end() <= last.end(),
        };
        let around = |line: &Vec<&Stage>| !line.is_empty() && fits(line);
        let found = open.iter().position(around).or_else(|| open.iter().position(fits));
        let line = found.unwrap_or(open.len());
        if line == open.len() {
            open.push(Vec::new());
        }
        open[line].push(stage);
        chosen.push(line);
    }
    chosen
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Timeline {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut of = Of::default();
        attributes.record(&mut of);
        let name = format!("{}{}", attributes.metadata().name(), of.0);
        let within =
            span.parent().and_then(|parent| parent.extensions().get::<Open>().map(|open| open.id));
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let open = Open { id, within, name, start, entered: None, busy: Duration::ZERO };
        span.extensions_mut().insert(open);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            open.entered = Some(Instant::now());
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>()
            && let Some(entered) = open.entered.take()
        {
            open.busy += entered.elapsed();
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let stage = Stage {
            id: open.id,
            within: open.within,
            name: open.name,
            start: open.start.saturating_duration_since(self.begun),
            took: open.start.elapsed(),
            busy: open.busy,
        };
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).push(stage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(id: u64, within: Option<u64>, start: u64, took: u64) -> Stage {
        let [start, took] = [start, took].map(Duration::from_millis);
        Stage { id, within, name: String::new(), start, took, busy: took }
    }

    #[test]
    fn what_goes_on_side_by_side_has_lines_of_its_own() {
        for (why, stages, wanted) in [
            ("one after the other", vec![stage(1, None, 0, 5), stage(2, None, 5, 5)], vec![0, 0]),
            ("side by side", vec![stage(1, None, 0, 5), stage(2, None, 1, 5)], vec![0, 1]),
            (
                "two within one, side by side",
                vec![stage(1, None, 0, 9), stage(2, Some(1), 1, 5), stage(3, Some(1), 2, 5)],
                vec![0, 0, 1],
            ),
            (
                "within the second",
                vec![stage(1, None, 0, 9), stage(2, None, 1, 8), stage(3, Some(2), 2, 5)],
                vec![0, 1, 1],
            ),
            (
                "longer than what it is within",
                vec![stage(1, None, 0, 3), stage(2, Some(1), 1, 8)],
                vec![0, 1],
            ),
        ] {
            assert_eq!(lines(&stages), wanted, "{why}");
        }
    }
}
