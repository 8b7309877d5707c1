//! How a client reaches registries, and how patient and greedy it is.

use crate::{Credentials, Host, Progress, Quiet};
use camino::Utf8PathBuf;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a client is made of.
#[derive(Clone)]
pub struct Options {
    /// What is said of single registries.
    pub hosts: BTreeMap<Host, HostOptions>,
    /// Who the user is.
    pub credentials: Credentials,
    /// Whether the network may not be used.
    pub offline: bool,
    /// Requests to one registry at a time.
    pub connections: usize,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a registry may send nothing.
    pub read_timeout: Duration,
    /// How often a request is repeated when nothing more gets through.
    pub retries: usize,
    /// The first pause; each later one is twice as long.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long a registry may ask to wait; one that asks for more is not waited for.
    pub longest_wait: Duration,
    /// Bytes of one chunk of an upload; what a broken connection costs at most.
    pub chunk: usize,
    /// Who shows progress.
    pub progress: Arc<dyn Progress>,
}

/// What is said of one registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostOptions {
    /// A file with the certificates of the authorities that vouch for it, as PEM, in place of the
    /// machine's.
    pub ca: Option<Utf8PathBuf>,
    /// Whether it is spoken to without TLS; unsaid, that is so for loopback without `ca`.
    pub plain_http: Option<bool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hosts: BTreeMap::new(),
            credentials: Credentials::default(),
            offline: false,
            connections: 4,
            connect_timeout: Duration::from_secs(15),
            read_timeout: Duration::from_secs(30),
            retries: 4,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(20),
            longest_wait: Duration::from_mins(2),
            chunk: 8 << 20,
            progress: Arc::new(Quiet),
        }
    }
}

impl Options {
    /// What is said of a registry.
    pub(crate) fn of(&self, host: &Host) -> HostOptions {
        self.hosts.get(host).cloned().unwrap_or_default()
    }

    /// Whether a registry is spoken to without TLS. Never because TLS failed.
    pub(crate) fn is_plain(&self, host: &Host) -> bool {
        let of = self.of(host);
        of.plain_http.unwrap_or(host.is_loopback() && of.ca.is_none())
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_loopback_and_what_is_named() {
        let mut options = Options::default();
        let host = |text: &str| text.parse::<Host>().unwrap();
        let said =
            |ca: Option<&str>, plain_http| HostOptions { ca: ca.map(Into::into), plain_http };
        options.hosts.insert(host("plain.example"), said(None, Some(true)));
        options.hosts.insert(host("127.0.0.2:5000"), said(None, Some(false)));
        options.hosts.insert(host("127.0.0.3:5000"), said(Some("/etc/ca.pem"), None));
        for (name, wanted) in [
            ("registry.example", false),
            ("plain.example", true),
            ("plain.example:5000", false),
            ("127.0.0.1:5000", true),
            ("127.0.0.2:5000", false),
            ("127.0.0.3:5000", false),
        ] {
            assert_eq!(options.is_plain(&host(name)), wanted, "{name}");
        }
    }
}
