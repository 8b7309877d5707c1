//! Debian's short names and SPDX's identifiers, and which licences are not wanted.

use super::{Copyright, Expression};
use dmc_types::PackageName;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// SPDX's identifiers by Debian's short names, whatever their case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<String, String>);

/// What a package is under though it is not to be.
pub type Denied = Vec<String>;

impl Names {
    /// A table: Debian's name, SPDX's identifier.
    pub fn new(table: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(table.into_iter().map(|(name, id)| (name.to_lowercase(), id)).collect())
    }

    /// SPDX's identifier, where the table has one.
    pub fn id(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_lowercase()).map(String::as_str)
    }

    /// A package's licences as an SPDX expression (SPDX 2.3, annex D). What the table does not
    /// have is put into `extracted`: text by reference.
    pub fn spdx(
        &self,
        package: &PackageName,
        copyright: &Copyright,
        extracted: &mut BTreeMap<String, (String, String)>,
    ) -> String {
        let mut references = BTreeMap::new();
        for name in copyright.expression.names() {
            if self.id(name).is_none() {
                let text = copyright.texts.get(name).cloned().unwrap_or_else(|| {
                    format!("The copyright file of {package} names it and gives no text.")
                });
                let reference = reference(name, &text);
                extracted.insert(reference.clone(), (name.to_owned(), text));
                references.insert(name.to_owned(), reference);
            }
        }
        let spell = |name: &str| match references.get(name) {
            Some(reference) => reference.clone(),
            None => self.id(name).unwrap_or(name).to_owned(),
        };
        copyright.expression.spelled(&spell, (" AND ", " OR "))
    }

    /// The licences of a package that a list denies and that no choice gets around: names of
    /// Debian or of SPDX, a final `*` standing for whatever follows.
    pub fn denied(&self, expression: &Expression, deny: &[String]) -> Denied {
        match expression {
            Expression::One(name) => {
                let is = |spelled: &str| deny.iter().any(|pattern| matches(pattern, spelled));
                let denied = is(name) || self.id(name).is_some_and(is);
                if denied { vec![name.clone()] } else { Vec::new() }
            }
            Expression::All(parts) => {
                parts.iter().flat_map(|part| self.denied(part, deny)).collect()
            }
            Expression::Any(parts) => {
                let each: Vec<Denied> = parts.iter().map(|part| self.denied(part, deny)).collect();
                if each.iter().any(Vec::is_empty) { Vec::new() } else { each.concat() }
            }
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == pattern,
    }
}

/// The same short name has other texts in other packages: the reference depends on both.
fn reference(name: &str, text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '-' };
    let mut reference = format!("LicenseRef-{}-", name.chars().map(plain).collect::<String>());
    for byte in &Sha256::digest(text)[..4] {
        let _ = write!(reference, "{byte:02x}");
    }
    reference
}
