//! The containers of one test.
//!
//! The tested one owns the network, which has loopback alone; companions and one-shot runs join
//! it. Files lie in a temporary folder and are mounted read-only.

use super::client::{Client, Output};
use super::judge::{Held, shown};
use super::names::{RunNames, TestNames};
use crate::load::Engine;
use dmc_template::{ArchPath, RunTest, SideFolder, StartTest, TemplateTest, TestStep};
use dmc_types::{Arch, TemplateName};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// How every container is run, as a careful user would: see docs/testing.md.
const CONFINED: [&str; 8] = [
    "--pull=never",
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp:size=512m",
    "--memory=1g",
    "--pids-limit=512",
    "--log-driver=json-file",
];

/// How long a container may run that runs once.
const RUN: Duration = Duration::from_mins(1);

/// One container's part of the command line.
struct Role {
    image: String,
    mounts: Vec<String>,
    env: BTreeMap<String, String>,
    args: Option<Vec<String>>,
}

/// The image that is tested.
pub(crate) struct Subject<'a> {
    pub(crate) template: &'a TemplateName,
    pub(crate) arch: Arch,
    /// What comes before a test's own arguments.
    pub(crate) program: &'a [String],
}

/// A test's containers; whatever was started is removed when this goes.
pub(crate) struct Scene<'a> {
    pub(crate) client: &'a Client,
    pub(crate) test: &'a TemplateTest,
    names: TestNames,
    program: &'a [String],
    tested: Role,
    /// Companions that run beside it.
    companions: Vec<(TemplateName, Role)>,
    /// Companions that run at a step of their own.
    callers: Vec<(TemplateName, Role)>,
    arch: Arch,
    /// The running containers' names, the tested one first; empty while they are stopped.
    running: Vec<String>,
    #[expect(dead_code, reason = "it is removed when the scene is dropped")]
    folder: TempDir,
}

impl<'a> Scene<'a> {
    /// Lays out files; starts nothing.
    pub(crate) fn new(
        client: &'a Client,
        names: &RunNames,
        number: usize,
        test: &'a TemplateTest,
        subject: &Subject<'a>,
        images: &BTreeMap<TemplateName, String>,
    ) -> Held<Self> {
        let mut names = names.of_test(number);
        let folder = TempDir::with_prefix("dmc-test-").map_err(|error| error.to_string())?;
        let mut roles = 0;
        let mut role = |template: &TemplateName, scene: &dmc_template::Scene| {
            let files = folder.path().join(roles.to_string());
            roles += 1;
            Ok::<Role, String>(Role {
                image: images.get(template).cloned().unwrap_or_default(),
                mounts: mounts(scene, &test.folder, subject.arch, &files, &mut names)?,
                env: scene.env.iter().map(|(k, v)| (k.to_string(), v.clone())).collect(),
                args: scene.args.clone(),
            })
        };
        let tested = role(subject.template, &test.test.scene)?;
        let (mut companions, mut callers) = (Vec::new(), Vec::new());
        let calls = |template: &TemplateName| {
            let step = |step: &TestStep| matches!(step, TestStep::Run(run) if run.r#in.as_ref() == Some(template));
            test.test.steps.iter().any(step)
        };
        for companion in &test.test.companions {
            let role = role(&companion.template, &companion.scene)?;
            let list = if calls(&companion.template) { &mut callers } else { &mut companions };
            list.push((companion.template.clone(), role));
        }
        let running = Vec::new();
        let (program, arch) = (subject.program, subject.arch);
        Ok(Self {
            client,
            test,
            names,
            program,
            tested,
            companions,
            callers,
            arch,
            running,
            folder,
        })
    }

    /// Starts all containers, new ones where there were some before.
    pub(crate) fn start(&mut self, change: &StartTest) -> Held {
        if !self.running.is_empty() {
            return Err("it is running already: a `stop` comes before a `start`".to_owned());
        }
        self.names.remove_containers();
        for number in 0..=self.companions.len() {
            let name = self.names.container();
            let network = match self.running.first() {
                Some(first) => format!("--network=container:{first}"),
                None => "--network=none".to_owned(),
            };
            let mut line =
                vec!["run".to_owned(), "-d".to_owned(), "--name".to_owned(), name.clone()];
            line.push(network);
            let companion = number.checked_sub(1).and_then(|at| self.companions.get(at));
            if let Some((_, role)) = companion {
                self.append(&mut line, role, &[]);
                line.extend(role.args.iter().flatten().cloned());
            } else {
                self.append(&mut line, &self.tested, &pairs(&change.env));
                if let Some(args) = change.args.as_ref().or(self.tested.args.as_ref()) {
                    line.extend(self.program.iter().chain(args).cloned());
                }
            }
            let output = self.client.tell(&line);
            if !output.good() {
                let who = companion
                    .map_or("the container".to_owned(), |(it, _)| format!("companion {it}"));
                let said = shown("the engine said", &output.text());
                return Err(format!("{who} cannot be started{said}"));
            }
            self.running.push(name);
        }
        Ok(())
    }

    /// Starts the containers unless they are running.
    pub(crate) fn start_once(&mut self) -> Held {
        if self.running.is_empty() { self.start(&StartTest::default()) } else { Ok(()) }
    }

    /// Runs the image once more, or a companion, in the network of the running containers if there
    /// are any.
    pub(crate) fn run(&mut self, run: &RunTest) -> Held<Output> {
        let (role, program) = match &run.r#in {
            None => (&self.tested, self.program),
            Some(template) => {
                let role = self.callers.iter().find(|(it, _)| it == template);
                let role =
                    role.ok_or_else(|| format!("`{template}` is not among the companions"))?;
                (&role.1, &[][..])
            }
        };
        let name = self.names.container();
        let network =
            self.running.first().map_or("none".to_owned(), |it| format!("container:{it}"));
        let mut line =
            ["create", "-i", "--name", &name, "--network", &network].map(str::to_owned).to_vec();
        line.extend(run.entrypoint.iter().map(|program| format!("--entrypoint={program}")));
        self.append(&mut line, role, &pairs(&run.env));
        let program = if run.entrypoint.is_none() { program } else { &[] };
        line.extend(program.iter().chain(&run.args).cloned());
        let created = self.client.tell(&line);
        if !created.good() {
            return Ok(created);
        }
        let limit = self.client.limit(run.within.map_or(RUN, dmc_template::Period::duration));
        let input = run.input.as_deref().unwrap_or_default().as_bytes();
        Ok(self.client.ask(["start", "-a", "-i", &name], input, &limit))
    }

    /// A file of the image: its header in a tar archive, and what it holds.
    pub(crate) fn file(&mut self, path: &ArchPath) -> Held<String> {
        let path = path.for_arch(self.arch).map_err(|error| error.to_string())?;
        let name = self.names.container();
        let mut line = ["create", "--name", &name, "--network=none"].map(str::to_owned).to_vec();
        self.append(&mut line, &self.tested, &[]);
        // It is not run; but engines make no container without a program.
        line.push("/none".to_owned());
        let created = self.client.tell(&line);
        if !created.good() {
            return Err(shown("the engine said", &created.text()));
        }
        let copied = self.client.tell(["cp", &format!("{name}:{path}"), "-"]);
        if copied.good() { Ok(copied.stdout) } else { Err(format!("there is no {path}")) }
    }

    /// What follows in the command line of a container: how it is confined, what it sees.
    fn append(&self, line: &mut Vec<String>, role: &Role, env: &[(String, String)]) {
        line.extend(CONFINED.map(str::to_owned));
        if self.client.engine == Engine::Podman {
            // Without this, podman makes more writable than docker does.
            line.push("--read-only-tmpfs=false".to_owned());
        }
        let mut all = role.env.clone();
        all.extend(env.iter().cloned());
        line.extend(all.iter().map(|(name, value)| format!("--env={name}={value}")));
        line.extend(role.mounts.iter().cloned());
        line.push(role.image.clone());
    }

    /// The running container of the tested image, or of a companion.
    pub(crate) fn container(&self, of: Option<&TemplateName>) -> Held<&str> {
        let at = match of {
            None => Some(0),
            Some(name) => self.companions.iter().position(|(it, _)| it == name).map(|at| at + 1),
        };
        let container = at.and_then(|at| self.running.get(at));
        container.map(String::as_str).ok_or_else(|| {
            format!("there is no companion `{}` that runs", of.map_or("", TemplateName::as_str))
        })
    }

    /// The exit status of a container that has ended.
    pub(crate) fn ended(&self, container: &str) -> Held<Option<i32>> {
        let format = "{{.State.Running}} {{.State.ExitCode}}";
        let output = self.client.tell(["inspect", "-f", format, container]);
        match output.stdout.trim().split_once(' ') {
            Some(("true", _)) => Ok(None),
            Some(("false", status)) => Ok(status.parse().ok()),
            _ => Err(format!("the engine lost it{}", shown("it said", &output.text()))),
        }
    }

    /// Fails where a container has ended that should run.
    pub(crate) fn all_run(&self) -> Held {
        for (who, container) in self.by_name() {
            if let Some(status) = self.ended(container)? {
                return Err(format!("{who} has ended by itself, with status {status}"));
            }
        }
        Ok(())
    }

    /// The running containers, and what messages call them.
    fn by_name(&self) -> impl Iterator<Item = (String, &String)> {
        let companions = self.companions.iter().map(|(it, _)| format!("companion {it}"));
        std::iter::once("the container".to_owned()).chain(companions).zip(&self.running)
    }

    /// Takes it as stopped: its companions go with it, as they share its network.
    pub(crate) fn stopped(&mut self) {
        self.running.clear();
    }

    /// The last that each running container said.
    pub(crate) fn last_words(&self) -> String {
        let said = self.by_name().map(|(who, container)| {
            let output = self.client.tell(["logs", "--tail", "20", container]);
            shown(&format!("{who} said"), &output.text())
        });
        said.collect()
    }
}

fn pairs(env: &BTreeMap<dmc_template::Variable, String>) -> Vec<(String, String)> {
    env.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
}

/// Writes a role's files below `folder`; returns the options that mount them, its volumes and its
/// folders in memory.
fn mounts(
    scene: &dmc_template::Scene,
    tests: &SideFolder,
    arch: Arch,
    folder: &Path,
    names: &mut TestNames,
) -> Held<Vec<String>> {
    let mut mounts = Vec::new();
    for (number, (path, file)) in scene.files.iter().enumerate() {
        let path = path.for_arch(arch).map_err(|error| error.to_string())?;
        let source = folder.join(number.to_string());
        for (below, bytes) in tests.find(file) {
            let target = if below.is_empty() { source.clone() } else { source.join(below) };
            lay(folder, &target, bytes)
                .map_err(|error| format!("{}: {error}", target.display()))?;
        }
        mounts.push(format!("--volume={}:{path}:ro", source.display()));
    }
    for path in &scene.volumes {
        let path = path.for_arch(arch).map_err(|error| error.to_string())?;
        mounts.push(format!("--volume={}:{path}", names.volume()));
    }
    for path in &scene.tmpfs {
        let path = path.for_arch(arch).map_err(|error| error.to_string())?;
        mounts.push(format!("--tmpfs={path}:size=512m"));
    }
    Ok(mounts)
}

/// Writes a file that everybody may read, and its folders; a script can be run.
fn lay(root: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(root)) {
            mode(folder, 0o755)?;
        }
    }
    fs::write(path, bytes)?;
    mode(path, if bytes.starts_with(b"#!") { 0o755 } else { 0o644 })
}
