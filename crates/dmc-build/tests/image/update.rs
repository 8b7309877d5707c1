//! What a moved archive asks to be built again, and what it leaves alone.

use crate::stage::{BOTH, NOW, Run, STRANGER, Stage, act, build, files, replace, suites};
use crate::work::{TOOL, acme, renewed, third_party};
use dmc_build::{Activity, Change, Input, Outdated, Settings, State};
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
    let strict = Settings { strict: true, ..stage.settings() };
    for (why, settings) in [("rules", rules), ("verifying", verify), ("strict", strict)] {
        let run = build(settings, &["nginx"]).good();
        assert_eq!((run.cached, run.digests()), (0, before.digests()), "{why}");
    }
    let zstd = Settings { compression: "zstd:1".parse().unwrap(), ..stage.settings() };
    let dated = Settings { epoch: Some(1), ..stage.settings() };
    for (why, settings) in [("zstd", zstd), ("an earlier date", dated)] {
        let run = build(settings.clone(), &["nginx"]).good();
        assert_ne!(run.digests(), before.digests(), "{why}");
        assert_eq!((run.cached, build(settings, &["nginx"]).good().cached), (0, 2), "{why}");
    }
    let again = stage.build().good();
    assert_eq!((again.cached, again.digests()), (2, before.digests()), "each has its own memory");
}

#[test]
fn a_damaged_index_is_made_again_for_whoever_compares() {
    let stage = Stage::new();
    stage.build().good();
    let archive = later(|suites| newer(&mut suites[0], "iproute2", "6.16-1"));
    stage.server.serve(&archive);
    act(Activity::Update, tomorrow(&stage), &["nginx"]).good();
    // The entries come before the tables; the tables alone are checked when an index is opened.
    for path in stage.stored("/compiled/") {
        let mut bytes = fs::read(&path).unwrap();
        let entries = bytes.len() / 4..bytes.len() / 2;
        bytes[entries].iter_mut().for_each(|byte| *byte ^= 0x20);
        fs::write(&path, bytes).unwrap();
    }
    let [amd64, _] = states(tomorrow(&stage));
    assert!(
        matches!(&amd64, State::Outdated(outdated) if outdated.searched.len() == 1),
        "{amd64:?}"
    );
    build(tomorrow(&stage), &["nginx"]).good();
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

/// How nginx's image for amd64 stands, and the other one.
fn states(settings: Settings) -> [State; 2] {
    let standings = act(Activity::Update, settings, &["nginx"]).good().standings;
    let states: Vec<State> = standings.into_iter().map(|standing| standing.state).collect();
    states.try_into().unwrap()
}

fn change(what: &str, from: &str, to: &str) -> Change {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Change { what: what.to_owned(), from: some(from), to: some(to) }
}

#[test]
fn update_says_what_changed_and_whether_a_file_can() {
    let stage = Stage::new();
    assert_eq!(states(stage.settings()), [State::NotBuilt, State::NotBuilt]);
    stage.build().good();
    assert_eq!(states(stage.settings()), [State::UpToDate, State::UpToDate]);
    let archive = later(|suites| {
        let openssl = ("libssl3t64", "amd64");
        replace(&mut suites[0], openssl, |old| renewed(&old, "3.5.4-1~deb13u1"));
        newer(&mut suites[0], "iproute2", "6.16-1");
    });
    stage.server.serve(&archive);
    let [amd64, arm64] = states(tomorrow(&stage));
    let searched = vec![change("iproute2", "6.15.0-1", "6.16-1")];
    let State::Outdated(amd64) = amd64 else { panic!("{amd64:?}") };
    assert_eq!(amd64.shipped, [change("libssl3t64", "3.5.1-1", "3.5.4-1~deb13u1")]);
    assert_eq!(amd64.searched, searched);
    assert!(amd64.files_can_change());
    let State::Outdated(arm64) = arm64 else { panic!("{arm64:?}") };
    assert_eq!(arm64, Outdated { searched, ..Outdated::default() });
    assert!(!arm64.files_can_change());
    build(tomorrow(&stage), &["nginx"]).good();
    assert_eq!(states(tomorrow(&stage)), [State::UpToDate, State::UpToDate]);
}

#[test]
fn update_names_other_inputs_than_packages() {
    let stage = Stage::new();
    stage.build().good();
    let mut rules = stage.settings();
    rules.rules.push(("more.toml".to_owned(), b"# nothing\n".to_vec()));
    let strict = Settings { strict: true, ..stage.settings() };
    for (settings, wanted) in [(rules, Input::Rules), (strict, Input::Settings)] {
        let outdated = Outdated { inputs: vec![wanted], ..Outdated::default() };
        let wanted = State::Outdated(outdated);
        assert_eq!(states(settings), [wanted.clone(), wanted]);
    }
    assert_eq!(states(stage.settings()), [State::UpToDate, State::UpToDate]);
}

#[test]
fn an_emptied_store_still_knows_an_images_packages() {
    let stage = Stage::new();
    stage.build().good();
    fs::remove_dir_all(stage.path("store/v1/records")).unwrap();
    assert_eq!(states(stage.settings()), [State::UpToDate, State::UpToDate]);
    stage.server.serve(&later(|suites| newer(&mut suites[0], "gcc-14-base", "14.2.0-20")));
    let changes = vec![change("gcc-14-base", "14.2.0-19", "14.2.0-20")];
    let outdated = State::Outdated(Outdated { shipped: changes, ..Outdated::default() });
    assert_eq!(states(tomorrow(&stage)), [outdated.clone(), outdated]);
}

#[test]
fn a_third_partys_package_is_compared_with_its_own_archive() {
    let stage = Stage::new();
    let server = third_party(&STRANGER);
    let settings = stage.settings_with(&acme(&stage, &server), &[("tool", TOOL)]);
    build(settings.clone(), &["tool"]).good();
    for records in ["there", "gone"] {
        let run = act(Activity::Update, settings.clone(), &["tool"]).good();
        let told = run.standings.iter().all(|standing| standing.state == State::UpToDate);
        assert!(told, "records are {records}: {:?}", run.standings);
        drop(fs::remove_dir_all(stage.path("store/v1/records")));
    }
}

#[test]
fn nothing_is_opened_where_no_release_moved() {
    let stage = Stage::new();
    stage.build().good();
    stage.server.reset();
    // An index that is opened like this is thrown away and made again.
    let compiled = stage.stored("/compiled/");
    assert!(!compiled.is_empty());
    for path in &compiled {
        fs::write(path, "").unwrap();
    }
    assert_eq!(states(stage.settings()), [State::UpToDate, State::UpToDate]);
    assert_eq!(stage.build().good().cached, 2);
    assert!(compiled.iter().all(|path| fs::read(path).unwrap().is_empty()));
    assert_eq!(stage.server.requests().len(), 6, "two times three releases");
}
