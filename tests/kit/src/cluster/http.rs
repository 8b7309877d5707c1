//! Requests and answers on one connection (RFC 9112).

use super::State;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the server sleeps between looks at whether it was stopped.
const TICK: Duration = Duration::from_millis(20);

/// A request.
#[derive(Debug, Default)]
pub(super) struct Ask {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) content_type: String,
    pub(super) token: String,
    pub(super) body: Vec<u8>,
}

impl Ask {
    /// The value of a key of the query; empty where there is none.
    pub(super) fn query_value(&self, key: &str) -> String {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(other, _)| *other == key).map_or("", |(_, value)| value);
        value.replace("%3D", "=").replace("%2F", "/")
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) body: Value,
}

impl Answer {
    /// A `Status` that says no; causes are reason, field and message.
    pub(super) fn status(
        code: u16,
        reason: &str,
        message: &str,
        causes: &[(&str, String, String)],
    ) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(|(reason, field, message)| json!({ "reason": reason, "field": field, "message": message }))
            .collect();
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code, "details": { "causes": causes },
        });
        Self { code, body }
    }
}

pub(super) fn serve(stream: &TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    let mut reader = BufReader::new(Patient { stream, state });
    while let Some(ask) = read(&mut reader)? {
        let Some(answer) = state.answer(&ask) else {
            // Silence, until the client hangs up or the server stops.
            return reader.read(&mut [0]).map(drop);
        };
        let body = answer.body.to_string();
        let mut out = stream;
        write!(
            out,
            "HTTP/1.1 {} Test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            answer.code,
            body.len()
        )?;
    }
    Ok(())
}

/// A stream whose reads wait until something comes or the server stops.
struct Patient<'a> {
    stream: &'a TcpStream,
    state: &'a State,
}

impl Read for Patient<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut stream = self.stream;
            match stream.read(into) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    if self.state.stopped.load(Ordering::SeqCst) {
                        return Ok(0);
                    }
                }
                other => return other,
            }
        }
    }
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Ask>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.trim_start_matches('&').to_owned();
    let mut ask = Ask { method: method.to_owned(), path: path.to_owned(), query, ..Ask::default() };
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim().to_owned();
        match name.to_ascii_lowercase().as_str() {
            "content-type" => ask.content_type = value,
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            "authorization" => ask.token = value,
            _ => {}
        }
    }
    ask.body = vec![0; length];
    reader.read_exact(&mut ask.body)?;
    Ok(Some(ask))
}
