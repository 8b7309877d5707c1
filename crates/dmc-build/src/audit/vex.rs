//! VEX documents beside images in the layout.

use crate::error::BuildError;
use crate::workshop::Workshop;
use dmc_audit::Audited;
use dmc_audit::vex::{
    ARTIFACT_TYPE, Edition, PREDICATE_TYPE, PREDICATE_TYPE_KEY, Product, attested, document,
    statements,
};
use dmc_image::Layout;
use dmc_image::layout::{Document, LayoutError};
use dmc_image::oci::{Annotations, Artifact, Descriptor, rfc3339};
use dmc_types::TemplateName;
use serde_json::Value;

/// What dmc calls itself in documents.
const TOOLING: &str = concat!("dmc ", env!("CARGO_PKG_VERSION"));

impl Workshop {
    /// Attaches what there is to say of an image or an index, where that is not there already.
    pub(super) fn attach_one_vex(
        &self,
        layout: &Layout,
        template: &TemplateName,
        subject: &Descriptor,
        images: &[&Audited],
    ) -> Result<(), BuildError> {
        let product = Product { name: template.to_string(), digest: subject.digest.to_string() };
        let statements = statements(&product, images);
        let before = attached(layout, subject)?;
        let said = |(_, old): &(Descriptor, Value)| {
            old["predicate"]["statements"].as_array() == Some(&statements)
        };
        if statements.is_empty() {
            return Ok(layout.detach(before.iter().map(|(artifact, _)| artifact))?);
        }
        if before.len() == 1 && before.iter().all(said) {
            return Ok(());
        }
        let numbers = before.iter().filter_map(|(_, old)| old["predicate"]["version"].as_u64());
        let time = rfc3339(self.settings.epoch.unwrap_or(self.settings.now));
        let number = numbers.max().unwrap_or(0).saturating_add(1);
        let edition = Edition { tooling: TOOLING, time: &time, number };
        let statement = attested(&product, &document(&product, &statements, &edition));
        let document = Document {
            artifact_type: ARTIFACT_TYPE.to_owned(),
            media_type: ARTIFACT_TYPE.to_owned(),
            bytes: statement.to_string().into_bytes(),
            annotations: Annotations::from([(
                PREDICATE_TYPE_KEY.to_owned(),
                PREDICATE_TYPE.to_owned(),
            )]),
        };
        layout.attach(subject, &[document])?;
        Ok(())
    }
}

/// The VEX documents that are attached. What cannot be read of them says nothing.
fn attached(
    layout: &Layout,
    subject: &Descriptor,
) -> Result<Vec<(Descriptor, Value)>, LayoutError> {
    let is_vex = |entry: &Descriptor| {
        let said = entry.annotations.get(PREDICATE_TYPE_KEY).map(String::as_str);
        entry.artifact_type() == Some(ARTIFACT_TYPE) && said == Some(PREDICATE_TYPE)
    };
    let read = |entry: &Descriptor| {
        let artifact: Artifact = layout.read_document(entry).ok()?;
        layout.read_document::<Value>(artifact.layers.first()?).ok()
    };
    let found = layout.referrers(&subject.digest)?.into_iter().filter(is_vex);
    Ok(found.map(|entry| (entry.clone(), read(&entry).unwrap_or_default())).collect())
}
