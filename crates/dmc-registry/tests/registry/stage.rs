//! A client and repositories of a fake registry.

use dmc_registry::{Credentials, Host, HostOptions, Options, Registry, Repository};
use dmc_testkit::FakeRegistry;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

/// Options that lose no time.
pub(crate) fn options() -> Options {
    Options {
        retries: 2,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(2),
        ..Options::default()
    }
}

/// A client whom nobody knows.
pub(crate) fn client() -> Registry {
    Registry::new(options())
}

/// A client that sends chunks of so many bytes.
pub(crate) fn chunked(chunk: usize) -> Registry {
    Registry::new(Options { chunk, ..options() })
}

/// A client with a file of credentials, and its folder.
pub(crate) fn known(auth: &str) -> (Registry, TempDir) {
    let (credentials, folder) = credentials(auth);
    (Registry::new(Options { credentials, ..options() }), folder)
}

/// A file of credentials, and its folder.
pub(crate) fn credentials(auth: &str) -> (Credentials, TempDir) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("auth.json");
    fs::write(&file, auth).unwrap();
    (Credentials::of_files(vec![file.try_into().unwrap()]), folder)
}

/// A file in which `user:word` is known at a registry.
pub(crate) fn user_of(host: &str) -> String {
    format!(r#"{{"auths": {{"{host}": {{"auth": "dXNlcjp3b3Jk"}}}}}}"#)
}

/// Options with something said of one registry.
pub(crate) fn with_host(host: &str, said: HostOptions) -> Options {
    let host: Host = host.parse().unwrap();
    Options { hosts: [(host, said)].into(), ..options() }
}

/// A repository of a fake registry.
pub(crate) fn repository(registry: &FakeRegistry, name: &str) -> Repository {
    Repository::new(registry.host().parse().unwrap(), name).unwrap()
}

/// What an error says, with its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
