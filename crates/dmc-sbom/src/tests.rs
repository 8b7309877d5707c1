use crate::licence::{Copyright, CopyrightError, Expression, Licensing, Names};
use crate::provenance::Build;
use crate::{Distribution, File, Image, Kind, Package, cyclonedx, provenance, purl, spdx};
use dmc_types::{Arch, ImagePath, PackageName, Sha1, Sha256};
use serde_json::Value;
use std::collections::BTreeMap;

const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
    Upstream-Name: x\n\nFiles: *\nCopyright: 2020 Somebody\nLicense: GPL-2+ or Artistic, and Own~odd\n\n\
    Files: debian/*\nCopyright: 2021 Somebody\nLicense: Expat\n Do what you like,\n .\n  but stay.\n\n\
    License: Own~odd\n Mine\n .\n alone.\n";

fn names() -> Names {
    let table =
        [("GPL-2+", "GPL-2.0-or-later"), ("Artistic", "Artistic-1.0-Perl"), ("Expat", "MIT")];
    Names::new(table.map(|(name, id)| (name.to_owned(), id.to_owned())))
}

fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

fn package(control: &str) -> Package {
    let licensing = Licensing::read(COPYRIGHT.as_bytes());
    Package::read(&name("libx++6"), control.as_bytes(), Sha256::from_bytes([7; 32]), licensing)
}

fn file(number: u8, package: Option<&str>) -> File {
    File {
        sha1: Sha1::from_bytes([number; 20]),
        sha256: Sha256::from_bytes([number; 32]),
        package: package.map(name),
        made: package.is_none().then(|| "generated".to_owned()),
    }
}

fn image() -> Image {
    let control = "Package: libx++6\nSource: x (1.2~rc1-3)\nVersion: 1:1.2~rc1-3+b1\n\
        Architecture: amd64\nHomepage: https://x.example/\nDescription: one\n two\n";
    let files = [
        ("/usr/lib/libx.so.6", file(2, Some("libx++6"))),
        ("/usr/lib/libx.so", file(1, Some("libx++6"))),
        ("/etc/passwd", file(3, None)),
    ];
    Image {
        name: "nginx".parse().unwrap(),
        version: "1.26.3".to_owned(),
        manifest: Sha256::from_bytes([9; 32]),
        arch: Arch::Amd64,
        created: "2025-05-17T09:30:00Z".to_owned(),
        distribution: Distribution {
            vendor: "debian".to_owned(),
            origin: "Debian".to_owned(),
            version: "13".to_owned(),
        },
        packages: [(name("libx++6"), package(control))].into(),
        files: files.map(|(path, file)| (ImagePath::parse(path).unwrap(), file)).into(),
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn package_urls_are_written_as_their_rules_say() {
    let image = image();
    for (what, control, archive, wanted) in [
        (
            "epoch, tilde, plus and a rebuild",
            "Source: x (1:1.2~rc1-3)\nVersion: 1:1.2~rc1-3+b1\nArchitecture: amd64\n",
            None,
            "pkg:deb/debian/libx%2B%2B6@1:1.2~rc1-3%2Bb1?arch=amd64&distro=debian-13\
             &upstream=x%401:1.2~rc1-3",
        ),
        (
            "its own source, for all architectures",
            "Version: 2+dfsg-1\nArchitecture: all\n",
            None,
            "pkg:deb/debian/libx%2B%2B6@2%2Bdfsg-1?arch=all&distro=debian-13\
             &upstream=libx%2B%2B6%402%2Bdfsg-1",
        ),
        (
            "another source of the same version",
            "Source: y\nVersion: 3-1~deb13u1\nArchitecture: arm64\n",
            None,
            "pkg:deb/debian/libx%2B%2B6@3-1~deb13u1?arch=arm64&distro=debian-13\
             &upstream=y%403-1~deb13u1",
        ),
        (
            "a third party's",
            "Version: 1\nArchitecture: amd64\n",
            Some("my archive"),
            "pkg:deb/my%20archive/libx%2B%2B6@1?arch=amd64&upstream=libx%2B%2B6%401",
        ),
    ] {
        let package = Package { archive: archive.map(str::to_owned), ..package(control) };
        let url = purl::deb(&name("libx++6"), &package, &image.distribution).unwrap();
        assert_eq!(url, wanted, "{what}");
        assert!(url.parse::<packageurl::PackageUrl>().is_ok(), "{what}");
    }
    let digest = "09".repeat(32);
    let wanted = format!("pkg:oci/nginx@sha256:{digest}?arch=amd64&tag=1.26.3");
    assert_eq!(purl::oci(&image).unwrap(), wanted);
}

#[test]
fn licences_are_joined_as_copyright_files_join_them() {
    for (text, wanted) in [
        ("GPL-2+", "GPL-2+"),
        ("GPL-1+ or Artistic", "Artistic or GPL-1+"),
        ("A and B or C", "C or (A and B)"),
        ("A or B and C", "A or (B and C)"),
        ("A or B, and C", "C and (A or B)"),
        ("A and B, or C", "C or (A and B)"),
        ("A, B", "A and B"),
        (
            "GPL-2 with Linux-syscall-note exception or MIT",
            "GPL-2 with Linux-syscall-note exception or MIT",
        ),
        ("A and/or B", "A or B"),
        ("A and A", "A"),
        ("or A and", "A"),
    ] {
        assert_eq!(Expression::parse(text).unwrap().to_string(), wanted, "{text}");
    }
    for nothing in ["", ",", " or ", "and", &"x".repeat(300)] {
        assert_eq!(Expression::parse(nothing), None, "{nothing}");
    }
}

#[test]
fn a_copyright_file_gives_licences_and_their_texts() {
    let copyright = Copyright::parse(COPYRIGHT.as_bytes()).unwrap();
    assert_eq!(copyright.expression.to_string(), "Expat and Own~odd and (Artistic or GPL-2+)");
    assert_eq!(copyright.texts["Expat"], "Do what you like,\n\n but stay.");
    let mut extracted = BTreeMap::new();
    let spdx = names().spdx(&name("x1"), &copyright, &mut extracted);
    let (reference, (short, text)) = extracted.pop_first().unwrap();
    assert_eq!(spdx, format!("MIT AND {reference} AND (Artistic-1.0-Perl OR GPL-2.0-or-later)"));
    assert!(reference.starts_with("LicenseRef-Own-odd-") && extracted.is_empty(), "{reference}");
    assert_eq!((short.as_str(), text.as_str()), ("Own~odd", "Mine\n\nalone."));
}

#[test]
fn copyright_files_that_cannot_be_read_are_told_why() {
    let none = |text: &[u8]| Copyright::parse(text).unwrap_err();
    let text =
        b"This is free: see /usr/share/common-licenses/GPL-3.\n\n/usr/share/common-licenses/BSD\n";
    let mentioned = vec!["BSD".to_owned(), "GPL-3".to_owned()];
    assert_eq!(none(text), CopyrightError::NoFormat { mentioned });
    assert!(none(text).to_string().ends_with("it mentions BSD, GPL-3"));
    assert_eq!(none(b"Format: html\n"), CopyrightError::NoFormat { mentioned: Vec::new() });
    assert_eq!(none(b""), CopyrightError::NoLicence);
    let format = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n";
    for rest in ["", "\nFiles: *\nLicense:\n", "\nLicense: unused\n text\n", "\n\u{fffd}: \n"] {
        assert_eq!(none(format!("{format}{rest}").as_bytes()), CopyrightError::NoLicence);
    }
}

#[test]
fn a_licence_is_denied_where_no_choice_gets_around_it() {
    let deny = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    for (text, list, wanted) in [
        ("GPL-2+", &["gpl-2+"][..], &["GPL-2+"][..]),
        ("GPL-2+", &["GPL-2.0-or-later"], &["GPL-2+"]),
        ("GPL-2+", &["GPL-*"], &["GPL-2+"]),
        ("GPL-2+", &["GPL-2", "GPL"], &[]),
        ("GPL-2+ or Artistic", &["GPL-*"], &[]),
        ("GPL-2+ or Artistic", &["GPL-*", "artistic-1.0*"], &["Artistic", "GPL-2+"]),
        ("GPL-2+ and Artistic", &["GPL-*"], &["GPL-2+"]),
        ("GPL-2+ and Artistic", &[], &[]),
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(names().denied(&expression, &deny(list)), wanted, "{text} by {list:?}");
    }
}

#[test]
fn spdx_lists_every_file_with_its_package_and_licence() {
    let written = json(&spdx::write(&image(), &names(), "dmc-1.0").unwrap());
    assert_eq!(written["creationInfo"]["created"], "2025-05-17T09:30:00Z");
    let files = written["files"].as_array().unwrap();
    let names: Vec<&str> = files.iter().map(|it| it["fileName"].as_str().unwrap()).collect();
    assert_eq!(names, ["./etc/passwd", "./usr/lib/libx.so", "./usr/lib/libx.so.6"]);
    assert_eq!(files[0]["comment"], "generated");
    assert_eq!(files[0]["licenseConcluded"], "NOASSERTION");
    assert_eq!(files[1]["checksums"][1]["checksumValue"], "01".repeat(32));
    let package = &written["packages"][2];
    assert_eq!(files[1]["licenseConcluded"], package["licenseDeclared"]);
    assert_eq!(package["packageFileName"], "libx++6_1.2~rc1-3+b1_amd64.deb");
    assert_eq!(package["sourceInfo"], "built from x 1.2~rc1-3");
    // sha1sum of "01"*20 and "02"*20, one after the other.
    let code = &package["packageVerificationCode"]["packageVerificationCodeValue"];
    assert_eq!(code, "b8309e51bc04b6a3c596607104a8ea40696fd768");
    let has = |from: &str, to: &str| {
        written["relationships"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["spdxElementId"] == from && it["relatedSpdxElement"] == to)
    };
    assert!(has("SPDXRef-DOCUMENT", "SPDXRef-Image"));
    assert!(has("SPDXRef-Image", "SPDXRef-Package-libxPP6"));
    assert!(has("SPDXRef-Package-libxPP6", "SPDXRef-File-2"));
    assert!(has("SPDXRef-Image", "SPDXRef-File-1"));
}

#[test]
fn cyclonedx_puts_files_below_their_packages() {
    let written = json(&cyclonedx::write(&image(), &names(), "1.0").unwrap());
    let parts = written["components"].as_array().unwrap();
    let of = |at: usize, key: &str| parts[at][key].as_str().unwrap();
    let kinds: Vec<&str> = (0..parts.len()).map(|at| of(at, "type")).collect();
    assert_eq!(kinds, ["operating-system", "library", "file"]);
    assert_eq!(parts[1]["components"][0]["name"], "/usr/lib/libx.so");
    assert_eq!(of(2, "name"), "/etc/passwd");
    assert_eq!(written["dependencies"][0]["dependsOn"][1], parts[1]["purl"]);
    assert!(parts[1]["licenses"][0]["expression"].as_str().unwrap().contains("LicenseRef-"));
}

#[test]
fn provenance_names_every_package_and_what_vouched_for_it() {
    let build = Build {
        version: "1.0".to_owned(),
        dist: "trixie".to_owned(),
        compression: "gzip".to_owned(),
        flags: Vec::new(),
        template: Sha256::from_bytes([1; 32]),
        rules: Sha256::from_bytes([2; 32]),
        vouching: vec![("trixie".to_owned(), Sha256::from_bytes([3; 32]))],
    };
    let written = json(&provenance::write(&image(), &build).unwrap());
    assert_eq!(written["subject"][0]["digest"]["sha256"], "09".repeat(32));
    let resolved = &written["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(resolved[0]["digest"]["sha256"], "07".repeat(32));
    assert_eq!(resolved[0]["name"], "libx++6_1.2~rc1-3+b1_amd64.deb");
    assert_eq!(resolved[1]["name"], "trixie");
    let text = written.to_string();
    assert!(!text.contains("slsa.dev/spec") && !text.contains("finishedOn"), "{text}");
}

#[test]
fn provenance_of_an_index_names_its_manifests() {
    let join = provenance::Join {
        version: "1.0".to_owned(),
        name: "nginx".to_owned(),
        tag: "1.26.3".to_owned(),
        index: Sha256::from_bytes([8; 32]),
        manifests: vec![("amd64".to_owned(), Sha256::from_bytes([9; 32]))],
    };
    let written = json(&provenance::write_join(&join).unwrap());
    assert_eq!(written["subject"][0]["digest"]["sha256"], "08".repeat(32));
    let resolved = &written["predicate"]["buildDefinition"]["resolvedDependencies"][0];
    assert_eq!(resolved["uri"], purl::oci(&image()).unwrap());
}

#[test]
fn the_same_image_gives_the_same_documents_with_numbers_of_their_own() {
    let spdx = || spdx::write(&image(), &names(), "dmc-1.0").unwrap();
    let bom = || cyclonedx::write(&image(), &names(), "1.0").unwrap();
    assert!(spdx() == spdx() && bom() == bom());
    let number = |value: &Value| value.as_str().unwrap().to_owned();
    let numbers =
        [number(&json(&spdx())["documentNamespace"]), number(&json(&bom())["serialNumber"])];
    assert_ne!(numbers[0], numbers[1]);
    assert_eq!(&numbers[0]["urn:uuid:".len()..][14..15], "5", "the version of the UUID");
    let kinds = Kind::ALL.map(Kind::media_type);
    assert!(kinds[0] != kinds[1] && kinds[1] != kinds[2]);
}
