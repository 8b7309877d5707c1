//! What a push tells.

use crate::report::{Report, megabytes};
use dmc_build::{Pushed, Step};
use serde_json::json;
use std::time::Duration;

/// Where the image is now, and what it took to bring it there.
pub(crate) fn told(report: &Report, step: &Step, pushed: &Pushed, took: Duration) {
    let Pushed { repository, index, tags, blobs, signed } = pushed;
    let tag = tags.first().map_or("", String::as_str);
    let digest = format!("sha256:{}", index.digest);
    let value = json!({
        "template": step.template(), "pushed": repository, "digest": digest, "tags": tags,
        "blobs": { "there": blobs.there, "mounted": blobs.mounted, "sent": blobs.sent },
        "signatures": { "made": signed.made, "kept": signed.kept },
        "bytes": blobs.bytes, "seconds": took.as_secs_f64(),
    });
    report.result(&format!("{repository}:{tag} {digest}"), &value);
    let signatures = match (signed.made, signed.kept) {
        (0, 0) => "not signed".to_owned(),
        (made, kept) => format!("{made} signatures made, {kept} were there"),
    };
    tracing::info!(
        "{repository}: {} blobs sent, {:.2} MB; {} were there, {} mounted; {signatures}; in {:.2} s",
        blobs.sent,
        megabytes(blobs.bytes),
        blobs.there,
        blobs.mounted,
        took.as_secs_f64(),
    );
}
