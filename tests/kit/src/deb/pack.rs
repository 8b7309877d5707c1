//! Tar, compression and ar, as dpkg-deb writes them.

use super::{Compression, DebBuilder, Member, MemberKind, content};
use dmc_types::UnixTime;
use md5::{Digest, Md5};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use tar::{EntryType, Header};

pub(super) fn deb(deb: &DebBuilder) -> Vec<u8> {
    let suffix = deb.compression.suffix();
    let control_name = deb.control_name.clone().unwrap_or(format!("control.tar{suffix}"));
    let data_name = deb.data_name.clone().unwrap_or(format!("data.tar{suffix}"));
    let mut out = b"!<arch>\n".to_vec();
    ar_member(&mut out, "debian-binary", b"2.0\n", deb.time);
    ar_member(&mut out, &control_name, &tar(deb, &control_members(deb)), deb.time);
    ar_member(&mut out, &data_name, &tar(deb, &data_members(deb)), deb.time);
    for (name, bytes) in &deb.extra {
        ar_member(&mut out, name, bytes, deb.time);
    }
    out
}

/// ar(5) in the flavour of deb(5): names without a slash at their end.
fn ar_member(out: &mut Vec<u8>, name: &str, bytes: &[u8], time: UnixTime) {
    writeln!(out, "{name:<16}{time:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 100_644, bytes.len())
        .expect("a Vec takes all");
    out.extend_from_slice(bytes);
    if bytes.len() % 2 == 1 {
        out.push(b'\n');
    }
}

fn control_members(deb: &DebBuilder) -> Vec<Member> {
    let file = |name: &str, mode, text: Vec<u8>| {
        Member::new(format!("./{name}"), mode, MemberKind::File(text))
    };
    let mut members = vec![
        Member::new("./", 0o755, MemberKind::Directory),
        file("control", 0o644, deb.control().into()),
        file("md5sums", 0o644, md5sums(deb).into()),
    ];
    if !deb.conffiles.is_empty() {
        members.push(file("conffiles", 0o644, (deb.conffiles.join("\n") + "\n").into()));
    }
    for (name, text) in &deb.scripts {
        members.push(file(name, 0o755, text.clone()));
    }
    members
}

fn md5sums(deb: &DebBuilder) -> String {
    let mut text = String::new();
    for member in &deb.members {
        let name = String::from_utf8_lossy(&member.name).into_owned();
        let Some(path) = name.strip_prefix("./") else { continue };
        let is_conffile = deb.conffiles.iter().any(|conffile| conffile[1..] == *path);
        if matches!(member.kind, MemberKind::File(_)) && !is_conffile {
            let digest = hex::encode(Md5::digest(content(member)));
            writeln!(text, "{digest}  {path}").expect("a String takes all");
        }
    }
    text
}

/// The members in the order in which they were added, each below its folders, links last.
fn data_members(deb: &DebBuilder) -> Vec<Member> {
    let mut seen = BTreeSet::new();
    let mut members = Vec::new();
    let folder = |name: &[u8]| Member::new(name, 0o755, MemberKind::Directory);
    if deb.parents {
        seen.insert(b"./".to_vec());
        members.push(folder(b"./"));
    }
    for member in deb.members.iter().chain(&deb.links) {
        let inner = member.name.strip_suffix(b"/").unwrap_or(&member.name);
        let slashes = inner.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (at, _) in slashes.filter(|_| deb.parents && inner.starts_with(b"./")) {
            if seen.insert(inner[..=at].to_vec()) {
                members.push(folder(&inner[..=at]));
            }
        }
        seen.insert(member.name.clone());
        members.push(member.clone());
    }
    members
}

fn tar(deb: &DebBuilder, members: &[Member]) -> Vec<u8> {
    let mut out = Packer::new(deb.compression);
    for member in members {
        let (kind, link, size) = match &member.kind {
            MemberKind::File(bytes) => (EntryType::Regular, &[][..], bytes.len() as u64),
            MemberKind::Zeros(size) => (EntryType::Regular, &[][..], *size),
            MemberKind::Directory => (EntryType::Directory, &[][..], 0),
            MemberKind::Symlink(target) => (EntryType::Symlink, &target[..], 0),
            MemberKind::Hardlink(target) => (EntryType::Link, &target[..], 0),
            MemberKind::Device(..) => (EntryType::Char, &[][..], 0),
            MemberKind::Raw(flag, link, bytes) => {
                (EntryType::new(*flag), &link[..], bytes.len() as u64)
            }
        };
        long_name(&mut out, EntryType::GNULongName, &member.name);
        long_name(&mut out, EntryType::GNULongLink, link);
        let mut header = header(kind, &member.name, link, size);
        header.set_mode(member.mode);
        header.set_uid(member.uid.into());
        header.set_gid(member.gid.into());
        if (member.uid, member.gid) == (0, 0) {
            header.set_username("root").expect("a GNU header");
            header.set_groupname("root").expect("a GNU header");
        }
        let time = member.time.unwrap_or(deb.time);
        header.set_mtime(u64::try_from(time).expect("a time since 1970"));
        if let MemberKind::Device(major, minor) = member.kind {
            header.set_device_major(major).expect("a GNU header");
            header.set_device_minor(minor).expect("a GNU header");
        }
        header.set_cksum();
        out.write_all(header.as_bytes()).expect("a Vec takes all");
        let bytes = content(member);
        let zeros = size - bytes.len() as u64;
        out.write_all(bytes).expect("a Vec takes all");
        padding(&mut out, zeros + size.next_multiple_of(512) - size);
    }
    padding(&mut out, 1024);
    out.finish()
}

fn header(kind: EntryType, name: &[u8], link: &[u8], size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    let fields = header.as_gnu_mut().expect("it was made as one");
    let (name, link) = (&name[..name.len().min(100)], &link[..link.len().min(100)]);
    fields.name[..name.len()].copy_from_slice(name);
    fields.linkname[..link.len()].copy_from_slice(link);
    header
}

/// GNU's way with names that do not fit: a member before, which holds the name.
fn long_name(out: &mut Packer, kind: EntryType, name: &[u8]) {
    if name.len() <= 100 {
        return;
    }
    let size = name.len() as u64 + 1;
    let mut header = header(kind, b"././@LongLink", b"", size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    out.write_all(header.as_bytes()).expect("a Vec takes all");
    out.write_all(name).expect("a Vec takes all");
    padding(out, 1 + size.next_multiple_of(512) - size);
}

fn padding(out: &mut Packer, zeros: u64) {
    std::io::copy(&mut std::io::repeat(0).take(zeros), out).expect("a Vec takes all");
}

pub(super) fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut out = Packer::new(compression);
    out.write_all(bytes).expect("a Vec takes all");
    out.finish()
}

enum Packer {
    Xz(liblzma::write::XzEncoder<Vec<u8>>),
    Gz(flate2::write::GzEncoder<Vec<u8>>),
    Zst(zstd::Encoder<'static, Vec<u8>>),
    None(Vec<u8>),
}

impl Packer {
    fn new(compression: Compression) -> Self {
        match compression {
            Compression::Xz => Self::Xz(liblzma::write::XzEncoder::new(Vec::new(), 1)),
            Compression::Gz => {
                let level = flate2::Compression::fast();
                Self::Gz(flate2::write::GzEncoder::new(Vec::new(), level))
            }
            Compression::Zst => {
                Self::Zst(zstd::Encoder::new(Vec::new(), 1).expect("a level that zstd knows"))
            }
            Compression::None => Self::None(Vec::new()),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Xz(encoder) => encoder.finish(),
            Self::Gz(encoder) => encoder.finish(),
            Self::Zst(encoder) => encoder.finish(),
            Self::None(bytes) => Ok(bytes),
        }
        .expect("a Vec takes all")
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Xz(encoder) => encoder.write(bytes),
            Self::Gz(encoder) => encoder.write(bytes),
            Self::Zst(encoder) => encoder.write(bytes),
            Self::None(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
