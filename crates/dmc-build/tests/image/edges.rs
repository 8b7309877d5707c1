//! The crates and who may use whom, as docs/ARCHITECTURE.md has them.
//!
//! Edges go one way; above all `dmc-build` makes an image without the command line's crate.

use crate::stage::repository;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Each crate with those that it may use.
const MAY_USE: [(&str, &[&str]); 18] = [
    ("dmc-types", &[]),
    ("dmc-deb", &["dmc-types"]),
    ("dmc-elf", &["dmc-types"]),
    ("dmc-system", &["dmc-types", "dmc-deb"]),
    ("dmc-solve", &["dmc-types", "dmc-deb"]),
    ("dmc-verify", &["dmc-types", "dmc-elf"]),
    ("dmc-template", &["dmc-types"]),
    ("dmc-image", &["dmc-types"]),
    ("dmc-lock", &["dmc-types"]),
    ("dmc-archive", &["dmc-types", "dmc-deb", "dmc-elf"]),
    ("dmc-registry", &["dmc-types", "dmc-image"]),
    ("dmc-sign", &["dmc-types"]),
    ("dmc-sbom", &["dmc-types", "dmc-deb", "dmc-image"]),
    ("dmc-audit", &["dmc-types", "dmc-deb"]),
    ("dmc-deploy", &["dmc-types", "dmc-template"]),
    ("dmc-farm", &["dmc-types", "dmc-lock"]),
    (
        "dmc-build",
        &[
            "dmc-types",
            "dmc-deb",
            "dmc-elf",
            "dmc-system",
            "dmc-solve",
            "dmc-verify",
            "dmc-template",
            "dmc-image",
            "dmc-lock",
            "dmc-archive",
            "dmc-registry",
            "dmc-sign",
            "dmc-sbom",
            "dmc-audit",
            "dmc-deploy",
            "dmc-farm",
        ],
    ),
    (
        "dmc",
        &[
            "dmc-types",
            "dmc-deb",
            "dmc-elf",
            "dmc-system",
            "dmc-solve",
            "dmc-verify",
            "dmc-template",
            "dmc-image",
            "dmc-lock",
            "dmc-archive",
            "dmc-registry",
            "dmc-sign",
            "dmc-sbom",
            "dmc-audit",
            "dmc-deploy",
            "dmc-farm",
            "dmc-build",
        ],
    ),
];

/// Crates that know neither network nor terminal, and what they would need for these.
const PURE: [&str; 13] = [
    "dmc-types",
    "dmc-deb",
    "dmc-elf",
    "dmc-system",
    "dmc-solve",
    "dmc-verify",
    "dmc-template",
    "dmc-image",
    "dmc-lock",
    "dmc-sign",
    "dmc-sbom",
    "dmc-audit",
    "dmc-farm",
];
const OUTSIDE: [&str; 6] = ["tokio", "reqwest", "futures", "indicatif", "clap", "rustix"];

/// Each crate of `crates/` with what it is built from, tests aside.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let crates = packages.iter().filter(|package| {
        let manifest = package["manifest_path"].as_str().unwrap();
        manifest.contains("/crates/")
    });
    crates
        .map(|package| {
            let used = package["dependencies"].as_array().unwrap().iter();
            let used = used.filter(|one| one["kind"].as_str() != Some("dev"));
            let names = used.map(|one| one["name"].as_str().unwrap().to_owned());
            (package["name"].as_str().unwrap().to_owned(), names.collect())
        })
        .collect()
}

#[test]
fn crates_use_only_what_they_may() {
    let may_use = BTreeMap::from(MAY_USE);
    for (name, used) in dependencies() {
        let allowed = may_use.get(&*name).unwrap_or_else(|| panic!("{name} is not in the table"));
        for other in used.iter().filter(|other| other.starts_with("dmc")) {
            assert!(allowed.contains(&&**other), "{name} must not use {other}");
        }
    }
}

#[test]
fn crates_without_io_have_nothing_to_do_it_with() {
    let all = dependencies();
    for name in PURE {
        for other in OUTSIDE {
            assert!(!all[name].contains(other), "{name} must not use {other}");
        }
    }
    let build = &all["dmc-build"];
    for other in ["clap", "indicatif", "tracing-subscriber"] {
        assert!(!build.contains(other), "dmc-build must not use {other}");
    }
}
