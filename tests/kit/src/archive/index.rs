//! The files of one suite: pool, `Packages`, `Contents`, `InRelease`.

use super::{FakeSuite, Hashes, diff};
use crate::{Compression, DebBuilder, SigningKey, clear_sign};
use dmc_types::{Arch, UnixTime};
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512};
use std::collections::BTreeMap;
use std::fmt::Write as _;

type Files = BTreeMap<String, Vec<u8>>;

pub(super) fn files(suite: &FakeSuite) -> Files {
    let mut files = Files::new();
    // What `InRelease` lists, by its path below the suite's folder.
    let mut listed = Files::new();
    let mut patches = Files::new();
    for component in &suite.components {
        let debs = suite.debs.iter().filter(|(of, _)| of == component).map(|(_, deb)| deb);
        let built: Vec<(&DebBuilder, Vec<u8>)> = debs.map(|deb| (deb, deb.build())).collect();
        for arch in &suite.architectures {
            add_indices(suite, component, *arch, &built, &mut listed);
            if !suite.before.is_empty() {
                let (index, files) = diff::files(suite, component, *arch, &listed);
                listed.extend(index);
                patches.extend(files);
            }
        }
        files.extend(built.into_iter().map(|(deb, bytes)| (deb.pool_path(component), bytes)));
    }
    let folder = format!("dists/{}", suite.path);
    let release = release(suite, &listed);
    let keys: Vec<&SigningKey> = suite.keys.iter().collect();
    files.insert(format!("{folder}/InRelease"), clear_sign(&release, &keys, suite.date));
    files.extend(patches.into_iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes)));
    for (path, bytes) in listed {
        let plain = path.ends_with("/Packages");
        if plain && !suite.indices.contains(&Compression::None) {
            continue;
        }
        if suite.by_hash {
            let parent = path.rsplit_once('/').expect("indices are in folders").0;
            for (name, digest) in digests(suite.hashes, &bytes) {
                files.insert(format!("{folder}/{parent}/by-hash/{name}/{digest}"), bytes.clone());
            }
        }
        files.insert(format!("{folder}/{path}"), bytes);
    }
    files
}

fn add_indices(
    suite: &FakeSuite,
    component: &str,
    arch: Arch,
    built: &[(&DebBuilder, Vec<u8>)],
    listed: &mut Files,
) {
    let packages = packages(suite, component, arch, built);
    let mut contents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (deb, _) in built.iter().filter(|(deb, _)| is_for(deb, arch)) {
        let package = format!("{}/{}", deb.get("Section").unwrap_or("misc"), deb.package());
        for path in deb.contents() {
            contents.entry(path).or_default().push(package.clone());
        }
    }
    let path = format!("{component}/binary-{arch}/Packages");
    for compression in &suite.indices {
        let bytes = compression.pack(packages.as_bytes());
        listed.insert(format!("{path}{}", compression.suffix()), bytes);
    }
    // Listed even where it is not offered, as in Debian.
    listed.insert(path, packages.into_bytes());
    if suite.contents {
        let mut text = String::new();
        for (path, packages) in contents {
            writeln!(text, "{path:<55} {}", packages.join(",")).expect("a String takes all");
        }
        let path = format!("{component}/Contents-{arch}.gz");
        listed.insert(path, Compression::Gz.pack(text.as_bytes()));
    }
}

fn is_for(deb: &DebBuilder, arch: Arch) -> bool {
    [arch.name(), "all"].contains(&deb.architecture())
}

/// The text of `Packages`.
fn packages(
    suite: &FakeSuite,
    component: &str,
    arch: Arch,
    built: &[(&DebBuilder, Vec<u8>)],
) -> String {
    let ours = built.iter().filter(|(deb, _)| is_for(deb, arch));
    let pooled = ours.map(|(deb, bytes)| paragraph(suite, component, deb, bytes));
    pooled.chain([suite.unpooled.clone()]).collect()
}

fn paragraph(suite: &FakeSuite, component: &str, deb: &DebBuilder, bytes: &[u8]) -> String {
    let mut text = deb.control();
    write!(text, "Filename: {}\nSize: {}\n", deb.pool_path(component), bytes.len())
        .expect("a String takes all");
    for (name, digest) in digests(suite.hashes, bytes) {
        let name = if name == "MD5Sum" { "MD5sum" } else { name };
        writeln!(text, "{name}: {digest}").expect("a String takes all");
    }
    text + "\n"
}

fn release(suite: &FakeSuite, listed: &Files) -> String {
    let architectures: Vec<&str> = suite.architectures.iter().map(|arch| arch.name()).collect();
    let components = suite.components.join(" ");
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        writeln!(text, "{name}: {value}").expect("a String takes all");
    };
    field("Origin", &suite.origin);
    field("Label", &suite.label);
    field("Suite", &suite.suite);
    field("Codename", &suite.codename);
    field("Date", &date(suite.date));
    if let Some(end) = suite.valid_until {
        field("Valid-Until", &date(end));
    }
    if suite.by_hash {
        field("Acquire-By-Hash", "yes");
    }
    if !suite.successors.is_empty() {
        field("Signed-By", &suite.successors.join(","));
    }
    field("No-Support-for-Architecture-all", "Packages");
    field("Architectures", &format!("all {}", architectures.join(" ")));
    field("Components", suite.components_field.as_ref().unwrap_or(&components));
    field("Description", "made for a test");
    for name in names(suite.hashes) {
        writeln!(text, "{name}:").expect("a String takes all");
        for (path, bytes) in listed {
            let digest = digest(name, bytes);
            writeln!(text, " {digest} {:>8} {path}", bytes.len()).expect("a String takes all");
        }
    }
    text
}

fn names(hashes: Hashes) -> &'static [&'static str] {
    match hashes {
        Hashes::Sha256 => &["MD5Sum", "SHA256"],
        Hashes::Sha512 => &["SHA512"],
        Hashes::Both => &["SHA256", "SHA512"],
        Hashes::Md5 => &["MD5Sum"],
    }
}

fn digests(hashes: Hashes, bytes: &[u8]) -> Vec<(&'static str, String)> {
    names(hashes).iter().map(|name| (*name, digest(name, bytes))).collect()
}

/// The text of `Packages` that a suite has.
pub(super) fn text(suite: &FakeSuite, component: &str, arch: Arch) -> String {
    let debs = suite.debs.iter().filter(|(of, deb)| of == component && is_for(deb, arch));
    let built: Vec<(&DebBuilder, Vec<u8>)> = debs.map(|(_, deb)| (deb, deb.build())).collect();
    packages(suite, component, arch, &built)
}

pub(super) fn digest(name: &str, bytes: &[u8]) -> String {
    match name {
        "SHA256" => hex::encode(Sha256::digest(bytes)),
        "SHA512" => hex::encode(Sha512::digest(bytes)),
        _ => hex::encode(Md5::digest(bytes)),
    }
}

fn date(seconds: UnixTime) -> String {
    let time = jiff::Timestamp::from_second(seconds).expect("a time of our era");
    time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()
}
