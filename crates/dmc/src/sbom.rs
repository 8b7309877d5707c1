//! What `dmc -a sbom` says.

use dmc_build::{Described, Step};
use serde_json::{Value, json};

/// One line for each document that the layout has about an image.
pub(crate) fn lines(step: &Step, all: &[Described]) -> Vec<(String, Value)> {
    let line = |it: &Described| {
        let (template, arch) = (step.template(), step.arch());
        let name = template.map(ToString::to_string).unwrap_or_default();
        let text = format!(
            "{name} {} sha256:{} {:10} sha256:{} {:.2} MB",
            arch.map_or("", dmc_types::Arch::name),
            it.image,
            it.kind,
            it.document.digest,
            crate::report::megabytes(it.document.size),
        );
        let value = json!({
            "template": template, "arch": arch, "image": format!("sha256:{}", it.image),
            "kind": it.kind.to_string(), "artifact": format!("sha256:{}", it.artifact),
            "media_type": it.document.media_type,
            "document": format!("sha256:{}", it.document.digest), "size": it.document.size,
        });
        (text, value)
    };
    all.iter().map(line).collect()
}
