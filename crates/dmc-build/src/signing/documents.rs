//! What the documents of a layout come to as signed statements.

use crate::error::BuildError;
use dmc_image::Layout;
use dmc_image::oci::{Artifact, Descriptor};
use dmc_sign::predicate;
use serde_json::Value;

/// Kinds of documents that are no statements, and the statements that say the same.
const BARE: [(&str, &str); 2] = [
    ("application/spdx+json", predicate::SPDX),
    ("application/vnd.cyclonedx+json", predicate::CYCLONEDX),
];

/// Statements that are said again; others are about the layout, not about the image.
const SAID_AGAIN: [&str; 4] =
    [predicate::SPDX, predicate::CYCLONEDX, predicate::SLSA, predicate::OPENVEX];

/// The statements about an image that the layout's documents make: kind and contents of each.
pub(super) fn about(
    layout: &Layout,
    subject: &Descriptor,
) -> Result<Vec<(String, Value)>, BuildError> {
    let mut statements = Vec::new();
    for entry in layout.referrers(&subject.digest)? {
        let artifact: Artifact = layout.read_document(&entry)?;
        for document in &artifact.layers {
            let Ok(said) = layout.read_document::<Value>(document) else { continue };
            statements.extend(statement(&artifact.artifact_type, said));
        }
    }
    Ok(statements)
}

/// The statement that a document makes: it may be one already, else its kind decides.
fn statement(kind: &str, mut said: Value) -> Option<(String, Value)> {
    let predicate_type = said.get("predicateType").and_then(Value::as_str).map(str::to_owned);
    if let Some(predicate_type) = predicate_type {
        // A document's type may have its version behind it; whoever verifies asks for the kind.
        let known = SAID_AGAIN.iter().find(|known| predicate_type.starts_with(**known))?;
        return Some(((*known).to_owned(), said.get_mut("predicate").map(Value::take)?));
    }
    let (_, predicate_type) = BARE.iter().find(|(known, _)| *known == kind)?;
    Some(((*predicate_type).to_owned(), said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_said_as_what_it_is() {
        let bare = json!({"spdxVersion": "SPDX-2.3"});
        let whole = json!({"predicateType": predicate::SLSA, "predicate": {"a": 1}});
        let vex = json!({"predicateType": dmc_audit::vex::PREDICATE_TYPE, "predicate": {"a": 2}});
        let other = json!({"predicateType": "urn:x", "predicate": {}});
        for (kind, document, wanted) in [
            ("application/spdx+json", bare.clone(), Some((predicate::SPDX, bare.clone()))),
            ("application/x", bare, None),
            ("application/vnd.in-toto+json", whole, Some((predicate::SLSA, json!({"a": 1})))),
            ("application/vnd.in-toto+json", vex, Some((predicate::OPENVEX, json!({"a": 2})))),
            ("application/vnd.in-toto+json", other, None),
            ("application/vnd.in-toto+json", json!({"predicateType": predicate::SLSA}), None),
            ("application/vnd.in-toto+json", json!([]), None),
        ] {
            let wanted = wanted.map(|(kind, said)| (kind.to_owned(), said));
            assert_eq!(statement(kind, document), wanted, "{kind}");
        }
    }
}
