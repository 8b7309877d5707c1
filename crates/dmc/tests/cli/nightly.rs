//! `scripts/nightly`: steps, summaries, one run at a time, logs that rotate.

use crate::stage::{Stage, Told};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const DMC: &str = env!("CARGO_BIN_EXE_dmc");

/// The script with these options and a folder of logs.
fn command(stage: &Stage, dmc: &str, options: &[&str], flags: &[&str]) -> Command {
    let script = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/nightly");
    let mut command = Command::new(script);
    stage.place(&mut command);
    command.args(["--log", "../logs", "--dmc", dmc]).args(options).arg("--").args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn night(stage: &Stage, options: &[&str]) -> Told {
    let flags = ["--conf", "../dmc.conf"];
    stage.told(&command(stage, DMC, options, &flags).output().unwrap())
}

/// A program in the place of dmc that does what these words of the shell say.
fn stand_in(stage: &Stage, script: &str) -> String {
    stage.write("bin/stand-in", format!("#!/bin/sh\n{script}\n").as_bytes());
    let path = stage.path("bin/stand-in");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.into_string()
}

/// The folders of runs, sorted.
fn runs(stage: &Stage) -> Vec<Utf8PathBuf> {
    let entries = stage.path("logs").read_dir_utf8().unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut runs: Vec<_> = folders.map(camino::Utf8DirEntry::into_path).collect();
    runs.sort();
    runs
}

fn summary(stage: &Stage) -> Value {
    serde_json::from_slice(&fs::read(stage.path("logs/latest/summary.json")).unwrap()).unwrap()
}

fn steps(summary: &Value) -> Vec<(&str, i64)> {
    let steps = summary["steps"].as_array().unwrap().iter();
    steps.map(|it| (it["step"].as_str().unwrap(), it["code"].as_i64().unwrap())).collect()
}

#[test]
fn a_night_builds_what_changed_and_sums_it_up() {
    let stage = Stage::new();
    let told = night(&stage, &["--templates", "nginx", "--with", "check"]).good();
    assert!(told.stdout.contains(": all is well, in "), "{}", told.stdout);
    assert!(told.stdout.contains("built nginx:1.26.3 amd64 sha256:"), "{}", told.stdout);
    let told = night(&stage, &["--templates", "nginx"]).good();
    for part in ["nginx amd64: up to date", "2 images unchanged", "nothing to remove"] {
        assert!(told.stdout.contains(part), "no `{part}` in:\n{}", told.stdout);
    }
    assert_eq!(runs(&stage).len(), 2);
    let read = |name: &str| fs::read_to_string(stage.path("logs/latest").join(name)).unwrap();
    assert!(read("summary.txt").starts_with("nightly of 2"), "{}", read("summary.txt"));
    assert!(read("log").contains("dmc -a create -t nginx --conf ../dmc.conf"), "{}", read("log"));
    let summary = summary(&stage);
    assert_eq!(steps(&summary), [("update", 0), ("create", 0), ("clean", 0)]);
    assert_eq!((&summary["code"], &summary["failed"]), (&0.into(), &0.into()));
    let created = summary["steps"][1]["results"].as_array().unwrap();
    assert_eq!(created.len(), 3, "{created:?}");
    assert!(created[0]["unchanged"].as_bool().unwrap());
}

#[test]
fn a_template_that_fails_stops_neither_the_others_nor_the_next_steps() {
    let stage = Stage::new();
    stage.template("missing", "packages = [\"nginks\"]\nroots = [\"/usr/sbin/nginx\"]");
    stage.template("nolib", "packages = [\"nginx\"]\nroots = [\"/usr/bin/nginx\"]");
    let told = night(&stage, &["--templates", "missing,nginx,nolib"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    for part in [
        "1 of 3 steps failed",
        "nginx:1.26.3 sha256:",
        "6 of 11 tasks failed: create missing amd64; ",
    ] {
        assert!(told.stdout.contains(part), "no `{part}` in:\n{}", told.stdout);
    }
    let summary = summary(&stage);
    assert_eq!(steps(&summary), [("update", 0), ("create", 1), ("clean", 0)]);
    let results = summary["steps"][1]["results"].as_array().unwrap();
    let failed = results.iter().find(|it| it["failed"] == "create missing arm64").unwrap();
    assert!(failed["error"].as_str().unwrap().contains("nginks"), "{failed}");
}

#[test]
fn a_second_run_leaves_or_waits() {
    let stage = Stage::new();
    let dmc = stand_in(&stage, "echo done");
    stage.write("logs/lock", b"");
    let lock = File::open(stage.path("logs/lock")).unwrap();
    lock.lock().unwrap();
    let told = stage.told(&command(&stage, &dmc, &[], &[]).output().unwrap());
    assert_eq!(told.code, Some(75), "{}", told.stderr);
    assert!(told.stderr.contains("another run is at work"), "{}", told.stderr);
    assert_eq!(runs(&stage), [""; 0]);
    let mut waiting = command(&stage, &dmc, &["--wait", "600"], &[]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
    lock.unlock().unwrap();
    stage.told(&waiting.wait_with_output().unwrap()).good();
    assert_eq!(runs(&stage).len(), 1);
}

#[test]
fn logs_rotate_and_nothing_else_goes() {
    let stage = Stage::new();
    let dmc = stand_in(&stage, "echo done");
    for old in ["2020-01-01T000000Z", "2020-01-02T000000Z", "2020-01-03T000000Z", "mine"] {
        stage.write(&format!("logs/{old}/log"), b"old");
    }
    stage.told(&command(&stage, &dmc, &["--keep", "2"], &[]).output().unwrap()).good();
    let names: Vec<_> = runs(&stage).iter().map(|it| it.file_name().unwrap().to_owned()).collect();
    assert_eq!((names.len(), &*names[0], &*names[2]), (3, "2020-01-03T000000Z", "mine"));
    assert_eq!(
        stage.path("logs/latest").canonicalize_utf8().unwrap().file_name().unwrap(),
        names[1]
    );
}

/// Waits for the step that never ends by itself.
fn begun(stage: &Stage) {
    for _ in 0..2_000 {
        if stage.path("work/begun").exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the step did not begin");
}

fn terminate(child: &Child) {
    let done = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(done.success());
}

#[test]
fn an_interrupted_night_ends_its_step_and_says_so() {
    let stage = Stage::new();
    let dmc = stand_in(&stage, "touch begun; exec sleep 600");
    let child = command(&stage, &dmc, &[], &[]).spawn().unwrap();
    begun(&stage);
    terminate(&child);
    let told = stage.told(&child.wait_with_output().unwrap());
    assert_eq!(told.code, Some(143), "{}", told.stderr);
    assert!(told.stdout.contains("interrupted"), "{}", told.stdout);
    assert_eq!(steps(&summary(&stage)).len(), 1, "no step follows");
    let dmc = stand_in(&stage, "echo done");
    stage.told(&command(&stage, &dmc, &[], &[]).output().unwrap()).good();
}

#[test]
fn options_that_make_no_sense_are_named() {
    let stage = Stage::new();
    for (options, part) in [
        (&["--frobnicate", "1"][..], "no option '--frobnicate'"),
        (&["--wait", "soon"], "--wait is a number"),
        (&["--keep", "0"], "--keep is at least 1"),
        (&["--with", "check,push"], "not 'push'"),
    ] {
        let told = stage.told(&command(&stage, "true", options, &[]).output().unwrap());
        assert_eq!(told.code, Some(2), "{options:?}: {}", told.stderr);
        assert!(told.stderr.contains(part), "{options:?}: {}", told.stderr);
    }
    let script = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/nightly");
    let alone = Command::new(script).arg("--wait").output().unwrap();
    assert_eq!(alone.status.code(), Some(2));
    assert!(!stage.path("logs").exists());
}
