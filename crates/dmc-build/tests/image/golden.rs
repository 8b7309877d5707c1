//! The image of nginx for the fixture archive, as text. `scripts/bless` renews it.

use crate::layer;
use crate::stage::{BOTH, Stage, blob, json};
use camino::Utf8Path;
use serde_json::Value;

#[test]
fn the_tree_of_nginx_is_as_it_was() {
    let stage = Stage::new();
    let run = stage.build().good();
    for arch in BOTH {
        let listing = layer::listing(&stage.path("out"), &run.images[&format!("nginx {arch}")]);
        insta::assert_snapshot!(format!("tree-{arch}"), listing);
    }
}

#[test]
fn the_documents_of_nginx_are_as_they_were() {
    let stage = Stage::new();
    stage.build().good();
    let out = stage.path("out");
    let mut names = json(&out.join("index.json"));
    // Documents about images say which releases vouched for them: these are of today.
    names["manifests"].as_array_mut().unwrap().retain(|it| it.get("artifactType").is_none());
    insta::assert_snapshot!("index.json", pretty(&names));
    let index = document(&out, &names["manifests"][0]);
    insta::assert_snapshot!("index", pretty(&index));
    for manifest in index["manifests"].as_array().unwrap() {
        let arch = manifest["platform"]["architecture"].as_str().unwrap();
        let manifest = document(&out, manifest);
        insta::assert_snapshot!(format!("manifest-{arch}"), pretty(&manifest));
        let config = document(&out, &manifest["config"]);
        insta::assert_snapshot!(format!("config-{arch}"), pretty(&config));
    }
}

#[test]
fn the_tree_holds_nothing_that_must_not_be_there() {
    let stage = Stage::new();
    let run = stage.build().good();
    for arch in BOTH {
        let listing = layer::listing(&stage.path("out"), &run.images[&format!("nginx {arch}")]);
        for line in listing.lines().filter(|line| !line.starts_with("diff id")) {
            let (mode, rest) = line.split_once(' ').unwrap();
            let path = rest.rsplit(' ').next().unwrap();
            assert!(mode[1..].starts_with('0') || mode == "d1777", "special rights: {line}");
            assert!(
                mode.starts_with(['l', 'd']) || !mode.ends_with(['2', '3', '6', '7']),
                "{line}"
            );
            for never in ["/man/", "changelog", "gconv", "engines-3", "/bin/sh", "apt", "perl"] {
                assert!(!path.contains(never), "{line}");
            }
        }
        for wanted in ["usr/sbin/nginx", "libgcc_s.so.1", "var/lib/dpkg/status.d/nginx", "tmp/"] {
            assert!(listing.contains(wanted), "no {wanted} for {arch}");
        }
    }
}

fn document(out: &Utf8Path, descriptor: &Value) -> Value {
    json(&blob(out, &descriptor["digest"]))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}
