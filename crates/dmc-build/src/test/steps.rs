//! A test's steps, one after the other.

use super::client::{Limit, output};
use super::http;
use super::judge::{self, Held, shown, spelled};
use super::scene::Scene;
use dmc_template::{ExecTest, HttpTest, LogTest, Period, RunTest, StopTest, TestStep};
use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// How long it may take until something answers, or is said.
const READY: Duration = Duration::from_secs(30);
/// How long a command in a container may take.
const EXEC: Duration = Duration::from_mins(1);
/// How long an end in order may take.
const STOP: Duration = Duration::from_secs(10);

/// What steps need besides the containers.
pub(crate) struct Means<'a> {
    /// A program that hands its input to the port that is named after these words, and prints
    /// what comes back.
    pub(crate) relay: &'a [OsString],
    /// The signal that stops the image.
    pub(crate) stop_signal: &'a str,
}

/// Does the steps of a test; the first that does not hold ends it.
pub(crate) fn perform(scene: &mut Scene, means: &Means) -> Held {
    let test = scene.test;
    for (number, step) in test.test.steps.iter().enumerate() {
        if let Err(why) = one(scene, step, means) {
            let place = match test.test.steps.len() {
                1 => String::new(),
                _ => format!("step {}, ", number + 1),
            };
            return Err(format!("{place}{}: {why}{}", called(step), scene.last_words()));
        }
    }
    scene.all_run().map_err(|why| format!("at the end: {why}{}", scene.last_words()))
}

fn one(scene: &mut Scene, step: &TestStep, means: &Means) -> Held {
    match step {
        TestStep::Start(start) => return scene.start(start),
        TestStep::Run(run) if run.r#in.is_none() => {
            let output = scene.run(run)?;
            return judge::output(&output, run.status, &run.contains, &run.lacks);
        }
        TestStep::File(file) => {
            let text = scene.file(&file.path)?;
            return judge::texts(&text, &file.contains, &file.lacks);
        }
        _ => scene.start_once()?,
    }
    match step {
        TestStep::Http(http) => page(scene, http, means.relay),
        TestStep::Exec(exec) => command(scene, exec),
        TestStep::Log(log) => said(scene, log),
        TestStep::Stop(order) => end(scene, order, means.stop_signal),
        TestStep::Run(run) => call(scene, run),
        TestStep::Start(_) | TestStep::File(_) => Ok(()),
    }
}

/// A step in a few words.
fn called(step: &TestStep) -> String {
    match step {
        TestStep::Http(test) => {
            format!("{} {} on port {}", http::method(test), test.path, test.port)
        }
        TestStep::Exec(test) => format!("exec {}", test.args.join(" ")),
        TestStep::Run(test) => format!("run {}", test.args.join(" ")),
        TestStep::File(test) => format!("file {}", test.path),
        TestStep::Log(_) => "log".to_owned(),
        TestStep::Stop(_) => "stop".to_owned(),
        TestStep::Start(_) => "start".to_owned(),
    }
}

fn page(scene: &Scene, test: &HttpTest, relay: &[OsString]) -> Held {
    let time = test.within.map_or(READY, Period::duration);
    let limit = scene.client.limit(time);
    let request = http::request(test);
    loop {
        let came = ask(scene, relay, test.port, &request, &limit)?;
        let answer = http::answer(&came);
        if let Some(answer) = &answer
            && (answer.status == test.status || !http::is_early(answer.status))
        {
            return answered(test, answer);
        }
        scene.all_run()?;
        if !limit.pause() {
            return match answer {
                Some(answer) => answered(test, &answer),
                None => Err(format!("expected an answer, got none within {}", spelled(time))),
            };
        }
    }
}

fn answered(test: &HttpTest, answer: &http::Answer) -> Held {
    let held = if answer.status == test.status {
        judge::texts(&answer.body, &test.contains, &test.lacks)
    } else {
        Err(format!("expected status {}, got {}", test.status, answer.status))
    };
    held.map_err(|what| what + &shown("the answer", &answer.body))
}

/// Sends a request from inside the test's network.
fn ask(scene: &Scene, relay: &[OsString], port: u16, request: &str, limit: &Limit) -> Held<String> {
    let inspected = scene.client.tell(["inspect", "-f", "{{.State.Pid}}", scene.container(None)?]);
    let pid = inspected.stdout.trim();
    let mut enter = Command::new("nsenter");
    let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/user")).ok();
    // An ordinary user's containers are in a namespace of users where he is root.
    if space(pid).is_some_and(|other| Some(other) != space("self")) {
        enter.args(["-U", "--preserve-credentials"]);
    }
    enter.args(["-n", "-t", pid, "--"]).args(relay).arg(port.to_string());
    let came = output(&mut enter, request.as_bytes(), limit);
    let refused = came.stderr.starts_with("nsenter:") || came.stderr.starts_with("cannot run");
    // A container that ended has no network either; that is told by whoever looks at it.
    if refused && scene.all_run().is_ok() {
        let advice = "install util-linux; with docker be root, or use podman";
        let said = came.stderr.trim();
        return Err(format!("the container's network cannot be entered: {said} ({advice})"));
    }
    Ok(came.stdout)
}

fn command(scene: &Scene, test: &ExecTest) -> Held {
    let mut line = vec!["exec".to_owned(), "-i".to_owned()];
    line.extend(test.env.iter().map(|(name, value)| format!("--env={name}={value}")));
    line.push(scene.container(test.r#in.as_ref())?.to_owned());
    line.extend(test.args.iter().cloned());
    let input = test.input.as_deref().unwrap_or_default().as_bytes();
    let until = scene.client.limit(test.within.map_or(Duration::ZERO, Period::duration));
    loop {
        let output = scene.client.ask(&line, input, &scene.client.limit(EXEC));
        match judge::output(&output, test.status, &test.contains, &test.lacks) {
            Err(why) if !until.pause() => return Err(why),
            Err(_) => scene.all_run()?,
            Ok(()) => return Ok(()),
        }
    }
}

/// Runs a companion until what it says holds.
fn call(scene: &mut Scene, test: &RunTest) -> Held {
    let until = scene.client.limit(test.within.map_or(READY, Period::duration));
    loop {
        let output = scene.run(test)?;
        match judge::output(&output, test.status, &test.contains, &test.lacks) {
            Err(why) if !until.pause() => return Err(why),
            Err(_) => scene.all_run()?,
            Ok(()) => return Ok(()),
        }
    }
}

fn said(scene: &Scene, test: &LogTest) -> Held {
    let container = scene.container(test.r#in.as_ref())?;
    let limit = scene.client.limit(test.within.map_or(READY, Period::duration));
    loop {
        let all = scene.client.tell(["logs", container]).text();
        match judge::texts(&all, &test.contains, &test.lacks) {
            Err(why) if test.lacks.0.iter().any(|it| all.contains(it)) => return Err(why),
            Err(why) if !limit.pause() => return Err(why),
            Err(_) => {}
            Ok(()) => return Ok(()),
        }
    }
}

fn end(scene: &mut Scene, test: &StopTest, usual: &str) -> Held {
    let signal = test.signal.as_ref().map_or(usual, |signal| signal.as_str());
    let time = test.within.map_or(STOP, Period::duration);
    let container = scene.container(None)?.to_owned();
    let limit = scene.client.limit(time);
    let sent = scene.client.tell(["kill", "-s", signal, &container]);
    if !sent.good() {
        return Err(format!(
            "it cannot be sent {signal}{}",
            shown("the engine said", &sent.text())
        ));
    }
    loop {
        match scene.ended(&container)? {
            Some(status) if status == test.status => break,
            Some(status) => {
                return Err(format!(
                    "expected exit status {} after {signal}, got {status}",
                    test.status
                ));
            }
            None if !limit.pause() => {
                return Err(format!(
                    "expected an end within {} of {signal}, it still runs",
                    spelled(time)
                ));
            }
            None => {}
        }
    }
    scene.stopped();
    Ok(())
}
