//! Packages: fetched, checked, decoded once.

use crate::stage::{Stage, candidate, hello, honest, in_full, main_suite, refused, security_suite};
use dmc_testkit::{DebBuilder, FakeArchive, Fault};
use dmc_types::{EntryKind, Nature, PackageFacts};
use std::fs;

const HELLO: &str = "pool/main/h/hello/hello_1.0-1_amd64.deb";

fn file<'a>(facts: &'a PackageFacts, path: &str) -> &'a dmc_types::FileFacts {
    let entry = facts.entries.iter().find(|entry| entry.path.to_string() == path).unwrap();
    match &entry.kind {
        EntryKind::File(file) => file,
        other => panic!("{path}: {other:?}"),
    }
}

#[tokio::test]
async fn a_package_is_fetched_and_decoded_once() {
    let stage = Stage::new();
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    let (a, b) = tokio::join!(archive.facts(&wanted), archive.facts(&wanted));
    let facts = a.unwrap();
    assert_eq!(facts, b.unwrap());
    assert_eq!((facts.package.as_str(), facts.version.as_str()), ("hello", "1.0-1"));
    let script = file(&facts, "/usr/bin/hello");
    assert!(matches!(script.nature, Nature::Script(_)));
    let mut bytes = Vec::new();
    archive.contents(&facts).unwrap().read(script, &mut bytes).unwrap();
    assert_eq!(bytes, b"#!/bin/sh\necho hello\n");
    let offline = stage.offline();
    assert_eq!(*offline.facts(&wanted).await.unwrap(), *facts);
    fs::remove_dir_all(stage.dir().join("v1/facts")).unwrap();
    assert_eq!(*stage.offline().facts(&wanted).await.unwrap(), *facts, "decoded again");
    assert_eq!(stage.server.count(HELLO), 1);
}

#[tokio::test]
async fn a_wrong_package_is_refused_and_nothing_of_it_is_kept() {
    let rows: [(&str, fn(&mut Vec<u8>), &str); 3] = [
        ("another digest", |bytes| bytes[100] ^= 1, "its digest is sha256:"),
        ("too long", |bytes| bytes.push(0), "bytes instead of"),
        ("truncated", |bytes| bytes.truncate(1000), "it has 1000 bytes instead of"),
    ];
    for (why, change, part) in rows {
        let mut stage = Stage::new();
        stage.change(|archive| archive.edit(HELLO, change));
        let archive = stage.run();
        let wanted = candidate(&archive, "hello").await;
        refused(archive.facts(&wanted).await, why, &[HELLO, part]);
        for shelf in ["debs", "facts", "contents", "partial"] {
            let kept = stage.stored();
            let kept = kept.iter().filter(|path| path.starts_with(shelf));
            assert_eq!(
                kept.filter(|path| path.extension() != Some("part")).count(),
                0,
                "{why}: {shelf}"
            );
        }
    }
}

#[tokio::test]
async fn a_package_that_is_not_what_the_index_says_is_refused() {
    let mut real = honest();
    let other = DebBuilder::new("other", "3", "amd64").file("/usr/bin/other", "x").build();
    real.put("pool/other.deb", other.clone());
    let stage = Stage::with(real);
    let archive = stage.run();
    let mut wanted = candidate(&archive, "hello").await;
    wanted.filename = "pool/other.deb".into();
    wanted.size = other.len() as u64;
    wanted.checksum = dmc_types::Checksum::Sha256(dmc_types::Sha256::from_bytes(
        <sha2::Sha256 as sha2::Digest>::digest(&other).into(),
    ));
    refused(
        archive.facts(&wanted).await,
        "another",
        &["its Package is `other` instead of `hello`"],
    );
    wanted.filename = "pool/none.deb".into();
    wanted.checksum = dmc_types::Checksum::Sha256(dmc_types::Sha256::from_bytes([0; 32]));
    refused(archive.facts(&wanted).await, "missing", &["pool/none.deb", "no such file"]);
}

#[tokio::test]
async fn a_hostile_package_is_refused_by_name() {
    let bad = DebBuilder::new("hello", "2.0", "amd64").ar_member("extra", b"x");
    let stage = Stage::with(FakeArchive::of(&[main_suite().deb(bad), security_suite()]));
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    refused(archive.facts(&wanted).await, "hostile", &["hello_2.0_amd64.deb"]);
    assert!(
        stage.stored().iter().all(|path| !path.starts_with("contents")),
        "nothing half-written"
    );
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let stage = Stage::new();
    for after in [50_000, 30_000] {
        stage.server.fault(HELLO, 1, Fault::Cut(after));
    }
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    archive.facts(&wanted).await.unwrap();
    let requests = stage.server.requests();
    let ranges: Vec<Option<&str>> = requests
        .iter()
        .filter(|request| request.path == HELLO)
        .map(|request| request.range.as_deref())
        .collect();
    assert_eq!(ranges, [None, Some("bytes=50000-"), Some("bytes=80000-")]);
}

#[tokio::test]
async fn a_broken_run_is_resumed_by_the_next_one() {
    let stage = Stage::new();
    stage.server.break_for_good(HELLO, Fault::Cut(10_000));
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    refused(archive.facts(&wanted).await, "cut", &[HELLO, "4 attempts"]);
    let part = fs::read(stage.stored_at("partial/")).unwrap();
    assert_eq!(part, honest().get(HELLO)[..part.len()]);
    stage.server.reset();
    stage.run().facts(&wanted).await.unwrap();
    let first = &stage.server.requests()[0];
    assert_eq!(first.range.as_deref(), Some(&*format!("bytes={}-", part.len())));
}

#[tokio::test]
async fn what_cannot_be_resumed_is_fetched_whole() {
    let left = |why: &str| -> Vec<u8> {
        match why {
            "another file's beginning" => vec![7; 1000],
            "longer than the file" => vec![7; 1_000_000],
            _ => honest().get(HELLO)[..1000].to_vec(),
        }
    };
    for (why, fault) in [
        ("another file's beginning", None),
        ("longer than the file", None),
        ("a server without ranges", Some(Fault::IgnoreRange)),
        ("a server that refuses the range", Some(Fault::status(416))),
    ] {
        let stage = Stage::new();
        let archive = stage.run();
        let wanted = candidate(&archive, "hello").await;
        let name = wanted.checksum.to_string().replace(':', "-");
        fs::create_dir_all(stage.dir().join("v1/partial")).unwrap();
        fs::write(stage.dir().join(format!("v1/partial/{name}.part")), left(why)).unwrap();
        if let Some(fault) = fault {
            stage.server.fault(HELLO, 1, fault);
        }
        let facts = archive.facts(&wanted).await.map_err(|error| in_full(&error));
        assert!(facts.is_ok(), "{why}: {facts:?}");
    }
}

#[tokio::test]
async fn damaged_objects_are_noticed_and_made_again() {
    let stage = Stage::new();
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    let facts = archive.facts(&wanted).await.unwrap();
    let damage = |part: &str| {
        let path = stage.stored_at(part);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    damage("facts/");
    assert_eq!(*stage.offline().facts(&wanted).await.unwrap(), *facts, "from the .deb");
    damage("facts/");
    damage("debs/");
    assert_eq!(*stage.run().facts(&wanted).await.unwrap(), *facts, "fetched again");
    assert_eq!(stage.server.count(HELLO), 2);
    let right = fs::read(stage.stored_at("contents/")).unwrap();
    damage("contents/");
    let contents = stage.run().repair_contents(&wanted).await.unwrap();
    assert_eq!(contents.length(), right.len() as u64);
    assert_eq!(fs::read(stage.stored_at("contents/")).unwrap(), right);
    fs::remove_file(stage.stored_at("contents/")).unwrap();
    let archive = stage.run();
    archive.facts(&wanted).await.unwrap();
    assert!(archive.contents(&facts).is_ok(), "facts come with their contents");
}

#[tokio::test]
async fn two_runs_on_one_store_fetch_a_package_once() {
    let stage = Stage::with(FakeArchive::of(&[main_suite().deb(hello("3.0")), security_suite()]));
    let (one, two) = (stage.run(), stage.run());
    let wanted = candidate(&one, "hello").await;
    let path = wanted.filename.clone();
    stage.server.fault(&path, 1, Fault::Slow(1_000_000));
    let (a, b) = tokio::join!(one.facts(&wanted), two.facts(&wanted));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(stage.server.count(&path), 1);
}
