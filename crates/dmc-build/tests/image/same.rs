//! Same inputs, same bytes: what may move without moving a digest.

use crate::layer;
use crate::stage::{
    BOTH, HONEST, NOW, STRANGER, Stage, build, changed, files, named, parts, suites,
};
use dmc_build::Settings;
use dmc_testkit::{EPOCH, FakeArchive, Fault};
use dmc_types::Arch;
use std::collections::BTreeMap;
use std::fs;

/// The digests that everything here must come to.
fn digests() -> BTreeMap<String, dmc_types::Sha256> {
    let digests = Stage::new().build().good().digests();
    assert_eq!(digests.len(), 3);
    digests
}

#[test]
fn a_newer_release_of_the_same_packages_changes_no_digest() {
    let stage = Stage::new();
    let before = stage.build().good().digests();
    let mut moved = suites();
    for suite in &mut moved {
        suite.date += 24 * 3600;
        suite.keys.push(STRANGER.clone());
    }
    let unrelated = dmc_testkit::DebBuilder::new("unrelated", "1", "amd64").file("/usr/x", "x");
    moved[0] = moved[0].clone().deb(unrelated);
    stage.server.serve(&FakeArchive::of(&moved));
    stage.server.reset();
    let later = |settings| Settings { now: NOW + 24 * 3600, ..settings };
    let run = build(later(stage.settings()), &["nginx"]).good();
    assert_eq!(run.digests(), before);
    assert_eq!(stage.packages_fetched(), [""; 0], "all packages are known");
    let fresh = Stage::with(&FakeArchive::of(&moved));
    assert_eq!(build(later(fresh.settings()), &["nginx"]).good().digests(), before);
}

#[test]
fn the_state_of_the_store_changes_no_digest() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    for (why, lost) in [
        ("a full store", None),
        ("no packages", Some("debs")),
        ("no facts", Some("facts")),
        ("no contents", Some("contents")),
        ("no compiled indices", Some("compiled")),
        ("no indices", Some("indices")),
        ("no pieces", Some("pieces")),
        ("no releases", Some("releases")),
        ("nothing at all", Some("")),
    ] {
        // What was made of it is forgotten too, so that it is made again.
        for gone in ["records", "../../out", lost.unwrap_or("records")] {
            drop(fs::remove_dir_all(stage.path("store/v1").join(gone)));
        }
        assert_eq!(stage.build().good().digests(), wanted, "{why}");
    }
}

#[test]
fn the_order_in_which_packages_arrive_changes_no_digest() {
    let wanted = digests();
    for turn in 0..3 {
        let stage = Stage::new();
        let debs = HONEST.files().keys().filter(|path| path.ends_with(".deb"));
        for (at, path) in debs.enumerate() {
            if (at + turn) % 3 == 0 {
                stage.server.fault(path, 1, Fault::Slow(40_000));
            }
        }
        assert_eq!(stage.build().good().digests(), wanted, "turn {turn}");
    }
}

#[test]
fn one_architecture_alone_gives_the_same_image() {
    let wanted = digests();
    for arch in BOTH {
        let stage = Stage::new();
        let mut settings = stage.settings();
        settings.conf.archs = vec![arch];
        let name = format!("nginx {arch}");
        assert_eq!(build(settings, &["nginx"]).good().digests()[&name], wanted[&name]);
    }
}

#[test]
fn a_second_run_fetches_no_package_and_finds_the_images() {
    let stage = Stage::new();
    let first = stage.build().good();
    stage.server.reset();
    let before = files(&stage.path("out"));
    let again = stage.build().good();
    assert_eq!((first.cached, again.cached), (0, 2));
    assert_eq!(again.digests(), first.digests());
    let asked = stage.server.requests();
    assert!(asked.iter().all(|request| request.path.ends_with("/InRelease")), "{asked:#?}");
    assert_eq!(asked.len(), 3);
    assert_eq!(files(&stage.path("out")), before);
}

#[test]
fn an_image_that_lost_a_blob_or_its_record_is_made_again() {
    let stage = Stage::new();
    let first = stage.build().good();
    let out = stage.path("out");
    for path in &parts(&out) {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        assert_eq!(stage.build().good().digests(), first.digests(), "{path}");
        assert_eq!(fs::read(path).unwrap(), bytes, "{path}");
    }
    let names = named(&out);
    fs::remove_file(out.join("index.json")).unwrap();
    assert_eq!(stage.build().good().digests(), first.digests());
    assert_eq!(named(&out), names);
}

#[test]
fn source_date_epoch_dates_everything_that_is_younger() {
    let stage = Stage::new();
    let plain = stage.build().good();
    let newest = plain.images["nginx amd64"].created;
    assert!(newest < EPOCH, "no clock, no release");
    let epoch = newest - 5 * 24 * 3600;
    let dated = build(Settings { epoch: Some(epoch), ..stage.settings() }, &["nginx"]).good();
    let image = &dated.images["nginx amd64"];
    assert_ne!(image.manifest.digest, plain.images["nginx amd64"].manifest.digest);
    assert_eq!(image.created, epoch);
    for (path, time) in layer::times(&stage.path("out"), image) {
        assert!(i64::try_from(time).unwrap() <= epoch, "{path}");
    }
    let again = build(Settings { epoch: Some(epoch), ..Stage::new().settings() }, &["nginx"]);
    assert_eq!(again.good().digests(), dated.digests());
}

#[test]
fn layers_of_zstd_hold_the_same_files() {
    let zstd = |stage: &Stage| {
        let compression = "zstd:3".parse().unwrap();
        build(Settings { compression, ..stage.settings() }, &["nginx"]).good()
    };
    let (stage, other) = (Stage::new(), Stage::new());
    let run = zstd(&stage);
    assert_eq!(run.digests(), zstd(&other).digests());
    let gzip = stage.build().good();
    assert_eq!(zstd(&stage).digests(), run.digests(), "after a build with gzip");
    for arch in BOTH {
        let name = format!("nginx {arch}");
        let listing = |run: &crate::stage::Run| layer::tar(&stage.path("out"), &run.images[&name]);
        assert_eq!(listing(&run), listing(&gzip), "{arch}");
    }
}

#[test]
fn files_keep_the_time_that_their_package_gives_them() {
    let stage = Stage::new();
    let run = stage.build().good();
    let image = &run.images["nginx amd64"];
    let times: BTreeMap<_, _> = layer::times(&stage.path("out"), image).into_iter().collect();
    let age = |path: &str| (EPOCH - i64::try_from(times[path]).unwrap()) / (24 * 3600);
    assert_eq!(age("usr/sbin/nginx"), 10);
    assert_eq!(age("usr/lib/x86_64-linux-gnu/libcrypto.so.3"), 20);
    assert_eq!(age("usr/lib/x86_64-linux-gnu/libc.so.6"), 60);
    assert_eq!(age("etc/passwd"), 10, "as the newest package");
    assert_eq!((EPOCH - image.created) / (24 * 3600), 10);
}

#[test]
fn an_update_of_what_is_not_in_the_image_changes_no_digest() {
    let before = digests();
    let newer = changed(|suite| {
        for arch in BOTH {
            let name = Arch::name(arch);
            crate::stage::replace(suite, ("iproute2", name), |_| {
                dmc_testkit::DebBuilder::new("iproute2", "6.16-1", name).file("/usr/bin/ip", "new")
            });
        }
    });
    assert_eq!(Stage::with(&newer).build().good().digests(), before);
}
