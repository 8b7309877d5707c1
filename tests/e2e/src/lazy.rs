//! podman 5.4 of Debian 13, which fetches parts of layers.

use crate::dmc::Workplace;
use crate::foreign::Foreign;
use crate::process::{Done, need_root, run};
use std::fs;

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
pub struct LazyPodman(Foreign);

impl LazyPodman {
    /// Builds and unpacks it in a workplace, which has to outlive it.
    #[track_caller]
    pub fn build(workplace: &Workplace) -> Self {
        need_root("podman writes layers with their owners");
        // What it wants to find before it pulls.
        let packages = ["podman", "conmon", "crun", "netavark"];
        let programs =
            ["/usr/bin/podman", "/usr/bin/conmon", "/usr/bin/crun", "/usr/lib/podman/netavark"];
        let foreign = Foreign::build(workplace, "trixie", &packages, &programs);
        fs::write(foreign.work().join("storage.conf"), STORAGE).unwrap();
        let accept = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
        fs::write(foreign.work().join("policy.json"), accept).unwrap();
        Self(foreign)
    }

    /// Pulls from a registry without TLS.
    #[track_caller]
    pub fn pull(&self, reference: &str) -> Done {
        let environment = [
            ("CONTAINERS_STORAGE_CONF", "/tmp/storage.conf"),
            ("PODMAN_IGNORE_CGROUPSV1_WARNING", "1"),
        ];
        let mut command = self.0.command(&environment, "podman");
        command.args(["pull", "--tls-verify=false", "--signature-policy", "/tmp/policy.json"]);
        run(command.arg(reference))
    }
}
