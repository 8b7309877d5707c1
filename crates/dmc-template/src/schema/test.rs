//! `[[test]]`: what must hold of the running image.
//!
//! A test is a scene (how the container is started, and which others stand beside it) and steps
//! that are done one after the other; the first that does not hold ends it. A test of one step
//! may name that step directly, as in `http = { port = 8080 }`; several are listed:
//!
//! ```toml
//! [[test]]
//! name = "Data survives a restart"
//! env = { PASSWORD = "s3cret" }
//! files = { "/run/secrets/key" = "key.txt", "/run/secrets/word" = { text = "x" } }
//! volumes = ["/var/lib/mysql"]
//! tmpfs = ["/run/mysqld"]
//! companions = [{ template = "nginx", files = { "/etc/nginx/conf.d/default.conf" = "site.conf" } }]
//! steps = [
//!     { exec = { args = ["mariadb", "-e", "create database d"], within = "30s" } },
//!     { stop = { within = "10s" } },
//!     { start = { env = { PASSWORD = "other" } } },
//!     { exec = { args = ["mariadb", "-e", "show databases"], contains = "d", within = "30s" } },
//!     { log = { contains = "ready for connections" } },
//!     { http = { port = 8080, path = "/x", status = 404 } },
//!     { run = { args = ["--version"], contains = "11.8" } },
//! ]
//! ```
//!
//! Every container has a read-only root, no capabilities, the image's own user, and `/tmp` in
//! memory; all of a test share one network of their own with nothing outside, so that they reach
//! each other on 127.0.0.1. Files named in a test lie below the template's `tests/`.

use crate::words::{ArchPath, Period, Signal, Variable};
use dmc_types::{NameError, TemplateName};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// A test of the running image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TestTable")]
pub struct Test {
    /// What holds, in a sentence.
    pub name: String,
    /// How the image is run.
    pub scene: Scene,
    /// Images that run beside it, in the same network.
    pub companions: Vec<Companion>,
    /// What is done, in order; at least one step.
    pub steps: Vec<TestStep>,
}

/// How a container is run, besides what its image says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scene {
    /// Arguments in place of `cmd`.
    pub args: Option<Vec<String>>,
    /// Environment variables.
    pub env: BTreeMap<Variable, String>,
    /// Files and folders mounted read-only: path in the container = what is there.
    pub files: BTreeMap<ArchPath, MountedFile>,
    /// Folders for data that outlives the container, until the end of the test.
    pub volumes: Vec<ArchPath>,
    /// Folders in memory, besides `/tmp`.
    pub tmpfs: Vec<ArchPath>,
}

/// What a mounted file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountedFile {
    /// A file below the template's `tests/`, or a folder with all that is in it.
    Named(String),
    /// Text as it stands.
    Text(String),
}

/// Another image beside the one that is tested.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "CompanionTable")]
pub struct Companion {
    /// Its template; the image is taken from the same layout.
    pub template: TemplateName,
    /// How it is run.
    pub scene: Scene,
}

/// One thing that a test does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "StepTable")]
pub enum TestStep {
    /// Asks for a page that the running containers serve.
    Http(HttpTest),
    /// Runs a command in a running container.
    Exec(ExecTest),
    /// Runs the image once more, with arguments of its own.
    Run(RunTest),
    /// Looks at a file of the image, without running it.
    File(FileTest),
    /// Looks at what a container has said.
    Log(LogTest),
    /// Stops the container, which has to end in order.
    Stop(StopTest),
    /// Starts a new container on the same volumes.
    Start(StartTest),
}

/// Texts that are looked for: one, or an array of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

/// A page to ask for. It is asked for again until something answers, and while the answer is 502,
/// 503 or 504 and another status is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTest {
    /// The port, of whichever container listens on it.
    pub port: u16,
    /// What is asked for; `/` where none is given.
    #[serde(default = "slash")]
    pub path: String,
    /// The method; GET, or POST where there is a body.
    pub method: Option<String>,
    /// Headers to send.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A body to send.
    pub body: Option<String>,
    /// The answer's status; 200 where none is given.
    #[serde(default = "found")]
    pub status: u16,
    /// What the answer's body holds.
    #[serde(default)]
    pub contains: Texts,
    /// What it does not hold.
    #[serde(default)]
    pub lacks: Texts,
    /// How long it may take until something answers; 30 s where none is given.
    pub within: Option<Period>,
}

fn slash() -> String {
    "/".to_owned()
}

const fn found() -> u16 {
    200
}

/// A command in a running container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecTest {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// The companion in which it runs; the tested container where none is given.
    #[schemars(with = "Option<String>")]
    pub r#in: Option<TemplateName>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<Variable, String>,
    /// What it reads from standard input.
    pub input: Option<String>,
    /// The exit status.
    #[serde(default)]
    pub status: i32,
    /// What standard output or standard error holds.
    #[serde(default)]
    pub contains: Texts,
    /// What they do not hold.
    #[serde(default)]
    pub lacks: Texts,
    /// It is run again until it holds or this time has passed; once where none is given.
    pub within: Option<Period>,
}

/// A container that runs once, on the test's files, variables and volumes; or a companion, which
/// then runs at this step and not before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunTest {
    /// Arguments in place of `cmd`.
    #[serde(default)]
    pub args: Vec<String>,
    /// The companion that runs, beside the tested container; the tested image where none is given.
    #[schemars(with = "Option<String>")]
    pub r#in: Option<TemplateName>,
    /// A program in place of the image's entrypoint.
    pub entrypoint: Option<String>,
    /// Environment variables, besides the test's own.
    #[serde(default)]
    pub env: BTreeMap<Variable, String>,
    /// What it reads from standard input.
    pub input: Option<String>,
    /// The exit status.
    #[serde(default)]
    pub status: i32,
    /// What standard output or standard error holds.
    #[serde(default)]
    pub contains: Texts,
    /// What they do not hold.
    #[serde(default)]
    pub lacks: Texts,
    /// How long it may take; 60 s where none is given. A companion runs again until it holds.
    pub within: Option<Period>,
}

/// A file of the image, for images that have no program, too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileTest {
    /// Where it is.
    pub path: ArchPath,
    /// What it holds.
    #[serde(default)]
    pub contains: Texts,
    /// What it does not hold.
    #[serde(default)]
    pub lacks: Texts,
}

/// What a container says on standard output and standard error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogTest {
    /// The companion that says it; the tested container where none is given.
    #[schemars(with = "Option<String>")]
    pub r#in: Option<TemplateName>,
    /// What is said.
    #[serde(default)]
    pub contains: Texts,
    /// What is not.
    #[serde(default)]
    pub lacks: Texts,
    /// How long it may take until all is said; 30 s where none is given.
    pub within: Option<Period>,
}

/// An end in order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopTest {
    /// The signal; the image's own where none is given.
    pub signal: Option<Signal>,
    /// How long it may take; 10 s where none is given.
    pub within: Option<Period>,
    /// The exit status.
    #[serde(default)]
    pub status: i32,
}

/// A start on the same volumes, of all containers of the test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartTest {
    /// Arguments in place of the test's own.
    pub args: Option<Vec<String>>,
    /// Environment variables in place of the test's own of the same name.
    #[serde(default)]
    pub env: BTreeMap<Variable, String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestTable {
    name: String,
    args: Option<Vec<String>>,
    #[serde(default)]
    env: BTreeMap<Variable, String>,
    #[serde(default)]
    files: BTreeMap<ArchPath, MountedFile>,
    #[serde(default)]
    volumes: Vec<ArchPath>,
    #[serde(default)]
    tmpfs: Vec<ArchPath>,
    #[serde(default)]
    companions: Vec<Companion>,
    http: Option<HttpTest>,
    exec: Option<ExecTest>,
    run: Option<RunTest>,
    file: Option<FileTest>,
    log: Option<LogTest>,
    stop: Option<StopTest>,
    #[serde(default)]
    steps: Vec<TestStep>,
}

impl TryFrom<TestTable> for Test {
    type Error = NameError;

    fn try_from(table: TestTable) -> Result<Self, NameError> {
        let TestTable { http, exec, run, file, log, stop, mut steps, .. } = table;
        let direct = StepTable { http, exec, run, file, log, stop, start: None }.steps();
        match (direct.len(), steps.is_empty()) {
            (0, false) => {}
            (1, true) => steps = direct,
            _ => {
                let rule =
                    "it has one of `http`, `run`, `exec`, `file`, `log` and `stop`, or `steps`";
                return Err(NameError { text: table.name, kind: "test", rule });
            }
        }
        let TestTable { args, env, files, volumes, tmpfs, .. } = table;
        let scene = Scene { args, env, files, volumes, tmpfs };
        Ok(Self { name: table.name, scene, companions: table.companions, steps })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompanionTable {
    #[schemars(with = "String")]
    template: TemplateName,
    args: Option<Vec<String>>,
    #[serde(default)]
    env: BTreeMap<Variable, String>,
    #[serde(default)]
    files: BTreeMap<ArchPath, MountedFile>,
    #[serde(default)]
    volumes: Vec<ArchPath>,
    #[serde(default)]
    tmpfs: Vec<ArchPath>,
}

impl From<CompanionTable> for Companion {
    fn from(table: CompanionTable) -> Self {
        let CompanionTable { template, args, env, files, volumes, tmpfs } = table;
        Self { template, scene: Scene { args, env, files, volumes, tmpfs } }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepTable {
    http: Option<HttpTest>,
    exec: Option<ExecTest>,
    run: Option<RunTest>,
    file: Option<FileTest>,
    log: Option<LogTest>,
    stop: Option<StopTest>,
    start: Option<StartTest>,
}

impl StepTable {
    fn steps(self) -> Vec<TestStep> {
        let steps = [
            self.http.map(TestStep::Http),
            self.exec.map(TestStep::Exec),
            self.run.map(TestStep::Run),
            self.file.map(TestStep::File),
            self.log.map(TestStep::Log),
            self.stop.map(TestStep::Stop),
            self.start.map(TestStep::Start),
        ];
        steps.into_iter().flatten().collect()
    }
}

impl TryFrom<StepTable> for TestStep {
    type Error = NameError;

    fn try_from(table: StepTable) -> Result<Self, NameError> {
        let mut steps = table.steps();
        match (steps.pop(), steps.is_empty()) {
            (Some(step), true) => Ok(step),
            _ => Err(NameError {
                text: "{ … }".to_owned(),
                kind: "step of a test",
                rule: "it has one of `http`, `exec`, `run`, `file`, `log`, `stop` and `start`",
            }),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextTable {
    text: String,
}

impl<'de> Deserialize<'de> for MountedFile {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = MountedFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file or folder below tests/, or { text = \"…\" }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<MountedFile, E> {
                Ok(MountedFile::Named(name.trim_end_matches('/').to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MountedFile, A::Error> {
                let table = TextTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(MountedFile::Text(table.text))
            }
        }
        d.deserialize_any(NameOrTable)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or an array of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        d.deserialize_any(OneOrMore)
    }
}
