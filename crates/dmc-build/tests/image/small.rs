//! Images of whole packages.

use crate::layer;
use crate::stage::{Stage, build, changed};
use dmc_testkit::{DebBuilder, FakeSuite};
use std::collections::BTreeMap;
use std::io::Read as _;

/// A shell, and what a package of its kind has.
pub(crate) fn shell(suite: &mut FakeSuite) {
    for arch in ["amd64", "arm64"] {
        let deb = DebBuilder::new("shell", "1-1", arch)
            .field("Essential", "yes")
            .field("Depends", "no-such-shell-library | libpcre2-8-0")
            .executable("/usr/bin/sh", "#!/usr/sbin/nginx\n")
            .conffile("/etc/shell.conf", "a=1\n")
            // The fixture's ldconfig does not say what it writes into a cache.
            .file("/etc/ld.so.cache", "a cache")
            .file("/usr/share/doc/shell/copyright", "License\n")
            .file("/usr/share/doc/shell/changelog.gz", "changes")
            .file("/usr/share/man/man1/sh.1.gz", "manual")
            .script("postinst", "#!/bin/sh\nset -e\nupdate-alternatives --install /usr/bin/say say /usr/bin/sh 10\n");
        suite.debs.push(("main".to_owned(), deb));
    }
}

/// Files and links of the layer with their contents or targets.
pub(crate) fn files(stage: &Stage, image: &dmc_build::ImageSummary) -> BTreeMap<String, String> {
    let bytes = layer::tar(&stage.path("out"), image);
    let mut archive = tar::Archive::new(&*bytes);
    let mut found = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned);
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let text = String::from_utf8_lossy(&target.unwrap_or(contents)).into_owned();
        found.insert(path.trim_end_matches('/').to_owned(), text);
    }
    found
}

fn small(stage: &Stage) -> BTreeMap<String, String> {
    let mut settings = stage.settings();
    settings.variant.small = true;
    let run = build(settings, &["nginx"]).good();
    files(stage, &run.images["nginx amd64"])
}

#[test]
fn whole_packages_come_with_dpkgs_database_and_without_documentation() {
    let stage = Stage::changed(shell);
    let files = small(&stage);
    for there in ["usr/bin/sh", "usr/sbin/nginx", "usr/share/doc/shell/copyright", "etc/shell.conf"]
    {
        assert!(files.contains_key(there), "{there} among {:#?}", files.keys());
    }
    for absent in
        ["usr/share/doc/shell/changelog.gz", "usr/share/man/man1/sh.1.gz", "var/lib/dpkg/status.d"]
    {
        assert!(!files.contains_key(absent), "{absent}");
    }
    let status = &files["var/lib/dpkg/status"];
    let stanza = status.split("\n\n").find(|text| text.starts_with("Package: shell\n")).unwrap();
    // `printf 'a=1\n' | md5sum`
    let sum = "d5e29449b9e66d5b4bb0d6ce48fbbcb1";
    assert!(stanza.contains("\nStatus: install ok installed\n"), "{stanza}");
    assert!(stanza.contains(&format!("\nConffiles:\n /etc/shell.conf {sum}")), "{stanza}");
    let list = &files["var/lib/dpkg/info/shell.list"];
    assert!(list.starts_with("/.\n") && list.contains("\n/usr/bin/sh\n"), "{list}");
    assert!(list.contains("\n/usr/share/doc/shell\n"), "{list}");
    assert!(!list.contains("changelog") && !list.contains("/man1"), "{list}");
    let sums = &files["var/lib/dpkg/info/shell.md5sums"];
    assert!(sums.contains("  usr/bin/sh\n") && !sums.contains("man1"), "{sums}");
    assert!(files.contains_key("var/lib/dpkg/info/zlib1g:amd64.list"), "Multi-Arch: same");
    assert!(files["var/lib/dpkg/info/shell.postinst"].contains("update-alternatives"));
    assert!(files["etc/dpkg/dpkg.cfg.d/dmc"].contains("path-exclude=/usr/share/man/*\n"));
    assert_eq!(files["usr/bin/say"], "/etc/alternatives/say");
    assert_eq!(files["etc/alternatives/say"], "/usr/bin/sh");
    assert!(
        files["var/lib/dpkg/alternatives/say"]
            .starts_with("auto\n/usr/bin/say\n\n/usr/bin/sh\n10\n")
    );
}

#[test]
fn a_template_says_it_by_its_mode_and_keeps_what_it_names() {
    let stage = Stage::changed(shell);
    let text = "group = \"base\"\nsummary = \"Small\"\nextends = [\"nginx\"]\nmode = \"small\"\n\
                include = [\"/usr/share/man/man1/sh.1.gz\"]\nexclude = [\"/etc/shell.conf\"]\n";
    let run = build(stage.settings_with("", &[("own", text)]), &["own"]).good();
    let files = files(&stage, &run.images["own amd64"]);
    assert!(files.contains_key("usr/share/man/man1/sh.1.gz") && files.contains_key("usr/bin/sh"));
    assert!(!files.contains_key("etc/shell.conf"));
}

#[test]
fn sets_that_cannot_be_and_roots_that_are_not_there_are_refused() {
    type Change = fn(&mut FakeSuite);
    let rows: [(&str, Change, &[&str]); 3] = [
        (
            "conflict",
            |suite| odd(suite, ("Conflicts", "nginx-common")),
            &["odd and nginx-common", "Conflicts"],
        ),
        ("unmet", |suite| odd(suite, ("Depends", "nowhere")), &["`nowhere`", "odd", "Depends"]),
        ("same path", |suite| odd(suite, ("Section", "misc")), &["/usr/sbin/nginx", "odd"]),
    ];
    for (why, change, parts) in rows {
        let stage = Stage::with(&changed(change));
        let mut settings = stage.settings();
        settings.variant.small = true;
        build(settings, &["nginx"]).said(why, parts);
        assert!(!stage.path("out/index.json").exists(), "{why}");
    }
    let stage = Stage::new();
    let text = "group = \"base\"\nsummary = \"Small\"\nextends = [\"nginx\"]\nmode = \"small\"\n\
                roots = [\"/usr/bin/nowhere\"]\n";
    let run = build(stage.settings_with("", &[("own", text)]), &["own"]);
    run.said("a root", &["/usr/bin/nowhere"]);
}

/// An essential package with a field, and a file that nginx ships too.
fn odd(suite: &mut FakeSuite, (field, value): (&str, &str)) {
    for arch in ["amd64", "arm64"] {
        let deb = DebBuilder::new("odd", "1-1", arch)
            .field("Essential", "yes")
            .field(field, value)
            .executable("/usr/sbin/nginx", "another");
        suite.debs.push(("main".to_owned(), deb));
    }
}
