//! Why something could not be had from a registry, or brought there.

use crate::{CredentialError, Host};
use camino::Utf8PathBuf;
use dmc_types::Sha256;
use std::fmt;
use std::io;
use std::time::Duration;

/// Something that was asked of a registry and did not come to pass.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}{}", tried(*.attempts))]
pub struct RegistryError {
    /// What was to be done, with what and where.
    pub what: String,
    /// The registry.
    pub host: Host,
    /// How many requests were sent in vain; 0 where none was.
    pub attempts: u32,
    /// What went wrong the last time.
    #[source]
    pub cause: Box<Cause>,
}

fn tried(attempts: u32) -> String {
    if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() }
}

/// What a registry said, as far as it said anything (OCI distribution specification, "Error
/// codes").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The status.
    pub status: u16,
    /// Its code, such as `DENIED`; empty where there is none.
    pub code: String,
    /// Its message, on one line and shortened; empty where there is none.
    pub message: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

fn seconds(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(" {} s", after.as_secs()))
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The run may not use the network.
    #[error("this run may not use the network")]
    Offline,
    /// No connection comes about.
    #[error("no connection comes about")]
    Unreachable(#[source] reqwest::Error),
    /// The connection broke, or nothing came for too long.
    #[error("the connection failed")]
    Network(#[source] reqwest::Error),
    /// The registry's certificate is not valid here.
    #[error("the registry's certificate is not accepted")]
    Certificate(#[source] reqwest::Error),
    /// What answers does not speak TLS.
    #[error("what answers does not speak TLS")]
    NotTls(#[source] reqwest::Error),
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// The file with the authority's certificate cannot be used.
    #[error("the certificates of `{path}` cannot be read")]
    Ca {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Credentials could not be looked up.
    #[error(transparent)]
    Credentials(CredentialError),
    /// The registry asks who the user is, and nothing is known.
    #[error("the registry asks for credentials ({said}), and there are none for {asked}")]
    NoCredentials {
        /// What it said.
        said: Said,
        /// For what they were looked up.
        asked: String,
    },
    /// The registry knows no such user and password.
    #[error("the registry does not accept the credentials of {from}: {said}")]
    WrongCredentials {
        /// Where they were found.
        from: String,
        /// What it said.
        said: Said,
    },
    /// A demand for credentials that cannot be met.
    #[error("the registry asks for credentials in a way that dmc does not know: `{0}`")]
    Challenge(String),
    /// A token service to which credentials must not go.
    #[error("the registry sends for a token to `{0}`, which is neither https nor the same host")]
    Realm(String),
    /// The token service refuses.
    #[error("the token service {realm} answers {said}")]
    Token {
        /// Its address.
        realm: String,
        /// What it said.
        said: Said,
    },
    /// The user may not do that.
    #[error("the registry denies it: {0}")]
    Denied(Said),
    /// No such repository can be.
    #[error("the registry refuses the name of the repository: {0}")]
    NameRefused(Said),
    /// There is no room left for the user.
    #[error("a quota is exceeded: {0}")]
    Quota(Said),
    /// A request was too large for the registry or something before it.
    #[error("the request is too large for the registry, or for a proxy before it: {0}")]
    RequestTooLarge(Said),
    /// The registry asks for patience.
    #[error("the registry answers {status} and asks to wait{}", seconds(*.after))]
    Busy {
        /// The status.
        status: u16,
        /// What `Retry-After` says.
        after: Option<Duration>,
    },
    /// The registry does not take the manifest.
    #[error("the registry refuses the manifest: {0}")]
    ManifestRefused(Said),
    /// The registry found other bytes than were announced.
    #[error("the registry did not receive what was announced: {0}")]
    DigestRefused(Said),
    /// An upload that the registry does not know any more, or not so far.
    #[error("the upload is lost: {0}")]
    UploadLost(Said),
    /// Any other answer.
    #[error("the registry answers {0}")]
    Status(Said),
    /// It is not there.
    #[error("it is not there")]
    NotThere,
    /// An answer that lacks what it must have.
    #[error("the registry's answer {0}")]
    Answer(&'static str),
    /// Other bytes came than those that were asked for.
    #[error("its digest is sha256:{found} instead of sha256:{expected}")]
    Digest {
        /// Of what came.
        found: Sha256,
        /// Of what was asked for.
        expected: Sha256,
    },
    /// More bytes came, or were announced, than are taken.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// How many are taken.
        limit: u64,
    },
    /// The body ended early.
    #[error("the connection ended after {received} of {expected} bytes")]
    Short {
        /// How many came.
        received: u64,
        /// How many should have come.
        expected: u64,
    },
    /// A document that cannot be read.
    #[error("it cannot be read as JSON")]
    Json(#[source] serde_json::Error),
    /// A redirect without an address, from https to http, or one too many.
    #[error("a redirect to `{0}` is not followed")]
    Redirect(String),
    /// A file of this machine.
    #[error("cannot read `{path}`")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What came could not be written.
    #[error("what came cannot be written")]
    Write(#[source] io::Error),
    /// Others changed the list of referrers each time that it was written.
    #[error("others write the tag `{0}` at the same time")]
    Contended(String),
}

impl Cause {
    /// Whether trying again may help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Network(_)
            | Self::Busy { .. }
            | Self::Short { .. }
            // Also said where another writer moved the same tag at that moment.
            | Self::DigestRefused(_)
            | Self::UploadLost(_) => true,
            Self::Status(said) | Self::Token { said, .. } => {
                matches!(said.status, 408 | 425 | 500 | 502..=504)
            }
            _ => false,
        }
    }

    /// How long the registry asks to be left alone.
    pub(crate) fn asked_wait(&self) -> Duration {
        match self {
            Self::Busy { after: Some(after), .. } => *after,
            _ => Duration::ZERO,
        }
    }
}

impl RegistryError {
    pub(crate) fn new(host: &Host, what: &str, attempts: u32, cause: Cause) -> Self {
        Self { what: what.to_owned(), host: host.clone(), attempts, cause: Box::new(cause) }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let host = &self.host;
        let text = match &*self.cause {
            Cause::Offline => "leave out --offline".to_owned(),
            Cause::Unreachable(_) => {
                format!("check that a registry runs at {host}, and the network and https_proxy")
            }
            Cause::Network(_) | Cause::Short { .. } | Cause::UploadLost(_) => {
                "try again: what the registry has already is not sent twice".to_owned()
            }
            Cause::Certificate(_) => format!(
                "name the certificate of its authority: [registry.\"{host}\"] ca = \"FILE\" in \
                 dmc.conf"
            ),
            Cause::NotTls(_) => format!(
                "if it is meant to be without TLS, say so: [registry.\"{host}\"] plain_http = true \
                 in dmc.conf"
            ),
            Cause::Client(_) => {
                "install the package ca-certificates, or name an authority in dmc.conf".to_owned()
            }
            Cause::Ca { .. } => format!("correct `ca` of [registry.\"{host}\"] in dmc.conf"),
            Cause::Credentials(error) => return Some(error.hint().to_owned()),
            Cause::NoCredentials { .. } => {
                format!("log in with `podman login {host}`, or name a file by --authfile")
            }
            Cause::WrongCredentials { .. } => format!("log in again with `podman login {host}`"),
            Cause::Denied(_) => {
                "the user may need other rights there, or the repository another name".to_owned()
            }
            Cause::NameRefused(_) => {
                "some registries want a namespace (HOST/NAMESPACE), or the repository made \
                 beforehand"
                    .to_owned()
            }
            Cause::Quota(_) => "remove what is not needed there, or ask for more room".to_owned(),
            Cause::RequestTooLarge(_) => {
                "raise the limit of the proxy before it (nginx: client_max_body_size)".to_owned()
            }
            Cause::Busy { .. } => "wait a little and try again".to_owned(),
            Cause::DigestRefused(_) => {
                "see with `dmc check` whether the layout is damaged, then try again".to_owned()
            }
            Cause::Contended(_) => "try again when nobody else pushes there".to_owned(),
            Cause::Redirect(_) | Cause::Realm(_) | Cause::Challenge(_) | Cause::Answer(_) => {
                format!("see what stands before {host}, and whether its own address is set right")
            }
            // What servers say to a request without TLS.
            Cause::Status(Said { status: 400, code, .. }) if code.is_empty() => format!(
                "if it wants TLS, name its authority: [registry.\"{host}\"] ca = \"FILE\" in dmc.conf"
            ),
            Cause::ManifestRefused(_)
            | Cause::Token { .. }
            | Cause::Status(_)
            | Cause::NotThere
            | Cause::Digest { .. }
            | Cause::TooLarge { .. }
            | Cause::Json(_)
            | Cause::File { .. }
            | Cause::Write(_) => return None,
        };
        Some(text)
    }
}
