//! One request with its redirects, from the first byte that is missing.

use super::error::{FetchCause, shown};
use super::sink::Sink;
use super::{Line, Shared, TransportOptions};
use dmc_deb::release::parse_time;
use reqwest::header::{
    CONTENT_RANGE, DATE, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a server said that vouches for a version of a file (RFC 9110, section 8.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Validator {
    /// `ETag`.
    Tag(String),
    /// `Last-Modified`.
    Date(String),
}

impl Validator {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
        text(ETAG).map(Self::Tag).or_else(|| text(LAST_MODIFIED).map(Self::Date))
    }
}

/// What is remembered from one attempt to the next.
pub(super) struct Exchange<'a> {
    url: &'a Url,
    /// The strong validator of the body that broke (RFC 9110, section 13.1.5).
    validator: Option<HeaderValue>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(url: &'a Url) -> Self {
        Self { url, validator: None }
    }

    pub(super) async fn attempt(
        &mut self,
        sink: &mut Sink,
        line: &mut Line<'_>,
    ) -> Result<(), FetchCause> {
        let peer = line.peer(self.url);
        let _turn = peer.turn().await;
        let mut response = self.request(sink, line.shared).await?;
        let announced = Self::place(&response, sink, line)?;
        self.validator = validator(response.headers());
        sink.note(Validator::of(response.headers()));
        sink.begin();
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            sink.append(&chunk)?;
            line.arrived(chunk.len());
        }
        sink.end(announced)
    }

    /// Follows redirects up to an answer that is none.
    async fn request(&self, sink: &Sink, shared: &Shared) -> Result<Response, FetchCause> {
        let from = sink.received();
        let mut chain = vec![self.url.clone()];
        let mut at = self.url.clone();
        loop {
            let mut request = client(shared, &at)?.get(at.clone());
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
                if let Some(validator) = &self.validator {
                    request = request.header(IF_RANGE, validator);
                }
            }
            request = match sink.condition() {
                Some(Validator::Tag(tag)) => request.header(IF_NONE_MATCH, tag),
                Some(Validator::Date(date)) => request.header(IF_MODIFIED_SINCE, date),
                None => request,
            };
            shared.requests.fetch_add(1, Ordering::Relaxed);
            let response = request.send().await.map_err(network)?;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            at = next(&at, response.headers())?;
            if chain.contains(&at) {
                chain.push(at);
                return Err(FetchCause::RedirectLoop(chain.iter().map(shown).collect()));
            }
            if chain.len() > shared.options.redirects {
                return Err(FetchCause::RedirectChain(shared.options.redirects));
            }
            chain.push(at.clone());
        }
    }

    /// Settles where the body goes: behind what is there, or in its place. Gives the length that
    /// the whole file has by the server's word.
    fn place(
        response: &Response,
        sink: &mut Sink,
        line: &mut Line<'_>,
    ) -> Result<Option<u64>, FetchCause> {
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let (first, total) = content_range(response.headers()).ok_or(FetchCause::Range)?;
                if first == sink.received() {
                    sink.admit(total)?;
                    return Ok(Some(total));
                }
                sink.restart()?;
                line.restarted();
                Err(FetchCause::Range)
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                sink.restart()?;
                line.restarted();
                Err(FetchCause::Range)
            }
            StatusCode::NOT_MODIFIED if sink.condition().is_some() => {
                sink.leave_unchanged();
                Ok(None)
            }
            StatusCode::OK => {
                if sink.received() > 0 {
                    sink.restart()?;
                    line.restarted();
                }
                let length = response.content_length();
                length.map_or(Ok(()), |length| sink.admit(length))?;
                Ok(length)
            }
            other => Err(refusal(other, response.headers())),
        }
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap) -> FetchCause {
    let after = retry_after(headers, SystemTime::now());
    match status {
        StatusCode::NOT_FOUND => FetchCause::NotFound,
        StatusCode::TOO_MANY_REQUESTS => FetchCause::Busy { status: 429, after },
        StatusCode::SERVICE_UNAVAILABLE if after.is_some() => {
            FetchCause::Busy { status: 503, after }
        }
        other => FetchCause::Status(other.as_u16()),
    }
}

/// How long to wait, of `120` or `Fri, 31 Dec 1999 23:59:59 GMT`. A date counts from the server's
/// own clock, where it tells that: this machine's may be wrong.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let own = || now.duration_since(UNIX_EPOCH).ok().and_then(|now| now.as_secs().try_into().ok());
    let from = text(DATE).and_then(parse_time).or_else(own)?;
    let wait = parse_time(asked)?.saturating_sub(from);
    Some(Duration::from_secs(wait.try_into().unwrap_or(0)))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn next(at: &Url, headers: &HeaderMap) -> Result<Url, FetchCause> {
    let text = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refused = || FetchCause::Redirect(text.chars().take(200).collect());
    if text.is_empty() {
        return Err(refused());
    }
    let to = at.join(text).map_err(|_unreadable| refused())?;
    match (at.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        _ => Err(refused()),
    }
}

/// The first byte's place and the whole length, of `bytes 100-199/200`.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total: u64 = total.trim().parse().ok()?;
    (first <= last && last.checked_add(1)? == total).then_some((first, total))
}

/// A validator that vouches for equal bytes: a strong `ETag`, else a date.
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    let strong = |tag: &&HeaderValue| !tag.as_bytes().starts_with(b"W/");
    headers.get(ETAG).filter(strong).or_else(|| headers.get(LAST_MODIFIED)).cloned()
}

fn network(error: reqwest::Error) -> FetchCause {
    let error = error.without_url();
    if is_about_a_certificate(&error) {
        FetchCause::Certificate(error)
    } else {
        FetchCause::Network(error)
    }
}

fn is_about_a_certificate(error: &(dyn Error + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return true;
    }
    // An `io::Error` gives the source of what it wraps as its own.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match wrapped {
        Some(wrapped) => is_about_a_certificate(wrapped),
        None => error.source().is_some_and(is_about_a_certificate),
    }
}

fn client<'a>(shared: &'a Shared, url: &Url) -> Result<&'a Client, FetchCause> {
    let secure = url.scheme() == "https";
    let slot: &OnceLock<Client> = if secure { &shared.secure } else { &shared.plain };
    if let Some(client) = slot.get() {
        return Ok(client);
    }
    let client = make_client(shared, secure).map_err(FetchCause::Client)?;
    Ok(slot.get_or_init(|| client))
}

fn make_client(shared: &Shared, secure: bool) -> reqwest::Result<Client> {
    // Another part of the program may have installed one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options: &TransportOptions = &shared.options;
    let mut builder = Client::builder()
        .user_agent(concat!("dmc/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout)
        .redirect(redirect::Policy::none())
        .dns_resolver(shared.hosts.clone())
        .pool_max_idle_per_host(options.connections_per_host);
    if directly(["NO_PROXY", "no_proxy"].into_iter().find_map(|name| std::env::var(name).ok())) {
        builder = builder.no_proxy();
    }
    if !secure {
        // Reading the machine's certificates takes longer than a small build.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

/// Whether no host at all is asked through a proxy. Other lists are read by the client, for which
/// `*` stands for names alone.
fn directly(no_proxy: Option<String>) -> bool {
    no_proxy.is_some_and(|hosts| hosts.split(',').any(|host| host.trim() == "*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_must_reach_the_end() {
        for (text, wanted) in [
            ("bytes 100-199/200", Some((100, 200))),
            ("bytes 0-0/1", Some((0, 1))),
            ("bytes 100-150/200", None),
            ("bytes 100-199/*", None),
            ("bytes 200-100/101", None),
            ("bytes */200", None),
            ("bytes 0-18446744073709551615/0", None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, text.parse().unwrap())]);
            assert_eq!(content_range(&headers), wanted, "{text}");
        }
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_by_a_date() {
        let here = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (asked, date, wanted) in [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", None, Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", None, Some(0)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some("Fri, 31 Dec 1999 23:59:00 GMT"), Some(59)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some("once upon a time"), Some(10)),
            ("-1", None, None),
            ("soon", None, None),
            ("", None, None),
        ] {
            let mut headers = HeaderMap::from_iter([(RETRY_AFTER, asked.parse().unwrap())]);
            headers.extend(date.map(|date| (DATE, date.parse().unwrap())));
            let found = retry_after(&headers, here);
            assert_eq!(found, wanted.map(Duration::from_secs), "{asked} at {date:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), here), None);
    }

    #[test]
    fn redirects_do_not_leave_https() {
        let at = |text| Url::parse(text).unwrap();
        for (from, to, wanted) in [
            ("http://a/x", "https://b/x", true),
            ("http://a/x", "/y", true),
            ("https://a/x", "http://a/x", false),
            ("http://a/x", "file:///etc/passwd", false),
            ("http://a/x", "", false),
        ] {
            let headers = HeaderMap::from_iter([(LOCATION, to.parse().unwrap())]);
            assert_eq!(next(&at(from), &headers).is_ok(), wanted, "{from} -> {to}");
        }
    }

    #[test]
    fn weak_validators_do_not_count() {
        let weak = HeaderMap::from_iter([(ETAG, "W/\"x\"".parse().unwrap())]);
        assert_eq!(validator(&weak), None);
        let strong = HeaderMap::from_iter([(ETAG, "\"x\"".parse().unwrap())]);
        assert_eq!(validator(&strong).unwrap(), "\"x\"");
    }
}
