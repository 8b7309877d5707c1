//! Which image is the live one, as far as can be believed.

use super::error::PromoteError;
use super::live::{LIVE, Live, LivePredicate};
use super::memory;
use super::place::Place;
use crate::error::BuildError;
use crate::naming;
use crate::workshop::Workshop;
use dmc_image::oci::Descriptor;
use dmc_types::TemplateName;

/// The live image of a template: what the tag means, confirmed by a statement that counts, whose
/// sequence is not lower than the last that was accepted. It is accepted with that.
pub(crate) async fn live(workshop: &Workshop, template: &TemplateName) -> Result<Live, BuildError> {
    let place = Place::of(workshop, template)?;
    let tag = live_tag(workshop, template);
    let Some(index) = place.resolve(&tag).await? else {
        let repository = place.repository;
        return Err(PromoteError::NotLive { repository, tag }.into());
    };
    let Some(live) = stated(&place, &tag, &index).await? else {
        let kind = if workshop.trusted()?.is_empty() { "unsigned" } else { "signed" };
        let (repository, digest) = (place.repository, index.digest);
        return Err(PromoteError::Unstated { repository, tag, digest, kind }.into());
    };
    accept_live(workshop, &live)?;
    Ok(live)
}

/// Holds a live image against the last that this machine accepted, and remembers it.
pub(crate) fn accept_live(workshop: &Workshop, live: &Live) -> Result<(), BuildError> {
    let store = workshop.archive.store();
    Ok(memory::accept(store.root(), live, !store.is_read_only())?)
}

/// The name of what runs, for images of a template.
pub(crate) fn live_tag(workshop: &Workshop, template: &TemplateName) -> String {
    naming::ended(&workshop.settings.conf.promotion.tag, workshop.is_private(template))
}

/// What is stated last about an image that it is what the tag should mean.
pub(crate) async fn stated(
    place: &Place<'_>,
    tag: &str,
    index: &Descriptor,
) -> Result<Option<Live>, BuildError> {
    let mut last: Option<Live> = None;
    for stated in place.stated(index, LIVE).await? {
        let Ok(said) = serde_json::from_value::<LivePredicate>(stated.predicate) else { continue };
        let newer = last.as_ref().is_none_or(|last| last.sequence < said.sequence);
        if newer && said.is_about(&place.repository, tag, &index.digest) {
            last = Some(Live {
                repository: said.repository,
                tag: said.tag,
                index: index.clone(),
                sequence: said.sequence,
                signer: stated.signer,
                history: said.history,
            });
        }
    }
    Ok(last)
}
