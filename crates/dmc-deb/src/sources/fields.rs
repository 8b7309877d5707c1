//! What both forms of a source list have in common: named values, checked.

use super::{SignedBy, Source, SourceError, SourceProblem, TrustSwitch};
use dmc_types::{Arch, Suite};
use std::collections::BTreeMap;

/// A source's values by their lower-case names in the deb822 form, and where it begins.
pub(super) struct Fields {
    pub(super) line: usize,
    pub(super) values: BTreeMap<String, String>,
}

impl Fields {
    /// The source; none where it is switched off, or not of binary packages.
    pub(super) fn source(&self) -> Result<Option<Source>, SourceError> {
        let binary = self.words("types").contains(&"deb");
        if !binary || self.says("enabled", false) || self.says("trusted", false) {
            return Ok(None);
        }
        let uris = self.needed("uris", "URIs")?;
        let suites = self.needed("suites", "Suites")?;
        let suites = suites.into_iter().map(|suite| self.suite(suite)).collect::<Result<_, _>>()?;
        let components = self.needed("components", "Components")?;
        Ok(Some(Source {
            line: self.line,
            uris: uris.into_iter().map(str::to_owned).collect(),
            suites,
            components: components.into_iter().map(str::to_owned).collect(),
            archs: self.archs(),
            signed_by: self.signed_by()?,
            ignored: self.ignored(),
        }))
    }

    fn words(&self, name: &str) -> Vec<&str> {
        self.values.get(name).map(|value| value.split_whitespace().collect()).unwrap_or_default()
    }

    fn needed(&self, name: &str, field: &'static str) -> Result<Vec<&str>, SourceError> {
        match self.words(name) {
            words if words.is_empty() => Err(self.problem(SourceProblem::Missing { field })),
            words => Ok(words),
        }
    }

    /// Whether a switch is there and stands so (apt's `StringToBool`).
    fn says(&self, name: &str, wanted: bool) -> bool {
        let Some(value) = self.values.get(name) else { return false };
        let spellings: &[&str] = if wanted {
            &["yes", "true", "with", "on", "enable", "1"]
        } else {
            &["no", "false", "without", "off", "disable", "0"]
        };
        spellings.iter().any(|spelling| value.trim().eq_ignore_ascii_case(spelling))
    }

    fn suite(&self, text: &str) -> Result<Suite, SourceError> {
        if text.ends_with('/') {
            return Err(self.problem(SourceProblem::Flat { suite: text.to_owned() }));
        }
        text.parse().ok().ok_or_else(|| self.bad_value("Suites", text))
    }

    fn archs(&self) -> Option<Vec<Arch>> {
        let text = self.values.get("architectures")?;
        let words = text.split(|c: char| c.is_whitespace() || c == ',');
        Some(words.filter_map(|word| word.parse().ok()).collect())
    }

    fn signed_by(&self) -> Result<SignedBy, SourceError> {
        let Some(text) = self.values.get("signed-by").map(|text| text.trim()) else {
            return Ok(SignedBy::Machine);
        };
        if text.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
            return Ok(SignedBy::Inline(unfolded(text)));
        }
        let (mut files, mut fingerprints) = (Vec::new(), Vec::new());
        let words = text.split(|c: char| c.is_whitespace() || c == ',');
        for word in words.filter(|word| !word.is_empty()) {
            let digits = word.strip_suffix('!').unwrap_or(word);
            if word.starts_with('/') {
                files.push(word.into());
            } else if digits.len() >= 40 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                fingerprints.push(word.to_owned());
            } else {
                return Err(self.bad_value("Signed-By", word));
            }
        }
        if files.is_empty() && fingerprints.is_empty() {
            return Err(self.problem(SourceProblem::Missing { field: "Signed-By" }));
        }
        Ok(SignedBy::Keys { files, fingerprints })
    }

    fn ignored(&self) -> Vec<TrustSwitch> {
        let switches = [
            ("trusted", true, TrustSwitch::Trusted),
            ("allow-insecure", true, TrustSwitch::AllowInsecure),
            ("allow-weak", true, TrustSwitch::AllowWeak),
            ("allow-downgrade-to-insecure", true, TrustSwitch::AllowDowngradeToInsecure),
            ("check-valid-until", false, TrustSwitch::NoCheckValidUntil),
            ("check-date", false, TrustSwitch::NoCheckDate),
        ];
        let set = switches.iter().filter(|(name, wanted, _)| self.says(name, *wanted));
        set.map(|(_, _, switch)| *switch).collect()
    }

    fn bad_value(&self, field: &'static str, value: &str) -> SourceError {
        self.problem(SourceProblem::BadValue { field, value: value.chars().take(200).collect() })
    }

    fn problem(&self, problem: SourceProblem) -> SourceError {
        SourceError { line: self.line, problem }
    }
}

/// The lines of a folded value: one space off each, and a lone dot for an empty line.
fn unfolded(text: &str) -> String {
    let mut unfolded = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        unfolded.push_str(if line == "." { "" } else { line });
        unfolded.push('\n');
    }
    unfolded
}
