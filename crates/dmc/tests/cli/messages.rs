//! What is said to those who mistype, and to those who ask for help.

use crate::stage::Stage;
use std::fmt::Write as _;

#[test]
fn mistakes_are_answered_with_a_way_out() {
    let stage = Stage::new();
    let mut all = String::new();
    for args in [
        &[][..],
        &["nginx"],
        &["udpate"],
        &["base"],
        &["xyz"],
        &["update", "nginx"],
        &["-t", "ngnix"],
        &["-g", "bsae"],
        &["-t", "accounts"],
        &["create"],
        &["-t", "nginx", "-A", "amd46"],
        &["-t", "nginx", "-D", "trixy"],
        &["-t", "nginx", "-M", "ftp://mirror.example/debian"],
        &["-t", "nginx", "-H", "registry"],
        &["push", "-t", "nginx"],
        &["-a", "create", "-t", "nginx", "-X"],
        &["-t", "nginx", "--dry-run"],
        &["-t", "nginx", "-b", "9"],
        &["-t", "nginx", "-b", "4", "-e", "2"],
        &["-t", "nginx", "-o", "0"],
        &["-t", "nginx", "-o", "1", "-b", "2"],
        &["-t", "nginx", "-j", "0"],
        &["-t", "nginx", "--compression", "zip"],
        &["-t", "nginx", "--templates-dir", "nowhere"],
        &["-t", "nginx", "-q", "-v"],
        &["clean", "update"],
        &["check", "-t", "nginx"],
        &["clean", "--older-than", "3m"],
        &["-t", "nginx", "--max-size", "2G"],
        &["why", "nginx"],
        &["why", "nginx", "usr/sbin/nginx"],
        &["--frobnicate"],
    ] {
        let told = stage.run(args);
        let _ = writeln!(all, "$ dmc {}\n{}", args.join(" "), told.text());
        assert!(told.stdout.is_empty(), "{args:?}: {}", told.stdout);
        assert_eq!(told.code, Some(2), "{args:?}: {}", told.stderr);
    }
    insta::assert_snapshot!("mistakes", all);
    assert_eq!(stage.server.requests().len(), 0);
}

#[test]
fn a_broken_template_is_told_and_the_others_are_built() {
    let stage = Stage::new();
    stage.template("broken", "packagse = []");
    stage.template("left", "extends = [\"right\"]");
    stage.template("right", "extends = [\"left\"]");
    let told = stage.run(&["-t", "broken", "-A", "amd64"]);
    insta::assert_snapshot!("broken", told.text());
    assert_eq!(told.code, Some(2));
    // Whoever names no template is told of all.
    let listed = stage.run(&["-l", "create"]);
    assert_eq!(listed.stderr.matches("a template is left out: ").count(), 3, "{}", listed.stderr);
    stage.run(&["-t", "left"]).failed(2, &["left", "right", "extend", "hint: "]);
    let told = stage.run(&["-t", "broken,nginx"]).failed(2, &["packagse"]);
    assert!(told.stdout.starts_with("nginx:1.26.3 "), "{}", told.stdout);
}

#[test]
fn wrong_levels_dates_and_configuration_are_named() {
    let stage = Stage::new();
    for (variable, value, part) in [
        ("OUT_level", "LOUD", "use NONE, ERROR, WARN, INFO or ALL"),
        ("LOG_level", "7", "LOG_level"),
        ("SOURCE_DATE_EPOCH", "yesterday", "seconds since 1970"),
        ("LOG_dir", "/proc/none", "LOG_dir"),
    ] {
        let mut command = stage.command(&["-t", "nginx", "-l"]);
        let told = stage.told(&command.env(variable, value).output().unwrap());
        assert_ne!(told.code, Some(0), "{variable}");
        assert!(told.stderr.contains(part), "{variable}: {}", told.stderr);
    }
    stage.write("dmc.conf", b"dits = \"trixie\"\n");
    stage.run(&["-t", "nginx", "-l"]).failed(2, &["DIR/dmc.conf", "dits", "dist"]);
}

#[test]
fn help_lists_templates_groups_and_activities() {
    let stage = Stage::new();
    stage.template("mine", "packages = []");
    let told = stage.run_plain(&["--help"]);
    for part in ["base     nginx", "base     mine", "LOG_dir"] {
        assert!(told.stdout.contains(part), "no `{part}` in:\n{}", told.stdout);
    }
    let (_, list) = told.stdout.split_once("Activities: ").unwrap();
    let (list, _) = list.split_once("Templates by group").unwrap();
    let activities: Vec<&str> =
        list.split([',', ' ', '\n']).filter(|word| !word.is_empty()).collect();
    for activity in ["setup", "update", "lock", "create", "verify", "audit", "test", "load", "push"]
    {
        assert!(activities.contains(&activity), "no {activity} in {list}");
    }
    for activity in ["rollback", "restart", "upgrade"] {
        assert!(activities.contains(&activity), "no {activity} in {list}");
    }
    for activity in ["promote", "deploy", "keygen", "why", "diff", "clean", "check"] {
        assert!(activities.contains(&activity), "no {activity} in {list}");
    }
    for flag in [
        "-A,", "-D,", "-M,", "-H,", "-T,", "-X,", "-t,", "-g,", "-a,", "-l,", "-b,", "-e,", "-o,",
        "-h,",
    ] {
        assert!(told.stdout.contains(flag), "no {flag}");
    }
}

#[test]
fn completions_and_the_man_page_are_made() {
    let stage = Stage::new();
    for (args, part) in [
        (&["--completions", "bash"][..], "_dmc()"),
        (&["--completions", "zsh"], "#compdef dmc"),
        (&["--completions", "fish"], "complete -c dmc"),
        (&["--man"], ".TH dmc 1"),
    ] {
        let told = stage.run_plain(args);
        assert!(told.stdout.contains(part), "{args:?}: {}", told.stdout);
        assert!(told.stdout.contains("allow-skew") || told.stdout.contains("allow\\-skew"));
        assert!(told.stderr.is_empty(), "{}", told.stderr);
    }
}

impl Stage {
    /// Without any flag of the stage's.
    fn run_plain(&self, args: &[&str]) -> crate::stage::Told {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dmc"));
        self.place(&mut command);
        self.told(&command.args(args).output().unwrap()).good()
    }
}
