//! What a moved archive asks to be built again, and what it leaves alone.

use crate::stage::{BOTH, NOW, Run, STRANGER, Stage, build, files, replace, suites};
use dmc_build::Settings;
use dmc_testkit::{DebBuilder, FakeArchive, FakeSuite};
use dmc_types::{Arch, UnixTime};
use std::fs;

const DAY: UnixTime = 24 * 3600;

/// The archive a day later, after a change.
fn later(change: impl FnOnce(&mut [FakeSuite; 3])) -> FakeArchive {
    let mut moved = suites();
    for suite in &mut moved {
        suite.date += DAY;
    }
    change(&mut moved);
    FakeArchive::of(&moved)
}

fn tomorrow(stage: &Stage) -> Settings {
    Settings { now: NOW + DAY, ..stage.settings() }
}

fn forced(stage: &Stage) -> Settings {
    Settings { force: true, ..tomorrow(stage) }
}

/// A package of the archive in another version, with what it had.
fn newer(suite: &mut FakeSuite, name: &str, version: &str) {
    for arch in BOTH {
        let at = suite.debs.iter().position(|(_, deb)| {
            deb.package() == name && [arch.name(), "all"].contains(&deb.architecture())
        });
        let Some(at) = at else { continue };
        let (_, old) = suite.debs.remove(at);
        let mut new = DebBuilder::new(name, version, old.architecture());
        for field in ["Source", "Depends", "Provides", "Section", "Multi-Arch"] {
            new = old.get(field).into_iter().fold(new, |new, value| new.field(field, value));
        }
        let path = format!("/usr/share/doc/{name}/news");
        suite.debs.push(("main".to_owned(), new.file(&path, version)));
    }
}

#[test]
fn what_a_build_did_not_look_up_asks_for_no_walk() {
    type Change = fn(&mut [FakeSuite; 3]);
    let changes: [(&str, usize, Change); 6] = [
        ("nothing but a date", 2, |_| {}),
        ("a package that nothing asks for", 2, |suites| {
            suites[0] = suites[0].clone().deb(DebBuilder::new("unrelated", "1", "amd64"));
        }),
        ("a package that moves from suite to suite", 2, |suites| {
            let at = suites[0].debs.iter().position(|(_, deb)| deb.package() == "nginx-common");
            let moved = suites[0].debs.remove(at.unwrap());
            suites[1].debs.push(moved);
        }),
        ("a package that was searched and has no file in the image", 0, |suites| {
            newer(&mut suites[0], "iproute2", "6.16-1");
        }),
        ("a second package that provides a needed name", 2, |suites| {
            let other = DebBuilder::new("other", "1", "amd64").field("Provides", "libz1");
            suites[0] = suites[0].clone().deb(other);
        }),
        ("a package of the image in a newer version", 1, |suites| {
            replace(&mut suites[0], ("zlib1g", "amd64"), |old| {
                old.field("Description", "a new one")
            });
        }),
    ];
    for (why, unchanged, change) in changes {
        let stage = Stage::new();
        stage.build().good();
        let archive = later(change);
        stage.server.serve(&archive);
        stage.server.reset();
        let fast = build(tomorrow(&stage), &["nginx"]).good();
        assert_eq!(fast.cached, unchanged, "{why}");
        let slow = Stage::with(&archive);
        let slow: Run = build(tomorrow(&slow), &["nginx"]).good();
        assert_eq!(fast.digests(), slow.digests(), "{why}: the fast path and the slow one");
        let again = build(forced(&stage), &["nginx"]).good();
        assert_eq!((again.cached, again.digests()), (0, slow.digests()), "{why}: by force");
        assert_eq!(build(tomorrow(&stage), &["nginx"]).good().cached, 2, "{why}: once more");
    }
}

#[test]
fn an_unchanged_image_needs_no_package_at_all() {
    let stage = Stage::new();
    let before = stage.build().good();
    stage.server.serve(&later(|suites| suites[0].keys.push(STRANGER.clone())));
    for gone in ["debs", "facts", "contents", "pieces"] {
        fs::remove_dir_all(stage.path("store/v1").join(gone)).unwrap();
    }
    stage.server.reset();
    let after = build(tomorrow(&stage), &["nginx"]).good();
    assert_eq!((after.cached, after.digests()), (2, before.digests()));
    assert_eq!(stage.packages_fetched(), [""; 0]);
}

#[test]
fn another_rule_or_template_asks_for_a_build() {
    let stage = Stage::new();
    let before = stage.build().good();
    let mut rules = stage.settings();
    rules.rules.push(("more.toml".to_owned(), b"# nothing\n".to_vec()));
    let mut verify = stage.settings();
    verify.verify.push_str("\n# nothing\n");
    for (why, settings) in [("rules", rules), ("what verifying knows", verify)] {
        let run = build(settings, &["nginx"]).good();
        assert_eq!((run.cached, run.digests()), (0, before.digests()), "{why}");
    }
    assert_eq!(stage.build().good().cached, 2, "each has its own memory");
}

/// Lets the store remember the image of one template as that of another.
fn confuse(stage: &Stage, run: &Run) {
    let digest = |name: &str| run.images[name].manifest.digest.to_string();
    let (own, other) = (digest("one amd64"), digest("two amd64"));
    let all = files(&stage.path("store/v1/records"));
    let summary = |digest: &str| {
        let is = |text: &[u8]| String::from_utf8_lossy(text).contains(&format!("sha256:{digest}"));
        let read = all.iter().map(|path| (path.clone(), fs::read(path).unwrap()));
        read.filter(|(_, bytes)| is(bytes)).collect::<Vec<_>>()
    };
    let (_, wrong) = summary(&other).remove(0);
    for (path, _) in summary(&own) {
        fs::write(path, &wrong).unwrap();
    }
}

#[test]
fn a_forced_build_that_comes_to_another_digest_says_so() {
    let stage = Stage::new();
    let text = |summary: &str| {
        format!("group = \"base\"\nsummary = \"{summary}\"\npackages = [\"zlib1g\"]\n")
            + "include = [\"/usr/lib/*/libz.so.1*\"]\n"
    };
    let (one, two) = (text("one"), text("two"));
    let templates = [("one", one.as_str()), ("two", two.as_str())];
    let mut settings = stage.settings_with("", &templates);
    settings.conf.archs = vec![Arch::Amd64];
    let run = build(settings.clone(), &["one", "two"]).good();
    let forced = || Settings { force: true, ..settings.clone() };
    assert_eq!(build(forced(), &["one", "two"]).good().digests(), run.digests());
    confuse(&stage, &run);
    let digest = |name: &str| format!("sha256:{}", run.images[name].manifest.digest);
    let wrong = build(forced(), &["one"]);
    wrong.said(
        "by force",
        &["template one", "not the same", &digest("one amd64"), &digest("two amd64"), "dmc check"],
    );
}
