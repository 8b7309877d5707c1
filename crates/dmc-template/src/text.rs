//! TOML text to a value, with errors that a person can act on.
//!
//! The parser knows where a wrong value stands; this module turns that place into a file, a line
//! number and the line itself, and an unknown key into the nearest known one.

use crate::nearest;
use serde::de::DeserializeOwned;
use std::ops::Range;

/// No text that people write for dmc is longer, in bytes.
const LONGEST: usize = 1 << 20;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {what}\n  {line} | {shown}")]
pub struct TextError {
    /// The file, as the caller named it.
    pub file: Box<str>,
    /// Line number, from 1.
    pub line: usize,
    /// The line itself.
    pub shown: Box<str>,
    /// What is wrong.
    pub what: Box<str>,
    /// The known key that was probably meant.
    pub nearest: Option<Box<str>>,
    /// The keys that may stand there, if that is what is wrong.
    pub known: Box<[Box<str>]>,
}

impl TextError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        nearest::hint(self.nearest.as_deref(), self.known.iter().map(|key| &**key))
    }
}

/// Reads the bytes of `file` as UTF-8 TOML.
pub(crate) fn read<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, TextError> {
    if bytes.len() > LONGEST {
        return Err(at(file, "", 0, "the file is longer than 1 MiB".to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        // The text up to the first wrong byte is UTF-8 by definition.
        let good = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
        at(file, &good, good.len(), "the text is not UTF-8".to_owned())
    })?;
    toml::from_str(text).map_err(|error| locate(file, text, &error))
}

fn locate(file: &str, text: &str, error: &toml::de::Error) -> TextError {
    let Range { start, .. } = error.span().unwrap_or_default();
    // serde tells these apart by its message alone; the words between backticks are the one that
    // was read and then those that may stand there.
    let quoted: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
    let (word, known) = quoted.split_first().map_or(("", &[][..]), |(word, known)| (*word, known));
    let unknown = |kind: &str| TextError {
        nearest: nearest(word, known.iter().copied()).map(Into::into),
        known: known.iter().map(|key| Box::from(*key)).collect(),
        ..at(file, text, start, format!("unknown {kind} `{word}`"))
    };
    match error.message() {
        message if message.starts_with("unknown field `") => unknown("key"),
        message if message.starts_with("unknown variant `") => unknown("word"),
        message if message.starts_with("missing field `") => {
            at(file, text, start, format!("the key `{word}` is missing"))
        }
        message => {
            let what = message.trim_end().replace('\n', "; ");
            // serde's words to TOML's.
            let what = what.replace("expected a sequence", "expected an array");
            at(file, text, start, what.replace("expected a map", "expected a table"))
        }
    }
}

fn at(file: &str, text: &str, offset: usize, what: String) -> TextError {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|b| *b == b'\n').count();
    let shown = text.lines().nth(line).unwrap_or_default();
    TextError {
        file: file.into(),
        line: line + 1,
        shown: shown.chars().take(200).collect(),
        what: what.into(),
        nearest: None,
        known: Box::default(),
    }
}
