//! Other programs: run with a limit of time, or in the background until they are not needed.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest that any one program may take.
const LIMIT: Duration = Duration::from_mins(5);

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Done {
    command: String,
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Done {
    /// Itself, if the program succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.code_is(0)
    }

    /// Itself, if the program ended with this code.
    #[track_caller]
    pub fn code_is(self, code: i32) -> Self {
        let Self { command, stdout, stderr, .. } = &self;
        assert_eq!(
            self.code,
            Some(code),
            "{command} did not end with {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
        self
    }
}

/// The command for a program, which must be installed.
#[track_caller]
pub fn tool(program: &str, package: &str) -> Command {
    assert!(
        on_path(program).is_some(),
        "this test needs `{program}`: install it with `apt-get install {package}`, \
         or run scripts/test, which installs everything"
    );
    Command::new(program)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Stops a test that cannot work for an ordinary user.
#[track_caller]
pub fn need_root(why: &str) {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test must run as root ({why}): run scripts/test, which uses sudo"
    );
}

/// Runs a program to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Done {
    let shown = format!("{command:?}");
    // Files, not pipes: a program that leaves children behind would hold a pipe open.
    let mut out = tempfile::tempfile().unwrap();
    let mut err = tempfile::tempfile().unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(err.try_clone().unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
    let status = wait(&mut child, LIMIT);
    let (stdout, stderr) = (text(&mut out), text(&mut err));
    let Some(status) = status else {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{shown} took longer than {LIMIT:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
    };
    Done { command: shown, code: status.code(), stdout, stderr }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A program that runs until this value goes.
#[derive(Debug)]
pub struct Background(Child);

impl Background {
    /// Starts a program; what it says goes to `log`.
    #[track_caller]
    pub fn start(command: &mut Command, log: &File) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log.try_clone().unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self(child)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        if wait(&mut self.0, Duration::from_secs(20)).is_none() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
