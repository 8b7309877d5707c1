//! What a registry asks of those whom it does not know yet (RFC 9110, section 11; RFC 6750).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use std::collections::BTreeMap;

/// One way to prove who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// `basic` or `bearer`, in small letters.
    pub(crate) scheme: String,
    /// Its parameters; names in small letters.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// All that an answer offers, in order. What cannot be read ends it.
pub(crate) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(parse).collect()
}

fn parse(text: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        let word = word.to_ascii_lowercase();
        match (behind.trim_start().strip_prefix('='), found.last_mut()) {
            (Some(value), Some(challenge)) => {
                let (value, behind) = read_value(value.trim_start());
                challenge.parameters.insert(word, value);
                rest = behind;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push(Challenge { scheme: word, parameters: BTreeMap::new() });
                rest = behind;
            }
        }
    }
}

/// A word, or what stands between quotes, and what follows.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (value, &quoted[at + 1..]),
            _ => {
                value.push(c);
                escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_too_odd() {
        let letters = ["a", "B", "=", "\"", ",", " ", "\\", "é"];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            let longer = |text: &String| letters.map(|letter| format!("{text}{letter}"));
            texts = texts.iter().flat_map(longer).collect();
            for text in &texts {
                assert!(parse(text).len() <= text.len(), "{text}");
            }
        }
    }

    #[test]
    fn challenges_are_read_as_they_are_written() {
        let shown = |text: &str| {
            let all = parse(text).into_iter().map(|one| {
                let parameters = one.parameters.iter().map(|(k, v)| format!(" {k}={v}"));
                format!("{}{}", one.scheme, parameters.collect::<String>())
            });
            all.collect::<Vec<_>>()
        };
        for (text, wanted) in [
            ("Basic realm=\"Registry\"", &["basic realm=Registry"][..]),
            (
                "Bearer realm=\"https://a.example/token?x=1,2\",service=\"r\" , scope=\"repository:a:pull,push\"",
                &[
                    "bearer realm=https://a.example/token?x=1,2 scope=repository:a:pull,push service=r",
                ],
            ),
            ("Basic realm=x, Bearer realm=\"y\"", &["basic realm=x", "bearer realm=y"]),
            ("BEARER Realm = \"a\\\"b\"", &["bearer realm=a\"b"]),
            ("Negotiate", &["negotiate"]),
            ("Bearer realm=\"open", &["bearer realm=open"]),
            ("=", &[]),
            ("realm=\"x\"", &[]),
            ("", &[]),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }
}
