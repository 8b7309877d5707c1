//! Images in two forms: gzip for everybody, zstd:chunked for those who know it.

use crate::layer;
use crate::stage::{BOTH, Run, Stage, blob, build, json, parts, quiet};
use camino::Utf8Path;
use dmc_build::{Reach, Settings, Workshop};
use serde_json::{Value, json};
use std::fs;

const ZSTD: &str = "io.github.containers.compression.zstd";

fn settings(stage: &Stage) -> Settings {
    Settings { compression: "gzip,zstd:chunked:3".parse().unwrap(), ..stage.settings() }
}

fn both(stage: &Stage) -> Run {
    build(settings(stage), &["nginx"]).good()
}

/// The entries of nginx's index.
fn entries(out: &Utf8Path) -> Vec<Value> {
    let names = json(&out.join("index.json"));
    let index = json(&blob(out, &names["manifests"][0]["digest"]));
    index["manifests"].as_array().unwrap().clone()
}

#[test]
fn the_index_lists_gzip_first_and_says_which_manifests_are_zstd() {
    let (stage, plain) = (Stage::new(), Stage::new());
    both(&stage);
    plain.build().good();
    let (listed, alone) = (entries(&stage.path("out")), entries(&plain.path("out")));
    assert_eq!(listed[..2], alone, "the manifests of gzip are as they are without the others");
    assert_eq!(listed.len(), 4);
    for (gzip, zstd) in listed[..2].iter().zip(&listed[2..]) {
        assert_eq!(gzip["platform"], zstd["platform"]);
        assert_eq!(
            (&gzip["annotations"], &zstd["annotations"]),
            (&Value::Null, &json!({ZSTD: "true"}))
        );
        let [gzip, zstd] =
            [gzip, zstd].map(|entry| json(&blob(&stage.path("out"), &entry["digest"])));
        assert_eq!(gzip["config"], zstd["config"], "one configuration, so equal diff ids");
        let keys: Vec<&String> =
            zstd["layers"][0]["annotations"].as_object().unwrap().keys().collect();
        let chunked = ["manifest-checksum", "manifest-position", "tarsplit-position"]
            .map(|key| format!("io.github.containers.zstd-chunked.{key}"));
        assert_eq!(keys, [&[ZSTD.to_owned()], &chunked[..]].concat().iter().collect::<Vec<_>>());
    }
}

#[test]
fn the_bytes_of_a_chunked_layer_are_as_they_were() {
    let stage = Stage::new();
    let run = both(&stage);
    let digests: Vec<String> = BOTH
        .iter()
        .map(|arch| run.images[&format!("nginx {arch}")].second.as_ref().unwrap())
        .map(|form| form.manifest.digest.to_string())
        .collect();
    insta::assert_snapshot!("forms", digests.join("\n"));
}

#[test]
fn a_second_form_changes_with_nothing_but_the_image() {
    let (stage, other) = (Stage::new(), Stage::new());
    let first = both(&stage);
    assert_eq!(both(&other).digests(), first.digests());
    stage.build().good();
    let again = both(&stage);
    assert_eq!((again.cached, again.digests()), (2, first.digests()), "after a build with gzip");
    let forced = build(Settings { force: true, ..settings(&stage) }, &["nginx"]).good();
    assert_eq!((forced.cached, forced.digests()), (0, first.digests()));
    let offline = Settings { compression: "zstd:chunked:3".parse().unwrap(), ..stage.settings() };
    let alone = build(offline, &["nginx"]).good();
    for arch in BOTH {
        let name = format!("nginx {arch}");
        let second = first.images[&name].second.as_ref().unwrap();
        assert_eq!(alone.images[&name].manifest, second.manifest, "{arch}");
        let out = stage.path("out");
        assert!(layer::tar(&out, &alone.images[&name]) == layer::tar(&out, &first.images[&name]));
    }
}

#[test]
fn a_lost_part_of_any_form_is_made_again() {
    let stage = Stage::new();
    let first = both(&stage);
    for path in &parts(&stage.path("out")) {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        assert_eq!(both(&stage).digests(), first.digests(), "{path}");
        assert_eq!(fs::read(path).unwrap(), bytes, "{path}");
    }
}

#[test]
fn activities_take_the_first_form_and_each_has_its_record() {
    let stage = Stage::new();
    let run = both(&stage);
    let workshop = Workshop::open(settings(&stage), Reach::Look, &quiet()).unwrap();
    for arch in BOTH {
        let (_, manifest, _) = workshop.manifest(&"nginx".parse().unwrap(), arch).unwrap();
        let image = &run.images[&format!("nginx {arch}")];
        assert_eq!(manifest, image.manifest);
        let second = image.second.as_ref().unwrap().manifest.digest;
        let record =
            |digest| fs::read(stage.path("out/dmc").join(format!("{digest}.json"))).unwrap();
        assert_eq!(record(manifest.digest), record(second));
    }
}
