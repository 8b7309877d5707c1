//! What a tar is but for its files' contents: the tar-split format, version 1.
//!
//! Lines of JSON, numbered: the raw bytes between two files (`"type": 2`, padding of one and header
//! of the next), then the file by name, length and CRC-64 (`"type": 1`), and so on. Folders and
//! links are files of no length.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    r#type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    payload: Option<String>,
    position: u64,
}

/// A tar-split in the making.
#[derive(Default)]
pub(super) struct TarSplit {
    lines: Vec<u8>,
    between: Vec<u8>,
    position: u64,
}

impl TarSplit {
    /// Takes bytes of the tar that are no file's contents.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        self.between.extend_from_slice(bytes);
    }

    /// Takes a file whose header has been passed.
    pub(super) fn file(&mut self, name: &str, size: u64, crc64: u64) {
        self.flush();
        let size = (size > 0).then_some(size);
        let payload = size.map(|_| STANDARD.encode(crc64.to_be_bytes()));
        self.line(&Line { r#type: 1, name: Some(name), size, payload, position: self.position });
    }

    /// The lines.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.lines
    }

    fn flush(&mut self) {
        if !self.between.is_empty() {
            let payload = Some(STANDARD.encode(&self.between));
            self.between.clear();
            let position = self.position;
            self.line(&Line { r#type: 2, name: None, size: None, payload, position });
        }
    }

    fn line(&mut self, line: &Line<'_>) {
        // Text and numbers into memory: it cannot fail.
        let _ = serde_json::to_writer(&mut self.lines, line);
        self.lines.push(b'\n');
        self.position += 1;
    }
}
