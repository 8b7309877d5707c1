//! What scanners find in dpkg's database of an image, by their rules.
//!
//! Two scanners are written down here as far as they read `/var/lib/dpkg`: trivy (its analyzer
//! `dpkg`) and syft (its cataloger `dpkg-db-cataloger`). The table shows the rules; then both read
//! images, and must find the packages that dmc says are in there, with their sources.

use crate::small;
use crate::stage::{Stage, act, build, json};
use dmc_build::{Activity, DocumentKind, Settings};
use std::collections::{BTreeMap, BTreeSet};

/// Name, version, source, source's version.
type Found = BTreeSet<[String; 4]>;

/// trivy reads `status` and every file of `status.d` whose name does not end with `.md5sums`.
fn trivy(path: &str, text: &str) -> Found {
    let of_folder = path.strip_prefix("var/lib/dpkg/status.d/");
    let read = of_folder.is_some_and(|name| !name.contains('/') && !name.ends_with(".md5sums"));
    if path != "var/lib/dpkg/status" && !read {
        return Found::new();
    }
    let gone = |status: &str| status.split(' ').any(|word| ["deinstall", "purge"].contains(&word));
    paragraphs(text)
        .iter()
        .filter(|fields| !gone(fields.get("Status").map_or("", String::as_str)))
        .filter_map(|fields| {
            package(fields).filter(|[name, version, ..]| !name.is_empty() && !version.is_empty())
        })
        .collect()
}

/// syft reads `status` and every file of `status.d`; a field that comes twice spoils the file, and
/// a line without a colon is passed over.
fn syft(path: &str, text: &str) -> Found {
    let database = path.ends_with("lib/dpkg/status")
        || path.rsplit_once('/').is_some_and(|(folder, _)| folder.ends_with("lib/dpkg/status.d"));
    let twice = text.split("\n\n").any(|paragraph| {
        let keys: Vec<_> = paragraph
            .lines()
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| Some(line.split_once(':')?.0.replace('-', "")))
            .collect();
        keys.iter().collect::<BTreeSet<_>>().len() != keys.len()
    });
    if !database || twice {
        return Found::new();
    }
    let gone = |status: &str| status.contains("deinstall");
    paragraphs(text)
        .iter()
        .filter(|fields| !gone(fields.get("Status").map_or("", String::as_str)))
        .filter_map(|fields| package(fields).filter(|[name, ..]| !name.is_empty()))
        .collect()
}

fn paragraphs(text: &str) -> Vec<BTreeMap<String, String>> {
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    let fields =
        |text: &str| text.lines().filter(|line| !line.starts_with(' ')).filter_map(field).collect();
    text.split("\n\n").map(fields).collect()
}

/// Both take a source's version from the brackets, and the package's own where there is none.
fn package(fields: &BTreeMap<String, String>) -> Option<[String; 4]> {
    let name = fields.get("Package")?.clone();
    let version = fields.get("Version").cloned().unwrap_or_default();
    let source = fields.get("Source").cloned().unwrap_or_else(|| name.clone());
    let (source, source_version) = match source.split_once(" (") {
        Some((source, rest)) => (source.to_owned(), rest.trim_end_matches(')').to_owned()),
        None => (source, version.clone()),
    };
    Some([name, version, source, source_version])
}

#[test]
fn scanners_read_status_d_by_these_rules() {
    let plain = "Package: a\nStatus: install ok installed\nVersion: 1-1+b2\nSource: s (1-1)\n";
    let found =
        |all: &[[&str; 4]]| -> Found { all.iter().map(|one| one.map(str::to_owned)).collect() };
    let a = found(&[["a", "1-1+b2", "s", "1-1"]]);
    let none = Found::new();
    for (what, path, text, by_trivy, by_syft) in [
        ("a file a package", "var/lib/dpkg/status.d/a", plain.to_owned(), &a, &a),
        ("a name with a dot", "var/lib/dpkg/status.d/a1.2-x", plain.to_owned(), &a, &a),
        ("the whole database", "var/lib/dpkg/status", plain.to_owned(), &a, &a),
        ("elsewhere", "var/lib/dpkg/info/a", plain.to_owned(), &none, &none),
        ("sums", "var/lib/dpkg/status.d/a.md5sums", "0f  usr/bin/a\n".to_owned(), &none, &none),
        (
            "no Status at all",
            "var/lib/dpkg/status.d/a",
            plain.replace("Status: install ok installed\n", ""),
            &a,
            &a,
        ),
        (
            "removed",
            "var/lib/dpkg/status.d/a",
            plain.replace("install ok installed", "deinstall ok config-files"),
            &none,
            &none,
        ),
        (
            "no version",
            "var/lib/dpkg/status.d/a",
            "Package: a\nSource: s (1-1)\n".to_owned(),
            &none,
            &found(&[["a", "", "s", "1-1"]]),
        ),
        (
            "its own source",
            "var/lib/dpkg/status.d/a",
            "Package: a\nVersion: 2\n".to_owned(),
            &found(&[["a", "2", "a", "2"]]),
            &found(&[["a", "2", "a", "2"]]),
        ),
        (
            "a source without version",
            "var/lib/dpkg/status.d/a",
            "Package: a\nVersion: 2\nSource: s\n".to_owned(),
            &found(&[["a", "2", "s", "2"]]),
            &found(&[["a", "2", "s", "2"]]),
        ),
        (
            "a field twice",
            "var/lib/dpkg/status.d/a",
            format!("{plain}Version: 2\n"),
            &found(&[["a", "2", "s", "1-1"]]),
            &none,
        ),
    ] {
        assert_eq!(trivy(path, &text), *by_trivy, "trivy: {what}");
        assert_eq!(syft(path, &text), *by_syft, "syft: {what}");
    }
}

#[test]
fn scanners_find_the_packages_that_the_documents_name() {
    let stage = Stage::changed(small::shell);
    for small_image in [false, true] {
        let settings = || {
            let mut settings = stage.settings();
            settings.variant.small = small_image;
            settings.conf.archs.truncate(1);
            Settings { force: false, ..settings }
        };
        let run = build(settings(), &["nginx"]).good();
        let files = small::files(&stage, &run.images["nginx amd64"]);
        let scan = |by: fn(&str, &str) -> Found| -> Found {
            files.iter().flat_map(|(path, text)| by(path, text)).collect()
        };
        let described = act(Activity::Sbom, settings(), &["nginx"]).good();
        let bom = described.documents.iter().find(|it| it.kind == DocumentKind::CycloneDx).unwrap();
        let blob = stage.path("out/blobs/sha256").join(bom.document.digest.to_string());
        let bom = json(&blob);
        let libraries = bom["components"].as_array().unwrap().iter();
        let libraries = libraries.filter(|it| it["type"] == "library");
        let told: Found = libraries
            .map(|it| {
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                let property = |at: usize| text(&it["properties"][at]["value"]);
                [text(&it["name"]), text(&it["version"]), property(0), property(1)]
            })
            .collect();
        assert!(told.len() >= 8, "{told:#?}");
        assert_eq!(scan(trivy), told, "trivy, small: {small_image}");
        assert_eq!(scan(syft), told, "syft, small: {small_image}");
    }
}
