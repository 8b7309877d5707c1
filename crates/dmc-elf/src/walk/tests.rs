use super::*;
use crate::closure::EdgeKind;
use dmc_types::{
    Alternative, DlopenNote, DlopenPriority, ElfFacts, Entry, FileFacts, Import, PackageFacts,
    RuleEffect, RuleTrigger, Sha1, Sha256, Shebang,
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
    file_of(1, 1, nature)
}

/// A file of so many bytes, told from others by a number.
fn file_of(size: u64, number: u8, nature: Nature) -> EntryKind {
    let (digest, sha1) = (Sha256::from_bytes([number; 32]), Sha1::from_bytes([number; 20]));
    EntryKind::File(FileFacts { size, digest, sha1, offset: 0, nature })
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
        mode: 0o755,
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
        placed: BTreeSet::new(),
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
            let brought = archive.iter().map(|facts| Brought::plain(Arc::clone(facts)));
            let found = brought.into_iter().find(|one| need.want.is_met_by(one, Arch::Amd64));
            let answer = found.map_or(Answer::Nowhere, Answer::Package);
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
        except: vec![],
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
    let other = file_of(1, 2, Nature::Data);
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

fn rule(name: &str, trigger: RuleTrigger, effect: RuleEffect) -> Rule {
    Rule {
        name: name.to_owned(),
        because: "…".to_owned(),
        triggers: vec![trigger],
        except: vec![],
        effect,
    }
}

fn naming(paths: &[&str], sonames: &[&str]) -> EntryKind {
    elf(&[], |facts| {
        facts.paths = paths.iter().map(ToString::to_string).collect();
        facts.sonames = sonames.iter().map(ToString::to_string).collect();
    })
}

#[test]
fn paths_in_read_only_data_count_where_they_name_a_file() {
    let named =
        ["/usr/share/x/a", "/usr/share/x", "/usr/share/link", "/etc/none", "/usr/share/y/b"];
    let archive = [
        package(
            "prog",
            &[
                ("/usr/bin/prog", naming(&named, &[])),
                ("/usr/share/x", EntryKind::Directory),
                ("/usr/share/x/a", data()),
                ("/usr/share/x/c", data()),
                ("/usr/share/link", link("x/c")),
            ],
        ),
        package(
            "y-data",
            &[("/usr/share/y/b", naming(&["/usr/share/y/z"], &[])), ("/usr/share/y/z", data())],
        ),
    ];
    let roots = start(&["prog"], &["/usr/bin/prog"]);
    let closure = walk(roots.clone(), &archive).unwrap();
    let wanted = [
        "/usr/bin/prog",
        "/usr/share/link",
        "/usr/share/x/a",
        "/usr/share/x/c",
        "/usr/share/y/b",
        "/usr/share/y/z",
    ];
    assert_eq!(kept(&closure), wanted);
    assert_eq!(
        closure.files[&path("/usr/share/x/a")].reasons[0].to_string(),
        "path in its read-only data"
    );
    let open: Vec<_> =
        closure.unresolved[&name("prog")].iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(open, ["/etc/none", "/usr/share/x"]);

    let excluded =
        Start { exclude: vec![PathGlob::parse("/usr/share/{x,y}/**").unwrap()], ..roots.clone() };
    assert_eq!(
        kept(&walk(excluded, &archive).unwrap()),
        ["/usr/bin/prog", "/usr/share/link", "/usr/share/x/c"]
    );

    let ignore = vec![PathGlob::parse("/usr/share/**").unwrap()];
    let effect = RuleEffect { ignore, ..RuleEffect::default() };
    let rules = vec![rule("quiet", RuleTrigger::Package(name("prog")), effect)];
    assert_eq!(kept(&walk(Start { rules, ..roots }, &archive).unwrap()), ["/usr/bin/prog"]);
}

#[test]
fn names_of_libraries_that_nothing_resolves_are_told() {
    let library = elf(&[], |facts| facts.soname = Some("libreal.so.2".into()));
    let files = [
        (
            "/usr/bin/prog",
            naming(&[], &["libreal.so.2", "libno.so.1", "libfile.so.3", "libknown.so.1"]),
        ),
        ("/usr/lib/libother.so", library),
        ("/usr/lib/libfile.so.3", data()),
    ];
    let ignore = vec![PathGlob::parse("/libknown.so.*").unwrap()];
    let effect = RuleEffect { ignore, notes: vec!["Told.".into()], ..RuleEffect::default() };
    let rules =
        vec![rule("known", RuleTrigger::PackageLike(PathGlob::parse("/pr*").unwrap()), effect)];
    let roots = ["/usr/bin/prog", "/usr/lib/libother.so", "/usr/lib/libfile.so.3"];
    let closure =
        walk(Start { rules, ..start(&["prog"], &roots) }, &[package("prog", &files)]).unwrap();
    let notes: Vec<String> = closure.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.contains(&"`/usr/bin/prog` names libno.so.1, which is not in the image".to_owned())
    );
    assert!(notes.contains(&"Told. (rule known)".to_owned()));
    assert_eq!(notes.iter().filter(|note| note.contains("which is not in the image")).count(), 1);
}

#[test]
fn execline_scripts_bring_the_programs_that_they_run() {
    let line = |words: &[&str]| Shebang {
        interpreter: b"/usr/bin/execlineb".to_vec(),
        argument: None,
        words: words.iter().map(ToString::to_string).collect(),
    };
    let bin = "/usr/lib/execline/bin";
    let (cd, cd_itself, interpreter) =
        (format!("{bin}/cd"), format!("{bin}/execline-cd"), format!("{bin}/execlineb"));
    let wrapper = Shebang { interpreter: interpreter.clone().into_bytes(), ..line(&[]) };
    let archive = [
        package("prog", &[("/usr/sbin/prog", elf(&[], |_| {})), ("/usr/share/prog/sql", data())]),
        package(
            "execline",
            &[
                ("/usr/bin/execlineb", file(Nature::Script(wrapper))),
                (&interpreter, elf(&[], |_| {})),
                (&cd, link("execline-cd")),
                (&cd_itself, elf(&[], |_| {})),
            ],
        ),
    ];
    let words = line(&["/usr/share/prog/sql", "cd", "mysql", "prog"]);
    let start = Start {
        scripts: vec![(path("/usr/lib/dmc/start"), words)],
        ..start(&["prog", "execline"], &[])
    };
    let closure = walk(start, &archive).unwrap();
    let wanted: Vec<&str> = [
        "/usr/bin/execlineb",
        &cd,
        &cd_itself,
        &interpreter,
        "/usr/sbin/prog",
        "/usr/share/prog/sql",
    ]
    .to_vec();
    assert_eq!(kept(&closure), wanted);
    let lost = Start { scripts: vec![(path("/start"), line(&[]))], ..self::start(&["prog"], &[]) };
    assert!(matches!(walk(lost, &archive[..1]), Err(WalkError::NoFile { .. })));
}

fn brought(facts: Arc<PackageFacts>, alternatives: Vec<Alternative>, replaces: &[&str]) -> Brought {
    Brought {
        alternatives,
        replaces: replaces.iter().map(|text| name(text)).collect(),
        ..Brought::plain(facts)
    }
}

fn walk_brought(start: Start, archive: &[Brought]) -> Result<Closure, WalkError> {
    let mut walk = Walk::new(start);
    loop {
        let needs = walk.advance()?;
        if needs.is_empty() {
            return Ok(walk.finish());
        }
        for need in needs {
            let found = archive.iter().find(|one| need.want.is_met_by(one, Arch::Amd64));
            walk.answer(&need, found.cloned().map_or(Answer::Nowhere, Answer::Package))?;
        }
    }
}

#[test]
fn the_package_that_replaces_wins_a_path_and_others_clash() {
    let other = file_of(2, 2, Nature::Data);
    for (a, b, owner) in
        [(&["bb"][..], &[][..], Some("aa")), (&[], &["aa"], Some("bb")), (&[], &[], None)]
    {
        for order in [["aa", "bb"], ["bb", "aa"]] {
            let archive = [
                brought(package("aa", &[("/x", data())]), vec![], a),
                brought(package("bb", &[("/x", other.clone())]), vec![], b),
            ];
            match (walk_brought(start(&order, &["/x"]), &archive), owner) {
                (Ok(closure), Some(owner)) => {
                    assert_eq!(closure.files[&path("/x")].package().package, name(owner));
                }
                (Err(WalkError::Clash { .. }), None) => {}
                (found, wanted) => panic!("{order:?}: {found:?}, not {wanted:?}"),
            }
        }
    }
}

#[test]
fn alternatives_lead_to_the_candidate_of_the_highest_priority() {
    let awk = |path_of: &str, priority| Alternative {
        link: path("/usr/bin/awk"),
        name: "awk".into(),
        path: path(path_of),
        priority,
        slaves: vec![(path("/usr/bin/nawk"), "nawk".into(), path(path_of))],
    };
    let archive = [
        brought(package("gawk", &[("/usr/bin/gawk", data())]), vec![awk("/usr/bin/gawk", 10)], &[]),
        brought(package("mawk", &[("/usr/bin/mawk", data())]), vec![awk("/usr/bin/mawk", 5)], &[]),
    ];
    for (packages, roots, wanted) in [
        (&["mawk"][..], &["/usr/bin/awk"][..], Some("/usr/bin/mawk")),
        (&["mawk", "gawk"], &["/usr/bin/awk"], Some("/usr/bin/gawk")),
        (&["mawk"], &["/usr/bin/mawk"], Some("/usr/bin/mawk")),
        (&["mawk", "gawk"], &["/usr/bin/mawk"], None),
    ] {
        let closure = walk_brought(start(packages, roots), &archive).unwrap();
        let half = closure.alternatives.get(&path("/etc/alternatives/awk"));
        assert_eq!(half.map(|link| link.target.to_string()).as_deref(), wanted, "{roots:?}");
        let link = closure.alternatives.get(&path("/usr/bin/awk"));
        assert_eq!(link.is_some(), wanted.is_some());
        assert!(wanted.is_none_or(|wanted| closure.files.contains_key(&path(wanted))));
    }
}

#[test]
fn an_alternative_by_way_of_a_link_that_is_not_kept_is_left_out() {
    let link = link("node");
    let files = package("nodejs", &[("/usr/bin/node", data()), ("/usr/bin/nodejs", link)]);
    let js = Alternative {
        link: path("/usr/bin/js"),
        name: "js".into(),
        path: path("/usr/bin/nodejs"),
        priority: 50,
        slaves: vec![(path("/usr/bin/ecma"), "ecma".into(), path("/usr/bin/node"))],
    };
    let archive = [brought(files, vec![js], &[])];
    for (root, wanted) in [
        ("/usr/bin/node", &["/etc/alternatives/ecma", "/usr/bin/ecma"][..]),
        (
            "/usr/bin/nodejs",
            &["/etc/alternatives/ecma", "/etc/alternatives/js", "/usr/bin/ecma", "/usr/bin/js"],
        ),
    ] {
        let closure = walk_brought(start(&["nodejs"], &[root]), &archive).unwrap();
        let laid: Vec<String> = closure.alternatives.keys().map(ToString::to_string).collect();
        assert_eq!(laid, wanted, "{root}");
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_told_what_there_is() {
    let files = [("/etc/nginx/mime.types", data())];
    let include = vec![PathGlob::parse("/etc/nginx/mime.type").unwrap()];
    let start = Start { include, ..start(&["nginx"], &[]) };
    let error = walk(start, &[package("nginx", &files)]).unwrap_err();
    assert!(error.hint().contains("did you mean `/etc/nginx/mime.types`?"), "{}", error.hint());
}

#[test]
fn a_library_that_the_program_has_loaded_for_another_is_taken() {
    let private = "/usr/lib/prog";
    let here = |needed: &[&str]| elf(needed, |facts| facts.runpath = vec![private.into()]);
    let named = elf(&[], |facts| facts.soname = Some("libown.so.1".into()));
    let archive = [
        package(
            "prog",
            &[
                ("/usr/bin/prog", here(&["libown.so.1", "libother.so.1"])),
                (&format!("{private}/libown.so.1"), named),
            ],
        ),
        // It has no run path of its own.
        package("other", &[(&format!("{LIB}/libother.so.1"), elf(&["libown.so.1"], |_| {}))]),
    ];
    let closure = walk(start(&["prog"], &["/usr/bin/prog"]), &archive).unwrap();
    let own = &closure.files[&path(&format!("{private}/libown.so.1"))];
    assert!(
        own.reasons.iter().any(|edge| edge.from == Some(path(&format!("{LIB}/libother.so.1"))))
    );
    // Another program that has not loaded it does not find it.
    let stray = package("stray", &[("/usr/bin/stray", elf(&["libother.so.1"], |_| {}))]);
    let alone = walk(start(&["stray"], &["/usr/bin/stray"]), &[stray, Arc::clone(&archive[1])]);
    assert!(matches!(alone, Err(WalkError::NoLibrary { .. })), "{alone:?}");
}

#[test]
fn a_script_that_is_not_executable_brings_no_interpreter() {
    let script = file(Nature::Script(Shebang {
        interpreter: b"/usr/bin/lang".to_vec(),
        argument: None,
        words: Vec::new(),
    }));
    let mut tool = PackageFacts::clone(&package("tool", &[("/usr/lib/tool/a", script)]));
    let start = || Start {
        include: vec![PathGlob::parse("/usr/lib/tool/a").unwrap()],
        ..start(&["tool"], &[])
    };
    for (mode, refused) in [(0o755, true), (0o644, false)] {
        tool.entries[0].mode = mode;
        assert_eq!(walk(start(), &[Arc::new(tool.clone())]).is_err(), refused, "{mode:o}");
    }
}

#[test]
fn what_the_template_places_is_there_for_all_that_need_it() {
    let script = |interpreter: &str| {
        let interpreter = interpreter.as_bytes().to_vec();
        file(Nature::Script(Shebang { interpreter, argument: None, words: Vec::new() }))
    };
    let placed = BTreeSet::from([path("/usr/local/bin/lang"), path(&format!("{LIB}/libown.so.1"))]);
    for (interpreter, refused) in [("/usr/local/bin/lang", false), ("/usr/local/bin/none", true)] {
        let archive = [package(
            "prog",
            &[
                ("/usr/bin/prog", elf(&["libown.so.1"], |_| {})),
                ("/usr/bin/script", script(interpreter)),
            ],
        )];
        let roots = ["/usr/bin/prog", "/usr/bin/script"];
        let start = Start { placed: placed.clone(), ..start(&["prog"], &roots) };
        assert_eq!(walk(start, &archive).is_err(), refused, "{interpreter}");
    }
}
