//! A registry on loopback.

use crate::http::{free_port, get};
use crate::process::{Background, tool};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name and the password `word` of whoever may use a guarded registry (htpasswd -nbB).
const USER: &str = "user:$2y$05$8kYbMO.REl/bdtGqYkAYo.LJEvsEzb4Ed4mSeUoc4W5qiiHskAFcS\n";

/// The test kit's certificate for loopback, its key, and the authority that vouches for it.
const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kit/src/tls");

/// A registry that lives as long as this value.
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
    /// Starts one without TLS and credentials.
    #[track_caller]
    pub fn start() -> Self {
        let registry = Self::with("", "");
        assert_eq!(get(registry.port, "/v2/").status, 200);
        registry
    }

    /// Starts one behind TLS that lets in `user` with the password `word` alone.
    #[track_caller]
    pub fn guarded() -> Self {
        let tls = format!(", tls: {{certificate: {TLS}/server.pem, key: {TLS}/server.key}}");
        let registry = Self::with(&tls, "auth: {htpasswd: {realm: test, path: PASSWORDS}}\n");
        // What it says to a request without TLS.
        assert_eq!(get(registry.port, "/v2/").status, 400);
        registry
    }

    /// Starts it with nothing in it.
    #[track_caller]
    fn with(http: &str, auth: &str) -> Self {
        let folder = TempDir::with_prefix("dmc-e2e-registry-").unwrap();
        let port = free_port();
        let conf = folder.path().join("registry.yml");
        let data = folder.path().join("data");
        let passwords = folder.path().join("passwords");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '127.0.0.1:{port}'{http}}}\n{}",
            data.display(),
            auth.replace("PASSWORDS", passwords.to_str().unwrap())
        );
        fs::write(&conf, text).unwrap();
        fs::write(&passwords, USER).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = tool("docker-registry", "docker-registry");
        let process = Background::start(command.arg("serve").arg(conf), &log);
        Self { port, _process: process, folder }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate of the authority that vouches for a guarded one.
    pub fn authority(&self) -> PathBuf {
        Path::new(TLS).join("authority.pem")
    }

    /// What podman writes when `user` logs in to it with this password.
    pub fn auth_file(&self, password: &str) -> String {
        let known = match password {
            "word" => "dXNlcjp3b3Jk",
            _ => "dXNlcjp3cm9uZw==",
        };
        format!(r#"{{"auths": {{"{}": {{"auth": "{known}"}}}}}}"#, self.host())
    }

    /// A reference to something in it, as skopeo takes it.
    pub fn transport(&self, reference: &str) -> String {
        format!("docker://127.0.0.1:{}/{reference}", self.port)
    }

    /// The same reference as docker and podman take it.
    pub fn reference(&self, reference: &str) -> String {
        format!("127.0.0.1:{}/{reference}", self.port)
    }

    /// The tags of a repository, sorted; none where there is no such repository.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let answer = get(self.port, &format!("/v2/{repository}/tags/list"));
        let body = answer.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let tags = value["tags"].as_array().into_iter().flatten();
        let mut tags: Vec<String> = tags.map(|tag| tag.as_str().unwrap().to_owned()).collect();
        tags.sort();
        tags
    }

    /// What was read from it so far, as its access log has it.
    pub fn answers(&self) -> Vec<Answer> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        log.lines().filter_map(Answer::read).collect()
    }
}
