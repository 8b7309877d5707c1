//! What may stand between a program and a mirror: a proxy, or TLS.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one side is listened to before the other's turn.
const TURN: Duration = Duration::from_millis(2);

/// The certificate of the authority that vouches for a [`TlsFront`], as PEM.
pub const AUTHORITY: &str = include_str!("tls/authority.pem");

/// A certificate and its private key, as PEM.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// The certificate.
    pub certificate: &'static str,
    /// Its key (PKCS #8).
    pub key: &'static str,
}

impl Identity {
    /// A client that [`TlsFront::for_clients`] lets in.
    pub const CLIENT: Self =
        Self { certificate: include_str!("tls/client.pem"), key: include_str!("tls/client.key") };

    /// One that nobody vouches for.
    pub const STRANGER: Self = Self {
        certificate: include_str!("tls/stranger.pem"),
        key: include_str!("tls/stranger.key"),
    };
}

/// A listener whose connections are each handled on a thread of their own, until it is dropped.
#[derive(Debug)]
struct Front {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Front {
    fn start(
        handle: impl Fn(TcpStream, &AtomicBool) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the port's number");
        let stopped = Arc::new(AtomicBool::new(false));
        let (stop, handle) = (Arc::clone(&stopped), Arc::new(handle));
        let listening = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (stop, handle) = (Arc::clone(&stop), Arc::clone(&handle));
                // A client that goes away is no failure.
                std::thread::spawn(move || drop(handle(stream, &stop)));
            }
        });
        Self { address, stopped, listening: Some(listening) }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the listening thread.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

/// Hands bytes from one side to the other, in turns, until either ends.
fn relay(
    mut one: impl Read + Write,
    mut other: impl Read + Write,
    stopped: &AtomicBool,
) -> io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    while !stopped.load(Ordering::SeqCst) {
        if !hand_on(&mut one, &mut other, &mut piece)?
            || !hand_on(&mut other, &mut one, &mut piece)?
        {
            break;
        }
    }
    Ok(())
}

/// What has come so far; false at the end.
fn hand_on(from: &mut impl Read, to: &mut impl Write, piece: &mut [u8]) -> io::Result<bool> {
    match from.read(piece) {
        Ok(0) => Ok(false),
        Ok(size) => to.write_all(&piece[..size]).and_then(|()| to.flush()).map(|()| true),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// A proxy for HTTP: requests with a whole address, and `CONNECT` (RFC 9110, section 9.3.6).
/// Whatever host is asked for, it asks the one that it was started with: names need not exist.
#[derive(Debug)]
pub struct Proxy {
    front: Front,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Stands before the server at this address.
    pub fn start(server: SocketAddr) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let front = Front::start(move |client, stopped| pass(client, server, &log, stopped));
        Self { front, asked }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.front.address)
    }

    /// Method and target of every request: `GET http://deb.example/debian/…`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread of the proxy panics with the lock").clone()
    }
}

fn pass(
    client: TcpStream,
    server: SocketAddr,
    log: &Mutex<Vec<String>>,
    stopped: &AtomicBool,
) -> io::Result<()> {
    let mut lines = Vec::new();
    let mut reader = BufReader::new(&client);
    while lines.last().is_none_or(|line: &String| line != "\r\n") {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        lines.push(line);
    }
    let mut words = lines[0].split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    log.lock().expect("as above").push(format!("{method} {target}"));
    let mut upstream = TcpStream::connect(server)?;
    if method == "CONNECT" {
        (&client).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    } else {
        let path = target.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let path = path.map_or("", |(_host, path)| path);
        let rest = lines[1..].concat();
        write!(upstream, "{method} /{path} HTTP/1.1\r\nConnection: close\r\n{rest}")?;
        // One request a connection: the client is told, too.
        let mut status = String::new();
        let mut answer = BufReader::new(&upstream);
        answer.read_line(&mut status)?;
        write!(&client, "{status}Connection: close\r\n")?;
        io::copy(&mut answer, &mut &client)?;
        return Ok(());
    }
    for side in [&client, &upstream] {
        side.set_read_timeout(Some(TURN))?;
    }
    relay(client, upstream, stopped)
}

/// TLS before a server, with a certificate by [`AUTHORITY`] for `localhost` and `127.0.0.1`.
#[derive(Debug)]
pub struct TlsFront(Front);

impl TlsFront {
    /// Stands before the server at this address.
    pub fn start(server: SocketAddr) -> Self {
        Self::before(server, None)
    }

    /// The same for those alone who show the certificate of a client.
    pub fn for_clients(server: SocketAddr) -> Self {
        Self::before(server, Some(include_bytes!("tls/clients.pem")))
    }

    fn before(server: SocketAddr, clients: Option<&[u8]>) -> Self {
        let config = Arc::new(config(clients));
        Self(Front::start(move |client, stopped| {
            let upstream = TcpStream::connect(server)?;
            for side in [&client, &upstream] {
                side.set_read_timeout(Some(TURN))?;
            }
            let connection =
                ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, client);
            relay(&mut stream, upstream, stopped).or_else(|_| part(&mut stream.sock, stopped))
        }))
    }

    /// The address with the port.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

/// The server's certificate, and the authority of the clients that are let in; none lets in all.
fn config(clients: Option<&[u8]>) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions that the provider has");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let authority = CertificateDer::from_pem_slice(authority).expect("a certificate");
            let mut known = RootCertStore::empty();
            known.add(authority).expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(known), provider);
            builder.with_client_cert_verifier(verifier.build().expect("an authority to ask"))
        }
    };
    let chain = vec![certificate.expect("a certificate")];
    let config = builder.with_single_cert(chain, key.expect("the certificate's key"));
    config.expect("a key that fits")
}

/// Takes leave of a client that was told why: what it still sends is read, as its system would
/// forget the reason if the connection broke.
fn part(client: &mut TcpStream, stopped: &AtomicBool) -> io::Result<()> {
    client.shutdown(Shutdown::Write)?;
    while !stopped.load(Ordering::SeqCst) && hand_on(client, &mut io::sink(), &mut [0; 1024])? {}
    Ok(())
}
