//! What one file is to the closure: bytes in, `dmc_types` values out.
//!
//! [`nature`] looks at the first bytes and tells programs, libraries and scripts from other files;
//! [`read`] takes from an ELF file what the dynamic loader and the closure ask for: machine,
//! `PT_INTERP`, the dynamic section's names, dynamic symbols with their versions, `.note.dlopen`,
//! and strings of read-only data that look like a path or a soname. Files without section headers
//! are fine.
//!
//! The bytes may be hostile: every offset is checked against the file, every count and length has
//! a bound, and nothing here panics. Formats: elf(5), execve(2), and "ELF dlopen Metadata" of the
//! UAPI Group.

mod dlopen;
mod elf;
mod error;
mod image;
mod strings;
mod symbols;
mod versions;
mod words;

pub use elf::read;
pub use error::ElfError;

use dmc_types::{Nature, Shebang};

/// What kind of file these whole contents are.
///
/// Relocatable objects, kernel modules and core dumps are [`Nature::Data`]; they are ELF, but no
/// loader ever sees them. A static program is [`Nature::Elf`] with nothing needed.
pub fn nature(bytes: &[u8]) -> Nature {
    match read(bytes) {
        Ok(facts) => Nature::Elf(Box::new(facts)),
        Err(ElfError::NotElf) => shebang(bytes).map_or(Nature::Data, Nature::Script),
        Err(ElfError::NotLoaded { .. }) => Nature::Data,
        Err(broken) => Nature::BrokenElf(broken.to_string()),
    }
}

/// How much of a script the kernel looks at (`BINPRM_BUF_SIZE`).
const KERNEL_READS: usize = 256;

/// Reads a script's first line as the kernel does (`fs/binfmt_script.c`): it ends at a newline or
/// after 255 bytes, spaces and tabs stand around the interpreter, and the rest is one argument.
/// None where the kernel would refuse, as when the interpreter's name itself is cut off.
fn shebang(bytes: &[u8]) -> Option<Shebang> {
    let seen = &bytes[..bytes.len().min(KERNEL_READS)];
    let after = seen.strip_prefix(b"#!")?;
    let line = match after.iter().position(|b| *b == b'\n') {
        Some(end) => &after[..end],
        None if bytes.len() < KERNEL_READS => after,
        None => {
            let blank = after.iter().position(|b| !is_blank(*b))?;
            after[blank..].iter().find(|b| is_blank(**b) || **b == 0)?;
            &after[..after.len() - 1]
        }
    };
    let line = trim(line);
    let cut = line.iter().position(|b| is_blank(*b) || *b == 0).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(cut);
    if interpreter.is_empty() {
        return None;
    }
    // What follows a NUL is invisible to the kernel.
    let rest = rest.split(|b| *b == 0).next().unwrap_or_default();
    let argument = Some(trim(rest)).filter(|argument| !argument.is_empty()).map(<[u8]>::to_vec);
    let words = if is_execline(interpreter) { words::of_execline(bytes) } else { Vec::new() };
    Some(Shebang { interpreter: interpreter.to_vec(), argument, words })
}

/// Whether this interpreter reads execline (`execlineb(1)`).
fn is_execline(interpreter: &[u8]) -> bool {
    interpreter.rsplit(|b| *b == b'/').next() == Some(b"execlineb")
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(bytes: &[u8]) -> Option<(String, Option<String>)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match nature(bytes) {
            Nature::Script(line) => Some((text(line.interpreter), line.argument.map(text))),
            Nature::Data => None,
            other => panic!("{other:?}"),
        }
    }

    type Line<'a> = (&'a str, Option<&'a str>);

    #[test]
    fn first_lines_are_read_as_the_kernel_reads_them() {
        let long_argument = format!("#!/bin/sh {}\n", "a".repeat(300));
        let cut = "a".repeat(245);
        let long_name = format!("#!/{}\n", "a".repeat(300));
        let rows: [(&str, Option<Line>); 14] = [
            ("#!/bin/sh\n", Some(("/bin/sh", None))),
            ("#!/bin/sh", Some(("/bin/sh", None))),
            ("#! \t/bin/sh \t\nx", Some(("/bin/sh", None))),
            ("#!/usr/bin/env -S a  b\t\n", Some(("/usr/bin/env", Some("-S a  b")))),
            ("#!/usr/bin/perl\t-w\n", Some(("/usr/bin/perl", Some("-w")))),
            ("#!interp\n", Some(("interp", None))),
            ("#!/bin/sh\r\n", Some(("/bin/sh\r", None))),
            ("#!/bin/sh\0hidden\n", Some(("/bin/sh", None))),
            (&long_argument, Some(("/bin/sh", Some(&cut)))),
            (&long_name, None),
            ("#!\n/bin/sh", None),
            ("#!", None),
            (" #!/bin/sh\n", None),
            ("", None),
        ];
        for (bytes, wanted) in rows {
            let wanted = wanted.map(|(name, rest)| (name.to_owned(), rest.map(str::to_owned)));
            assert_eq!(script(bytes.as_bytes()), wanted, "{bytes:?}");
        }
    }

    #[test]
    fn other_files_are_data() {
        for bytes in [&b"\x7fEL"[..], b"!<arch>\n", b"text", b"#", &[0; 300]] {
            assert_eq!(nature(bytes), Nature::Data, "{bytes:?}");
        }
    }

    #[test]
    fn this_very_test_is_a_program() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let Nature::Elf(facts) = nature(&bytes) else { panic!("it was not read as ELF") };
        assert!(facts.needed.iter().any(|name| name.starts_with("libc.so")), "{facts:?}");
        assert!(facts.interp.is_some_and(|path| path.contains("ld-")));
        assert!(facts.imports.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
