//! Who the user is for a repository: `auth.json` of podman and `config.json` of docker.
//!
//! Files are looked through in the order given, and the first that has an answer settles it. In
//! a file, a helper for the registry (`credHelpers`) comes before what is written down (`auths`,
//! the longest of `HOST/NAMESPACE/…` that the repository lies in), and the helper for everything
//! (`credsStore`) comes last, as containers-auth.json(5) and docker-login(1) have it. A helper is
//! a program `docker-credential-NAME`. What is found is never shown.

use crate::{Host, Repository};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::process::{Command, Output, Stdio};

/// Most that is read of a file with credentials, or of what a helper says.
const FILE_LIMIT: u64 = 4 << 20;

/// What Docker Hub is called by those who log in to it.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The files that may hold credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    files: Vec<Utf8PathBuf>,
}

/// What proves who the user is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that is exchanged for one that the registry takes.
    Identity(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password { .. }",
            Self::Identity(_) => "Identity(..)",
        })
    }
}

/// Why credentials cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file that cannot be read.
    #[error("cannot read the credentials of `{path}`")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("`{path}` cannot be read as credentials")]
    Json {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An entry that holds no name and password.
    #[error("`auth` of `{key}` in `{path}` is not a name and a password")]
    Entry {
        /// The entry.
        key: String,
        /// The file.
        path: Utf8PathBuf,
    },
    /// A helper that does not do its work.
    #[error("the helper `{program}`, which `{path}` names, gives no credentials")]
    Helper {
        /// The program.
        program: String,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl CredentialError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "check the path and its permissions",
            Self::Json { .. } | Self::Entry { .. } => "log in again, which writes the file anew",
            Self::Helper { .. } => "install the helper, or log in without it",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthFile {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FromHelper {
    username: String,
    secret: String,
}

impl Credentials {
    /// Credentials of these files; those that are not there are passed over.
    pub fn of_files(files: Vec<Utf8PathBuf>) -> Self {
        Self { files }
    }

    /// What proves who the user is for a repository, and the file that says it. Runs helpers, and
    /// waits for them.
    pub fn find(
        &self,
        repository: &Repository,
    ) -> Result<Option<(Credential, String)>, CredentialError> {
        for path in &self.files {
            let Some(file) = read(path)? else { continue };
            if let Some(found) = file.find(path, repository)? {
                return Ok(Some((found, format!("`{path}`"))));
            }
        }
        Ok(None)
    }
}

fn read(path: &Utf8Path) -> Result<Option<AuthFile>, CredentialError> {
    let failed = |source| CredentialError::File { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| CredentialError::Json { path: path.to_owned(), source })
}

impl AuthFile {
    fn find(
        &self,
        path: &Utf8Path,
        repository: &Repository,
    ) -> Result<Option<Credential>, CredentialError> {
        let host = repository.host();
        let named = self.cred_helpers.iter().find(|(key, _)| registry(key) == host.as_str());
        if let Some((_, helper)) = named.filter(|(_, helper)| !helper.is_empty()) {
            return ask(helper, host, path);
        }
        let full = repository.to_string();
        let lies_in = |key: &str| {
            full.strip_prefix(key).is_some_and(|r| matches!(r.bytes().next(), None | Some(b'/')))
        };
        let entries = self.auths.iter().filter(|(key, _)| lies_in(registry(key)));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(key, _)| std::cmp::Reverse(registry(key).len()));
        for (key, entry) in entries {
            if let Some(credential) = entry.credential(key, path)? {
                return Ok(Some(credential));
            }
        }
        if self.creds_store.is_empty() { Ok(None) } else { ask(&self.creds_store, host, path) }
    }
}

/// The registry or repository that a key of the file stands for: `https://HOST/v1/` as docker
/// writes it is `HOST`.
fn registry(key: &str) -> &str {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let name = match bare {
        Some(address) => address.split('/').next().unwrap_or_default(),
        None => key.trim_end_matches('/'),
    };
    match name {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        name => name,
    }
}

impl Entry {
    /// None for an entry that says only that the user has logged in.
    fn credential(
        &self,
        key: &str,
        path: &Utf8Path,
    ) -> Result<Option<Credential>, CredentialError> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::Identity(self.identitytoken.clone())));
        }
        if self.auth.is_empty() {
            let (user, password) = (self.username.clone(), self.password.clone());
            return Ok((!user.is_empty()).then_some(Credential::Password { user, password }));
        }
        let wrong = || CredentialError::Entry { key: key.to_owned(), path: path.to_owned() };
        let padding = DecodePaddingMode::Indifferent;
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
        let bytes = GeneralPurpose::new(&STANDARD, lenient)
            .decode(self.auth.trim())
            .map_err(|_not_base64| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_not_text| wrong())?;
        let (user, password) = text.split_once(':').ok_or_else(wrong)?;
        let password = password.trim_end_matches('\0').to_owned();
        Ok(Some(Credential::Password { user: user.to_owned(), password }))
    }
}

/// Asks a helper (docker-credential-helpers, "Development").
fn ask(helper: &str, host: &Host, path: &Utf8Path) -> Result<Option<Credential>, CredentialError> {
    let program = format!("docker-credential-{helper}");
    let failed = |source| CredentialError::Helper {
        program: program.clone(),
        path: path.to_owned(),
        source,
    };
    if helper.contains('/') {
        return Err(failed(io::Error::other("a helper's name has no `/`")));
    }
    let server = if host.as_str() == "docker.io" { DOCKER_HUB } else { host.as_str() };
    run(&program, server).and_then(|output| answer(&output)).map_err(failed)
}

/// What a helper's answer means. Its text is not shown where it may hold the secret.
fn answer(output: &Output) -> io::Result<Option<Credential>> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        // The sentence by which all helpers say that they know nothing.
        if said.contains("credentials not found") {
            return Ok(None);
        }
        let said: String = said.trim().chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(io::Error::other(format!("{}: {said}", output.status)));
    }
    let FromHelper { username: user, secret } = serde_json::from_slice(&output.stdout)
        .map_err(|_hidden| io::Error::other("it does not answer in JSON"))?;
    Ok(Some(match user.as_str() {
        "<token>" => Credential::Identity(secret),
        _ => Credential::Password { user, password: secret },
    }))
}

fn run(program: &str, server: &str) -> io::Result<Output> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that asks for nothing reads nothing.
        let _ = stdin.write_all(server.as_bytes());
    }
    child.wait_with_output()
}

#[cfg(test)]
mod tests;
