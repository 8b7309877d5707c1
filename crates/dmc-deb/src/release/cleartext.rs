//! The cleartext signature framework (RFC 9580, section 7), and only what Debian's archives use.
//!
//! The text that comes out here is both what is hashed and what is parsed, so that no reading of
//! the frame can smuggle in an unsigned line. Anything before or after the frame is refused, as
//! apt does.

use super::ReleaseError;
use std::borrow::Cow;

const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END: &[u8] = b"-----END PGP SIGNATURE-----";

/// A signed text and its signatures, not yet judged.
pub(super) struct Cleartext<'a> {
    /// Borrowed where it stands in the message as it is hashed but for its line ends.
    text: Cow<'a, [u8]>,
    armor: &'a [u8],
}

impl<'a> Cleartext<'a> {
    /// Takes a message apart.
    pub(super) fn split(message: &'a [u8]) -> Result<Self, ReleaseError> {
        let refused = |why| ReleaseError::NotSigned { why };
        let mut lines = Lines { rest: message };
        if lines.next() != Some(BEGIN) {
            return Err(refused("it does not begin with `-----BEGIN PGP SIGNED MESSAGE-----`"));
        }
        loop {
            match lines.next() {
                Some(b"") => break,
                Some(header) if header.starts_with(b"Hash: ") => {}
                _ => return Err(refused("its header has a line other than `Hash`")),
            }
        }
        let (start, mut is_verbatim) = (lines.rest, true);
        let armor = loop {
            let before = lines.rest;
            match lines.next() {
                None => return Err(refused("it has no signature block")),
                Some(SIGNATURE) => break before,
                Some(line) if line.starts_with(b"-") && !line.starts_with(b"- ") => {
                    return Err(refused("a line of the text begins with an unescaped dash"));
                }
                Some(line) => {
                    let is_whole = before.get(line.len()) == Some(&b'\n');
                    is_verbatim &= is_whole && !line.starts_with(b"-");
                }
            }
        };
        let signed = &start[..start.len() - armor.len()];
        let text = if is_verbatim { Cow::Borrowed(signed) } else { Cow::Owned(unescaped(signed)) };
        if !lines.any(|line| line == END) {
            return Err(refused("its signature block has no end"));
        }
        if !lines.rest.trim_ascii().is_empty() {
            return Err(refused("there is unsigned text after the signature block"));
        }
        Ok(Self { text, armor })
    }

    /// The signed text, each line with a newline.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The same for good.
    pub(super) fn into_text(self) -> Cow<'a, [u8]> {
        self.text
    }

    /// The text as it is hashed: lines joined by CR and LF, none after the last.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let mut canonical = Vec::with_capacity(self.text.len() + self.text.len() / 32);
        let text = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
        for (at, line) in text.split(|b| *b == b'\n').enumerate() {
            if at > 0 {
                canonical.extend_from_slice(b"\r\n");
            }
            canonical.extend_from_slice(line);
        }
        canonical
    }

    /// The armored signatures.
    pub(super) fn armor(&self) -> &'a [u8] {
        self.armor
    }
}

/// The text without what only protects it on its way.
fn unescaped(signed: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(signed.len());
    for line in (Lines { rest: signed }) {
        text.extend_from_slice(line.strip_prefix(b"- ").unwrap_or(line));
        text.push(b'\n');
    }
    text
}

/// Lines without their ends and without trailing white space, which signatures do not cover.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest);
        let line = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.map_or(&[], |at| &self.rest[at + 1..]);
        let kept = line.iter().rposition(|b| !matches!(b, b' ' | b'\t' | b'\r'));
        Some(kept.map_or(&[], |last| &line[..=last]))
    }
}
