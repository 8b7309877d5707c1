use super::*;
use crate::fixture::package;
use std::fmt::Write as _;

fn grammar() -> Grammar {
    let text = include_str!("../../../../conf/scripts.toml");
    Grammar::read("conf/scripts.toml", text).unwrap()
}

/// One line a statement: line, a sign for what becomes of it, text.
fn report(script: &str) -> String {
    let package = package("x-y", &[("postinst", script)], &[]);
    let mut text = String::new();
    for Statement { line, text: shown, covered, .. } in script_report(&package, &grammar()) {
        let sign = match covered {
            Covered::Done(_) => '+',
            Covered::NoEffect(_) => ' ',
            Covered::NotCovered => '!',
        };
        let _ = writeln!(text, "{line}{sign}{shown}");
    }
    text
}

fn open(script: &str) -> Vec<String> {
    let script = format!("#!/bin/sh\n{script}\n");
    let report = report(&script);
    let lines = report.lines().filter_map(|line| line.split_once('!'));
    lines.filter(|(line, _)| line.parse::<usize>().is_ok()).map(|(_, it)| it.to_owned()).collect()
}

#[test]
fn what_an_image_does_not_get_is_reported_with_its_line() {
    let script = "#!/bin/sh\nset -e\n\ncase \"$1\" in\n  configure)\n    adduser --system x\n\
                  \x20   chown x /srv # why\n    ;;\n  *)\n    rm -rf /srv; mknod /a\n    ;;\nesac\n\
                  deb-systemd-helper enable x >/dev/null || true\nexit 0\nmknod /b\n";
    assert_eq!(
        report(script),
        "2 set -e\n6+adduser --system x\n7!chown x /srv\n10 mknod /a\n10 rm -rf /srv\n\
         13 deb-systemd-helper enable x >/dev/null\n13 true\n14 exit 0\n15 mknod /b\n"
    );
}

#[test]
fn what_cannot_happen_at_a_first_installation_is_not_reported() {
    for (why, script) in [
        ("an upgrade", "if [ -n \"$2\" ]; then mknod /a; fi"),
        ("an upgrade by version", "if dpkg --compare-versions \"$2\" lt-nl 1~; then mknod /a; fi"),
        (
            "both",
            "[ \"$1\" = configure ] && [ -n \"$2\" ] && dpkg --compare-versions \"$2\" lt 1 && mknod /a",
        ),
        ("by -a", "if [ \"$1\" = configure -a -n \"$2\" ]; then mknod /a; fi"),
        ("by a variable", "old=$2\nif test \"$old\"; then mknod /a; fi"),
        ("another argument", "if [ \"$1\" = triggered ]; then mknod /a; exit; fi"),
        ("systemd", "if [ -d /run/systemd/system ]; then mknod /a; fi"),
        ("a function that is not called", "f() { mknod /a; }\ng () {\n f\n}"),
        ("after the end", "case $1 in configure) exit 0;; esac\nmknod /a"),
        ("an empty loop", "for x in $2; do mknod /a; done"),
        ("an else", "if [ \"$1\" = configure ]; then :; else mknod /a; fi"),
        ("a here-document", "cat <<EOF\nmknod /a\nEOF\n"),
        ("a comment", "true # mknod /a"),
    ] {
        assert_eq!(open(script), Vec::<String>::new(), "{why}");
    }
}

#[test]
fn whatever_may_happen_is_reported() {
    for (why, script) in [
        ("a question", "if [ -e /a ]; then mknod /a; fi"),
        ("its other side", "if grep -q x /a; then :; else mknod /a; fi"),
        ("a first installation", "if dpkg --compare-versions \"$2\" lt 1; then mknod /a; fi"),
        ("a function", "f() {\n  mknod /a\n}\nf"),
        ("a substitution", "x=$(mknod /a)"),
        ("in quotes", "echo \"`mknod /a`\""),
        ("a pipe", "true | mknod /a"),
        ("a subshell that ends", "(exit 0)\nmknod /a"),
        ("an end that may not come", "test -e /x && exit 0\nmknod /a"),
        ("an unknown argument", "case $(uname) in x) mknod /a;; esac"),
        ("a loop", "while read x; do mknod /a; done < /b"),
        ("a function that calls itself", "f() { f; mknod /a; f; }\nf"),
    ] {
        assert_eq!(open(script), ["mknod /a"], "{why}");
    }
}

#[test]
fn what_cannot_be_followed_is_said() {
    let deep = "(".repeat(10_000);
    for (why, script) in [
        ("an open quote", "echo 'x"),
        ("an open if", "if true; then x"),
        ("a stray word", "fi"),
        ("too deep", &*deep),
    ] {
        let last = open(script).pop().unwrap_or_default();
        assert!(last.contains("cannot be followed"), "{why}: {last}");
    }
    let perl = report("#!/usr/bin/perl\nunlink 'x';\n");
    assert_eq!(perl, "1!the whole script, which is not for a shell\n");
}

#[test]
fn scripts_that_grow_as_they_run_stay_small() {
    let doubling = format!("#!/bin/sh\nset -- a b\n{}", "set -- \"$@\" \"$@\"\n".repeat(40));
    assert!(!report(&doubling).contains("cannot be followed"));
    let long = "x".repeat(2000);
    let looping = "for i in 1 2 3 4 5 6 7 8; do ".repeat(5);
    let looping = format!("#!/bin/sh\n{looping} echo {long} {long} {}", "; done".repeat(5));
    assert!(report(&looping).contains("cannot be followed"));
}

#[test]
fn the_line_that_is_named_is_one_of_the_scripts() {
    let script = "#!/bin/sh\ncat <<END && (\nnever ended";
    assert!(report(script).contains("3!"), "{}", report(script));
}

#[test]
fn a_wrong_grammar_is_refused() {
    for text in ["forms = 1", "[[done]]\nbecause = \"x\"\nforms = [\"\"]", "absent = [\"x\"]"] {
        assert!(Grammar::read("conf/scripts.toml", text).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes: Vec<u8>) {
        let mut package = package("x-y", &[], &[]);
        package.scripts.insert("postinst".to_owned(), [b"#!/bin/sh\n", &*bytes].concat());
        script_report(&package, &grammar());
        crate::alternatives(&package);
    }

    #[test]
    fn no_shell_like_text_brings_it_down(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "if ", "then ", "else ", "fi\n", "case ", "in ", "esac\n", ";; ", "* ", ") ", "( ",
            "{ ", "}\n", "for ", "do ", "done\n", "while ", "$( ", "${x:-", "}", "\"", "'", "`",
            "<<E\n", "E\n", "\\", "\n", "; ", "&& ", "|| ", "| ", "f() ", "f ", "$1 ", "x=", "[ ",
            "update-alternatives --install ", "$((", "))", "! ", "#", "exit\n", "a ",
        ]), 0..60)) {
        let script = format!("#!/bin/sh\n{}", words.concat());
        let package = package("x-y", &[("postinst", &script)], &[]);
        script_report(&package, &grammar());
    }
}
