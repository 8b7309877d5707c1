//! Members of a tar archive, in POSIX `ustar` form.
//!
//! Owners are numbers alone: user and group names stay empty, as engines read numbers and a name
//! would only depend on some machine's `/etc/passwd`. Device numbers and the padding are zero. What
//! does not fit a ustar header goes into a pax extended header before it, and nothing else does,
//! so that one member has one form (POSIX.1-2017, pax, "ustar Interchange Format" and "pax
//! Extended Header"). Names that are not UTF-8 are written as they are; in an extended header
//! `hdrcharset=BINARY` says so.

use dmc_types::UnixTime;

/// Unit of a tar: headers are one block, contents are padded to whole blocks.
pub(crate) const BLOCK: usize = 512;

/// Two blocks of zeros end an archive.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

const NAME: usize = 100;
const PREFIX: usize = 155;

/// What kind of member follows: the header's typeflag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File = b'0' as isize,
    Hardlink = b'1' as isize,
    Symlink = b'2' as isize,
    Directory = b'5' as isize,
    Extended = b'x' as isize,
}

/// A member's header, before it becomes bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    /// Name relative to the root, without the final slash of a folder.
    pub(crate) name: &'a [u8],
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Length of the contents; 0 for all but files.
    pub(crate) size: u64,
    pub(crate) time: UnixTime,
    pub(crate) kind: Kind,
    /// Target of a link; empty for other kinds.
    pub(crate) link: &'a [u8],
}

impl Header<'_> {
    /// Appends the header, with an extended header before it where one is needed.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        let name = self.member_name();
        let records = self.records(&name);
        if !records.is_empty() {
            let extended = Header {
                name: b"././@PaxHeader",
                mode: 0o644,
                uid: 0,
                gid: 0,
                size: records.len() as u64,
                time: 0,
                kind: Kind::Extended,
                link: b"",
            };
            extended.append_block(b"././@PaxHeader", out);
            out.extend_from_slice(&records);
            pad(out, records.len() as u64);
        }
        self.append_block(&name, out);
    }

    /// The name as the archive has it: the root is `.`, a folder ends in a slash.
    pub(crate) fn member_name(&self) -> Vec<u8> {
        let mut name = if self.name.is_empty() { b".".to_vec() } else { self.name.to_vec() };
        if self.kind == Kind::Directory {
            name.push(b'/');
        }
        name
    }

    /// The records of an extended header, sorted by keyword; none where ustar suffices.
    fn records(&self, name: &[u8]) -> Vec<u8> {
        let mut records: Vec<(&str, Vec<u8>)> = Vec::new();
        let mut number = |key, wanted: i128, largest: u64| {
            if !(0..=i128::from(largest)).contains(&wanted) {
                records.push((key, wanted.to_string().into_bytes()));
            }
        };
        number("gid", self.gid.into(), largest(8));
        number("mtime", self.time.into(), largest(12));
        number("size", self.size.into(), largest(12));
        number("uid", self.uid.into(), largest(8));
        if self.link.len() > NAME {
            records.push(("linkpath", self.link.to_vec()));
        }
        if split(name).is_none() {
            records.push(("path", name.to_vec()));
        }
        if records.iter().any(|(_, value)| std::str::from_utf8(value).is_err()) {
            records.push(("hdrcharset", b"BINARY".to_vec()));
        }
        records.sort();
        records.iter().flat_map(|(key, value)| record(key, value)).collect()
    }

    fn append_block(&self, name: &[u8], out: &mut Vec<u8>) {
        let (prefix, name) = split(name).unwrap_or((b"", &name[..NAME.min(name.len())]));
        let mut block = [0; BLOCK];
        put(&mut block, 0, name);
        octal(&mut block[100..108], self.mode.into());
        octal(&mut block[108..116], self.uid.into());
        octal(&mut block[116..124], self.gid.into());
        octal(&mut block[124..136], self.size);
        octal(&mut block[136..148], u64::try_from(self.time).unwrap_or(0));
        block[156] = self.kind as u8;
        put(&mut block, 157, &self.link[..NAME.min(self.link.len())]);
        put(&mut block, 257, b"ustar\x0000");
        octal(&mut block[329..337], 0);
        octal(&mut block[337..345], 0);
        put(&mut block, 345, prefix);
        checksum(&mut block);
        out.extend_from_slice(&block);
    }
}

/// Appends the zeros that make contents of `size` bytes whole blocks.
pub(crate) fn pad(out: &mut Vec<u8>, size: u64) {
    out.resize(out.len() + padding(size), 0);
}

/// How many zeros follow contents of `size` bytes.
pub(crate) fn padding(size: u64) -> usize {
    let [low, high, ..] = size.to_le_bytes();
    let over = usize::from(u16::from_le_bytes([low, high])) % BLOCK;
    (BLOCK - over) % BLOCK
}

/// Largest number that a field of `width` bytes holds: octal digits and a final NUL.
const fn largest(width: u32) -> u64 {
    8_u64.pow(width - 1) - 1
}

/// Prefix and name of a ustar header, cut at the first slash that leaves a short enough name;
/// none where there is no such slash.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME {
        return Some((b"", name));
    }
    // The final slash of a folder is no place to cut: the name would be empty.
    let last = name.len() - 1;
    let first = last.checked_sub(NAME)?;
    let cut = (first..last).find(|at| name[*at] == b'/')?;
    (1..=PREFIX).contains(&cut).then(|| (&name[..cut], &name[cut + 1..]))
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Writes zero-padded octal digits and leaves the last byte NUL; 0 for what does not fit, whose
/// true value stands in the extended header.
fn octal(field: &mut [u8], number: u64) {
    let fits = number <= largest(u32::try_from(field.len()).unwrap_or(1));
    let mut rest = if fits { number } else { 0 };
    for digit in field.iter_mut().rev().skip(1) {
        *digit = b'0' + (rest % 8) as u8;
        rest /= 8;
    }
}

/// Sum of all bytes with the field itself as blanks, as six digits, NUL and a blank.
fn checksum(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    octal(&mut block[148..155], sum);
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Header<'_> = Header {
        name: b"etc/motd",
        mode: 0o644,
        uid: 0,
        gid: 0,
        size: 0,
        time: 1,
        kind: Kind::File,
        link: b"",
    };

    fn bytes(header: &Header<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        header.append_to(&mut out);
        out
    }

    /// The records of the extended header; none where there is no such header.
    fn records(header: &Header<'_>) -> Option<String> {
        let out = bytes(header);
        assert_eq!(out.len() % BLOCK, 0);
        let records = out.get(BLOCK..out.len() - BLOCK)?;
        Some(String::from_utf8_lossy(records).trim_end_matches('\0').to_owned())
    }

    #[test]
    fn extended_headers_are_written_only_where_ustar_has_no_room() {
        let [a100, a101, a155] = [100, 101, 155].map(|length| "a".repeat(length));
        let split = format!("{a155}/{a100}");
        let fits = |name| Header { name, ..FILE };
        for (summary, header, wanted) in [
            ("a short name", FILE, None),
            ("100 bytes", fits(a100.as_bytes()), None),
            ("155 and 100 bytes", fits(split.as_bytes()), None),
            ("the largest size", Header { size: (8 << 30) - 1, ..FILE }, None),
            ("the largest owner", Header { uid: (2 << 20) - 1, ..FILE }, None),
            ("no time", Header { time: 0, ..FILE }, None),
            ("a name without slash", fits(a101.as_bytes()), Some(format!("111 path={a101}\n"))),
            ("8 GiB", Header { size: 8 << 30, ..FILE }, Some("19 size=8589934592\n".into())),
            ("a large owner", Header { uid: 2 << 20, ..FILE }, Some("15 uid=2097152\n".into())),
            ("before 1970", Header { time: -1, ..FILE }, Some("12 mtime=-1\n".into())),
            (
                "a long link and a large group, sorted",
                Header { link: a101.as_bytes(), gid: u32::MAX, kind: Kind::Symlink, ..FILE },
                Some(format!("18 gid=4294967295\n115 linkpath={a101}\n")),
            ),
            (
                "bytes that are not text",
                Header { link: &[0xff; 101], kind: Kind::Symlink, ..FILE },
                Some(format!("21 hdrcharset=BINARY\n115 linkpath={}\n", "\u{fffd}".repeat(101))),
            ),
        ] {
            assert_eq!(records(&header), wanted, "{summary}");
        }
    }

    #[test]
    fn a_folder_of_a_hundred_bytes_has_no_room_for_its_slash() {
        let name = "a".repeat(100);
        let folder = Header { name: name.as_bytes(), kind: Kind::Directory, ..FILE };
        assert_eq!(records(&folder), Some(format!("111 path={name}/\n")));
        let name = format!("a/{name}");
        let folder = Header { name: name.as_bytes(), kind: Kind::Directory, ..FILE };
        assert_eq!(records(&folder), Some(format!("113 path={name}/\n")));
    }

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in 0..1200 {
            let record = record("path", &vec![b'x'; length]);
            let text = String::from_utf8(record).unwrap();
            let (digits, _) = text.split_once(' ').unwrap();
            assert_eq!(digits.parse::<usize>().unwrap(), text.len());
        }
    }

    #[test]
    fn a_header_has_the_fields_of_ustar_and_nothing_of_this_machine() {
        let header = Header { mode: 0o755, uid: 33, gid: 34, size: 513, ..FILE };
        let block = bytes(&header);
        for (at, field) in [
            (0, &b"etc/motd\0"[..]),
            (100, b"0000755\x000000041\x000000042\0"),
            (124, b"00000001001\x0000000000001\0"),
            (156, b"0\0"),
            (257, b"ustar\x0000\0"),
            (329, b"0000000\x000000000\0"),
        ] {
            assert_eq!(&block[at..at + field.len()], field, "at {at}");
        }
        let root = bytes(&Header { name: b"", kind: Kind::Directory, ..FILE });
        assert_eq!(&root[..3], b"./\0");
    }
}
