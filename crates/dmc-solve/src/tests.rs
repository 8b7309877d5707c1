//! Small archives, each with what an installation of `want` comes to.

use crate::{Listing, SolveError, Unsolvable, solve};
use dmc_types::{Arch, PackageName};

/// Stanzas from lines of `NAME VERSION; Field: value; …`.
fn listing(lines: &str) -> Listing {
    let stanza = |line: &str| {
        let (head, fields) = line.trim().split_once(';').unwrap_or((line.trim(), ""));
        let (name, version) = head.split_once(' ').unwrap_or((head, "1"));
        let fields: String =
            fields.split(';').map(|field| field.trim().to_owned() + "\n").collect();
        format!("Package: {name}\nVersion: {version}\n{}\n", fields.trim_start())
    };
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    let text: String = lines.map(|line| stanza(line).replace("\n\n", "\n") + "\n").collect();
    Listing::parse(text.as_bytes(), Arch::Amd64)
}

fn ask(lines: &str, wanted: &str) -> Result<Vec<String>, Unsolvable> {
    let wanted: Vec<PackageName> = wanted.split(' ').map(|name| name.parse().unwrap()).collect();
    match solve(&listing(lines), &wanted) {
        Ok(chosen) => Ok(chosen.keys().map(ToString::to_string).collect()),
        Err(SolveError::Unsolvable(why)) => Err(why),
        Err(SolveError::Index(never)) => match never {},
    }
}

#[test]
fn sets_are_those_of_apt() {
    for (why, lines, wanted, set) in [
        (
            "essential packages come along",
            "ab\nsh; Essential: yes; Depends: lib\nlib",
            "ab",
            "ab lib sh",
        ),
        ("both fields count", "ab; Pre-Depends: cc; Depends: dd\ncc\ndd\nee", "ab", "ab cc dd"),
        ("Recommends do not", "ab; Recommends: cc\ncc", "ab", "ab"),
        ("the first alternative", "ab; Depends: cc | dd\ncc\ndd", "ab", "ab cc"),
        ("the second, if the first is not there", "ab; Depends: xx | dd\ndd", "ab", "ab dd"),
        ("the second, if it is wanted", "ab; Depends: cc | dd\ncc\ndd", "ab dd", "ab dd"),
        (
            "depth first",
            "ab; Depends: cc, dd\ncc; Depends: ee | ff\ndd; Depends: ff\nee\nff",
            "ab",
            "ab cc dd ee ff",
        ),
        (
            "what came before counts",
            "ab; Depends: dd, cc\ncc; Depends: ee | ff\ndd; Depends: ff\nee\nff",
            "ab",
            "ab cc dd ff",
        ),
        ("a version too old", "ab; Depends: cc (>= 2) | dd\ncc 1.9\ndd", "ab", "ab dd"),
        ("the highest version", "ab; Depends: cc (>= 2)\ncc 1\ncc 2\ncc 1.5", "ab", "ab cc"),
        ("a provider", "ab; Depends: vv\ncc; Provides: vv", "ab", "ab cc"),
        ("a real package before providers", "ab; Depends: vv\naa; Provides: vv\nvv", "ab", "ab vv"),
        (
            "a provider by priority",
            "ab; Depends: vv\ncc; Provides: vv; Priority: required\ndd; Provides: vv",
            "ab",
            "ab cc",
        ),
        (
            "an essential provider",
            "ab; Depends: vv\ncc; Provides: vv; Priority: required\ndd; Provides: vv; Essential: yes",
            "ab",
            "ab dd",
        ),
        (
            "equal providers: the later name",
            "ab; Depends: vv\nc1; Provides: vv\nc2; Provides: vv",
            "ab",
            "ab c2",
        ),
        (
            "a provided version",
            "ab; Depends: vv (>= 2)\ncc; Provides: vv (= 2)\ndd; Provides: vv",
            "ab",
            "ab cc",
        ),
        (":any of what allows it", "ab; Depends: cc:any\ncc; Multi-Arch: allowed", "ab", "ab cc"),
        ("its own architecture", "ab; Depends: cc:amd64\ncc", "ab", "ab cc"),
        ("a circle", "ab; Depends: cc\ncc; Depends: ab", "ab", "ab cc"),
        ("excluding one's own name", "ab; Conflicts: vv; Provides: vv", "ab", "ab"),
        (
            "a choice around a conflict",
            "ab; Depends: cc | dd\ncc; Breaks: sh\ndd\nsh; Essential: yes",
            "ab",
            "ab dd sh",
        ),
        (
            "a choice taken back",
            "ab; Depends: cc | dd, ee\ncc\ndd\nee; Conflicts: cc",
            "ab",
            "ab dd ee",
        ),
        ("a choice taken back later", "ab; Depends: cc | dd\ncc; Depends: xx\ndd", "ab", "ab dd"),
        ("an older version is broken", "ab; Breaks: cc (<< 2)\ncc 2", "ab cc", "ab cc"),
    ] {
        assert_eq!(ask(lines, wanted).map(|set| set.join(" ")), Ok(set.to_owned()), "{why}");
    }
}

#[test]
fn what_cannot_be_is_told_with_its_names() {
    for (why, lines, wanted, parts) in [
        ("unknown", "ab", "xx", &["no package xx"][..]),
        (
            "unmet",
            "ab; Depends: cc (>= 2) | dd\ncc 1",
            "ab",
            &["`cc (>= 2) | dd`", "ab", "Depends"],
        ),
        (
            "unmet further down",
            "ab; Depends: cc\ncc; Pre-Depends: xx",
            "ab",
            &["`xx`", "cc", "Pre-Depends"],
        ),
        (":any of what does not allow it", "ab; Depends: cc:any\ncc", "ab", &["`cc:any`"]),
        ("another architecture", "ab; Depends: cc:arm64\ncc", "ab", &["`cc:arm64`"]),
        ("a name without a version", "ab; Depends: vv (>= 1)\ncc; Provides: vv", "ab", &["vv"]),
        ("both wanted", "ab; Conflicts: cc\ncc", "ab cc", &["ab and cc", "Conflicts", "asked for"]),
        (
            "both needed",
            "ab; Depends: cc, dd\ncc; Breaks: vv\ndd; Provides: vv",
            "ab",
            &["cc and dd", "Breaks of cc", "`vv`", "dd: Depends of ab"],
        ),
        (
            "every choice",
            "ab; Depends: cc | dd\ncc; Breaks: ab\ndd; Breaks: ab",
            "ab",
            &["cc and ab"],
        ),
    ] {
        let error = ask(lines, wanted).unwrap_err();
        for part in parts {
            assert!(error.to_string().contains(part), "{why}: no `{part}` in {error}");
        }
        assert!(!error.hint().is_empty(), "{why}");
    }
}

/// Forty choices in a row before what cannot be: the search ends, and tells the conflict.
#[test]
fn a_hopeless_search_ends() {
    let choice = |n| format!("p{n}; Depends: a{n} | b{n}\na{n}\nb{n}\n");
    let choices = (10..50).map(choice).collect::<Vec<_>>().concat();
    let all: Vec<String> = (10..50).map(|n| format!("p{n}")).collect();
    let lines = format!("{choices}ab; Depends: {}, cc\ncc; Conflicts: ab", all.join(", "));
    let error = ask(&lines, "ab").unwrap_err().to_string();
    assert!(error.contains("cc and ab"), "{error}");
}
