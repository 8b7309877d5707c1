//! `/etc/ld.so.cache`, as ldconfig(8) of glibc 2.32 and later writes it.
//!
//! A header, an entry for each name in each folder, a table of strings, and an extension with the
//! name of the program that wrote it. Entries are in descending order of names, numbers in them by
//! value; those that tie stay as the folders come. Strings are in descending order of their
//! reversals, so that one that ends another shares its bytes. Numbers are in the byte order of the
//! architecture. `glibc-hwcaps` folders, of which no package of Debian has any, are not looked at.

use dmc_types::{Arch, Endian, ImagePath, PathGlob};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Where it goes.
pub const LOADER_CACHE: &str = "/etc/ld.so.cache";
/// The program that would write it.
pub const LDCONFIG: &str = "/usr/sbin/ldconfig";

const CONF: &str = "/etc/ld.so.conf";
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const EXTENSION: u32 = 0xeaa4_2174;
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// Most entries, folders and bytes of configuration that are taken.
const MOST: usize = 100_000;
const FOLDERS: usize = 1_000;
/// Deepest `include` in configuration.
const DEEPEST: usize = 4;

/// `FLAG_ELF_LIBC6` with the bits by which each architecture tells its libraries apart.
const fn flags(arch: Arch) -> u32 {
    0x0003
        | match arch {
            Arch::I386 => 0,
            Arch::Amd64 => 0x0300,
            Arch::S390x => 0x0400,
            Arch::Ppc64el => 0x0500,
            Arch::Mips64el => 0x0700,
            Arch::Armhf => 0x0900,
            Arch::Arm64 => 0x0a00,
            Arch::Armel => 0x0b00,
            Arch::Riscv64 => 0x1000,
        }
}

/// What the program ldconfig writes of itself into the cache, as it stands in its bytes:
/// `ldconfig (Debian GLIBC 2.41-12) stable release version 2.41`.
pub fn generator(program: &[u8]) -> Option<String> {
    let at = program.windows(10).position(|part| part == b"ldconfig (")?;
    let text = program[at..].split(|byte| *byte == 0).next()?;
    std::str::from_utf8(text).ok().filter(|text| text.len() < 200).map(str::to_owned)
}

/// The folders that ldconfig looks into, in order: as configuration spells them, and where they
/// are. `read` gives a file's text, `list` the files that a pattern matches, sorted.
pub fn library_folders(
    arch: Arch,
    read: &dyn Fn(&ImagePath) -> Option<Vec<u8>>,
    list: &dyn Fn(&PathGlob) -> Vec<ImagePath>,
) -> Vec<(ImagePath, ImagePath)> {
    let mut given = Vec::new();
    if let Ok(conf) = ImagePath::parse(CONF) {
        configured(&conf, read, list, 0, &mut given);
    }
    let triplet = arch.triplet();
    let built_in = [format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")];
    given.extend(built_in.into_iter().chain(["/lib".to_owned(), "/usr/lib".to_owned()]));
    let mut folders: Vec<(ImagePath, ImagePath)> = Vec::new();
    for path in given.iter().filter_map(|text| ImagePath::parse(text).ok()) {
        let place = path.merged_usr();
        if !folders.iter().any(|(_, there)| *there == place) {
            folders.push((path, place));
        }
    }
    folders
}

fn configured(
    file: &ImagePath,
    read: &dyn Fn(&ImagePath) -> Option<Vec<u8>>,
    list: &dyn Fn(&PathGlob) -> Vec<ImagePath>,
    depth: usize,
    into: &mut Vec<String>,
) {
    let Some(text) = read(file).filter(|_| depth < DEEPEST) else { return };
    for line in String::from_utf8_lossy(&text).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if into.len() >= FOLDERS {
            return;
        }
        if let Some(patterns) =
            line.strip_prefix("include").filter(|it| it.starts_with([' ', '\t']))
        {
            for pattern in patterns.split_whitespace() {
                let folder = file.parent().unwrap_or_else(ImagePath::root);
                let whole = if pattern.starts_with('/') {
                    pattern.to_owned()
                } else {
                    format!("{folder}/{pattern}")
                };
                let found = PathGlob::parse(&whole).map(|glob| list(&glob)).unwrap_or_default();
                for file in found {
                    configured(&file, read, list, depth + 1, into);
                }
            }
        } else if line.starts_with('/') {
            let folder = line.split('=').next().unwrap_or_default().trim_end();
            into.push(folder.to_owned());
        }
    }
}

/// A library in one of the folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its name in the folder.
    pub name: String,
    /// `DT_SONAME` of the file, or of the file that a link leads to.
    pub soname: Option<String>,
    /// Whether it is a link.
    pub link: bool,
}

/// Whether ldconfig looks at a file of this name.
pub fn is_library_name(name: &str) -> bool {
    (name.starts_with("lib") || name.starts_with("ld-")) && name.contains(".so")
}

/// The names under which a folder's libraries are found.
pub fn library_names(libraries: &[Library]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for Library { name, soname, link } in libraries {
        let soname = soname.as_ref().unwrap_or(name);
        // A link for the linker (`libz.so`) is found by its own name.
        let development =
            *link && name.as_bytes().ends_with(b".so") && soname.starts_with(name.as_str());
        names.insert(if development { name.clone() } else { soname.clone() });
    }
    names
}

/// The cache for names and paths, in the order of the folders.
pub fn loader_cache(arch: Arch, entries: &[(String, String)], generator: &str) -> Vec<u8> {
    let mut entries: Vec<&(String, String)> = entries.iter().take(MOST).collect();
    entries.sort_by(|(one, _), (other, _)| compare(other.as_bytes(), one.as_bytes()));
    let start = HEADER + ENTRY * entries.len();
    let (strings, places) = table(entries.iter().flat_map(|(name, path)| [name, path]));
    let number = |value: usize| {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        match arch.elf().endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        }
    };
    let place = |text: &String| number(start + places.get(text.as_str()).copied().unwrap_or(0));
    let end = start + strings.len();
    let extension = end.next_multiple_of(4);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(number(entries.len()));
    bytes.extend(number(strings.len()));
    bytes.extend([if arch.elf().endian == Endian::Little { 2 } else { 3 }, 0, 0, 0]);
    bytes.extend(number(extension));
    bytes.resize(HEADER, 0);
    for (name, path) in entries {
        bytes.extend(number(flags(arch) as usize));
        bytes.extend(place(name));
        bytes.extend(place(path));
        bytes.extend([0; 12]);
    }
    bytes.extend(strings);
    bytes.resize(extension, 0);
    // One section: tag 0, no flags, where it is and how long.
    let text = generator.as_bytes();
    for value in [EXTENSION as usize, 1, 0, 0, extension + 24, text.len()] {
        bytes.extend(number(value));
    }
    bytes.extend_from_slice(text);
    bytes
}

/// `_dl_cache_libcmp`: by bytes, but numbers by their value; a number is more than any sign.
fn compare(mut one: &[u8], mut other: &[u8]) -> Ordering {
    loop {
        match (one.first(), other.first()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) if !other[0].is_ascii_digit() => return Ordering::Less,
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (left, rest) = leading(one);
                let (right, others) = leading(other);
                if left != right {
                    return left.cmp(&right);
                }
                (one, other) = (rest, others);
            }
            (Some(a), _) if a.is_ascii_digit() => return Ordering::Greater,
            (_, Some(b)) if b.is_ascii_digit() => return Ordering::Less,
            (Some(a), Some(b)) if a == b => (one, other) = (&one[1..], &other[1..]),
            (a, b) => return a.cmp(&b),
        }
    }
}

fn leading(text: &[u8]) -> (u64, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..digits].iter().fold(0_u64, |value, digit| {
        value.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    (value, &text[digits..])
}

/// A table of strings, each with a NUL, and where in it each begins.
fn table<'a>(strings: impl Iterator<Item = &'a String>) -> (Vec<u8>, BTreeMap<&'a str, usize>) {
    let unique: BTreeSet<&str> = strings.map(String::as_str).collect();
    let mut sorted: Vec<&str> = unique.into_iter().collect();
    // A longer one comes before what it ends in.
    sorted.sort_by(|one, other| other.bytes().rev().cmp(one.bytes().rev()));
    let mut bytes = Vec::new();
    let mut places = BTreeMap::new();
    let mut last = "";
    for text in sorted {
        if last.ends_with(text) && !last.is_empty() {
            places.insert(text, bytes.len() - 1 - text.len());
        } else {
            places.insert(text, bytes.len());
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
            last = text;
        }
    }
    (bytes, places)
}

#[cfg(test)]
mod tests;
