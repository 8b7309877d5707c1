//! Archives of another time: snapshots, suites that have ended, floors.

use crate::stage::{HONEST, KEY, Stage, suites};
use dmc_testkit::{FakeArchive, FakeSuite, Fault, Server};
use std::process::Command;

const NGINX: [&str; 2] = ["-t", "nginx"];

/// A moment so many seconds ago, as `-D` takes it.
fn ago(seconds: i64) -> String {
    let date = Command::new("date")
        .args(["-u", "-d", &format!("{} seconds", -seconds), "+%Y%m%dT%H%M%SZ"])
        .output()
        .unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// Configuration that finds snapshots of `archive` below the moment's folder.
fn snapshots(server: &Server) -> String {
    let url = format!("{}/archive/{{time}}", server.url());
    format!("[vendor.debian.snapshots]\nmain = \"{url}\"\nsecurity = \"{url}\"\n")
}

fn digest(stdout: &str) -> String {
    stdout.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn an_image_of_a_snapshot_is_the_image_of_the_same_packages() {
    let moment = ago(60);
    let then = Server::start(&HONEST.clone().below(&format!("archive/{moment}")));
    let stage = Stage::new();
    stage.conf(&snapshots(&then));
    let live = stage.run(&NGINX).good();
    let asked = stage.server.requests().len();
    let in_release = format!("archive/{moment}/dists/trixie/InRelease");
    let later = vec![("Retry-After".to_owned(), "1".to_owned())];
    then.fault(&in_release, 1, Fault::Status(429, later));
    let dist = format!("trixie@{moment}");
    let told = stage.run(&["-t", "nginx", "-D", &dist]).good();
    assert_eq!(digest(&told.stdout), digest(&live.stdout));
    assert_eq!(stage.server.requests().len(), asked, "the archive as it is was not asked");
    assert_eq!(then.count(&in_release), 2, "it asked to be left alone, once");
    assert!(then.most_at_once() <= 2, "{} at once", then.most_at_once());
    // In configuration, too; and the layout's own image stands as it is.
    stage.conf(&format!("dist = \"{dist}\"\n{}", snapshots(&then)));
    assert_eq!(digest(&stage.run(&NGINX).good().stdout), digest(&live.stdout));
}

#[test]
fn a_snapshot_is_of_its_moment_or_refused() {
    let before = ago(2 * 3600);
    let then = Server::start(&HONEST.clone().below(&format!("archive/{before}")));
    let stage = Stage::new();
    stage.conf(&snapshots(&then));
    let run = |dist: String| stage.run(&["-t", "nginx", "-D", &dist]);
    run(format!("trixie@{before}")).failed(1, &["the snapshot is of", "snapshots"]);
    run(format!("trixie@{}", ago(-3600))).failed(2, &["has not come yet", "clock"]);
    run("trixie@yesterday".into()).failed(2, &["`yesterday` is not a snapshot's time"]);
    run(format!("trixy@{before}")).failed(2, &["did you mean `trixie`"]);
    run(format!("trixie@{}", ago(60))).failed(1, &["there is no such file"]);
    let asked = ["-t", "nginx", "-M", &then.url(), "-D", &format!("trixie@{before}")];
    stage.run(&asked).failed(2, &["is not read from", "leave out -M"]);
    let pattern = "[vendor.debian.snapshots]\nmain = \"{mirror}/{time}\"\n";
    stage.conf(pattern);
    run(format!("trixie@{before}")).failed(2, &["no mirror is named", "-M"]);
}

#[test]
fn the_way_to_an_ended_suite_is_told_and_works() {
    let old = suites().map(|suite| FakeSuite {
        path: suite.path.replace("trixie", "bullseye"),
        suite: suite.suite.replace("trixie", "bullseye"),
        codename: suite.codename.replace("trixie", "bullseye"),
        ..suite
    });
    let old = Server::start(&FakeArchive::of(&old));
    let stage = Stage::new();
    let url = old.url();
    stage.conf(&format!("[vendor.debian.ended]\nmain = \"{url}\"\nsecurity = \"{url}\"\n"));
    let update = ["update", "-D", "bullseye", "-A", "amd64"];
    let told = stage.run(&update).failed(1, &["`bullseye` has ended", &url]);
    let line = told.stderr.split('`').find(|part| part.starts_with("vendor.debian.archives"));
    stage.write("dmc.conf", line.unwrap().as_bytes());
    stage.run(&update).good();
}

#[test]
fn floors_of_the_configuration_hold_for_an_empty_store() {
    let stage = Stage::new();
    stage.conf("[vendor.debian.floors]\ntrixie-security = \"2100-01-01T00:00:00Z\"\n");
    let told = stage.run(&NGINX);
    let told = told.failed(1, &["`trixie-security`", "[vendor.debian.floors]", "2100-01-01"]);
    assert!(told.stderr.contains("--accept-rollback trixie-security"), "{}", told.stderr);
    stage.run(&["-t", "nginx", "--accept-rollback", "trixie-security"]).good();
    stage.conf("[vendor.debian.floors]\ntrixie = \"soon\"\n");
    stage.run(&NGINX).failed(2, &["`soon` is not a date"]);
}

#[test]
fn a_key_is_accepted_by_its_whole_fingerprint() {
    let stage = Stage::new();
    stage.run(&["-t", "nginx", "--accept-key", "0xABCD"]).failed(2, &["hexadecimal digits"]);
    let spaced = KEY.fingerprint().to_lowercase();
    let spaced = format!("{} {}", &spaced[..20], &spaced[20..]);
    stage.run(&["update", "-A", "amd64", "--accept-key", &spaced]).good();
}

#[test]
fn a_lock_is_the_memory_of_a_fresh_store() {
    let stage = Stage::new();
    let lock = |name: &str| stage.run(&["lock", "-t", "nginx", "--lock", name]).good();
    lock("dmc.lock");
    stage.run(&["update", "-A", "amd64", "--store", "empty"]).good();
    let signer = KEY.fingerprint();
    let text = std::fs::read_to_string(stage.path("work/dmc.lock")).unwrap();
    assert!(text.contains(&signer), "{text}");
    let year = &ago(0)[..4];
    for (why, from, to, part) in [
        ("a later date", &*format!("date = {year}"), "date = 2100", "dmc.lock says 2100"),
        ("another signer", &signer, &"AB".repeat(20), "in dmc.lock by"),
    ] {
        assert!(text.contains(from), "{why}: {text}");
        stage.write("work/dmc.lock", text.replace(from, to).as_bytes());
        stage.run(&["-t", "nginx", "--store", why]).failed(1, &["suite `trixie`", part]);
        stage.run(&["-t", "nginx", "--lock", "none.lock", "--store", why]).good();
    }
    stage.write("work/dmc.lock", b"half a lo");
    stage.run(&["-t", "nginx"]).failed(2, &["`dmc.lock` is no lock", "put it away"]);
}
