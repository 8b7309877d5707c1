//! Documents about images, and the licences of their packages.

use crate::stage::{NOW, Run, Stage, act, build, json};
use dmc_build::{Activity, Described, DocumentKind, Settings};
use dmc_image::Layout;
use dmc_testkit::DebBuilder;
use dmc_types::Compressions;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

const DEP5: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
    Files: *\nCopyright: 1\nLicense: Zlib or Odd-1\n\nLicense: Odd-1\n Odd.\n";

const MINE: &str = r#"
group = "base"
summary = "A test"
packages = ["licensed", "zlib1g"]
roots = ["/usr/share/licensed/data", "/usr/share/doc/zlib1g/copyright"]
"#;

fn described(stage: &Stage) -> Run {
    act(Activity::Sbom, stage.settings(), &["nginx"]).good()
}

fn read(stage: &Stage, described: &Described) -> Value {
    json(&stage.path("out").join("blobs/sha256").join(described.document.digest.to_string()))
}

/// The documents by image and kind.
fn by_kind(stage: &Stage, run: &Run) -> BTreeMap<(String, DocumentKind), Value> {
    let key = |it: &Described| (it.image.to_string(), it.kind);
    run.documents.iter().map(|it| (key(it), read(stage, it))).collect()
}

#[test]
fn an_image_is_described_file_by_file_when_it_is_built() {
    let stage = Stage::new();
    let built = stage.build().good();
    let run = described(&stage);
    let documents = by_kind(&stage, &run);
    assert_eq!(documents.len(), 6, "three kinds for two architectures");
    let layout = Layout::open(stage.path("out")).unwrap();
    for image in built.images.values() {
        let document = |kind| &documents[&(image.manifest.digest.to_string(), kind)];
        let manifest = layout.read_document(&image.manifest).unwrap();
        let files = layout.files(&manifest, &|_| false).unwrap();
        let regular = files.all.iter().filter_map(|(path, file)| match &file.kind {
            dmc_image::layout::ImageFileKind::File { digest, .. } => {
                Some((format!(".{path}"), digest.to_string()))
            }
            _ => None,
        });
        let spdx = document(DocumentKind::Spdx);
        let told = spdx["files"].as_array().unwrap().iter().map(|file| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&file["fileName"]), text(&file["checksums"][1]["checksumValue"]))
        });
        assert_eq!(told.collect::<BTreeMap<_, _>>(), regular.collect());
        assert_eq!(spdx["packages"].as_array().unwrap().len(), image.packages + 2);
        let provenance = document(DocumentKind::Provenance);
        let resolved = &provenance["predicate"]["buildDefinition"]["resolvedDependencies"];
        let names: Vec<_> = resolved.as_array().unwrap().iter().map(|it| &it["name"]).collect();
        assert_eq!(names.len(), image.packages + 3, "packages and three releases: {names:?}");
        let bom = document(DocumentKind::CycloneDx);
        assert_eq!(bom["metadata"]["timestamp"], spdx["creationInfo"]["created"]);
    }
}

#[test]
fn an_unchanged_image_keeps_its_documents_and_another_machine_writes_the_same() {
    let (stage, other) = (Stage::new(), Stage::new());
    stage.build().good();
    let index = stage.path("out/index.json");
    let before = fs::read(&index).unwrap();
    assert_eq!(stage.build().good().cached, 2);
    assert!(fs::read(&index).unwrap() == before);
    other.build().good();
    assert!(fs::read(other.path("out/index.json")).unwrap() == before);
}

#[test]
fn each_form_of_an_image_has_documents_of_its_own() {
    let stage = Stage::new();
    let both: Compressions = "gzip,zstd".parse().unwrap();
    let settings = || Settings { compression: both.clone(), ..stage.settings() };
    build(settings(), &["nginx"]).good();
    let run = act(Activity::Sbom, settings(), &["nginx"]).good();
    assert_eq!(by_kind(&stage, &run).len(), 12);
}

#[test]
fn what_an_image_is_made_of_is_written_again_and_how_it_was_built_is_not() {
    let stage = Stage::new();
    stage.build().good();
    let wanted = by_kind(&stage, &described(&stage));
    let path = stage.path("out/index.json");
    let mut index = json(&path);
    index["manifests"].as_array_mut().unwrap().retain(|it| it.get("artifactType").is_none());
    fs::write(&path, index.to_string()).unwrap();
    let again = by_kind(&stage, &described(&stage));
    let kinds: Vec<_> = again.keys().map(|(_, kind)| *kind).collect();
    assert!(kinds.len() == 4 && !kinds.contains(&DocumentKind::Provenance), "{kinds:?}");
    assert!(again.iter().all(|(key, document)| wanted[key] == *document));
    let forced = Settings { force: true, ..stage.settings() };
    build(forced, &["nginx"]).good();
    assert!(by_kind(&stage, &described(&stage)) == wanted);
}

#[test]
fn licences_are_told_and_those_that_are_denied_fail_the_run() {
    let licensed = DebBuilder::new("licensed", "1-1", "all")
        .file("/usr/share/licensed/data", "data")
        .file("/usr/share/doc/licensed-common/copyright", DEP5)
        .symlink("/usr/share/doc/licensed", "licensed-common");
    let stage = Stage::changed(|suite| suite.debs.push(("main".to_owned(), licensed)));
    let templates = [("mine", MINE)];
    build(stage.settings_with("", &templates), &["mine"]).good();
    let run = act(Activity::Licences, stage.settings_with("", &templates), &["mine"]).good();
    let [amd64, _arm64] = &run.licences[..] else { panic!("{:?}", run.licences) };
    let licence = |name| amd64.packages.iter().find(|it| it.name.as_str() == name).unwrap();
    assert_eq!(licence("licensed").licence.as_deref(), Ok("Odd-1 or Zlib"));
    let unknown: Vec<&str> = amd64.unknown().map(|it| it.name.as_str()).collect();
    assert_eq!(unknown, ["zlib1g"], "its copyright file is plain text");
    let deny = |list: &str| {
        let conf = format!("[licences]\ndeny = {list}");
        act(Activity::Licences, stage.settings_with(&conf, &templates), &["mine"])
    };
    deny(r#"["zlib"]"#).good();
    let run = deny(r#"["zlib", "odd-*"]"#);
    run.said("both", &["licences mine amd64", "mine: 1 packages are", "`deny` in [licences]"]);
    assert_eq!(run.licences[0].denied().count(), 1);
}

#[test]
fn documents_say_nothing_of_the_time_at_which_they_are_written() {
    let (stage, later) = (Stage::new(), Stage::new());
    build(Settings { now: NOW + 3600, ..later.settings() }, &["nginx"]).good();
    stage.build().good();
    let [one, other] =
        [&stage, &later].map(|stage| fs::read(stage.path("out/index.json")).unwrap());
    assert!(one == other);
}
