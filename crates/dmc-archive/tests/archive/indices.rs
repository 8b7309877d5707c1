//! Indices: which file, whether it is the right one, what it says.

use crate::stage::{INDEX, KEY, Stage, amd64, hello, main_suite, quick, refused, security_suite};
use dmc_archive::{Packages, ThirdPartySpec};
use dmc_testkit::{Compression, DebBuilder, FakeArchive, FakeSuite, Fault, Hashes, Server};
use dmc_types::{Arch, PackageName};
use reqwest::Url;
use std::fs;

fn version(packages: &Packages, name: &str) -> Option<String> {
    let found = packages.package(&name.parse().unwrap()).unwrap();
    found.map(|candidate| candidate.version.to_string())
}

#[tokio::test]
async fn the_highest_version_of_the_vendor_wins() {
    let security = security_suite().deb(hello("1.0-1+deb13u1"));
    let stage = Stage::with(FakeArchive::of(&[main_suite(), security]));
    let archive = stage.run();
    let packages = amd64(&archive).await.unwrap();
    let found = packages.package(&"hello".parse().unwrap()).unwrap().unwrap();
    assert_eq!(found.version.to_string(), "1.0-1+deb13u1");
    assert_eq!(found.pocket.suite.as_str(), "trixie-security");
    assert_eq!(found.pocket.signer, KEY.fingerprint());
    assert_eq!(found.relations().groups.len(), 2);
    assert_eq!(version(&packages, "hello-data").as_deref(), Some("1.0"), "`all` is everywhere");
    assert_eq!(version(&packages, "nothing"), None);
}

#[tokio::test]
async fn providers_and_near_names_are_found() {
    let stage = Stage::new();
    let archive = stage.run();
    let packages = amd64(&archive).await.unwrap();
    for (name, wanted) in [("greeting", 1), ("greeter", 1), ("hello", 0)] {
        let found = packages.providers(&name.parse().unwrap()).unwrap();
        assert_eq!(found.len(), wanted, "{name}");
    }
    let near = packages.nearest("helo").unwrap();
    assert_eq!(near.iter().map(ToString::to_string).collect::<Vec<_>>(), ["hello"]);
    assert!(packages.nearest("something-else").unwrap().is_empty());
}

#[tokio::test]
async fn a_third_party_supplies_only_what_is_asked_of_it() {
    let stage = Stage::new();
    let theirs = FakeSuite { origin: "Acme".into(), ..FakeSuite::new("stable") };
    let extra = DebBuilder::new("acme-tool", "1.0", "amd64").file("/usr/bin/acme", "x");
    let theirs = theirs.deb(hello("9.9")).deb(extra).signed_by(&KEY);
    let server = Server::start(&FakeArchive::of(&[theirs]));
    let mut spec = stage.spec();
    spec.third_parties.push(ThirdPartySpec {
        name: "acme".into(),
        url: Url::parse(&server.url()).unwrap(),
        suite: "stable".parse().unwrap(),
        components: vec!["main".into()],
        origin: Some("Acme".into()),
        archs: None,
        keyrings: spec.vendor.keyrings.clone(),
    });
    let archive = stage.run_with(spec, quick());
    let packages = amd64(&archive).await.unwrap();
    assert_eq!(version(&packages, "hello").as_deref(), Some("1.0-1"));
    assert_eq!(version(&packages, "acme-tool"), None);
    let asked = packages.package_from("acme", &"hello".parse().unwrap()).unwrap().unwrap();
    assert_eq!(asked.version.to_string(), "9.9");
    assert!(packages.package_from("other", &"hello".parse().unwrap()).unwrap().is_none());
}

#[tokio::test]
async fn a_wrong_index_is_refused_before_it_is_read() {
    let swap = |archive: &mut FakeArchive| {
        for form in [".gz", ".xz"] {
            let other = archive.get("dists/trixie/main/Contents-amd64.gz").to_vec();
            archive.edit(&format!("{INDEX}{form}"), |bytes| {
                // Same size, so that the digest must tell.
                let size = bytes.len();
                bytes.clear();
                bytes.extend(other.iter().cycle().take(size));
            });
        }
    };
    let truncate = |archive: &mut FakeArchive| {
        for form in [".gz", ".xz"] {
            archive.edit(&format!("{INDEX}{form}"), |bytes| bytes.truncate(20));
        }
    };
    let rows: [(&str, &dyn Fn(&mut FakeArchive), &[&str]); 2] = [
        ("swapped", &swap, &["by-hash/SHA256/", "its digest is sha256:"]),
        ("truncated", &truncate, &["it has 20 bytes instead of"]),
    ];
    for (why, change, parts) in rows {
        let mut stage = Stage::new();
        stage.change(change);
        let mut spec = stage.spec();
        spec.vendor.sites.truncate(1);
        refused(amd64(&stage.run_with(spec, quick())).await, why, parts);
        let kept = stage.stored();
        assert!(!kept.iter().any(|path| path.starts_with("compiled")), "{why}: {kept:?}");
    }
}

#[tokio::test]
async fn an_index_is_fetched_and_compiled_once() {
    let stage = Stage::new();
    for _ in 0..2 {
        let archive = stage.run();
        let (a, b) = tokio::join!(amd64(&archive), amd64(&archive));
        assert_eq!(a.unwrap().len(), b.unwrap().len());
    }
    let fetched = stage.server.requests();
    let indices = fetched.iter().filter(|request| request.path.contains("main/binary-amd64"));
    assert_eq!(indices.count(), 2, "main's and security's");
    assert!(stage.offline().index(Arch::Amd64).await.is_ok(), "no network is needed");
}

#[tokio::test]
async fn plain_paths_stand_in_for_those_by_hash() {
    let mut stage = Stage::new();
    stage.change(|archive| archive.remove_all("by-hash"));
    amd64(&stage.run()).await.unwrap();
    let suite = FakeSuite { by_hash: false, ..main_suite() };
    let stage = Stage::with(FakeArchive::of(&[suite, security_suite()]));
    amd64(&stage.run()).await.unwrap();
    assert!(
        !stage
            .server
            .requests()
            .iter()
            .any(|r| r.path.contains("trixie/main/binary-amd64/by-hash"))
    );
}

#[tokio::test]
async fn any_offered_form_will_do() {
    for (why, indices) in [
        ("gz alone", vec![Compression::Gz]),
        ("xz alone", vec![Compression::Xz]),
        ("plain alone", vec![Compression::None]),
    ] {
        let suite = FakeSuite { indices, ..main_suite() };
        let stage = Stage::with(FakeArchive::of(&[suite, security_suite()]));
        let archive = stage.run();
        let packages = amd64(&archive).await.unwrap();
        assert!(version(&packages, "hello").is_some(), "{why}");
    }
    // Listed in the release, but not there.
    let mut stage = Stage::new();
    stage.change(|archive| archive.remove(&format!("{INDEX}.xz")));
    amd64(&stage.run()).await.unwrap();
    let mut stage = Stage::new();
    stage.change(|archive| archive.remove(&format!("{INDEX}.gz")));
    amd64(&stage.run()).await.unwrap();
    stage.change(|archive| archive.remove(&format!("{INDEX}.xz")));
    fs::remove_dir_all(stage.dir().join("v1")).unwrap();
    refused(amd64(&stage.run()).await, "none is there", &["no such file"]);
}

#[tokio::test]
async fn sha512_alone_is_enough_and_md5_is_not() {
    let suite = |hashes| {
        FakeArchive::of(&[
            FakeSuite { hashes, ..main_suite() },
            FakeSuite { hashes, ..security_suite() },
        ])
    };
    let stage = Stage::with(suite(Hashes::Sha512));
    for _ in 0..2 {
        let archive = stage.run();
        let found = crate::stage::candidate(&archive, "hello").await;
        archive.facts(&found).await.unwrap();
    }
    assert_eq!(stage.server.requests().iter().filter(|r| r.path.ends_with(".deb")).count(), 1);
    let stage = Stage::with(suite(Hashes::Md5));
    refused(amd64(&stage.run()).await, "MD5", &["neither SHA256 nor SHA512"]);
}

#[tokio::test]
async fn unknown_architectures_and_components_are_named() {
    let stage = Stage::new();
    let archive = stage.run();
    refused(archive.index(Arch::Riscv64).await, "arch", &["nothing for riscv64", "amd64, arm64"]);
    let mut spec = stage.spec();
    spec.vendor.sites[0].components = vec!["mian".into()];
    let archive = stage.run_with(spec, quick());
    refused(amd64(&archive).await, "component", &["no component `mian`", "main"]);
}

#[tokio::test]
async fn damaged_indices_in_the_store_are_made_again() {
    let stage = Stage::new();
    amd64(&stage.run()).await.unwrap();
    let fetched = stage.server.requests().len();
    let damage = |part: &str| {
        for path in stage.stored().iter().filter(|path| path.as_str().contains(part)) {
            let path = stage.dir().join("v1").join(path);
            let mut bytes = fs::read(&path).unwrap();
            // The tables are at the end.
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    };
    damage("compiled/");
    assert!(version(&amd64(&stage.run()).await.unwrap(), "hello").is_some());
    assert_eq!(stage.server.requests().len(), fetched + 2, "the two InRelease only");
    damage("compiled/");
    damage("indices/");
    assert!(version(&amd64(&stage.run()).await.unwrap(), "hello").is_some());
    assert_eq!(stage.server.requests().len(), fetched + 6, "and both indices");
}

#[tokio::test]
async fn who_ships_a_path_is_read_from_contents() {
    let stage = Stage::new();
    let archive = stage.run();
    for (path, wanted) in [("/usr/bin/hello", vec!["hello"]), ("/usr/bin/nothing", vec![])] {
        let path = dmc_types::ImagePath::parse(path).unwrap();
        let found = archive.who_ships(Arch::Amd64, &path).await.unwrap();
        assert_eq!(found.iter().map(PackageName::as_str).collect::<Vec<_>>(), wanted);
    }
    let fetched = stage.server.requests().len();
    assert_eq!(fetched, 4, "a release and a Contents of each suite, once");
}

#[tokio::test]
async fn a_mirror_in_the_middle_of_an_update_is_refused() {
    let mut stage = Stage::new();
    let archive = stage.run();
    archive.releases().await.unwrap();
    let newer = FakeArchive::of(&[main_suite().deb(hello("2.0")), security_suite()]);
    stage.change(|archive| *archive = newer);
    refused(amd64(&archive).await, "out of step", &["Packages", "instead of"]);
    stage.server.fault("dists/trixie/InRelease", 1, Fault::Hangup);
    assert!(amd64(&stage.run()).await.is_ok(), "the next run sees the new state");
}
