//! The machine's apt configuration: addresses and keys are taken from it, trust never is.

use crate::stage::{HONEST, KEY, KEYRING, Stage, Told, suites};
use dmc_testkit::{FakeArchive, Server, SigningKey};
use std::fs;

/// A stage whose own archive nobody may ask: apt's configuration names another mirror.
fn with_source(name: &str, text: impl Fn(&str) -> String) -> (Stage, Server) {
    let stage = Stage::new();
    let mirror = Server::start(&HONEST);
    let text = text(&mirror.url());
    stage.write(&format!("machine/etc/apt/{name}"), text.as_bytes());
    (stage, mirror)
}

fn update(stage: &Stage) -> Told {
    stage.run(&["update", "-A", "amd64", "-v"])
}

#[test]
fn both_forms_of_sources_name_the_mirror() {
    let line = |url: &str| {
        format!(
            "deb {url} bookworm main\ndeb-src {url} sid main\ndeb {url} bookworm-security main\n"
        )
    };
    let stanza = |url: &str| {
        format!("Types: deb\nURIs: {url}\nSuites: bookworm bookworm-security\nComponents: main\n")
    };
    for (name, text) in [
        ("sources.list", &line as &dyn Fn(&str) -> String),
        ("sources.list.d/debian.list", &line),
        ("sources.list.d/debian.sources", &stanza),
    ] {
        let (stage, mirror) = with_source(name, text);
        update(&stage).good();
        assert_eq!(mirror.count("dists/trixie/InRelease"), 1, "{name}");
        assert_eq!(mirror.count("dists/trixie-security/InRelease"), 1, "{name}");
        assert_eq!(stage.server.requests().len(), 0, "{name}");
    }
}

#[test]
fn trust_switches_are_ignored_with_a_warning() {
    let mut unsigned = suites();
    unsigned[0].keys.clear();
    let unsigned = FakeArchive::of(&unsigned);
    let line = |url: &str| format!("deb [trusted=yes allow-insecure=yes] {url} trixie main\n");
    let stanza = |url: &str| {
        format!(
            "Types: deb\nURIs: {url}\nSuites: trixie trixie-security\nComponents: main\n\
             Trusted: yes\nAllow-Insecure: yes\nCheck-Valid-Until: no\n"
        )
    };
    for (name, text) in [
        ("sources.list", &line as &dyn Fn(&str) -> String),
        ("sources.list.d/debian.sources", &stanza),
    ] {
        let (stage, mirror) = with_source(name, text);
        let told = update(&stage).good();
        let warned = told.stderr.lines().any(|line| {
            line.starts_with("WARN")
                && line.to_lowercase().contains("trusted")
                && line.contains(name)
        });
        assert!(warned, "{name}: no warning in:\n{}", told.stderr);
        // What is not signed is none of the vendor's: the vendor's own address is asked instead.
        mirror.serve(&unsigned);
        let told = update(&stage).good();
        assert!(told.stderr.contains("not a signed text"), "{name}: {}", told.stderr);
        assert!(told.stderr.contains("trixie of MIRROR/, signed by"), "{name}: {}", told.stderr);
        stage.server.serve(&unsigned);
        update(&stage).failed(1, &["not a signed text", "MIRROR", "trixie"]);
    }
}

#[test]
fn signed_by_decides_whose_signature_counts() {
    let line = |url: &str| {
        ["trixie", "trixie-security"]
            .map(|suite| format!("deb [signed-by=/etc/apt/ours.gpg] {url} {suite} main\n"))
            .concat()
    };
    let (stage, mirror) = with_source("sources.list", line);
    update(&stage).failed(1, &["cannot read the keyring `/etc/apt/ours.gpg`", "hint: "]);
    stage.write("machine/etc/apt/ours.gpg", &SigningKey::generate("other").public_binary());
    // Its archive is another one, then, and the vendor's own address is asked.
    let told = update(&stage).good();
    assert!(told.stderr.contains("passed over"), "{}", told.stderr);
    assert!(told.stderr.contains("trixie of MIRROR/"), "{}", told.stderr);
    mirror.reset();
    stage.server.reset();
    stage.write("machine/etc/apt/ours.gpg", &KEY.public_binary());
    let told = update(&stage).good();
    let asked = (mirror.requests().len(), stage.server.requests().len());
    assert_eq!(asked, (3, 0), "{}", told.stderr);
    // Inline, and the machine's own keyring is not asked.
    fs::remove_file(stage.path("machine").join(KEYRING)).unwrap();
    let armored = KEY.public_armored();
    let inline: String = armored
        .lines()
        .map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") })
        .collect();
    let mirror = Server::start(&HONEST);
    let text = format!(
        "Types: deb\nURIs: {}\nSuites: trixie trixie-security\nComponents: main\nSigned-By:\n{inline}",
        mirror.url()
    );
    fs::remove_file(stage.path("machine/etc/apt/sources.list")).unwrap();
    stage.write("machine/etc/apt/sources.list.d/inline.sources", text.as_bytes());
    update(&stage).good();
    assert_eq!(mirror.count("dists/trixie/InRelease"), 1);
}

#[test]
fn without_the_machines_keyring_the_shipped_one_counts() {
    let stage = Stage::new();
    fs::remove_file(stage.path("machine").join(KEYRING)).unwrap();
    // The shipped keys are Debian's: this archive is not signed by them.
    update(&stage).failed(1, &["trixie", &KEY.signing_fingerprint()]);
}

#[test]
fn other_architectures_and_suites_are_told_what_there_is() {
    let stage = Stage::new();
    stage.run(&["-t", "nginx", "-A", "riscv64"]).failed(1, &["riscv64", "amd64, arm64", "hint: "]);
    stage.run(&["-t", "nginx", "-D", "bookworm"]).failed(1, &["bookworm", "MIRROR", "hint: "]);
}
