//! From the text of an index to the file that is searched.

use super::format::{self, Header, RowText};
use dmc_deb::deb822;
use dmc_types::PackageName;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;
/// Longest stanza that is taken in; Debian's longest has some 30 kB.
const LONGEST_STANZA: usize = 4 << 20;

/// Why text cannot be compiled.
#[derive(Debug)]
pub(super) enum CompileError {
    Read(io::Error),
    Write(io::Error),
    TooLarge(&'static str),
}

/// What was compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compiled {
    /// Bytes of text that were read.
    pub(super) text: u64,
    /// Stanzas that became records.
    pub(super) records: usize,
    /// Stanzas without a name, a version, a path below the archive, a size or a strong digest.
    pub(super) passed_over: usize,
}

/// Reads stanzas to the end of `text`, a chunk at a time, and writes the compiled file.
pub(super) fn compile(
    mut text: impl Read,
    out: &mut (impl Write + Seek),
) -> Result<Compiled, CompileError> {
    let mut compiler = Compiler::new(out)?;
    let mut buffer = vec![0; CHUNK];
    let (mut filled, mut total) = (0, 0_u64);
    loop {
        if filled == buffer.len() {
            if filled >= LONGEST_STANZA {
                return Err(CompileError::TooLarge("an entry has more than 4 MiB"));
            }
            buffer.resize(filled * 2, 0);
        }
        let read = text.read(&mut buffer[filled..]).map_err(CompileError::Read)?;
        total += read as u64;
        filled += read;
        let done = if read == 0 { filled } else { deb822::complete(&buffer[..filled]) };
        for stanza in deb822::stanzas(&buffer[..done]) {
            compiler.stanza(stanza)?;
        }
        buffer.copy_within(done..filled, 0);
        filled -= done;
        if read == 0 {
            return compiler.finish(total);
        }
    }
}

/// A name in the arena, and what belongs to it.
struct Named<T> {
    start: usize,
    end: usize,
    value: T,
}

/// Heap offset, length and checksum of a record.
type Record = Named<[u32; 3]>;
/// The number of the record that provides the name, in the index's order.
type Provision = Named<u32>;

struct Compiler<'w, W: Write + Seek> {
    out: io::BufWriter<&'w mut W>,
    heap: u64,
    arena: Vec<u8>,
    records: Vec<Record>,
    provisions: Vec<Provision>,
    row: Vec<u8>,
    passed_over: usize,
}

impl<'w, W: Write + Seek> Compiler<'w, W> {
    fn new(out: &'w mut W) -> Result<Self, CompileError> {
        let mut out = io::BufWriter::with_capacity(CHUNK, out);
        out.write_all(&[0; format::HEADER]).map_err(CompileError::Write)?;
        Ok(Self {
            out,
            heap: 0,
            arena: Vec::new(),
            records: Vec::new(),
            provisions: Vec::new(),
            row: Vec::new(),
            passed_over: 0,
        })
    }

    fn stanza(&mut self, stanza: &[u8]) -> Result<(), CompileError> {
        let Some((name, row)) = row(stanza) else {
            self.passed_over += 1;
            return Ok(());
        };
        let mut bytes = std::mem::take(&mut self.row);
        bytes.clear();
        let bytes = postcard::to_extend(&row, bytes)
            .map_err(|_unreachable| CompileError::TooLarge("an entry cannot be written"))?;
        let value = [self.put(&bytes)?, small(bytes.len())?, format::crc(&[&bytes])];
        self.row = bytes;
        let number = small(self.records.len())?;
        let record = self.named(name, value);
        self.records.push(record);
        for name in provided(row.provides) {
            let provision = self.named(name, number);
            self.provisions.push(provision);
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<u32, CompileError> {
        let offset = u32::try_from(self.heap)
            .map_err(|_large| CompileError::TooLarge("all entries have more than 4 GiB"))?;
        self.out.write_all(bytes).map_err(CompileError::Write)?;
        self.heap += bytes.len() as u64;
        Ok(offset)
    }

    fn named<T>(&mut self, name: &str, value: T) -> Named<T> {
        let start = self.arena.len();
        self.arena.extend_from_slice(name.as_bytes());
        Named { start, end: self.arena.len(), value }
    }

    fn finish(mut self, text: u64) -> Result<Compiled, CompileError> {
        let (tables, names) = self.tables()?;
        let header = Header {
            tables_crc: format::crc(&[&tables, &names]),
            heap: self.heap,
            names: names.len() as u64,
            records: self.records.len() as u64,
            provisions: self.provisions.len() as u64,
        };
        let out = &mut self.out;
        out.write_all(&tables)
            .and_then(|()| out.write_all(&names))
            .and_then(|()| out.seek(SeekFrom::Start(0)))
            .and_then(|_start| out.write_all(&header.to_bytes()))
            .and_then(|()| out.flush())
            .map_err(CompileError::Write)?;
        Ok(Compiled { text, records: self.records.len(), passed_over: self.passed_over })
    }

    /// Both tables, sorted, and the names in their order.
    fn tables(&mut self) -> Result<(Vec<u8>, Vec<u8>), CompileError> {
        let arena = &self.arena;
        // Stable: equal names keep the index's order.
        let mut order: Vec<u32> = (0..small(self.records.len())?).collect();
        let name = |&at: &u32| {
            let record = &self.records[at as usize];
            &arena[record.start..record.end]
        };
        order.sort_by_key(name);
        let mut place = vec![0_u32; order.len()];
        for (new, &old) in (0_u32..).zip(&order) {
            place[old as usize] = new;
        }
        self.provisions.sort_by_key(|provision| &arena[provision.start..provision.end]);
        let mut tables = Vec::new();
        let mut names = Vec::with_capacity(arena.len());
        for &at in &order {
            let Record { start, end, value: [offset, length, crc] } = self.records[at as usize];
            names.extend_from_slice(&arena[start..end]);
            words(&mut tables, &[small(names.len())?, offset, length, crc]);
        }
        for &Provision { start, end, value } in &self.provisions {
            names.extend_from_slice(&arena[start..end]);
            words(&mut tables, &[small(names.len())?, place[value as usize]]);
        }
        Ok((tables, names))
    }
}

fn words(table: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        table.extend_from_slice(&word.to_le_bytes());
    }
}

fn small(number: usize) -> Result<u32, CompileError> {
    u32::try_from(number).map_err(|_large| CompileError::TooLarge("it has too many entries"))
}

/// The name and what else is needed of a stanza; none where it cannot be used.
fn row(stanza: &[u8]) -> Option<(&str, RowText<'_>)> {
    let mut name = "";
    let mut row = RowText {
        version: "",
        source: "",
        source_version: "",
        arch: "",
        pre_depends: "",
        depends: "",
        provides: "",
        conflicts: "",
        breaks: "",
        multi_arch: "",
        priority: "",
        essential: false,
        filename: "",
        size: 0,
        installed_size: None,
        sha256: None,
        sha512: &[],
    };
    let mut sized = false;
    for field in deb822::fields(stanza) {
        match field.name {
            b"Package" => name = field.text()?,
            b"Version" => row.version = field.text()?,
            b"Source" => (row.source, row.source_version) = source(field.text()?),
            b"Architecture" => row.arch = field.text()?,
            b"Pre-Depends" => row.pre_depends = field.text()?,
            b"Depends" => row.depends = field.text()?,
            b"Provides" => row.provides = field.text()?,
            b"Conflicts" => row.conflicts = field.text()?,
            b"Breaks" => row.breaks = field.text()?,
            b"Multi-Arch" => row.multi_arch = field.text()?,
            b"Priority" => row.priority = field.text()?,
            b"Essential" => row.essential = field.value == b"yes",
            b"Filename" => row.filename = field.text()?,
            b"Size" => (row.size, sized) = (field.text()?.parse().ok()?, true),
            b"Installed-Size" => row.installed_size = field.text()?.parse().ok(),
            b"SHA256" => {
                let digest: dmc_types::Sha256 = field.text()?.parse().ok()?;
                row.sha256 = Some(*digest.as_bytes());
            }
            b"SHA512" => row.sha512 = field.value,
            _ => {}
        }
    }
    // One is enough, and the store's names are SHA-256.
    if row.sha256.is_some() {
        row.sha512 = &[];
    }
    let strong = row.sha256.is_some() || is_sha512(row.sha512);
    let named = name.parse::<PackageName>().is_ok() && !row.version.is_empty();
    (sized && strong && named && stays_below(row.filename)).then_some((name, row))
}

fn is_sha512(digits: &[u8]) -> bool {
    std::str::from_utf8(digits).is_ok_and(|text| text.parse::<dmc_types::Sha512>().is_ok())
}

/// `libc6` and `2.41-12` of `libc6 (2.41-12)`.
fn source(text: &str) -> (&str, &str) {
    match text.split_once('(') {
        Some((name, version)) => (name.trim_end(), version.trim_end_matches(')').trim()),
        None => (text, ""),
    }
}

/// The names in a `Provides` field, without versions and architectures.
fn provided(field: &str) -> impl Iterator<Item = &str> {
    field
        .split(',')
        .map(|item| item.trim().split([' ', '\t', '\n', '(', ':']).next().unwrap_or_default())
        .filter(|name| !name.is_empty())
}

fn stays_below(path: &str) -> bool {
    let mut parts = path.as_bytes().split(|byte| *byte == b'/');
    !path.is_empty() && parts.all(|part| !matches!(part, b"" | b"." | b".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_that_cannot_be_used_are_passed_over() {
        let digest = "a".repeat(64);
        let whole = |name: &str, file: &str, sum: &str| {
            format!("Package: {name}\nVersion: 1\nFilename: {file}\nSize: 1\n{sum}\n\n")
        };
        let good = format!("SHA256: {digest}");
        for (why, text, records) in [
            ("a good one", whole("hello", "pool/h.deb", &good), 1),
            ("two good ones", whole("hello", "pool/h.deb", &good).repeat(2), 2),
            ("no digest", whole("hello", "pool/h.deb", "MD5sum: x"), 0),
            ("a digest too short", whole("hello", "pool/h.deb", "SHA256: aa"), 0),
            ("a climbing path", whole("hello", "../h.deb", &good), 0),
            ("an absolute path", whole("hello", "/h.deb", &good), 0),
            ("a bad name", whole("Hello", "h.deb", &good), 0),
            ("no size", format!("Package: hello\nVersion: 1\nFilename: h\n{good}\n"), 0),
            ("nothing", String::new(), 0),
            ("noise", "\u{0}\u{1}::\n\n \n\n".to_owned(), 0),
        ] {
            let mut out = io::Cursor::new(Vec::new());
            let done = compile(text.as_bytes(), &mut out).unwrap();
            assert_eq!(done.records, records, "{why}");
            assert_eq!(done.text, text.len() as u64, "{why}");
        }
    }

    #[test]
    fn an_endless_stanza_is_refused() {
        let text = io::repeat(b'x').take(LONGEST_STANZA as u64 * 2);
        let refused = compile(text, &mut io::Cursor::new(Vec::new())).unwrap_err();
        assert!(matches!(refused, CompileError::TooLarge(_)));
    }

    #[test]
    fn provided_names_lose_their_versions() {
        let field = "libc6-2.41, mail-transport-agent (= 1.0) ,python3:any,\n x";
        let names: Vec<&str> = provided(field).collect();
        assert_eq!(names, ["libc6-2.41", "mail-transport-agent", "python3", "x"]);
    }

    #[test]
    fn sources_are_split_from_their_versions() {
        assert_eq!(source("gcc-14"), ("gcc-14", ""));
        assert_eq!(source("glibc (2.41-12)"), ("glibc", "2.41-12"));
    }
}
