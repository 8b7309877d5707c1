//! Indices by patches: when they are taken, and that nothing goes wrong with them for good.

use crate::stage::{INDEX, KEY, Stage, amd64, hello, main_suite, quick, security_suite};
use dmc_archive::Packages;
use dmc_testkit::{Compression, DebBuilder, EPOCH, FakeArchive, FakeSuite, Fault, Server};
use dmc_types::{Arch, UnixTime};

/// A suite of many packages, of which one has this version.
fn suite(version: u32) -> FakeSuite {
    let names = (0..250).map(|number| format!("package-{number:03}"));
    let deb = |name: String| {
        let version = if name == "package-200" { version } else { 1 };
        // Text that hardly compresses, so that the whole index is worth avoiding.
        let noise: String = (0..40_u64).map(|at| word(&name, at)).collect();
        DebBuilder::new(&name, &format!("{version}-1"), "all")
            .field("Description", &noise)
            .compression(Compression::None)
    };
    let suite = FakeSuite::new("trixie").debs(names.map(deb)).deb(hello("1.0-1")).signed_by(&KEY);
    FakeSuite {
        date: EPOCH + UnixTime::from(version),
        architectures: vec![Arch::Amd64],
        contents: false,
        ..suite
    }
}

fn word(name: &str, at: u64) -> String {
    let mut state =
        name.bytes().fold(at + 1, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    state ^= state >> 29;
    format!(" {:x}", state.wrapping_mul(0xbf58_476d_1ce4_e5b9))
}

fn archive(version: u32, merged: bool) -> FakeArchive {
    let now = suite(version).after((0..version).map(suite));
    FakeArchive::of(&[FakeSuite { merged, ..now }, security_suite()])
}

fn version(packages: &Packages) -> String {
    let found = packages.package(&"package-200".parse().unwrap()).unwrap().unwrap();
    found.version.to_string()
}

/// Paths that a server was asked for, of main's index alone.
fn asked(server: &Server, from: usize) -> Vec<String> {
    let requests = server.requests().split_off(from);
    let paths = requests.into_iter().map(|request| request.path);
    paths
        .filter(|path| {
            path.contains("main/binary-amd64/Packages")
                || path.contains("trixie/main/binary-amd64/by-hash")
        })
        .collect()
}

/// A store that has the index of version 1, on a mirror that has gone on to another.
async fn stage(version: u32, merged: bool) -> Stage {
    let mut stage = Stage::with(archive(1, merged));
    amd64(&stage.run()).await.unwrap();
    stage.change(|old| *old = archive(version, merged));
    stage
}

#[tokio::test]
async fn an_older_index_is_patched_and_is_the_same_as_a_new_one() {
    for (merged, patches) in [(true, 1), (false, 3)] {
        let stage = stage(4, merged).await;
        let before = stage.server.requests().len();
        let patched = amd64(&stage.run()).await.unwrap();
        assert_eq!(version(&patched), "4-1");
        let asked = asked(&stage.server, before);
        let diffs =
            asked.iter().filter(|path| path.contains("Packages.diff/") && path.ends_with(".gz"));
        assert_eq!(diffs.count(), patches, "{asked:?}");
        assert!(asked.iter().all(|path| path.contains("Packages.diff/")), "{asked:?}");
        let whole = Stage::with(archive(4, merged));
        let whole = amd64(&whole.run()).await.unwrap();
        assert_eq!(patched.len(), whole.len());
    }
}

#[tokio::test]
async fn patches_lead_on_from_a_patched_index() {
    let mut stage = stage(2, true).await;
    amd64(&stage.run()).await.unwrap();
    stage.change(|old| *old = archive(3, true));
    let before = stage.server.requests().len();
    assert_eq!(version(&amd64(&stage.run()).await.unwrap()), "3-1");
    assert!(asked(&stage.server, before).iter().any(|path| path.contains("F-2025-08-03")));
}

#[tokio::test]
async fn whatever_is_wrong_with_patches_the_whole_index_is_there() {
    type Change = fn(&mut FakeArchive, &str, &str);
    let rows: [(&str, Change); 8] = [
        ("no index of patches", |archive, index, _| archive.remove(index)),
        ("another index of patches", |archive, index, _| archive.edit(index, |it| it.push(b'\n'))),
        ("no patch", |archive, _, patch| archive.remove(patch)),
        ("a patch cut short", |archive, _, patch| archive.edit(patch, |it| it.truncate(9))),
        ("a patch and more", |archive, _, patch| archive.edit(patch, |it| it.push(0))),
        ("a patch of other bytes", |archive, _, patch| archive.edit(patch, |it| it[12] ^= 1)),
        ("a patch that is empty", |archive, _, patch| archive.put(patch, Vec::new())),
        ("an index of patches that is no text", |archive, index, _| archive.put(index, vec![0xff])),
    ];
    for (why, change) in rows {
        let mut stage = stage(2, true).await;
        let index = format!("{INDEX}.diff/Index");
        let patch = format!("{INDEX}.diff/T-2025-09-01-0800.00-F-2025-08-02-0800.00.gz");
        stage.change(|archive| change(archive, &index, &patch));
        let found = amd64(&stage.run()).await;
        assert_eq!(
            version(&found.unwrap_or_else(|error| panic!("{why}: {error}"))),
            "2-1",
            "{why}"
        );
        let stored = stage.stored();
        assert!(!stored.iter().any(|path| path.as_str().contains(".new-")), "{why}: {stored:?}");
    }
}

#[tokio::test]
async fn a_patch_that_its_index_vouches_for_must_still_make_what_the_release_says() {
    // The release lists the texts of one archive and the index of patches of another.
    let mut stage = Stage::with(archive(1, true));
    amd64(&stage.run()).await.unwrap();
    let mut now = suite(2).after([suite(1)]);
    now.debs.pop();
    let other = FakeArchive::of(&[now.clone()]);
    now.debs.push(("main".into(), hello("2.0-1")));
    stage.change(|old| {
        *old = FakeArchive::of(&[now, security_suite()]);
        let path = "dists/trixie/main/binary-amd64/Packages.diff/Index";
        let bytes = other.get(path).to_vec();
        old.edit(path, |it| *it = bytes);
    });
    assert_eq!(version(&amd64(&stage.run()).await.unwrap()), "2-1");
}

#[tokio::test]
async fn an_older_index_that_is_gone_or_damaged_is_no_loss() {
    for damage in [true, false] {
        let stage = stage(2, true).await;
        for path in stage.stored().iter().filter(|path| path.starts_with("indices")) {
            let path = stage.dir().join("v1").join(path);
            if damage {
                std::fs::write(path, "damaged").unwrap();
            } else {
                std::fs::remove_file(path).unwrap();
            }
        }
        assert_eq!(version(&amd64(&stage.run()).await.unwrap()), "2-1");
    }
}

#[tokio::test]
async fn small_indices_and_texts_that_no_patch_leads_on_from_are_fetched_whole() {
    let small = |version: &str, before: Vec<FakeSuite>| {
        let suite = FakeSuite::new("trixie").deb(hello(version)).signed_by(&KEY).after(before);
        FakeArchive::of(&[suite, security_suite()])
    };
    let first = FakeSuite::new("trixie").deb(hello("1.0-1"));
    let mut stage = Stage::with(small("1.0-1", vec![first.clone()]));
    amd64(&stage.run()).await.unwrap();
    stage.change(|old| *old = small("1.0-2", vec![first]));
    amd64(&stage.run()).await.unwrap();
    assert!(!asked(&stage.server, 0).iter().any(|path| path.contains("diff")), "small");

    let mut stage = Stage::with(archive(1, true));
    amd64(&stage.run()).await.unwrap();
    stage.change(|old| *old = FakeArchive::of(&[suite(3).after([suite(2)]), security_suite()]));
    assert_eq!(version(&amd64(&stage.run()).await.unwrap()), "3-1");
    let stage = Stage::with(FakeArchive::of(&[main_suite(), security_suite()]));
    stage.server.fault("Packages.diff", 1, Fault::status(500));
    amd64(&stage.run_with(stage.spec(), quick())).await.unwrap();
}
