//! What may differ around the program without changing a digest.

use crate::stage::Stage;
use std::process::{Command, Stdio};

fn digest(stdout: &str) -> &str {
    assert!(stdout.starts_with("nginx:1.26.3 sha256:"), "{stdout}");
    stdout.lines().next().unwrap()
}

/// Builds nginx from a shell that was set up by these words.
fn build_after(stage: &Stage, setting: &str, args: &str) -> String {
    let mut command = Command::new("sh");
    stage.place(&mut command);
    let line = format!("{setting}; exec \"$0\" -t nginx --conf ../dmc.conf {args}");
    let output = command.args(["-c", &line, env!("CARGO_BIN_EXE_dmc")]).output().unwrap();
    digest(&stage.told(&output).good().stdout).to_owned()
}

#[test]
fn folder_umask_time_zone_language_and_threads_change_no_digest() {
    let wanted = build_after(&Stage::new(), "true", "");
    for (setting, args) in [
        ("umask 077", ""),
        ("umask 000", "-j 1"),
        ("export TZ=Asia/Kolkata LC_ALL=tr_TR.UTF-8 LANG=tr_TR", "-j 8"),
        ("mkdir -p 'deep é/er' && cp ../dmc.conf deep* && cd 'deep é/er'", "-j 2"),
    ] {
        assert_eq!(build_after(&Stage::new(), setting, args), wanted, "{setting} {args}");
    }
}

#[test]
fn a_strict_umask_keeps_nobody_from_reading_the_layout() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::new();
    build_after(&stage, "umask 077", "");
    for path in stage.everything().iter().filter(|path| path.starts_with(stage.path("work/out"))) {
        let metadata = std::fs::metadata(path).unwrap();
        if metadata.is_file() {
            assert_eq!(metadata.permissions().mode() & 0o777, 0o644, "{path}");
        }
    }
}

#[test]
fn a_commit_beside_the_templates_changes_no_digest() {
    let stage = Stage::new();
    stage.write("work/templates/README", b"about these");
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        stage.place(&mut git);
        git.args(["-c", "user.name=x", "-c", "user.email=x@example.org"]).args(args);
        let done = git.stdout(Stdio::null()).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    };
    git(&["init"]);
    git(&["add", "."]);
    git(&["commit", "-m", "first"]);
    let before = build_after(&stage, "true", "");
    stage.write("work/templates/NOTES", b"unrelated");
    git(&["add", "."]);
    git(&["commit", "-m", "second"]);
    std::fs::remove_dir_all(stage.path("home/.cache")).unwrap();
    std::fs::remove_dir_all(stage.path("work/out")).unwrap();
    assert_eq!(build_after(&stage, "true", ""), before);
}

#[test]
fn two_at_once_share_one_store_and_one_layout() {
    let stage = Stage::new();
    let start = |args: &[&str]| {
        let mut command = stage.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running =
        [start(&["-t", "nginx"]), start(&["-t", "nginx"]), start(&["-t", "nginx", "-A", "amd64"])];
    let told = running.map(|child| stage.told(&child.wait_with_output().unwrap()).good());
    assert_eq!(digest(&told[0].stdout), digest(&told[1].stdout));
    let debs: Vec<_> = stage
        .server
        .requests()
        .into_iter()
        .map(|r| r.path)
        .filter(|p| p.ends_with(".deb"))
        .collect();
    let mut once = debs.clone();
    once.sort();
    once.dedup();
    assert_eq!(debs.len(), once.len(), "each package was fetched once");
    assert_eq!(digest(&stage.run(&["-t", "nginx"]).good().stdout), digest(&told[0].stdout));
}
