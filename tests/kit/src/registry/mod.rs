//! A registry on 127.0.0.1 that can misbehave.
//!
//! The OCI distribution protocol 1.1 on plain sockets, a thread for each connection. Like real
//! ones it takes no manifest that names what it does not have, and no bytes that have another
//! digest than was said. It keeps a log of all requests with what came along, so that a test can
//! count them and see to whom a password was told. Stops when dropped.

mod http;
mod routes;

use crate::sha256;
use http::{Answer, Call};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// How a registry is.
#[derive(Debug, Clone)]
pub struct RegistryKind {
    /// Whom it lets in.
    pub door: Door,
    /// Whether it lists referrers by itself and says `OCI-Subject`.
    pub referrers: bool,
    /// Whether it takes blobs from its other repositories.
    pub mounts: bool,
    /// Whether an upload can go on after the connection broke in the middle of a chunk.
    pub resumes: bool,
    /// `OCI-Chunk-Min-Length` that it asks for.
    pub least_chunk: Option<usize>,
    /// Tags on one page of a list.
    pub page: usize,
}

impl Default for RegistryKind {
    fn default() -> Self {
        let door = Door::Open;
        Self { door, referrers: true, mounts: true, resumes: true, least_chunk: None, page: 1000 }
    }
}

/// Whom a registry lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Who says this name and password.
    Basic(String, String),
    /// Who has a token that its service gives for this name and password (or for the identity
    /// token that is the same as the password), each good for so many requests.
    Token(String, String, usize),
}

/// What goes wrong with one request.
#[derive(Debug, Clone)]
pub enum RegistryFault {
    /// This answer, whatever was asked: status, headers, body.
    Answer(u16, Vec<(String, String)>, String),
    /// The connection is closed after so many bytes of the request's body.
    Cut(usize),
    /// The connection is closed after so many bytes of the answer's body.
    CutAnswer(usize),
    /// The answer names another digest than the right one, or the body is another one.
    OtherDigest,
    /// The upload is forgotten, and the answer says so.
    Forget,
    /// Before the request is answered, this manifest is put under this tag of the same repository.
    Race(String, String, Vec<u8>),
}

/// An error as the specification writes it.
pub fn registry_error(status: u16, code: &str, message: &str) -> RegistryFault {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    let json = ("Content-Type".to_owned(), "application/json".to_owned());
    RegistryFault::Answer(status, vec![json], body)
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRequest {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// Bytes of the body that were read.
    pub body: usize,
}

/// A running registry.
#[derive(Debug)]
pub struct FakeRegistry {
    address: SocketAddr,
    state: Arc<State>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(crate) struct State {
    kind: RegistryKind,
    stopped: AtomicBool,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    blobs: BTreeMap<String, Vec<u8>>,
    repositories: BTreeMap<String, Kept>,
    uploads: BTreeMap<String, Vec<u8>>,
    tokens: BTreeMap<String, usize>,
    realm: String,
    faults: Vec<(String, String, usize, RegistryFault)>,
    log: Vec<RegistryRequest>,
    next: usize,
}

/// One repository.
#[derive(Debug, Default)]
struct Kept {
    blobs: BTreeSet<String>,
    /// Media type and bytes, by digest.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    tags: BTreeMap<String, String>,
}

impl State {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no thread of the registry panics with the lock")
    }
}

impl FakeRegistry {
    /// One that lets everybody in and knows everything.
    pub fn open() -> Self {
        Self::start(RegistryKind::default())
    }

    /// One of a kind.
    pub fn start(kind: RegistryKind) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the port's number");
        let state = State { kind, stopped: AtomicBool::new(false), shared: Mutex::default() };
        state.shared().realm = format!("http://{address}/token");
        let state = Arc::new(state);
        let listening = Arc::clone(&state);
        let listening = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if listening.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let state = Arc::clone(&listening);
                // A client that goes away is no failure.
                std::thread::spawn(move || drop(serve(&state, &stream)));
            }
        });
        Self { address, state, listening: Some(listening) }
    }

    /// The address with the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `127.0.0.1:PORT`, as it stands in the names of images.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// From now on sends for tokens to this address.
    pub fn set_realm(&self, realm: &str) {
        realm.clone_into(&mut self.state.shared().realm);
    }

    /// Lets the next `times` requests of a method go wrong whose target contains a text. Faults
    /// for the same requests queue up.
    pub fn fault(&self, method: &str, target: &str, times: usize, fault: RegistryFault) {
        let faults = &mut self.state.shared().faults;
        faults.push((method.to_owned(), target.to_owned(), times, fault));
    }

    /// Every request so far, in order.
    pub fn log(&self) -> Vec<RegistryRequest> {
        self.state.shared().log.clone()
    }

    /// How many requests of a method came whose target contains a text.
    pub fn count(&self, method: &str, target: &str) -> usize {
        let log = &self.state.shared().log;
        log.iter().filter(|one| one.method == method && one.target.contains(target)).count()
    }

    /// Forgets the log and the faults.
    pub fn reset(&self) {
        let mut shared = self.state.shared();
        shared.log.clear();
        shared.faults.clear();
    }

    /// Puts a blob into a repository; gives its digest in hexadecimal.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let (digest, mut shared) = (sha256(bytes), self.state.shared());
        shared.blobs.insert(digest.clone(), bytes.to_vec());
        shared.repository(repository).blobs.insert(digest.clone());
        digest
    }

    /// Puts a manifest into a repository, whatever it names, and a tag on it; gives its digest in
    /// hexadecimal.
    pub fn put_manifest(&self, repository: &str, tag: &str, kind: &str, bytes: &[u8]) -> String {
        self.state.shared().put_manifest(repository, Some(tag), kind, bytes)
    }

    /// Takes a tag away, or moves it to another manifest, by its digest in hexadecimal.
    pub fn move_tag(&self, repository: &str, tag: &str, to: Option<&str>) {
        let mut shared = self.state.shared();
        let tags = &mut shared.repository(repository).tags;
        match to {
            Some(digest) => tags.insert(tag.to_owned(), digest.to_owned()),
            None => tags.remove(tag),
        };
    }

    /// Tags of a repository and the digests that they mean, in hexadecimal.
    pub fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        let shared = self.state.shared();
        shared.repositories.get(repository).map(|kept| kept.tags.clone()).unwrap_or_default()
    }

    /// A manifest by its digest in hexadecimal.
    pub fn manifest(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        let shared = self.state.shared();
        let (_, bytes) = shared.repositories.get(repository)?.manifests.get(digest)?;
        Some(bytes.clone())
    }

    /// The digests of all manifests of a repository, in hexadecimal.
    pub fn manifests(&self, repository: &str) -> Vec<String> {
        let shared = self.state.shared();
        let kept = shared.repositories.get(repository);
        kept.map(|kept| kept.manifests.keys().cloned().collect()).unwrap_or_default()
    }

    /// A blob of any repository by its digest in hexadecimal.
    pub fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        self.state.shared().blobs.get(digest).cloned()
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the listening thread.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

impl Shared {
    fn repository(&mut self, name: &str) -> &mut Kept {
        self.repositories.entry(name.to_owned()).or_default()
    }

    fn put_manifest(
        &mut self,
        repository: &str,
        tag: Option<&str>,
        kind: &str,
        bytes: &[u8],
    ) -> String {
        let digest = sha256(bytes);
        let kept = self.repository(repository);
        kept.manifests.insert(digest.clone(), (kind.to_owned(), bytes.to_vec()));
        if let Some(tag) = tag {
            kept.tags.insert(tag.to_owned(), digest.clone());
        }
        digest
    }

    /// The fault that is meant for a request, if there is one.
    fn fault_for(&mut self, call: &Call) -> Option<RegistryFault> {
        let meant = |(method, target, times, _): &(String, String, usize, RegistryFault)| {
            *times > 0 && *method == call.method && call.target.contains(target.as_str())
        };
        let (_, _, times, fault) = self.faults.iter_mut().find(|fault| meant(fault))?;
        *times -= 1;
        Some(fault.clone())
    }
}

fn serve(state: &State, stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut call = match http::head(&mut reader) {
            Ok(Some(call)) => call,
            Ok(None) => return Ok(()),
            // TLS, perhaps: said as servers say it.
            Err(_no_text) => {
                let mut out = stream;
                return out.write_all(&Answer::new(400, b"").bytes(false, None));
            }
        };
        let fault = state.shared().fault_for(&call);
        let limit = match fault {
            Some(RegistryFault::Cut(after)) => Some(after),
            _ => None,
        };
        let whole = http::body(&mut reader, &mut call, limit)?;
        state.shared().log.push(RegistryRequest {
            method: call.method.clone(),
            target: call.target.clone(),
            authorization: call.header("authorization").map(str::to_owned),
            body: call.body.len(),
        });
        if !whole {
            routes::take_in_part(state, &call);
            return stream.shutdown(std::net::Shutdown::Both);
        }
        let answer = answer(state, &call, fault.as_ref());
        let cut = match fault {
            Some(RegistryFault::CutAnswer(after)) => Some(after),
            _ => None,
        };
        let bytes = answer.bytes(call.method == "HEAD", cut);
        let mut out = stream;
        out.write_all(&bytes)?;
        if cut.is_some() || call.header("connection") == Some("close") {
            return stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn answer(state: &State, call: &Call, fault: Option<&RegistryFault>) -> Answer {
    match fault {
        Some(RegistryFault::Answer(status, headers, body)) => {
            let mut answer = Answer::new(*status, body.as_bytes());
            answer.headers.extend(headers.iter().cloned());
            answer
        }
        Some(RegistryFault::OtherDigest) => routes::with_other_digest(routes::route(state, call)),
        Some(RegistryFault::Forget) => {
            state.shared().uploads.clear();
            Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        }
        Some(RegistryFault::Race(tag, kind, bytes)) => {
            if let Some((repository, _)) = routes::split(call.path()) {
                state.shared().put_manifest(repository, Some(tag), kind, bytes);
            }
            routes::route(state, call)
        }
        _ => routes::route(state, call),
    }
}
