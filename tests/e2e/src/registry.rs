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
    folder: TempDir,
}

/// What it answered to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was asked for, as `/v2/nginx/blobs/sha256:…`.
    pub path: String,
    /// The status.
    pub status: u16,
    /// The length of the body in bytes.
    pub bytes: u64,
}

impl Answer {
    /// From a line of the access log, `ADDRESS - - [TIME] "GET PATH HTTP/1.1" STATUS BYTES …`.
    fn read(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once("] \"GET ")?;
        let mut words = rest.split(' ');
        let path = words.next()?.to_owned();
        let mut number = || words.find_map(|word| word.parse::<u64>().ok());
        Some(Self { path, status: number()?.try_into().ok()?, bytes: number()? })
    }
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
        Self { port, _process: process, folder }
    }

    /// A reference to something in it, as skopeo takes it.
    pub fn transport(&self, reference: &str) -> String {
        format!("docker://127.0.0.1:{}/{reference}", self.port)
    }

    /// The same reference as docker and podman take it.
    pub fn reference(&self, reference: &str) -> String {
        format!("127.0.0.1:{}/{reference}", self.port)
    }

    /// What was read from it so far, as its access log has it.
    pub fn answers(&self) -> Vec<Answer> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        log.lines().filter_map(Answer::read).collect()
    }
}
