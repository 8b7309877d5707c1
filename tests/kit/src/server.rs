//! A mirror on 127.0.0.1 that can misbehave.
//!
//! HTTP/1.1 (RFC 9110, 9112) on plain sockets, a thread for each connection: an honest library
//! would not let a test cut a body short or lie about its length. Serves `GET` and `HEAD`, ranges
//! with `If-Range`, `ETag`, keep-alive. Counts every request. Stops when dropped.

mod exchange;

use crate::FakeArchive;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status with these headers (`("Retry-After", "1")`) and an empty body.
    Status(u16, Vec<(String, String)>),
    /// The connection is closed after this many bytes of the body.
    Cut(usize),
    /// The connection is reset (RST) after this many bytes of the body.
    Reset(usize),
    /// This many bytes of the body, then silence, with the connection left open.
    Stall(usize),
    /// Nothing at all is answered, and the connection is closed.
    Hangup,
    /// `Content-Length` says this, the body is the right one, then the connection is closed.
    WrongLength(u64),
    /// Other bytes than the right ones, without any sign of it.
    Replace(Vec<u8>),
    /// A redirection to this URL or absolute path.
    Redirect(String),
    /// A redirection to the very path that was asked for.
    RedirectLoop,
    /// The body comes at about this many bytes a second.
    Slow(usize),
    /// The whole file with status 200, whatever range was asked for.
    IgnoreRange,
}

impl Fault {
    /// A status without further headers.
    pub fn status(code: u16) -> Self {
        Self::Status(code, Vec::new())
    }
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `HEAD`.
    pub method: String,
    /// The path below the base, as in the archive: `dists/trixie/InRelease`.
    pub path: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The number of the connection that it came on.
    pub connection: usize,
}

/// A running mirror.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    base: String,
    stopped: AtomicBool,
    answering: AtomicUsize,
    most_answering: AtomicUsize,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    files: BTreeMap<String, Arc<[u8]>>,
    faults: HashMap<String, VecDeque<(usize, Fault)>>,
    requests: Vec<Request>,
}

impl State {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no thread of the server panics with the lock")
    }
}

impl Server {
    /// Serves an archive below `/debian`.
    pub fn start(archive: &FakeArchive) -> Self {
        Self::start_at("/debian", archive)
    }

    /// Serves an archive below another path; `""` for the root.
    pub fn start_at(base: &str, archive: &FakeArchive) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), base, archive)
    }

    /// Serves an archive on `::1` alone.
    pub fn start_on_ipv6(archive: &FakeArchive) -> Self {
        Self::start_on(Ipv6Addr::LOCALHOST.into(), "/debian", archive)
    }

    fn start_on(address: IpAddr, base: &str, archive: &FakeArchive) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a free port");
        let address = listener.local_addr().expect("the port's number");
        let state = Arc::new(State {
            base: format!("{}/", base.trim_end_matches('/')),
            stopped: AtomicBool::new(false),
            answering: AtomicUsize::new(0),
            most_answering: AtomicUsize::new(0),
            shared: Mutex::default(),
        });
        let listening = Arc::clone(&state);
        let listening = std::thread::spawn(move || listen(&listener, &listening));
        let server = Self { address, state, listening: Some(listening) };
        server.serve(archive);
        server
    }

    /// Serves another archive from now on.
    pub fn serve(&self, archive: &FakeArchive) {
        let files = archive.files().iter();
        let files = files.map(|(path, bytes)| (path.clone(), bytes.as_slice().into()));
        self.state.shared().files = files.collect();
    }

    /// `http://127.0.0.1:PORT/debian` (or `[::1]`), without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.state.base.trim_end_matches('/'))
    }

    /// The address with the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the next `times` requests for a path go wrong. Faults for one path queue up; after
    /// them the path is served rightly. A path that is "not found, then right" has
    /// `Fault::status(404)` once.
    pub fn fault(&self, path: &str, times: usize, fault: Fault) {
        let mut shared = self.state.shared();
        shared.faults.entry(path.to_owned()).or_default().push_back((times, fault));
    }

    /// Lets every request for a path go wrong from now on.
    pub fn break_for_good(&self, path: &str, fault: Fault) {
        self.fault(path, usize::MAX, fault);
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.state.shared().requests.clone()
    }

    /// How many requests for a path came in.
    pub fn count(&self, path: &str) -> usize {
        self.state.shared().requests.iter().filter(|request| request.path == path).count()
    }

    /// The most requests that were being answered at one time. Connections are not counted: an
    /// idle one may be there besides.
    pub fn most_at_once(&self) -> usize {
        self.state.most_answering.load(Ordering::SeqCst)
    }

    /// Forgets requests and faults.
    pub fn reset(&self) {
        let mut shared = self.state.shared();
        shared.requests.clear();
        shared.faults.clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the listening thread.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

fn listen(listener: &TcpListener, state: &Arc<State>) {
    for (connection, stream) in listener.incoming().enumerate() {
        if state.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            // A client that goes away is no failure.
            drop(exchange::serve(&state, &stream, connection));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::time::{Duration, Instant};

    const PATH: &str = "pool/x+1.deb";

    fn server() -> Server {
        let mut archive = FakeArchive::default();
        archive.put(PATH, *b"0123456789");
        Server::start(&archive)
    }

    /// Sends one request and reads until the server closes or half a second has passed.
    fn get(server: &Server, path: &str, headers: &str) -> (String, String) {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let close = "Connection: close\r\n";
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{headers}{close}\r\n").unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 100]);
        while let Ok(size @ 1..) = stream.read(&mut piece) {
            answer.extend_from_slice(&piece[..size]);
        }
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        (head.to_owned(), body.to_owned())
    }

    #[test]
    fn files_are_served_whole_and_in_part() {
        let server = server();
        let etag = {
            let (head, body) = get(&server, "/debian/pool/x%2B1.deb", "");
            assert_eq!(body, "0123456789");
            head.split_once("ETag: ").unwrap().1.split_once("\r\n").unwrap().0.to_owned()
        };
        let same = format!("Range: bytes=4-\r\nIf-Range: {etag}\r\n");
        for (headers, status, wanted) in [
            ("Range: bytes=4-\r\n", "206", "456789"),
            ("Range: bytes=4-5\r\n", "206", "45"),
            ("Range: bytes=10-\r\n", "416", ""),
            (&same, "206", "456789"),
            ("Range: bytes=4-\r\nIf-Range: \"other\"\r\n", "200", "0123456789"),
        ] {
            let (head, body) = get(&server, "/debian/pool/x+1.deb", headers);
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{headers}: {head}");
            assert_eq!(body, wanted, "{headers}");
        }
        assert!(get(&server, "/debian/none", "").0.contains(" 404 "));
        assert_eq!(server.count(PATH), 6);
        assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=4-"));
    }

    #[test]
    fn faults_last_as_long_as_they_are_asked_for() {
        let server = server();
        let later = vec![("Retry-After".to_owned(), "7".to_owned())];
        let rows: [(Fault, &str, &str); 11] = [
            (Fault::Status(429, later), "Retry-After: 7", ""),
            (Fault::Cut(3), "Content-Length: 10", "012"),
            (Fault::Reset(0), "", ""),
            (Fault::Stall(4), "Content-Length: 10", "0123"),
            (Fault::Hangup, "", ""),
            (Fault::WrongLength(12), "Content-Length: 12", "0123456789"),
            (Fault::Replace(b"other".to_vec()), "Content-Length: 5", "other"),
            (Fault::Redirect("/y".to_owned()), "Location: /y", ""),
            (Fault::RedirectLoop, "Location: /debian/pool/x+1.deb", ""),
            (Fault::Slow(50), "Content-Length: 10", "0123456789"),
            (Fault::IgnoreRange, "200 OK", "0123456789"),
        ];
        for (fault, line, body) in rows {
            server.fault(PATH, 1, fault.clone());
            let answer = get(&server, "/debian/pool/x+1.deb", "");
            assert!(answer.0.contains(line), "{fault:?}: {answer:?}");
            assert_eq!(answer.1, body, "{fault:?}");
            assert_eq!(get(&server, "/debian/pool/x+1.deb", "").1, "0123456789", "{fault:?}");
        }
    }

    #[test]
    fn stopping_does_not_wait_for_clients() {
        let server = server();
        server.break_for_good(PATH, Fault::Stall(1));
        let mut idle = TcpStream::connect(server.address()).unwrap();
        write!(idle, "GET /debian/{PATH} HTTP/1.1\r\n\r\n").unwrap();
        let start = Instant::now();
        drop(server);
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).ok();
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}
