//! Container engines with a storage of their own, so that nothing of the machine's is touched.

use crate::dmc::Built;
use crate::process::{Background, need_root, run, tool};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// podman, or docker with a daemon of its own.
#[derive(Debug)]
pub struct Engine {
    program: &'static str,
    env: Vec<(&'static str, String)>,
    /// Dropped before the folder that it works in.
    daemon: Option<Background>,
    folder: TempDir,
}

impl Engine {
    /// podman with runc: crun refuses the mixed control groups of some machines.
    #[track_caller]
    pub fn podman() -> Self {
        need_root("it starts containers");
        let folder = TempDir::with_prefix("dmc-e2e-podman-").unwrap();
        let at = folder.path().display();
        let conf = "[containers]\n\
             default_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]\n\
             [network]\nnetwork_backend = \"netavark\"\n\
             [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{at}/graph\"\nrunroot = \"{at}/run\"\n"
        );
        let [conf_file, storage_file] =
            [("containers.conf", conf), ("storage.conf", storage.as_str())].map(|(name, text)| {
                let file = folder.path().join(name);
                fs::write(&file, text).unwrap();
                file.to_str().unwrap().to_owned()
            });
        let _ = (tool("podman", "podman"), tool("runc", "runc"));
        let _ = tool("iptables", "iptables netavark");
        let env = vec![("CONTAINERS_CONF", conf_file), ("CONTAINERS_STORAGE_CONF", storage_file)];
        Self { program: "podman", env, daemon: None, folder }
    }

    /// docker, with a daemon that listens on a socket of its own and leaves the network alone.
    #[track_caller]
    pub fn docker() -> Self {
        need_root("it starts dockerd");
        let _ = tool("docker", "docker.io");
        let folder = TempDir::with_prefix("dmc-e2e-docker-").unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (log, socket) = (at("log"), format!("unix://{}", at("socket")));
        let mut command = tool("dockerd", "docker.io");
        command.args(["--data-root", &at("data"), "--exec-root", &at("exec")]);
        command.args(["--pidfile", &at("pid"), "-H", &socket]);
        command.args(["--iptables=false", "--ip-forward=false", "--bridge=none"]);
        let daemon = Background::start(&mut command, &File::create(&log).unwrap());
        let env = vec![("DOCKER_HOST", socket)];
        let mut engine = Self { program: "docker", env, daemon: Some(daemon), folder };
        engine.wait_for_daemon(&log);
        engine
    }

    fn wait_for_daemon(&mut self, log: &str) {
        let start = Instant::now();
        while run(self.command().arg("info")).code != Some(0) {
            let ended = self.daemon.as_mut().is_some_and(Background::has_ended);
            let text = || fs::read_to_string(log).unwrap_or_default();
            assert!(!ended, "dockerd ended:\n{}", text());
            assert!(start.elapsed() < Duration::from_mins(1), "dockerd is silent:\n{}", text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The engine's name for `dmc load --engine`.
    pub fn name(&self) -> &'static str {
        self.program
    }

    /// The engine's client.
    pub fn command(&self) -> Command {
        self.aim(Command::new(self.program))
    }

    /// Makes another program talk to this engine.
    pub fn aim(&self, mut command: Command) -> Command {
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Takes over one architecture of an image: its name with this engine.
    #[track_caller]
    pub fn take(&self, built: &Built, arch: &str) -> String {
        let (name, _) = built.reference.split_once(':').expect("a tag");
        let (file, image) = (self.folder().join("taken.tar"), format!("localhost/{name}:{arch}"));
        let mut skopeo = tool("skopeo", "skopeo");
        skopeo.args(["copy", "-q", "--override-arch", arch, &built.transport()]);
        run(skopeo.arg(format!("docker-archive:{}:{image}", file.display()))).ok();
        run(self.command().args(["load", "-q", "-i"]).arg(&file)).ok();
        fs::remove_file(file).unwrap();
        image
    }

    fn unmount(&self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let folder = self.folder().to_str().unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for point in points.filter(|point| point.starts_with(folder)) {
            let _ = Command::new("umount").args(["-l", point]).status();
        }
    }

    /// A folder for what containers shall see.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.daemon.take());
        // Engines leave mounts behind in their folders, which could not be removed; and podman tidies
        // up behind a container that has ended, perhaps only now.
        for _ in 0..50 {
            self.unmount();
            if fs::remove_dir_all(self.folder()).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
