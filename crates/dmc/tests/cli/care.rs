//! `clean` and `check` as their users meet them.

use crate::stage::{HONEST, Stage, suites};
use dmc_testkit::FakeArchive;
use serde_json::Value;
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

const NGINX: [&str; 2] = ["-t", "nginx"];

/// Makes store and layout look as if nobody had used them for a day.
fn age(stage: &Stage) {
    let then = SystemTime::now() - Duration::from_hours(24);
    for path in stage.everything().iter().filter(|path| path.is_file()) {
        File::open(path).unwrap().set_modified(then).unwrap();
    }
}

fn flip(stage: &Stage, folder: &str) -> String {
    let files: Vec<_> = stage.path(folder).read_dir_utf8().unwrap().map(|it| it.unwrap()).collect();
    let path = files[0].path();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    files[0].file_name().to_owned()
}

fn flip_all(stage: &Stage, folder: &str) {
    for entry in stage.path(folder).read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        fs::write(path, bytes).unwrap();
    }
}

fn last(stdout: &str) -> Value {
    serde_json::from_str(stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn clean_lists_removes_and_tells_how_much() {
    let stage = Stage::new();
    stage.run(&["clean"]).failed(2, &["no image layout in `out`", "--older-than 1d"]);
    stage.run(&NGINX).good();
    assert!(stage.run(&["clean"]).good().stdout.starts_with("nothing to remove; the store has "));
    let mut newer = suites();
    newer[0].date += 60;
    let at = newer[0].debs.iter().position(|(_, deb)| deb.package() == "zlib1g").unwrap();
    let (_, old) = newer[0].debs.remove(at);
    newer[0] = newer[0].clone().deb(old.field("Description", "another"));
    stage.server.serve(&FakeArchive::of(&newer));
    stage.run(&NGINX).good();
    age(&stage);
    let before = stage.everything();
    let listed = stage.run(&["clean", "-l"]).good();
    assert!(listed.stdout.contains("/v1/debs/"), "{}", listed.stdout);
    assert!(listed.stdout.contains("not used for 1 days"), "{}", listed.stdout);
    let value = last(&stage.run(&["clean", "-l", "--json"]).good().stdout);
    assert_eq!((&value["removed"], &value["of"]["debs"]["files"]), (&false.into(), &1.into()));
    assert_eq!(stage.everything(), before);
    let removed = stage.run(&["clean"]).good();
    let line = removed.stdout.trim_end();
    assert!(line.starts_with("removed ") && line.contains("debs 1 ("), "{line}");
    assert!(stage.everything().len() < before.len());
    let again = last(&stage.run(&["clean", "--json"]).good().stdout);
    assert_eq!(again["files"], 0, "{again}");
    stage.run(&["check"]).good();
}

#[test]
fn a_lock_that_cannot_be_read_stops_clean_and_check() {
    let stage = Stage::new();
    stage.run(&NGINX).good();
    age(&stage);
    stage.write("work/dmc.lock", b"<<<<<<< merged\n");
    let before = stage.everything();
    for activity in ["clean", "check"] {
        stage.run(&[activity]).failed(2, &["dmc.lock", "hint: "]);
        let missing = [activity, "--lock", "nowhere.lock"];
        stage.run(&missing).failed(2, &["nowhere.lock", "hint: "]);
    }
    assert_eq!(stage.everything().len(), before.len());
}

#[test]
fn check_tells_what_is_damaged_and_repairs_it() {
    let stage = Stage::new();
    stage.run(&NGINX).good();
    let well = stage.run(&["check"]).good().stdout;
    assert!(well.lines().last().unwrap().starts_with("all is well: "), "{well}");
    let deb = flip(&stage, "home/.cache/dmc/v1/debs");
    let blob = flip(&stage, "work/out/blobs/sha256");
    let told = stage.run(&["check", "-l"]);
    assert_eq!(told.code, Some(1));
    for part in [&deb, &blob, "2 damaged of ", "its digest is wrong", "without -l"] {
        assert!(told.stdout.contains(part), "no `{part}` in:\n{}", told.stdout);
    }
    let told = stage.run(&["check", "--json"]).good();
    let value = last(&told.stdout);
    assert_eq!((&value["restored"], &value["good"]), (&2.into(), &true.into()), "{value}");
    assert!(stage.run(&["check"]).good().stdout.contains("all is well"));
    flip(&stage, "home/.cache/dmc/v1/debs");
    stage.server.serve(&FakeArchive::of(&[]));
    let told = stage.run(&["check"]).failed(1, &["hint: "]);
    assert!(told.stdout.contains("; lost: "), "{}", told.stdout);
}

#[test]
fn what_only_a_lock_has_is_restored_from_it() {
    let stage = Stage::new();
    stage.run(&NGINX).good();
    stage.run(&["lock", "-t", "nginx"]).good();
    let mut newer = suites();
    newer[0].date += 60;
    for (_, deb) in newer[0].debs.iter_mut().filter(|(_, deb)| deb.package() == "zlib1g") {
        *deb = deb.clone().at_version("1:9");
    }
    let mut archive = FakeArchive::of(&newer);
    for arch in ["amd64", "arm64"] {
        let old = HONEST
            .files()
            .keys()
            .find(|path| path.contains("/zlib1g_") && path.ends_with(&format!("_{arch}.deb")));
        archive.put(old.unwrap(), HONEST.get(old.unwrap()).to_vec());
    }
    stage.server.serve(&archive);
    for debs in ["home/.cache/dmc/v1/debs", "home/.cache/dmc/v1/contents"] {
        flip_all(&stage, debs);
    }
    let told = stage.run(&["check"]).good();
    assert!(told.stdout.contains(", 0 lost"), "{}", told.stdout);
    assert!(stage.run(&["check"]).good().stdout.contains("all is well"));
    flip_all(&stage, "home/.cache/dmc/v1/debs");
    fs::remove_file(stage.path("work/dmc.lock")).unwrap();
    let told = stage.run(&["check"]).failed(1, &["-M"]);
    assert!(told.stdout.contains("does not have that zlib1g for amd64"), "{}", told.stdout);
}

#[test]
fn a_store_of_another_dmc_is_told_once_and_plainly() {
    let stage = Stage::new();
    stage.run(&NGINX).good();
    stage.run(&NGINX).good();
    let format = stage.path("home/.cache/dmc/v1/format");
    fs::write(&format, "facts 1\npieces 1\nrecords 1\ncompiled 1\n").unwrap();
    let told = stage.run(&NGINX).good();
    for part in ["`facts` have an older format (1, now", "`compiled` have an older format"] {
        assert_eq!(told.stderr.matches(part).count(), 1, "{part}: {}", told.stderr);
    }
    assert!(!told.stderr.contains("damaged"), "{}", told.stderr);
    let told = stage.run(&NGINX).good();
    assert!(!told.stderr.contains("format"), "{}", told.stderr);
    fs::write(&format, "facts 99\n").unwrap();
    let parts = ["is of a newer dmc: its facts have format 99", "--store"];
    for args in [&NGINX[..], &["-t", "nginx", "-l"], &["clean"], &["check"], &["update"]] {
        stage.run(args).failed(1, &parts);
    }
}
