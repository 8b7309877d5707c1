//! What `dmc setup` says of keyrings: whose signatures count, and which suites each key signs.

use dmc_archive::KeyInUse;
use serde_json::{Value, json};

/// A line for each key: fingerprint, user, files, suites.
pub(crate) fn lines(keys: &[KeyInUse]) -> Vec<(String, Value)> {
    keys.iter().map(|key| (text(key), value(key))).collect()
}

fn text(key: &KeyInUse) -> String {
    let signs = key.signs.iter().map(|signs| {
        let standing = if signs.pinned { "pinned" } else { "new, pinned from now on" };
        format!("{} ({standing})", signs.suite)
    });
    let signs: Vec<String> = signs.collect();
    let signs = if signs.is_empty() { "nothing that is read".to_owned() } else { signs.join(", ") };
    let (certificate, files) = (&key.certificate, key.files.join(", "));
    format!("{} {}, in {files}: signs {signs}", certificate.fingerprint, certificate.user)
}

fn value(key: &KeyInUse) -> Value {
    let signs = key.signs.iter();
    let signs: Vec<Value> =
        signs.map(|signs| json!({ "suite": signs.suite, "pinned": signs.pinned })).collect();
    json!({
        "key": key.certificate.fingerprint, "user": key.certificate.user, "files": key.files,
        "signs": signs,
    })
}
