use super::*;
use crate::closure::EdgeKind;
use dmc_types::{
    DlopenNote, DlopenPriority, ElfFacts, Entry, FileFacts, Import, RuleEffect, RuleTrigger,
    Sha256, Shebang,
};
use std::collections::BTreeMap;

const LIB: &str = "/usr/lib/x86_64-linux-gnu";

fn path(text: &str) -> ImagePath {
    ImagePath::parse(text).unwrap()
}

fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

fn file(nature: Nature) -> EntryKind {
    EntryKind::File(FileFacts { size: 1, digest: Sha256::from_bytes([1; 32]), offset: 0, nature })
}

fn data() -> EntryKind {
    file(Nature::Data)
}

fn link(target: &str) -> EntryKind {
    EntryKind::Symlink(target.into())
}

fn elf(needed: &[&str], change: impl FnOnce(&mut ElfFacts)) -> EntryKind {
    let mut facts = ElfFacts {
        needed: needed.iter().map(ToString::to_string).collect(),
        ..ElfFacts::new(Arch::Amd64.elf())
    };
    change(&mut facts);
    file(Nature::Elf(Box::new(facts)))
}

fn import(name: &str) -> Import {
    Import { name: name.to_owned(), version: None, library: None, weak: false }
}

fn package(package: &str, entries: &[(&str, EntryKind)]) -> Arc<PackageFacts> {
    let entry = |(at, kind): &(&str, EntryKind)| Entry {
        path: path(at),
        mode: 0o644,
        uid: 0,
        gid: 0,
        time: 0,
        kind: kind.clone(),
    };
    Arc::new(PackageFacts {
        deb: Sha256::from_bytes([0; 32]),
        package: name(package),
        version: "1".into(),
        arch: None,
        control: String::new(),
        scripts: BTreeMap::new(),
        conffiles: vec![],
        md5sums: BTreeMap::new(),
        licences: vec![],
        entries: entries.iter().map(entry).collect(),
    })
}

fn start(packages: &[&str], roots: &[&str]) -> Start {
    Start {
        arch: Arch::Amd64,
        packages: packages.iter().map(|text| name(text)).collect(),
        roots: roots.iter().map(|text| path(text)).collect(),
        include: vec![],
        exclude: vec![],
        extensions: vec![],
        copied: vec![],
        rules: vec![],
        scripts: vec![],
    }
}

/// Walks through `archive`, answering each need with the first package that meets it.
fn walk(start: Start, archive: &[Arc<PackageFacts>]) -> Result<Closure, WalkError> {
    let mut walk = Walk::new(start);
    for _ in 0..20 {
        let needs = walk.advance()?;
        if needs.is_empty() {
            return Ok(walk.finish());
        }
        for need in needs {
            let found = archive.iter().find(|facts| need.want.is_met_by(facts, Arch::Amd64));
            let answer = found.map_or(Answer::Nowhere, |facts| Answer::package(Arc::clone(facts)));
            walk.answer(&need, answer)?;
        }
    }
    panic!("the walk does not end");
}

fn kept(closure: &Closure) -> Vec<String> {
    closure.files.keys().map(ToString::to_string).collect()
}

fn libc() -> Arc<PackageFacts> {
    package(
        "libc6",
        &[
            (
                "/usr/lib64/ld-linux-x86-64.so.2",
                link("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
            ),
            (&format!("{LIB}/ld-linux-x86-64.so.2"), elf(&[], |_| {})),
            (&format!("{LIB}/libc.so.6"), elf(&["ld-linux-x86-64.so.2"], |_| {})),
        ],
    )
}

#[test]
fn follows_libraries_interpreters_and_links_through_packages() {
    let program = elf(&["libz.so.1", "libc.so.6"], |facts| {
        facts.interp = Some("/lib64/ld-linux-x86-64.so.2".into());
    });
    let archive = [
        package("prog", &[("/usr/bin/prog", program), ("/usr/share/unused", data())]),
        package(
            "zlib1g",
            &[
                // The package spells its folder without /usr.
                ("/lib/x86_64-linux-gnu/libz.so.1", link("libz.so.1.3")),
                ("/lib/x86_64-linux-gnu/libz.so.1.3", elf(&["libc.so.6"], |_| {})),
                ("/usr/share/doc/zlib1g/copyright", data()),
            ],
        ),
        libc(),
    ];
    let closure = walk(start(&["prog"], &["/bin/prog"]), &archive).unwrap();
    assert_eq!(
        kept(&closure),
        [
            "/usr/bin/prog",
            &format!("{LIB}/ld-linux-x86-64.so.2"),
            &format!("{LIB}/libc.so.6"),
            &format!("{LIB}/libz.so.1"),
            &format!("{LIB}/libz.so.1.3"),
            "/usr/lib64/ld-linux-x86-64.so.2",
            "/usr/share/doc/zlib1g/copyright",
        ]
    );
    let why = &closure.files[&path(&format!("{LIB}/libz.so.1.3"))].reasons;
    let link = Some(path(&format!("{LIB}/libz.so.1")));
    assert_eq!(*why, [Edge { kind: EdgeKind::LinkTarget, from: link }]);
    assert!(closure.notes.contains(&Note::NoLicence(name("prog"))));
}

#[test]
fn takes_a_licence_through_a_link_between_doc_folders() {
    let archive = [
        package("a-tool", &[("/usr/bin/a", data()), ("/usr/share/doc/a-tool", link("a-base"))]),
        package("a-base", &[("/usr/share/doc/a-base/copyright", data())]),
    ];
    let closure = walk(start(&["a-tool"], &["/usr/bin/a"]), &archive).unwrap();
    assert!(kept(&closure).contains(&"/usr/share/doc/a-base/copyright".to_owned()));
    assert!(closure.shipped().contains_key("a-base"));
}

#[test]
fn takes_the_licence_texts_that_a_copyright_file_refers_to() {
    let files = [("/usr/bin/a", data()), ("/usr/share/doc/a-tool/copyright", data())];
    let mut tool = PackageFacts::clone(&package("a-tool", &files));
    tool.licences = vec!["GPL".into(), "Unheard-Of".into()];
    let texts = [
        ("/usr/share/common-licenses/GPL", link("GPL-3")),
        ("/usr/share/common-licenses/GPL-3", data()),
        ("/usr/share/common-licenses/BSD", data()),
    ];
    let archive = [Arc::new(tool), package("base-files", &texts)];
    let kept = kept(&walk(start(&["a-tool"], &["/usr/bin/a"]), &archive).unwrap());
    for (file, wanted) in [("GPL", true), ("GPL-3", true), ("BSD", false)] {
        assert_eq!(kept.contains(&format!("/usr/share/common-licenses/{file}")), wanted, "{file}");
    }
}

#[test]
fn a_rule_fires_for_an_imported_symbol() {
    let rule = Rule {
        name: "thread-exit".into(),
        because: "libc opens it".into(),
        triggers: vec![RuleTrigger::Import("pthread_exit".into())],
        effect: RuleEffect {
            libraries: vec!["libgcc_s.so.1".parse().unwrap()],
            ..RuleEffect::default()
        },
    };
    let library = format!("{LIB}/libgcc_s.so.1");
    for (imports, wanted) in [(vec![import("pthread_exit")], true), (vec![], false)] {
        let archive = [
            package("prog", &[("/usr/bin/prog", elf(&[], |facts| facts.imports = imports))]),
            package("libgcc-s1", &[(&library, elf(&[], |_| {}))]),
        ];
        let start = Start { rules: vec![rule.clone()], ..start(&["prog"], &["/usr/bin/prog"]) };
        assert_eq!(kept(&walk(start, &archive).unwrap()).contains(&library), wanted);
    }
}

#[test]
fn scripts_bring_their_interpreter_and_its_own_interpreter() {
    let script = |interpreter: &str, argument: Option<&str>| {
        file(Nature::Script(Shebang {
            interpreter: interpreter.into(),
            argument: argument.map(|text| text.as_bytes().to_vec()),
            words: vec![],
        }))
    };
    let archive = [
        package("prog", &[("/usr/bin/prog", script("/usr/bin/env", Some("-S lang -x")))]),
        package("coreutils", &[("/usr/bin/env", data())]),
        package("lang", &[("/usr/bin/lang", script("/bin/core", None)), ("/usr/bin/core", data())]),
    ];
    let closure = walk(start(&["prog"], &["/usr/bin/prog"]), &archive).unwrap();
    assert_eq!(kept(&closure), ["/usr/bin/core", "/usr/bin/env", "/usr/bin/lang", "/usr/bin/prog"]);
}

#[test]
fn optional_libraries_are_noted_where_they_are_not_to_be_had() {
    let note = |priority| DlopenNote {
        feature: Some("zip".into()),
        description: None,
        priority,
        sonames: vec!["libnew.so.2".into(), "libold.so.1".into()],
    };
    let with = |priority| elf(&[], |facts| facts.dlopen = vec![note(priority)]);
    let program = |priority| package("prog", &[("/usr/bin/prog", with(priority))]);
    let begin = || start(&["prog"], &["/usr/bin/prog"]);
    let closure = walk(begin(), &[program(DlopenPriority::Recommended)]).unwrap();
    assert!(closure.notes.iter().any(|note| matches!(note, Note::Optional { .. })));
    let old = package("libold1", &[(&format!("{LIB}/libold.so.1"), elf(&[], |_| {}))]);
    let closure = walk(begin(), &[program(DlopenPriority::Recommended), Arc::clone(&old)]).unwrap();
    assert_eq!(closure.files.len(), 2);
    let closure = walk(begin(), &[program(DlopenPriority::Suggested), old]).unwrap();
    assert_eq!(closure.files.len(), 1);
    let refused = walk(begin(), &[program(DlopenPriority::Required)]);
    assert!(matches!(refused, Err(WalkError::NoLibrary { .. })), "{refused:?}");
}

#[test]
fn passes_over_libraries_for_other_machines() {
    let foreign = elf(&[], |facts| facts.ident = Arch::Arm64.elf());
    let private = "/opt/prog/libx.so.1";
    let program = elf(&["libx.so.1"], |facts| facts.runpath = vec!["/opt/prog".into()]);
    let archive = [
        package("prog", &[("/usr/bin/prog", program), (private, foreign)]),
        package("libx1", &[(&format!("{LIB}/libx.so.1"), elf(&[], |_| {}))]),
    ];
    let closure = walk(start(&["prog"], &["/usr/bin/prog"]), &archive).unwrap();
    assert_eq!(kept(&closure), ["/usr/bin/prog".to_owned(), format!("{LIB}/libx.so.1")]);
}

#[test]
fn patterns_keep_all_that_matches_but_what_is_excluded() {
    let files = [("/etc/a/x", data()), ("/etc/a/y", data()), ("/etc/a/broken", link("/nowhere"))];
    let start = Start {
        include: vec![PathGlob::parse("/etc/a/*").unwrap()],
        exclude: vec![PathGlob::parse("/etc/*/y").unwrap()],
        ..start(&["conf"], &[])
    };
    let closure = walk(start, &[package("conf", &files)]).unwrap();
    assert_eq!(kept(&closure), ["/etc/a/broken", "/etc/a/x"]);
    assert!(closure.notes.iter().any(|note| matches!(note, Note::Dangling { .. })));
}

#[test]
fn says_what_is_missing_and_where_it_was_sought() {
    let needy = || package("prog", &[("/usr/bin/prog", elf(&["libno.so.1"], |_| {}))]);
    let foreign = || elf(&[], |facts| facts.ident = Arch::Arm64.elf());
    let begin = || start(&["prog"], &["/usr/bin/prog"]);
    let glob =
        Start { include: vec![PathGlob::parse("/etc/no/*").unwrap()], ..start(&["prog"], &[]) };
    let twice = Start { packages: vec![name("prog"), name("other")], ..begin() };
    let digest = Sha256::from_bytes([2; 32]);
    let other = EntryKind::File(FileFacts { size: 1, digest, offset: 0, nature: Nature::Data });
    for (start, archive, message, hint) in [
        (
            begin(),
            vec![needy()],
            "no package ships `libno.so.1`, needed by `/usr/bin/prog` on amd64",
            "looked for `/usr/lib/x86_64-linux-gnu/libno.so.1`, `/usr/lib/libno.so.1`",
        ),
        (
            start(&["prog"], &["/usr/sbin/prog"]),
            vec![needy()],
            "no package of the template ships `/usr/sbin/prog` on amd64 (looked in `prog`)",
            "these packages do ship `/usr/bin/prog`",
        ),
        (begin(), vec![], "package prog is named but cannot be had on amd64", "check its name"),
        (
            glob,
            vec![needy()],
            "`/etc/no/*` matches no file of `prog` on amd64 (included by /etc/no/*)",
            "correct the pattern",
        ),
        (
            begin(),
            vec![package("prog", &[("/usr/bin/prog", foreign())])],
            "`/usr/bin/prog` is for arm64, not for amd64",
            "the image's own architecture",
        ),
        (
            begin(),
            vec![package(
                "prog",
                &[("/usr/bin/prog", file(Nature::BrokenElf("too short".into())))],
            )],
            "`/usr/bin/prog` of package prog is not a readable ELF file: too short",
            "exclude the file",
        ),
        (
            twice,
            vec![
                package("prog", &[("/usr/bin/prog", data())]),
                package("other", &[("/bin/prog", other)]),
            ],
            "packages prog and other both ship `/usr/bin/prog`, with different contents",
            "name only one",
        ),
    ] {
        let error = walk(start, &archive).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.hint().contains(hint), "{message}: {}", error.hint());
    }
}

#[test]
fn a_file_to_copy_ships_its_package_but_is_not_kept_itself() {
    let files = [("/usr/share/a/master", data()), ("/usr/share/doc/a-base/copyright", data())];
    let start = Start { copied: vec![path("/usr/share/a/master")], ..start(&["a-base"], &[]) };
    let closure = walk(start, &[package("a-base", &files)]).unwrap();
    assert_eq!(kept(&closure), ["/usr/share/doc/a-base/copyright"]);
    assert!(closure.copied.contains_key(&path("/usr/share/a/master")));
    assert!(closure.shipped().contains_key("a-base"));
}

#[test]
fn keeps_better_builds_of_a_library_beside_the_baseline() {
    let better = format!("{LIB}/glibc-hwcaps/x86-64-v3/libx.so.1");
    let plain = format!("{LIB}/libx.so.1");
    let library = || elf(&[], |_| {});
    let archive = [
        package("prog", &[("/usr/bin/prog", elf(&["libx.so.1"], |_| {}))]),
        package("libx1", &[(&plain, library()), (&better, library())]),
    ];
    let closure = walk(start(&["prog"], &["/usr/bin/prog"]), &archive).unwrap();
    assert_eq!(kept(&closure), ["/usr/bin/prog", &better, &plain]);
    // A better build alone would leave older processors without the library.
    let alone = [Arc::clone(&archive[0]), package("libx1", &[(&better, library())])];
    let refused = walk(start(&["prog"], &["/usr/bin/prog"]), &alone);
    assert!(matches!(refused, Err(WalkError::NoLibrary { .. })), "{refused:?}");
}
