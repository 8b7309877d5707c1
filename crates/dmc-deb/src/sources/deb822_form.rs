//! The deb822 form: paragraphs of fields.
//!
//! Not read by [`crate::deb822`], as it has what indices have not: line numbers to report,
//! comments within a value, and lines of white space between paragraphs.

use super::fields::Fields;
use super::{SourceError, SourceList, SourceProblem};
use std::collections::BTreeMap;

pub(super) fn parse(text: &str) -> SourceList {
    let mut list = SourceList::default();
    let mut reader = Reader::default();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            reader.end(&mut list);
        } else if let Err(problem) = reader.take(at + 1, line) {
            list.problems.push(SourceError { line: at + 1, problem });
        }
    }
    reader.end(&mut list);
    list
}

/// The paragraph so far.
#[derive(Default)]
struct Reader {
    paragraph: Option<Fields>,
    /// The field that a continuation line belongs to.
    last: String,
}

impl Reader {
    fn take(&mut self, at: usize, line: &str) -> Result<(), SourceProblem> {
        let unreadable = || SourceProblem::Unreadable { text: line.chars().take(200).collect() };
        if line.starts_with([' ', '\t']) {
            let paragraph = self.paragraph.as_mut();
            let value = paragraph.and_then(|fields| fields.values.get_mut(&self.last));
            let value = value.ok_or_else(unreadable)?;
            value.push('\n');
            value.push_str(line);
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or_else(unreadable)?;
        let empty = || Fields { line: at, values: BTreeMap::new() };
        self.last = name.trim_end().to_ascii_lowercase();
        let fields = self.paragraph.get_or_insert_with(empty);
        fields.values.insert(self.last.clone(), value.trim().to_owned());
        Ok(())
    }

    fn end(&mut self, list: &mut SourceList) {
        if let Some(fields) = self.paragraph.take() {
            list.add(&fields);
        }
    }
}
