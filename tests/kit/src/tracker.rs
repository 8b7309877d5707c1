//! The data of a security tracker, in the form in which Debian's serves it.
//!
//! [`SAMPLE`] shows that form with well-known issues as they stood on 2025-09-01, written down by
//! hand after the tracker's documentation; [`FakeTracker`] makes up whatever a test needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Five sources as they stood on 2025-09-01, for bookworm and trixie.
pub const SAMPLE: &str = include_str!("tracker/sample-2025-09-01.json");

/// A tracker's data.
#[derive(Debug, Clone, Default)]
pub struct FakeTracker {
    /// By source, issue and codename what is said there, without braces.
    sources: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
}

impl FakeTracker {
    /// A tracker that knows of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// An issue of a source in a release; `entry` is JSON between braces, such as
    /// `"status":"open","urgency":"high"`.
    #[must_use]
    pub fn issue(mut self, source: &str, id: &str, codename: &str, entry: &str) -> Self {
        let issues = self.sources.entry(source.to_owned()).or_default();
        let releases = issues.entry(id.to_owned()).or_default();
        releases.insert(codename.to_owned(), entry.to_owned());
        self
    }

    /// One that the release is vulnerable to.
    #[must_use]
    pub fn open(self, source: &str, id: &str, codename: &str, urgency: &str) -> Self {
        let entry = format!(
            "\"status\":\"open\",\"repositories\":{{\"{codename}\":\"1\"}},\"urgency\":\"{urgency}\""
        );
        self.issue(source, id, codename, &entry)
    }

    /// One that is fixed in this version.
    #[must_use]
    pub fn fixed(self, source: &str, id: &str, codename: &str, version: &str) -> Self {
        let entry = format!(
            "\"status\":\"resolved\",\"repositories\":{{\"{codename}\":\"{version}\"}},\
             \"fixed_version\":\"{version}\",\"urgency\":\"not yet assigned\""
        );
        self.issue(source, id, codename, &entry)
    }

    /// So many sources of no interest with twelve issues each, to make it long: a thousand sources
    /// are some 8 MB.
    #[must_use]
    pub fn filled(mut self, sources: usize) -> Self {
        for source in 0..sources {
            for issue in 0..12 {
                let (name, id) =
                    (format!("filler-{source}"), format!("CVE-2001-{source}{issue:02}"));
                for codename in ["bookworm", "trixie", "forky", "sid"] {
                    self = self.fixed(&name, &id, codename, "1.2.3-4");
                }
            }
        }
        self
    }

    /// The text.
    pub fn json(&self) -> String {
        let mut text = String::from("{");
        for (source, issues) in &self.sources {
            let _ = write!(text, "\"{source}\":{{");
            for (id, releases) in issues {
                let _ = write!(
                    text,
                    "\"{id}\":{{\"description\":\"What {id} is about, in some words.\",\
                     \"scope\":\"local\",\"debianbug\":1234567,\"releases\":{{"
                );
                for (codename, entry) in releases {
                    let _ = write!(text, "\"{codename}\":{{{entry}}},");
                }
                end(&mut text, "}},");
            }
            end(&mut text, "},");
        }
        end(&mut text, "}\n");
        text
    }
}

/// Ends an object: in place of the comma behind its last member.
fn end(text: &mut String, with: &str) {
    if text.ends_with(',') {
        text.pop();
    }
    text.push_str(with);
}
