//! What is damaged in the store is noticed and made again; no digest moves.

use crate::stage::{Run, Stage, build};
use camino::Utf8Path;
use std::fs;

/// Forgets what was made, so that it is made again of what is stored.
fn forget(stage: &Stage) {
    for folder in ["store/v1/records", "out"] {
        drop(fs::remove_dir_all(stage.path(folder)));
    }
}

fn flip(path: &Utf8Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x20;
    }
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Utf8Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn empty(path: &Utf8Path) {
    fs::write(path, "").unwrap();
}

type Damage = (&'static str, fn(&Utf8Path));
const DAMAGES: [Damage; 3] = [("a byte changed", flip), ("half lost", cut), ("all lost", empty)];

#[test]
fn damaged_objects_of_each_kind_are_made_again() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    for shelf in ["debs", "facts", "contents", "compiled", "indices", "pieces", "records"] {
        for (how, damage) in DAMAGES {
            if shelf != "records" {
                forget(&stage);
            }
            let objects = stage.stored(&format!("/{shelf}/"));
            let before: Vec<_> = objects.iter().map(|path| fs::read(path).unwrap()).collect();
            assert!(!objects.is_empty(), "{shelf}");
            for path in &objects {
                damage(path);
            }
            let run = stage.build().good();
            assert_eq!(run.digests(), wanted, "{shelf}, {how}");
            if ["facts", "pieces", "records"].contains(&shelf) {
                for (path, bytes) in objects.iter().zip(before) {
                    assert!(fs::read(path).unwrap() == bytes, "{path}: {how}");
                }
            } else if shelf != "contents" {
                // What nobody had to read is not looked at; it is when it is needed.
                for folder in ["facts", "contents", "compiled"] {
                    drop(fs::remove_dir_all(stage.path("store/v1").join(folder)));
                }
                forget(&stage);
                assert_eq!(stage.build().good().digests(), wanted, "{shelf}, {how}, read again");
            }
        }
    }
}

#[test]
fn damaged_contents_of_any_package_never_reach_an_image() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    for path in stage.stored("/contents/") {
        for at in [0.3, 0.8] {
            forget(&stage);
            drop(fs::remove_dir_all(stage.path("store/v1/pieces")));
            let mut bytes = fs::read(&path).unwrap();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a place in a small file"
            )]
            let at = ((bytes.len() - 1) as f64 * at) as usize;
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert_eq!(stage.build().good().digests(), wanted, "byte {at} of {path}");
        }
    }
}

#[test]
fn a_damaged_release_in_the_store_is_no_reason_to_fail() {
    let stage = Stage::new();
    let wanted = stage.build().good().digests();
    for (how, damage) in DAMAGES {
        for path in stage.stored("/releases/") {
            damage(&path);
        }
        assert_eq!(stage.build().good().digests(), wanted, "{how}");
    }
}

#[test]
fn an_image_that_is_damaged_in_the_layout_is_made_again() {
    let stage = Stage::new();
    let first: Run = stage.build().good();
    let out = stage.path("out");
    let layers: Vec<_> =
        first.images.values().map(|image| crate::layer::path(&out, image)).collect();
    let blobs = crate::stage::parts(&out);
    for path in blobs.into_iter().filter(|path| path.as_str().contains("/blobs/")) {
        let bytes = fs::read(&path).unwrap();
        for (how, damage) in DAMAGES {
            damage(&path);
            // Nobody reads a whole layer that is not to change; whoever copies it notices.
            if how == "a byte changed" && layers.contains(&path) {
                copy(&stage, &first);
            }
            let run = build(stage.settings(), &["nginx"]).good();
            assert_eq!(run.digests(), first.digests(), "{path}: {how}");
            assert!(fs::read(&path).unwrap() == bytes, "{path}: {how}");
        }
    }
}

/// Writes the images for an engine; one of the layers is damaged.
fn copy(stage: &Stage, run: &Run) {
    let layout = dmc_image::Layout::open(stage.path("out")).unwrap();
    let refused: Vec<_> = run
        .images
        .values()
        .filter_map(|image| {
            let names = ["localhost/nginx:1".to_owned()];
            dmc_image::archive::write_archive(&layout, &image.manifest, &names, &mut Vec::new())
                .err()
        })
        .collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].hint().contains("create the image again"), "{}", refused[0].hint());
}

#[test]
fn what_killed_runs_left_behind_goes_after_an_hour() {
    let stage = Stage::new();
    stage.build().good();
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(2);
    let left = ["store/v1/debs/.new-a", "store/v1/partial/a.part", "out/.dmc-a", "out/dmc/.dmc-a"];
    for path in left {
        fs::File::create(stage.path(path)).unwrap().set_modified(old).unwrap();
    }
    drop(fs::remove_dir_all(stage.path("store/v1/records")));
    stage.build().good();
    assert!(left.iter().all(|path| !stage.path(path).exists()));
}
