//! Other architectures, and another vendor's layout.

use crate::layer;
use crate::stage::{KEY, Stage, build};
use dmc_testkit::{Compression, FakeArchive, FakeSuite, Server, fixtures};
use dmc_types::Arch;
use std::fs;

/// Big-endian, 32 bits, and the other ones that Debian has: nothing is run, so every machine
/// builds all of them.
#[test]
fn every_architecture_is_built_and_has_its_own_files() {
    let suites = fixtures::suites(&Arch::ALL, &KEY);
    let stage = Stage::with(&FakeArchive::of(&suites));
    let mut settings = stage.settings();
    settings.conf.archs = Arch::ALL.to_vec();
    let run = build(settings, &["nginx"]).good();
    for arch in Arch::ALL {
        let listing = layer::listing(&stage.path("out"), &run.images[&format!("nginx {arch}")]);
        let library = format!(" usr/lib/{}/libc.so.6\n", arch.triplet());
        assert!(listing.contains(&library), "{arch}: {listing}");
    }
    let index = &run.indices["nginx"];
    let index = stage.path("out/blobs/sha256").join(index.index.digest.to_string());
    let index = crate::stage::json(&index);
    assert_eq!(index["manifests"].as_array().unwrap().len(), Arch::ALL.len());
}

#[test]
fn an_architecture_that_is_not_served_is_told_with_those_that_are() {
    let stage = Stage::new();
    let mut settings = stage.settings();
    settings.conf.archs = vec![Arch::Riscv64];
    build(settings, &["nginx"]).said("riscv64", &["riscv64", "amd64", "-A"]);
}

/// A host for amd64 and one for all others; main and universe; packages packed with zstd; a key
/// that apt's configuration names.
#[test]
fn ubuntus_layout_is_read() {
    let of = |archs: &[Arch], pocket: &str, filled: bool| {
        let mut suite = FakeSuite::new(pocket).signed_by(&KEY);
        "Ubuntu".clone_into(&mut suite.origin);
        suite.architectures = archs.to_vec();
        suite.components = vec!["main".to_owned(), "universe".to_owned()];
        if filled {
            for deb in fixtures::nginx_like(archs) {
                let component =
                    if deb.package().starts_with("nginx") { "universe" } else { "main" };
                suite.debs.push((component.to_owned(), deb.compression(Compression::Zst)));
            }
        }
        suite
    };
    let host = |arch| {
        let archs = [arch];
        let names = [("noble", true), ("noble-updates", false), ("noble-security", false)];
        FakeArchive::of(&names.map(|(name, filled)| of(&archs, name, filled)))
    };
    let archive = Server::start_at("/ubuntu", &host(Arch::Amd64));
    let ports = Server::start_at("/ubuntu-ports", &host(Arch::Arm64));
    let (main, others) = (archive.url(), ports.url());
    let stage = Stage::new();
    let apt = stage.path("machine/etc/apt");
    fs::create_dir_all(apt.join("sources.list.d")).unwrap();

    fs::write(apt.join("ubuntu.gpg"), KEY.public_binary()).unwrap();
    let source = format!(
        "Types: deb\nURIs: {main}\nSuites: noble noble-updates noble-security\n\
         Components: main universe\nArchitectures: amd64\nSigned-By: /etc/apt/ubuntu.gpg\n"
    );
    fs::write(apt.join("sources.list.d/ubuntu.sources"), source).unwrap();
    let conf = format!(
        "dist = \"noble\"\n[vendor.ubuntu]\nkeyrings = [\"test\"]\nmachine_keyrings = []\n\
         [vendor.ubuntu.archives]\n\
         main = {{ default = \"{others}\", amd64 = \"{main}\" }}\n\
         security = {{ default = \"{others}\", amd64 = \"{main}\" }}\n"
    );
    let run = build(stage.settings_with(&conf, &[]), &["nginx"]).good();
    assert_eq!(run.images.len(), 2);
    let debs = |server: &Server, arch: &str| {
        let asked = server.requests().into_iter().map(|request| request.path);
        asked.filter(|path| path.contains("pool/universe/") && path.ends_with(arch)).count()
    };
    assert_eq!((debs(&archive, "_amd64.deb"), debs(&ports, "_arm64.deb")), (1, 1));
    assert_eq!((debs(&archive, "_arm64.deb"), debs(&ports, "_amd64.deb")), (0, 0));
    assert!(stage.packages_fetched().is_empty(), "nothing is Debian's");
}
