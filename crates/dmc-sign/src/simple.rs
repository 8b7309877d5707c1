//! The payload that cosign and containers' policies sign: one manifest under one name.
//!
//! Red Hat's "simple signing" format as cosign fills it. The name is a repository, without a tag;
//! the digest is that of the index or manifest whose bytes are in the registry. The repository
//! stands a second time among the annotations, so that `cosign verify -a` can ask for it.

use crate::error::SignatureError;
use crate::key::{PublicKey, Signature};
use crate::statement::REPOSITORY;
use crate::{Verified, signer};
use dmc_types::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

const TYPE: &str = "cosign container image signature";

/// What is signed in the `sha256-….sig` form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimpleSigning {
    critical: Critical,
    #[serde(default)]
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

impl SimpleSigning {
    /// The media type of the payload.
    pub const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
    /// The annotation of the payload's descriptor that holds the signature.
    pub const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

    /// The payload for an image in a repository, which is named as `host/name`.
    pub fn new(image: Sha256, repository: &str) -> Self {
        Self {
            critical: Critical {
                identity: Identity { reference: repository.to_owned() },
                image: Image { digest: format!("sha256:{image}") },
                kind: TYPE.to_owned(),
            },
            optional: Some([(REPOSITORY.to_owned(), Value::from(repository))].into()),
        }
    }

    /// The tag under which the signatures of an image lie.
    pub fn tag(image: Sha256) -> String {
        format!("sha256-{image}.sig")
    }

    /// The bytes that are signed.
    pub fn to_json(&self) -> Vec<u8> {
        // Text and maps by text: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The payload, where a trusted key has signed it and it names this image in this repository.
    pub fn verify(
        payload: &[u8],
        signature: &str,
        trusted: &[PublicKey],
        image: Sha256,
        repository: &str,
    ) -> Result<Verified<Self>, SignatureError> {
        let key = Signature::read(signature)
            .and_then(|signature| signer(payload, &signature, trusted))
            .ok_or(SignatureError::Untrusted { keys: trusted.len() })?;
        let what: Self = serde_json::from_slice(payload).map_err(|error| {
            SignatureError::Unreadable { what: "the signature's payload", why: error.to_string() }
        })?;
        let pairs = [
            (&what.critical.kind, TYPE.to_owned()),
            (&what.critical.image.digest, format!("sha256:{image}")),
            (&what.critical.identity.reference, repository.to_owned()),
        ];
        for (found, wanted) in pairs {
            if *found != wanted {
                return Err(SignatureError::OtherSubject { found: found.clone(), wanted });
            }
        }
        Ok(Verified { what, key })
    }
}
