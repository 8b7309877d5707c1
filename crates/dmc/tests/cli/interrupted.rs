//! Runs that end too early: Ctrl-C, a full disk. Nothing half-written counts afterwards.

use crate::stage::{HONEST, Stage};
use camino::Utf8Path;
use dmc_testkit::Fault;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Every named blob is there and every blob has the bytes that its name promises.
fn assert_sound(stage: &Stage, why: &str) {
    let out = stage.path("work/out");
    for path in stage.everything() {
        let name = path.file_name().unwrap();
        if path.parent().is_some_and(|folder| folder.ends_with("blobs/sha256")) {
            assert_eq!(name, sha256sum(&path), "{why}");
        }
        if path.parent().is_some_and(|folder| folder.ends_with("v1/debs")) && !name.starts_with('.')
        {
            assert_eq!(name.strip_suffix(".deb").unwrap(), sha256sum(&path), "{why}");
        }
    }
    if let Ok(text) = fs::read(out.join("index.json")) {
        let index: serde_json::Value = serde_json::from_slice(&text).unwrap();
        for entry in index["manifests"].as_array().unwrap() {
            let digest = entry["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            assert!(out.join("blobs/sha256").join(digest).is_file(), "{why}");
        }
    }
}

fn sha256sum(path: &Utf8Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

fn wanted() -> String {
    Stage::new().run(&["-t", "nginx"]).good().stdout
}

#[test]
fn ctrl_c_at_any_time_loses_nothing() {
    let wanted = wanted();
    for wait in [5, 20, 40, 70, 110, 160, 240, 400] {
        let stage = Stage::new();
        // Slow enough for every moment to be in the middle of something.
        for path in HONEST.files().keys().filter(|path| path.ends_with(".deb")) {
            stage.server.fault(path, 1, Fault::Slow(60_000));
        }
        let mut command = stage.command(&["-t", "nginx"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let told = stage.told(&child.wait_with_output().unwrap());
        assert!(told.code.is_none_or(|code| code != 0) || told.stdout == wanted, "{told:?}");
        let why = format!("after {wait} ms");
        assert_sound(&stage, &why);
        assert_eq!(stage.run(&["-t", "nginx"]).good().stdout, wanted, "{why}");
        assert_sound(&stage, &why);
    }
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let wanted = wanted();
    // No file may become larger than this many blocks of 512 bytes: what a full disk is to a
    // program, without needing one.
    for blocks in [0, 1, 2, 4, 8, 16] {
        let stage = Stage::new();
        let mut command = Command::new("sh");
        stage.place(&mut command);
        let line =
            format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" -t nginx --conf ../dmc.conf");
        let output = command.args(["-c", &line, env!("CARGO_BIN_EXE_dmc")]).output().unwrap();
        let told = stage.told(&output);
        let why = format!("{blocks} blocks");
        if blocks < 8 {
            assert_eq!(told.code, Some(1), "{why}: {told:?}");
            assert!(told.stderr.contains("DIR/"), "{why}: {}", told.stderr);
            assert!(told.stderr.contains("File too large"), "{why}: {}", told.stderr);
            assert!(told.stderr.contains("hint: "), "{why}: {}", told.stderr);
            assert!(!told.stdout.contains("sha256:"), "{why}");
        }
        let left = stage.everything();
        let half = |path: &&camino::Utf8PathBuf| {
            let name = path.file_name().unwrap();
            name.starts_with(".new-") || name.starts_with(".dmc-")
        };
        assert_eq!(left.iter().find(half), None, "{why}");
        assert_sound(&stage, &why);
        assert_eq!(stage.run(&["-t", "nginx"]).good().stdout, wanted, "{why}");
    }
}

#[test]
fn folders_that_cannot_be_written_are_told() {
    let stage = Stage::new();
    stage.write("file", b"in the way");
    let store = stage.path("file/store");
    stage
        .run(&["-t", "nginx", "--store", store.as_str()])
        .failed(1, &["DIR/file/store", "hint: name a folder that you may write with --store"]);
    let out = stage.path("file/out");
    stage.run(&["-t", "nginx", "--out", out.as_str()]).failed(1, &["DIR/file/out", "hint: "]);
}
