//! Small images, each with one thing wrong.

#![expect(
    clippy::literal_string_with_formatting_args,
    reason = "patterns of verify.toml look like it"
)]

use super::*;
use dmc_types::{
    Arch, ElfFacts, Exports, ImagePath, Import, Nature, NeededVersion, PathGlob, Shebang,
};
use std::collections::BTreeMap;

fn path(text: &str) -> ImagePath {
    ImagePath::parse(text).unwrap()
}

/// `name`, `name@VERSION`, `name@VERSION@library`.
fn symbol(text: &str) -> (String, Option<String>, Option<String>) {
    let mut parts = text.split('@').map(str::to_owned);
    (parts.next().unwrap(), parts.next(), parts.next())
}

/// ELF facts in the words of the tests: symbols are spelled as [`symbol`] reads them, a `?` before
/// one makes it weak.
fn elf(arch: Arch, needed: &[&str], imports: &[&str], exports: &[&str]) -> ElfFacts {
    let exported: Vec<_> = exports.iter().map(|text| symbol(text)).collect();
    let import = |text: &&str| {
        let (name, version, library) = symbol(text.trim_start_matches('?'));
        Import { name, version, library, weak: text.starts_with('?') }
    };
    let imports: Vec<Import> = imports.iter().map(import).collect();
    let asked = imports.iter().filter_map(|import| {
        let (library, version) = (import.library.clone()?, import.version.clone()?);
        Some(NeededVersion { library, version, weak: import.weak })
    });
    ElfFacts {
        ident: arch.elf(),
        soname: None,
        needed: needed.iter().map(ToString::to_string).collect(),
        rpath: vec![],
        runpath: vec![],
        no_default_lib: false,
        interp: None,
        dlopen: vec![],
        versions_needed: asked.collect(),
        imports,
        exports: Exports::new(
            exported.iter().map(|(name, version, _)| (name.as_str(), version.as_deref())),
        ),
        versions_defined: exported.iter().filter_map(|(_, version, _)| version.clone()).collect(),
        sonames: vec![],
        paths: vec![],
    }
}

enum What {
    Folder,
    Link(&'static str),
    File(Nature),
}

/// An image: each item with its mode and whoever wants it.
struct Scene {
    arch: Arch,
    items: BTreeMap<ImagePath, (u32, What, Vec<ImagePath>)>,
    entrypoint: Vec<String>,
    healthcheck: Vec<String>,
    volumes: Vec<ImagePath>,
    user: (u32, u32),
    texts: BTreeMap<ImagePath, String>,
    tables: &'static str,
}

impl Scene {
    /// A program, libc with its loader, a library and a plugin.
    fn new(arch: Arch) -> Self {
        let mut scene = Self {
            arch,
            items: BTreeMap::new(),
            entrypoint: vec!["prog".to_owned()],
            healthcheck: vec![],
            volumes: vec![],
            user: (65532, 65532),
            texts: BTreeMap::new(),
            tables: "",
        };
        let program = elf(
            arch,
            &["libx.so.1", "libc.so.6"],
            &["x_open", "malloc@V1@libc.so.6", "?__gmon_start__"],
            &["prog_api"],
        );
        scene.elf("/usr/bin/prog", ElfFacts { interp: Some("/usr/lib/ld.so".into()), ..program });
        scene.library("libx.so.1", &["libc.so.6"], &["malloc@V1@libc.so.6"], &["x_open"]);
        let libc = &["malloc@V1", "free@V1", "open@V2"];
        scene.library("libc.so.6", &["ld.so"], &["_rtld@P@ld.so"], libc);
        let loader = elf(arch, &[], &[], &["_rtld@P"]);
        scene.elf("/usr/lib/ld.so", ElfFacts { soname: Some("ld.so".into()), ..loader });
        scene.folder("/usr", 0o755);
        scene
    }

    fn elf(&mut self, at: &str, facts: ElfFacts) {
        self.put(at, 0o755, What::File(Nature::Elf(Box::new(facts))));
    }

    fn put(&mut self, at: &str, mode: u32, what: What) {
        self.items.insert(path(at), (mode, what, vec![]));
    }

    fn folder(&mut self, at: &str, mode: u32) {
        self.put(at, mode, What::Folder);
    }

    fn script(&mut self, at: &str, mode: u32, interpreter: &str, argument: Option<&str>) {
        let argument = argument.map(|argument| argument.as_bytes().to_vec());
        let interpreter = interpreter.as_bytes().to_vec();
        let words = vec![];
        let shebang = Shebang { interpreter, argument, words };
        self.put(at, mode, What::File(Nature::Script(shebang)));
    }

    fn library(&mut self, soname: &str, needed: &[&str], imports: &[&str], exports: &[&str]) {
        let at = format!("/usr/lib/{}/{soname}", self.arch.triplet());
        let facts = elf(self.arch, needed, imports, exports);
        self.elf(&at, ElfFacts { soname: Some(soname.to_owned()), ..facts });
    }

    fn plugin(&mut self, at: &str, needed: &[&str], imports: &[&str], exports: &[&str]) {
        self.elf(at, elf(self.arch, needed, imports, exports));
    }

    fn wanted_by(&mut self, at: &str, by: &str) {
        self.items.get_mut(&path(at)).unwrap().2.push(path(by));
    }

    fn remove(&mut self, soname: &str) {
        let at = format!("/usr/lib/{}/{soname}", self.arch.triplet());
        self.items.remove(&path(&at)).unwrap();
    }

    fn report(&self) -> Report {
        let mut items = BTreeMap::new();
        for (path, (mode, what, wanted_by)) in &self.items {
            let kind = match what {
                What::Folder => ItemKind::Directory,
                What::Link(target) => ItemKind::Symlink(target.as_bytes()),
                What::File(nature) => ItemKind::File { size: 10, nature },
            };
            let wanted_by = wanted_by.iter().collect();
            items.insert(path, Item { mode: *mode, uid: 0, gid: 0, kind, wanted_by });
        }
        let subject = Subject {
            arch: self.arch,
            items,
            start: Start {
                entrypoint: &self.entrypoint,
                healthcheck: &self.healthcheck,
                volumes: &self.volumes,
                user: self.user,
                ..Start::default()
            },
            texts: self.texts.iter().map(|(path, text)| (path, text.clone())).collect(),
        };
        verify(&subject, &Tables::parse(self.tables).unwrap())
    }

    /// Findings, one a line.
    fn findings(&self) -> String {
        let report = self.report();
        let lines: Vec<String> = report
            .findings
            .iter()
            .map(|finding| format!("{:?}: {}", finding.severity, finding.problem))
            .collect();
        lines.join("\n").replace(self.arch.triplet(), "TRIPLET")
    }
}

/// What an image of amd64 shows once it was changed.
fn after(change: impl FnOnce(&mut Scene)) -> String {
    let mut scene = Scene::new(Arch::Amd64);
    change(&mut scene);
    scene.findings()
}

#[test]
fn a_working_image_has_no_findings_on_any_architecture() {
    for arch in Arch::ALL {
        assert_eq!(Scene::new(arch).findings(), "", "{arch}");
    }
}

#[test]
fn what_is_in_an_image_is_counted() {
    let mut scene = Scene::new(Arch::Amd64);
    scene.script("/usr/bin/run", 0o755, "/usr/bin/prog", None);
    scene.script("/usr/lib/module", 0o644, "/usr/bin/python3", None);
    scene.put("/usr/bin/su", 0o4755, What::File(Nature::Data));
    let counts = scene.report().counts;
    let wanted = Counts { elf: 4, scripts: 1, setuid: 1, files: 7, bytes: 70, packages: 0 };
    assert_eq!(counts, wanted);
}

#[test]
fn libraries_versions_and_symbols_must_be_in_the_scope() {
    let missing = after(|scene| scene.remove("libx.so.1"));
    let other_machine = after(|scene| {
        let facts = elf(Arch::S390x, &[], &[], &["x_open"]);
        scene.elf("/usr/lib/x86_64-linux-gnu/libx.so.1", facts);
    });
    let unbound = after(|scene| {
        scene.library("libx.so.1", &["libc.so.6"], &["gone", "free@V1@libc.so.6"], &[]);
    });
    let version = after(|scene| {
        scene.library("libx.so.1", &["libc.so.6"], &["new@V9@libc.so.6"], &["x_open"]);
    });
    // The name alone is not enough: the version decides.
    let wrong_version = after(|scene| {
        scene.library("libx.so.1", &["libc.so.6"], &["free@V2@libc.so.6"], &["x_open"]);
    });
    let elsewhere = after(|scene| {
        scene.library("libx.so.1", &["libc.so.6"], &["only_there"], &["x_open"]);
        scene.library("liby.so.1", &["libc.so.6"], &[], &["only_there"]);
    });
    let rows = [missing, other_machine, unbound, version, wrong_version, elsewhere];
    insta::assert_snapshot!(rows.join("\n\n"));
}

#[test]
fn symbols_bind_as_in_glibc() {
    for (why, imports, exports) in [
        ("weak", "?gone", ""),
        ("weak with a version that is not there", "?gone@V9@libc.so.6", ""),
        ("without version, any will do", "open", ""),
        ("with version, one of a library without versions will do", "own@V7", "own"),
        ("from the program", "prog_api", ""),
        ("a version in another library than the linker saw", "moved@V1@libc.so.6", "moved@V1"),
    ] {
        let found = after(|scene| {
            scene.library("libx.so.1", &["libc.so.6", "libz.so.1"], &[imports], &["x_open"]);
            scene.library("libz.so.1", &[], &[], &[exports]);
        });
        assert_eq!(found, "", "{why}");
    }
}

#[test]
fn a_library_is_found_where_the_loader_looks() {
    let at = |needing: ElfFacts, place: &str| {
        after(|scene| {
            scene.elf("/usr/lib/x86_64-linux-gnu/libx.so.1", needing);
            scene.elf(place, elf(Arch::Amd64, &[], &[], &["far"]));
        })
    };
    let libx = ElfFacts {
        soname: Some("libx.so.1".to_owned()),
        ..elf(Arch::Amd64, &["libfar.so.1"], &["far"], &["x_open"])
    };
    let runpath = |folder: &str| ElfFacts { runpath: vec![folder.to_owned()], ..libx.clone() };
    assert_eq!(at(runpath("/opt/far"), "/opt/far/libfar.so.1"), "");
    assert_eq!(at(runpath("$ORIGIN/far"), "/usr/lib/x86_64-linux-gnu/far/libfar.so.1"), "");
    assert!(at(runpath("/opt"), "/opt/far/libfar.so.1").contains("needs libfar.so.1"));
    // Folders of ld.so.conf count where there is a cache.
    let configured = |cache: &str| {
        after(|scene| {
            scene.elf("/usr/lib/x86_64-linux-gnu/libx.so.1", libx.clone());
            scene.elf("/opt/libfar.so.1", elf(Arch::Amd64, &[], &[], &["far"]));
            scene.put(cache, 0o644, What::File(Nature::Data));
            scene.texts.insert(path("/etc/ld.so.conf.d/far.conf"), "# far\n/opt\n".to_owned());
        })
    };
    assert_eq!(configured("/etc/ld.so.cache"), "");
    assert!(configured("/etc/other").contains("needs libfar.so.1"));
    // A library that the program has loaded from elsewhere is not sought again.
    let loaded = after(|scene| {
        let program = elf(Arch::Amd64, &["libfar.so.1", "libx.so.1", "libc.so.6"], &[], &[]);
        let (interp, runpath) = (Some("/usr/lib/ld.so".to_owned()), vec!["/opt".to_owned()]);
        scene.elf("/usr/bin/prog", ElfFacts { interp, runpath, ..program });
        let soname = Some("libfar.so.1".to_owned());
        scene.elf("/opt/libfar.so.1", ElfFacts { soname, ..elf(Arch::Amd64, &[], &[], &["far"]) });
        scene.elf("/usr/lib/x86_64-linux-gnu/libx.so.1", libx.clone());
    });
    assert_eq!(loaded, "");
}

#[test]
fn a_plugin_sees_its_host_and_what_it_needs_itself() {
    const P: &str = "/usr/lib/prog/p.so";
    let own = after(|scene| scene.plugin(P, &["libx.so.1"], &["x_open"], &[]));
    let host = after(|scene| scene.plugin(P, &[], &["prog_api", "x_open"], &[]));
    let nobody = after(|scene| scene.plugin(P, &[], &["other_api"], &[]));
    let needs = after(|scene| scene.plugin(P, &["libgone.so.1"], &[], &[]));
    // Another program of the image has it, but that is not who opens the plugin.
    let other = |change: fn(&mut Scene)| {
        after(|scene| {
            let program = elf(Arch::Amd64, &["libc.so.6"], &[], &["other_api"]);
            let interp = Some("/usr/lib/ld.so".to_owned());
            scene.elf("/usr/bin/other", ElfFacts { interp, ..program });
            scene.plugin(P, &[], &["other_api"], &[]);
            change(scene);
        })
    };
    let any = other(|_| {});
    let chain = other(|scene| scene.wanted_by(P, "/usr/bin/prog"));
    let through_library = other(|scene| {
        scene.wanted_by(P, "/usr/lib/x86_64-linux-gnu/libx.so.1");
    });
    let through_script = other(|scene| {
        scene.script("/usr/bin/s", 0o755, "/usr/bin/prog", None);
        scene.wanted_by(P, "/usr/bin/s");
    });
    let named = other(|scene| {
        scene.tables = "[[scope]]\nplugins = [\"/usr/lib/prog/*.so\"]\nhosts = [\"/usr/bin/prog\"]";
    });
    for good in [own, host, any] {
        assert_eq!(good, "");
    }
    let rows = [nobody, needs, chain, through_library, through_script, named];
    insta::assert_snapshot!(rows.join("\n\n"));
}

#[test]
fn plugins_that_are_opened_globally_see_each_other() {
    let found = |tables: &'static str| {
        after(|scene| {
            scene.plugin("/usr/lib/prog/a.so", &[], &["prog_api"], &["a_api"]);
            scene.plugin("/usr/lib/prog/b.so", &["libb.so.1"], &["a_api"], &[]);
            // A library of a plugin is looked at with it.
            scene.library("libb.so.1", &["libc.so.6"], &["prog_api"], &[]);
            scene.tables = tables;
        })
    };
    let scope = "[[scope]]\nplugins = [\"/usr/lib/prog/*.so\"]\nhosts = [\"/usr/bin/prog\"]\n";
    let global: &'static str = Box::leak(format!("{scope}global = true\n").into_boxed_str());
    assert_eq!(found(global), "");
    assert_eq!(
        found(scope),
        "Error: `/usr/lib/prog/b.so` imports a_api, which nothing that is loaded with it defines \
         (loaded by `/usr/bin/prog`)"
    );
}

#[test]
fn interpreters_must_be_there_and_executable() {
    let rows = [
        after(|scene| scene.script("/usr/bin/s", 0o755, "/bin/gone", None)),
        after(|scene| scene.script("/usr/bin/s", 0o755, "prog", None)),
        after(|scene| {
            scene.script("/usr/bin/s", 0o755, "/usr/bin/env", Some("-S A=1 gone -x"));
            scene.script("/usr/bin/env", 0o755, "/usr/bin/prog", None);
        }),
        after(|scene| {
            scene.put("/usr/bin/data", 0o644, What::File(Nature::Data));
            scene.script("/usr/bin/s", 0o755, "/usr/bin/data", None);
        }),
        after(|scene| {
            let program = elf(Arch::Amd64, &[], &[], &[]);
            let interp = Some("/lib/gone.so".to_owned());
            scene.elf("/usr/bin/p", ElfFacts { interp, ..program });
        }),
    ];
    insta::assert_snapshot!(rows.join("\n"));
    let good = after(|scene| {
        scene.script("/usr/bin/s", 0o755, "/bin/env", Some("prog"));
        scene.script("/usr/bin/env", 0o755, "/usr/bin/prog", None);
        scene.put("/bin", 0o777, What::Link("usr/bin"));
        scene.folder("/usr/bin", 0o755);
        scene.script("/usr/lib/read-only", 0o644, "/usr/bin/gone", None);
    });
    assert_eq!(good, "");
}

#[test]
fn links_must_lead_somewhere() {
    let found = after(|scene| {
        scene.put("/usr/a", 0o777, What::Link("gone"));
        scene.put("/usr/b", 0o777, What::Link("a"));
        scene.put("/usr/ring", 0o777, What::Link("ring"));
        scene.put("/usr/log", 0o777, What::Link("/dev/stdout"));
        scene.put("/usr/doc", 0o777, What::Link("gone"));
        scene.put("/usr/good", 0o777, What::Link("../usr/bin/prog"));
        scene.tables = "[links]\ntargets = [\"/dev/**\"]\nignore = [\"/usr/doc\"]\n";
    });
    insta::assert_snapshot!(found, @r"
    Warning: link `/usr/a` leads to `/usr/gone`, which is not in the image
    Warning: link `/usr/b` leads to `/usr/gone`, which is not in the image
    Warning: link `/usr/ring` leads to `/usr/ring`, which is not in the image
    ");
}

#[test]
fn rights_that_go_too_far_are_told() {
    let found = after(|scene| {
        scene.folder("/tmp", 0o1777);
        scene.folder("/usr/open", 0o777);
        scene.put("/usr/file", 0o666, What::File(Nature::Data));
        scene.put("/usr/su", 0o4755, What::File(Nature::Data));
        scene.put("/usr/sg", 0o2755, What::File(Nature::Data));
    });
    insta::assert_snapshot!(found, @r"
    Error: `/usr/sg` runs with its owner's rights
    Error: `/usr/su` runs with its owner's rights
    Warning: everybody may write to `/usr/file`
    Warning: everybody may write to `/usr/open`
    ");
}

#[test]
fn what_the_image_runs_must_be_there_and_for_its_user() {
    let rows = [
        after(|scene| scene.entrypoint = vec!["gone".to_owned()]),
        after(|scene| scene.entrypoint = vec!["/usr/lib".to_owned()]),
        after(|scene| scene.folder("/usr/bin", 0o700)),
        after(|scene| {
            scene.items.get_mut(&path("/usr/bin/prog")).unwrap().0 = 0o750;
        }),
        after(|scene| {
            scene.put("/usr/bin/data", 0o755, What::File(Nature::Data));
            scene.healthcheck = vec!["data".to_owned()];
        }),
        after(|scene| {
            scene.elf("/usr/bin/s390", elf(Arch::S390x, &[], &[], &[]));
            scene.healthcheck = vec!["/usr/bin/s390".to_owned()];
        }),
        after(|scene| scene.volumes = vec![path("/data"), path("/usr")]),
    ];
    insta::assert_snapshot!(rows.join("\n"));
    let root = after(|scene| {
        scene.items.get_mut(&path("/usr/bin/prog")).unwrap().0 = 0o700;
        scene.folder("/usr/bin", 0o600);
        scene.user = (0, 0);
    });
    assert_eq!(root, "");
}

#[test]
fn users_that_configuration_names_must_be_defined() {
    let change = |user| {
        move |scene: &mut Scene| {
            let conf = "# user gone;\nuser www-data adm;\nuser other;\n";
            scene.texts.insert(path("/etc/x.conf"), conf.to_owned());
            scene.texts.insert(path("/etc/passwd"), "www-data:x:33:33:::\n".to_owned());
            scene.texts.insert(path("/etc/group"), "www-data:x:33:\n".to_owned());
            scene.tables = "[[account]]\nfiles = [\"/etc/*.conf\"]\n\
                            lines = [\"user {user} {group};\", \"user {user};\"]\n";
            scene.user = user;
        }
    };
    let tables = Tables::parse("[[account]]\nfiles = [\"/etc/*.conf\"]\nlines = []\n").unwrap();
    for (file, wanted) in [("/etc/x.conf", true), ("/etc/passwd", true), ("/etc/x", false)] {
        assert_eq!(tables.reads(&path(file)), wanted, "{file}");
    }
    insta::assert_snapshot!(after(change((0, 0))), @r"
    Error: `/etc/x.conf`, line 2: there is no group adm in the image
    Error: `/etc/x.conf`, line 3: there is no user other in the image
    ");
    assert!(after(change((1, 1))).starts_with("Warning"));
}

#[test]
fn many_programs_and_plugins_take_no_time() {
    let mut scene = Scene::new(Arch::Amd64);
    for number in 0..300 {
        let name = format!("lib{number}.so.1");
        let before = format!("lib{}.so.1", number / 2);
        let exports: Vec<String> = (0..200).map(|n| format!("s{number}_{n}")).collect();
        let exports: Vec<&str> = exports.iter().map(String::as_str).collect();
        let imports: Vec<String> = (0..100).map(|n| format!("s{}_{n}", number / 2)).collect();
        let imports: Vec<&str> = imports.iter().map(String::as_str).collect();
        scene.library(&name, &[before.as_str(), "libc.so.6"], &imports, &exports);
        let program = elf(Arch::Amd64, &[name.as_str(), "libc.so.6"], &["malloc@V1"], &[]);
        let interp = Some("/usr/lib/ld.so".to_owned());
        scene.elf(&format!("/usr/bin/p{number}"), ElfFacts { interp, ..program });
        scene.plugin(&format!("/usr/lib/p/{number}.so"), &[], &["prog_api"], &[]);
    }
    let begun = std::time::Instant::now();
    assert_eq!(scene.findings(), "");
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn the_shipped_tables_are_read() {
    let tables = Tables::parse(include_str!("../../../conf/verify.toml")).unwrap();
    assert!(tables.reads(&path("/etc/nginx/nginx.conf")));
    assert!(PathGlob::parse("/etc/nginx/**").unwrap().matches(&path("/etc/nginx/nginx.conf")));
    for wrong in ["scope = 1", "[[scope]]\nplugins = [\"x\"]\nhosts = []", "[other]"] {
        assert!(Tables::parse(wrong).is_err(), "{wrong}");
    }
}
