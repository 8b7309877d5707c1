//! Releases: which mirror, whose signature, how old.

use crate::stage::{KEY, STRANGER, Stage, main_suite, quick, refused, security_suite, spec};
use camino::Utf8Path;
use dmc_archive::mirror::{AptConfiguration, KnownFrom};
use dmc_archive::release::News;
use dmc_archive::{Archive, ArchiveError, ArchiveSpec, Keyrings, Quiet, ShippedKeyring, Transport};
use dmc_testkit::{EPOCH, FakeArchive, FakeSuite, Fault, Server};
use reqwest::Url;
use std::fs;
use std::sync::Arc;

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn every_pocket_is_verified_and_remembered() {
    let stage = Stage::new();
    for wanted in [News::First, News::Unchanged] {
        let archive = stage.run();
        let releases = archive.releases().await.unwrap();
        let found: Vec<_> =
            releases.iter().map(|release| (release.suite.as_str(), release.news)).collect();
        assert_eq!(found, [("trixie", wanted), ("trixie-security", wanted)]);
        assert_eq!(releases[0].release.signer(), KEY.fingerprint());
    }
    let offline = stage.offline();
    assert!(offline.releases().await.unwrap().iter().all(|release| release.news == News::Stored));
    assert_eq!(stage.server.count("dists/trixie/InRelease"), 2);
}

#[tokio::test]
async fn bad_releases_are_refused_by_name_and_nothing_is_kept() {
    let tampered = |archive: &mut FakeArchive| {
        archive.edit("dists/trixie/InRelease", |bytes| {
            let at = bytes.windows(4).position(|four| four == b"made").unwrap();
            bytes[at] = b'M';
        });
    };
    let suite = main_suite;
    let rows: [(&str, FakeSuite, &[&str]); 6] = [
        ("unsigned", FakeSuite { keys: Vec::new(), ..suite() }, &["trixie", "not a signed text"]),
        (
            "another key's",
            FakeSuite { keys: vec![STRANGER.clone()], ..suite() },
            &["is signed by", &STRANGER.fingerprint()],
        ),
        ("expired", FakeSuite { valid_until: Some(EPOCH + 60), ..suite() }, &["expired at"]),
        (
            "of the future",
            FakeSuite { date: EPOCH + 2 * DAY, ..suite() },
            &["trixie", "2025-09-03"],
        ),
        (
            "another vendor's",
            FakeSuite { origin: "Ubuntu".into(), ..suite() },
            &["Origin is `Ubuntu`, not `Debian`"],
        ),
        (
            "another suite's",
            FakeSuite { suite: "sid".into(), codename: "sid".into(), ..suite() },
            &["is of suite `sid`"],
        ),
    ];
    for (why, suite, parts) in rows {
        let stage = Stage::with(FakeArchive::of(&[suite, security_suite()]));
        refused(stage.run().releases().await, why, parts);
        assert!(!stage.stored().iter().any(|path| path.as_str().contains("trixie_")), "{why}");
    }
    let mut stage = Stage::new();
    stage.change(tampered);
    refused(stage.run().releases().await, "tampered", &["does not match the InRelease"]);
    stage.change(|archive| archive.remove("dists/trixie/InRelease"));
    refused(stage.run().releases().await, "missing", &["`trixie`", "there is no such file"]);
}

#[tokio::test]
async fn age_can_be_accepted_by_name() {
    let old = FakeSuite { valid_until: Some(EPOCH + 60), ..main_suite() };
    let stage = Stage::with(FakeArchive::of(&[old, security_suite()]));
    let mut spec = stage.spec();
    spec.accept_expired.insert("trixie".parse().unwrap());
    let archive = stage.run_with(spec, quick());
    assert!(archive.releases().await.unwrap()[0].release.accepted_expired());
}

#[tokio::test]
async fn security_is_never_done_without() {
    let suite = security_suite;
    for (why, security) in [
        ("missing", None),
        ("unsigned", Some(FakeSuite { keys: Vec::new(), ..suite() })),
        ("expired", Some(FakeSuite { valid_until: Some(EPOCH + 60), ..suite() })),
    ] {
        let suites: Vec<FakeSuite> = [Some(main_suite()), security].into_iter().flatten().collect();
        let stage = Stage::with(FakeArchive::of(&suites));
        for mirror in [None, Some(Url::parse(&stage.server.url()).unwrap())] {
            let spec = ArchiveSpec { mirror, ..stage.spec() };
            let refusal = stage.run_with(spec, quick());
            refused(refusal.releases().await, why, &["trixie-security"]);
        }
    }
}

#[tokio::test]
async fn a_release_does_not_go_back_in_time() {
    let newer = FakeSuite { date: EPOCH + 1800, ..main_suite() };
    let mut stage = Stage::with(FakeArchive::of(&[newer, security_suite()]));
    stage.run().releases().await.unwrap();
    stage.change(|archive| *archive = crate::stage::honest());
    refused(stage.run().releases().await, "rollback", &["`trixie`", "1 h older"]);
    let mut spec = stage.spec();
    spec.accept_rollback.insert("trixie".parse().unwrap());
    assert_eq!(stage.run_with(spec, quick()).releases().await.unwrap()[0].news, News::Changed);
}

/// A machine whose apt names these archives.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new(sources: &str) -> Self {
        let machine = Self { dir: tempfile::tempdir().unwrap() };
        machine.put("etc/apt/sources.list.d/test.sources", sources.as_bytes());
        machine.put("usr/share/keyrings/test.gpg", &KEY.public_binary());
        machine.put("usr/share/keyrings/stranger.gpg", &STRANGER.public_binary());
        machine
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn run(&self, stage: &Stage, spec: ArchiveSpec) -> Archive {
        let apt = AptConfiguration::read(Utf8Path::from_path(self.dir.path()).unwrap()).unwrap();
        let transport = Transport::new(quick(), Arc::new(Quiet));
        Archive::open(spec, apt, stage.store(), transport)
    }
}

fn source(url: &str, suites: &str, more: &str) -> String {
    format!("Types: deb\nURIs: {url}\nSuites: {suites}\nComponents: main\n{more}\n")
}

/// The vendor's own address, where nobody answers.
fn nowhere() -> ArchiveSpec {
    spec("http://127.0.0.1:9/debian")
}

#[tokio::test]
async fn other_archives_of_apt_are_passed_over() {
    let stage = Stage::new();
    let ubuntu = FakeSuite { origin: "Ubuntu".into(), ..main_suite() };
    let ubuntu = Server::start(&FakeArchive::of(&[ubuntu]));
    let strange = FakeSuite { keys: vec![STRANGER.clone()], ..main_suite() };
    let strange = Server::start(&FakeArchive::of(&[strange]));
    let empty = Server::start(&FakeArchive::default());
    let others = [empty.url(), ubuntu.url(), strange.url()].join(" ");
    let machine = Machine::new(
        &[
            source(&others, "bookworm", ""),
            source(&stage.server.url(), "bookworm bookworm-updates", "Trusted: yes\n"),
            source(&stage.server.url(), "bookworm-security", ""),
        ]
        .concat(),
    );
    let archive = machine.run(&stage, nowhere());
    let releases = archive.releases().await.unwrap();
    let line = match &releases[0].mirror.known_from {
        KnownFrom::Apt { line, .. } => *line,
        other => panic!("{other:?}"),
    };
    assert_eq!((releases.len(), line), (2, 6));
    let none = source(&others, "bookworm", "") + &source(&stage.server.url(), "x-security", "");
    let none = Machine::new(&none);
    let parts = ["was passed over", "no such file", "Origin is `Ubuntu`", "is signed by"];
    refused(none.run(&stage, nowhere()).releases().await, "none fits", &parts);
}

#[tokio::test]
async fn the_vendors_address_serves_machines_of_other_vendors() {
    let stage = Stage::new();
    let empty = Server::start(&FakeArchive::default());
    let machine = Machine::new(&source(&empty.url(), "noble noble-security", ""));
    let archive = machine.run(&stage, stage.spec());
    let releases = archive.releases().await.unwrap();
    assert!(releases.iter().all(|release| release.mirror.known_from == KnownFrom::Vendor));
}

#[tokio::test]
async fn a_mirror_of_the_machine_that_is_down_is_named() {
    let stage = Stage::new();
    let machine = Machine::new(&source("http://127.0.0.1:9/debian", "bookworm", ""));
    let archive = machine.run(&stage, stage.spec());
    refused(archive.releases().await, "down", &["http://127.0.0.1:9/debian/", "connection failed"]);
}

#[tokio::test]
async fn an_unsigned_archive_stays_unsigned_whatever_apt_trusts() {
    let unsigned = FakeSuite { keys: Vec::new(), ..main_suite() };
    let stage = Stage::with(FakeArchive::of(&[unsigned, security_suite()]));
    let switches = "Trusted: yes\nAllow-Insecure: yes\nCheck-Valid-Until: no\n";
    let machine = Machine::new(&source(&stage.server.url(), "trixie", switches));
    refused(machine.run(&stage, stage.spec()).releases().await, "unsigned", &["not a signed text"]);
}

#[tokio::test]
async fn signed_by_is_honoured() {
    let armored = STRANGER.public_armored();
    let inline: String = armored
        .lines()
        .map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") })
        .collect();
    let fingerprint = KEY.fingerprint();
    let rows = [
        ("its keyring", "/usr/share/keyrings/test.gpg".to_owned(), Ok(())),
        ("a key of the vendor's", fingerprint, Ok(())),
        ("a stranger's keyring", "/usr/share/keyrings/stranger.gpg".to_owned(), Err("signed by")),
        ("a stranger's key", format!("\n{}", inline.trim_end()), Err("signed by")),
        (
            "no keyring",
            "/usr/share/keyrings/none.gpg".to_owned(),
            Err("/usr/share/keyrings/none.gpg"),
        ),
    ];
    for (why, value, wanted) in rows {
        let stage = Stage::new();
        let signed_by = format!("Signed-By: {value}\n");
        let machine = Machine::new(&source(&stage.server.url(), "bookworm", &signed_by));
        // The security suite comes from the vendor's own address.
        let mut spec = stage.spec();
        spec.vendor.sites[0].default = Url::parse("http://127.0.0.1:9/").unwrap();
        let result = machine.run(&stage, spec).releases().await.map(<[_]>::len);
        match wanted {
            Ok(()) => assert_eq!(result.unwrap(), 2, "{why}"),
            Err(part) => refused(result, why, &[part]),
        }
    }
}

#[tokio::test]
async fn shipped_keys_help_where_the_machines_are_too_old() {
    let stage = Stage::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.gpg");
    fs::write(&path, STRANGER.public_binary()).unwrap();
    let shipped =
        |bytes: Vec<u8>| vec![ShippedKeyring { name: "test".into(), bytes: bytes.into() }];
    let machine = vec![path.to_str().unwrap().into(), "/absent.gpg".into()];
    let mut spec = stage.spec();
    spec.vendor.keyrings = Keyrings { machine, shipped: shipped(KEY.public_binary()) };
    assert_eq!(stage.run_with(spec.clone(), quick()).releases().await.unwrap().len(), 2);
    // What the machine holds as revoked is not rescued.
    fs::write(&path, KEY.revoked().public_binary()).unwrap();
    refused(stage.run_with(spec, quick()).releases().await, "revoked", &["revoked"]);
}

#[tokio::test]
async fn the_mirror_that_was_asked_for_leaves_security_where_it_is() {
    let stage = Stage::with(FakeArchive::of(&[security_suite()]));
    let other = Server::start(&FakeArchive::of(&[main_suite()]));
    let spec = ArchiveSpec { mirror: Some(Url::parse(&other.url()).unwrap()), ..stage.spec() };
    let archive = stage.run_with(spec, quick());
    let releases = archive.releases().await.unwrap();
    assert_eq!(releases[0].mirror.known_from, KnownFrom::Asked);
    assert_eq!(other.count("dists/trixie/InRelease"), 1);
    assert_eq!(stage.server.count("dists/trixie-security/InRelease"), 1);
}

#[tokio::test]
async fn without_network_and_store_there_is_nothing_to_go_on() {
    let stage = Stage::new();
    refused(stage.offline().releases().await, "offline", &["may not use the network"]);
    stage.server.break_for_good("dists/trixie/InRelease", Fault::status(500));
    let refusal = stage.run();
    let result = refusal.releases().await;
    assert!(matches!(&result, Err(ArchiveError::Release(_))));
    refused(result, "broken", &["500", "4 attempts"]);
}
