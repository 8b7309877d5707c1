//! Packages: the outer archive, the tars within, and all of it.

use dmc_deb::package::{self, Control, DebError, Limits, Sink, unpack};
use dmc_elf::nature;
use dmc_testkit::{Compression, DebBuilder, ElfBuilder, Member, MemberKind, fixtures};
use dmc_types::{Arch, ImagePath};
use std::collections::BTreeMap;
use std::io;

/// The bytes after the magic of an ar archive.
pub fn ar(data: &[u8]) {
    let limits = Limits { unpacked: 1 << 20, control: 1 << 20 };
    read(&[b"!<arch>\n", data].concat(), limits);
}

/// A tar: as the files of a package, then as its control archive. Headers get the checksums that
/// fit them: a fuzzer would hardly find one.
pub fn tar(data: &[u8]) {
    let limits = Limits { unpacked: 1 << 20, control: 1 << 20 };
    let (tar, empty) = (sealed(data), [0; 1024]);
    read(&outer(&[("control.tar", &fixed_control()), ("data.tar", &tar)]), limits);
    read(&outer(&[("control.tar", &tar), ("data.tar", &empty)]), limits);
}

/// A whole package, whatever its compression; its files are looked at as the decoder does.
pub fn deb(data: &[u8]) {
    let limits = Limits::for_package(None, data.len() as u64);
    read(data, limits);
}

fn read(deb: &[u8], limits: Limits) {
    let mut witness = Witness { limits, seen: BTreeMap::new(), bytes: 0 };
    match unpack(deb, &limits, &mut witness) {
        Ok(control) => check(&control, limits),
        Err(DebError::Read { source } | DebError::Sink { source }) => panic!("{source}"),
        Err(error) => assert!(error.to_string().len() < 5000 && !error.hint().is_empty()),
    }
}

fn check(control: &Control, limits: Limits) {
    assert!(control.paragraph.ends_with('\n') && !control.paragraph.trim().is_empty());
    let scripts = control.scripts.values().map(Vec::len).sum::<usize>();
    assert!((scripts + control.paragraph.len()) as u64 <= limits.control);
    assert!(control.md5sums.values().all(|digest| digest.len() == 32));
}

/// Holds the reader to what [`Sink`] and the module's documentation promise.
struct Witness {
    limits: Limits,
    /// Whether each path is a folder.
    seen: BTreeMap<ImagePath, bool>,
    bytes: u64,
}

impl Sink for Witness {
    fn entry(&mut self, member: package::Member, contents: &[u8]) -> io::Result<()> {
        self.bytes += contents.len() as u64;
        assert!(self.bytes <= self.limits.unpacked);
        assert!(member.mode <= 0o7777);
        assert!(contents.is_empty() || member.kind == package::MemberKind::File);
        assert!(member.path.parts().all(|part| !matches!(part, b"" | b"." | b"..")));
        for above in member.path.ancestors() {
            assert_ne!(self.seen.get(&above), Some(&false), "{} below {above}", member.path);
        }
        if let package::MemberKind::Hardlink(target) = &member.kind {
            assert_eq!(self.seen.get(target), Some(&false), "{target}");
        }
        let folder = member.kind == package::MemberKind::Directory;
        if let Some(earlier) = self.seen.insert(member.path, folder) {
            assert!(earlier && folder);
        }
        drop(nature(contents));
        Ok(())
    }
}

/// A package of these members.
fn outer(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, contents) in [&[("debian-binary", &b"2.0\n"[..])], members].concat() {
        let size = contents.len();
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644);
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(contents);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

const BLOCK: usize = 512;
/// Where a tar header has its size and its checksum.
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// A tar whose headers have the right checksums.
fn sealed(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + BLOCK) {
        if header.iter().all(|b| *b == 0) {
            break;
        }
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = header[SIZE].iter().take_while(|b| matches!(b, b'0'..=b'7'));
        let size = digits.fold(0_usize, |size, b| size.saturating_mul(8) + usize::from(b - b'0'));
        at = at.saturating_add(BLOCK).saturating_add(size.next_multiple_of(BLOCK).min(tar.len()));
    }
    tar
}

fn fixed_control() -> Vec<u8> {
    tars(&DebBuilder::new("a", "1", "all")).swap_remove(0)
}

/// Both tars of a package, the control archive first.
fn tars(deb: &DebBuilder) -> Vec<Vec<u8>> {
    let deb = deb.clone().compression(Compression::None).build();
    let mut rest = &deb[8..];
    let mut members = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(60) {
        let size: usize = std::str::from_utf8(&header[48..58]).unwrap().trim().parse().unwrap();
        members.push(after[..size].to_vec());
        rest = after.get(size.next_multiple_of(2)..).unwrap_or_default();
    }
    members.split_off(1)
}

/// Small packages, honest ones first.
fn packages() -> Vec<DebBuilder> {
    let new = || DebBuilder::new("a", "1-1", "amd64");
    let raw = |flag, link: &[u8], bytes: &[u8]| {
        let kind = MemberKind::Raw(flag, link.to_vec(), bytes.to_vec());
        new().member(Member::new("./usr/x", 0o644, kind))
    };
    let program = ElfBuilder::program(Arch::Amd64).needs("libc.so.6").build();
    let long = format!("/usr/share/{}name", "long/".repeat(40));
    vec![
        new().executable("/usr/bin/a", program).hardlink("/usr/bin/b", "/usr/bin/a"),
        new().file(&long, "text").symlink("/usr/lib/libx.so.1", &long).dir("/var/lib/a"),
        new()
            .conffile("/etc/a.conf", "a=1\n")
            .script("postinst", "#!/bin/sh\nset -e\nexit 0\n")
            .script("conffiles", "/etc/a.conf\nremove-on-upgrade /etc/b\n"),
        new().zeros("/zeros", 1 << 16),
        new().member(Member::new("./dev/null", 0o666, MemberKind::Device(1, 3))),
        new().member(Member::new("../etc/passwd", 0o644, MemberKind::File(b"x".to_vec()))),
        new().hardlink("/usr/b", "/usr/none").file("/usr/b/c", ""),
        raw(b'S', b"", b"sparse"),
        raw(b'x', b"", b"30 mtime=1756728000.123456789\n22 GNU.sparse.major=1\n"),
        raw(b'x', b"", b"18 path=./usr/xyz\n12 size=99\n"),
        raw(b'g', b"", b"18 path=./usr/xyz\n"),
        raw(b'L', b"", b"./usr/a/very/long/name\0"),
        raw(b'7', b"./usr/y", b""),
    ]
}

pub(crate) fn ar_seeds() -> Vec<Vec<u8>> {
    let small = DebBuilder::new("a", "1", "all").compression(Compression::None).script("x", "");
    let odd = small.clone().ar_member("_gpgorigin", b"x").ar_member("other", b"yz");
    let renamed = small.clone().control_name("control.tar.lzma").data_name("data.tar/");
    [small, odd, renamed].iter().map(|deb| deb.build()[8..].to_vec()).collect()
}

pub(crate) fn tar_seeds() -> Vec<Vec<u8>> {
    packages().iter().flat_map(tars).collect()
}

pub(crate) fn deb_seeds() -> Vec<Vec<u8>> {
    let each = [Compression::None, Compression::Gz, Compression::Xz, Compression::Zst];
    let small = packages().into_iter().flat_map(|deb| each.map(|it| deb.clone().compression(it)));
    let bomb = DebBuilder::new("bomb", "1", "all").zeros("/bomb", 128 << 20);
    let real = fixtures::nginx_like(&[Arch::Amd64]).into_iter().take(3);
    let bombs = [bomb.clone().compression(Compression::Zst), bomb];
    small.chain(bombs).chain(real).map(|deb| deb.build()).collect()
}
