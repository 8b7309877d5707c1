//! Containers that serve pages.

use crate::engine::Engine;
use crate::http::{Page, free_port, get};
use crate::process::{Done, run};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// What makes a container as harmless as it can be.
const CONFINED: [&str; 6] = ["--read-only", "--cap-drop=all", "--user", "65532", "--tmpfs", "/tmp"];

/// How long a container may take until it is ready; emulated processors are slow.
const PATIENCE: Duration = Duration::from_mins(2);

/// The same, as the image's own user.
const ALONE: [&str; 4] = ["--read-only", "--cap-drop=all", "--tmpfs", "/tmp"];

/// Runs an image to its end, as its own user, without privileges, and without a network unless the
/// options give it one.
#[track_caller]
pub fn confined(engine: &Engine, options: &[&str], image: &[&str]) -> Done {
    run(alone(engine, "--rm", options).args(image))
}

fn alone(engine: &Engine, how: &str, options: &[&str]) -> Command {
    let mut command = engine.command();
    command.args(["run", how]).args(ALONE).args(options);
    if !options.iter().any(|option| option.starts_with("--network")) {
        command.arg("--network=none");
    }
    command
}

/// A running container, removed when this value goes.
#[derive(Debug)]
pub struct Container<'a> {
    engine: &'a Engine,
    id: String,
    port: u16,
}

impl<'a> Container<'a> {
    /// Runs an image as it is, with its port 8080 on a free port of loopback. For one test at a
    /// time: engines of their own would take the same addresses on the same bridge.
    #[track_caller]
    pub fn published(engine: &'a Engine, image: &[&str]) -> Self {
        let port = free_port();
        let publish = format!("127.0.0.1:{port}:8080");
        Self::start(engine, port, &["-p", &publish], image)
    }

    /// Runs an image on the host's network with a site of its own: `listen` is filled in, and
    /// `location` is what the site says of `/`.
    #[track_caller]
    pub fn with_site(engine: &'a Engine, location: &str, image: &[&str]) -> Self {
        let port = free_port();
        let site = format!(
            "server {{ listen 127.0.0.1:{port}; root /usr/share/nginx/html; \
             location / {{ {location} }} }}\n"
        );
        let file = engine.folder().join(format!("site-{port}.conf"));
        fs::write(&file, site).unwrap();
        let mount = format!("{}:/etc/nginx/conf.d/default.conf:ro", file.display());
        Self::start(engine, port, &["--network=host", "-v", &mount], image)
    }

    /// Runs an image on the host's network that listens on `port` by itself.
    #[track_caller]
    pub fn on_host(engine: &'a Engine, port: u16, image: &[&str]) -> Self {
        Self::start(engine, port, &["--network=host"], image)
    }

    /// Runs an image as its own user, without privileges, and without a network unless the options
    /// give it one.
    #[track_caller]
    pub fn alone(engine: &'a Engine, options: &[&str], image: &[&str]) -> Self {
        let id = run(alone(engine, "-d", options).args(image)).ok().stdout.trim().to_owned();
        Self { engine, id, port: 0 }
    }

    /// Its number with the engine.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Kills it, as a machine would that loses its power.
    #[track_caller]
    pub fn kill(&self) {
        self.tell(&["kill", "-s", "KILL"]);
        self.tell(&["wait"]);
    }

    /// Starts it again after its end.
    #[track_caller]
    pub fn again(&self) {
        self.tell(&["start"]);
    }

    /// Has the engine stop it by the image's own signal, and returns the exit code; 137 where it
    /// did not end by itself within 30 seconds.
    #[track_caller]
    pub fn stop(&self) -> i32 {
        self.tell(&["stop", "-t", "30"]);
        let code = self.tell(&["wait"]).stdout;
        code.trim().parse().expect("an exit code")
    }

    #[track_caller]
    fn start(engine: &'a Engine, port: u16, options: &[&str], image: &[&str]) -> Self {
        let mut command = engine.command();
        command.args(["run", "-d"]).args(CONFINED).args(options).args(image);
        let id = run(&mut command).ok().stdout.trim().to_owned();
        Self { engine, id, port }
    }

    /// The port that it was started for.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it has said this.
    #[track_caller]
    pub fn wait_until_it_says(&self, text: &str) {
        let start = Instant::now();
        loop {
            let logs = self.logs();
            if logs.stdout.contains(text) || logs.stderr.contains(text) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "it does not say `{text}`: {logs:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Gets a page from it.
    #[track_caller]
    pub fn get(&self, path: &str) -> Page {
        get(self.port, path)
    }

    /// Sends QUIT and waits for the exit code.
    #[track_caller]
    pub fn quit(&self) -> i32 {
        self.tell(&["kill", "-s", "QUIT"]);
        let code = self.tell(&["wait"]).stdout;
        code.trim().parse().expect("an exit code")
    }

    /// What it has said, on stdout and on stderr.
    #[track_caller]
    pub fn logs(&self) -> Done {
        self.tell(&["logs"])
    }

    #[track_caller]
    fn tell(&self, args: &[&str]) -> Done {
        run(self.engine.command().args(args).arg(&self.id)).ok()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.engine.command().args(["rm", "-f", &self.id]).output();
    }
}
