//! Objects as YAML 1.2 documents.
//!
//! The subset that every reader agrees on: block mappings and sequences, texts of several lines as
//! literal blocks, other texts plain where nothing else could be meant, else as JSON has them.

use crate::objects::Object;
use serde_json::Value;
use std::fmt::Write as _;

/// The objects, one document each, every one begun by `---`.
pub fn yaml(objects: &[Object]) -> String {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        write(&mut text, &object.value, 0, false);
    }
    text
}

/// Writes a value in lines of its own; the first goes on where `inline`.
fn write(text: &mut String, value: &Value, depth: usize, inline: bool) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (at, (key, value)) in members.iter().enumerate() {
                let first = at == 0 && inline;
                let _ = write!(text, "{}{}:", margin(if first { 0 } else { depth }), scalar(key));
                below(text, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                let first = at == 0 && inline;
                let _ = write!(text, "{}- ", margin(if first { 0 } else { depth }));
                write(text, item, depth + 1, true);
            }
        }
        Value::String(lines) if is_block(lines) => block(text, lines, depth),
        Value::String(word) => text.push_str(&(scalar(word) + "\n")),
        other => text.push_str(&(other.to_string() + "\n")),
    }
}

/// Writes the value of a key, whose colon has been written.
fn below(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            write(text, value, depth + 1, false);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            write(text, value, depth, false);
        }
        _ => {
            text.push(' ');
            write(text, value, depth + 1, true);
        }
    }
}

fn margin(depth: usize) -> String {
    "  ".repeat(depth)
}

/// Whether a text can stand as a literal block: lines that show as they are.
fn is_block(text: &str) -> bool {
    let shown = |c: char| c == '\n' || c == '\t' || (!c.is_control() && c != '\u{feff}');
    let separators = ['\u{85}', '\u{2028}', '\u{2029}'];
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(shown)
        && !text.contains(separators)
}

fn block(text: &mut String, lines: &str, depth: usize) {
    let body = lines.strip_suffix('\n').unwrap_or(lines);
    let ending = match (lines.ends_with('\n'), body.ends_with('\n')) {
        (false, _) => "-",
        (true, false) => "",
        (true, true) => "+",
    };
    let _ = writeln!(text, "|{ending}");
    for line in body.split('\n') {
        let margin = if line.is_empty() { String::new() } else { margin(depth) };
        let _ = writeln!(text, "{margin}{line}");
    }
}

/// A text of one line: plain where it can be nothing but a text.
fn scalar(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    let begins = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let reserved = RESERVED.iter().any(|other| other.eq_ignore_ascii_case(word));
    if begins && word.bytes().all(plain) && !reserved {
        word.to_owned()
    } else {
        Value::String(word.to_owned()).to_string()
    }
}

/// Words that YAML 1.1 reads as something else than a text.
const RESERVED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Kind;
    use serde_json::json;

    #[test]
    fn texts_are_quoted_where_they_could_be_anything_else() {
        for (word, wanted) in [
            ("registry.example/nginx", "registry.example/nginx"),
            ("true", "\"true\""),
            ("off", "\"off\""),
            ("1e3", "\"1e3\""),
            ("8080/tcp", "\"8080/tcp\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("- x", "\"- x\""),
            ("nginx@sha256:00", "\"nginx@sha256:00\""),
            ("#comment", "\"#comment\""),
            ("tab\tstop", "\"tab\\tstop\""),
        ] {
            assert_eq!(scalar(word), wanted);
        }
    }

    #[test]
    fn lists_and_blocks_are_indented_below_their_keys() {
        let value = json!({
            "apiVersion": "v1",
            "data": { "a.conf": "one {\n  two\n}\n", "b": "x\ny", "empty": {} },
            "list": [{ "name": "first", "values": [1, true, null] }, "second", [["nested"]], []],
        });
        let object = Object { kind: Kind::ConfigMap, name: String::new(), value };
        insta::assert_snapshot!(yaml(&[object]), @r"
        ---
        apiVersion: v1
        data:
          a.conf: |
            one {
              two
            }
          b: |-
            x
            y
          empty: {}
        list:
        - name: first
          values:
          - 1
          - true
          - null
        - second
        - - - nested
        - []
        ");
    }
}
