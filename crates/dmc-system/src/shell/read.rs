//! Text to commands.

use super::{Chain, Command, Joint, List, Pipeline, Simple, Word};
use std::rc::Rc;

/// Deepest nesting of commands that is read.
const DEEPEST: usize = 40;
/// Longest text of a statement that is shown, in characters.
const LONGEST_SHOWN: usize = 160;

/// Words that end a list where a command could begin.
const CLOSERS: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "esac", "}"];

/// What cannot be read, and on which line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) usize);

pub(super) type Read<T> = Result<T, Unreadable>;

/// A place in a script.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) depth: usize,
    /// End words of here-documents that begin after this line, and whether tabs before count.
    heredocs: Vec<(String, bool)>,
}

/// A script's commands up to the first that cannot be read, and the line of that.
pub(super) fn script(text: &str) -> (List, Option<usize>) {
    let mut reader = Reader::new(text, 1, 0);
    let mut chains = Vec::new();
    let broken = loop {
        match reader.chain() {
            Ok(Some(chain)) => chains.push(chain),
            Ok(None) if reader.at == text.len() => break None,
            Ok(None) => break Some(reader.line),
            Err(Unreadable(line)) => break Some(line),
        }
    };
    (List(chains), broken)
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, line: usize, depth: usize) -> Self {
        Self { text, at: 0, line, depth, heredocs: Vec::new() }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes the next character; bodies of here-documents are passed over with the line's end.
    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        if next == '\n' {
            self.line += 1;
            for (end, tabs) in std::mem::take(&mut self.heredocs) {
                self.skip_heredoc(&end, tabs);
            }
        }
        Some(next)
    }

    fn skip_heredoc(&mut self, end: &str, tabs: bool) {
        while self.at < self.text.len() {
            let line = self.rest().split('\n').next().unwrap_or_default();
            self.at += line.len();
            if self.at < self.text.len() {
                self.at += 1;
                self.line += 1;
            }
            if (if tabs { line.trim_start_matches('\t') } else { line }) == end {
                return;
            }
        }
    }

    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(super) fn unreadable<T>(&self) -> Read<T> {
        Err(Unreadable(self.line))
    }

    /// Passes over spaces, continued lines and comments.
    fn blank(&mut self) {
        loop {
            if self.rest().starts_with("\\\n") {
                self.bump();
                self.bump();
            } else if self.peek().is_some_and(|c| matches!(c, ' ' | '\t' | '\r')) {
                self.bump();
            } else if self.peek() == Some('#') {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            } else {
                return;
            }
        }
    }

    fn blank_lines(&mut self) {
        self.blank();
        while self.peek() == Some('\n') {
            self.bump();
            self.blank();
        }
    }

    /// The bare word that comes next, without taking it.
    fn keyword(&self) -> &'a str {
        let rest = self.rest();
        let stop = |c: char| c.is_ascii_whitespace() || ";&|<>()\"'`$\\".contains(c);
        &rest[..rest.find(stop).unwrap_or(rest.len())]
    }

    fn expect(&mut self, word: &str) -> Read<()> {
        self.blank_lines();
        if self.keyword() == word {
            self.at += word.len();
            return Ok(());
        }
        self.unreadable()
    }

    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEEPEST {
            return self.unreadable();
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Commands up to a word that closes them, a closing parenthesis or the end.
    pub(super) fn list(&mut self) -> Read<List> {
        let mut chains = Vec::new();
        while let Some(chain) = self.chain()? {
            chains.push(chain);
        }
        Ok(List(chains))
    }

    /// Pipelines up to the end of a line, `;` or `&`.
    fn chain(&mut self) -> Read<Option<Chain>> {
        self.blank_lines();
        let closed = matches!(self.peek(), None | Some(')')) || self.rest().starts_with(";;");
        if closed || CLOSERS.contains(&self.keyword()) {
            return Ok(None);
        }
        let mut chain = vec![(Joint::First, self.pipeline()?)];
        loop {
            self.blank();
            let joint = if self.take("&&") {
                Joint::And
            } else if self.take("||") {
                Joint::Or
            } else {
                break;
            };
            self.blank_lines();
            chain.push((joint, self.pipeline()?));
        }
        if !self.rest().starts_with(";;") && !self.take(";") {
            self.take("&");
        }
        Ok(Some(chain))
    }

    fn pipeline(&mut self) -> Read<Pipeline> {
        let mut negated = false;
        while self.keyword() == "!" {
            self.at += 1;
            self.blank();
            negated = !negated;
        }
        let mut commands = vec![self.nested(Self::command)?];
        loop {
            self.blank();
            if self.rest().starts_with("||") || !self.take("|") {
                return Ok(Pipeline { negated, commands });
            }
            self.blank_lines();
            commands.push(self.nested(Self::command)?);
        }
    }

    fn command(&mut self) -> Read<Command> {
        self.blank();
        let word = self.keyword();
        let taken = |reader: &mut Self| reader.at += word.len();
        let command = match word {
            "if" => {
                taken(self);
                self.branches()?
            }
            "while" | "until" => {
                taken(self);
                let condition = self.list()?;
                Command::Loop(condition, self.body()?)
            }
            "for" => {
                taken(self);
                self.each()?
            }
            "case" => {
                taken(self);
                self.case()?
            }
            "{" => {
                taken(self);
                let body = self.list()?;
                self.expect("}")?;
                Command::Group { body, subshell: false }
            }
            "" if self.take("(") => {
                let body = self.list()?;
                self.close()?;
                Command::Group { body, subshell: true }
            }
            _ => return self.simple(),
        };
        loop {
            self.blank();
            if !self.redirection()? {
                return Ok(command);
            }
        }
    }

    pub(super) fn close(&mut self) -> Read<()> {
        self.blank_lines();
        if self.take(")") { Ok(()) } else { self.unreadable() }
    }

    fn body(&mut self) -> Read<List> {
        self.expect("do")?;
        let body = self.list()?;
        self.expect("done")?;
        Ok(body)
    }

    fn branches(&mut self) -> Read<Command> {
        let mut branches = Vec::new();
        loop {
            let condition = self.list()?;
            self.expect("then")?;
            branches.push((condition, self.list()?));
            match self.keyword() {
                "elif" => self.at += "elif".len(),
                "else" => {
                    self.at += "else".len();
                    let otherwise = self.list()?;
                    self.expect("fi")?;
                    return Ok(Command::If(branches, otherwise));
                }
                _ => {
                    self.expect("fi")?;
                    return Ok(Command::If(branches, List::default()));
                }
            }
        }
    }

    fn each(&mut self) -> Read<Command> {
        self.blank();
        let name = self.keyword().to_owned();
        self.at += name.len();
        self.blank_lines();
        let mut words = Simple::default();
        if self.keyword() == "in" {
            self.at += "in".len();
            self.words(&mut words)?;
        }
        self.blank();
        self.take(";");
        Ok(Command::For { name, words: words.words, body: self.body()? })
    }

    fn case(&mut self) -> Read<Command> {
        self.blank();
        let Some(word) = self.word()? else { return self.unreadable() };
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.blank_lines();
            if self.keyword() == "esac" {
                self.at += "esac".len();
                return Ok(Command::Case(word, arms));
            }
            self.take("(");
            let mut patterns = Vec::new();
            loop {
                self.blank();
                let Some(pattern) = self.word()? else { return self.unreadable() };
                patterns.push(pattern);
                self.blank();
                if !self.take("|") {
                    break;
                }
            }
            self.close()?;
            arms.push((patterns, self.list()?));
            self.blank_lines();
            self.take(";;");
        }
    }

    fn simple(&mut self) -> Read<Command> {
        let start = self.at;
        let mut simple = Simple { line: self.line, ..Simple::default() };
        let end = self.words(&mut simple)?;
        self.blank();
        if let ([Word { parts, .. }], true) = (&*simple.words, self.peek() == Some('('))
            && let [super::Part::Text(name)] = &**parts
        {
            let name = name.clone();
            self.take("(");
            self.close()?;
            self.blank_lines();
            let body = self.nested(Self::command)?;
            let body = Pipeline { negated: false, commands: vec![body] };
            let body = Rc::new(List(vec![vec![(Joint::First, body)]]));
            return Ok(Command::Function { name, body });
        }
        if self.at == start {
            return self.unreadable();
        }
        let shown = self.text.get(start..end).unwrap_or_default();
        let words = shown.split(|c: char| c.is_whitespace() || c == '\\');
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        simple.text = words.join(" ").chars().take(LONGEST_SHOWN).collect();
        Ok(Command::Simple(simple))
    }

    /// Words, assignments and redirections up to the end of a command. Returns where the last
    /// of them ends.
    fn words(&mut self, into: &mut Simple) -> Read<usize> {
        loop {
            let end = self.at;
            self.blank();
            if self.redirection()? {
                continue;
            }
            if into.words.is_empty()
                && let Some(name) = self.assignment()
            {
                into.assignments.push((name, self.word()?.unwrap_or_default()));
                continue;
            }
            match self.word()? {
                Some(word) => into.words.push(word),
                None => return Ok(end),
            }
        }
    }

    /// The name before `=`, taken with the sign.
    fn assignment(&mut self) -> Option<String> {
        let stop = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let rest = self.rest();
        let (name, after) = rest.split_at(rest.find(stop)?);
        if !after.starts_with('=') || !is_name(name) {
            return None;
        }
        self.at += name.len() + 1;
        Some(name.to_owned())
    }

    fn redirection(&mut self) -> Read<bool> {
        let rest = self.rest();
        let signs = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let operators = ["<<-", "<<", "<>", ">>", ">|", "<&", ">&", "<", ">"];
        let Some(operator) = operators.into_iter().find(|sign| signs.starts_with(sign)) else {
            return Ok(false);
        };
        self.at += rest.len() - signs.len() + operator.len();
        self.blank();
        let start = self.at;
        if self.word()?.is_none() {
            return self.unreadable();
        }
        if operator.starts_with("<<") {
            let end = self.text.get(start..self.at).unwrap_or_default();
            let end = end.replace(['\'', '"', '\\'], "");
            self.heredocs.push((end, operator == "<<-"));
        }
        Ok(true)
    }
}

pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
