//! What goes to stderr and to the log file.
//!
//! `OUT_level` and `LOG_level` (NONE, ERROR, WARN, INFO, ALL) choose what is said on stderr and
//! what is written to `dmc.log` in `LOG_dir`; without `LOG_dir` there is no log. Lines on stderr
//! go above progress bars.

use crate::error::CommandError;
use crate::progress::Bars;
use crate::timeline::{self, Timeline};
use std::io::{self, Write};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// Days of logs that are kept.
const LOGS_KEPT: usize = 14;

/// Reads one of the level names.
pub(crate) fn level(variable: &str, text: &str) -> Result<LevelFilter, CommandError> {
    match text.to_ascii_uppercase().as_str() {
        "NONE" => Ok(LevelFilter::OFF),
        "ERROR" => Ok(LevelFilter::ERROR),
        "WARN" => Ok(LevelFilter::WARN),
        "INFO" => Ok(LevelFilter::INFO),
        "ALL" => Ok(LevelFilter::TRACE),
        _ => Err(CommandError::usage(format!("`{text}` is not a level for {variable}"))
            .hint("use NONE, ERROR, WARN, INFO or ALL")),
    }
}

/// Where messages go, and how many of them.
pub(crate) struct Logging {
    pub(crate) out: LevelFilter,
    pub(crate) log: LevelFilter,
    pub(crate) folder: Option<String>,
}

/// Sends messages on their way from now on.
pub(crate) fn start(
    logging: &Logging,
    bars: Bars,
    timeline: Option<Timeline>,
) -> Result<(), CommandError> {
    let ours = |level: LevelFilter| {
        // Other crates speak to their own developers; only their warnings are the user's concern.
        Targets::new()
            .with_default(level.min(LevelFilter::WARN))
            // What it has to say of a certificate is in the error.
            .with_target("rustls_platform_verifier", LevelFilter::OFF)
            .with_targets(
                ["dmc", "dmc_archive", "dmc_build", "dmc_image"].map(|name| (name, level)),
            )
    };
    let stderr = fmt::layer()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(bars)
        .with_filter(ours(logging.out));
    let file = match &logging.folder {
        Some(folder) => Some(
            fmt::layer()
                .with_ansi(false)
                .with_target(false)
                .with_writer(std::sync::Mutex::new(appender(folder)?))
                .with_filter(ours(logging.log)),
        ),
        None => None,
    };
    let stages = Targets::new().with_target(timeline::TARGET, LevelFilter::TRACE);
    let timeline = timeline.map(|timeline| timeline.with_filter(stages));
    tracing_subscriber::registry().with(stderr).with(file).with(timeline).init();
    Ok(())
}

fn appender(folder: &str) -> Result<RollingFileAppender, CommandError> {
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("dmc")
        .filename_suffix("log")
        .max_log_files(LOGS_KEPT)
        .build(folder)
        .map_err(|source| {
            CommandError::failed(format!("cannot write logs to `{folder}`"))
                .because(&source)
                .hint("set LOG_dir to a folder that you can write to, or unset it")
        })
}

impl<'a> MakeWriter<'a> for Bars {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { bars: self, bytes: Vec::new() }
    }
}

/// One message, written whole when it is complete.
pub(crate) struct Line<'a> {
    bars: &'a Bars,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        // The formatter pads its level names for columns; without times there is none.
        self.bars.say(String::from_utf8_lossy(&self.bytes).trim_start());
    }
}
