//! `dmc lock`, `--locked` and `--offline` as they are typed.

use crate::stage::{Stage, suites};
use dmc_testkit::FakeArchive;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

const PLAIN: &str = "packages = [\"nginx-common\"]\nroots = [\"/usr/share/nginx/html/index.html\"]";

/// The archive half an hour later: its pcre2 is a newer one.
fn later() -> FakeArchive {
    let mut moved = suites();
    for suite in &mut moved {
        suite.date += 1800;
    }
    for (_, deb) in moved[0].debs.iter_mut().filter(|(_, deb)| deb.package() == "libpcre2-8-0") {
        *deb = deb.clone().at_version("10.46-2");
    }
    FakeArchive::of(&moved)
}

/// A stage whose nginx is locked, and what its index is.
fn locked() -> (Stage, String) {
    let stage = Stage::new();
    let built = stage.run(&["-t", "nginx"]).good().stdout;
    stage.run(&["lock", "-t", "nginx"]).good();
    (stage, built)
}

/// Leaves the packages and nothing else in the store, and removes the layout.
fn only_packages(stage: &Stage) {
    let store = stage.path("home/.cache/dmc/v1");
    for shelf in store.read_dir_utf8().unwrap().map(Result::unwrap) {
        if shelf.file_type().unwrap().is_dir() && shelf.file_name() != "debs" {
            fs::remove_dir_all(shelf.path()).unwrap();
        }
    }
    // There may be none.
    let _ = fs::remove_dir_all(stage.path("work/out"));
}

#[test]
fn a_locked_build_without_network_is_the_same_whoever_runs_it_and_where() {
    let (stage, wanted) = locked();
    stage.server.reset();
    stage.server.serve(&FakeArchive::of(&[]));
    for (setting, args) in [
        ("true", ""),
        ("umask 077", ""),
        ("umask 000", "-j 1"),
        ("export TZ=Asia/Kolkata LC_ALL=tr_TR.UTF-8 LANG=tr_TR USER=other LOGNAME=other", "-j 8"),
        ("mkdir -p 'deep é/er' && cp dmc.lock deep* && cd 'deep é'", "-j 2 --out ../out"),
    ] {
        only_packages(&stage);
        let mut command = Command::new("sh");
        stage.place(&mut command);
        let conf = stage.path("dmc.conf");
        let line =
            format!("{setting}; exec \"$0\" -t nginx --conf {conf} --locked --offline {args}");
        let output = command.args(["-c", &line, env!("CARGO_BIN_EXE_dmc")]).output().unwrap();
        assert_eq!(stage.told(&output).good().stdout, wanted, "{setting} {args}");
        for shelf in ["releases", "indices", "compiled"] {
            let folder = stage.path("home/.cache/dmc/v1").join(shelf);
            assert!(!folder.exists() || folder.read_dir_utf8().unwrap().count() == 0, "{shelf}");
        }
    }
    assert!(stage.server.requests().is_empty(), "{:?}", stage.server.requests());
}

#[test]
fn another_user_of_the_machine_comes_to_the_same_image() {
    let (stage, wanted) = locked();
    if fs::metadata(stage.path("work")).unwrap().uid() != 0 {
        // Only root can become somebody else.
        return;
    }
    only_packages(&stage);
    let program = stage.path("dmc");
    fs::copy(env!("CARGO_BIN_EXE_dmc"), &program).unwrap();
    for path in stage.everything().into_iter().chain([stage.path("")]) {
        let mode = if path.is_dir() || path == program { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    for path in stage.everything().into_iter().filter(|path| path.starts_with(stage.path("home"))) {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    let mut command = Command::new(program);
    stage.place(&mut command);
    let (conf, out) = (stage.path("dmc.conf"), stage.path("home/out"));
    command.args(["-t", "nginx", "--locked", "--offline", "--conf", conf.as_str()]);
    command.args(["--out", out.as_str()]).uid(65534).gid(65534);
    assert_eq!(stage.told(&command.output().unwrap()).good().stdout, wanted);
}

#[test]
fn what_a_new_lock_would_change_is_told_and_not_written() {
    let (stage, wanted) = locked();
    stage.template("plain", PLAIN);
    stage.run(&["lock", "-t", "plain"]).good();
    stage.server.serve(&later());
    let before = fs::read(stage.path("work/dmc.lock")).unwrap();
    let told = stage.run(&["lock", "--diff"]).good();
    assert_eq!(
        told.stdout,
        "nginx amd64: libpcre2-8-0 10.45-1 -> 10.46-2\nnginx arm64: libpcre2-8-0 10.45-1 -> 10.46-2\n"
    );
    assert!(told.stderr.contains("packages differ in 2 of 4 images; nothing was written"));
    let told = stage.run(&["lock", "--diff", "--json", "-t", "nginx", "-A", "amd64"]).good();
    let lines: Vec<serde_json::Value> =
        told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["changes"][0]["package"], "libpcre2-8-0");
    assert_eq!(lines[0]["changes"][0]["to"], "10.46-2");
    assert_eq!(fs::read(stage.path("work/dmc.lock")).unwrap(), before);
    // Yesterday's image still comes of it, and today's once it is renewed.
    assert_eq!(stage.run(&["-t", "nginx", "--locked"]).good().stdout, wanted);
    let now = stage.run(&["-t", "nginx"]).good().stdout;
    stage.run(&["lock"]).good();
    assert_eq!(stage.run(&["-t", "nginx", "--locked"]).good().stdout, now);
    assert!(stage.run(&["lock", "--diff"]).good().stdout.is_empty());
}

#[test]
fn mistakes_with_locks_are_answered_with_a_way_out() {
    let stage = Stage::new();
    for (args, parts) in [
        (&["--diff", "-t", "nginx"][..], &["--diff compares locks", "hint: dmc lock --diff"][..]),
        (&["update", "--locked"], &["there is no lock `dmc.lock`", "dmc lock -t NAME"]),
        (&["lock"], &["there is no lock `dmc.lock` yet", "dmc lock -t nginx,static"]),
        (&["-t", "nginx", "--locked", "--lock", "other"], &["there is no lock `other`"]),
    ] {
        stage.run(args).failed(2, parts);
    }
    stage.run(&["lock", "-t", "nginx", "-A", "amd64"]).good();
    for (args, parts) in [
        (
            &["update", "--locked"][..],
            &["update reads the archive, and --locked keeps from that"][..],
        ),
        (&["lock", "--locked"], &["lock reads the archive"]),
    ] {
        stage.run(args).failed(2, parts);
    }
    let drift = stage.run(&["-t", "nginx", "--locked", "--small", "-A", "amd64"]);
    drift.failed(1, &["the lock `dmc.lock` does not hold", "without --small"]);
    stage.template("mine", PLAIN);
    stage.run(&["-t", "mine", "--locked"]).failed(1, &["it does not have template mine"]);
    stage.run(&["-t", "nginx", "--locked"]).failed(1, &["for arm64", "dmc lock -t nginx -A arm64"]);
    stage.run(&["lock", "-t", "mine"]).good();
    fs::remove_dir_all(stage.path("work/templates/mine")).unwrap();
    stage.run(&["lock"]).failed(2, &["has template mine, which is not there any more"]);
    // What cannot be read is left alone.
    let broken = "<<<<<<< ours\nversion = 1\n";
    stage.write("work/dmc.lock", broken.as_bytes());
    stage
        .run(&["lock", "-t", "nginx"])
        .failed(2, &["`dmc.lock` is no lock", "cause: line 1", "hint: "]);
    stage.run(&["-t", "nginx", "--locked"]).failed(2, &["`dmc.lock` is no lock"]);
    assert_eq!(fs::read_to_string(stage.path("work/dmc.lock")).unwrap(), broken);
}

#[test]
fn without_network_the_store_has_to_do() {
    let stage = Stage::new();
    let told = stage.run(&["-t", "nginx", "--offline"]);
    told.failed(1, &["may not use the network", "MIRROR"]);
    let built = stage.run(&["-t", "nginx"]).good().stdout;
    stage.server.reset();
    fs::remove_dir_all(stage.path("work/out")).unwrap();
    assert_eq!(stage.run(&["-t", "nginx", "--offline"]).good().stdout, built);
    assert!(stage.server.requests().is_empty());
}

#[test]
fn two_locks_at_the_same_time_are_both_in_the_file() {
    let stage = Stage::new();
    stage.template("plain", PLAIN);
    let running = ["nginx", "plain", "nonroot"].map(|template| {
        let mut command = stage.command(&["lock", "-t", template]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in running {
        stage.told(&child.wait_with_output().unwrap()).good();
    }
    let text = fs::read_to_string(stage.path("work/dmc.lock")).unwrap();
    for template in ["nginx", "plain", "nonroot"] {
        assert!(text.contains(&format!("[template.{template}]")), "{text}");
    }
    assert!(stage.run(&["lock", "--diff"]).good().stdout.is_empty());
}
