//! What `dmc lock` tells: which packages differ from the lock that was there.

use crate::report::Report;
use dmc_build::{LockUpdate, LockedImages, Step};
use dmc_lock::{Change, Difference, LockedPackage};
use serde_json::{Value, json};

/// How many packages were chosen.
pub(crate) fn chosen(step: &Step, images: &LockedImages) {
    let counts = images.images.iter().map(|(arch, rows)| format!("{} on {arch}", rows.len()));
    tracing::info!("{step}: packages: {}", counts.collect::<Vec<_>>().join(", "));
}

/// One result for each image whose packages differ.
pub(crate) fn told(report: &Report, update: &LockUpdate, written: bool) {
    let LockUpdate { path, differences, packages, .. } = update;
    let differing = differences.iter().filter(|image| !image.changes.is_empty());
    for image in differing.clone() {
        report.result(&text(image), &value(image));
    }
    let images = (differing.count(), differences.len());
    let told = format!("packages differ in {} of {} images", images.0, images.1);
    match (written, images.0) {
        (false, _) => tracing::info!("{path}: {told}; nothing was written"),
        (true, 0) => tracing::info!("{path}: up to date, {packages} packages"),
        (true, _) => tracing::info!("{path}: {told}; {packages} packages"),
    }
}

fn text(image: &Difference) -> String {
    let changes: Vec<String> = image.changes.iter().map(line).collect();
    format!("{} {}: {}", image.template, image.arch, changes.join(", "))
}

fn line(change: &Change) -> String {
    let archive = change.archive.as_ref().map(|archive| format!("@{archive}"));
    let name = format!("{}{}", change.package, archive.unwrap_or_default());
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from.version == to.version => {
            format!("{name} {} (other bytes)", to.version)
        }
        (Some(from), Some(to)) => format!("{name} {} -> {}", from.version, to.version),
        (None, Some(to)) => format!("{name} {} added", to.version),
        (Some(from), None) => format!("{name} {} removed", from.version),
        (None, None) => name,
    }
}

fn value(image: &Difference) -> Value {
    let version = |row: &Option<LockedPackage>| row.as_ref().map(|row| row.version.to_string());
    let digest = |row: &Option<LockedPackage>| row.as_ref().map(|row| row.checksum.to_string());
    let changes = image.changes.iter().map(|change| {
        json!({
            "package": change.package, "archive": change.archive.as_ref().map(ToString::to_string),
            "from": version(&change.from), "to": version(&change.to),
            "from_digest": digest(&change.from), "to_digest": digest(&change.to),
        })
    });
    json!({ "template": image.template, "arch": image.arch, "changes": changes.collect::<Vec<_>>() })
}
