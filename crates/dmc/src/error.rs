//! Errors as the user meets them, and the exit code that goes with each.

use std::error::Error;
use std::fmt::Write as _;

/// Something failed.
pub(crate) const FAILED: u8 = 1;
/// The command line, the configuration or a template cannot be understood.
pub(crate) const USAGE: u8 = 2;

/// What failed, why, and what to do.
#[derive(Debug)]
pub(crate) struct CommandError {
    code: u8,
    what: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl CommandError {
    /// Something that was tried and failed.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self { code: FAILED, what: what.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Something that cannot be tried.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::failed(what) }
    }

    /// An error of a library, with its causes.
    pub(crate) fn from_library(code: u8, error: &dyn Error, hint: Option<String>) -> Self {
        let mut command = Self { code, ..Self::failed(error.to_string()) };
        if let Some(source) = error.source() {
            command = command.because(source);
        }
        command.hints.extend(hint);
        command
    }

    /// Adds a cause and its own causes.
    pub(crate) fn because(mut self, source: &dyn Error) -> Self {
        let mut next = Some(source);
        while let Some(source) = next {
            let text = source.to_string();
            if self.causes.last() != Some(&text) && self.what != text {
                self.causes.push(text);
            }
            next = source.source();
        }
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what a library says to do, if it says anything.
    pub(crate) fn hint_of(mut self, hint: Option<String>) -> Self {
        self.hints.extend(hint);
        self
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// The whole message, several lines.
    pub(crate) fn render(&self) -> String {
        format!("error: {}", self.render_plain())
    }

    /// The same without the word `error`, to follow other words.
    pub(crate) fn render_plain(&self) -> String {
        let mut text = self.what.clone();
        for cause in &self.causes {
            let _ = write!(text, "\ncause: {cause}");
        }
        for hint in &self.hints {
            let _ = write!(text, "\nhint: {hint}");
        }
        text
    }
}
