//! Statements about an image: in-toto's attestation framework, version 1.
//!
//! A statement says of subjects, named by digest, something of a kind that a URI names. The
//! repository under which an image is known stands with each subject, as an annotation, and so
//! under the signature: what was said of an image in one repository is not said in another.

use crate::error::SignatureError;
use dmc_types::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The kinds of statement that others know.
pub mod predicate {
    /// cosign's signature of an image.
    pub const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
    /// An SPDX document.
    pub const SPDX: &str = "https://spdx.dev/Document";
    /// A `CycloneDX` document.
    pub const CYCLONEDX: &str = "https://cyclonedx.org/bom";
    /// SLSA's provenance, version 1.
    pub const SLSA: &str = "https://slsa.dev/provenance/v1";
    /// An `OpenVEX` document.
    pub const OPENVEX: &str = "https://openvex.dev/ns";
}

/// The annotation that holds a subject's repository.
pub const REPOSITORY: &str = "repository";

const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// Something said of subjects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// What it is about.
    pub subject: Vec<Subject>,
    /// What kind of thing is said: a URI.
    pub predicate_type: String,
    /// What is said.
    #[serde(default)]
    pub predicate: Value,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its digests by algorithm, such as `sha256`.
    pub digest: BTreeMap<String, String>,
    /// Said of it besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Value>,
}

impl Statement {
    /// A statement about an image in a repository, which is named as `host/name`.
    pub fn new(image: Sha256, repository: &str, predicate_type: &str, predicate: Value) -> Self {
        let subject = Subject {
            name: repository.to_owned(),
            digest: [("sha256".to_owned(), image.to_string())].into(),
            annotations: [(REPOSITORY.to_owned(), Value::from(repository))].into(),
        };
        Self {
            kind: STATEMENT.to_owned(),
            subject: vec![subject],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// Reads a statement; only version 1 is known.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let unreadable = |why: String| SignatureError::Unreadable { what: "the statement", why };
        let statement: Self =
            serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        if statement.kind != STATEMENT {
            return Err(unreadable(format!("it is not of type {STATEMENT}")));
        }
        Ok(statement)
    }

    /// The bytes that are signed.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Text, maps by text and values that are JSON already: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Holds the statement against what it should be about.
    pub fn check_subject(&self, image: Sha256, repository: &str) -> Result<(), SignatureError> {
        let image = image.to_string();
        let about = |subject: &&Subject| subject.digest.get("sha256") == Some(&image);
        let Some(subject) = self.subject.iter().find(about) else {
            let named = self.subject.first().and_then(|subject| subject.digest.get("sha256"));
            return Err(SignatureError::OtherSubject {
                found: named.map_or_else(|| "nothing".to_owned(), |hex| format!("sha256:{hex}")),
                wanted: format!("sha256:{image}"),
            });
        };
        match subject.annotations.get(REPOSITORY).and_then(Value::as_str) {
            Some(named) if named == repository => Ok(()),
            named => Err(SignatureError::OtherSubject {
                found: named.unwrap_or("an image of no repository").to_owned(),
                wanted: repository.to_owned(),
            }),
        }
    }
}
