//! Words to values, as far as these are known.

use super::run::Walker;
use super::{Part, Word};
use std::rc::Rc;

/// Longest value that is kept, in bytes; a longer one counts as unknown.
const LONGEST: usize = 2048;
/// Most words that a command comes to; of more, the first are kept and the next is unknown.
const MOST: usize = 4096;

/// The value of a word or variable; none where only a running system could tell.
pub(super) type Value = Option<Rc<str>>;

impl Walker<'_> {
    /// The words that a list of words comes to.
    pub(super) fn expand(&mut self, words: &[Word]) -> Vec<Value> {
        let mut values = Vec::new();
        for word in words {
            if values.len() > MOST {
                break;
            }
            if let [Part::Variable(name)] = &*word.parts
                && (name == "@" || name == "*")
            {
                values.extend(self.arguments.iter().cloned());
                continue;
            }
            let value = self.value(word);
            match value {
                Some(text) if !word.quoted => {
                    values.extend(text.split_whitespace().map(|part| Some(part.into())));
                }
                other => values.push(other),
            }
        }
        if values.len() > MOST {
            values.truncate(MOST);
            values.push(None);
        }
        values
    }

    /// The value of one word, before it is split; a pattern of paths has none.
    pub(super) fn value(&mut self, word: &Word) -> Value {
        let value = self.joined(word);
        value.filter(|_| !word.pattern)
    }

    /// [`Self::value`] of a pattern too.
    pub(super) fn joined(&mut self, word: &Word) -> Value {
        let mut text = Some(String::new());
        for part in &word.parts {
            let value = self.part(part);
            text = match (text, value) {
                (Some(text), Some(value)) if text.len() + value.len() <= LONGEST => {
                    Some(text + &value)
                }
                _ => None,
            };
        }
        text.map(Into::into)
    }

    fn part(&mut self, part: &Part) -> Value {
        match part {
            Part::Text(text) => Some(text.as_str().into()),
            Part::Variable(name) => self.variable(name),
            Part::Chosen(name, operator, word) => {
                let value = self.variable(name)?;
                match (&**operator, value.is_empty()) {
                    ("+", true) => Some("".into()),
                    ("+", false) | ("-" | "=", true) => self.joined(word),
                    _ => Some(value),
                }
            }
            Part::Output(list) => {
                self.aside(list);
                None
            }
            Part::Unknown => None,
        }
    }

    fn variable(&self, name: &str) -> Value {
        if let Ok(number) = name.parse::<usize>() {
            return match number {
                0 => None,
                _ => self.arguments.get(number - 1).cloned().unwrap_or_else(|| Some("".into())),
            };
        }
        match (name, self.variables.get(name)) {
            ("#", _) => Some(self.arguments.len().to_string().into()),
            (_, Some(value)) => value.clone(),
            (_, None) => self.scene.empty.iter().any(|empty| empty == name).then(|| "".into()),
        }
    }
}
