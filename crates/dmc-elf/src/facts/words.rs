//! The words of an execline script that could name a program.
//!
//! An execline script is one long command line: every program takes its arguments and runs the
//! rest (execlineb(1)). Which words are programs only the programs know, so all that could be are
//! told; the closure keeps those that name a file of the packages at hand. Words are split as
//! execlineb does: blanks part them, `#` begins a comment, `"` quotes, a backslash escapes,
//! braces make blocks.

use std::collections::BTreeSet;

/// Longest script that is looked at, in bytes; s6's own have some kilobytes.
const LONGEST_SCRIPT: usize = 64 * 1024;
const LONGEST_WORD: usize = 255;
const MOST: usize = 4096;

/// Absolute paths and plain names, sorted, each once.
pub(super) fn of_execline(script: &[u8]) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut word: Vec<u8> = Vec::new();
    let mut bytes = script[..script.len().min(LONGEST_SCRIPT)].iter().copied();
    let mut quoted = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => word.extend(bytes.next()),
            b'"' => quoted = !quoted,
            _ if quoted => word.push(byte),
            b'#' if word.is_empty() => drop(bytes.find(|b| *b == b'\n')),
            b' ' | b'\t' | b'\r' | b'\n' => take(&mut word, &mut found),
            _ => word.push(byte),
        }
    }
    take(&mut word, &mut found);
    found.into_iter().collect()
}

fn take(word: &mut Vec<u8>, found: &mut BTreeSet<String>) {
    let word = std::mem::take(word);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/_.+-[@".contains(b);
    let begins = word.first().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'['));
    let path = word.first() == Some(&b'/');
    let slashes = word.contains(&b'/');
    if begins
        && word.len() <= LONGEST_WORD
        && path == slashes
        && word.iter().all(plain)
        && found.len() < MOST
        && let Ok(word) = String::from_utf8(word)
    {
        found.insert(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_execlineb_does() {
        let script = b"#!/usr/bin/execlineb -P\n# a comment { x }\n\
            ifelse { test -f /var/lib/x/ready } { exec mariadbd --user=mysql }\n\
            foreground { /usr/bin/my\\sqld \"quo ted\" \"s6-echo\" ${VAR} a/b }\nexport A=b cd#x";
        assert_eq!(
            of_execline(script),
            [
                "/usr/bin/mysqld",
                "/var/lib/x/ready",
                "exec",
                "export",
                "foreground",
                "ifelse",
                "mariadbd",
                "s6-echo",
                "test"
            ],
        );
    }

    #[test]
    fn long_scripts_and_words_have_an_end() {
        let many = (0..50_000).map(|n| format!("a{n}")).collect::<Vec<_>>().join(" ");
        assert!(of_execline(many.as_bytes()).len() <= MOST);
        assert!(of_execline("x".repeat(300).as_bytes()).is_empty());
        assert!(of_execline(b"\"open \\").is_empty());
    }
}
