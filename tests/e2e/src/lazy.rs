//! podman 5.4 of Debian 13, which fetches parts of layers, in an image that dmc has made of it.

use crate::dmc::Workplace;
use crate::process::{Done, need_root, run, tool};
use crate::unpack::{host, unpack_layer};
use std::fs;
use std::path::PathBuf;

/// What it wants to find before it pulls.
const TEMPLATE: &str = r#"
group = "tools"
summary = "podman"
description = "podman of Debian 13"
extends = ["minimal"]
packages = ["podman", "conmon", "crun", "netavark"]
roots = ["/usr/bin/podman", "/usr/bin/conmon", "/usr/bin/crun", "/usr/lib/podman/netavark"]
"#;

const STORAGE: &str = r#"
[storage]
driver = "overlay"
graphroot = "/tmp/graph"
runroot = "/tmp/run"
[storage.options.pull_options]
enable_partial_images = "true"
convert_images = "false"
"#;

/// A podman with a storage of its own that is empty at first.
#[derive(Debug)]
pub struct LazyPodman {
    root: PathBuf,
    work: PathBuf,
}

impl LazyPodman {
    /// Builds and unpacks it in a workplace, which has to outlive it.
    #[track_caller]
    pub fn build(workplace: &Workplace) -> Self {
        need_root("podman writes layers with their owners");
        let template = workplace.root().join("more/podman");
        fs::create_dir_all(&template).unwrap();
        fs::write(template.join("template.toml"), TEMPLATE).unwrap();
        let args = ["-D", "trixie", "-A", host(), "--templates-dir", "more", "-t", "podman"];
        let built = workplace.create(&args);
        let [root, work] = ["root", "work"].map(|name| workplace.root().join(name));
        for folder in [&root, &work] {
            fs::create_dir(folder).unwrap();
        }
        let index = built.layout.document(&built.digest);
        let manifest = index["manifests"][0]["digest"].as_str().unwrap();
        unpack_layer(&built.layout, manifest, &root);
        fs::write(work.join("storage.conf"), STORAGE).unwrap();
        let accept = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
        fs::write(work.join("policy.json"), accept).unwrap();
        Self { root, work }
    }

    /// Pulls from a registry without TLS.
    #[track_caller]
    pub fn pull(&self, reference: &str) -> Done {
        let mut command = tool("bwrap", "bubblewrap");
        command.arg("--ro-bind").arg(&self.root).arg("/").arg("--bind").arg(&self.work).arg("/tmp");
        command.args([
            "--dev-bind",
            "/dev",
            "/dev",
            "--proc",
            "/proc",
            "--ro-bind",
            "/sys",
            "/sys",
        ]);
        command.args(["--tmpfs", "/run", "--tmpfs", "/var", "--cap-add", "ALL", "--clearenv"]);
        for (name, value) in [
            ("HOME", "/tmp"),
            ("PATH", "/usr/bin:/usr/sbin"),
            ("TMPDIR", "/tmp"),
            ("CONTAINERS_STORAGE_CONF", "/tmp/storage.conf"),
            ("PODMAN_IGNORE_CGROUPSV1_WARNING", "1"),
        ] {
            command.args(["--setenv", name, value]);
        }
        command.args(["podman", "pull", "--tls-verify=false", "--signature-policy"]);
        run(command.args(["/tmp/policy.json", reference]))
    }
}
