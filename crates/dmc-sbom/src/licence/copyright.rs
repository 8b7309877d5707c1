//! Copyright files (DEP-5).

use super::Expression;
use dmc_deb::deb822::paragraphs;
use std::collections::BTreeMap;

/// Where Debian keeps licences that many packages share.
const COMMON: &str = "/usr/share/common-licenses/";

/// What a machine-readable copyright file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copyright {
    /// All licences of the package.
    pub expression: Expression,
    /// Texts of licences, by their short names.
    pub texts: BTreeMap<String, String>,
}

/// Why a copyright file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyrightError {
    /// It has no `Format`.
    #[error("it is not machine-readable{}", mentioning(mentioned))]
    NoFormat {
        /// The common licences whose files it mentions.
        mentioned: Vec<String>,
    },
    /// It has a `Format` and no licence.
    #[error("it names no licence")]
    NoLicence,
}

fn mentioning(mentioned: &[String]) -> String {
    if mentioned.is_empty() {
        return String::new();
    }
    format!("; it mentions {}", mentioned.join(", "))
}

impl Copyright {
    /// Reads a copyright file. Bytes that are not UTF-8 are replaced; what is no field is passed
    /// over.
    ///
    /// # Errors
    /// A file without a `Format` that is DEP-5's, or without a licence.
    pub fn parse(text: &[u8]) -> Result<Self, CopyrightError> {
        let text = String::from_utf8_lossy(text);
        let mut all = paragraphs(text.as_bytes());
        let header = all.next().ok_or(CopyrightError::NoLicence)?;
        let format = header.field("Format").or_else(|| header.field("Format-Specification"));
        if !format.is_some_and(is_dep5) {
            return Err(CopyrightError::NoFormat { mentioned: mentioned(&text) });
        }
        let (mut named, mut texts) = (Vec::new(), BTreeMap::new());
        for (at, paragraph) in [header].into_iter().chain(all).enumerate() {
            let Some(licence) = paragraph.field("License") else { continue };
            let (synopsis, body) = licence.split_once('\n').unwrap_or((licence, ""));
            let synopsis = synopsis.trim();
            // A paragraph without `Files` gives the text of a licence that others name.
            if at == 0 || paragraph.field("Files").is_some() {
                named.extend(Expression::parse(synopsis));
            }
            if !body.trim().is_empty() {
                texts.entry(synopsis.to_owned()).or_insert_with(|| unfolded(body));
            }
        }
        let expression = Expression::all(named).ok_or(CopyrightError::NoLicence)?;
        Ok(Self { expression, texts })
    }
}

/// The specification's address changed over the years.
fn is_dep5(format: &str) -> bool {
    let format = format.to_ascii_lowercase();
    format.contains("copyright-format") || format.contains("dep5") || format.contains("dep-5")
}

/// A text without what folding added: one space, and a full stop for an empty line.
fn unfolded(body: &str) -> String {
    let line = |line: &str| {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        if line == "." { String::new() } else { line.to_owned() }
    };
    body.lines().map(line).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn mentioned(text: &str) -> Vec<String> {
    let after = text.split(COMMON).skip(1);
    let name = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-.+".contains(c));
        rest[..end.unwrap_or(rest.len())].trim_end_matches('.').to_owned()
    };
    let mut found: Vec<String> = after.map(name).filter(|name| !name.is_empty()).collect();
    found.sort();
    found.dedup();
    found
}
