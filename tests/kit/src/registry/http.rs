//! As much of HTTP/1.1 as clients of registries speak.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read as _};

/// A request.
pub(super) struct Call {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// Names in small letters.
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(has, _)| has == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        pairs(query).find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// The pairs of a query or a form.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((decoded(key), decoded(value)))
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The next request's head; none where the client has gone.
pub(super) fn head(reader: &mut impl BufRead) -> io::Result<Option<Call>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(' ').map(str::to_owned);
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(Some(Call {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        headers: headers.collect(),
        body: Vec::new(),
    }))
}

/// Reads a request's body, of which no more than `limit` bytes. False where more was to come.
pub(super) fn body(
    reader: &mut impl BufRead,
    call: &mut Call,
    limit: Option<usize>,
) -> io::Result<bool> {
    let length: u64 = call.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let limit = limit.map_or(u64::MAX, |limit| limit as u64);
    reader.take(length.min(limit)).read_to_end(&mut call.body)?;
    Ok(limit == u64::MAX && call.body.len() as u64 == length)
}

/// What is said to a request.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_vec() }
    }

    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
        Self::new(status, body.as_bytes()).with("Content-Type", "application/json")
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// As it goes over the wire; of the body only the first bytes where it is cut.
    pub(super) fn bytes(&self, head: bool, cut: Option<usize>) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} X\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if self.status != 204 {
            let _ = write!(text, "Content-Length: {}\r\n", self.body.len());
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if !head {
            let length = cut.unwrap_or(self.body.len()).min(self.body.len());
            bytes.extend_from_slice(&self.body[..length]);
        }
        bytes
    }
}
