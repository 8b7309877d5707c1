//! dmc reads what the oracle's builders write.

use camino::{Utf8Path, Utf8PathBuf};
use debian_packaging::control::{ControlFile, ControlParagraph};
use debian_packaging::deb::DebCompression;
use debian_packaging::deb::builder::DebBuilder;
use debian_packaging::repository::builder::{InMemoryDebFile, NO_PROGRESS_CB, RepositoryBuilder};
use debian_packaging::repository::filesystem::FilesystemRepositoryWriter;
use debian_packaging::repository::release::ReleaseFile;
use debian_packaging::signing_key::{create_self_signed_key, signing_secret_key_params_builder};
use dmc_archive::{ArchiveError, Keyrings, Role, ShippedKeyring};
use dmc_oracle::site::Site;
use dmc_oracle::{faults, index, package, relation, release};
use futures::executor::block_on;
use pgp::SignedSecretKey;
use pgp::crypto::hash::HashAlgorithm;
use simple_file_manifest::FileEntry;
use std::error::Error;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

const IN_RELEASE: &str = "dists/trixie/InRelease";
/// Longer than the name field of a tar header.
const DEEP: &str = "usr/share/doc/hello/a-folder-with-a-long-name/another-folder-with-a-long-name/\
    a-file-whose-whole-path-has-more-than-one-hundred-bytes.txt";

struct Fixture {
    site: Site,
    key: SignedSecretKey,
    _folder: tempfile::TempDir,
}

/// Name, version, compression, more fields.
type Package =
    (&'static str, &'static str, DebCompression, &'static [(&'static str, &'static str)]);

fn packages() -> [Package; 4] {
    [
        (
            "hello",
            "1:2.0~rc1+dfsg-3+b1",
            DebCompression::Gzip,
            &[
                ("Pre-Depends", "libhello0 (= 1.0-1)"),
                ("Depends", "libc6 (>= 2.38), debconf (>= 0.5) | debconf-2.0, libhello0"),
                ("Provides", "greeter (= 1:2.0), greeting"),
                ("Installed-Size", "700"),
                ("Description", "says hello\n and says so\n .\n at length"),
            ],
        ),
        ("libhello0", "1.0-1", DebCompression::Xz(6), &[("Source", "hello")]),
        ("hello-data", "20260101", DebCompression::Zstandard(3), &[("Multi-Arch", "foreign")]),
        ("hello-doc", "0-0", DebCompression::Uncompressed, &[]),
    ]
}

fn deb((name, version, compression, fields): Package) -> Vec<u8> {
    let mut paragraph = ControlParagraph::default();
    let fixed = [("Package", name), ("Version", version), ("Architecture", "amd64")];
    for (field, value) in fixed.iter().chain(fields) {
        paragraph.set_field_from_string((*field).into(), (*value).into());
    }
    let mut control = ControlFile::default();
    control.add_paragraph(paragraph);
    // Does not compress, so that there are several blocks.
    let noise: Vec<u8> =
        (0_u32..700_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let (script, path) = (b"#!/bin/sh\nexit 0\n".to_vec(), format!("etc/{name}.conf"));
    let builder = DebBuilder::new(control)
        .set_compression(compression)
        .set_mtime(Some(UNIX_EPOCH + Duration::from_secs(1_756_728_007)))
        .extra_control_tar_file("postinst", FileEntry::new_from_data(script.clone(), true))
        .and_then(|deb| deb.extra_control_tar_file("conffiles", format!("/{path}\n").into_bytes()))
        .and_then(|deb| {
            deb.install_file(&path, FileEntry::new_from_data(b"x = 1\n".to_vec(), false))
        })
        .and_then(|deb| {
            deb.install_file(format!("usr/bin/{name}"), FileEntry::new_from_data(script, true))
        })
        .and_then(|deb| deb.install_file(DEEP, FileEntry::new_from_data(Vec::new(), false)))
        .and_then(|deb| {
            deb.install_file("usr/share/noise", FileEntry::new_from_data(noise, false))
        });
    let mut bytes = Vec::new();
    builder.unwrap().write(&mut bytes).unwrap();
    bytes
}

/// An archive as the builder writes it.
fn as_built() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let mut builder =
        RepositoryBuilder::new_recommended(["amd64"].iter(), ["main"].iter(), "stable", "trixie");
    builder.set_origin("Debian");
    builder.set_label("A fixture");
    builder.set_version("13.1");
    for package in packages() {
        let name = format!("{}_{}_amd64.deb", package.0, package.1.replace(':', "%3a"));
        let bytes = deb(package);
        let path =
            builder.add_binary_deb("main", &InMemoryDebFile::new(name, bytes.clone())).unwrap();
        write(&root.join(path), &bytes);
    }
    let owner =
        signing_secret_key_params_builder("A fixture <fixture@example.org>").build().unwrap();
    let (key, public) = create_self_signed_key(owner, String::new).unwrap();
    let writer = FilesystemRepositoryWriter::new(&root);
    let signing = Some((&key, String::new));
    block_on(builder.publish_indices(&writer, Some("dists/trixie"), 1, &NO_PROGRESS_CB, signing))
        .unwrap();
    let shipped = ShippedKeyring {
        name: "fixture".to_owned(),
        bytes: public.to_armored_bytes(pgp::ArmorOptions::default()).unwrap().into(),
    };
    let site = Site {
        folder: root,
        suite: "trixie".to_owned(),
        role: Role::Main,
        keyrings: Keyrings { machine: Vec::new(), shipped: vec![shipped] },
    };
    Fixture { site, key, _folder: folder }
}

/// The same, with the columns of its `Release` put in order and signed again.
fn in_order() -> Fixture {
    let fixture = as_built();
    let release = String::from_utf8(fixture.site.read("dists/trixie/Release")).unwrap();
    let text = faults::with_columns_in_order(&release);
    let hash = HashAlgorithm::SHA2_256;
    let signed = pgp_cleartext::cleartext_sign(&fixture.key, String::new, hash, text.as_bytes());
    write(&fixture.site.folder.join(IN_RELEASE), signed.unwrap().as_bytes());
    fixture
}

fn write(path: &Utf8Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn refusal(fixture: &Fixture) -> String {
    let refused: ArchiveError = fixture.site.ours().release().unwrap_err();
    let (mut text, mut cause) = (refused.to_string(), refused.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn a_release_with_its_columns_in_the_wrong_order_is_still_written_there_and_refused_here() {
    let fixture = as_built();
    let why = refusal(&fixture);
    assert!(why.contains("SHA256") && why.contains("main/binary-amd64/Packages"), "{why}");
    let text = fixture.site.read(IN_RELEASE);
    let read = ReleaseFile::from_armored_reader(&*text).unwrap();
    let checksum = debian_packaging::repository::release::ChecksumType::Sha256;
    assert!(read.iter_index_files(checksum).unwrap().all(|entry| entry.is_err()), "by itself too");
}

#[test]
fn a_tampered_release_is_still_accepted_there_and_refused_here() {
    let fixture = in_order();
    let text = String::from_utf8(fixture.site.read(IN_RELEASE)).unwrap();
    let tampered = text.replace("A fixture", "A forgery");
    assert_ne!(text, tampered);
    write(&fixture.site.folder.join(IN_RELEASE), tampered.as_bytes());
    assert_eq!(fixture.site.theirs().release().label(), Some("A forgery"));
    assert!(refusal(&fixture).contains("signature"), "{}", refusal(&fixture));
}

#[test]
fn releases_are_read_alike() {
    let fixture = in_order();
    let ours = release::ours(&fixture.site.ours().release().unwrap());
    assert_eq!(ours, release::theirs(fixture.site.theirs().release()));
    assert_eq!(ours.files.len(), 3, "{:?}", ours.files);
}

#[test]
fn indices_are_read_alike() {
    let fixture = in_order();
    let (ours, theirs) = (fixture.site.ours().packages(), fixture.site.theirs().packages());
    assert_eq!((ours.len(), theirs.len()), (packages().len(), packages().len()));
    for there in &*theirs {
        let row = index::theirs(there);
        let here = ours.package(&row[0].parse().unwrap()).unwrap().unwrap();
        assert_eq!(index::ours(&here), row);
        for field in relation::FIELDS {
            let Some(text) = there.field_str(field) else { continue };
            assert_eq!(relation::theirs(text).unwrap(), (relation::ours(text), 0), "{text}");
        }
    }
}

#[test]
fn packages_of_every_compression_are_read_alike() {
    let fixture = in_order();
    let ours = fixture.site.ours();
    let index = ours.packages();
    for (name, ..) in packages() {
        let candidate = index.package(&name.parse().unwrap()).unwrap().unwrap();
        let here = package::ours(&ours.facts(&candidate));
        let there = package::theirs(&fixture.site.read(&candidate.filename));
        assert_eq!(here, there, "{name}");
        assert_eq!(here.scripts["postinst"], b"#!/bin/sh\nexit 0\n", "{name}");
        assert_eq!(here.conffiles, [format!("/etc/{name}.conf")]);
        let deep = format!("0644 0:0 1756728007 /{DEEP} 0 ");
        assert!(here.members.iter().any(|member| member.starts_with(&deep)), "{:#?}", here.members);
        // It writes sixteen raw bytes where thirty-two digits belong.
        assert_eq!(here.md5sums, [""; 0], "{name}");
    }
}
