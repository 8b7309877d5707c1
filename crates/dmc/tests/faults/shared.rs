//! Several users and several runs on one store.

use crate::scene::{NGINX, WANTED, assert_recovers, assert_sound, assert_told, scene};
use crate::stage::{Stage, Told};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Takes everybody's right to write below a folder, and gives all the right to read.
fn for_reading(stage: &Stage, name: &str) {
    let everything = stage.everything();
    let below = stage.path(name);
    for path in everything.iter().filter(|path| path.starts_with(&below)) {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
}

/// A run of another user where the tests are root's, else of the same, who may write as little.
fn as_user(stage: &Stage, user: u32, out: &str, args: &[&str]) -> Child {
    let (store, out) = (stage.path("home/.cache/dmc"), stage.path(out));
    let program = stage.path("dmc");
    let mut command = Command::new(&program);
    stage.place(&mut command);
    command.args(args).arg("--conf").arg(stage.path("dmc.conf"));
    command.args(["--store", store.as_str(), "--out", out.as_str()]);
    if rustix::process::getuid().is_root() {
        command.uid(user).gid(user);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn told(stage: &Stage, child: Child) -> Told {
    stage.told(&child.wait_with_output().unwrap())
}

/// A filled store that only its owner may write, and a program that all may run.
fn library() -> Stage {
    let stage = scene();
    assert_recovers(&stage, &NGINX, &WANTED, "the owner");
    fs::copy(env!("CARGO_BIN_EXE_dmc"), stage.path("dmc")).unwrap();
    for folder in ["", "home", "home/.cache", "work"] {
        fs::set_permissions(stage.path(folder), Permissions::from_mode(0o755)).unwrap();
    }
    for (name, user) in [("one", 65_534), ("two", 65_533)] {
        fs::create_dir(stage.path(name)).unwrap();
        if rustix::process::getuid().is_root() {
            std::os::unix::fs::chown(stage.path(name), Some(user), Some(user)).unwrap();
        }
    }
    for_reading(&stage, "home/.cache/dmc");
    stage
}

#[test]
fn several_users_build_from_a_store_that_they_may_only_read() {
    let stage = library();
    let before = stage.everything();
    let store = |paths: Vec<_>| {
        let root = stage.path("home/.cache");
        paths.into_iter().filter(move |path: &camino::Utf8PathBuf| path.starts_with(&root))
    };
    // Side by side; each writes an image of its own, and the second time finds it.
    for round in 0..2 {
        let running = [
            as_user(&stage, 65_534, "one/out", &NGINX),
            as_user(&stage, 65_533, "two/out", &NGINX),
        ];
        for child in running {
            assert_eq!(told(&stage, child).good().stdout, *WANTED, "round {round}");
        }
    }
    let after: Vec<_> = store(stage.everything()).collect();
    assert_eq!(after, store(before).collect::<Vec<_>>(), "the store is as it was");
    // What is not there cannot be fetched into it.
    let lacking = told(&stage, as_user(&stage, 65_534, "one/out", &["-t", "nginx", "-A", "arm64"]));
    assert_told(&lacking, &["DIR/home/.cache/dmc", "Permission denied", "--store"], "arm64");
    assert_sound(&stage, "afterwards");
}

#[test]
fn four_at_once_share_one_store_and_one_layout_ten_times() {
    let stage = scene();
    let first = stage.run(&["-t", "nginx"]).good().stdout;
    for round in 0..10 {
        crate::scene::clear(&stage);
        let running = [0; 4].map(|_| {
            let mut command = stage.command(&["-t", "nginx"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        });
        for child in running {
            let told = told(&stage, child).good();
            assert_eq!(told.stdout, first, "round {round}");
            assert!(!told.stderr.contains("WARN"), "round {round}: {}", told.stderr);
        }
        assert_sound(&stage, &format!("round {round}"));
    }
    assert_eq!(stage.run(&["-t", "nginx"]).good().stdout, first);
}
