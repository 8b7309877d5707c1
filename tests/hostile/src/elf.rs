//! ELF facts, and the notes within.

use dmc_elf::{ElfError, nature, read};
use dmc_testkit::{ElfBuilder, HashStyle, NO_DEFAULT_LIB};
use dmc_types::{Arch, ElfFacts, Nature};

/// A file, whatever it is.
pub fn elf(data: &[u8]) {
    match nature(data) {
        Nature::Elf(facts) => check(&facts),
        Nature::Script(line) => assert!(data.starts_with(b"#!") && !line.interpreter.is_empty()),
        Nature::BrokenElf(why) => {
            assert!(data.starts_with(b"\x7fELF") && why.len() < 1000, "{why}");
        }
        Nature::Data => {}
    }
}

fn check(facts: &ElfFacts) {
    assert!(facts.imports.windows(2).all(|pair| pair[0].name < pair[1].name));
    assert!(facts.paths.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(facts.sonames.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(facts.paths.iter().all(|path| path.starts_with('/') && !path.contains("/../")));
    assert!(facts.rpath.is_empty() || facts.runpath.is_empty());
    assert!(facts.needed.len() <= 4096 && facts.versions_needed.len() <= 4096);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let library = |arch| {
        ElfBuilder::library(arch, "libx.so.1")
            .needs("libc.so.6")
            .imports("malloc")
            .defines("x_open")
            .rodata(b"/usr/share/x\0libssl.so.3\0")
    };
    let program = |arch| ElfBuilder::program(arch).needs("libx.so.1").imports("x_open");
    let each = Arch::ALL.into_iter().flat_map(|arch| [library(arch), program(arch)]);
    let odd = [
        library(Arch::Amd64).hash(HashStyle::SystemV).without_sections(),
        library(Arch::Amd64).without_sections().runpath("$ORIGIN:/opt").flags_1(NO_DEFAULT_LIB),
        library(Arch::I386).without_sections().rpath("/opt").dlopen(JSON[0]),
        ElfBuilder::static_program(Arch::Arm64),
        ElfBuilder::relocatable(Arch::Riscv64),
    ];
    let scripts = [&b"#!/usr/bin/env -S a b\n"[..], b"#!/usr/bin/execlineb -P\nif { /bin/x } y"];
    let built = each.chain(odd).map(|file| file.build());
    built.chain(scripts.map(<[u8]>::to_vec)).collect()
}

const JSON: [&str; 4] = [
    r#"[{"feature":"xz","description":"Archives","priority":"suggested","soname":["liblzma.so.5"]}]"#,
    r#"[{"soname":["libz.so.1","libz.so.2"],"priority":"required"},{"soname":[],"new":{"a":[1.5e3]}}]"#,
    r#"[{"soname":["lib\u00e9.so"],"priority":"recommended","description":null}]"#,
    r#"[{"soname":"libz.so.1"},[],"",true]"#,
];

/// The description of a `.note.dlopen`, in a library around it.
pub fn dlopen(data: &[u8]) {
    const TYPE: u32 = 0x407c_0c0a;
    let library = ElfBuilder::plugin(Arch::Amd64).note("FDO", TYPE, data).build();
    match read(&library) {
        Ok(facts) => {
            let names = facts.dlopen.iter().flat_map(|note| &note.sonames);
            assert!(names.map(String::len).sum::<usize>() <= data.len());
        }
        Err(ElfError::Note { why }) => assert!(why.len() < 1000),
        Err(ElfError::TooMany { found, .. }) => assert!(found > 65_000),
        Err(other) => panic!("{other}"),
    }
}

pub(crate) fn dlopen_seeds() -> Vec<Vec<u8>> {
    JSON.map(|json| json.as_bytes().to_vec()).to_vec()
}
