//! A registry on loopback.

use crate::http::{free_port, get};
use crate::process::{Background, tool};
use std::fs::{self, File};
use tempfile::TempDir;

/// A registry without credentials that lives as long as this value.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    _process: Background,
    _folder: TempDir,
}

impl Registry {
    /// Starts it with nothing in it, and waits until it answers.
    #[track_caller]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("dmc-e2e-registry-").unwrap();
        let port = free_port();
        let conf = folder.path().join("registry.yml");
        let data = folder.path().join("data");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\n",
            data.display()
        );
        fs::write(&conf, text).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = tool("docker-registry", "docker-registry");
        let process = Background::start(command.arg("serve").arg(conf), &log);
        assert_eq!(get(port, "/v2/").status, 200);
        Self { port, _process: process, _folder: folder }
    }

    /// A reference to something in it, as skopeo takes it.
    pub fn transport(&self, reference: &str) -> String {
        format!("docker://127.0.0.1:{}/{reference}", self.port)
    }
}
