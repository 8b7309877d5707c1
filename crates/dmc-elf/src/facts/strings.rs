//! Strings of read-only data that name files: absolute paths and sonames.
//!
//! A program that opens a file by a built-in name holds that name as a string which ends in NUL,
//! in a section that is loaded but neither written to nor run (`.rodata`); without section headers,
//! in a segment of that kind. Strings put together at run time are not found, nor those of
//! languages that do not end theirs in NUL: this shows what is likely, it proves nothing.

use super::image::Image;
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_LOAD};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_PROGBITS, SectionHeader,
};
use std::collections::BTreeSet;

/// Top-level folders in which packages ship files; what lies in `/proc`, `/dev` or `/tmp` does not
/// come from a package.
const PACKAGED: [&str; 12] = [
    "/bin/", "/etc/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/opt/", "/sbin/", "/srv/",
    "/usr/", "/var/", "/boot/",
];
/// Longer ones are no file's.
const LONGEST: usize = 255;
/// Of each kind; libnode, which holds a thousand scripts, has some hundred.
const MOST: usize = 4096;

/// Sonames and paths, each sorted and once.
pub(super) fn read(image: &Image) -> (Vec<String>, Vec<String>) {
    let (mut sonames, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for bytes in read_only(image) {
        scan(bytes, &mut sonames, &mut paths);
    }
    (sonames.into_iter().collect(), paths.into_iter().collect())
}

/// The bytes that are loaded, not written and not run: all together no more than the file has, as
/// headers of a hostile file may name one range thousands of times.
fn read_only<'a>(image: &Image<'a>) -> Vec<&'a [u8]> {
    let sections = usize::try_from(image.header.e_shoff)
        .ok()
        .filter(|offset| *offset > 0)
        .and_then(|offset| {
            let count = image.header.e_shnum.into();
            SectionHeader::parse(image.bytes, offset, count, image.ctx).ok()
        })
        .unwrap_or_default();
    let constant = |section: &&SectionHeader| {
        let flags = section.sh_flags & u64::from(SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR);
        section.sh_type == SHT_PROGBITS && flags == u64::from(SHF_ALLOC)
    };
    let slice = |offset, size| image.slice("read-only data", offset, size).ok();
    let found: Vec<&[u8]> = sections
        .iter()
        .filter(constant)
        .filter_map(|section| slice(section.sh_offset, section.sh_size))
        .collect();
    if !sections.is_empty() {
        return bounded(found, image.bytes.len());
    }
    let constant = |flags: u32| flags & (PF_R | PF_W | PF_X) == PF_R;
    let segments = image.segments.iter();
    let found = segments
        .filter(|segment| segment.p_type == PT_LOAD && constant(segment.p_flags))
        .filter_map(|segment| slice(segment.p_offset, segment.p_filesz));
    bounded(found.collect(), image.bytes.len())
}

fn bounded(ranges: Vec<&[u8]>, mut left: usize) -> Vec<&[u8]> {
    let fits = |range: &&[u8]| left.checked_sub(range.len()).inspect(|rest| left = *rest).is_some();
    ranges.into_iter().take_while(fits).collect()
}

fn scan(bytes: &[u8], sonames: &mut BTreeSet<String>, paths: &mut BTreeSet<String>) {
    for string in bytes.split(|b| *b == 0) {
        if !(5..=LONGEST).contains(&string.len()) || !matches!(string[0], b'/' | b'l') {
            continue;
        }
        let Ok(text) = std::str::from_utf8(string) else { continue };
        if is_path(text) && paths.len() < MOST {
            paths.insert(text.to_owned());
        } else if is_soname(text) && sonames.len() < MOST {
            sonames.insert(text.to_owned());
        }
    }
}

fn is_path(text: &str) -> bool {
    PACKAGED.iter().any(|folder| text.starts_with(folder))
        && text.bytes().all(|b| b.is_ascii_graphic() && !b"%*?$\"'`<>|;,=\\".contains(&b))
        && text.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."))
}

fn is_soname(text: &str) -> bool {
    let Some((stem, version)) = text.split_once(".so") else { return false };
    stem.len() > 3
        && stem.starts_with("lib")
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-.".contains(&b))
        && (version.is_empty() || version.starts_with('.'))
        && version.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && !version.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmc_testkit::ElfBuilder;
    use dmc_types::Arch;

    #[test]
    fn paths_and_sonames_are_told_from_other_strings() {
        let data = b"/usr/share/x/data\0no\0/etc/x.conf\0/proc/self/exe\0/usr/bin/%s\0/usr/lib/\0\
            /usr//x\0/usr/../x\0/usr/bin/a b\0libx.so.1\0libssl.so\0lib.so\0libx.so.\0libx.so.1a\0\
            %slib.so.1\0libevent-2.1.so.7\0/lib/x/libz.so.1\0/\0/usr\0/etc/caf\xc3\xa9\0/usr/end";
        for arch in Arch::ALL {
            let built = ElfBuilder::library(arch, "libq.so.1").needs("libx.so.1").rodata(data);
            for built in [built.clone(), built.without_sections()] {
                let facts = super::super::read(&built.build()).unwrap();
                assert_eq!(
                    facts.paths,
                    ["/etc/x.conf", "/lib/x/libz.so.1", "/usr/end", "/usr/share/x/data"],
                    "{arch} {built:?}"
                );
                assert_eq!(facts.sonames, ["libevent-2.1.so.7", "libssl.so"], "{arch}");
            }
        }
    }

    #[test]
    fn one_range_named_many_times_is_read_no_more_often_than_the_file_is_long() {
        let file = [0; 100];
        let ranges = |each: usize, count| bounded(vec![&file[..each]; count], file.len()).len();
        assert_eq!((ranges(100, 9), ranges(40, 9), ranges(10, 9)), (1, 2, 9));
    }

    #[test]
    fn no_more_than_some_thousands_are_taken_in() {
        let some = |n| format!("/usr/share/{n}\0liba{n}.so.1");
        let many = (0..10_000).map(some).collect::<Vec<_>>().join("\0");
        let facts =
            super::super::read(&ElfBuilder::plugin(Arch::Amd64).rodata(many.as_bytes()).build());
        let facts = facts.unwrap();
        assert_eq!((facts.paths.len(), facts.sonames.len()), (MOST, MOST));
    }
}
