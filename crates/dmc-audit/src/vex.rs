//! What is known of an image's vulnerabilities as OpenVEX 0.2.0, in an in-toto statement.
//!
//! A product is an image by its digest; subcomponents are its packages, without version: scanners
//! spell epochs differently, and the digest says it all. That something does not affect an image is
//! said with evidence only; all else is under investigation. The statement is not signed here.
//!
//! Follows the OpenVEX specification 0.2.0, in-toto's attestation framework 1.0, and the package URL
//! specification (types `oci` and `deb`).

use crate::judge::{Audited, Evidence, Finding, Standing};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The kind of the artifact, which scanners look for among an image's referrers.
pub const ARTIFACT_TYPE: &str = "application/vnd.in-toto+json";

/// The annotation by which they choose among artifacts of that kind.
pub const PREDICATE_TYPE_KEY: &str = "in-toto.io/predicate-type";

/// What the statement says: an OpenVEX document.
pub const PREDICATE_TYPE: &str = "https://openvex.dev/ns/v0.2.0";

/// An image or an index that a document speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The last part of its repository's name.
    pub name: String,
    /// SHA-256 of its manifest or index, in hexadecimal.
    pub digest: String,
}

impl Product {
    fn purl(&self) -> String {
        format!("pkg:oci/{}@sha256%3A{}", escaped(&self.name), self.digest)
    }
}

/// Who says it, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition<'a> {
    /// The program and its version.
    pub tooling: &'a str,
    /// When it was said, as RFC 3339 spells it.
    pub time: &'a str,
    /// Which document on this product it is, from 1.
    pub number: u64,
}

/// The statements on a product, of one image or of all images of an index; empty where there is
/// nothing to say.
pub fn statements(product: &Product, images: &[&Audited]) -> Vec<Value> {
    let mut decided: BTreeMap<(&str, String), &Finding> = BTreeMap::new();
    for finding in images.iter().flat_map(|image| &image.findings) {
        for (package, arch) in &finding.packages {
            let of = decided.entry((&finding.id, subcomponent(package.as_str(), arch)));
            let one = of.or_insert(finding);
            // What cannot be proved everywhere is not said anywhere.
            if finding.not_affected.is_none() {
                *one = finding;
            }
        }
    }
    let mut grouped: BTreeMap<(&str, String), (Value, Vec<Value>)> = BTreeMap::new();
    for ((id, purl), finding) in decided {
        let verdict = verdict(finding);
        let group = grouped.entry((id, verdict.to_string())).or_insert((verdict, Vec::new()));
        group.1.push(json!({ "@id": purl }));
    }
    let statement = |((id, _), (mut verdict, subcomponents)): ((&str, String), (Value, _))| {
        verdict["vulnerability"] = json!({ "name": id });
        verdict["products"] =
            json!([{ "@id": product.purl(), "subcomponents": Value::Array(subcomponents) }]);
        verdict
    };
    grouped.into_iter().map(statement).collect()
}

/// Status and reasons of a statement: OpenVEX's schema takes a justification or an impact statement,
/// not both, so that what was looked for goes into the notes.
fn verdict(finding: &Finding) -> Value {
    match &finding.not_affected {
        Some(Evidence { justification, because }) => json!({
            "status": "not_affected", "justification": justification, "status_notes": because,
        }),
        None => json!({ "status": "under_investigation", "status_notes": notes(finding) }),
    }
}

/// What the tracker says of a finding.
fn notes(finding: &Finding) -> String {
    let (urgency, source) = (&finding.urgency, &finding.source);
    let mut text = match (finding.standing, &finding.fixed) {
        (Standing::Undetermined, _) => format!("{source} is undetermined"),
        (_, Some(fixed)) => format!("{source} is fixed in {fixed}"),
        (_, None) => format!("{source} is open"),
    };
    let _ = write!(text, "; urgency: {urgency}");
    if let Some(no_dsa) = &finding.no_dsa {
        let _ = write!(text, "; no advisory: {}", no_dsa.why);
    }
    text
}

/// The OpenVEX document of these statements.
pub fn document(product: &Product, statements: &[Value], edition: &Edition<'_>) -> Value {
    json!({
        "@context": PREDICATE_TYPE,
        "@id": format!("{}#vex", product.purl()),
        "author": "dmc",
        "role": "Image builder",
        "timestamp": edition.time,
        "version": edition.number,
        "tooling": edition.tooling,
        "statements": statements,
    })
}

/// The in-toto statement that binds a document to its product.
pub fn attested(product: &Product, document: &Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": product.name, "digest": { "sha256": product.digest } }],
        "predicateType": PREDICATE_TYPE,
        "predicate": document,
    })
}

fn subcomponent(package: &str, arch: &str) -> String {
    format!("pkg:deb/debian/{}?arch={}", escaped(package), escaped(arch))
}

/// Percent-encoding as package URLs ask for it: all but letters, digits and `-._~`.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Justification, Presence};
    use crate::urgency::Urgency;

    fn finding(id: &str, package: &str, arch: &str, evidence: bool) -> Finding {
        Finding {
            id: id.to_owned(),
            source: "src".to_owned(),
            version: "1".to_owned(),
            presence: Presence::Installed,
            packages: [(package.parse().unwrap(), arch.to_owned())].into(),
            standing: Standing::Open,
            fixed: None,
            urgency: Urgency::Low,
            no_dsa: None,
            not_affected: evidence.then(|| Evidence {
                justification: Justification::VulnerableCodeNotPresent,
                because: "gone".to_owned(),
            }),
        }
    }

    fn audited(findings: Vec<Finding>) -> Audited {
        Audited { findings, ..Audited::default() }
    }

    fn product() -> Product {
        Product { name: "nginx".to_owned(), digest: "ab".repeat(32) }
    }

    #[test]
    fn one_statement_names_all_packages_that_it_holds_for() {
        let image = audited(vec![
            finding("CVE-1", "libstdc++6", "amd64", true),
            finding("CVE-1", "gcc-14-base", "amd64", true),
            finding("CVE-1", "libgcc-s1", "amd64", false),
        ]);
        let statements = statements(&product(), &[&image]);
        let said: Vec<String> = statements
            .iter()
            .map(|one| format!("{} {}", one["status"], one["products"][0]["subcomponents"]))
            .collect();
        assert_eq!(
            said,
            [
                r#""not_affected" [{"@id":"pkg:deb/debian/gcc-14-base?arch=amd64"},{"@id":"pkg:deb/debian/libstdc%2B%2B6?arch=amd64"}]"#,
                r#""under_investigation" [{"@id":"pkg:deb/debian/libgcc-s1?arch=amd64"}]"#,
            ]
        );
        let purl = format!("pkg:oci/nginx@sha256%3A{}", "ab".repeat(32));
        assert_eq!(statements[0]["products"][0]["@id"], purl);
        assert_eq!(statements[0]["justification"], "vulnerable_code_not_present");
    }

    #[test]
    fn what_holds_on_one_machine_alone_is_said_of_that_one_alone() {
        let one = audited(vec![
            finding("CVE-1", "tool", "amd64", true),
            finding("CVE-1", "data", "all", true),
        ]);
        let other = audited(vec![
            finding("CVE-1", "tool", "arm64", false),
            finding("CVE-1", "data", "all", false),
        ]);
        for images in [[&one, &other], [&other, &one]] {
            let statements = statements(&product(), &images);
            let of = |status: &str| {
                let found = statements.iter().find(|one| one["status"] == status).unwrap();
                found["products"][0]["subcomponents"].to_string()
            };
            assert_eq!(of("not_affected"), r#"[{"@id":"pkg:deb/debian/tool?arch=amd64"}]"#);
            assert!(of("under_investigation").contains("data?arch=all"));
        }
    }

    /// As trivy 0.7x chooses among referrers, and tells a statement from an envelope.
    #[test]
    fn what_scanners_look_for_is_there() {
        assert_eq!(ARTIFACT_TYPE, "application/vnd.in-toto+json");
        assert_eq!(PREDICATE_TYPE_KEY, "in-toto.io/predicate-type");
        assert!(PREDICATE_TYPE.starts_with("https://openvex.dev/ns/"));
        let edition = Edition { tooling: "dmc 1", time: "2026-11-21T10:00:00Z", number: 1 };
        let statement = attested(&product(), &document(&product(), &[], &edition));
        assert!(statement.get("_type").is_some() && statement.get("payloadType").is_none());
    }

    #[test]
    fn a_justification_stands_without_an_impact_statement() {
        let image = audited(vec![
            finding("CVE-1", "tool", "amd64", true),
            finding("CVE-2", "tool", "amd64", false),
        ]);
        for one in statements(&product(), &[&image]) {
            let justified = one.get("justification").is_some();
            assert_eq!(justified, one["status"] == "not_affected", "{one}");
            assert!(one.get("impact_statement").is_none() && one.get("status_notes").is_some());
        }
    }

    #[test]
    fn a_statement_is_bound_to_its_image() {
        let edition = Edition { tooling: "dmc 1", time: "2026-11-21T10:00:00Z", number: 2 };
        let statement = attested(&product(), &document(&product(), &[], &edition));
        assert_eq!(statement["subject"][0]["digest"]["sha256"], "ab".repeat(32));
        assert_eq!(statement["predicate"]["version"], 2);
        assert_eq!(statement["predicateType"], statement["predicate"]["@context"]);
    }
}
