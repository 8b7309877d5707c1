//! What `dmc diff` says of two images, and of two locks.

use crate::stage::{Stage, masked, suites};
use dmc_lock::{Lock, LockedPackage, LockedRelease};
use dmc_testkit::{Compression, DebBuilder, FakeArchive};
use dmc_types::{Arch, Checksum, Sha256};
use std::collections::BTreeMap;
use std::fs;

const CHANGES: &str = "\
zlib (1:1.3.dfsg+really1.3.1-3) trixie-security; urgency=high

  * Fix two overflows: CVE-2026-11111, CVE-2026-0002.

 -- Some One <one@deb.example>  Fri, 02 Jan 2026 10:00:00 +0000

zlib (1:1.3.dfsg+really1.3.1-2) unstable; urgency=medium

  * Something else.

 -- Some One <one@deb.example>  Thu, 01 Jan 2026 10:00:00 +0000

zlib (1:1.3.dfsg+really1.3.1-1) unstable; urgency=medium

  * What the image has already, with CVE-2020-1234.

 -- Some One <one@deb.example>  Wed, 01 Jan 2025 10:00:00 +0000
";

/// The archive with zlib1g in a newer version, of another size, and with a changelog.
fn newer(changes: &str) -> FakeArchive {
    let mut suites = suites();
    suites[2].date += 60;
    for arch in [Arch::Amd64, Arch::Arm64] {
        let folder = format!("/usr/lib/{}", arch.triplet());
        let library = dmc_testkit::ElfBuilder::library(arch, "libz.so.1")
            .needs("libc.so.6")
            .defines("deflate")
            .rodata(b"a longer one");
        let deb = DebBuilder::new("zlib1g", "1:1.3.dfsg+really1.3.1-3", arch.name())
            .field("Source", "zlib")
            .field("Depends", "libc6")
            .file(&format!("{folder}/libz.so.1.3.1"), library.build())
            .symlink(&format!("{folder}/libz.so.1"), "libz.so.1.3.1")
            .file("/usr/share/doc/zlib1g/copyright", "License of zlib1g\n")
            .file(
                "/usr/share/doc/zlib1g/changelog.Debian.gz",
                Compression::Gz.pack(changes.as_bytes()),
            );
        suites[2] = suites[2].clone().deb(deb);
    }
    FakeArchive::of(&suites)
}

/// Builds nginx before and after; gives the digest of the index before.
fn built_twice(stage: &Stage, changes: &str) -> String {
    let digest = |out: String| out.split_whitespace().nth(1).unwrap().to_owned();
    let before = digest(stage.run(&["-t", "nginx"]).good().stdout);
    stage.server.serve(&newer(changes));
    let after = digest(stage.run(&["-t", "nginx"]).good().stdout);
    assert_ne!(before, after);
    before
}

#[test]
fn two_images_are_compared_by_packages_files_and_changelogs() {
    let stage = Stage::new();
    let before = built_twice(&stage, CHANGES);
    stage.server.reset();
    let told = stage.run(&["diff", &before, "nginx", "-A", "amd64"]).good();
    insta::assert_snapshot!("diff", masked(&told.stdout));
    let back = stage.run(&["diff", "nginx:latest", &before, "-A", "arm64"]).good();
    insta::assert_snapshot!("diff-back", masked(&back.stdout));
    let json = stage.run(&["-a", "diff", &before, "nginx:1.26.3", "--json"]).good().stdout;
    let values: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values.len(), 2);
    assert_eq!(values[0]["packages"][0]["package"], "zlib1g");
    let source = &values[0]["sources"][0];
    assert_eq!(source["cves"], serde_json::json!(["CVE-2026-0002", "CVE-2026-11111"]));
    assert_eq!(source["entries"].as_array().unwrap().len(), 2);
    assert!(values[0]["files"].as_array().unwrap().len() >= 2);
    stage.template("mine", "extends = [\"nginx\"]");
    stage.run(&["-t", "mine"]).good();
    let other = stage.run(&["diff", "nginx", "mine", "-A", "amd64"]).good().stdout;
    assert!(other.contains("mine amd64: the same files, run or labelled otherwise"), "{other}");
    stage.server.reset();
    let same = stage.run(&["diff", "nginx", "nginx:1.26.3", "-A", "amd64"]).good().stdout;
    assert_eq!(masked(&same), "nginx amd64: the same, sha256:HEX\n");
    assert!(stage.server.requests().is_empty(), "nobody is asked");
}

#[test]
fn what_a_changelog_cannot_say_is_said() {
    let oldest = CHANGES.split("zlib (1:1.3.dfsg+really1.3.1-1)").next().unwrap();
    for (why, changes, part) in [
        ("cut", oldest, "does not go back"),
        ("no changelog", "nothing of the kind", "has no changelog"),
    ] {
        let stage = Stage::new();
        let before = built_twice(&stage, changes);
        let told = stage.run(&["diff", &before, "nginx"]).good().stdout;
        assert!(told.contains(part), "{why}: {told}");
        fs::remove_dir_all(stage.path("home/.cache/dmc")).unwrap();
        let told = stage.run(&["diff", &before, "nginx"]).good().stdout;
        assert!(told.contains("not in the store"), "{why}: {told}");
        assert!(told.contains("zlib1g 1:1.3"), "{why}: {told}");
    }
}

#[test]
fn images_of_another_layout_and_of_other_tools_can_be_compared() {
    let stage = Stage::new();
    let before = built_twice(&stage, CHANGES);
    fs::rename(stage.path("work/out"), stage.path("work/other")).unwrap();
    stage.server.serve(&FakeArchive::of(&suites()));
    stage
        .run(&["-t", "nginx", "--accept-rollback", "trixie,trixie-updates,trixie-security"])
        .good();
    let told = stage.run(&["diff", &format!("other@{before}"), "nginx"]).good().stdout;
    assert_eq!(told.matches("the same").count(), 2, "{told}");
    let told = stage.run(&["diff", "nginx", "other@nginx", "-A", "amd64"]).good().stdout;
    assert!(told.contains("zlib1g 1:1.3.dfsg+really1.3.1-1+b1 -> 1:1.3.dfsg+really1.3.1-3"));
    // Without dmc's records the packages are those of dpkg's database in the layer.
    fs::remove_dir_all(stage.path("work/other/dmc")).unwrap();
    let told = stage.run(&["diff", "nginx", "other@nginx", "-A", "amd64"]).good().stdout;
    assert!(told.contains("packages: 1 other, 0 new, 0 gone of 13"), "{told}");
}

#[test]
fn words_that_name_nothing_are_told_with_what_there_is() {
    let stage = Stage::new();
    stage.run(&["diff", "nginx", "nginx"]).failed(1, &["`nginx` names no image", "build one"]);
    stage.run(&["-t", "nginx", "-A", "amd64"]).good();
    let absent = format!("sha256:{}", "0".repeat(64));
    stage.run(&["diff", "nginx", "ngimx:latest"]).failed(1, &["did you mean `nginx:latest`"]);
    stage.run(&["diff", &absent, "nginx"]).failed(1, &["names no image", "nginx:1.26.3"]);
    stage.run(&["diff", "nginx"]).failed(2, &["two images or locks", "dmc diff"]);
    stage.write("work/broken.lock", b"nothing");
    stage.run(&["diff", "nginx", "broken.lock"]).failed(1, &["`broken.lock` is no lock"]);
}

/// A lock of nginx with these versions.
fn lock(packages: &[(&str, &str)]) -> String {
    let digest = |byte: u8| Sha256::from_bytes([byte; 32]);
    let mut lock = Lock::new("image", "trixie", digest(1));
    let release = LockedRelease {
        role: Some(dmc_lock::Role::Main),
        date: 1_789_200_000,
        in_release: digest(2),
        signer: "0F".repeat(20).parse().unwrap(),
        expired: false,
    };
    lock.releases.insert("trixie".parse().unwrap(), release);
    let rows = packages.iter().map(|(name, version)| {
        let row = LockedPackage {
            version: version.parse().unwrap(),
            arch: Some(Arch::Amd64),
            size: 1000 * version.len() as u64,
            checksum: Checksum::Sha256(digest(version.as_bytes()[0])),
            suite: "trixie".parse().unwrap(),
            path: format!("pool/{name}_{version}.deb").parse().unwrap(),
        };
        (name.parse().unwrap(), row)
    });
    let images = BTreeMap::from([(Arch::Amd64, rows.collect())]);
    lock.put(&"nginx".parse().unwrap(), (digest(3), false), images);
    lock.to_string()
}

#[test]
fn locks_are_compared_with_locks_and_with_images() {
    let stage = Stage::new();
    stage.write("work/old.lock", lock(&[("nginx", "1.26.3-3"), ("libfoo", "1-1")]).as_bytes());
    stage.write("work/new.lock", lock(&[("nginx", "2.0-1"), ("libbar", "1-1")]).as_bytes());
    let told = stage.run(&["diff", "old.lock", "new.lock"]).good();
    insta::assert_snapshot!("diff-locks", told.stdout);
    let told = stage.run(&["diff", "old.lock", "old.lock"]).good();
    assert_eq!(told.stdout, "nginx amd64: the same packages\n");
    stage.run(&["-t", "nginx"]).good();
    stage.run(&["lock", "-t", "nginx"]).good();
    let told = stage.run(&["diff", "dmc.lock", "nginx", "-A", "arm64"]).good().stdout;
    assert_eq!(told, "nginx arm64: the same packages\n");
    let told = stage.run(&["diff", "old.lock", "nginx"]).good().stdout;
    assert!(
        told.contains("- libfoo 1-1\n") && told.contains("nginx arm64: only in nginx"),
        "{told}"
    );
}
