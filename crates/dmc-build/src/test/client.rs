//! The engine's command line, each call with a limit of time and of what is read.
//!
//! Input and output go through unnamed files: nothing blocks on a pipe that a forgotten process
//! holds open, and what a container says without end is read no further than [`MOST`].

use crate::load::Engine;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// As much of an output as is read.
const MOST: u64 = 1 << 20;

/// How often it is asked whether something has come about.
const BEAT: Duration = Duration::from_millis(20);

/// How long an engine may take for what it does itself.
const ENGINE: Duration = Duration::from_mins(2);

/// What a command came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Output {
    /// The exit status; none where a signal ended it.
    pub(crate) status: Option<i32>,
    /// Whether it was ended because it took too long.
    pub(crate) late: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Standard output, then standard error.
    pub(crate) fn text(&self) -> String {
        let gap = if self.stdout.is_empty() || self.stdout.ends_with('\n') { "" } else { "\n" };
        format!("{}{gap}{}", self.stdout, self.stderr)
    }

    pub(crate) fn good(&self) -> bool {
        self.status == Some(0)
    }
}

/// An engine's client.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) engine: Engine,
    stop: Arc<AtomicBool>,
    patience: u32,
}

/// The time that something may take.
#[derive(Debug)]
pub(crate) struct Limit {
    until: Instant,
    stop: Arc<AtomicBool>,
}

impl Limit {
    /// Waits a little; false once the time is over or the run is to stop.
    pub(crate) fn pause(&self) -> bool {
        std::thread::sleep(BEAT);
        !self.stop.load(Ordering::Relaxed) && Instant::now() < self.until
    }
}

impl Client {
    /// A client that ends its calls when `stop` is set, and has `patience` times the usual.
    pub(crate) fn new(engine: Engine, stop: Arc<AtomicBool>, patience: u32) -> Self {
        Self { engine, stop, patience }
    }

    /// A limit that begins now.
    pub(crate) fn limit(&self, time: Duration) -> Limit {
        let until = Instant::now() + time.saturating_mul(self.patience);
        Limit { until, stop: Arc::clone(&self.stop) }
    }

    /// The engine's name and version, as it says them.
    pub(crate) fn version(&self) -> String {
        let said = self.tell(["--version"]);
        said.stdout.lines().next().unwrap_or(self.engine.program()).to_owned()
    }

    /// Something that the engine does itself and that is not broken off: what it has begun to
    /// make could not be removed otherwise.
    pub(crate) fn tell<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        let limit = Limit { until: Instant::now() + ENGINE * self.patience, stop: Arc::default() };
        output(Command::new(self.engine.program()).args(args), b"", &limit)
    }

    /// Something that runs as long as a container's program does.
    pub(crate) fn ask<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
        limit: &Limit,
    ) -> Output {
        output(Command::new(self.engine.program()).args(args), input, limit)
    }
}

/// Runs a program. Failures to run it are told on its standard error.
pub(crate) fn output(command: &mut Command, input: &[u8], limit: &Limit) -> Output {
    bounded(command, input, limit).unwrap_or_else(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        Output { stderr: format!("cannot run {program}: {error}"), ..Output::default() }
    })
}

fn bounded(command: &mut Command, input: &[u8], limit: &Limit) -> io::Result<Output> {
    let (mut stdin, stdout, stderr) =
        (tempfile::tempfile()?, tempfile::tempfile()?, tempfile::tempfile()?);
    stdin.write_all(input)?;
    stdin.rewind()?;
    // A group of its own: Ctrl-C is for dmc, which then ends what it began in order.
    command.process_group(0).stdin(Stdio::from(stdin));
    command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn()?;
    let (status, late) = wait(&mut child, limit)?;
    Ok(Output { status, late, stdout: read(stdout)?, stderr: read(stderr)? })
}

fn wait(child: &mut Child, limit: &Limit) -> io::Result<(Option<i32>, bool)> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status.code(), false));
        }
        if !limit.pause() {
            child.kill()?;
            child.wait()?;
            return Ok((None, true));
        }
    }
}

fn read(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
