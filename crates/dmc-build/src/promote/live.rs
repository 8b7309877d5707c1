//! What a statement about the live image says.

use dmc_image::oci::Descriptor;
use dmc_types::Sha256;
use serde::{Deserialize, Serialize};

/// The kind of statement.
pub(crate) const LIVE: &str = "urn:dmc:live:v1";

/// As much history as a statement tells.
const REMEMBERED: usize = 100;

/// What is meant by the name of the image that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// `host[/namespace]/name`, or `localhost/name` in a layout.
    pub repository: String,
    /// The name of what runs.
    pub tag: String,
    /// The index.
    pub index: Descriptor,
    /// Which promotion or rollback it was, counted from 1.
    pub sequence: u64,
    /// The fingerprint of the trusted key that signed it; none where no key is trusted.
    pub signer: Option<Sha256>,
    /// What was live up to now, the oldest first, this one last.
    pub history: Vec<Past>,
}

/// One promotion or rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub sequence: u64,
    /// The index, as `sha256:` and 64 digits.
    pub digest: String,
    /// How it came about.
    pub how: How,
}

/// How an image came to be the live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Its tests held.
    Promote,
    /// It had been the live one before.
    Rollback,
}

/// The predicate of the statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LivePredicate {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
    pub(crate) sequence: u64,
    #[serde(default)]
    pub(crate) history: Vec<Past>,
}

impl LivePredicate {
    /// What follows `before`.
    pub(crate) fn next(
        repository: &str,
        tag: &str,
        index: &Sha256,
        before: Option<&Live>,
        how: How,
    ) -> Self {
        let sequence = before.map_or(0, |live| live.sequence).saturating_add(1);
        let digest = format!("sha256:{index}");
        let mut history = before.map(|live| live.history.clone()).unwrap_or_default();
        history.push(Past { sequence, digest: digest.clone(), how });
        history.drain(..history.len().saturating_sub(REMEMBERED));
        Self { repository: repository.to_owned(), tag: tag.to_owned(), digest, sequence, history }
    }

    /// Whether it says that this tag means this index.
    pub(crate) fn is_about(&self, repository: &str, tag: &str, index: &Sha256) -> bool {
        self.repository == repository && self.tag == tag && self.digest == format!("sha256:{index}")
    }
}

/// What was live before: each rollback takes the last promotion away that it leaves.
pub(crate) fn before(history: &[Past]) -> Option<&Past> {
    let mut stack: Vec<&Past> = Vec::new();
    for past in history {
        if past.how == How::Rollback {
            // What is gone back to is on the stack already; all above it is given up.
            while stack.last().is_some_and(|top| top.digest != past.digest) {
                stack.pop();
            }
            if !stack.is_empty() {
                continue;
            }
        }
        if stack.last().is_none_or(|top| top.digest != past.digest) {
            stack.push(past);
        }
    }
    stack.len().checked_sub(2).and_then(|at| stack.get(at).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a`: promoted; `-a`: gone back to.
    fn history(words: &str) -> Vec<Past> {
        let past = |(number, word): (usize, &str)| {
            let (how, digest) = match word.strip_prefix('-') {
                Some(digest) => (How::Rollback, digest),
                None => (How::Promote, word),
            };
            Past { sequence: number as u64 + 1, digest: digest.to_owned(), how }
        };
        words.split_whitespace().enumerate().map(past).collect()
    }

    #[test]
    fn each_rollback_goes_one_further_back() {
        for (said, wanted) in [
            ("", None),
            ("a", None),
            ("a b", Some("a")),
            ("a b c", Some("b")),
            ("a b c -b", Some("a")),
            ("a b c -b -a", None),
            ("a b -a c", Some("a")),
            ("a b -a b", Some("a")),
            ("a b a", Some("b")),
            ("a b b", Some("a")),
            // The beginning is forgotten.
            ("-x b", Some("x")),
            ("b -x", None),
        ] {
            let history = history(said);
            assert_eq!(before(&history).map(|past| past.digest.as_str()), wanted, "{said}");
        }
    }
}
