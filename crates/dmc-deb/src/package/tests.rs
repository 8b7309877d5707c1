use super::*;
use proptest::prelude::*;
use std::io::Write as _;
use std::sync::LazyLock;
use tar::{EntryType, Header};

const LIMITS: Limits = Limits { unpacked: 1 << 20, control: 1 << 16 };

/// Keeps what it is given.
#[derive(Default)]
struct Kept(Vec<(Member, Vec<u8>)>);

impl Sink for Kept {
    fn entry(&mut self, member: Member, contents: &[u8]) -> io::Result<()> {
        self.0.push((member, contents.to_vec()));
        Ok(())
    }
}

/// A tar, written header by header so that it can be wrong.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn raw(mut self, header: &Header, contents: &[u8]) -> Self {
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(contents);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn member(self, name: &str, kind: EntryType, link: &str, contents: &[u8]) -> Self {
        self.raw(&header(name, kind, link, contents.len()), contents)
    }

    fn file(self, name: &str, contents: &[u8]) -> Self {
        self.member(name, EntryType::Regular, "", contents)
    }

    fn folder(self, name: &str) -> Self {
        self.member(name, EntryType::Directory, "", b"")
    }

    fn end(mut self) -> Vec<u8> {
        self.0.resize((self.0.len() + 1024).next_multiple_of(10240), 0);
        self.0
    }
}

fn header(name: &str, kind: EntryType, link: &str, size: usize) -> Header {
    let mut header = Header::new_gnu();
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o4755);
    header.set_uid(3);
    header.set_gid(4);
    header.set_mtime(1_700_000_000);
    header.set_cksum();
    header
}

fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ::ar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let header = ::ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const PARAGRAPH: &str = "Package: hello\nVersion: 1\n";

fn control() -> Vec<u8> {
    let sums = format!("{}  usr/bin/hello\nodd line\n", "0".repeat(32));
    Tar::default()
        .folder("./")
        .file("./control", format!("{PARAGRAPH}\n").as_bytes())
        .file("./conffiles", b"/etc/hello\nremove-on-upgrade /etc/old\n")
        .file("./md5sums", sums.as_bytes())
        .file("./postinst", b"#!/bin/sh\n")
        .file("./triggers", b"activate x\n")
        .end()
}

fn data() -> Tar {
    Tar::default()
        .folder("./")
        .folder("./usr/")
        .folder("./usr/bin/")
        .file("./usr/bin/hello", b"hello, world\n")
        .member("./usr/bin/hi", EntryType::Symlink, "hello", b"")
        .member("./usr/bin/hallo", EntryType::Link, "./usr/bin/hello", b"")
}

fn deb(data: Tar) -> Vec<u8> {
    let members: [(&str, &[u8]); 3] = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", &xz(&control())),
        ("data.tar.xz", &xz(&data.end())),
    ];
    ar(&members)
}

fn read(deb: &[u8]) -> Result<(Control, Kept), DebError> {
    let mut kept = Kept::default();
    let control = unpack(deb, &LIMITS, &mut kept)?;
    Ok((control, kept))
}

/// The error's variant.
fn kind(deb: &[u8]) -> String {
    let error = read(deb).map(|_| ()).unwrap_err();
    assert!(!error.hint().is_empty() && !error.to_string().is_empty());
    let shown = format!("{error:?}");
    shown.split([' ', '{', '(']).next().unwrap().to_owned()
}

#[test]
fn a_package_is_read_whole() {
    let (control, Kept(members)) = read(&deb(data())).unwrap();
    assert_eq!(control.paragraph, PARAGRAPH);
    assert_eq!(control.conffiles, [ImagePath::parse("/etc/hello").unwrap()]);
    assert_eq!(control.scripts["postinst"], b"#!/bin/sh\n");
    assert_eq!((control.scripts.len(), control.md5sums.len()), (1, 1));
    let hello = ImagePath::parse("/usr/bin/hello").unwrap();
    assert_eq!(control.md5sums[&hello], "0".repeat(32));

    let kinds: Vec<_> = members.iter().map(|(member, _)| &member.kind).collect();
    let (folder, link) = (MemberKind::Directory, MemberKind::Symlink(b"hello".to_vec()));
    let hard = MemberKind::Hardlink(hello.clone());
    assert_eq!(kinds, [&folder, &folder, &folder, &MemberKind::File, &link, &hard]);
    assert!(members[0].0.path.is_root());
    let (member, contents) = &members[3];
    assert_eq!((&member.path, &**contents), (&hello, &b"hello, world\n"[..]));
    assert_eq!((member.mode, member.uid, member.gid), (0o4755, 3, 4));
    assert_eq!(member.time, 1_700_000_000);
    assert!(members[4].1.is_empty() && members[5].1.is_empty());
}

#[test]
fn each_compression_is_read_and_its_end_checked() {
    let tar = data().end();
    let zst = zstd::encode_all(&*tar, 1).unwrap();
    for (suffix, encoded) in
        [("", tar.clone()), (".gz", gzip(&tar)), (".xz", xz(&tar)), (".zst", zst)]
    {
        let data = format!("data.tar{suffix}");
        let build = |encoded: &[u8]| {
            let control = gzip(&control());
            ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), (&data, encoded)])
        };
        assert_eq!(read(&build(&encoded)).unwrap().1.0.len(), 6, "{suffix}");
        let long = [&*encoded, b"what follows the end"].concat();
        if !suffix.is_empty() {
            assert_eq!(kind(&build(&long)), "Corrupt", "{suffix} with more after its end");
            let cut = &encoded[..encoded.len() - 4];
            assert_eq!(kind(&build(cut)), "Truncated", "{suffix} cut short");
        }
        if matches!(suffix, ".gz" | ".xz") {
            let mut wrong = encoded.clone();
            let crc = wrong.len() - 6;
            wrong[crc] ^= 1;
            assert_eq!(kind(&build(&wrong)), "Corrupt", "{suffix} with a wrong checksum");
        }
    }
}

#[test]
fn each_wrong_archive_is_refused_by_name() {
    let (c, d) = (xz(&control()), xz(&data().end()));
    let v: (&str, &[u8]) = ("debian-binary", b"2.0\n");
    let c: (&str, &[u8]) = ("control.tar.xz", &c);
    let d: (&str, &[u8]) = ("data.tar.xz", &d);
    let good = ar(&[v, c, d]);
    for (wrong, deb, wanted) in [
        ("nothing", vec![], "NotAr"),
        ("a zip", b"PK\x03\x04 and more".to_vec(), "NotAr"),
        ("no member", b"!<arch>\n".to_vec(), "Truncated"),
        ("no data", ar(&[v, c]), "Truncated"),
        ("cut header", good[..30].to_vec(), "Truncated"),
        ("cut control", good[..200].to_vec(), "Truncated"),
        ("cut data", good[..good.len() - 40].to_vec(), "Truncated"),
        ("header of letters", [&good[..8], &[b'x'; 60]].concat(), "BadHeader"),
        ("negative size", replaced(&good, b"4         `", b"-4        `"), "BadHeader"),
        ("huge size", replaced(&good, b"4         `", b"9999999999`"), "UnexpectedMember"),
        ("version 3", ar(&[("debian-binary", b"3.0\n"), c, d]), "UnknownVersion"),
        ("not the version first", ar(&[c, v, d]), "UnexpectedMember"),
        ("data before control", ar(&[v, d, c]), "UnexpectedMember"),
        ("unknown member", ar(&[v, ("extra", b"x"), c, d]), "UnexpectedMember"),
        ("unknown at the end", ar(&[v, c, d, ("extra", b"x")]), "UnexpectedMember"),
        ("bzip2", ar(&[v, c, ("data.tar.bz2", b"BZh9")]), "UnknownCompression"),
        ("lzma", ar(&[v, c, ("data.tar.lzma", b"]\0\0")]), "UnknownCompression"),
        ("not xz", ar(&[v, c, ("data.tar.xz", b"hello, this is no xz")]), "Corrupt"),
        ("not tar", ar(&[v, c, ("data.tar", &[b'x'; 600])]), "Corrupt"),
    ] {
        assert_eq!(kind(&deb), wanted, "{wrong}");
    }
    let reserved = ar(&[v, ("_odd", b"odd"), c, d, ("_gpgorigin", b"odd")]);
    assert!(read(&reserved).is_ok(), "members with an underscore are passed over");
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = memchr::memmem::find(bytes, from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// Two PAX or GNU headers' worth of a long name.
fn long_name(name: &str) -> Tar {
    let long = [name.as_bytes(), b"\0"].concat();
    data().member("././@LongLink", EntryType::GNULongName, "", &long).file("./short", b"long")
}

fn pax(record: &str) -> Tar {
    let length = (record.len()..9999).find(|n| n.to_string().len() + record.len() + 2 == *n);
    let line = format!("{} {record}\n", length.unwrap());
    data().member("./pax", EntryType::XHeader, "", line.as_bytes()).file("./short", b"long")
}

#[test]
fn each_wrong_member_is_refused_by_name() {
    use EntryType as T;
    let number = |change: fn(&mut Header)| {
        let mut header = header("./x", T::Regular, "", 0);
        change(&mut header);
        header.set_cksum();
        data().raw(&header, b"")
    };
    let sparse = number(|header| {
        header.set_entry_type(T::GNUSparse);
        header.as_gnu_mut().unwrap().realsize = *b"00000000000\0";
    });
    for (wrong, tar, wanted) in [
        ("climbing", data().file("./../x", b""), "BadPath"),
        ("absolute", data().file("/etc/passwd", b""), "BadPath"),
        ("climbing within", data().file("./usr/../../x", b""), "BadPath"),
        ("no name", data().file("", b""), "BadPath"),
        ("long name", long_name(&"x".repeat(256)), "BadPath"),
        ("long path", long_name(&"x/".repeat(2100)), "BadPath"),
        ("climbing long name", long_name("./../x"), "BadPath"),
        ("climbing PAX name", pax("path=../x"), "BadPath"),
        ("PAX sparse", pax("GNU.sparse.major=1"), "Special"),
        ("PAX size", pax("size=99999999999"), "TooLarge"),
        ("file in slash", data().file("./x/", b"x"), "BadPath"),
        ("empty link", data().member("./x", T::Symlink, "", b""), "BadPath"),
        ("climbing hard link", data().member("./x", T::Link, "../x", b""), "BadPath"),
        (
            "hard link to nothing",
            data().member("./x", T::Link, "./etc/passwd", b""),
            "DanglingHardlink",
        ),
        ("hard link to a folder", data().member("./x", T::Link, "./usr", b""), "DanglingHardlink"),
        ("hard link to itself", data().member("./x", T::Link, "./x", b""), "DanglingHardlink"),
        ("below a link", data().file("./usr/bin/hi/x", b""), "NotInFolder"),
        ("below a file", data().file("./usr/bin/hello/x/y", b""), "NotInFolder"),
        ("twice", data().file("./usr/bin/hello", b""), "Twice"),
        ("a folder's place", data().file("./usr", b""), "Twice"),
        ("character device", data().member("./x", T::Char, "", b""), "Special"),
        ("block device", data().member("./x", T::Block, "", b""), "Special"),
        ("pipe", data().member("./x", T::Fifo, "", b""), "Special"),
        ("sparse", sparse, "Special"),
        ("of no known kind", data().member("./x", T::new(b'Z'), "", b""), "Special"),
        ("folder with contents", data().member("./x", T::Directory, "", b"x"), "BadNumber"),
        ("negative time", number(|h| h.as_old_mut().mtime = [0xff; 12]), "BadNumber"),
        ("huge owner", number(|h| h.set_uid(1 << 32)), "BadNumber"),
        ("huge group", number(|h| h.set_gid(1 << 32)), "BadNumber"),
        ("mode of letters", number(|h| h.as_old_mut().mode = *b"rwxr-xr-"), "BadNumber"),
        ("negative size", number(|h| h.as_old_mut().size = [0xff; 12]), "Corrupt"),
        ("huge size", number(|h| h.set_size(1 << 40)), "TooLarge"),
        ("bomb", data().file("./x", &vec![0; 2 << 20]), "TooLarge"),
    ] {
        assert_eq!(kind(&deb(tar)), wanted, "{wrong}");
    }
}

#[test]
fn a_bomb_after_the_last_member_is_refused() {
    let mut tar = data().end();
    tar.resize(4 << 20, 0);
    let (control, bomb) = (xz(&control()), xz(&tar));
    let members: [(&str, &[u8]); 3] =
        [("debian-binary", b"2.0\n"), ("control.tar.xz", &control), ("data.tar.xz", &bomb)];
    assert_eq!(kind(&ar(&members)), "TooLarge");
}

#[test]
fn each_wrong_control_is_refused_by_name() {
    for (wrong, tar, wanted) in [
        ("no control", Tar::default().file("./x", b""), "BadControl"),
        ("empty control", Tar::default().file("./control", b"\n"), "BadControl"),
        ("not UTF-8", Tar::default().file("./control", b"Package: \xff\n"), "BadControl"),
        (
            "conffile",
            Tar::default().file("./control", b"P: x").file("./conffiles", b"etc/x\n"),
            "BadPath",
        ),
        ("bomb", Tar::default().file("./control", &vec![b'x'; 1 << 17]), "TooLarge"),
    ] {
        let (control, data) = (xz(&tar.end()), xz(&data().end()));
        let members: [(&str, &[u8]); 3] =
            [("debian-binary", b"2.0\n"), ("control.tar.xz", &control), ("data.tar.xz", &data)];
        assert_eq!(kind(&ar(&members)), wanted, "{wrong}");
    }
}

#[test]
fn long_names_are_read_in_both_dialects() {
    let long = format!("./{}/{}", "d".repeat(120), "f".repeat(200));
    for tar in [long_name(&long), pax(&format!("path={long}"))] {
        let (_, Kept(members)) = read(&deb(tar)).unwrap();
        let (member, contents) = members.last().unwrap();
        assert_eq!(member.path, ImagePath::from_tar(long.as_bytes()).unwrap());
        assert_eq!(contents, b"long");
    }
}

/// Takes nothing.
struct Full;

impl Sink for Full {
    fn entry(&mut self, _: Member, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

/// Gives some bytes, then fails.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::Error::other("connection reset")),
            count => Ok(count),
        }
    }
}

#[test]
fn failures_of_the_source_and_the_sink_are_told_apart_from_the_packages() {
    let deb = deb(data());
    for cut in [0, 7, 40, 70, 100, deb.len() / 2, deb.len() - 10, deb.len()] {
        let error = unpack(Failing(&deb[..cut]), &LIMITS, &mut Kept::default()).unwrap_err();
        assert!(matches!(error, DebError::Read { .. }), "cut at {cut}: {error:?}");
    }
    let error = unpack(&*deb, &LIMITS, &mut Full).unwrap_err();
    assert!(matches!(error, DebError::Sink { .. }), "{error:?}");
}

#[test]
fn limits_follow_the_index() {
    const MIB: u64 = 1 << 20;
    assert_eq!(Limits::for_package(Some(1024), 5).unpacked, 66 * MIB);
    assert_eq!(Limits::for_package(None, MIB).unpacked, 128 * MIB);
    assert_eq!(Limits::for_package(Some(u64::MAX), u64::MAX).unpacked, u64::MAX);
}

static XZ: LazyLock<Vec<u8>> = LazyLock::new(|| deb(data()));
static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar", &control()),
        ("data.tar", &pax("path=x").end()),
    ])
});

proptest! {
    #[test]
    fn no_change_to_a_package_panics(
        plain: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end: prop::sample::Index,
    ) {
        let mut deb = if plain { PLAIN.clone() } else { XZ.clone() };
        for (at, byte) in changes {
            let at = at.index(deb.len());
            deb[at] = byte;
        }
        if end.index(4) == 0 {
            deb.truncate(end.index(deb.len()));
        }
        let _ = read(&deb);
    }
}
