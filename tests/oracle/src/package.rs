//! Binary packages: what a `.deb` says of itself and every member that it holds.

use debian_packaging::deb::reader::{
    BinaryPackageEntry, BinaryPackageReader, ControlTarFile, ControlTarReader, DataTarReader,
};
use dmc_deb::deb822::Paragraph;
use dmc_types::{EntryKind, PackageFacts, Sha256};
use futures::{AsyncReadExt, StreamExt};
use sha2::Digest;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What is compared of a package.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The control paragraph's fields.
    pub control: BTreeMap<String, String>,
    /// Maintainer scripts.
    pub scripts: BTreeMap<String, Vec<u8>>,
    /// Paths of configuration files, in order.
    pub conffiles: Vec<String>,
    /// `PATH MD5`, sorted.
    pub md5sums: Vec<String>,
    /// `MODE UID:GID TIME PATH WHAT` in the order of the tar, without the root folder. What is
    /// `/` for folders, `-> TARGET` and `= EARLIER` for links, `SIZE SHA256` for files.
    pub members: Vec<String>,
}

/// As dmc keeps it, after digest and size were checked.
pub fn ours(facts: &PackageFacts) -> Contents {
    let fields = Paragraph::new(facts.control.as_bytes()).fields();
    let member = |entry: &dmc_types::Entry| {
        let what = match &entry.kind {
            EntryKind::File(file) => format!("{} {}", file.size, file.digest),
            EntryKind::Directory => "/".to_owned(),
            EntryKind::Symlink(target) => format!("-> {}", text(target)),
            EntryKind::Hardlink(earlier) => format!("= {earlier}"),
        };
        line(
            entry.mode,
            entry.uid.into(),
            entry.gid.into(),
            entry.time,
            entry.path.as_bytes(),
            &what,
        )
    };
    Contents {
        control: fields.map(|field| (text(field.name), text(field.value))).collect(),
        scripts: facts.scripts.clone(),
        conffiles: facts.conffiles.iter().map(ToString::to_string).collect(),
        md5sums: sorted(facts.md5sums.iter().map(|(path, digest)| format!("{path} {digest}"))),
        members: facts.entries.iter().map(member).collect(),
    }
}

/// As the oracle reads it.
pub fn theirs(deb: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let mut reader = BinaryPackageReader::new(deb).unwrap();
    while let Some(entry) = reader.next_entry() {
        match entry.unwrap() {
            BinaryPackageEntry::DebianBinary(_) => {}
            BinaryPackageEntry::Control(tar) => read_control(tar, &mut contents),
            BinaryPackageEntry::Data(tar) => {
                contents.members = futures::executor::block_on(read_data(tar));
            }
        }
    }
    contents
}

fn read_control(mut tar: ControlTarReader, contents: &mut Contents) {
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let (name, bytes) = match entry.to_control_file().unwrap().1 {
            ControlTarFile::Control(control) => {
                let field = |field: &debian_packaging::control::ControlField<'_>| {
                    (field.name().to_owned(), field.value_str().to_owned())
                };
                contents.control = control.iter_fields().map(field).collect();
                continue;
            }
            ControlTarFile::Preinst(bytes) => ("preinst".to_owned(), bytes),
            ControlTarFile::Postinst(bytes) => ("postinst".to_owned(), bytes),
            ControlTarFile::Prerm(bytes) => ("prerm".to_owned(), bytes),
            ControlTarFile::Postrm(bytes) => ("postrm".to_owned(), bytes),
            ControlTarFile::Conffiles(bytes) => ("conffiles".to_owned(), bytes),
            ControlTarFile::Other(path, bytes) => (text(&path).replace("./", ""), bytes),
            ControlTarFile::Triggers(_)
            | ControlTarFile::Shlibs(_)
            | ControlTarFile::Symbols(_) => {
                continue;
            }
        };
        match &*name {
            "conffiles" => {
                let lines = text(&bytes);
                let kept = lines.lines().filter(|line| !line.starts_with("remove-on-upgrade "));
                contents.conffiles = kept.map(str::to_owned).collect();
            }
            "md5sums" => contents.md5sums = md5sums(&bytes),
            "preinst" | "postinst" | "prerm" | "postrm" | "config" => {
                contents.scripts.insert(name, bytes);
            }
            _ => {}
        }
    }
}

/// It hands this file out as it is; what is no digest is left out.
fn md5sums(bytes: &[u8]) -> Vec<String> {
    let lines = text(bytes);
    let pairs = lines.lines().filter_map(|line| line.split_once("  "));
    let whole = pairs.filter(|(digest, _)| digest.len() == 32 && digest.is_ascii());
    sorted(whole.map(|(digest, path)| format!("/{path} {digest}")))
}

async fn read_data(tar: DataTarReader) -> Vec<String> {
    let mut members = Vec::new();
    let mut entries = tar.into_inner().entries().unwrap();
    while let Some(entry) = entries.next().await {
        let mut entry = entry.unwrap();
        let path = absolute(&entry.path_bytes());
        if path == b"/" {
            continue;
        }
        let link = entry.link_name_bytes().map(Cow::into_owned).unwrap_or_default();
        let header = entry.header().clone();
        let kind = header.entry_type();
        let what = if kind.is_dir() {
            "/".to_owned()
        } else if kind.is_symlink() {
            format!("-> {}", text(&link))
        } else if kind.is_hard_link() {
            format!("= {}", text(&absolute(&link)))
        } else {
            assert!(kind.is_file(), "{}: {kind:?}", text(&path));
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).await.unwrap();
            let digest = Sha256::from_bytes(sha2::Sha256::digest(&bytes).into());
            format!("{} {digest}", bytes.len())
        };
        let (uid, gid) = (header.uid().unwrap(), header.gid().unwrap());
        let time = i64::try_from(header.mtime().unwrap()).unwrap();
        members.push(line(header.mode().unwrap(), uid, gid, time, &path, &what));
    }
    members
}

fn line(mode: u32, uid: u64, gid: u64, time: i64, path: &[u8], what: &str) -> String {
    format!("{:04o} {uid}:{gid} {time} {} {what}", mode & 0o7777, text(path))
}

/// `./usr/bin/` as `/usr/bin`.
fn absolute(name: &[u8]) -> Vec<u8> {
    let below = name.strip_prefix(b".").unwrap_or(name);
    let below = below.strip_prefix(b"/").unwrap_or(below);
    let below = below.strip_suffix(b"/").unwrap_or(below);
    [b"/", below].concat()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}
