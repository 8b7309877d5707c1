//! Locks as text and back, and what becomes of them when templates are locked again.

use crate::{
    Lock, LockError, LockedPackage, LockedRelease, PackageKey, PoolPath, Role, VersionText,
};
use dmc_types::{Arch, Checksum, Sha256, TemplateName};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn digest(byte: u8) -> Sha256 {
    Sha256::from_bytes([byte; 32])
}

fn name(text: &str) -> TemplateName {
    text.parse().unwrap()
}

fn row(package: &str, version: &str, bytes: u8) -> LockedPackage {
    LockedPackage {
        version: version.parse().unwrap(),
        arch: (package != "tzdata").then_some(Arch::Amd64),
        size: 7,
        checksum: Checksum::Sha256(digest(bytes)),
        suite: "trixie".parse().unwrap(),
        path: format!("pool/main/{package}_{version}_amd64.deb").parse().unwrap(),
    }
}

type Rows = BTreeMap<PackageKey, LockedPackage>;

/// Rows of packages with versions; the version's first byte stands for their bytes.
fn rows(packages: &[(&str, &str)]) -> Rows {
    let row = |(package, version): &(&str, &str)| {
        (package.parse().unwrap(), row(package, version, version.as_bytes()[0]))
    };
    packages.iter().map(row).collect()
}

/// A lock of templates on amd64, locked one after the other.
fn lock(templates: &[(&str, &[(&str, &str)])]) -> Lock {
    let mut lock = Lock::new("image 2", "trixie@20260912T080000Z", digest(1));
    for (suite, role) in [("trixie", Role::Main), ("trixie-security", Role::Security)] {
        let release = LockedRelease {
            role: Some(role),
            date: 1_789_200_000,
            in_release: digest(2),
            signer: "0F".repeat(20).parse().unwrap(),
            expired: suite == "trixie-security",
        };
        lock.releases.insert(suite.parse().unwrap(), release);
    }
    for (template, packages) in templates {
        lock.put(
            &name(template),
            (digest(3), false),
            BTreeMap::from([(Arch::Amd64, rows(packages))]),
        );
    }
    lock
}

fn keys(lock: &Lock, template: &str) -> String {
    let image = lock.image(&name(template), Arch::Amd64).unwrap();
    let shown: Vec<String> = image.keys().map(ToString::to_string).collect();
    shown.join(" ")
}

#[test]
fn a_lock_is_read_as_it_was_written() {
    let mut whole = lock(&[
        ("nginx", &[("libc6", "2.41-12"), ("libstdc++6", "14.2.0-19"), ("tzdata", "2026a-1")]),
        ("python3.13", &[("libc6", "2.41-12")]),
    ]);
    whole.releases.insert(
        "stable@example".parse().unwrap(),
        LockedRelease { role: None, ..whole.releases[&"trixie".parse().unwrap()].clone() },
    );
    let third = LockedPackage {
        suite: "stable@example".parse().unwrap(),
        checksum: Checksum::Sha512("ab".repeat(64).parse().unwrap()),
        ..row("own", "1", 9)
    };
    let third = BTreeMap::from([("own@example".parse().unwrap(), third)]);
    whole.put(&name("own"), (digest(4), true), BTreeMap::from([(Arch::Amd64, third)]));
    let text = whole.to_string();
    let read = Lock::parse(text.as_bytes()).unwrap();
    assert_eq!(read, whole);
    assert_eq!(read.to_string(), text);
    for line in [
        "date = 2026-09-12T08:00:00Z",
        "[template.\"python3.13\"]",
        "small = true",
        "    \"own@example\",",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(text.contains("\n\"libstdc++6\" = { version = \"14.2.0-19\", arch = \"amd64\", "));
    assert!(text.contains("\ntzdata = { version = \"2026a-1\", arch = \"all\", size = 7, "));
}

#[test]
fn what_is_wrong_with_a_text_is_said_with_its_place() {
    let good = lock(&[("nginx", &[("libc6", "2.41-12")])]).to_string();
    let libc = good.lines().find(|line| line.starts_with("libc6 = ")).unwrap();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    for (text, wanted) in [
        (String::new(), "line 1: missing field `version`"),
        (
            with("version = 1", "version = 2"),
            "it has version 2 of the format; this dmc reads version 1",
        ),
        (with("version = 1\n", "version = 1\nmore = 1\n"), "line 4: unknown field `more`"),
        (with("dist = \"trixie@", "dist = \"\\n"), "the lock: the dist is wrong"),
        (with("rules = \"01", "rules = \"x1"), "the lock: the rules is wrong"),
        (with("[release.trixie]", "[release.\"../x\"]"), "[release.\"../x\"]: the name is wrong"),
        (with("role = \"main\"\n", ""), "[release.\"trixie\"]: a vendor's suite has a role"),
        (with("T08:00:00Z", ""), "[release.\"trixie\"]: the date is wrong"),
        (with("signer = \"0F", "signer = \"zz"), "[release.\"trixie\"]: the signer is wrong"),
        (with("\nlibc6 = ", "\nLibc6 = "), "[packages.amd64], Libc6: the name is wrong"),
        (with("\nlibc6 = ", "\nlibc7 = "), "[template.nginx] names `libc6`"),
        (with("\nlibc6 = ", "\n\"libc6=1\" = "), "its version is not the one in its name"),
        (with("\nlibc6 = ", "\n\"libc6@other\" = "), "its suite is another archive's"),
        (with("version = \"2.41-12\"", "version = \"2.41\\n12\""), "the version is wrong"),
        (with("path = \"pool", "path = \"../pool"), "the path is wrong"),
        (with("arch = \"amd64\"", "arch = \"i386\""), "its architecture is neither"),
        (with("suite = \"trixie\"", "suite = \"sid\""), "names `sid`"),
        (with("sha256 = \"32", "sha256 = \"+2"), "the sha256 is wrong"),
        (with("size = 7", "size = -7"), "invalid value"),
        (with("    \"libc6\",", "    \"libc6\", \"libc6\","), "a package is named twice"),
        (with(libc, &format!("{libc}\n{libc}")), "duplicate key"),
        (with("[packages.amd64]", "[packages.vax]"), "unknown variant `vax`"),
        (format!("{good}{}", " ".repeat(9 << 20)), "it has more than 8 MiB"),
    ] {
        let error = Lock::parse(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
        assert!(!error.hint().is_empty());
    }
    let error = Lock::parse(b"version = 1\n\xff").unwrap_err();
    assert_eq!(error, LockError::NotText { line: 2 });
}

#[test]
fn a_new_version_changes_one_line_a_package() {
    let packages: [(&str, &[(&str, &str)]); 2] =
        [("nginx", &[("libc6", "1"), ("nginx", "1")]), ("static", &[("libc6", "1")])];
    let old = lock(&packages).to_string();
    let new = lock(&[("nginx", &[("libc6", "2"), ("nginx", "1")]), ("static", &[("libc6", "2")])]);
    let new = new.to_string();
    let lines = |one: &str, other: &str| {
        one.lines().filter(|line| !other.lines().any(|same| same == *line)).count()
    };
    assert_eq!((lines(&old, &new), lines(&new, &old)), (1, 1));
}

#[test]
fn templates_that_are_not_renewed_keep_their_packages() {
    let mut lock = lock(&[
        ("a", &[("libc6", "1"), ("only-a", "1")]),
        ("b", &[("libc6", "1"), ("zlib1g", "1")]),
        ("c", &[("libc6", "1")]),
    ]);
    let put = |lock: &mut Lock, template: &str, packages: &[(&str, &str)]| {
        let images = BTreeMap::from([(Arch::Amd64, rows(packages))]);
        lock.put(&name(template), (digest(3), false), images);
        assert_eq!(Lock::parse(lock.to_string().as_bytes()).as_ref(), Ok(&*lock));
    };
    put(&mut lock, "a", &[("libc6", "2")]);
    let all = |lock: &Lock| ["a", "b", "c"].map(|template| keys(lock, template));
    assert_eq!(all(&lock), ["libc6", "libc6=1 zlib1g", "libc6=1"]);
    assert_eq!(lock.debs().count(), 3, "what nothing uses is gone");
    put(&mut lock, "b", &[("libc6", "2"), ("zlib1g", "1")]);
    assert_eq!(all(&lock), ["libc6", "libc6 zlib1g", "libc6=1"]);
    put(&mut lock, "c", &[("libc6", "2")]);
    assert_eq!(all(&lock), ["libc6", "libc6 zlib1g", "libc6"]);
    // Back to what another template has had all along.
    put(&mut lock, "a", &[("libc6", "3")]);
    put(&mut lock, "a", &[("libc6", "2")]);
    assert_eq!(all(&lock), ["libc6", "libc6 zlib1g", "libc6"]);
    assert_eq!(lock.debs().count(), 2);
}

#[test]
fn other_bytes_of_the_same_version_are_never_taken_for_the_old_ones() {
    let mut lock =
        lock(&[("a", &[("libc6", "1")]), ("b", &[("libc6", "1")]), ("c", &[("libc6", "1")])]);
    for (template, bytes) in [("a", 7), ("b", 8)] {
        let rows = BTreeMap::from([("libc6".parse().unwrap(), row("libc6", "1", bytes))]);
        lock.put(&name(template), (digest(3), false), BTreeMap::from([(Arch::Amd64, rows)]));
    }
    let bytes = |template| {
        let image = lock.image(&name(template), Arch::Amd64)?;
        image.into_values().map(|row| row.checksum).next()
    };
    let sum = |byte| Some(Checksum::Sha256(digest(byte)));
    assert_eq!([bytes("b"), bytes("c")], [sum(8), sum(b'1')]);
    assert_eq!(bytes("a"), None, "an image whose bytes have no name leaves the lock");
}

#[test]
fn another_template_text_forgets_the_architectures_that_were_not_locked_with_it() {
    let mut lock = lock(&[("a", &[("libc6", "1")])]);
    let arm64 = || BTreeMap::from([(Arch::Arm64, Rows::new())]);
    lock.put(&name("a"), (digest(3), false), arm64());
    assert_eq!(lock.images().count(), 2);
    lock.put(&name("a"), (digest(9), false), arm64());
    assert_eq!(lock.images().collect::<Vec<_>>(), [(name("a"), Arch::Arm64)]);
    assert_eq!(lock.debs().count(), 0);
}

#[test]
fn differences_are_told_by_package() {
    let old =
        lock(&[("a", &[("gone", "1"), ("libc6", "1"), ("same", "1")]), ("c", &[("libc6", "1")])]);
    let mut new = old.clone();
    new.put(
        &name("a"),
        (digest(3), false),
        BTreeMap::from([(Arch::Amd64, rows(&[("libc6", "2"), ("new", "1"), ("same", "1")]))]),
    );
    let told: Vec<String> = old
        .differences(&new)
        .iter()
        .flat_map(|image| {
            let version = |row: &Option<LockedPackage>| {
                row.as_ref().map_or("-".to_owned(), |row| row.version.to_string())
            };
            let change = move |change: &crate::Change| {
                let (from, to) = (version(&change.from), version(&change.to));
                format!("{} {from} {to}", change.package)
            };
            let changes: Vec<String> = image.changes.iter().map(change).collect();
            [format!("{} {}: {}", image.template, image.arch, changes.join(", "))]
        })
        .collect();
    assert_eq!(told, ["a amd64: gone 1 -, libc6 1 2, new - 1", "c amd64: "]);
}

#[test]
fn texts_that_would_break_other_formats_are_refused() {
    for bad in ["", "1 2", "1\n2", "1\"", "1/2", "1@2"] {
        assert!(bad.parse::<VersionText>().is_err(), "{bad:?}");
    }
    for bad in ["", "/pool/x", "pool//x", "pool/../x", "pool/x y", "pool/x?y", "pool/x\n"] {
        assert!(bad.parse::<PoolPath>().is_err(), "{bad:?}");
    }
    for bad in ["", "a", "libc6=", "libc6@", "libc6@a b", "libc6=1 @x", "Libc6"] {
        assert!(bad.parse::<PackageKey>().is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_is_written_back(
        at in 0_usize..2000, with in "[\\PC\n]{0,6}", cut in 0_usize..4
    ) {
        let mut text = lock(&[("nginx", &[("libc6", "1"), ("zlib1g", "1")])]).to_string();
        let from = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let to = (from + cut).min(text.len());
        text.replace_range(from..to, &with);
        if let Ok(lock) = Lock::parse(text.as_bytes()) {
            prop_assert_eq!(Lock::parse(lock.to_string().as_bytes()), Ok(lock));
        }
    }
}
