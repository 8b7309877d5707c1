//! What deploying and deleting tell.

use crate::report::Report;
use dmc_build::{Deployed, Step, Undeployed};
use serde_json::json;
use std::time::Duration;

/// The objects where they are only shown, else what became of them.
pub(crate) fn told(report: &Report, step: &Step, deployed: &Deployed, took: Duration) {
    let Deployed { image, namespace, cluster, objects, changes } = deployed;
    let Some(cluster) = cluster else {
        let values: Vec<_> = objects.iter().map(|object| &object.value).collect();
        let value = json!({ "template": step.template(), "image": image, "objects": values });
        report.result(deployed.yaml().trim_end(), &value);
        return;
    };
    for (object, change) in changes {
        tracing::info!("{object}: {change}");
    }
    let list = changes.iter();
    let list =
        list.map(|(object, change)| json!({ "object": object, "change": change.to_string() }));
    let value = json!({
        "template": step.template(), "deployed": image, "namespace": namespace,
        "cluster": cluster, "objects": list.collect::<Vec<_>>(), "seconds": took.as_secs_f64(),
    });
    report.result(&format!("{namespace} {image}"), &value);
}

/// What was deleted, and what stays with its reason.
pub(crate) fn deleted(report: &Report, step: &Step, undeployed: &Undeployed) {
    let Undeployed { namespace, objects } = undeployed;
    let mut lines: Vec<String> =
        objects.deleted.iter().map(|object| format!("deleted {object}")).collect();
    lines.extend(objects.kept.iter().map(|(object, why)| format!("kept {object}: {why}")));
    let kept = objects.kept.iter();
    let kept = kept.map(|(object, why)| json!({ "object": object, "why": why }));
    let value = json!({
        "template": step.template(), "namespace": namespace, "deleted": objects.deleted,
        "kept": kept.collect::<Vec<_>>(),
    });
    report.result(&lines.join("\n"), &value);
}
