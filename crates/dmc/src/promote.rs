//! What a promotion or a rollback tells.

use crate::report::Report;
use dmc_build::{Live, Promoted, Restarted, Step};
use dmc_types::Sha256;
use serde_json::json;

/// Which image is live now, and which one was.
pub(crate) fn told(report: &Report, step: &Step, promoted: &Promoted) {
    let Promoted { live, before, tests } = promoted;
    let Live { repository, tag, index, sequence, signer, .. } = live;
    let digest = format!("sha256:{}", index.digest);
    let before = before.map(|before| format!("sha256:{before}"));
    let value = json!({
        "template": step.template(), "live": format!("{repository}:{tag}"), "digest": digest,
        "sequence": sequence, "before": before, "tests": tests,
        "signer": signer.map(|signer| format!("sha256:{signer}")),
    });
    report.result(&format!("{repository}:{tag} {digest}"), &value);
    match before {
        Some(before) if before == digest => tracing::info!("{step}: it was live already"),
        Some(before) => tracing::info!("{step}: number {sequence}; before it was {before}"),
        None => tracing::info!("{step}: number {sequence}, the first"),
    }
    if signer.is_none() {
        tracing::warn!("{step}: nobody signed this; `dmc keygen` makes a key");
    }
}

/// What runs here now.
pub(crate) fn restarted(report: &Report, step: &Step, restarted: &Restarted) {
    let Restarted { container, runs, before } = restarted;
    let digest = |digest: &Sha256| format!("sha256:{digest}");
    let value = json!({
        "template": step.template(), "container": container,
        "runs": runs.as_ref().map(digest), "before": before.as_ref().map(digest),
    });
    match runs {
        None => {
            report.result("", &value);
            tracing::info!("{step}: nothing of it runs here, and no [run] says how it would");
        }
        Some(now) if Some(now) == before.as_ref() => {
            report.result("", &value);
            tracing::info!("{step}: container {container} runs it already");
        }
        Some(now) => report.result(&format!("{container} runs {}", digest(now)), &value),
    }
}
