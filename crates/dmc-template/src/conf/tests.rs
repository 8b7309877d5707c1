use super::*;

/// A whole configuration with two vendors, one of which has hosts by architecture.
const BASE: &str = r#"
dist = "trixie"
archs = ["amd64"]
out = "out"
connections = 4
timeout = 30
retries = 4
compression = "gzip"
engine = "auto"
audit.tracker = "http://tracker.test"

[vendor.debian]
origin = "Debian"
components = ["main"]
pockets = [{ suite = "{dist}" }, { suite = "{dist}-security", archive = "security" }]
archives = { main = "http://main.test", security = "http://security.test" }

[vendor.debian.suites]
trixie = { version = "13" }
sid = { aliases = ["unstable"], pockets = [{ suite = "sid" }] }

[vendor.ubuntu]
origin = "Ubuntu"
components = ["main", "universe"]
pockets = [{ suite = "{dist}" }, { suite = "{dist}-security" }]
archives.main = { default = "http://ports.test", amd64 = "http://archive.test" }
suites.noble = { version = "24.04" }
"#;

fn read(layers: &[&str]) -> Result<Conf, ConfError> {
    let layers: Vec<ConfLayer<'_>> =
        layers.iter().map(|text| ConfLayer { file: "dmc.conf", bytes: text.as_bytes() }).collect();
    Conf::read(&layers)
}

#[test]
fn later_layers_replace_only_what_they_name() {
    let conf = read(&[
        BASE,
        "dist = \"sid\"\nmirror = \"http://mirror.test\"\njobs = 2\n\
         [[archive]]\nname = \"a\"\nuri = \"http://one.test\"\nsuite = \"{dist}\"\n\
         components = [\"main\"]\nsigned_by = \"/k\"",
        "mirror = \"\"\ncompression = \"zstd:3\"\n\
         vendor.debian.archives.security = \"http://other.test\"\n\
         [[archive]]\nname = \"a\"\nuri = \"http://two.test\"\nsuite = \"x\"\n\
         components = [\"main\"]\nsigned_by = \"/k\"",
    ])
    .unwrap();
    assert_eq!((conf.dist.as_str(), conf.jobs, conf.mirror.as_ref()), ("sid", Some(2), None));
    assert_eq!(conf.compression.to_string(), "zstd:3");
    assert_eq!(conf.archives.len(), 1);
    assert_eq!(conf.archive("a").unwrap().uri, "http://two.test");
    let debian = &conf.vendors["debian"];
    assert_eq!(debian.archives["main"].for_arch(Arch::Amd64), "http://main.test");
    assert_eq!(debian.archives["security"].for_arch(Arch::Amd64), "http://other.test");
    assert_eq!(debian.components, ["main"]);
}

#[test]
fn a_distribution_is_its_pockets() {
    let conf = read(&[BASE]).unwrap();
    for (name, arch, wanted) in [
        (
            "trixie",
            Arch::Arm64,
            &["trixie http://main.test", "trixie-security http://security.test"][..],
        ),
        ("unstable", Arch::Amd64, &["sid http://main.test"]),
        (
            "noble",
            Arch::Amd64,
            &["noble http://archive.test", "noble-security http://archive.test"],
        ),
        ("noble", Arch::Riscv64, &["noble http://ports.test", "noble-security http://ports.test"]),
    ] {
        let pockets = conf.dist(name).unwrap().pockets(arch).unwrap();
        let shown: Vec<String> =
            pockets.iter().map(|pocket| format!("{} {}", pocket.suite, pocket.uri)).collect();
        assert_eq!(shown, wanted, "{name} {arch}");
    }
    assert_eq!(conf.dist("unstable").unwrap().codename, "sid");
}

#[test]
fn a_wrong_configuration_is_named() {
    let layers = [
        "mirorr = \"x\"",
        "archs = [\"x86\"]",
        "archs = []",
        "connections = 0",
        "jobs = 0",
        "timeout = 0",
        "compression = \"xz\"",
        "engine = \"lxc\"",
        "accept_expired = [\"../sid\"]",
        "[vendor.other]\ncomponents = []",
        "[vendor.debian]\norign = \"Debian\"",
        "[vendor.debian.archives]\nmain = 1",
        "[vendor.debian.archives]\nmain = { amd64 = \"http://x.test\" }",
        "vendor.debian.suites.sid.pockets = [{ suite = \"sid\", archive = \"ports\" }]",
        "vendor.debian.suites.sid.pockets = [{ suite = \"../{dist}\" }]",
        "[[archive]]\nname = \"a\"",
    ];
    let mut shown: Vec<String> = layers
        .iter()
        .map(|layer| {
            let error = read(&[BASE, layer]).unwrap_err();
            format!("{error}\n  hint: {}", error.hint().unwrap_or_default())
        })
        .collect();
    let conf = read(&[BASE]).unwrap();
    for name in ["trixy", "woody"] {
        let error = conf.dist(name).unwrap_err();
        shown.push(format!("{error}\n  hint: {}", error.hint().unwrap_or_default()));
    }
    shown.push(read(&[]).unwrap_err().to_string());
    insta::assert_snapshot!(shown.join("\n\n"), @r#"
    dmc.conf, line 1: unknown key `mirorr`
      1 | mirorr = "x"
      hint: did you mean `mirror`?

    dmc.conf, line 1: unknown word `x86`
      1 | archs = ["x86"]
      hint: known are amd64, arm64, armel, armhf, i386, mips64el, ppc64el, riscv64, s390x

    the configuration's `archs` names no architecture
      hint: 

    the configuration's `connections` is 0
      hint: 

    the configuration's `jobs` is 0
      hint: 

    the configuration's `timeout` is 0
      hint: 

    dmc.conf, line 1: `xz` is not a compression: `gzip`, `zstd`, `zstd:LEVEL`, `zstd:chunked` or `zstd:chunked:LEVEL` with a level from 1 to 22, or gzip and one of the others: `gzip,zstd:chunked`
      1 | compression = "xz"
      hint: 

    dmc.conf, line 1: unknown word `lxc`
      1 | engine = "lxc"
      hint: known are auto, docker, podman

    dmc.conf, line 1: `../sid` is not a suite: letters, digits, `.`, `+`, `-`, `_` and inner `/`, no folder named `.` or `..`
      1 | accept_expired = ["../sid"]
      hint: 

    no configuration sets `vendor.other.origin`
      hint: conf/dmc.conf shows how to set `vendor.other.origin`

    dmc.conf, line 2: unknown key `orign`
      2 | orign = "Debian"
      hint: did you mean `origin`?

    dmc.conf, line 2: invalid type: integer `1`, expected a URI, or { default = URI, amd64 = URI }
      2 | main = 1
      hint: 

    dmc.conf, line 2: the key `default` is missing
      2 | main = { amd64 = "http://x.test" }
      hint: 

    pocket `sid` of vendor `debian` is in archive `ports`, which has no URI
      hint: set `ports` in [vendor.debian.archives]

    pocket `../{dist}` of vendor `debian` gives no suite
      hint: 

    dmc.conf, line 1: the key `uri` is missing
      1 | [[archive]]
      hint: 

    there is no distribution `trixy`
      hint: did you mean `trixie`?

    there is no distribution `woody`
      hint: known are sid, unstable, trixie, noble

    no configuration sets `archs`
    "#);
}

#[test]
fn a_snapshot_of_a_pocket_has_an_address_and_a_name_of_its_own() {
    let conf = read(&[
        BASE,
        "[vendor.debian.snapshots]\nmain = \"http://old.test/{time}\"\n\
         security = \"{mirror}/{time}/s\"\n\
         [vendor.debian.floors]\ntrixie = \"2026-09-12T07:55:41Z\"\nsid = \"2026-01-01T00:00:00Z\"\n\
         [vendor.debian.ended]\nmain = \"http://ended.test\"\n\
         [vendor.debian.suites]\nbuster = { ended = true }",
        "vendor.debian.floors.sid = \"\"",
    ])
    .unwrap();
    let (_, at) = Snapshot::split("trixie@20260912T080000Z").unwrap();
    let dist = conf.dist("trixie").unwrap();
    let dated = |mirror| -> Result<Vec<String>, ConfError> {
        let pockets = dist.pockets(Arch::Amd64)?.into_iter();
        let dated = pockets.map(|pocket| dist.dated(pocket, Arch::Amd64, at.unwrap(), mirror));
        dated.map(|pocket| pocket.map(|pocket| format!("{} {}", pocket.site, pocket.uri))).collect()
    };
    assert_eq!(
        dated(Some("http://near.test/")).unwrap(),
        [
            "main@20260912T080000Z http://old.test/20260912T080000Z",
            "security@20260912T080000Z http://near.test/20260912T080000Z/s",
        ]
    );
    assert!(matches!(dated(None), Err(ConfError::NoMirror { .. })));
    assert!(dist.vendor.snapshots_ask_mirror());
    let floors: Vec<_> =
        dist.vendor.floors.iter().map(|(suite, at)| (suite.as_str(), *at)).collect();
    assert_eq!(floors, [("trixie", 1_789_199_741)]);
    assert_eq!(dist.moved_to(Arch::Amd64).count(), 0, "it has not ended");
    let buster = conf.dist("buster").unwrap();
    assert_eq!(buster.moved_to(Arch::Amd64).collect::<Vec<_>>(), [("main", "http://ended.test")]);
    // Hosts of their own may be ahead of the others: what is remembered of them is apart.
    let noble = conf.dist("noble").unwrap();
    let site = |arch| noble.pockets(arch).unwrap()[0].site.clone();
    assert_eq!([site(Arch::Amd64), site(Arch::Riscv64)], ["main of amd64", "main"]);
    let pocket = noble.pockets(Arch::Amd64).unwrap().remove(0);
    let none = noble.dated(pocket, Arch::Amd64, at.unwrap(), None).unwrap_err();
    assert!(none.hint().unwrap().contains("[vendor.ubuntu.snapshots]"), "{none}");
}
