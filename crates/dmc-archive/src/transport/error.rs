//! Why a file could not be fetched.

use crate::store::StoreError;
use dmc_types::Checksum;
use reqwest::Url;
use std::time::Duration;

/// A fetch that failed, with the address and how often it was tried.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch {url}{}", tried(*.attempts))]
pub struct FetchError {
    /// The address, without a password.
    pub url: String,
    /// How many requests were sent in vain; 0 where none was.
    pub attempts: u32,
    /// What went wrong the last time.
    #[source]
    pub cause: FetchCause,
}

fn tried(attempts: u32) -> String {
    if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() }
}

fn seconds(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(" {} s", after.as_secs()))
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum FetchCause {
    /// The run may not use the network.
    #[error("this run may not use the network")]
    Offline,
    /// An address that dmc cannot read from.
    #[error("the scheme `{0}` is not http, https or file")]
    Scheme(String),
    /// The server, or the file system, has no such file.
    #[error("there is no such file")]
    NotFound,
    /// The server refuses.
    #[error("the server answers {0}")]
    Status(u16),
    /// The server asks for patience (429, or 503 with Retry-After).
    #[error("the server answers {status} and asks to wait{}", seconds(*.after))]
    Busy {
        /// The status.
        status: u16,
        /// What `Retry-After` says.
        after: Option<Duration>,
    },
    /// No connection, or it broke.
    #[error("the connection failed")]
    Network(#[source] reqwest::Error),
    /// The server's certificate is not valid here.
    #[error("the server's certificate is not accepted")]
    Certificate(#[source] reqwest::Error),
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// The body ended early.
    #[error("the connection ended after {received} of {expected} bytes")]
    Short {
        /// How much came.
        received: u64,
        /// How much should have come.
        expected: u64,
    },
    /// The file has another size than the signed index says.
    #[error("it has {found} bytes instead of {expected}")]
    Size {
        /// What the server announced or sent.
        found: u64,
        /// What the signed index says.
        expected: u64,
    },
    /// The file is larger than any file of its kind.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// How much is taken in at most.
        limit: u64,
    },
    /// The file is not the one that the signed index names.
    #[error("its digest is {found} instead of {expected}")]
    Digest {
        /// What was computed.
        found: Box<Checksum>,
        /// What the signed index says.
        expected: Box<Checksum>,
    },
    /// The server answered a request for a part with another part.
    #[error("the server sent another part of the file than was asked for")]
    Range,
    /// Addresses that lead back to each other.
    #[error("redirects go round in a circle: {}", .0.join(" -> "))]
    RedirectLoop(Vec<String>),
    /// A long chain of redirects.
    #[error("more than {0} redirects")]
    RedirectChain(usize),
    /// A redirect without an address, or from https to http.
    #[error("a redirect to `{0}` is not followed")]
    Redirect(String),
    /// A local file could not be read.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    /// What came could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FetchCause {
    /// Whether trying again may help.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Network(_) | Self::Short { .. } | Self::Range => true,
            Self::Status(status) => matches!(status, 408 | 425 | 500 | 502..=504),
            _ => false,
        }
    }

    /// Whether the server says that the file is not there, or not for everyone (which is how
    /// some hosts say the same).
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NotFound | Self::Status(401 | 403 | 410 | 451))
    }
}

impl FetchError {
    pub(super) fn new(url: &Url, attempts: u32, cause: FetchCause) -> Self {
        Self { url: shown(url), attempts, cause }
    }

    /// This cannot be had without network.
    pub(crate) fn offline(url: &Url) -> Self {
        Self::new(url, 0, FetchCause::Offline)
    }

    /// Whether a mirror that is taking in an update may have the file soon.
    pub(crate) fn may_appear(&self) -> bool {
        // Where nothing was sent, the archive is a folder of this machine.
        self.attempts > 0 && matches!(self.cause, FetchCause::NotFound)
    }

    /// Whether a mirror that is taking in an update may have the file, instead of an older or a
    /// newer one, soon.
    pub(crate) fn may_fall_in_step(&self) -> bool {
        let other = matches!(self.cause, FetchCause::Size { .. } | FetchCause::Digest { .. });
        self.may_appear() || (self.attempts > 0 && other)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match &self.cause {
            FetchCause::Offline => {
                "run it once with the network, so that the store has what it needs"
            }
            FetchCause::Scheme(_) => "name a mirror that begins with http://, https:// or file:///",
            FetchCause::NotFound => {
                "the mirror may be in the middle of an update: run `dmc -a update`, or name another mirror with -M"
            }
            FetchCause::Busy { .. } => "wait a little, or name another mirror with -M",
            FetchCause::Network(error) if error.is_timeout() => {
                "the mirror does not answer in time: try again, or name another one with -M"
            }
            FetchCause::Network(_) => {
                "check the address, the network and http_proxy, or name another mirror with -M"
            }
            FetchCause::Certificate(_) => {
                "check this machine's clock; for a mirror with a CA of its own, add that to the machine's certificates (update-ca-certificates), or name its file in SSL_CERT_FILE"
            }
            FetchCause::Client(_) => {
                "install the package ca-certificates, or use a mirror over http"
            }
            FetchCause::Status(_)
            | FetchCause::Short { .. }
            | FetchCause::Range
            | FetchCause::RedirectLoop(_)
            | FetchCause::RedirectChain(_)
            | FetchCause::Redirect(_) => "name another mirror with -M",
            FetchCause::Size { .. } | FetchCause::TooLarge { .. } | FetchCause::Digest { .. } => {
                "nothing of it was used; the mirror is out of step or was tampered with: try again later, or name another one with -M"
            }
            FetchCause::File(_) => "check the path and its permissions",
            FetchCause::Store(error) => return error.hint(),
        };
        Some(text.to_owned())
    }
}

/// An address as it may be shown: without user name and password.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // These fail only for addresses without a host, which have neither.
        let _ = url.set_password(None);
        let _ = url.set_username("");
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let url = Url::parse("http://me:secret@example.org/debian/x").unwrap();
        assert_eq!(shown(&url), "http://example.org/debian/x");
    }

    #[test]
    fn only_what_can_pass_is_tried_again() {
        for (cause, passes) in [
            (FetchCause::NotFound, false),
            (FetchCause::Status(403), false),
            (FetchCause::Status(500), true),
            (FetchCause::Status(503), true),
            (FetchCause::Status(501), false),
            (FetchCause::Busy { status: 429, after: None }, true),
            (FetchCause::Short { received: 1, expected: 2 }, true),
            (FetchCause::Size { found: 1, expected: 2 }, false),
        ] {
            assert_eq!(cause.may_pass(), passes, "{cause}");
        }
    }
}
