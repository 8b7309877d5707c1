//! The container of the live image on this machine, and how a new one takes its place.
//!
//! The new container is made while the old one runs, so that most of what can go wrong does so
//! before anything is stopped. Then the old one is stopped and put aside, as ports and volumes can
//! have one user alone, and the new one is started. Where it ends, or its health check does not
//! hold, it is removed and the old one runs again. Containers that dmc did not start are left alone.

use super::error::PromoteError;
use crate::test::client::Client;
use dmc_types::{Sha256, TemplateName};
use std::time::Duration;

/// The label that says which template a container is of.
const TEMPLATE: &str = "dmc.template";
/// The label that says which index it runs.
const INDEX: &str = "dmc.index";

/// How containers run, as those of tests do: see docs/testing.md.
const CONFINED: [&str; 5] = [
    "--pull=never",
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp",
];

/// How long a program may take until its health check holds.
const HEALTHY: Duration = Duration::from_mins(1);
/// How long a program without a check must run.
const SETTLED: Duration = Duration::from_secs(2);

/// What is to run.
pub(crate) struct Service<'a> {
    pub(crate) client: &'a Client,
    pub(crate) template: &'a TemplateName,
    /// The container's name.
    pub(crate) name: String,
    pub(crate) index: Sha256,
    /// The engine's name of the image.
    pub(crate) image: String,
    /// Options of the container besides those that all have.
    pub(crate) options: Vec<String>,
    /// Arguments in place of the image's.
    pub(crate) args: Vec<String>,
    /// The program that says whether it is well, if there is one.
    pub(crate) check: Option<Vec<String>>,
}

/// A container that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct There {
    /// Whether dmc started it.
    pub(crate) ours: bool,
    pub(crate) running: bool,
    /// The index that it runs.
    pub(crate) index: Option<Sha256>,
}

/// A container's state in the engine's words.
fn state(client: &Client, name: &str, template: &TemplateName) -> Option<There> {
    let format = format!(
        "{{{{.State.Running}}}} {{{{index .Config.Labels \"{TEMPLATE}\"}}}} \
         {{{{index .Config.Labels \"{INDEX}\"}}}}"
    );
    let told = client.tell(["container", "inspect", "-f", &format, name]);
    if !told.good() {
        return None;
    }
    let mut words = told.stdout.trim().split(' ');
    let running = words.next() == Some("true");
    let ours = words.next() == Some(template.as_str());
    let index = words.next().and_then(|digits| digits.parse().ok());
    Some(There { ours, running, index })
}

impl Service<'_> {
    /// The container of that name, as it is now.
    pub(crate) fn there(&self) -> Option<There> {
        let there = state(self.client, &self.name, self.template);
        if there.is_some() {
            return there;
        }
        // An earlier run was killed between two steps: what it had put aside is the one that ran.
        let aside = state(self.client, &self.aside(), self.template)?;
        self.client.tell(["rename", &self.aside(), &self.name]).good().then_some(aside)
    }

    fn aside(&self) -> String {
        format!("{}.before", self.name)
    }

    /// Starts it; what runs under its name gives way, or comes back where the new one fails.
    pub(crate) fn replace(&self, old: Option<&There>) -> Result<(), PromoteError> {
        let new = format!("{}.next", self.name);
        self.remove(&new);
        let created = self.client.tell(self.line(&new));
        if !created.good() {
            self.remove(&new);
            return Err(self.failed("it cannot be made", &created.text(), None));
        }
        if old.is_some() {
            self.remove(&self.aside());
            self.client.tell(["stop", &self.name]);
            let moved = self.client.tell(["rename", &self.name, &self.aside()]);
            if !moved.good() {
                self.remove(&new);
                let back = self.started(old);
                return Err(self.failed("the old one cannot be put aside", &moved.text(), back));
            }
        }
        self.client.tell(["rename", &new, &self.name]);
        match self.start() {
            Ok(()) => {
                self.remove(&self.aside());
                Ok(())
            }
            Err((what, said)) => {
                // Whichever of its two names it bears.
                self.remove(&new);
                self.remove(&self.name);
                let back =
                    old.is_some().then(|| self.client.tell(["rename", &self.aside(), &self.name]));
                let back = back.and_then(|_| self.started(old));
                Err(self.failed(&what, &said, back))
            }
        }
    }

    /// Starts the old one again, if it ran. Says whether it does.
    fn started(&self, old: Option<&There>) -> Option<bool> {
        let ran = old.is_some_and(|old| old.running);
        ran.then(|| self.client.tell(["start", &self.name]).good())
    }

    /// Starts the new one and waits until it is well.
    fn start(&self) -> Result<(), (String, String)> {
        let started = self.client.tell(["start", &self.name]);
        if !started.good() {
            return Err(("it does not start".to_owned(), started.text()));
        }
        let limit = self.client.limit(if self.check.is_some() { HEALTHY } else { SETTLED });
        loop {
            if !self.runs() {
                let said = self.client.tell(["logs", "--tail", "20", &self.name]).text();
                return Err(("it ends by itself".to_owned(), said));
            }
            let said = match &self.check {
                Some(check) => {
                    let words =
                        ["exec", &self.name].into_iter().chain(check.iter().map(String::as_str));
                    let checked = self.client.ask(words, b"", &limit);
                    if checked.good() {
                        return Ok(());
                    }
                    Some(checked.text())
                }
                None => None,
            };
            if !limit.pause() {
                return match said {
                    Some(said) => Err(("its health check does not hold".to_owned(), said)),
                    None => Ok(()),
                };
            }
        }
    }

    /// Whether it runs, and has run since it was started.
    fn runs(&self) -> bool {
        let format = "{{.State.Running}} {{.RestartCount}}";
        let told = self.client.tell(["container", "inspect", "-f", format, &self.name]);
        told.stdout.trim() == "true 0"
    }

    fn remove(&self, name: &str) {
        // With what dmc has not started it has nothing to do, whatever its name.
        if state(self.client, name, self.template).is_some_and(|there| there.ours) {
            self.client.tell(["rm", "-f", name]);
        }
    }

    /// The command line that makes the container.
    fn line(&self, name: &str) -> Vec<String> {
        let mut line: Vec<String> = ["create", "--name", name].map(str::to_owned).to_vec();
        line.extend(CONFINED.map(str::to_owned));
        if self.client.engine == crate::load::Engine::Podman {
            line.push("--read-only-tmpfs=false".to_owned());
        }
        line.push(format!("--label={TEMPLATE}={}", self.template));
        line.push(format!("--label={INDEX}={}", self.index));
        line.extend(self.options.iter().cloned());
        line.push(self.image.clone());
        line.extend(self.args.iter().cloned());
        line
    }

    fn failed(&self, what: &str, said: &str, back: Option<bool>) -> PromoteError {
        PromoteError::Container {
            name: self.name.clone(),
            why: format!("{what}{}", crate::test::shown("it said", said)),
            back: match back {
                Some(true) => "the old one runs again",
                Some(false) => "and the old one does not start again either",
                None => "nothing runs in its place",
            },
        }
    }
}
