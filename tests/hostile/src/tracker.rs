//! The data of a security tracker, and what is said of an image by it.

use dmc_audit::{Curated, Holdings, Package, Tracker, audit, vex};
use dmc_deb::deb822;
use dmc_testkit::{FakeTracker, TRACKER_SAMPLE};

const IMAGE: &[u8] = b"Package: libc6\nSource: glibc\nVersion: 2.41-12\n\n\
    Package: zlib1g\nSource: zlib\nVersion: 1:1.3.dfsg+really1.3.1-1+b1\n\n\
    Package: tool\nVersion: 1\nStatic-Built-Using: coreutils (= 9.7-3), util-linux (= 2.41-5)\n";

/// A text as a tracker's data: what is found by it can be said, and goes to no terminal as it is.
pub fn tracker(data: &[u8]) {
    let tracker = match Tracker::read(data, "trixie") {
        Ok(tracker) => tracker,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let packages = deb822::paragraphs(IMAGE).filter_map(|one| Package::read(&one)).collect();
    let holdings = Holdings { packages, ..Holdings::default() };
    let audited = audit(&holdings, &tracker, &Curated::default());
    assert_eq!(audited.packages + audited.not_covered.len(), 3);
    for finding in &audited.findings {
        let fixed = finding.fixed.as_deref().unwrap_or_default();
        for text in [&finding.id, &finding.urgency.to_string(), fixed] {
            assert!(text.chars().count() <= 200 && !text.chars().any(char::is_control), "{text:?}");
        }
    }
    let product = vex::Product { name: "image".to_owned(), digest: "0".repeat(64) };
    let statements = vex::statements(&product, &[&audited]);
    assert_eq!(statements.is_empty(), audited.findings.is_empty());
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let made = FakeTracker::new()
        .open("glibc", "CVE-2025-1", "trixie", "high**")
        .fixed("zlib", "TEMP-0000000-123456", "trixie", "1:1.3.2-1")
        .issue("util-linux", "CVE-2025-2", "trixie", "\"status\":\"undetermined\"");
    vec![TRACKER_SAMPLE.as_bytes().to_vec(), made.json().into_bytes(), b"{}".to_vec()]
}
