//! Signed statements as referrers of what they are about: sigstore's bundles.
//!
//! Whoever lists referrers lists anything; a statement counts once its signature does. Statements
//! that nobody trusted has signed are passed over, each with its reason.

use super::{SigningError, is_of_the_document};
use dmc_image::layout::PREDICATE_TYPE;
use dmc_image::oci::{Annotations, Artifact, Descriptor};
use dmc_registry::{Registry, Repository};
use dmc_sign::{Bundle, PublicKey, SignatureError, Statement, Verified};
use std::collections::BTreeMap;

/// No bundle is longer, in bytes: the largest hold a bill of materials.
const LONGEST: u64 = 64 << 20;

/// Most bundles of one image that are looked at.
const MOST: usize = 1000;

/// What cosign says of the contents of a bundle's artifact.
const CONTENT: (&str, &str) = ("dev.sigstore.bundle.content", "dsse-envelope");
/// Where it is said of which kind a statement is, so that others need not be read: first cosign's.
const KINDS: [&str; 2] = ["dev.sigstore.bundle.predicateType", PREDICATE_TYPE];

/// The image that statements are about, where it is.
#[derive(Clone, Copy)]
pub(super) struct Bundles<'a> {
    pub(super) registry: &'a Registry,
    pub(super) repository: &'a Repository,
    pub(super) subject: &'a Descriptor,
}

impl Bundles<'_> {
    /// The statements of a kind by these keys; why others do not count goes to `refused`.
    pub(super) async fn verified(
        self,
        predicate_type: &str,
        keys: &[PublicKey],
        refused: &mut Vec<SignatureError>,
    ) -> Result<Vec<Verified<Statement>>, SigningError> {
        let digest = self.subject.digest;
        let kind = Some(Bundle::MEDIA_TYPE);
        let listed = self.registry.referrers(self.repository, &digest, kind).await?;
        let other = |one: &Descriptor| {
            let mut said = KINDS.iter().filter_map(|key| one.annotations.get(*key));
            said.any(|kind| kind != predicate_type)
        };
        let mut verified = Vec::new();
        for artifact in listed.into_iter().filter(|one| !other(one)).take(MOST) {
            match self.look(&artifact, keys).await? {
                Ok(statement) if statement.get().predicate_type == predicate_type => {
                    verified.push(statement);
                }
                Ok(_) => {}
                Err(why) => refused.push(why),
            }
        }
        Ok(verified)
    }

    async fn look(
        self,
        artifact: &Descriptor,
        keys: &[PublicKey],
    ) -> Result<Result<Verified<Statement>, SignatureError>, SigningError> {
        let unreadable =
            |why: String| SignatureError::Unreadable { what: "an attached statement", why };
        let reference = artifact.digest.into();
        let Some((_, bytes)) = self.registry.manifest(self.repository, &reference).await? else {
            return Ok(Err(unreadable("the registry lists it and does not have it".to_owned())));
        };
        let document: Artifact = match serde_json::from_slice(&bytes) {
            Ok(document) => document,
            Err(error) => return Ok(Err(unreadable(error.to_string()))),
        };
        let blob = match document.layers.first() {
            Some(blob) if blob.size <= LONGEST => blob,
            _ => return Ok(Err(unreadable("it has no document that can be read".to_owned()))),
        };
        let bytes = match self.registry.blob(self.repository, blob, LONGEST).await {
            Ok(bytes) => bytes,
            Err(error) if is_of_the_document(&error) => {
                return Ok(Err(unreadable(error.cause.to_string())));
            }
            Err(error) => return Err(error.into()),
        };
        let name = self.repository.to_string();
        Ok(Bundle::parse(&bytes).and_then(|one| one.verify(keys, self.subject.digest, &name)))
    }

    /// Attaches a bundle.
    pub(super) async fn attach(
        self,
        predicate_type: &str,
        bundle: &Bundle,
    ) -> Result<(), SigningError> {
        let bytes = bundle.to_json();
        let annotations: Annotations = BTreeMap::from(
            [CONTENT, (KINDS[0], predicate_type)]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let document = Descriptor::of(Bundle::MEDIA_TYPE, &bytes);
        let artifact = Artifact::new(Bundle::MEDIA_TYPE, document, Some(self.subject), annotations);
        self.registry.attach(self.repository, &artifact, &bytes).await?;
        Ok(())
    }
}
