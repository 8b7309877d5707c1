//! Requests and answers on one connection.

use super::{Fault, Request, State};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the server sleeps between looks at whether it was stopped.
const TICK: Duration = Duration::from_millis(20);

struct Head {
    request: Request,
    if_range: Option<String>,
    if_none_match: Option<String>,
    close: bool,
}

/// Whether the connection may serve another request.
#[derive(PartialEq, Eq)]
enum After {
    KeepAlive,
    Close,
    /// Closed without a farewell, once the last handle is dropped.
    Reset,
}

pub(super) fn serve(state: &State, stream: &TcpStream, connection: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // Reads wake up now and then, so that a stopped server lets its connections go.
    stream.set_read_timeout(Some(TICK))?;
    let mut reader = BufReader::new(Patient { stream, state });
    while let Some(head) = read_head(&mut reader, state, connection)? {
        let answering = state.answering.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_answering.fetch_max(answering, Ordering::SeqCst);
        let after = answer(state, stream, &head);
        state.answering.fetch_sub(1, Ordering::SeqCst);
        match after? {
            After::Reset => return Ok(()),
            After::KeepAlive if !head.close => {}
            _ => break,
        }
    }
    stream.shutdown(std::net::Shutdown::Both)
}

/// A stream whose reads wait until something comes or the server stops.
struct Patient<'a> {
    stream: &'a TcpStream,
    state: &'a State,
}

impl Read for Patient<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(into) {
                Err(error) if is_timeout(&error) => {
                    if self.state.stopped.load(Ordering::SeqCst) {
                        return Ok(0);
                    }
                }
                other => return other,
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn read_head(
    reader: &mut impl BufRead,
    state: &State,
    connection: usize,
) -> io::Result<Option<Head>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let target = target.split('?').next().unwrap_or_default();
    let path = decode(target.strip_prefix(&state.base).unwrap_or(target));
    let request = Request { method: method.to_owned(), path, range: None, connection };
    let mut head = Head { request, if_range: None, if_none_match: None, close: false };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "range" => head.request.range = Some(value.to_owned()),
            "if-none-match" => head.if_none_match = Some(value.to_owned()),
            "if-range" => head.if_range = Some(value.to_owned()),
            "connection" => head.close = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    Ok(Some(head))
}

/// Undoes percent-encoding, as of `+` and `~` in the names of packages.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = code.filter(|_| *first == b'%');
        if let Some(byte) = code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answer(state: &State, stream: &TcpStream, head: &Head) -> io::Result<After> {
    let (fault, file) = {
        let mut shared = state.shared();
        shared.requests.push(head.request.clone());
        let queue = shared.faults.get_mut(&head.request.path);
        let fault = queue.and_then(|queue| {
            let (left, fault) = queue.front_mut()?;
            *left -= 1;
            let fault = fault.clone();
            if *left == 0 {
                queue.pop_front();
            }
            Some(fault)
        });
        (fault, shared.files.get(&head.request.path).cloned())
    };
    let own_path = || format!("{}{}", state.base, head.request.path);
    match fault {
        Some(Fault::Hangup) => Ok(After::Close),
        Some(Fault::Status(code, headers)) => empty(stream, code, &headers),
        Some(Fault::Redirect(to)) => empty(stream, 302, &[("Location".to_owned(), to)]),
        Some(Fault::RedirectLoop) => empty(stream, 302, &[("Location".to_owned(), own_path())]),
        Some(Fault::Replace(bytes)) => file_answer(state, stream, head, &bytes.into(), None),
        fault => match file {
            Some(file) => file_answer(state, stream, head, &file, fault.as_ref()),
            None => empty(stream, 404, &[]),
        },
    }
}

fn empty(mut stream: &TcpStream, code: u16, headers: &[(String, String)]) -> io::Result<After> {
    let mut lines = String::new();
    for (name, value) in headers {
        lines.extend([name, ": ", value, "\r\n"]);
    }
    write!(stream, "HTTP/1.1 {code} Test\r\nContent-Length: 0\r\n{lines}\r\n")?;
    Ok(After::KeepAlive)
}

fn file_answer(
    state: &State,
    mut stream: &TcpStream,
    head: &Head,
    file: &Arc<[u8]>,
    fault: Option<&Fault>,
) -> io::Result<After> {
    let etag = format!("\"{}\"", &hex::encode(Sha256::digest(file))[..16]);
    if head.if_none_match.as_ref() == Some(&etag) && fault.is_none() {
        return empty(stream, 304, &[("ETag".to_owned(), etag)]);
    }
    let unchanged = head.if_range.as_ref().is_none_or(|wanted| *wanted == etag);
    let wanted = head.request.range.as_deref().filter(|_| unchanged);
    let range = match wanted.filter(|_| fault != Some(&Fault::IgnoreRange)) {
        None => None,
        Some(text) => match range(text, file.len()) {
            Some(range) => Some(range),
            None => return empty(stream, 416, &[]),
        },
    };
    let (status, body) = match &range {
        None => ("200 OK", &file[..]),
        Some(range) => ("206 Partial Content", &file[range.clone()]),
    };
    let claimed = match fault {
        Some(Fault::WrongLength(length)) => *length,
        _ => body.len() as u64,
    };
    let part = range.map_or_else(String::new, |Range { start, end }| {
        format!("Content-Range: bytes {start}-{}/{}\r\n", end - 1, file.len())
    });
    let lines =
        format!("Content-Length: {claimed}\r\nETag: {etag}\r\nAccept-Ranges: bytes\r\n{part}");
    write!(stream, "HTTP/1.1 {status}\r\n{lines}\r\n")?;
    if head.request.method == "HEAD" {
        return Ok(After::KeepAlive);
    }
    send(state, stream, body, fault)
}

fn send(
    state: &State,
    mut stream: &TcpStream,
    body: &[u8],
    fault: Option<&Fault>,
) -> io::Result<After> {
    match fault {
        Some(Fault::Cut(after)) => {
            stream.write_all(&body[..body.len().min(*after)])?;
            Ok(After::Close)
        }
        Some(Fault::Reset(after)) => {
            stream.write_all(&body[..body.len().min(*after)])?;
            // What was sent arrives before the reset does.
            std::thread::sleep(TICK);
            rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
            Ok(After::Reset)
        }
        Some(Fault::Stall(after)) => {
            stream.write_all(&body[..body.len().min(*after)])?;
            // Until the client hangs up or the server stops.
            drop(Patient { stream, state }.read(&mut [0]));
            Ok(After::Close)
        }
        Some(Fault::Slow(rate)) => {
            for chunk in body.chunks((rate / 50).max(1)) {
                if state.stopped.load(Ordering::SeqCst) {
                    return Ok(After::Close);
                }
                stream.write_all(chunk)?;
                std::thread::sleep(TICK);
            }
            Ok(After::KeepAlive)
        }
        Some(Fault::WrongLength(_)) => {
            stream.write_all(body)?;
            Ok(After::Close)
        }
        _ => {
            stream.write_all(body)?;
            Ok(After::KeepAlive)
        }
    }
}

/// `bytes=FIRST-` or `bytes=FIRST-LAST` within a file; none where it cannot be satisfied.
fn range(text: &str, size: usize) -> Option<Range<usize>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let end = if last.is_empty() { size } else { last.parse::<usize>().ok()? + 1 };
    (first < size).then(|| first..end.min(size))
}
