//! Bad input: who refuses it, what is said, and that nothing half-written stays behind (each run
//! is looked through by the stage).

use crate::stage::{HONEST, NOW, STRANGER, Stage, build, changed, named, replace};
use dmc_build::Settings;
use dmc_testkit::{DebBuilder, ElfBuilder, FakeArchive, FakeSuite, Fault, Member, MemberKind};
use dmc_types::Arch;

const DAY: i64 = 24 * 3600;
const RELEASE: &str = "dists/trixie/InRelease";

/// Nothing was made of what was refused.
fn nothing_made(stage: &Stage, why: &str) {
    assert!(!stage.path("out/index.json").exists(), "{why}");
    let layers = crate::stage::files(&stage.path("out/blobs"));
    assert_eq!(layers.len(), 0, "{why}: {layers:?}");
}

#[test]
fn bad_releases_stop_everything() {
    let suite = |change: fn(&mut FakeSuite)| changed(change);
    let edited = |path: &str, change: fn(&mut Vec<u8>)| {
        let mut archive = HONEST.clone();
        archive.edit(path, change);
        archive
    };
    let without = |part: &str| {
        let mut archive = HONEST.clone();
        archive.remove_all(part);
        archive
    };
    let stranger = STRANGER.fingerprint();
    let rows: [(&str, FakeArchive, &[&str]); 9] = [
        ("unsigned", suite(|it| it.keys.clear()), &["`trixie`", "not a signed text"]),
        ("wrongly signed", suite(|it| it.keys = vec![STRANGER.clone()]), &[&stranger]),
        ("expired", suite(|it| it.valid_until = Some(NOW - 1)), &["--accept-expired", "trixie"]),
        ("future", suite(|it| it.date = NOW + 2 * DAY), &["trixie", "clock"]),
        (
            "tampered",
            edited(RELEASE, |bytes| {
                let at = bytes.windows(5).position(|part| part == b"Label").unwrap();
                bytes[at] = b'l';
            }),
            &["trixie", "signature"],
        ),
        ("truncated", edited(RELEASE, |bytes| bytes.truncate(bytes.len() / 2)), &["trixie"]),
        ("empty", edited(RELEASE, Vec::clear), &["trixie"]),
        ("no security suite", without("trixie-security"), &["trixie-security", "no such file"]),
        ("no such suite", without("dists/trixie/"), &["trixie", "no such file"]),
    ];
    for (why, archive, parts) in rows {
        let stage = Stage::with(&archive);
        let run = stage.build();
        run.said(why, parts);
        run.said(why, &[&stage.server.url(), "update amd64", "create nginx: not done"]);
        nothing_made(&stage, why);
        assert!(stage.packages_fetched().is_empty(), "{why}");
    }
}

#[test]
fn the_security_suite_is_needed_whatever_mirror_is_asked_for() {
    let mut archive = HONEST.clone();
    archive.remove_all("trixie-security");
    let stage = Stage::with(&archive);
    let mirror = dmc_testkit::Server::start(&HONEST);
    let mut settings = stage.settings();
    settings.conf.mirror = Some(mirror.url());
    build(settings, &["nginx"]).said("security", &["trixie-security", &stage.server.url()]);
    assert_eq!(mirror.count("dists/trixie-security/InRelease"), 0);
    nothing_made(&stage, "no security");
}

#[test]
fn bad_indices_stop_their_architecture() {
    const AMD64: &str = "dists/trixie/main/binary-amd64/Packages";
    type Edit = fn(&mut FakeArchive);
    let rows: [(&str, Edit); 3] = [
        ("swapped", |archive| {
            for end in [".gz", ".xz"] {
                let other = archive.get(&format!("dists/trixie/main/binary-arm64/Packages{end}"));
                let other = other.to_vec();
                archive.edit(&format!("{AMD64}{end}"), |bytes| *bytes = other);
            }
        }),
        ("truncated", |archive| {
            for end in [".gz", ".xz"] {
                archive.edit(&format!("{AMD64}{end}"), |bytes| bytes.truncate(bytes.len() / 2));
            }
        }),
        ("another byte", |archive| {
            for end in [".gz", ".xz"] {
                archive.edit(&format!("{AMD64}{end}"), |bytes| bytes[20] ^= 1);
            }
        }),
    ];
    for (why, edit) in rows {
        let mut archive = HONEST.clone();
        edit(&mut archive);
        let stage = Stage::with(&archive);
        let run = stage.build();
        run.said(why, &["update amd64", "/binary-amd64/", "create nginx amd64: not done, because"]);
        assert!(run.images.contains_key("nginx arm64"), "{why}: the other one is built");
        assert!(run.indices.is_empty() && named(&stage.path("out")).is_empty(), "{why}");
    }
}

#[test]
fn wrong_packages_are_refused_by_name() {
    let path = HONEST.path_of("/nginx_1.26.3-3_amd64.deb").to_owned();
    let rows: [(&str, fn(&mut Vec<u8>), &str); 3] = [
        ("too long", |bytes| bytes.push(0), "bytes"),
        ("too short", |bytes| bytes.truncate(100), "bytes"),
        ("another digest", |bytes| bytes[80] ^= 1, "digest"),
    ];
    for (why, edit, part) in rows {
        let mut archive = HONEST.clone();
        archive.edit(&path, edit);
        let stage = Stage::with(&archive);
        let run = stage.build();
        run.said(why, &["create nginx amd64", "nginx_1.26.3-3_amd64.deb", part]);
        assert!(run.images.contains_key("nginx arm64"), "{why}: {:?}", run.failures);
        let debs = stage.stored("/debs/");
        assert!(debs.iter().all(|deb| deb.file_stem() == Some(&*digest_of(deb))), "{why}");
        // The next run, against a mirror that was mended, goes well.
        stage.server.serve(&HONEST);
        stage.build().good();
    }
}

fn digest_of(path: &camino::Utf8Path) -> String {
    crate::stage::sha256(&std::fs::read(path).unwrap()).to_string()
}

#[test]
fn hostile_packages_are_refused_by_name() {
    let file = |name: &str| Member::new(name, 0o644, MemberKind::File(b"x".to_vec()));
    let link = |target: &[u8]| Member::new("./usr/x", 0o644, MemberKind::Hardlink(target.to_vec()));
    let kind = |kind| Member::new("./usr/x", 0o644, kind);
    let bomb = |deb: DebBuilder| {
        let deb = deb.zeros("/usr/bomb", 256 << 20).field("Installed-Size", "9");
        deb.compression(dmc_testkit::Compression::Zst)
    };
    let hostile = |member: Member| move |deb: DebBuilder| deb.member(member);
    let rows: Vec<(&str, Box<dyn FnOnce(DebBuilder) -> DebBuilder>, &str)> = vec![
        ("climbs", Box::new(hostile(file("./../x"))), ".."),
        ("climbs later", Box::new(hostile(file("./usr/../../etc/x"))), ".."),
        ("hard link outside", Box::new(hostile(link(b"../../etc/passwd"))), "../../etc/passwd"),
        ("hard link to nothing", Box::new(hostile(link(b"./usr/none"))), "usr/none"),
        ("device", Box::new(hostile(kind(MemberKind::Device(1, 3)))), "usr/x"),
        ("fifo", Box::new(hostile(kind(MemberKind::Raw(b'6', Vec::new(), Vec::new())))), "usr/x"),
        ("unknown member", Box::new(|deb| deb.ar_member("evil", b"x")), "evil"),
        ("unknown compression", Box::new(|deb| deb.data_name("data.tar.lzma")), "data.tar.lzma"),
        ("bomb", Box::new(bomb), "unpacks to more than"),
    ];
    for (why, change, part) in rows {
        let stage = Stage::changed(|suite| replace(suite, ("zlib1g", "amd64"), change));
        let mut settings = stage.settings();
        settings.conf.archs = vec![Arch::Amd64];
        let run = build(settings, &["nginx"]);
        run.said(why, &["create nginx amd64", "zlib1g", part]);
        nothing_made(&stage, why);
    }
}

#[test]
fn names_that_mean_removal_are_refused() {
    let path = "./usr/share/nginx/html/.wh.index.html";
    let stage = Stage::changed(|suite| {
        replace(suite, ("nginx-common", "all"), |deb| {
            deb.member(Member::new(path, 0o644, MemberKind::File(Vec::new())))
        });
    });
    stage.build().said("whiteout", &["create nginx amd64", ".wh.index.html"]);
    nothing_made(&stage, "whiteout");
}

fn program(arch: Arch) -> ElfBuilder {
    ElfBuilder::program(arch).needs("libc.so.6")
}

/// nginx of amd64 with another program.
fn with_program(bytes: Vec<u8>) -> FakeArchive {
    changed(|suite| {
        replace(suite, ("nginx", "amd64"), |old| {
            DebBuilder::new("nginx", old.version(), "amd64")
                .field("Depends", old.get("Depends").unwrap())
                .executable("/usr/sbin/nginx", bytes)
        });
    })
}

#[test]
fn programs_that_cannot_run_are_refused() {
    let whole = program(Arch::Amd64).build();
    // The section headers at the end are for nobody who runs it; it is cut before them.
    let truncated = whole[..whole.len() / 3].to_vec();
    let mut outside = whole.clone();
    // e_phoff and e_shoff of ELF64 lie at 32 and 40.
    outside[32..48].fill(0xee);
    let rows: [(&str, Vec<u8>, &[&str]); 5] = [
        ("truncated", truncated, &["/usr/sbin/nginx", "nginx"]),
        ("offsets outside", outside, &["/usr/sbin/nginx", "nginx"]),
        ("another machine", program(Arch::Arm64).build(), &["/usr/sbin/nginx", "amd64"]),
        (
            "a library that nobody has",
            program(Arch::Amd64).needs("libgeoip.so.1").build(),
            &[
                "libgeoip.so.1",
                "needed by `/usr/sbin/nginx` on amd64",
                "looked for `/usr/lib/x86_64-linux-gnu/libgeoip.so.1`",
                "under `packages`",
            ],
        ),
        (
            "an interpreter that nobody has",
            b"#!/usr/bin/python9\n".to_vec(),
            &["/usr/bin/python9", "/usr/sbin/nginx"],
        ),
    ];
    for (why, bytes, parts) in rows {
        let stage = Stage::with(&with_program(bytes));
        let mut settings = stage.settings();
        settings.conf.archs = vec![Arch::Amd64];
        build(settings, &["nginx"]).said(why, parts);
        nothing_made(&stage, why);
    }
}

fn template(lines: &str) -> String {
    format!("group = \"base\"\nsummary = \"x\"\n{lines}\n")
}

#[test]
fn templates_that_ask_for_what_is_not_there_are_told_what_is() {
    let rows: [(&str, &str, &[&str]); 6] = [
        (
            "packages by pattern",
            "packages = [\"nginx\"]\npackages_like = [\"nginx-*-mod\"]",
            &["`nginx-*-mod` matches none", "template odd", "amd64"],
        ),
        (
            "a package",
            "packages = [\"ngins\"]\nroots = [\"/x\"]",
            &["no package ngins for amd64", "similar names: nginx"],
        ),
        (
            "a root elsewhere",
            "packages = [\"nginx\"]\nroots = [\"/usr/bin/nginx\"]",
            &["`/usr/bin/nginx` on amd64", "these packages do ship `/usr/sbin/nginx`"],
        ),
        (
            "a root",
            "packages = [\"nginx\"]\nroots = [\"/usr/bin/absent\"]",
            &["`/usr/bin/absent`", "looked in `nginx`"],
        ),
        (
            "a pattern",
            "packages = [\"nginx-common\"]\ninclude = [\"/etc/apache2/**\"]",
            &["/etc/apache2/**", "nginx-common"],
        ),
        (
            "a source of a copy",
            "packages = [\"nginx-common\"]\ncopies = { \"/etc/a\" = \"/usr/share/none\" }",
            &["/usr/share/none"],
        ),
    ];
    for (why, lines, parts) in rows {
        let stage = Stage::new();
        let text = template(lines);
        let run = build(stage.settings_with("", &[("odd", &text)]), &["odd"]);
        run.said(why, parts);
        nothing_made(&stage, why);
    }
}

#[test]
fn templates_that_are_wrong_in_themselves_are_refused_before_anything_is_asked() {
    let clash = "directories = [{ path = \"/etc/x\" }]\nlinks = { \"/etc/x\" = \"/y\" }";
    let rows: [(&str, &[(&str, &str)], &[&str]); 4] = [
        ("clash", &[("odd", clash)], &["/etc/x", "odd"]),
        ("key", &[("odd", "packagse = []")], &["packagse", "packages", "template.toml"]),
        ("cycle", &[("odd", "extends = [\"b\"]"), ("b", "extends = [\"odd\"]")], &["odd", "b"]),
        ("parent", &[("odd", "extends = [\"minimla\"]")], &["minimla", "minimal"]),
    ];
    for (why, templates, parts) in rows {
        let stage = Stage::new();
        let texts: Vec<_> = templates.iter().map(|(name, it)| (*name, template(it))).collect();
        let texts: Vec<_> = texts.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let run = build(stage.settings_with("", &texts), &["odd"]);
        run.said(why, parts);
        assert!(stage.packages_fetched().is_empty(), "{why}");
        nothing_made(&stage, why);
    }
}

#[test]
fn a_mirror_that_fails_for_good_is_named() {
    let rows: [(&str, Fault, &str); 3] = [
        ("not found", Fault::status(404), "no such file"),
        ("forbidden", Fault::status(403), "403"),
        ("in circles", Fault::RedirectLoop, "redirect"),
    ];
    for (why, fault, part) in rows {
        let path = HONEST.path_of("/zlib1g_1.3.dfsg+really1.3.1-1+b1_amd64.deb");
        let stage = Stage::new();
        stage.server.break_for_good(path, fault);
        let mut settings = stage.settings();
        settings.conf.archs = vec![Arch::Amd64];
        build(settings, &["nginx"]).said(why, &[&stage.server.url(), "zlib1g", part]);
        nothing_made(&stage, why);
        stage.server.reset();
        assert_eq!(stage.build().good().images.len(), 2, "{why}");
    }
}

#[test]
fn a_mirror_that_fails_now_and_then_is_asked_again() {
    let later = vec![("Retry-After".to_owned(), "0".to_owned())];
    let stage = Stage::new();
    let debs = HONEST.files().keys().filter(|path| path.ends_with(".deb"));
    for (at, path) in debs.enumerate() {
        let fault = match at % 6 {
            0 => Fault::status(503),
            1 => Fault::Status(429, later.clone()),
            2 => Fault::Cut(300),
            3 => Fault::Hangup,
            4 => Fault::IgnoreRange,
            _ => Fault::Slow(100_000),
        };
        stage.server.fault(path, 1, fault);
    }
    stage.server.fault(RELEASE, 1, Fault::status(500));
    let digests = stage.build().good().digests();
    assert_eq!(digests, Stage::new().build().good().digests());
}

#[test]
fn a_mirror_that_is_down_is_named() {
    let stage = Stage::new();
    let gone = dmc_testkit::Server::start(&HONEST);
    let url = gone.url();
    drop(gone);
    let mut settings = stage.settings();
    settings.conf.mirror = Some(url.clone());
    build(settings, &["nginx"]).said("down", &[&url, "update amd64"]);
    nothing_made(&stage, "down");
    // What was fetched before is used again once the mirror is back.
    stage.build().good();
}

#[test]
fn folders_that_cannot_be_written_are_named() {
    let stage = Stage::new();
    std::fs::write(stage.path("file"), "in the way").unwrap();
    let store = Settings { store: stage.path("file/store"), ..stage.settings() };
    build(store, &["nginx"]).said("store", &[stage.path("file/store").as_str(), "--store"]);
    let out = Settings { out: stage.path("file/out"), ..stage.settings() };
    let run = build(out, &["nginx"]);
    run.said("out", &[stage.path("file/out").as_str()]);
    let foreign = stage.path("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.txt"), "mine").unwrap();
    let run = build(Settings { out: foreign.clone(), ..stage.settings() }, &["nginx"]);
    run.said("somebody's folder", &[foreign.as_str(), "--out"]);
    assert_eq!(crate::stage::files(&foreign), [foreign.join("thesis.txt")]);
}
