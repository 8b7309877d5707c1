//! One request to a registry, past its door and after its redirects.
//!
//! What a request is made of can be sent again: after a demand for credentials, and where the
//! failure may pass. Redirects are followed for what is read, without credentials, and never from
//! https to http. The registry on loopback is asked directly, whatever proxies are set.

use crate::challenge::challenges;
use crate::error::{Cause, RegistryError};
use crate::guard::Guard;
use crate::pace::{self, Pace};
use crate::progress::TransferId;
use crate::{Host, Options, Progress, Repository, said};
use bytes::Bytes;
use dmc_types::Sha256;
use futures::stream;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, LOCATION};
use reqwest::{Body, Client, Method, Response, Url, redirect};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// How much of a chunk is handed to the network at once, and counted.
const SLICE: usize = 64 << 10;

/// A client of registries.
#[derive(Debug)]
pub struct Registry {
    options: Options,
    sites: Mutex<BTreeMap<Host, Arc<Site>>>,
    own: Mutex<BTreeMap<Host, Client>>,
    local: OnceLock<Client>,
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
    requests: AtomicU64,
    sent: AtomicU64,
    next: AtomicU64,
    /// A repository of each registry that has a blob.
    pub(crate) holders: Mutex<BTreeMap<(Host, Sha256), Repository>>,
}

/// What a client has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Requests, redirects and those for tokens included.
    pub requests: u64,
    /// Bytes of blobs and manifests that were sent.
    pub sent: u64,
}

/// One registry.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) base: Url,
    pub(crate) plain: bool,
    pub(crate) guard: Guard,
    pub(crate) pace: Pace,
}

/// What may be done with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read it.
    Pull,
    /// Read and write it.
    Push,
}

/// What a request carries.
#[derive(Clone)]
pub(crate) enum Content {
    /// Nothing.
    Nothing,
    /// Something small.
    Whole(Bytes),
    /// Something that is counted on its way.
    Counted(Bytes, TransferId),
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    pub(crate) access: Access,
    /// Another repository that is read besides.
    pub(crate) also: Option<&'a Repository>,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(repository: &'a Repository, method: Method, url: Url) -> Self {
        let writes = !matches!(method, Method::GET | Method::HEAD);
        let access = if writes { Access::Push } else { Access::Pull };
        let (headers, content) = (HeaderMap::new(), Content::Nothing);
        Self { repository, method, url, headers, content, access, also: None }
    }

    fn scopes(&self) -> String {
        let actions = if self.access == Access::Push { "pull,push" } else { "pull" };
        let own = format!("repository:{}:{actions}", self.repository.name());
        match self.also {
            Some(also) => format!("{own} repository:{}:pull", also.name()),
            None => own,
        }
    }
}

impl Registry {
    /// Whether it asks nobody.
    pub fn is_offline(&self) -> bool {
        self.options.offline
    }

    /// A client for one run. Nothing is opened yet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            sites: Mutex::default(),
            own: Mutex::default(),
            local: OnceLock::new(),
            plain: OnceLock::new(),
            secure: OnceLock::new(),
            requests: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            next: AtomicU64::new(0),
            holders: Mutex::default(),
        }
    }

    /// What it has done so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn progress(&self) -> &dyn Progress {
        &*self.options.progress
    }

    pub(crate) fn next_transfer(&self) -> TransferId {
        TransferId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn has_sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The registry of a repository.
    pub(crate) fn site(&self, host: &Host) -> Result<Arc<Site>, Cause> {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = sites.get(host) {
            return Ok(Arc::clone(site));
        }
        let plain = self.options.is_plain(host);
        let base = host.url(plain).ok_or_else(|| Cause::Redirect(host.to_string()))?;
        let pace = Pace::new(self.options.connections);
        let site = Arc::new(Site { base, plain, guard: Guard::default(), pace });
        sites.insert(host.clone(), Arc::clone(&site));
        Ok(site)
    }

    /// An address below a repository.
    pub(crate) fn url(&self, repository: &Repository, path: &str) -> Result<Url, Cause> {
        let base = &self.site(repository.host())?.base;
        let path = format!("{}/{path}", repository.name());
        base.join(&path).map_err(|_unreadable| Cause::Redirect(path))
    }

    /// Sends a request, again and again where the failure may pass, and judges the answer.
    pub(crate) async fn ask(&self, what: &str, ask: &Ask<'_>) -> Result<Response, RegistryError> {
        self.patiently(ask.repository, what, async || self.once(ask).await).await
    }

    /// The same, with the body of at most `limit` bytes; none where it is not there.
    pub(crate) async fn read(
        &self,
        what: &str,
        ask: &Ask<'_>,
        limit: u64,
    ) -> Result<Option<(HeaderMap, Vec<u8>)>, RegistryError> {
        let attempt = async || {
            let response = self.once(ask).await?;
            if response.status().as_u16() == 404 {
                return Ok(None);
            }
            let headers = response.headers().clone();
            Ok(Some((headers, body(response, limit).await?)))
        };
        self.patiently(ask.repository, what, attempt).await
    }

    async fn patiently<T>(
        &self,
        repository: &Repository,
        what: &str,
        attempt: impl AsyncFn() -> Result<T, Cause>,
    ) -> Result<T, RegistryError> {
        let mut pauses = pace::pauses(&self.options);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let cause = match attempt().await {
                Ok(done) => return Ok(done),
                Err(cause) => cause,
            };
            self.pause(repository, what, attempts, cause, pauses.next()).await?;
        }
    }

    /// Waits before the next try; gives the error back where there is none.
    pub(crate) async fn pause(
        &self,
        repository: &Repository,
        what: &str,
        attempts: u32,
        cause: Cause,
        pause: Option<std::time::Duration>,
    ) -> Result<(), RegistryError> {
        let asked = cause.asked_wait();
        let pause = pause.filter(|_| cause.may_pass() && asked <= self.options.longest_wait);
        let Some(pause) = pause else {
            return Err(RegistryError::new(repository.host(), what, attempts, cause));
        };
        if let Ok(site) = self.site(repository.host()) {
            site.pace.leave_alone(asked);
        }
        tracing::debug!(what, %cause, ?pause, "tried again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// One try. An answer is a success, or says that something is not there.
    pub(crate) async fn once(&self, ask: &Ask<'_>) -> Result<Response, Cause> {
        if self.options.offline {
            return Err(Cause::Offline);
        }
        let site = self.site(ask.repository.host())?;
        let _turn = site.pace.turn().await;
        let scopes = ask.scopes();
        loop {
            // Only the registry itself is told who asks: an upload may lead elsewhere.
            let own = ask.url.origin() == site.base.origin();
            let pass = if own { self.pass(&site, ask.repository, &scopes).await? } else { None };
            let response = self.follow(ask, pass.as_ref().map(|pass| &pass.value)).await?;
            match response.status().as_u16() {
                200..=299 | 404 => return Ok(response),
                401 if own => {
                    let offers = challenges(response.headers());
                    let (said, _) = said::read(response).await;
                    site.guard.challenged(&offers, pass.as_ref(), said, ask.repository)?;
                    site.guard.forget(&scopes).await;
                }
                _ => return Err(said::refusal(response).await),
            }
        }
    }

    /// Sends a request and follows redirects of what is read.
    async fn follow(
        &self,
        ask: &Ask<'_>,
        pass: Option<&reqwest::header::HeaderValue>,
    ) -> Result<Response, Cause> {
        let mut at = ask.url.clone();
        for hop in 0..=REDIRECTS {
            let client = self.client_of(&at)?;
            let mut request = client.request(ask.method.clone(), at.clone());
            request = request.headers(ask.headers.clone());
            if let Some(pass) = pass.filter(|_| hop == 0) {
                request = request.header(AUTHORIZATION, pass.clone());
            }
            self.count();
            let request = self.with_content(request, &ask.content);
            let response = request.send().await.map_err(network)?;
            let reads = matches!(ask.method, Method::GET | Method::HEAD);
            if !(reads && matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)) {
                return Ok(response);
            }
            at = location(&at, response.headers())?;
        }
        Err(Cause::Redirect(shown(&at)))
    }

    fn with_content(
        &self,
        request: reqwest::RequestBuilder,
        content: &Content,
    ) -> reqwest::RequestBuilder {
        match content {
            Content::Nothing => request,
            Content::Whole(bytes) => request.body(bytes.clone()),
            Content::Counted(bytes, id) => {
                let (progress, id) = (Arc::clone(&self.options.progress), *id);
                let (bytes, length) = (bytes.clone(), bytes.len());
                let slices = (0..length).step_by(SLICE).map(move |from| {
                    let slice = bytes.slice(from..(from + SLICE).min(length));
                    progress.advanced(id, slice.len() as u64);
                    Ok::<_, Infallible>(slice)
                });
                let body = Body::wrap_stream(stream::iter(slices));
                request.header(CONTENT_LENGTH, length).body(body)
            }
        }
    }

    /// The client for an address.
    pub(crate) fn client_of(&self, url: &Url) -> Result<Client, Cause> {
        let name = url.host_str().unwrap_or_default();
        let text = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
        let host = text.parse::<Host>().ok();
        let ca = host.as_ref().and_then(|host| self.options.of(host).ca);
        match (url.scheme(), host, ca) {
            ("https", Some(host), Some(ca)) => {
                let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(client) = own.get(&host) {
                    return Ok(client.clone());
                }
                let certificates = read_ca(&ca)?;
                let client = self.builder(host.is_loopback()).tls_certs_only(certificates);
                let client = client.build().map_err(Cause::Client)?;
                own.insert(host, client.clone());
                Ok(client)
            }
            ("https", _, _) => made(&self.secure, || self.builder(false)),
            (_, Some(host), _) if host.is_loopback() => {
                made(&self.local, || self.builder(true).tls_certs_only([]))
            }
            _ => made(&self.plain, || self.builder(false).tls_certs_only([])),
        }
    }

    fn builder(&self, local: bool) -> reqwest::ClientBuilder {
        // Another part of the program may have installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("dmc/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.options.connect_timeout)
            .read_timeout(self.options.read_timeout)
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(self.options.connections);
        if local { builder.no_proxy() } else { builder }
    }
}

fn made(
    slot: &OnceLock<Client>,
    builder: impl FnOnce() -> reqwest::ClientBuilder,
) -> Result<Client, Cause> {
    if let Some(client) = slot.get() {
        return Ok(client.clone());
    }
    let client = builder().build().map_err(Cause::Client)?;
    Ok(slot.get_or_init(|| client).clone())
}

fn read_ca(path: &camino::Utf8Path) -> Result<Vec<reqwest::Certificate>, Cause> {
    let failed = |source| Cause::Ca { path: path.to_owned(), source };
    let pem = std::fs::read(path).map_err(|error| failed(error.into()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.into()))?;
    if certificates.is_empty() {
        return Err(failed("it holds no certificate".into()));
    }
    Ok(certificates)
}

/// Where an answer sends to.
pub(crate) fn location(at: &Url, headers: &HeaderMap) -> Result<Url, Cause> {
    let text = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let to = at.join(text).ok().filter(|_| !text.is_empty());
    let to = to.ok_or_else(|| Cause::Redirect(text.chars().take(200).collect()))?;
    match (at.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        _ => Err(Cause::Redirect(shown(&to))),
    }
}

/// An address as it may be shown: signed addresses give access to whoever sees them.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// The body of an answer, of at most `limit` bytes.
pub(crate) async fn body(mut response: Response, limit: u64) -> Result<Vec<u8>, Cause> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(Cause::TooLarge { limit });
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(network)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > limit {
            return Err(Cause::TooLarge { limit });
        }
    }
    Ok(bytes)
}

/// What an error of the network is about.
pub(crate) fn network(error: reqwest::Error) -> Cause {
    let error = error.without_url();
    match tls_error(&error) {
        Some(rustls::Error::InvalidCertificate(_)) => Cause::Certificate(error),
        Some(rustls::Error::InvalidMessage(_)) => Cause::NotTls(error),
        _ if error.is_connect() => Cause::Unreachable(error),
        _ => Cause::Network(error),
    }
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // An `io::Error` gives the source of what it wraps as its own.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match wrapped {
        Some(wrapped) => tls_error(wrapped),
        None => error.source().and_then(tls_error),
    }
}
