//! Signatures under the tag `sha256-HEX.sig`: the form that policies of podman and skopeo read.
//!
//! The tag names a manifest with a layer for each signature: the layer is the signed payload, its
//! annotation the signature. Layers of others stay. Nothing keeps two writers apart, so that the
//! tag is read again after it was written.

use super::{SigningError, is_of_the_document};
use dmc_image::oci::{Annotations, Descriptor, media_type};
use dmc_registry::{Reference, Registry, Repository, Source, Tag};
use dmc_sign::{PrivateKey, PublicKey, SignatureError, SimpleSigning, Verified};
use dmc_types::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// No payload is longer, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Most signatures of one image that are looked at.
const MOST: usize = 200;

/// How often a tag that others write too is written.
const ATTEMPTS: usize = 4;

/// What the tag names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signatures {
    schema_version: u8,
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    annotations: Annotations,
}

/// The image whose signatures are meant, where it is.
#[derive(Clone, Copy)]
pub(super) struct Tagged<'a> {
    pub(super) registry: &'a Registry,
    pub(super) repository: &'a Repository,
    pub(super) image: Sha256,
}

impl Tagged<'_> {
    /// The signatures by these keys; why others do not count goes to `refused`.
    pub(super) async fn verified(
        self,
        keys: &[PublicKey],
        refused: &mut Vec<SignatureError>,
    ) -> Result<Vec<Verified<SimpleSigning>>, SigningError> {
        let Some(signatures) = self.read().await? else { return Ok(Vec::new()) };
        let mut verified = Vec::new();
        for layer in signatures.layers.iter().take(MOST) {
            match self.look(layer, keys).await? {
                Ok(signature) => verified.push(signature),
                Err(why) => refused.push(why),
            }
        }
        Ok(verified)
    }

    async fn look(
        self,
        layer: &Descriptor,
        keys: &[PublicKey],
    ) -> Result<Result<Verified<SimpleSigning>, SignatureError>, SigningError> {
        let unreadable =
            |why: &str| SignatureError::Unreadable { what: "a signature", why: why.to_owned() };
        let Some(signature) = layer.annotations.get(SimpleSigning::SIGNATURE) else {
            return Ok(Err(unreadable("its annotation is missing")));
        };
        let name = self.repository.to_string();
        // Ours need not be fetched: what they sign is known.
        let own = SimpleSigning::new(self.image, &name).to_json();
        let payload = if Descriptor::of(&layer.media_type, &own).digest == layer.digest {
            own
        } else if layer.size > LONGEST {
            return Ok(Err(unreadable("its payload is too long")));
        } else {
            match self.registry.blob(self.repository, layer, LONGEST).await {
                Ok(payload) => payload,
                Err(error) if is_of_the_document(&error) => {
                    return Ok(Err(unreadable(&error.cause.to_string())));
                }
                Err(error) => return Err(error.into()),
            }
        };
        Ok(SimpleSigning::verify(&payload, signature, keys, self.image, &name))
    }

    /// Adds a signature, and looks that it stays.
    pub(super) async fn sign(self, key: &PrivateKey) -> Result<(), SigningError> {
        let payload = SimpleSigning::new(self.image, &self.repository.to_string()).to_json();
        let mut layer = Descriptor::of(SimpleSigning::MEDIA_TYPE, &payload);
        self.registry.put_blob(self.repository, &layer, Source::Bytes(&payload)).await?;
        let signature = key.sign(&payload).write();
        layer.annotations.insert(SimpleSigning::SIGNATURE.to_owned(), signature);
        for _ in 0..ATTEMPTS {
            let mut layers = self.read().await?.map(|there| there.layers).unwrap_or_default();
            if layers.contains(&layer) {
                return Ok(());
            }
            layers.push(layer.clone());
            self.write(layers).await?;
        }
        match self.read().await? {
            Some(there) if there.layers.contains(&layer) => Ok(()),
            _ => Err(SigningError::Contended { what: self.reference()?.behind(self.repository) }),
        }
    }

    async fn read(self) -> Result<Option<Signatures>, SigningError> {
        let reference = self.reference()?;
        let Some((_, bytes)) = self.registry.manifest(self.repository, &reference).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| SigningError::Document {
            what: reference.behind(self.repository),
            source,
        })
    }

    async fn write(self, layers: Vec<Descriptor>) -> Result<(), SigningError> {
        let contents: Vec<String> =
            layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect();
        // As cosign writes it: readers of images want a configuration that lists the layers.
        let config = json!({
            "architecture": "", "os": "", "config": {},
            "rootfs": { "type": "layers", "diff_ids": contents },
        });
        let config_bytes = config.to_string().into_bytes();
        let config = Descriptor::of(media_type::CONFIG, &config_bytes);
        self.registry.put_blob(self.repository, &config, Source::Bytes(&config_bytes)).await?;
        let signatures = Signatures {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            config,
            layers,
            annotations: Annotations::new(),
        };
        let reference = self.reference()?;
        let failed =
            |source| SigningError::Document { what: reference.behind(self.repository), source };
        let bytes = serde_json::to_vec(&signatures).map_err(failed)?;
        let kind = media_type::MANIFEST;
        self.registry.put_manifest(self.repository, &reference, kind, &bytes).await?;
        Ok(())
    }

    fn reference(self) -> Result<Reference, SigningError> {
        let tag: Tag = SimpleSigning::tag(self.image).parse()?;
        Ok(tag.into())
    }
}
