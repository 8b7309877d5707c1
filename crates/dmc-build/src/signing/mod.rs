//! Signatures of what is pushed: made, found again, and held against the keys that are trusted.
//!
//! An index and each of its manifests are signed twice over: under the tag `sha256-HEX.sig`, which
//! policies of podman and skopeo read, and as a statement attached to them, which cosign reads.
//! Documents that are attached to an image are said again by signed statements. A signature by the
//! same key that is there already and holds is not repeated; the private key is not even opened.

mod bundles;
mod documents;
mod error;
mod keys;
mod tagged;
mod verify;

pub use error::SigningError;
pub(crate) use keys::Keys;
pub use keys::{NewKeys, Passwords, keygen};
pub use verify::{CheckedImage, CheckedRepository, Signers};
pub(crate) use verify::{check_repository, statements, verify};

use crate::error::BuildError;
use crate::workshop::Workshop;
use bundles::Bundles;
use dmc_image::Layout;
use dmc_image::oci::{Descriptor, Index};
use dmc_registry::{Cause, RegistryError, Repository};
use dmc_sign::{Bundle, PrivateKey, PublicKey, Statement, predicate};
use futures::future::try_join_all;
use keys::Signer;
use serde_json::{Value, json};
use tagged::Tagged;

/// Whether reading failed by what is there: one that is missing or wrong must not stand in the way
/// of those that hold. All else may come right another time.
fn is_of_the_document(error: &RegistryError) -> bool {
    matches!(*error.cause, Cause::NotThere | Cause::Digest { .. } | Cause::TooLarge { .. })
}

/// How much was signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signed {
    /// Signatures and statements that were made.
    pub made: usize,
    /// Those that were there and hold.
    pub kept: usize,
}

impl Signed {
    fn count(&mut self, is_new: bool) {
        if is_new {
            self.made += 1;
        } else {
            self.kept += 1;
        }
    }
}

impl Workshop {
    /// What signs; none where no key is named.
    pub(crate) fn signer(&self) -> Result<Option<&Signer>, SigningError> {
        self.keys.signer(&self.settings.conf.signing, &*self.settings.passwords)
    }

    /// The keys whose signatures count.
    pub(crate) fn trusted(&self) -> Result<&[PublicKey], SigningError> {
        self.keys.trusted(&self.settings.conf.signing, &*self.settings.passwords)
    }

    /// The private key, opened.
    fn private(&self) -> Result<&PrivateKey, SigningError> {
        let signer = self.signer()?.ok_or(SigningError::NoKey)?;
        signer.private(&*self.settings.passwords)
    }
}

/// Signs what was pushed, an index and its manifests, and the documents that the layout has about
/// them. Where no key is named, nothing is signed.
pub(crate) async fn sign_pushed(
    workshop: &Workshop,
    repository: &Repository,
    layout: &Layout,
    index: &Descriptor,
) -> Result<Signed, BuildError> {
    let mut all = Signed::default();
    if workshop.signer()?.is_none() {
        return Ok(all);
    }
    let mut subjects = layout.read_document::<Index>(index)?.manifests;
    subjects.push(index.clone());
    // Each subject has tags of its own, so that they do not stand in each other's way.
    let signed = subjects.iter().map(|one| sign_subject(workshop, repository, layout, one));
    for signed in try_join_all(signed).await? {
        all.made += signed.made;
        all.kept += signed.kept;
    }
    Ok(all)
}

/// Signs an index or a manifest in both forms, and says its documents again.
async fn sign_subject(
    workshop: &Workshop,
    repository: &Repository,
    layout: &Layout,
    subject: &Descriptor,
) -> Result<Signed, BuildError> {
    let mut signed = Signed::default();
    signed.count(sign_tagged(workshop, repository, subject).await?);
    let mut statements = vec![(predicate::SIGN.to_owned(), json!({}))];
    statements.extend(documents::about(layout, subject)?);
    for (predicate_type, said) in statements {
        signed.count(attest(workshop, repository, subject, &predicate_type, &said).await?);
    }
    Ok(signed)
}

/// Signs under the tag, unless that was done; whether it was not.
async fn sign_tagged(
    workshop: &Workshop,
    repository: &Repository,
    subject: &Descriptor,
) -> Result<bool, BuildError> {
    let signer = workshop.signer()?.ok_or(SigningError::NoKey)?;
    let tagged = Tagged { registry: workshop.registry()?, repository, image: subject.digest };
    let own = std::slice::from_ref(signer.public());
    if !tagged.verified(own, &mut Vec::new()).await?.is_empty() {
        return Ok(false);
    }
    tagged.sign(workshop.private()?).await?;
    Ok(true)
}

/// Says something of an image under the key of this run, unless that same thing was said by it;
/// whether it was not.
pub(crate) async fn attest(
    workshop: &Workshop,
    repository: &Repository,
    subject: &Descriptor,
    predicate_type: &str,
    said: &Value,
) -> Result<bool, BuildError> {
    let signer = workshop.signer()?.ok_or(SigningError::NoKey)?;
    let bundles = Bundles { registry: workshop.registry()?, repository, subject };
    let own = std::slice::from_ref(signer.public());
    let there = bundles.verified(predicate_type, own, &mut Vec::new()).await?;
    if there.iter().any(|one| one.get().predicate == *said) {
        return Ok(false);
    }
    let name = repository.to_string();
    let statement = Statement::new(subject.digest, &name, predicate_type, said.clone());
    let bundle = Bundle::sign(&statement, workshop.private()?);
    bundles.attach(predicate_type, &bundle).await?;
    Ok(true)
}
