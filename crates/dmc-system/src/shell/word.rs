//! One word of a script: quotes, parameters, substitutions.

use super::read::{Read, Reader, is_name};
use super::{Part, Word};

impl Reader<'_> {
    /// The next word; none where a command ends.
    pub(super) fn word(&mut self) -> Read<Option<Word>> {
        let mut word = Word::default();
        let start = self.at;
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    self.bump();
                    word.quoted = true;
                    let Some(end) = self.rest().find('\'') else { return self.unreadable() };
                    let text = self.rest()[..end].to_owned();
                    self.line += text.matches('\n').count();
                    self.at += end + 1;
                    word.push(&text);
                }
                '"' => self.double(&mut word)?,
                '\\' => {
                    self.bump();
                    match self.bump() {
                        Some('\n') | None => {}
                        Some(other) => word.push(other.encode_utf8(&mut [0; 4])),
                    }
                }
                '$' | '`' => self.nested(|reader| reader.expansion(&mut word))?,
                other => {
                    self.bump();
                    let test = other == '[' && self.peek().is_some_and(char::is_whitespace);
                    word.pattern |= matches!(other, '*' | '?' | '[') && !test;
                    word.push(other.encode_utf8(&mut [0; 4]));
                }
            }
        }
        Ok((self.at > start).then_some(word))
    }

    fn double(&mut self, word: &mut Word) -> Read<()> {
        self.bump();
        word.quoted = true;
        // An empty text is a word all the same.
        word.push("");
        loop {
            match self.peek() {
                None => return self.unreadable(),
                Some('"') => {
                    self.bump();
                    return Ok(());
                }
                Some('\\') => {
                    self.bump();
                    match self.bump() {
                        Some('\n') | None => {}
                        Some(other) if "$`\"\\".contains(other) => {
                            word.push(other.encode_utf8(&mut [0; 4]));
                        }
                        Some(other) => word.push(&format!("\\{other}")),
                    }
                }
                Some('$' | '`') => self.nested(|reader| reader.expansion(word))?,
                Some(_) => {
                    // Not `bump`: here-documents do not begin inside quotes.
                    let rest = self.rest();
                    let text = &rest[..rest.find(['"', '\\', '$', '`']).unwrap_or(rest.len())];
                    self.at += text.len();
                    self.line += text.matches('\n').count();
                    word.push(text);
                }
            }
        }
    }

    fn expansion(&mut self, word: &mut Word) -> Read<()> {
        if self.take("`") {
            let Some(end) = self.rest().find('`') else { return self.unreadable() };
            let inner = self.rest()[..end].replace("\\\"", "\"").replace("\\$", "$");
            let mut reader = Reader::new(&inner, self.line, self.depth + 1);
            let list = reader.list()?;
            self.line += self.rest()[..end].matches('\n').count();
            self.at += end + 1;
            word.parts.push(Part::Output(list));
            return Ok(());
        }
        self.take("$");
        if self.take("((") {
            let mut open = 2;
            while open > 0 {
                match self.bump() {
                    Some('(') => open += 1,
                    Some(')') => open -= 1,
                    Some(_) => {}
                    None => return self.unreadable(),
                }
            }
            word.parts.push(Part::Unknown);
        } else if self.take("(") {
            word.parts.push(Part::Output(self.list()?));
            self.close()?;
        } else if self.take("{") {
            word.parts.push(self.braces()?);
        } else {
            let rest = self.rest();
            let stop = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            let name = &rest[..rest.find(stop).unwrap_or(rest.len())];
            let name = match rest.chars().next() {
                Some(first) if first.is_ascii_digit() || "@*#?-$!".contains(first) => &rest[..1],
                _ if is_name(name) => name,
                _ => {
                    word.push("$");
                    return Ok(());
                }
            };
            self.at += name.len();
            word.parts.push(Part::Variable(name.to_owned()));
        }
        Ok(())
    }

    /// What follows `${`.
    fn braces(&mut self) -> Read<Part> {
        let rest = self.rest();
        let stop = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let mut name = &rest[..rest.find(stop).unwrap_or(rest.len())];
        if name.is_empty() && rest.starts_with(['@', '*', '?', '!', '-', '$']) {
            name = &rest[..1];
        }
        self.at += name.len();
        if self.take("}") && !name.is_empty() {
            return Ok(Part::Variable(name.to_owned()));
        }
        let operators = [":-", ":=", ":+", ":?", "-", "=", "+", "?"];
        let operator = operators.into_iter().find(|sign| self.rest().starts_with(sign));
        let mut word = Word::default();
        self.at += operator.map_or(0, str::len);
        while !self.take("}") {
            match self.peek() {
                None => return self.unreadable(),
                Some('"') => self.double(&mut word)?,
                Some('$' | '`') => self.nested(|reader| reader.expansion(&mut word))?,
                Some(_) => {
                    if let Some(other) = self.bump() {
                        word.push(other.encode_utf8(&mut [0; 4]));
                    }
                }
            }
        }
        Ok(match operator {
            Some(operator) if !name.is_empty() => {
                Part::Chosen(name.to_owned(), operator.trim_start_matches(':').to_owned(), word)
            }
            _ => Part::Unknown,
        })
    }
}

impl Word {
    fn push(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }
}
