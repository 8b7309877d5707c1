//! The record of installed packages that scanners read.
//!
//! One file a package in `/var/lib/dpkg/status.d`, with its control paragraph (deb-control(5)) and
//! dpkg's status line, and beside it the checksums of those of its files that the image holds.
//! There is no `/var/lib/dpkg/status`: nothing here is managed by dpkg.

use dmc_types::{ImagePath, PackageFacts};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The package's paragraph, marked as installed.
pub(super) fn status(facts: &PackageFacts) -> String {
    let (first, rest) = facts.control.split_once('\n').unwrap_or((&facts.control, ""));
    format!("{first}\nStatus: install ok installed\n{rest}")
}

/// Lines of md5sum(1) for the package's files among `kept` (merged-/usr spellings), in the
/// spelling of the package and in its order. Configuration files are not in a package's sums.
pub(super) fn md5sums(facts: &PackageFacts, kept: &BTreeSet<&ImagePath>) -> String {
    let mut text = String::new();
    for (path, sum) in &facts.md5sums {
        if kept.contains(&path.merged_usr()) {
            let _ = writeln!(text, "{sum}  {}", String::from_utf8_lossy(path.relative()));
        }
    }
    text
}
