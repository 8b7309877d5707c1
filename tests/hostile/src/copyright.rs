//! Copyright files.

use dmc_sbom::licence::{Copyright, Expression, Names};
use std::collections::BTreeMap;

/// A copyright file: what it names can be said again, each licence has an SPDX identifier or a
/// text, and whoever denies everything denies it.
pub fn copyright(data: &[u8]) {
    let read = match Copyright::parse(data) {
        Ok(read) => read,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let names = read.expression.names();
    assert!(!names.is_empty() && names.iter().all(|name| (1..=200).contains(&name.len())));
    let table = Names::new([("GPL-2+".to_owned(), "GPL-2.0-or-later".to_owned())]);
    let mut extracted = BTreeMap::new();
    let package = "package".parse().unwrap();
    let spdx = table.spdx(&package, &read, &mut extracted);
    assert!(extracted.len() <= names.len() && extracted.keys().all(|id| spdx.contains(id)));
    assert!(spdx.chars().all(|c| c.is_ascii_alphanumeric() || " ()-.".contains(c)), "{spdx}");
    assert!(!table.denied(&read.expression, &["*".to_owned()]).is_empty());
    assert!(table.denied(&read.expression, &[]).is_empty());
    if let Ok(text) = std::str::from_utf8(data) {
        drop(Expression::parse(text));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let format = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/";
    let whole = format!(
        "Format: {format}\nLicense: X11\n\nFiles: *\nLicense: GPL-2+ or Artistic, and Odd~1\n text\n .\n\n\
         License: Odd~1\n Odd.\n"
    );
    let bare = format!("Format: {format}\n\nFiles: *\nLicense: MIT\n");
    let words = b"See /usr/share/common-licenses/GPL-3.\n".to_vec();
    vec![whole.into_bytes(), bare.into_bytes(), words]
}
