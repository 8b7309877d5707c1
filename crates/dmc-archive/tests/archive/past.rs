//! What a release has to stand up to besides its signature: what was accepted before, what is
//! known before anything was, the moment that is asked for.

use crate::stage::{KEY, STRANGER, Stage, honest, main_suite, quick, refused, security_suite};
use dmc_archive::release::{News, Owner};
use dmc_archive::{ArchiveError, ArchiveSpec, Floor, Role, ShippedKeyring};
use dmc_testkit::{EPOCH, FakeArchive, FakeSuite, Server, SigningKey};
use reqwest::Url;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn with(main: FakeSuite) -> FakeArchive {
    FakeArchive::of(&[main, security_suite()])
}

fn floor(date: i64) -> Floor {
    Floor {
        owner: Owner::Vendor(Role::Main),
        suite: "trixie".parse().unwrap(),
        date,
        signer: None,
        from: "the floors of a test".into(),
    }
}

/// What a run comes to: how each release stands to the one before.
async fn news(stage: &Stage, spec: ArchiveSpec) -> Result<Vec<News>, ArchiveError> {
    let archive = stage.run_with(spec, quick());
    archive.releases().await.map(|all| all.iter().map(|release| release.news).collect())
}

#[tokio::test]
async fn another_mirror_does_not_take_a_suite_back_in_time() {
    let newer = FakeSuite { date: EPOCH + 1800, ..main_suite() };
    let stage = Stage::with(with(newer));
    let behind = Server::start(&honest());
    let here = || stage.spec();
    let there = || ArchiveSpec { mirror: Some(behind.url().parse().unwrap()), ..stage.spec() };
    assert_eq!(news(&stage, here()).await.unwrap(), [News::First; 2]);
    refused(news(&stage, there()).await, "behind", &["`trixie`", "1 h older", &behind.url()]);
    let mut accepting = there();
    accepting.accept_rollback.insert("trixie".parse().unwrap());
    assert_eq!(news(&stage, accepting).await.unwrap(), [News::Changed, News::Unchanged]);
    assert_eq!(news(&stage, there()).await.unwrap(), [News::Unchanged; 2], "it was accepted");
    let archive = stage.run_with(here(), quick());
    let releases = archive.releases().await.unwrap();
    assert_eq!(releases[0].moved_from(), Some(EPOCH));
    assert_eq!(releases[1].moved_from(), None);
}

#[tokio::test]
async fn below_the_floor_nothing_is_accepted_even_by_an_empty_store() {
    let parts =
        ["`trixie`", "2025-09-01T12:00:00Z", "the floors of a test says 2025-09-01T12:00:01Z"];
    for (why, floors, wanted) in [
        ("none", vec![], Ok(())),
        ("as old as it may be", vec![floor(EPOCH)], Ok(())),
        ("too old by a second", vec![floor(EPOCH), floor(EPOCH + 1)], Err(())),
        (
            "another's",
            vec![Floor { owner: Owner::ThirdParty("x".into()), ..floor(EPOCH + DAY) }],
            Ok(()),
        ),
        (
            "another suite's",
            vec![Floor { suite: "sid".parse().unwrap(), ..floor(EPOCH + DAY) }],
            Ok(()),
        ),
    ] {
        let stage = Stage::new();
        let spec = ArchiveSpec { floors, ..stage.spec() };
        match (news(&stage, spec.clone()).await, wanted) {
            (Ok(_), Ok(())) => {}
            (result, Err(())) => {
                let hint = result.as_ref().unwrap_err().hint().unwrap();
                assert!(hint.contains("--accept-rollback trixie"), "{hint}");
                refused(result, why, &parts);
                assert!(
                    !stage.stored().iter().any(|path| path.as_str().contains("trixie_")),
                    "{why}"
                );
                let mut spec = spec;
                spec.accept_rollback.insert("trixie".parse().unwrap());
                news(&stage, spec).await.unwrap();
            }
            (result, Ok(())) => panic!("{why}: {:?}", result.unwrap_err()),
        }
    }
    // What is remembered is no excuse: a lock may know more than the store.
    let stage = Stage::new();
    news(&stage, stage.spec()).await.unwrap();
    let spec = ArchiveSpec { floors: vec![floor(EPOCH + 1)], ..stage.spec() };
    refused(news(&stage, spec).await, "remembered", &parts);
}

/// The specification of a machine whose keyring has both keys.
fn both_known(stage: &Stage) -> ArchiveSpec {
    let mut spec = stage.spec();
    let bytes = STRANGER.public_binary();
    spec.vendor
        .keyrings
        .shipped
        .push(ShippedKeyring { name: "stranger".into(), bytes: bytes.into() });
    spec
}

fn signed(at: i64, keys: &[&SigningKey], successors: Vec<String>) -> FakeSuite {
    let keys = keys.iter().map(|key| (*key).clone()).collect();
    FakeSuite { date: EPOCH + at, keys, successors, ..main_suite() }
}

#[tokio::test]
async fn a_new_key_is_refused_until_it_is_accepted_or_was_announced() {
    let (old, new): (&SigningKey, &SigningKey) = (&KEY, &STRANGER);
    let fingerprint = new.fingerprint();
    let named = vec![format!("{}!", new.signing_fingerprint().to_lowercase())];
    for (why, releases, wanted) in [
        ("another key", vec![(vec![old], vec![]), (vec![new], vec![])], false),
        ("the same beside another", vec![(vec![old], vec![]), (vec![new, old], vec![])], true),
        (
            "one of the two of last time",
            vec![(vec![old], vec![]), (vec![old, new], vec![]), (vec![new], vec![])],
            true,
        ),
        ("announced by Signed-By", vec![(vec![old], named.clone()), (vec![new], vec![])], true),
        ("announced by itself", vec![(vec![old], vec![]), (vec![new], named)], false),
    ] {
        let mut stage = Stage::with(FakeArchive::default());
        let last = releases.len() - 1;
        for (at, (keys, successors)) in releases.into_iter().enumerate() {
            let suite = signed(i64::try_from(at).unwrap(), &keys, successors);
            stage.change(|archive| *archive = with(suite));
            let result = news(&stage, both_known(&stage)).await;
            if at < last || wanted {
                result.unwrap_or_else(|error| panic!("{why}, {at}: {error}"));
                continue;
            }
            let hint = result.as_ref().unwrap_err().hint().unwrap();
            assert!(hint.contains(&format!("--accept-key {fingerprint}")), "{hint}");
            refused(result, why, &[&fingerprint, &old.fingerprint(), "read last"]);
            let mut spec = both_known(&stage);
            spec.accept_keys.insert(fingerprint.clone());
            assert_eq!(news(&stage, spec).await.unwrap()[0], News::Changed, "{why}");
            news(&stage, both_known(&stage)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_signer_of_a_lock_is_pinned_where_the_store_remembers_none() {
    let stage = Stage::new();
    let pinned = |key: &SigningKey| {
        let signer = Some(key.fingerprint());
        ArchiveSpec { floors: vec![Floor { signer, ..floor(0) }], ..stage.spec() }
    };
    let parts = [&*KEY.fingerprint(), &*STRANGER.fingerprint(), "in the floors of a test"];
    refused(news(&stage, pinned(&STRANGER)).await, "another", &parts);
    news(&stage, pinned(&KEY)).await.unwrap();
    news(&stage, pinned(&STRANGER)).await.unwrap();
}

#[tokio::test]
async fn keys_are_shown_with_what_they_sign() {
    let stage = Stage::new();
    for pinned in [false, true] {
        let archive = stage.run_with(both_known(&stage), quick());
        let keys = archive.keys().await.unwrap();
        let shown: Vec<_> = keys
            .iter()
            .map(|key| (key.certificate.user.as_str(), key.files.join(" "), key.signs.len()))
            .collect();
        assert_eq!(shown, [("archive", "test".into(), 2), ("stranger", "stranger".into(), 0)]);
        assert!(keys[0].signs.iter().all(|signs| signs.pinned == pinned));
        assert_eq!(keys[0].certificate.fingerprint, KEY.fingerprint());
    }
}

/// A dated archive, read a year later.
fn dated(stage: &Stage, at: i64) -> ArchiveSpec {
    let spec = stage.spec();
    ArchiveSpec { snapshot: Some(EPOCH + at), now: EPOCH + 365 * DAY, ..spec }
}

#[tokio::test]
async fn a_snapshot_is_judged_as_of_its_moment() {
    let stage = Stage::new();
    // Neither the mirror that was asked for nor a floor counts.
    let mut spec = dated(&stage, 2 * DAY);
    spec.mirror = Some(Url::parse("http://127.0.0.1:9/").unwrap());
    spec.floors.push(floor(EPOCH + 300 * DAY));
    assert_eq!(news(&stage, spec).await.unwrap(), [News::First; 2]);
    let late = news(&stage, dated(&stage, 8 * DAY)).await;
    refused(late, "past its end", &["`trixie-security` expired", "the snapshot is of 2025-09-09"]);
    let early = news(&stage, dated(&stage, -DAY)).await;
    assert!(early.as_ref().unwrap_err().hint().unwrap().contains("snapshots"));
    refused(early, "of later", &["trixie", "the snapshot is of 2025-08-31"]);
    refused(
        news(&stage, ArchiveSpec { snapshot: None, ..dated(&stage, 0) }).await,
        "now",
        &["expired"],
    );
}

#[tokio::test]
async fn a_key_that_has_expired_since_still_counts_for_its_time() {
    let key = SigningKey::expiring("then", EPOCH + 30 * DAY);
    let suites = [main_suite(), security_suite()];
    let suites = suites.map(|suite| FakeSuite { keys: vec![key.clone()], ..suite });
    let stage = Stage::with(FakeArchive::of(&suites));
    let mut spec = dated(&stage, HOUR);
    spec.vendor.keyrings.shipped[0].bytes = key.public_binary().into();
    news(&stage, spec.clone()).await.unwrap();
    spec.vendor.keyrings.shipped[0].bytes = key.revoked().public_binary().into();
    refused(news(&stage, spec.clone()).await, "revoked since", &["revoked"]);
    spec.vendor.keyrings.shipped[0].bytes = key.public_binary().into();
    spec.snapshot = None;
    refused(news(&stage, spec).await, "now", &["expired"]);
}

#[tokio::test]
async fn a_snapshot_has_a_memory_of_its_own() {
    let stage = Stage::new();
    let named = |at: i64| {
        let mut spec = dated(&stage, at);
        for site in &mut spec.vendor.sites {
            site.name = format!("{}@{at}", site.name);
        }
        spec
    };
    news(&stage, named(2 * DAY)).await.unwrap();
    assert_eq!(news(&stage, named(DAY)).await.unwrap(), [News::First; 2]);
    assert_eq!(news(&stage, stage.spec()).await.unwrap(), [News::First; 2]);
    assert_eq!(news(&stage, named(DAY)).await.unwrap(), [News::Unchanged; 2]);
}

#[tokio::test]
async fn a_suite_that_has_ended_is_told_with_where_it_is_now() {
    let stage = Stage::with(FakeArchive::default());
    refused(news(&stage, stage.spec()).await, "missing", &["no such file"]);
    let mut spec = stage.spec();
    spec.vendor.moved_to = [("main", "http://old.test/debian"), ("security", "http://old.test/s")]
        .map(|(name, url)| (name.to_owned(), url.to_owned()))
        .into();
    for mirror in [None, Some(stage.server.url().parse().unwrap())] {
        let result = news(&stage, ArchiveSpec { mirror, ..spec.clone() }).await;
        let hint = result.as_ref().unwrap_err().hint().unwrap();
        let line = "vendor.debian.archives = { main = \"http://old.test/debian\", \
                    security = \"http://old.test/s\" }";
        assert!(hint.contains(line), "{hint}");
        refused(result, "ended", &["`trixie` has ended", "no such file"]);
    }
    let stage = Stage::new();
    spec.vendor.sites = stage.spec().vendor.sites;
    news(&stage, spec).await.unwrap();
}

#[tokio::test]
async fn a_wrong_clock_is_named_as_a_cause() {
    let stage = Stage::new();
    for (why, now, part) in [
        ("in 1970", 0, "now is 1970-01-01"),
        ("an hour behind", EPOCH - HOUR, "now is 2025-09-01T11:00:00Z"),
        ("years ahead", EPOCH + 3650 * DAY, "expired at"),
    ] {
        let result = news(&stage, ArchiveSpec { now, ..stage.spec() }).await;
        let hint = result.as_ref().unwrap_err().hint().unwrap();
        assert!(hint.contains("clock"), "{why}: {hint}");
        refused(result, why, &["trixie", part]);
    }
}

#[tokio::test]
async fn what_was_found_of_a_signature_today_serves_with_these_keys_and_bytes_alone() {
    let key = SigningKey::expiring("soon", EPOCH + 2 * HOUR);
    let suites = [main_suite(), security_suite()];
    let suites = suites.map(|suite| FakeSuite { keys: vec![key.clone()], ..suite });
    let mut stage = Stage::with(FakeArchive::of(&suites));
    let at = |stage: &Stage, ring: Vec<u8>, now: i64| {
        let mut spec = stage.spec();
        spec.now = EPOCH + now;
        spec.vendor.keyrings.shipped[0].bytes = ring.into();
        spec
    };
    let public = || key.public_binary();
    assert_eq!(news(&stage, at(&stage, public(), HOUR)).await.unwrap(), [News::First; 2]);
    assert_eq!(news(&stage, at(&stage, public(), HOUR)).await.unwrap(), [News::Unchanged; 2]);
    let revoked = key.revoked().public_binary();
    refused(news(&stage, at(&stage, revoked, HOUR)).await, "revoked", &["revoked"]);
    let stranger = STRANGER.public_binary();
    assert!(news(&stage, at(&stage, stranger, HOUR)).await.is_err(), "another key");
    refused(news(&stage, at(&stage, public(), 3 * HOUR)).await, "expired", &["expired"]);
    stage.change(|archive| archive.edit("dists/trixie/InRelease", |bytes| bytes[200] ^= 1));
    assert!(news(&stage, at(&stage, public(), HOUR)).await.is_err(), "other bytes");
}
