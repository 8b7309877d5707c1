//! What `dmc verify -H …` says of the registry.

use crate::report::Report;
use dmc_build::{CheckedImage, CheckedRepository, Signers, Step};
use dmc_types::Sha256;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A line for each tag: what it means, and who has signed that.
pub(crate) fn told(report: &Report, step: &Step, checked: &CheckedRepository) {
    let CheckedRepository { repository, images, live } = checked;
    for CheckedImage { tag, digest, signers, manifests } in images {
        let all: BTreeSet<Sha256> = signers.tagged.union(&signers.attached).copied().collect();
        let all: Vec<String> = all.iter().map(|key| format!("sha256:{key}")).collect();
        let text = format!(
            "{repository}:{tag} sha256:{digest} and its {manifests} manifests are signed by {}",
            all.join(", ")
        );
        let value = json!({
            "template": step.template(), "repository": repository, "tag": tag,
            "digest": format!("sha256:{digest}"), "manifests": manifests,
            "signers": signers_value(signers), "live": live,
        });
        report.result(&text, &value);
    }
    if let Some(number) = live {
        tracing::info!("{repository}: what is live is number {number}");
    }
}

fn signers_value(signers: &Signers) -> Value {
    let keys = |keys: &BTreeSet<Sha256>| -> Vec<String> {
        keys.iter().map(|key| format!("sha256:{key}")).collect()
    };
    json!({ "tag": keys(&signers.tagged), "attached": keys(&signers.attached) })
}
