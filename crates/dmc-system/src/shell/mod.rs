//! Maintainer scripts as a list of statements, followed as dpkg would run them.
//!
//! A script is read by the grammar of the POSIX shell (XCU 2.10) as far as maintainer scripts use
//! it, and followed for a first installation: `$1` and `$2` are what dpkg gives (Debian Policy
//! 6.5), so that branches for upgrades are known not to be reached. Conditions that only a running
//! system could decide leave both branches open. Nothing is executed; a script is at most walked
//! through, within fixed bounds, whatever bytes it holds.

mod condition;
mod expand;
mod read;
mod run;
mod word;

pub(crate) use run::{Run, Scene, follow};

use std::rc::Rc;

/// Commands one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct List(Vec<Chain>);

/// Pipelines joined by `&&` and `||`; the first one's joint is [`Joint::First`].
type Chain = Vec<(Joint, Pipeline)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    First,
    And,
    Or,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pipeline {
    negated: bool,
    commands: Vec<Command>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Command {
    Simple(Simple),
    /// Conditions with their bodies, and what follows `else`.
    If(Vec<(List, List)>, List),
    /// `while` and `until`.
    Loop(List, List),
    For {
        name: String,
        words: Vec<Word>,
        body: List,
    },
    Case(Word, Vec<(Vec<Word>, List)>),
    Function {
        name: String,
        body: Rc<List>,
    },
    Group {
        body: List,
        subshell: bool,
    },
}

/// Assignments and words, without redirections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Simple {
    /// Line of its first word, from 1.
    line: usize,
    /// As it stands in the script, white space made plain.
    text: String,
    assignments: Vec<(String, Word)>,
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Word {
    parts: Vec<Part>,
    /// Whether any of it was between quotes.
    quoted: bool,
    /// Whether it has `*`, `?` or `[` outside quotes.
    pattern: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `$name`.
    Variable(String),
    /// `${name-word}`, `${name:+word}` and so on: name, operator, word.
    Chosen(String, String, Word),
    /// `$(…)` and backquotes.
    Output(List),
    /// `$((…))` and whatever else has a value that is not worked out.
    Unknown,
}
