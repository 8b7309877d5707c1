//! What a mirror may do wrong, for each kind of file that is read from it.

use crate::scene::{NGINX, WANTED, assert_recovers, assert_sound, assert_told, clear, scene};
use crate::stage::{HONEST, Stage, suites};
use dmc_testkit::{DebBuilder, FakeArchive, Fault, Server, sha256};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const RELEASE: &str = "dists/trixie/InRelease";
const INDEX: &str = "dists/trixie/main/binary-amd64/Packages.xz";

fn by_hash() -> String {
    let folder = INDEX.rsplit_once('/').unwrap().0;
    format!("{folder}/by-hash/SHA256/{}", sha256(HONEST.get(INDEX)))
}

/// One file of each kind.
fn files() -> [String; 3] {
    [RELEASE.to_owned(), by_hash(), HONEST.path_of("/nginx_1.26.3-3_amd64.deb").to_owned()]
}

fn after(when: &str) -> Vec<(String, String)> {
    vec![("Retry-After".to_owned(), when.to_owned())]
}

/// A fault that shows once or twice; what comes of it for InRelease, an index and a package: an
/// image (none), or an error with these words.
type Passing = (Fault, usize, [Option<&'static str>; 3]);

#[test]
fn what_passes_is_outlived_and_what_does_not_is_told() {
    const GOOD: [Option<&str>; 3] = [None, None, None];
    const LENGTH: [Option<&str>; 3] = [None, None, Some("bytes instead of")];
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let rows: [Passing; 19] = [
        (Fault::Hangup, 2, GOOD),
        (Fault::Reset(0), 2, GOOD),
        (Fault::Reset(100), 2, GOOD),
        (Fault::Cut(0), 2, GOOD),
        (Fault::Cut(100), 2, GOOD),
        (Fault::Stall(0), 1, GOOD),
        (Fault::Stall(100), 1, GOOD),
        (Fault::WrongLength(1 << 20), 1, LENGTH),
        (Fault::WrongLength(10), 1, [Some("not a signed text"), None, Some("bytes instead of")]),
        (Fault::status(404), 1, [Some("there is no such file"), None, None]),
        (Fault::status(500), 2, GOOD),
        (Fault::status(502), 2, GOOD),
        (Fault::status(503), 2, GOOD),
        (Fault::Status(503, after("1")), 1, GOOD),
        (Fault::Status(429, after("1")), 1, GOOD),
        (Fault::Status(429, after(date)), 2, GOOD),
        (Fault::Slow(200_000), 1, GOOD),
        (Fault::IgnoreRange, 1, GOOD),
        (
            Fault::Replace(b"something else".to_vec()),
            1,
            [Some("not a signed text"), None, Some("bytes instead of")],
        ),
    ];
    let each = rows.iter().flat_map(|(fault, times, outcomes)| {
        files().into_iter().zip(outcomes).map(move |(path, outcome)| (path, fault, times, outcome))
    });
    let each: Vec<_> = each.collect();
    side_by_side(&each, |stage, (path, fault, times, outcome)| {
        let why = format!("{fault:?} of {path}");
        stage.server.fault(path, **times, (*fault).clone());
        let told = stage.run(&NGINX);
        match outcome {
            None => assert_eq!(told.good().stdout, *WANTED, "{why}"),
            Some(words) => assert_told(&told, &[words, "MIRROR"], &why),
        }
        assert!(stage.server.count(path) > 0, "{why}");
        why
    });
}

/// Does rows on a few stages at the same time, as most of them wait. Each has an empty store and
/// ends with a plain run.
fn side_by_side<T: Sync>(rows: &[T], test: impl Fn(&Stage, &T) -> String + Sync) {
    LazyLock::force(&WANTED);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let stage = scene();
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::SeqCst)) {
                    clear(&stage);
                    stage.server.reset();
                    let why = test(&stage, row);
                    assert_sound(&stage, &why);
                    stage.server.reset();
                    assert_recovers(&stage, &NGINX, &WANTED, &why);
                }
            });
        }
    });
}

#[test]
fn what_stays_is_told_and_nothing_is_lost() {
    let [release, index, deb] = files();
    let plain = INDEX.to_owned();
    let flipped = |path: &str| {
        let mut bytes = HONEST.get(path).to_vec();
        bytes[100] ^= 1;
        Fault::Replace(bytes)
    };
    let status = Fault::status;
    let rows: [(&str, Fault, &str); 16] = [
        (&release, Fault::Hangup, "the connection failed"),
        (&release, Fault::Reset(100), "the connection failed"),
        (&release, Fault::Stall(100), "the connection failed"),
        (&release, status(404), "there is no such file"),
        (&release, status(500), "(3 attempts)"),
        (&release, Fault::Status(429, after("600")), "asks to wait 600 s"),
        (&release, Fault::RedirectLoop, "redirects go round in a circle"),
        (&release, flipped(&release), "signature"),
        (&index, Fault::Cut(100), "the connection"),
        (&index, Fault::Reset(0), "the connection failed"),
        (&index, flipped(&plain), "its digest is"),
        (&deb, Fault::Reset(100), "the connection failed"),
        (&deb, Fault::Stall(10), "the connection failed"),
        (&deb, status(404), "(3 attempts): there is no such file"),
        (&deb, Fault::WrongLength(7), "it has 7 bytes instead of"),
        (&deb, flipped(&deb), "its digest is"),
    ];
    side_by_side(&rows, |stage, (path, fault, words)| {
        let why = format!("{fault:?} of {path}");
        stage.server.break_for_good(path, fault.clone());
        let told = stage.run(&NGINX);
        let words: Vec<&str> = words.split(": ").collect();
        assert_told(&told, &words, &why);
        why
    });
}

#[test]
fn redirects_to_another_host_are_followed() {
    let stage = scene();
    let other = Server::start(&HONEST);
    for path in HONEST.files().keys() {
        stage.server.break_for_good(path, Fault::Redirect(format!("{}/{path}", other.url())));
    }
    assert_recovers(&stage, &NGINX, &WANTED, "redirects");
    for path in files() {
        assert_eq!((stage.server.count(&path), other.count(&path)), (1, 1), "{path}");
    }
}

#[test]
fn indices_that_are_not_there_by_hash_are_taken_by_name() {
    let stage = scene();
    let mut archive = HONEST.clone();
    archive.remove_all("/by-hash/");
    stage.server.serve(&archive);
    assert_recovers(&stage, &NGINX, &WANTED, "no by-hash");
    assert!(stage.server.count(INDEX) == 1 && stage.server.count(&by_hash()) == 1);
}

/// An archive, and the same with a newer package that no image has.
fn before_and_after() -> (FakeArchive, FakeArchive) {
    let mut suites = suites();
    // Without a package it would be the index of the other suites, too.
    suites[2] = suites[2].clone().deb(DebBuilder::new("debconf", "1.5.91+deb13u1", "all"));
    let before = FakeArchive::of(&suites);
    suites[2] = suites[2].clone().deb(DebBuilder::new("debconf", "1.5.91+deb13u2", "all"));
    suites[2].date += 60;
    (before, FakeArchive::of(&suites))
}

#[test]
fn a_mirror_whose_index_is_not_the_signed_one_is_told_until_it_is_right() {
    const SECURITY: &str = "dists/trixie-security";
    let (old, new) = before_and_after();
    for (stale, newer) in [("main/binary-amd64/Packages", &new), ("InRelease", &old)] {
        let stage = scene();
        let mut halfway = new.clone();
        halfway.remove_all(&format!("{SECURITY}/main/binary-amd64/by-hash/"));
        for (path, bytes) in old.files() {
            if path.starts_with(&format!("{SECURITY}/{stale}")) {
                halfway.put(path, bytes.clone());
            }
        }
        stage.server.serve(&halfway);
        let words = [SECURITY, "Packages", "instead of", "out of step"];
        assert_told(&stage.run(&NGINX), &words, stale);
        // The mirror gets there, or back to where it was; the rest was kept.
        stage.server.serve(newer);
        stage.server.reset();
        assert_recovers(&stage, &NGINX, &WANTED, stale);
        assert_eq!(stage.server.count(INDEX), 0, "the other index was read before");
    }
}

#[test]
fn a_mirror_that_comes_into_step_while_it_is_asked_is_waited_for() {
    let stage = scene();
    let old = Fault::Replace(b"an older index".to_vec());
    stage.server.fault(&by_hash(), 2, Fault::status(404));
    stage.server.fault(INDEX, 1, Fault::status(404));
    stage.server.fault(INDEX, 1, old);
    stage.server.break_for_good(&INDEX.replace(".xz", ".gz"), Fault::status(404));
    let told = stage.run(&NGINX);
    assert_eq!(told.good().stdout, *WANTED);
    assert_recovers(&stage, &NGINX, &WANTED, "again");
}
