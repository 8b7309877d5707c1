//! What the API refuses: unknown fields, wrong types, and what its rules say.

use super::http::Answer;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The kinds that there are: as paths have them, version, kind.
const KINDS: [(&str, &str, &str); 7] = [
    ("configmaps", "v1", "ConfigMap"),
    ("persistentvolumeclaims", "v1", "PersistentVolumeClaim"),
    ("pods", "v1", "Pod"),
    ("services", "v1", "Service"),
    ("deployments", "apps/v1", "Deployment"),
    ("statefulsets", "apps/v1", "StatefulSet"),
    ("jobs", "batch/v1", "Job"),
];

/// What follows the namespace: the kind's plural, and the name of one object.
fn parts(path: &str) -> (&str, Option<&str>) {
    let rest = path.split("/namespaces/").nth(1).unwrap_or_default();
    let mut parts = rest.split('/').skip(1);
    (parts.next().unwrap_or_default(), parts.next())
}

/// Whether a path leads to all objects of a kind.
pub(super) fn is_list(path: &str) -> bool {
    parts(path).1.is_none()
}

/// Version and kind of what a path leads to.
pub(super) fn kind_of(path: &str) -> (&'static str, &'static str) {
    let plural = parts(path).0;
    let known = KINDS.iter().find(|(other, ..)| *other == plural);
    known.map_or(("v1", "Unknown"), |(_, version, kind)| (version, kind))
}

/// There is no such object.
pub(super) fn not_found(path: &str) -> Answer {
    let (plural, name) = parts(path);
    let text = format!("{plural} \"{}\" not found", name.unwrap_or_default());
    Answer::status(404, "NotFound", &text, &[])
}

/// Other managers set fields otherwise.
pub(super) fn conflict(object: &Value, conflicts: &[(String, String)]) -> Answer {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let cause = |(field, managers): &(String, String)| {
        let message = format!("conflict with \"{managers}\" using {version}");
        ("FieldManagerConflict", field.clone(), message)
    };
    let causes: Vec<_> = conflicts.iter().map(cause).collect();
    let plural = if causes.len() == 1 { "conflict" } else { "conflicts" };
    let text = match &causes[..] {
        [(_, field, message)] => format!("Apply failed with 1 conflict: {message}: {field}"),
        more => format!("Apply failed with {} {plural}", more.len()),
    };
    Answer::status(409, "Conflict", &text, &causes)
}

/// Refuses what is no object of the path's kind, or breaks a rule.
pub(super) fn object(path: &str, object: &Value) -> Result<(), Answer> {
    let (version, kind) = kind_of(path);
    let bad = |text: &str| Answer::status(400, "BadRequest", text, &[]);
    if object["apiVersion"] != version || object["kind"] != kind {
        return Err(bad("the object in the data does not match the expected kind"));
    }
    if object["metadata"]["name"].as_str() != parts(path).1 {
        return Err(bad("the name of the object does not match the name on the URL"));
    }
    let known = match kind {
        "ConfigMap" => known_fields::<ConfigMap>(object),
        "PersistentVolumeClaim" => known_fields::<PersistentVolumeClaim>(object),
        "Service" => known_fields::<Service>(object),
        "Deployment" => known_fields::<Deployment>(object),
        "StatefulSet" => known_fields::<StatefulSet>(object),
        "Job" => known_fields::<Job>(object),
        _ => Ok(()),
    };
    known.map_err(|why| bad(&format!("strict decoding error: {why}")))?;
    let mut causes = Vec::new();
    labels("metadata.labels", &object["metadata"]["labels"], &mut causes);
    match kind {
        "Deployment" | "StatefulSet" => workload(&object["spec"], &mut causes),
        "Service" => service(&object["spec"], &mut causes),
        "Job" => job(object, &mut causes),
        _ => {}
    }
    invalid(path, &causes)
}

fn invalid(path: &str, causes: &[Cause]) -> Result<(), Answer> {
    let (kind, name) = (kind_of(path).1, parts(path).1.unwrap_or_default());
    let first = match causes.first() {
        None => return Ok(()),
        Some((_, field, message)) => format!("{field}: {message}"),
    };
    let text = format!("{kind} \"{name}\" is invalid: {first}");
    Err(Answer::status(422, "Invalid", &text, causes))
}

/// Refuses fields that the kind does not have: whatever a typed reader does not give back.
fn known_fields<T: DeserializeOwned + Serialize>(object: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let back = serde_json::to_value(typed).map_err(|error| error.to_string())?;
    match unknown("", object, &back) {
        Some(field) => Err(format!("unknown field \"{}\"", field.trim_start_matches('.'))),
        None => Ok(()),
    }
}

fn unknown(at: &str, given: &Value, back: &Value) -> Option<String> {
    match (given, back) {
        (Value::Object(given), Value::Object(back)) => given.iter().find_map(|(name, value)| {
            let below = format!("{at}.{name}");
            match back.get(name) {
                None if value.is_null() => None,
                None => Some(below),
                Some(back) => unknown(&below, value, back),
            }
        }),
        (Value::Array(given), Value::Array(back)) => {
            given.iter().zip(back).enumerate().find_map(|(at_item, (given, back))| {
                unknown(&format!("{at}[{at_item}]"), given, back)
            })
        }
        _ => None,
    }
}

type Cause = (&'static str, String, String);
type Causes = Vec<Cause>;

fn cause(field: impl Into<String>, message: &str) -> Cause {
    ("FieldValueInvalid", field.into(), message.to_owned())
}

/// Labels are at most 63 letters, digits, `-`, `_` and `.`, letters or digits at both ends.
fn labels(field: &str, labels: &Value, causes: &mut Causes) {
    for (name, value) in labels.as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let ends = |c: char| c.is_ascii_alphanumeric();
        let good = text.is_empty() || (text.starts_with(ends) && text.ends_with(ends));
        if !good || text.len() > 63 || !text.chars().all(inner) {
            causes.push(cause(format!("{field}.{name}"), "Invalid value: a valid label must be…"));
        }
    }
}

fn workload(spec: &Value, causes: &mut Causes) {
    if spec["replicas"].as_i64().is_some_and(|replicas| replicas > 1_000) {
        causes.push(cause("spec.replicas", "Invalid value: more than this cluster has room for"));
    }
    let template = &spec["template"]["metadata"]["labels"];
    labels("spec.template.metadata.labels", template, causes);
    let selector = spec["selector"]["matchLabels"].as_object();
    let fits = |(name, value): (&String, &Value)| template[name] == *value;
    if !selector.is_some_and(|selector| !selector.is_empty() && selector.iter().all(fits)) {
        let text = "Invalid value: `selector` does not match template `labels`";
        causes.push(cause("spec.template.metadata.labels", text));
    }
    let claims = list(&spec["volumeClaimTemplates"]);
    pod(&spec["template"]["spec"], &claims, causes);
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn pod(pod: &Value, claims: &[Value], causes: &mut Causes) {
    let claims = claims.iter().map(|claim| &claim["metadata"]["name"]);
    let volumes = list(&pod["volumes"]);
    let volumes: Vec<&Value> = volumes.iter().map(|it| &it["name"]).chain(claims).collect();
    let containers = list(&pod["containers"]);
    if containers.is_empty() {
        causes.push(cause("spec.template.spec.containers", "Required value"));
    }
    for container in &containers {
        if container["image"].as_str().is_none_or(str::is_empty) {
            causes.push(cause("spec.template.spec.containers[0].image", "Required value"));
        }
        for mount in list(&container["volumeMounts"]) {
            if !volumes.contains(&&mount["name"]) {
                let field = "spec.template.spec.containers[0].volumeMounts";
                causes.push(cause(field, &format!("Not found: {}", mount["name"])));
            }
        }
    }
}

/// Each pod of an Indexed Job has the Job's name with its index as the name of its host.
fn job(object: &Value, causes: &mut Causes) {
    let spec = &object["spec"];
    let indexed = spec["completionMode"] == "Indexed";
    let last = (spec["completions"].as_i64().unwrap_or(1) - 1).to_string();
    let name = object["metadata"]["name"].as_str().map_or(0, str::len);
    if indexed && name + 1 + last.len() > 63 {
        let text = "Invalid value: will not able to create pod with invalid DNS label";
        causes.push(cause("metadata.name", text));
    }
    if indexed && spec["completions"].is_null() {
        let text = "Required value: when completion mode is Indexed";
        causes.push(cause("spec.completions", text));
    }
    if !indexed && !spec["backoffLimitPerIndex"].is_null() {
        let text = "Invalid value: requires indexed completion mode";
        causes.push(cause("spec.backoffLimitPerIndex", text));
    }
    if spec["backoffLimitPerIndex"].is_null() && !spec["maxFailedIndexes"].is_null() {
        let text = "Required value: when maxFailedIndexes is specified";
        causes.push(cause("spec.backoffLimitPerIndex", text));
    }
    if spec["maxFailedIndexes"].as_i64() > spec["completions"].as_i64() {
        let text = "Invalid value: must be less than or equal to completions";
        causes.push(cause("spec.maxFailedIndexes", text));
    }
    let template = &spec["template"]["spec"];
    if !["Never", "OnFailure"].iter().any(|policy| template["restartPolicy"] == *policy) {
        let text = "Required value: valid values: \"OnFailure\", \"Never\"";
        causes.push(cause("spec.template.spec.restartPolicy", text));
    }
    pod(template, &[], causes);
}

fn service(spec: &Value, causes: &mut Causes) {
    let ports = spec["ports"].as_array().map_or(0, Vec::len);
    if ports == 0 && spec["clusterIP"] != "None" {
        causes.push(cause("spec.ports", "Required value"));
    }
}

/// Refuses changes of what can only be said once.
pub(super) fn unchangeable(path: &str, before: &Value, after: &Value) -> Result<(), Answer> {
    let fixed: &[&str] = match kind_of(path).1 {
        "Deployment" => &["selector"],
        "StatefulSet" => &["selector", "serviceName", "volumeClaimTemplates"],
        "Service" => &["clusterIP"],
        "Job" => &["completions", "completionMode", "backoffLimitPerIndex", "template"],
        _ => &[],
    };
    let changed = fixed.iter().filter(|field| before["spec"][*field] != after["spec"][*field]);
    let causes = changed.map(|field| cause(format!("spec.{field}"), "field is immutable"));
    invalid(path, &causes.collect::<Causes>())
}
