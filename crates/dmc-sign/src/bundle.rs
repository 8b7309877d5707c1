//! Signed statements as sigstore's bundles: DSSE 1 within the bundle format 0.3.
//!
//! The signature is over the pre-authentication encoding of payload type and payload. A key is
//! named by a hint, which verification does not trust; there is no transparency log.

use crate::error::SignatureError;
use crate::key::{PrivateKey, PublicKey, Signature};
use crate::statement::Statement;
use crate::{Verified, signer};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dmc_types::Sha256;
use serde::{Deserialize, Serialize};

const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Most signatures of one envelope that are looked at.
const SIGNATURES: usize = 16;

/// A statement with a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    media_type: String,
    #[serde(default)]
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<KeyHint>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeyHint {
    #[serde(default)]
    hint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signed {
    sig: String,
}

impl Bundle {
    /// The media type of the format, also the kind of artifact that a bundle is in a registry.
    pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

    /// Signs a statement.
    pub fn sign(statement: &Statement, key: &PrivateKey) -> Self {
        let payload = statement.to_json();
        let signature = key.sign(&encoded(IN_TOTO, &payload));
        let hint = BASE64_STANDARD.encode(key.public().fingerprint().as_bytes());
        Self {
            media_type: Self::MEDIA_TYPE.to_owned(),
            verification_material: Material { public_key: Some(KeyHint { hint }) },
            dsse_envelope: Envelope {
                payload: BASE64_STANDARD.encode(payload),
                payload_type: IN_TOTO.to_owned(),
                signatures: vec![Signed { sig: signature.write() }],
            },
        }
    }

    /// Reads a bundle; what it says is not known before it is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let bundle: Self =
            serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        if bundle.media_type != Self::MEDIA_TYPE {
            return Err(unreadable("it is not of version 0.3".to_owned()));
        }
        Ok(bundle)
    }

    /// The bytes that are stored.
    pub fn to_json(&self) -> Vec<u8> {
        // Text and lists of it: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The statement, where a trusted key has signed it and it is about this image in this
    /// repository.
    pub fn verify(
        &self,
        trusted: &[PublicKey],
        image: Sha256,
        repository: &str,
    ) -> Result<Verified<Statement>, SignatureError> {
        let envelope = &self.dsse_envelope;
        if envelope.payload_type != IN_TOTO {
            return Err(unreadable("it holds no in-toto statement".to_owned()));
        }
        let payload = BASE64_STANDARD
            .decode(&envelope.payload)
            .map_err(|error| unreadable(error.to_string()))?;
        let message = encoded(IN_TOTO, &payload);
        let key = envelope
            .signatures
            .iter()
            .take(SIGNATURES)
            .filter_map(|signed| Signature::read(&signed.sig))
            .find_map(|signature| signer(&message, &signature, trusted))
            .ok_or(SignatureError::Untrusted { keys: trusted.len() })?;
        let what = Statement::parse(&payload)?;
        what.check_subject(image, repository)?;
        Ok(Verified { what, key })
    }
}

fn unreadable(why: String) -> SignatureError {
    SignatureError::Unreadable { what: "the bundle", why }
}

/// DSSE's pre-authentication encoding.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}
