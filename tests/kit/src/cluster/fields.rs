//! An object as its fields, each with the managers that applied it (server-side apply).
//!
//! Lists whose items have a key are merged item by item, others are one value, as the API's types
//! say by their `listType`.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A step from an object to a field of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// A member.
    Field(String),
    /// An item, by the value of its key.
    Item(String),
}

type Path = Vec<Step>;

/// The fields of an object, and whose they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Fields {
    values: BTreeMap<Path, Value>,
    owners: BTreeMap<Path, BTreeSet<String>>,
}

/// Lists with keys, by the name of the member that holds them, and the keys of their items.
const KEYED: [(&str, &[&str]); 6] = [
    ("containers", &["name"]),
    ("env", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("volumes", &["name"]),
    ("volumeMounts", &["mountPath"]),
    // Of containers and of Services.
    ("ports", &["containerPort", "port", "protocol"]),
];

impl Fields {
    /// Applies what a manager wants. Returns path and other managers of each field that they set
    /// otherwise; then nothing has changed.
    pub(super) fn apply(
        &mut self,
        manager: &str,
        force: bool,
        object: &Value,
    ) -> Vec<(String, String)> {
        let mut wanted = BTreeMap::new();
        flatten(&mut Vec::new(), object, &mut wanted);
        let others = |path: &Path| {
            let owners = self.owners.get(path).into_iter().flatten();
            owners.filter(|owner| *owner != manager).cloned().collect::<Vec<_>>()
        };
        let mut conflicts = Vec::new();
        for (path, value) in wanted.iter().filter(|(path, _)| !is_identity(path)) {
            let others = others(path);
            if !others.is_empty() && self.values.get(path) != Some(value) {
                conflicts.push((shown(path), others.join(", ")));
            }
        }
        if !conflicts.is_empty() && !force {
            return conflicts;
        }
        for (path, owners) in &mut self.owners {
            if !wanted.contains_key(path) && owners.remove(manager) && owners.is_empty() {
                self.values.remove(path);
            }
        }
        self.owners.retain(|_, owners| !owners.is_empty());
        for (path, value) in wanted {
            self.owners.entry(path.clone()).or_default().insert(manager.to_owned());
            self.values.insert(path, value);
        }
        Vec::new()
    }

    /// The object.
    pub(super) fn value(&self) -> Value {
        let mut root = Value::Null;
        for (path, value) in &self.values {
            put(&mut root, path, value);
        }
        root
    }

    /// `metadata.managedFields`.
    pub(super) fn managed(&self) -> Value {
        let managers: BTreeSet<&String> = self.owners.values().flatten().collect();
        let entry = |manager: &&String| {
            let owned = self.owners.iter().filter(|(_, owners)| owners.contains(*manager));
            let mut tree = Value::Object(Map::new());
            for (path, _) in owned.filter(|(path, _)| !is_identity(path)) {
                let mut place = &mut tree;
                for step in path {
                    let key = match step {
                        Step::Field(name) => format!("f:{name}"),
                        Step::Item(key) => format!("k:{key}"),
                    };
                    place = place
                        .as_object_mut()
                        .expect("only members are put")
                        .entry(key)
                        .or_insert_with(|| json!({}));
                }
            }
            json!({
                "manager": manager, "operation": "Apply", "apiVersion": "v1",
                "time": "2025-09-01T12:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": tree,
            })
        };
        managers.iter().map(entry).collect()
    }
}

/// Kind and name are nobody's.
fn is_identity(path: &Path) -> bool {
    let names: Vec<&str> = path
        .iter()
        .map(|step| match step {
            Step::Field(name) | Step::Item(name) => name.as_str(),
        })
        .collect();
    matches!(names[..], ["apiVersion" | "kind"] | ["metadata", "name" | "namespace"])
}

fn flatten(at: &mut Path, value: &Value, into: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                at.push(Step::Field(name.clone()));
                flatten(at, value, into);
                at.pop();
            }
        }
        Value::Array(items) => match keys(at) {
            None => drop(into.insert(at.clone(), value.clone())),
            Some(keys) => {
                for item in items {
                    let key: Map<String, Value> = keys
                        .iter()
                        .filter_map(|key| Some(((*key).to_owned(), item.get(key)?.clone())))
                        .collect();
                    at.push(Step::Item(Value::Object(key).to_string()));
                    flatten(at, item, into);
                    at.pop();
                }
            }
        },
        _ => drop(into.insert(at.clone(), value.clone())),
    }
}

fn keys(at: &Path) -> Option<&'static [&'static str]> {
    let Some(Step::Field(name)) = at.last() else { return None };
    KEYED.iter().find(|(list, _)| list == name).map(|(_, keys)| *keys)
}

/// Puts a value into an object that is being put together; the paths come sorted.
fn put(place: &mut Value, path: &[Step], value: &Value) {
    let Some((step, rest)) = path.split_first() else {
        *place = value.clone();
        return;
    };
    match step {
        Step::Field(name) => {
            if !place.is_object() {
                *place = json!({});
            }
            put(&mut place[name], rest, value);
        }
        Step::Item(key) => {
            if !place.is_array() {
                *place = json!([]);
            }
            let key: Value = serde_json::from_str(key).expect("written above");
            let has = |item: &Value| {
                key.as_object().expect("as above").iter().all(|(name, value)| item[name] == *value)
            };
            let items = place.as_array_mut().expect("made above");
            let at = items.iter().position(has).unwrap_or_else(|| {
                items.push(key.clone());
                items.len() - 1
            });
            put(&mut items[at], rest, value);
        }
    }
}

/// `.spec.template.spec.containers[name="nginx"].image`, as the API shows it.
fn shown(path: &Path) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) => text.extend([".", name]),
            Step::Item(key) => {
                let key: BTreeMap<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let pairs: Vec<String> =
                    key.iter().map(|(name, value)| format!("{name}={value}")).collect();
                text.extend(["[", &pairs.join(","), "]"]);
            }
        }
    }
    text
}

/// Base64 (RFC 4648), as kubeconfigs hold certificates.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
        text.push_str(["==", "="].get(three.len() - 1).copied().unwrap_or_default());
    }
    text
}
