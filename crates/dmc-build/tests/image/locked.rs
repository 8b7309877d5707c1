//! Locks: what is in them, and builds that are held to them.

use crate::stage::{BOTH, NOW, Run, STRANGER, Stage, act, build, changed, repository, suites};
use crate::work::{TOOL, acme, third_party};
use dmc_build::{Activity, Settings, read_lock};
use dmc_lock::{Lock, LockedPackage, PackageKey};
use dmc_testkit::{DebBuilder, FakeArchive, FakeSuite, Server};
use dmc_types::{Arch, Checksum, Sha256};
use std::fs;
use std::sync::Arc;

/// A second template, of fewer packages.
const LIBC: (&str, &str) = (
    "plain",
    "group = \"base\"\nsummary = \"x\"\nroots = [\"/usr/share/nginx/html/index.html\"]\n\
     packages = [\"nginx-common\"]\n",
);

fn locked(settings: Settings, templates: &[&str]) -> Run {
    act(Activity::Lock, settings, templates).good()
}

fn lock(stage: &Stage) -> Lock {
    read_lock(&stage.path("dmc.lock")).unwrap().unwrap()
}

/// The same settings, held to the lock that is in the stage.
fn held(stage: &Stage, settings: Settings) -> Settings {
    Settings { locked: Some(Arc::new(lock(stage))), ..settings }
}

/// Removes everything from the store but these shelves, and the layout.
fn forget(stage: &Stage, but: &[&str]) {
    for shelf in stage.path("store/v1").read_dir_utf8().unwrap() {
        let shelf = shelf.unwrap();
        if shelf.file_type().unwrap().is_dir() && !but.contains(&shelf.file_name()) {
            fs::remove_dir_all(shelf.path()).unwrap();
        }
    }
    // There may be none yet.
    let _ = fs::remove_dir_all(stage.path("out"));
}

fn versions(lock: &Lock, template: &str) -> Vec<String> {
    let image = lock.image(&template.parse().unwrap(), Arch::Amd64).unwrap();
    image.iter().map(|(key, row)| format!("{key} {}", row.version)).collect()
}

#[test]
fn a_locked_build_needs_the_debs_alone_and_gives_the_same_digests() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    locked(stage.settings(), &["nginx"]);
    forget(&stage, &["debs"]);
    stage.server.reset();
    let run = build(held(&stage, stage.settings()), &["nginx"]).good();
    assert_eq!(run.digests(), wanted);
    assert!(stage.server.requests().is_empty(), "{:?}", stage.server.requests());
    for shelf in ["/releases/", "/indices/", "/compiled/"] {
        assert!(stage.stored(shelf).is_empty(), "{shelf}");
    }
    let again = build(held(&stage, stage.settings()), &["nginx"]).good();
    assert_eq!((again.cached, again.digests()), (2, wanted.clone()));
    let report = act(Activity::Verify, held(&stage, stage.settings()), &["nginx"]).good();
    assert!(report.reports["nginx amd64"].is_good());
    // Without the packages these are fetched, and nothing else is.
    forget(&stage, &[]);
    assert_eq!(build(held(&stage, stage.settings()), &["nginx"]).good().digests(), wanted);
    let asked: Vec<_> = stage.server.requests().into_iter().map(|one| one.path).collect();
    assert!(asked.iter().all(|path| path.ends_with(".deb")), "{asked:?}");
    assert_eq!(asked.len(), lock(&stage).debs().count() - 1, "nginx-common is both's");
    // What a lock answers is not taken for what the archive does.
    stage.server.reset();
    assert_eq!(stage.build().good().digests(), wanted);
}

#[test]
fn only_what_answered_a_need_is_in_a_lock_in_the_order_of_names() {
    let stage = Stage::new();
    locked(stage.settings(), &["nginx", "nonroot"]);
    let text = fs::read_to_string(stage.path("dmc.lock")).unwrap();
    let names: Vec<&str> =
        text.lines().filter_map(|line| Some(line.split_once(" = { ")?.0)).collect();
    assert!(names.contains(&"nginx") && !names.contains(&"debconf"), "{names:?}");
    assert!(!names.contains(&"iproute2"), "{names:?}");
    let (amd64, arm64) = names.split_at(names.len() / 2);
    assert_eq!(amd64, arm64);
    assert!(amd64.is_sorted(), "{names:?}");
    let lock = lock(&stage);
    let release = &lock.releases[&"trixie".parse().unwrap()];
    assert_eq!((release.date, release.expired), (dmc_testkit::EPOCH, false));
    assert_eq!(lock.templates.len(), 2);
    // Locked again it is the same file, not merely an equal one.
    let before = fs::metadata(stage.path("dmc.lock")).unwrap().modified().unwrap();
    let run = locked(stage.settings(), &["nonroot"]);
    assert!(run.lock.unwrap().differences.iter().all(|image| image.changes.is_empty()));
    assert_eq!(fs::metadata(stage.path("dmc.lock")).unwrap().modified().unwrap(), before);
}

/// The archive a day later: its pcre2 is a newer one.
fn later() -> FakeArchive {
    let mut moved = suites();
    for suite in &mut moved {
        suite.date += 24 * 3600;
    }
    for (_, deb) in moved[0].debs.iter_mut().filter(|(_, deb)| deb.package() == "libpcre2-8-0") {
        *deb = deb.clone().at_version("10.46-2");
    }
    FakeArchive::of(&moved)
}

fn tomorrow(stage: &Stage) -> Settings {
    Settings { now: NOW + 24 * 3600, ..stage.settings_with("", &[LIBC]) }
}

#[test]
fn yesterdays_image_is_built_again_after_the_archive_has_moved() {
    let stage = Stage::new();
    let wanted = build(stage.settings_with("", &[LIBC]), &["nginx"]).good().digests();
    locked(stage.settings_with("", &[LIBC]), &["nginx", "plain"]);
    stage.server.serve(&later());
    let now = build(tomorrow(&stage), &["nginx"]).good().digests();
    assert_ne!(now, wanted);
    forget(&stage, &["debs"]);
    assert_eq!(build(held(&stage, tomorrow(&stage)), &["nginx"]).good().digests(), wanted);
    // What a new lock would change is told, and nothing is written.
    let before = fs::read(stage.path("dmc.lock")).unwrap();
    let told = act(Activity::CompareLock, tomorrow(&stage), &["nginx", "plain"]).good();
    assert_eq!(fs::read(stage.path("dmc.lock")).unwrap(), before);
    for image in told.lock.unwrap().differences {
        let changes: Vec<_> = image
            .changes
            .iter()
            .map(|change| {
                let version = |row: &Option<LockedPackage>| row.as_ref().unwrap().version.clone();
                format!("{} {} {}", change.package, version(&change.from), version(&change.to))
            })
            .collect();
        let expected: &[&str] = match image.template.as_str() {
            "nginx" => &["libpcre2-8-0 10.45-1 10.46-2"],
            _ => &[],
        };
        assert_eq!(changes, expected, "{} {}", image.template, image.arch);
    }
    // Locked again, it is today's image.
    locked(tomorrow(&stage), &["nginx"]);
    assert_eq!(build(held(&stage, tomorrow(&stage)), &["nginx"]).good().digests(), now);
    assert!(versions(&lock(&stage), "nginx").contains(&"libpcre2-8-0 10.46-2".to_owned()));
}

#[test]
fn a_template_that_is_locked_again_leaves_the_others_as_they_were() {
    const OTHER: (&str, &str) =
        ("other", "group = \"base\"\nsummary = \"x\"\nextends = [\"nginx\"]\n");
    let stage = Stage::new();
    let both = || stage.settings_with("", &[OTHER]);
    let wanted = build(both(), &["other"]).good().digests();
    locked(both(), &["nginx", "other"]);
    stage.server.serve(&later());
    let now = Settings { now: NOW + 24 * 3600, ..both() };
    locked(now.clone(), &["nginx"]);
    let told = |template| {
        let all = versions(&lock(&stage), template);
        all.into_iter().filter(|line| line.contains("pcre2")).collect::<Vec<_>>()
    };
    assert_eq!(told("nginx"), ["libpcre2-8-0 10.46-2"]);
    assert_eq!(told("other"), ["libpcre2-8-0=10.45-1 10.45-1"]);
    assert_eq!(build(held(&stage, now.clone()), &["other"]).good().digests(), wanted);
    locked(now, &["other"]);
    assert_eq!(told("other"), ["libpcre2-8-0 10.46-2"]);
}

#[test]
fn what_does_not_hold_is_named() {
    type Change = fn(&mut Lock, &mut Settings);
    const ASKS: (&str, &str) = (
        "asks",
        "group = \"base\"\nsummary = \"x\"\npackages = [\"debconf\"]\n\
         roots = [\"/usr/share/debconf/confmodule\"]\n",
    );
    let stage = Stage::new();
    let settings = || {
        let mut settings = stage.settings_with("", &[ASKS]);
        settings.conf.archs = vec![Arch::Amd64];
        settings
    };
    locked(settings(), &["nginx", "asks"]);
    let cases: [(&str, &str, Change); 10] = [
        ("output", "the output `image 1` of dmc", |lock, _| lock.output = "image 1".to_owned()),
        ("dist", "it is of bookworm@20250101T000000Z, and trixie is asked for", |lock, _| {
            lock.dist = "bookworm@20250101T000000Z".to_owned();
        }),
        ("rules", "the rules have changed since", |_, settings| settings.rules[0].1.push(b'\n')),
        ("template", "template nginx has changed since", |_, settings| {
            let text = fs::read_to_string(repository().join("templates/nginx/template.toml"));
            settings.catalog = crate::stage::catalog(&[("nginx", &(text.unwrap() + "\n"))]);
        }),
        ("small", "template nginx was locked without --small", |_, settings| {
            settings.variant.small = true;
        }),
        ("no template", "it does not have template nginx", |lock, _| lock.templates.clear()),
        ("no architecture", "it does not have template nginx for arm64", |_, settings| {
            settings.conf.archs = BOTH.to_vec();
        }),
        (
            "needed",
            "are not enough: template nginx: no package ships `libpcre2-8.so.0`",
            |lock, _| remove(lock, "libpcre2-8-0"),
        ),
        (
            "named",
            "template nginx needs package nginx on amd64, which it does not have",
            |lock, _| {
                remove(lock, "nginx");
            },
        ),
        ("idle", "template nginx does not need these packages on amd64: debconf", |lock, _| {
            let nginx = lock.templates.get_mut("nginx").unwrap();
            nginx.packages.get_mut(&Arch::Amd64).unwrap().insert("debconf".parse().unwrap());
        }),
    ];
    for (why, said, change) in cases {
        let mut settings = held(&stage, settings());
        let mut lock = lock(&stage);
        change(&mut lock, &mut settings);
        settings.locked = Some(Arc::new(lock));
        let run = build(settings, &["nginx"]);
        assert!(run.images.keys().all(|image| image == "nginx amd64" && why == "no architecture"));
        run.said(why, &[said]);
    }
}

fn remove(lock: &mut Lock, package: &str) {
    let key: PackageKey = package.parse().unwrap();
    for template in lock.templates.values_mut() {
        template.packages.values_mut().for_each(|keys| {
            keys.remove(&key);
        });
    }
}

#[test]
fn a_deb_that_is_not_the_locked_one_is_named() {
    let stage = Stage::new();
    locked(stage.settings(), &["nginx"]);
    let change = |change: fn(&mut LockedPackage)| {
        let mut lock = lock(&stage);
        let rows = lock.packages.get_mut(&Arch::Amd64).unwrap();
        change(rows.get_mut(&"zlib1g".parse::<PackageKey>().unwrap()).unwrap());
        fs::remove_dir_all(stage.path("store")).unwrap();
        build(Settings { locked: Some(Arc::new(lock)), ..stage.settings() }, &["nginx"])
    };
    change(|row| row.checksum = Checksum::Sha256(Sha256::from_bytes([7; 32])))
        .said("digest", &["zlib1g", "its digest is sha256:", "instead of sha256:0707"]);
    change(|row| row.size += 1).said("size", &["zlib1g", "bytes instead of"]);
    change(|row| row.version = "99".parse().unwrap())
        .said("version", &["zlib1g", "its Version is", "instead of `99`"]);
    change(|row| row.path = "pool/main/gone.deb".parse().unwrap())
        .said("gone", &["pool/main/gone.deb", "no such file"]);
}

#[test]
fn third_parties_whole_packages_and_extensions_are_locked_as_well() {
    let stage = Stage::new();
    let server = third_party(&STRANGER);
    let conf = acme(&stage, &server);
    let settings = || stage.settings_with(&conf, &[("tool", TOOL)]);
    let wanted = build(settings(), &["tool"]).good().digests();
    locked(settings(), &["tool"]);
    let rows = versions(&lock(&stage), "tool");
    assert!(rows.contains(&"tool@acme 9.1".to_owned()), "{rows:?}");
    forget(&stage, &[]);
    assert_eq!(build(held(&stage, settings()), &["tool"]).good().digests(), wanted);
    // Without the archive's address there is nowhere to fetch from.
    forget(&stage, &[]);
    build(held(&stage, stage.settings_with("", &[("tool", TOOL)])), &["tool"])
        .said("no address", &["acme"]);

    let stage = Stage::changed(|suite| suite.debs.extend(shells()));
    let small = || {
        let mut settings = stage.settings();
        settings.variant.small = true;
        settings
    };
    let wanted = build(small(), &["nginx"]).good().digests();
    locked(small(), &["nginx"]);
    let text = fs::read_to_string(stage.path("dmc.lock")).unwrap();
    assert!(text.contains("\nsmall = true\n") && text.contains("\nshell = {"), "{text}");
    forget(&stage, &["debs"]);
    assert_eq!(build(held(&stage, small()), &["nginx"]).good().digests(), wanted);
}

fn shells() -> Vec<(String, DebBuilder)> {
    let shell = |arch: Arch| {
        let deb = DebBuilder::new("shell", "1-1", arch.name())
            .field("Essential", "yes")
            .field("Depends", "no-such-shell-library | libpcre2-8-0")
            .file("/etc/ld.so.cache", "a cache")
            .executable("/usr/bin/sh", "#!/usr/sbin/nginx\n");
        ("main".to_owned(), deb)
    };
    BOTH.map(shell).into()
}

#[test]
fn packages_that_only_led_to_others_are_not_needed_in_a_lock() {
    // The program needs a library of a package that another, empty one depends on; a pattern
    // matches that package as well.
    const LED: (&str, &str) = (
        "led",
        "group = \"base\"\nsummary = \"x\"\npackages = [\"leader\"]\nroots = [\"/usr/bin/led\"]\n\
         packages_like = [\"libfar*\"]\n",
    );
    let debs = BOTH.map(|arch| {
        let library = dmc_testkit::ElfBuilder::library(arch, "libfar.so.1").build();
        let program =
            dmc_testkit::ElfBuilder::program(arch).needs("libfar.so.1").needs("libc.so.6");
        let path = format!("/usr/lib/{}/libfar.so.1", arch.triplet());
        let with = |deb: DebBuilder| {
            let path = format!("/usr/share/doc/{}/copyright", deb.package());
            deb.file(&path, "License\n")
        };
        let deb = |name: &str| with(DebBuilder::new(name, "1-1", arch.name()));
        [
            deb("leader")
                .field("Depends", "between, libc6")
                .executable("/usr/bin/led", program.build()),
            deb("between").field("Depends", "libfar1"),
            deb("libfar1").file(&path, library),
        ]
    });
    let add = |suite: &mut FakeSuite| {
        suite.debs.extend(debs.iter().flatten().map(|deb| ("main".to_owned(), deb.clone())));
    };
    let stage = Stage::with(&changed(add));
    let settings = || stage.settings_with("", &[LED]);
    let wanted = build(settings(), &["led"]).good().digests();
    locked(settings(), &["led"]);
    let rows = versions(&lock(&stage), "led");
    assert!(!rows.iter().any(|row| row.starts_with("between")), "{rows:?}");
    forget(&stage, &["debs"]);
    assert_eq!(build(held(&stage, settings()), &["led"]).good().digests(), wanted);
}

#[test]
fn another_archive_among_the_machines_does_not_keep_packages_from_being_found() {
    let stage = Stage::new();
    locked(stage.settings(), &["nginx"]);
    stage.server.reset();
    let empty = Server::start(&FakeArchive::of(&[]));
    let sources = stage.path("machine/etc/apt/sources.list");
    fs::create_dir_all(sources.parent().unwrap()).unwrap();
    fs::write(sources, format!("deb {} stable main\n", empty.url())).unwrap();
    forget(&stage, &[]);
    build(held(&stage, stage.settings()), &["nginx"]).good();
    let asked: Vec<_> = empty.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked.len(), stage.packages_fetched().len(), "each once: {asked:?}");
}

#[test]
fn what_the_archive_has_thrown_away_is_fetched_from_where_its_past_is_kept() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    locked(stage.settings(), &["nginx"]);
    stage.server.serve(&later());
    forget(&stage, &[]);
    // A day after the releases, which is no later than now.
    let past = Server::start_at("/20250902T120000Z", &crate::stage::HONEST);
    let url = past.url();
    let base = url.trim_end_matches("/20250902T120000Z");
    let conf = format!(
        "[vendor.debian.snapshots]\nmain = \"{base}/{{time}}\"\nsecurity = \"{base}/{{time}}\"\n"
    );
    let mut settings = stage.settings_with(&conf, &[]);
    settings.now = NOW + 30 * 24 * 3600;
    assert_eq!(build(held(&stage, settings), &["nginx"]).good().digests(), wanted);
    let asked: Vec<_> = past.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked.len(), 2, "pcre2 of both architectures: {asked:?}");
}

#[test]
fn a_lock_is_renewed_as_a_whole_where_what_chose_it_has_changed() {
    let stage = Stage::new();
    let settings = || stage.settings_with("", &[LIBC]);
    locked(settings(), &["nginx", "plain"]);
    let before = fs::read(stage.path("dmc.lock")).unwrap();
    let mut other = settings();
    other.rules[0].1.push(b'\n');
    act(Activity::Lock, other.clone(), &["nginx"])
        .said("in part", &["the rules changed since", "plain on amd64, plain on arm64"]);
    assert_eq!(fs::read(stage.path("dmc.lock")).unwrap(), before);
    locked(other.clone(), &["nginx", "plain"]);
    build(held(&stage, other), &["plain"]).good();
}

#[test]
fn a_template_that_cannot_be_locked_keeps_its_entry_and_the_others_are_renewed() {
    let stage = Stage::new();
    let settings = || stage.settings_with("", &[LIBC]);
    locked(settings(), &["nginx", "plain"]);
    stage.server.serve(&changed(|suite| {
        suite.date += 60;
        suite.debs.retain(|(_, deb)| deb.package() != "libpcre2-8-0");
    }));
    let run = act(Activity::Lock, settings(), &["nginx", "plain"]);
    assert_eq!(run.failures.len(), 1, "{:?}", run.failures);
    let lock = lock(&stage);
    assert_eq!(lock.templates.len(), 2);
    assert!(versions(&lock, "nginx").contains(&"libpcre2-8-0 10.45-1".to_owned()));
    assert_eq!(lock.releases[&"trixie".parse().unwrap()].date, dmc_testkit::EPOCH + 60);
}

#[test]
fn a_lock_of_a_dated_archive_says_so_and_leads_back_to_it() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    let past = Server::start_at("/20250902T120000Z", &crate::stage::HONEST);
    let url = past.url();
    let base = url.trim_end_matches("/20250902T120000Z");
    let conf = format!(
        "[vendor.debian.snapshots]\nmain = \"{base}/{{time}}\"\nsecurity = \"{base}/{{time}}\"\n"
    );
    let settings = || {
        let mut settings = stage.settings_with(&conf, &[]);
        settings.now = NOW + 30 * 24 * 3600;
        settings.snapshot = Some("20250902T120000Z".parse().unwrap());
        settings
    };
    locked(settings(), &["nginx"]);
    assert_eq!(lock(&stage).dist, "trixie@20250902T120000Z");
    forget(&stage, &[]);
    stage.server.reset();
    past.reset();
    assert_eq!(build(held(&stage, settings()), &["nginx"]).good().digests(), wanted);
    assert!(stage.server.requests().is_empty());
    assert!(past.requests().iter().all(|request| request.path.ends_with(".deb")));
}
