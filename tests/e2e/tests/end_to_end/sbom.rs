//! Documents about images: official validators, a scanner and oras read them.
//!
//! All shipped images, on both architectures.

use crate::images::IMAGES;
use dmc_e2e::{Built, Foreign, Workplace, host, image, run, target, tool};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

#[track_caller]
fn scanner(program: &str) -> Command {
    let path = target().join("scanner/bin").join(program);
    assert!(path.is_file(), "this test needs {}: run scripts/test", path.display());
    Command::new(path)
}

/// The digest of the manifest for an architecture.
fn manifest(built: &Built, arch: &str) -> String {
    let index = built.layout.document(&built.digest);
    let manifests = index["manifests"].as_array().unwrap();
    let wanted = manifests.iter().find(|one| one["platform"]["architecture"] == arch).unwrap();
    wanted["digest"].as_str().unwrap().to_owned()
}

/// Holds SPDX and CycloneDX of every shipped image against their official validators.
#[track_caller]
fn validate(arch: &str) {
    let folder = TempDir::new().unwrap();
    let mut files = Vec::new();
    for (template, _) in IMAGES {
        let (_, built) = image(template);
        for (kind, document) in built.layout.documents(&manifest(&built, arch)) {
            let end = match kind.as_str() {
                "application/spdx+json" => "spdx.json",
                "application/vnd.cyclonedx+json" => "cdx.json",
                _ => continue,
            };
            let file = folder.path().join(format!("{template}.{end}"));
            fs::copy(document, &file).unwrap();
            files.push(file);
        }
    }
    assert_eq!(files.len(), 2 * IMAGES.len());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("documents.py");
    let said = run(scanner("python").arg(script).args(files)).ok().stdout;
    assert_eq!(said, "");
}

#[test]
fn official_validators_accept_the_documents_of_amd64() {
    validate("amd64");
}

#[test]
fn official_validators_accept_the_documents_of_arm64() {
    validate("arm64");
}

/// Name, version and architecture of each package that syft finds.
fn scanned(built: &Built, arch: &str, folder: &Path) -> BTreeSet<[String; 3]> {
    let archive = format!("docker-archive:{}", folder.join("image.tar").display());
    let _ = fs::remove_file(folder.join("image.tar"));
    let mut skopeo = tool("skopeo", "skopeo");
    run(skopeo.args(["copy", "-q", "--override-arch", arch, &built.transport(), &archive])).ok();
    let mut scan = scanner("syft");
    scan.env("SYFT_CHECK_FOR_APP_UPDATE", "false").env("HOME", folder);
    let report = run(scan.args(["-q", "-o", "json", &archive])).ok().stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    let debs = report["artifacts"].as_array().unwrap().iter().filter(|one| one["type"] == "deb");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    debs.map(|it| [&it["name"], &it["version"], &it["metadata"]["architecture"]].map(text))
        .collect()
}

/// Holds the packages that a document names against those that a scanner finds, in every shipped
/// image.
#[track_caller]
fn compare(arch: &str) {
    let folder = TempDir::new().unwrap();
    for (template, _) in IMAGES {
        let (_, built) = image(template);
        let documents = built.layout.documents(&manifest(&built, arch));
        let (_, bom) = documents.iter().find(|(kind, _)| kind.contains("cyclonedx")).unwrap();
        let bom: Value = serde_json::from_slice(&fs::read(bom).unwrap()).unwrap();
        let parts = bom["components"].as_array().unwrap().iter();
        let told = parts.filter(|one| one["type"] == "library").map(|one| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            let purl = text("purl");
            let arch = purl.split("arch=").nth(1).unwrap().split('&').next().unwrap();
            [text("name"), text("version"), arch.to_owned()]
        });
        let told: BTreeSet<[String; 3]> = told.collect();
        assert!(!told.is_empty(), "{template} {arch}");
        assert_eq!(scanned(&built, arch, folder.path()), told, "{template} {arch}");
    }
}

#[test]
fn a_scanner_finds_the_packages_that_the_documents_name_on_amd64() {
    compare("amd64");
}

#[test]
fn a_scanner_finds_the_packages_that_the_documents_name_on_arm64() {
    compare("arm64");
}

#[test]
fn oras_carries_the_documents_along() {
    let workplace = Workplace::new();
    let oras = Foreign::build(&workplace, "trixie", &["oras"], &["/usr/bin/oras"]);
    let built = workplace.create(&["-t", "nonroot"]);
    let copied = run(tool("cp", "coreutils").arg("-a").arg(workplace.out()).arg(oras.work()));
    copied.ok();
    let from = format!("/tmp/out@{}", built.digest);
    let mut copy = oras.command(&[], "/usr/bin/oras");
    copy.args(["cp", "-r", "--from-oci-layout", "--to-oci-layout", &from, "/tmp/copy:it"]);
    run(&mut copy).ok();
    let there = dmc_e2e::Layout::open(&oras.work().join("copy"));
    let subjects = [built.digest.clone(), manifest(&built, host())];
    for (subject, documents) in subjects.iter().zip([1, 3]) {
        let sorted = |layout: &dmc_e2e::Layout| {
            let names = layout.documents(subject).into_iter();
            names
                .map(|(kind, it)| (kind, it.file_name().unwrap().to_owned()))
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(sorted(&there), sorted(&built.layout), "{subject}");
        assert_eq!(sorted(&there).len(), documents, "{subject}");
    }
}
