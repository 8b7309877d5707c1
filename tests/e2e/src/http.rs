//! The smallest client that can ask nginx for a page.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How long a server may take to come up; emulated processors are slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer.
#[derive(Debug)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// Headers and body, as they came.
    pub text: String,
}

/// A port on loopback that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Gets a page from a server on loopback, which may still be starting.
#[track_caller]
pub fn get(port: u16, path: &str) -> Page {
    let start = Instant::now();
    loop {
        match ask(port, path) {
            Ok(page) => return page,
            Err(error) if start.elapsed() > PATIENCE => {
                panic!("nothing answers on port {port}: {error}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn ask(port: u16, path: &str) -> io::Result<Page> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("not an answer of HTTP"))?;
    Ok(Page { status, text })
}
