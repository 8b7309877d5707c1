//! The one-line form: `deb [option=value …] URI suite component…`.

use super::fields::Fields;
use super::{SourceError, SourceList, SourceProblem};
use std::collections::BTreeMap;

pub(super) fn parse(text: &str) -> SourceList {
    let mut list = SourceList::default();
    for (at, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        let unreadable = || SourceProblem::Unreadable { text: entry.chars().take(200).collect() };
        match fields(at + 1, entry).ok_or_else(unreadable) {
            Ok(fields) => list.add(&fields),
            Err(problem) => list.problems.push(SourceError { line: at + 1, problem }),
        }
    }
    list
}

fn fields(line: usize, entry: &str) -> Option<Fields> {
    let (kind, rest) = entry.split_once(char::is_whitespace)?;
    if !matches!(kind, "deb" | "deb-src") {
        return None;
    }
    let rest = rest.trim_start();
    let (options, place) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut values = BTreeMap::from([("types".to_owned(), kind.to_owned())]);
    for option in options.split_whitespace() {
        let (name, value) = option.split_once('=')?;
        values.insert(deb822_name(name), value.to_owned());
    }
    let mut words = place.split_whitespace();
    values.insert("uris".to_owned(), words.next()?.to_owned());
    values.insert("suites".to_owned(), words.next().unwrap_or_default().to_owned());
    values.insert("components".to_owned(), words.collect::<Vec<_>>().join(" "));
    Some(Fields { line, values })
}

/// Options have the names of the deb822 form's fields, but for a few.
fn deb822_name(option: &str) -> String {
    match option.to_ascii_lowercase() {
        arch if arch == "arch" => "architectures".to_owned(),
        name => name,
    }
}
