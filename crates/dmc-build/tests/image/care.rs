//! Store and layout thinned out, read again and repaired.

use crate::layer;
use crate::stage::{NOW, Stage, build, changed, files, json, named, replace, runtime, suites};
use camino::{Utf8Path, Utf8PathBuf};
use dmc_archive::store::Limits;
use dmc_archive::{Progress, Quiet};
use dmc_build::{BuildError, Checkup, Cleaned, Cure, Reach, Settings, Workshop};
use dmc_lock::{Lock, LockedPackage, PackageKey};
use dmc_testkit::FakeArchive;
use dmc_types::{Arch, Checksum};
use std::fs::{self, File};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_hours(24);

fn workshop(settings: Settings) -> Arc<Workshop> {
    let progress: Arc<dyn Progress> = Arc::new(Quiet);
    Arc::new(Workshop::open(settings, Reach::Everything, &progress).unwrap())
}

fn clean(settings: Settings, limits: Limits, looks: bool) -> Cleaned {
    workshop(settings).clean(&limits, None, looks).unwrap()
}

fn check(settings: Settings, repairs: bool) -> Checkup {
    runtime().block_on(workshop(settings).check(None, repairs)).unwrap()
}

/// Makes everything look as if it had last been used so long ago.
fn age(stage: &Stage, by: Duration) {
    let then = SystemTime::now() - by;
    for path in everything(stage) {
        File::open(&path).unwrap().set_modified(then).unwrap();
    }
}

fn everything(stage: &Stage) -> Vec<Utf8PathBuf> {
    [files(&stage.path("store")), files(&stage.path("out"))].concat()
}

fn flip(path: &Utf8Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// The archive a day later, with another zlib1g for each architecture.
fn moved() -> FakeArchive {
    let mut later = suites();
    later[0].date += 24 * 3600;
    for arch in ["amd64", "arm64"] {
        replace(&mut later[0], ("zlib1g", arch), |old| old.field("Description", "a new one"));
    }
    FakeArchive::of(&later)
}

fn tomorrow(stage: &Stage) -> Settings {
    Settings { now: NOW + 24 * 3600, ..stage.settings() }
}

#[test]
fn cleaning_removes_what_no_image_refers_to_and_nothing_that_a_build_needs() {
    let stage = Stage::new();
    stage.build().good();
    stage.server.serve(&moved());
    let wanted = build(tomorrow(&stage), &["nginx"]).good().digests();
    let before = everything(&stage);
    assert_eq!(clean(stage.settings(), Limits::default(), false).gone, [], "it is in use");
    age(&stage, DAY);
    let listed = clean(stage.settings(), Limits::default(), true);
    assert!(everything(&stage) == before, "a list removes nothing");
    let cleaned = clean(stage.settings(), Limits::default(), false);
    assert_eq!(listed, cleaned);
    let gone = |of: &str| cleaned.gone.iter().filter(|gone| gone.of == of).count();
    for (of, files) in [("debs", 2), ("contents", 2), ("facts", 2), ("indices", 2), ("compiled", 2)]
    {
        assert_eq!(gone(of), files, "{of}: {:#?}", cleaned.gone);
    }
    assert_eq!((gone("releases"), gone("records"), gone("pieces")), (0, 0, 0));
    assert!(gone("layout") >= 7, "{:#?}", cleaned.gone);
    assert_eq!(everything(&stage).len() + cleaned.gone.len(), before.len());
    assert!(!check(stage.settings(), false).is_bad());
    for folder in ["store/v1/records", "out"] {
        fs::remove_dir_all(stage.path(folder)).unwrap();
    }
    stage.server.reset();
    assert_eq!(build(tomorrow(&stage), &["nginx"]).good().digests(), wanted);
    assert_eq!(stage.packages_fetched(), [""; 0], "what it needs is there");
}

#[test]
fn age_and_size_limit_what_goes() {
    let stage = Stage::new();
    stage.build().good();
    age(&stage, 40 * DAY);
    let limits =
        |days: Option<u32>, max_size| Limits { older_than: days.map(|d| d * DAY), max_size };
    assert_eq!(clean(stage.settings(), limits(Some(50), None), false).gone, []);
    let caches = clean(stage.settings(), limits(Some(5), None), true);
    let kinds = ["pieces", "records", "indices", "compiled"];
    assert!(!caches.gone.is_empty() && caches.gone.iter().all(|it| kinds.contains(&it.of)));
    let all = clean(stage.settings(), limits(None, Some(0)), false);
    let kept = [stage.stored("/v1/format"), stage.stored("/releases/")].concat();
    assert_eq!(files(&stage.path("store")), kept, "the releases tell a rollback");
    assert_eq!(all.left.files, stage.stored("/releases/").len() as u64);
    let wanted = stage.build().good();
    assert!(!check(stage.settings(), false).is_bad());
    assert_eq!(stage.build().good().digests(), wanted.digests());
}

/// A lock of one package.
fn lock_of(stage: &Stage) -> Lock {
    let deb = stage.stored("/debs/").remove(0);
    let digest = deb.file_stem().unwrap().parse().unwrap();
    let mut lock = Lock::new("image", "trixie", crate::stage::sha256(b"rules"));
    let package = LockedPackage {
        version: "1".parse().unwrap(),
        arch: None,
        size: 1,
        checksum: Checksum::Sha256(digest),
        suite: dmc_lock::SuiteKey { suite: "trixie".parse().unwrap(), archive: None },
        path: "pool/x.deb".parse().unwrap(),
    };
    let key = PackageKey::new("xx".parse().unwrap(), None);
    lock.packages.entry(Arch::Amd64).or_default().insert(key, package);
    lock
}

#[test]
fn a_lock_keeps_its_packages_and_without_any_reference_nothing_goes() {
    let stage = Stage::new();
    stage.build().good();
    let (lock, before) = (lock_of(&stage), stage.stored("/debs/"));
    age(&stage, DAY);
    fs::remove_dir_all(stage.path("out")).unwrap();
    let refused = workshop(stage.settings()).clean(&Limits::default(), None, false).unwrap_err();
    assert!(matches!(refused, BuildError::NothingRefers { .. }), "{refused}");
    assert!(refused.hint().is_some() && refused.is_usage());
    assert_eq!(stage.stored("/debs/"), before);
    let cleaned = workshop(stage.settings()).clean(&Limits::default(), Some(&lock), false);
    cleaned.unwrap();
    assert_eq!(stage.stored("/debs/"), before[..1]);
    assert_eq!(stage.stored("/contents/").len(), 1);
}

#[test]
fn cleaning_beside_a_build_takes_nothing_from_it() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    let all = Limits { older_than: Some(Duration::ZERO), max_size: Some(0) };
    for _ in 0..4 {
        age(&stage, 2 * Duration::from_hours(1));
        for folder in ["store/v1/records", "out"] {
            drop(fs::remove_dir_all(stage.path(folder)));
        }
        let settings = stage.settings();
        let cleaning = std::thread::spawn(move || {
            let workshop = workshop(settings);
            (0..40).map(|_| workshop.clean(&all, None, false).unwrap().gone.len()).sum::<usize>()
        });
        assert_eq!(stage.build().good().digests(), wanted);
        assert!(cleaning.join().unwrap() > 0, "it had something to do");
    }
}

#[test]
fn a_record_that_cannot_be_read_stops_it_before_anything_goes() {
    let stage = Stage::new();
    stage.build().good();
    age(&stage, DAY);
    let record = files(&stage.path("out/dmc")).remove(0);
    fs::write(&record, "{").unwrap();
    let workshop = workshop(stage.settings());
    let before = everything(&stage);
    let refused = workshop.clean(&Limits::default(), None, false).unwrap_err();
    assert!(refused.to_string().contains(record.as_str()), "{refused}");
    assert!(everything(&stage) == before);
}

#[test]
fn damage_of_each_kind_is_found_and_repaired() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    let sound = check(stage.settings(), true);
    assert!(sound.findings.is_empty(), "{sound:#?}");
    assert_eq!(sound.read.len(), 9, "every shelf but broken downloads, and the layout");
    let kinds =
        ["/debs/", "/facts/", "/contents/", "/compiled/", "/indices/", "/pieces/", "/records/"];
    let kinds = kinds.iter().map(|kind| (*kind, stage.stored(kind)));
    let layout =
        [("/blobs/", files(&stage.path("out/blobs"))), ("/dmc/", files(&stage.path("out/dmc")))];
    for (kind, paths) in kinds.chain(layout) {
        let is_cache = ["/pieces/", "/records/", "/indices/"].contains(&kind);
        for path in paths.iter().take(if kind == "/blobs/" { 7 } else { 2 }) {
            let whole = fs::read(path).unwrap();
            if kind == "/dmc/" {
                fs::write(path, "{").unwrap();
            } else {
                flip(path);
            }
            let found = check(stage.settings(), false);
            assert_eq!(found.findings.len(), 1, "{path}: {:#?}", found.findings);
            assert!(found.is_bad() && found.findings[0].cure == Cure::None);
            assert!(fs::read(path).unwrap() != whole, "a look changes nothing");
            let repaired = check(stage.settings(), true);
            assert!(!repaired.is_bad(), "{path}: {:#?}", repaired.findings);
            let cure = if is_cache { Cure::Removed } else { Cure::Restored };
            assert_eq!(repaired.findings[0].cure, cure, "{path}");
            assert!(is_cache || fs::read(path).unwrap() == whole, "{path}");
            assert!(check(stage.settings(), false).findings.is_empty(), "{path}");
        }
    }
    assert_eq!(stage.build().good().digests(), wanted);
}

#[test]
fn what_nobody_has_any_more_is_lost_and_said_so() {
    let stage = Stage::new();
    let run = stage.build().good();
    let names = named(&stage.path("out"));
    stage.server.serve(&moved());
    let record = json(&files(&stage.path("out/dmc"))[0]);
    let zlib = record["packages"]["zlib1g"]["deb"].as_str().unwrap();
    flip(&stage.path(&format!("store/v1/debs/{zlib}.deb")));
    let layers = run.images.values().map(|image| layer::path(&stage.path("out"), image));
    layers.for_each(|layer| flip(&layer));
    let found = check(tomorrow(&stage), true);
    let lost: Vec<&str> = found
        .findings
        .iter()
        .filter_map(|one| match &one.cure {
            Cure::Lost { why, hint } => hint.as_ref().map(|_| why.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(lost.len(), 3, "{:#?}", found.findings);
    for part in ["does not have that zlib1g", "no longer the image of nginx:1"] {
        assert!(lost.iter().any(|why| why.contains(part)), "no `{part}` in {lost:?}");
    }
    assert_eq!(named(&stage.path("out")), names, "no tag moves");
    build(tomorrow(&stage), &["nginx"]).good();
}

#[test]
fn only_architectures_that_were_built_are_built_again() {
    let stage = Stage::new();
    let mut settings = stage.settings();
    settings.conf.archs = vec![Arch::Amd64];
    build(settings, &["nginx"]).good();
    stage.server.reset();
    let blobs = files(&stage.path("out/blobs"));
    for path in &blobs {
        flip(path);
        let found = check(stage.settings(), true);
        assert_eq!(found.findings.len(), 1, "{:#?}", found.findings);
        assert_eq!(found.findings[0].cure, Cure::Restored, "{path}");
    }
    assert!(files(&stage.path("out/blobs")) == blobs);
    assert_eq!(stage.packages_fetched(), [""; 0]);
}

#[test]
fn a_memory_of_a_release_that_is_damaged_is_not_passed_over() {
    let stage = Stage::new();
    stage.build().good();
    flip(&stage.stored("_accepted")[0]);
    let found = check(stage.settings(), true);
    assert!(found.is_bad() && found.findings.len() == 1, "{:#?}", found.findings);
    assert!(matches!(&found.findings[0].cure, Cure::Lost { hint: Some(_), .. }));
    assert!(!check(stage.settings(), true).is_bad(), "it is said once");
}

#[test]
fn without_the_network_what_is_damaged_goes_and_is_told_as_lost() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    for kind in ["/debs/", "/compiled/"] {
        flip(&stage.stored(kind)[0]);
    }
    for path in ["dists/trixie/InRelease", "dists/trixie-security/InRelease"] {
        stage.server.break_for_good(path, dmc_testkit::Fault::status(404));
    }
    let found = check(stage.settings(), true);
    assert!(found.findings.iter().all(|one| matches!(one.cure, Cure::Lost { .. })), "{found:#?}");
    assert_eq!(found.findings.len(), 2);
    stage.server.reset();
    stage.server.serve(&changed(|_| {}));
    assert!(!check(stage.settings(), true).is_bad());
    assert_eq!(stage.build().good().digests(), wanted);
}
