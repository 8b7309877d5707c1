//! Disks without room.

use crate::scene::{SMALL, WANTED_SMALL, assert_recovers, assert_sound, behind, clear, scene};
use crate::stage::{Stage, Told};
use camino::Utf8PathBuf;
use dmc_testkit::disk::{self, Fate};

/// A run to which this happens, and how many changes to files it came to.
fn run(stage: &Stage, fate: Fate) -> (Told, usize) {
    let report = stage.path("report");
    let command = disk::command(stage.path("").as_std_path(), fate, report.as_std_path());
    let told = stage.told(&behind(stage, command, &SMALL).output().unwrap());
    (told, std::fs::read_to_string(report).unwrap().trim().parse().unwrap())
}

/// Files that were begun and have no name yet.
fn half_written(stage: &Stage) -> Vec<Utf8PathBuf> {
    let mut found = stage.everything();
    found.retain(|path| {
        let name = path.file_name().unwrap();
        name.starts_with(".new-") || name.starts_with(".dmc-")
    });
    found
}

/// Lets the disk be full at each change in turn. A run may do without what only saves time; else it
/// says that no space is left, on what, and what to do. A plain run then ends at the right digest.
fn at_each(fate: fn(usize) -> Fate) {
    let stage = scene();
    let (mut told_so, mut done_without) = (0, 0);
    for number in 1.. {
        clear(&stage);
        let (told, changes) = run(&stage, fate(number));
        if changes < number {
            break;
        }
        let why = format!("{:?}", fate(number));
        if told.code == Some(0) {
            assert_eq!(told.stdout, *WANTED_SMALL, "{why}");
            done_without += 1;
        } else {
            assert_eq!(told.code, Some(1), "{why}: {told:?}");
            for part in ["No space left on device", "hint: "] {
                assert!(told.stderr.contains(part), "{why}: no `{part}` in:\n{}", told.stderr);
            }
            let place = ["`DIR/", "`out"].iter().any(|place| told.stderr.contains(place));
            assert!(place, "{why}: no place in:\n{}", told.stderr);
            assert!(!told.stdout.contains("sha256:"), "{why}: {}", told.stdout);
            told_so += 1;
        }
        assert_eq!(half_written(&stage), Vec::<Utf8PathBuf>::new(), "{why}");
        assert_sound(&stage, &why);
        assert_recovers(&stage, &SMALL, &WANTED_SMALL, &why);
        assert!(number < 5000, "it never ends");
    }
    println!("{:?}: {told_so} told, {done_without} done without", fate(0));
    assert!(told_so > 30, "only {told_so} runs failed");
}

#[test]
fn a_disk_that_is_full_from_any_change_on_is_told_and_loses_nothing() {
    at_each(Fate::FullFrom);
}

#[test]
fn a_disk_that_is_full_for_one_change_is_told_and_loses_nothing() {
    at_each(Fate::FullOnce);
}
