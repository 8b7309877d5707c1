use super::*;
use crate::overlay;
use crate::{Owner, Piece, Placed, TestStep};
use dmc_types::{Arch, ImagePath};

mod bad;
mod deploy;

/// A folder of one text, with group and summary before it unless it has its own.
fn folder(name: &str, text: &str) -> TemplateFolder {
    let head = if text.contains("group =") { "" } else { "group = \"base\"\nsummary = \"x\"\n" };
    let files =
        BTreeMap::from([(overlay::TEXT.to_owned(), format!("{head}{text}").into_bytes().into())]);
    TemplateFolder { name: name.to_owned(), files, origin: format!("templates/{name}") }
}

fn catalog(folders: &[(&str, &str)]) -> Catalog {
    Catalog::read(folders.iter().map(|(name, text)| folder(name, text)).collect())
}

fn with_file(mut folder: TemplateFolder, file: &str, bytes: &[u8]) -> TemplateFolder {
    folder.files.insert(file.to_owned(), bytes.to_vec().into());
    folder
}

fn path(text: &str) -> ImagePath {
    ImagePath::parse(text).unwrap()
}

#[test]
fn a_broken_template_does_not_stop_the_others() {
    let catalog = catalog(&[("bad", "x = 1"), ("child", "extends = [\"bad\"]"), ("good", "")]);
    assert!(catalog.get("good").is_ok());
    assert_eq!(catalog.broken().count(), 2);
    assert_eq!(catalog.group("base").unwrap(), [&"good".parse::<TemplateName>().unwrap()]);
    let error = catalog.group("bse").unwrap_err();
    assert_eq!(error.to_string(), "there is no group `bse`");
    assert_eq!(error.hint().unwrap(), "did you mean `base`?");
}

#[test]
fn parents_are_built_before_their_children() {
    let catalog = catalog(&[
        ("a", "extends = [\"z\"]"),
        ("m", "extends = [\"a\", \"part\"]"),
        ("part", "abstract = true"),
        ("z", ""),
    ]);
    let names: Vec<&str> = catalog.names().map(TemplateName::as_str).collect();
    assert_eq!(names, ["z", "a", "m"]);
    let parts = catalog.get("m").unwrap().parts().iter().map(TemplateName::as_str);
    assert_eq!(parts.collect::<Vec<_>>(), ["z", "a", "part", "m"]);
}

#[test]
fn the_order_of_some_depends_on_no_other_template() {
    let folders = [("aa", "extends = [\"z\"]"), ("b", ""), ("it", "extends = [\"z\"]"), ("z", "")];
    let all = catalog(&folders);
    let names: Vec<&str> = all.names().map(TemplateName::as_str).collect();
    assert_eq!(names, ["z", "aa", "b", "it"]);
    let asked = ["b", "it", "z", "gone"].map(|name| name.parse().unwrap()).into();
    for catalog in [all, catalog(&folders[1..])] {
        let order = catalog.in_order(&asked).into_iter().map(TemplateName::as_str);
        assert_eq!(order.collect::<Vec<_>>(), ["b", "z", "it"]);
    }
}

#[test]
fn a_circle_is_told_alike_whichever_of_it_is_asked_for() {
    let catalog = catalog(&[
        ("c", "extends = [\"b\"]"),
        ("a", "extends = [\"c\"]"),
        ("b", "extends = [\"a\"]"),
        ("below", "extends = [\"c\"]"),
    ]);
    let told = |name| catalog.get(name).unwrap_err().to_string();
    assert_eq!(told("c"), "templates extend each other in a circle: a → c → b → a");
    assert_eq!((told("a"), told("b")), (told("c"), told("c")));
    assert!(told("below").contains("`c`"), "{}", told("below"));
}

#[test]
fn lists_append_and_the_childs_word_stands() {
    let catalog = catalog(&[
        (
            "a",
            "packages = [\"aa\", \"bb\"]\nworkdir = \"/a\"\nenvironment = { X = \"a\", Y = \"a\" }",
        ),
        ("b", "packages = [\"bb\", \"cc\"]\nworkdir = \"/b\""),
        (
            "it",
            "extends = [\"a\", \"b\"]\npackages = [{ name = \"bb\", archive = \"other\" }]\n\
             workdir = \"/it\"\nenvironment = { X = \"it\" }",
        ),
        // It hears of /a by two ways, and of /it by one that overrules it.
        ("late", "extends = [\"it\", \"a\"]"),
    ]);
    for name in ["it", "late"] {
        let it = catalog.get(name).unwrap().for_arch(Arch::Amd64).unwrap();
        let packages = it.packages.iter().map(|package| (package.name.as_str(), &package.archive));
        let other = Some("other".to_owned());
        let wanted = [("aa", &None), ("cc", &None), ("bb", &other)];
        assert_eq!(packages.collect::<Vec<_>>(), wanted, "{name}");
        assert_eq!(it.image.workdir, Some(path("/it")), "{name}");
        let environment: Vec<&str> = it.image.environment.values().map(String::as_str).collect();
        assert_eq!(environment, ["it", "a"], "{name}");
    }
}

#[test]
fn parents_that_agree_do_not_clash() {
    let catalog = catalog(&[
        ("a", "stop_signal = \"SIGQUIT\"\nusers = [{ name = \"x\", uid = 7 }]"),
        ("b", "stop_signal = \"SIGQUIT\"\nusers = [{ name = \"x\", uid = 7 }]"),
        ("it", "extends = [\"a\", \"b\"]"),
    ]);
    let it = catalog.get("it").unwrap().for_arch(Arch::Amd64).unwrap();
    assert_eq!(it.image.stop_signal.as_deref(), Some("SIGQUIT"));
}

#[test]
fn private_files_win_and_modes_come_from_the_template() {
    let it = folder("it", "executable = [\"/usr/bin/*\"]");
    let it = with_file(it, "files/etc/x.conf", b"public");
    let it = with_file(it, "private.d/etc/x.conf", b"private");
    let it = with_file(it, "files/bin/run", b"#!/x");
    let it = with_file(it, "files/usr/lib/{triplet}/x.so", b"");
    let it = with_file(it, "README.md", b"for people");
    let catalog = Catalog::read(vec![it]);
    let it = catalog.get("it").unwrap();
    assert!(it.is_private());
    let placed = it.for_arch(Arch::Arm64).unwrap().placed;
    let shown: Vec<String> = placed
        .iter()
        .map(|(path, placed)| match placed {
            Placed::File { bytes, mode, private, .. } => {
                format!("{mode:04o} {path} {private} {}", String::from_utf8_lossy(bytes))
            }
            other => format!("{other:?}"),
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    0644 /etc/x.conf true private
    0755 /usr/bin/run false #!/x
    0644 /usr/lib/aarch64-linux-gnu/x.so false
    ");
}

#[test]
fn a_program_that_was_built_elsewhere_is_its_architectures_own() {
    let text = "version = \"1.4.0\"\nprograms = [\"/usr/bin/it\"]";
    let bare = Catalog::read(vec![folder("it", text)]);
    assert_eq!(bare.names().count() + bare.groups().len(), 0, "it is in no list yet");
    let refused = bare.get("it").unwrap_err();
    assert_eq!(refused.to_string(), "template `it` has no program `/usr/bin/it`");
    assert!(refused.hint().unwrap().contains("files-amd64/usr/bin/it"));

    let it = with_file(folder("it", text), "files-amd64/usr/bin/it", b"for amd64");
    let it = with_file(it, "files-arm64/bin/it", b"for arm64");
    let it = with_file(it, "files-arm64/etc/x", b"own");
    let it = with_file(it, "files/etc/x", b"every");
    let catalog = Catalog::read(vec![it]);
    let it = catalog.get("it").unwrap();
    let placed = |arch, at| match &it.for_arch(arch).unwrap().placed[&path(at)] {
        Placed::File { bytes, mode, .. } => format!("{mode:o} {}", String::from_utf8_lossy(bytes)),
        other => panic!("{other:?}"),
    };
    assert_eq!(placed(Arch::Amd64, "/usr/bin/it"), "755 for amd64");
    assert_eq!(placed(Arch::Arm64, "/usr/bin/it"), "755 for arm64");
    assert_eq!(placed(Arch::Amd64, "/etc/x"), "644 every");
    assert_eq!(placed(Arch::Arm64, "/etc/x"), "644 own");
    assert_eq!(it.for_arch(Arch::Amd64).unwrap().version.as_deref(), Some("1.4.0"));
    let refused = it.for_arch(Arch::Riscv64).unwrap_err();
    assert_eq!(refused.to_string(), "template `it` has no program `/usr/bin/it` for riscv64");
    assert!(refused.hint().unwrap().contains("files-riscv64/usr/bin/it"));
}

#[test]
fn a_childs_file_replaces_its_parents_link() {
    let up = folder("up", "links = { \"/etc/x\" = \"y\" }");
    let it = with_file(folder("it", "extends = [\"up\"]"), "files/etc/x", b"file");
    let catalog = Catalog::read(vec![up, it]);
    let placed = catalog.get("it").unwrap().for_arch(Arch::Amd64).unwrap().placed;
    assert!(matches!(&placed[&path("/etc/x")], Placed::File { bytes, .. } if **bytes == *b"file"));
}

#[test]
fn placeholders_that_come_to_one_path_are_seen() {
    let catalog = catalog(&[(
        "it",
        "links = { \"/usr/lib/{triplet}/x\" = \"{arch}\", \"/usr/lib/x86_64-linux-gnu/x\" = \"b\" }",
    )]);
    let it = catalog.get("it").unwrap();
    assert_eq!(
        it.for_arch(Arch::Amd64).unwrap_err().to_string(),
        "template `it` sets /usr/lib/x86_64-linux-gnu/x twice, differently"
    );
    let placed = it.for_arch(Arch::Arm64).unwrap().placed;
    let link = &placed[&path("/usr/lib/aarch64-linux-gnu/x")];
    assert_eq!(*link, Placed::Link("arm64".to_owned()));
}

#[test]
fn users_become_numbers() {
    let text = "accounts = [\"www-data\", \"adm\"]\n\
        users = [{ name = \"mysql\", uid = 100, gid = 101, groups = [\"adm\", \"www-data\"] }]\n";
    for (user, uid, gid) in [
        ("mysql", 100, 101),
        ("mysql:adm", 100, 4),
        ("www-data", 33, 33),
        ("root", 0, 0),
        ("33", 33, 33),
        ("100:0", 100, 0),
        ("4242", 4242, 0),
    ] {
        let catalog = catalog(&[("it", &format!("{text}user = \"{user}\""))]);
        let it = catalog.get("it").unwrap().for_arch(Arch::Amd64).unwrap();
        assert_eq!(it.image.user, Some(Owner { uid, gid }), "{user}");
        let groups: Vec<String> = it
            .groups
            .iter()
            .map(|group| format!("{}:{}:{}", group.name, group.gid, group.members.join(",")))
            .collect();
        assert_eq!(groups, ["adm:4:mysql", "mysql:101:", "www-data:33:mysql"]);
    }
}

#[test]
fn later_folders_replace_earlier_ones() {
    let other = folder("it", "workdir = \"/mine\"");
    let catalog = Catalog::read(vec![folder("it", ""), other]);
    let it = catalog.get("it").unwrap().for_arch(Arch::Amd64).unwrap();
    assert_eq!(it.image.workdir, Some(path("/mine")));
}

#[test]
fn whatever_could_change_the_image_changes_the_digest_input() {
    let row = |folders: Vec<TemplateFolder>| {
        Catalog::read(folders).get("it").unwrap().digest_input().to_vec()
    };
    let up = || folder("up", "abstract = true");
    let it = || folder("it", "extends = [\"up\"]");
    let plain = row(vec![up(), it()]);
    assert_eq!(plain, row(vec![it(), up(), folder("unrelated", "")]));
    for (why, other) in [
        ("text", vec![up(), folder("it", "extends = [\"up\"]\nports = [1]")]),
        ("file", vec![up(), with_file(it(), "files/x", b"")]),
        ("other file", vec![up(), with_file(it(), "files/y", b"")]),
        ("contents", vec![up(), with_file(it(), "files/x", b"y")]),
        ("parent's file", vec![with_file(up(), "files/x", b""), it()]),
    ] {
        assert_ne!(plain, row(other), "{why}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", name in "[a-z_]{1,12}", bytes: Vec<u8>) {
        let keyed = format!("group = \"x\"\nsummary = \"x\"\n{name} = {text:?}");
        for contents in [text.as_bytes(), keyed.as_bytes(), &bytes] {
            let it = with_file(folder("it", ""), overlay::TEXT, contents);
            let it = with_file(it, &format!("files/{text}"), &bytes);
            let catalog = Catalog::read(vec![it]);
            if let Ok(it) = catalog.get("it") {
                for arch in Arch::ALL {
                    it.for_arch(arch).ok();
                }
            }
        }
    }
}

#[test]
fn files_are_put_together_from_packages_files_and_text() {
    let catalog = catalog(&[(
        "it",
        "[[concat]]\npath = \"/x.sql\"\nparts = [{ text = \"use x;\\n\" }, \"/lib/{arch}/y.sql\"]\n\
         mode = \"0640\"",
    )]);
    let placed = catalog.get("it").unwrap().for_arch(Arch::Arm64).unwrap().placed;
    let Placed::Concat { parts, mode, owner } = &placed[&path("/x.sql")] else { panic!() };
    let wanted = [Piece::Text("use x;\n".into()), Piece::File(path("/usr/lib/arm64/y.sql"))];
    assert_eq!((parts.as_slice(), *mode, owner.uid), (&wanted[..], 0o640, 0));
    assert_eq!(placed[&path("/x.sql")].sources(), [&path("/usr/lib/arm64/y.sql")]);
}

#[test]
fn tests_are_read_as_they_are_written() {
    let text = r#"
[[test]]
name = "It serves"
http = { port = 8080, contains = "Welcome", lacks = ["a", "b"] }

[[test]]
name = "It lasts"
env = { WORD = "x" }
files = { "/run/key" = "key.txt", "/app" = "app/", "/run/word" = { text = "y" } }
companions = [{ template = "web", env = { A = "b" } }]
steps = [
    { exec = { args = ["true"], in = "web", within = "5s" } },
    { stop = {} },
    { start = { env = { WORD = "z" } } },
    { run = { in = "web", args = ["-h"] } },
    { file = { path = "/etc/passwd", contains = "root" } },
]
"#;
    let it = with_file(folder("it", text), "tests/key.txt", b"secret");
    let it = with_file(with_file(it, "tests/app/main", b"1"), "tests/app/lib/x", b"2");
    let catalog = Catalog::read(vec![it]);
    let tests = catalog.get("it").unwrap().tests();
    assert!(matches!(&tests[0].test.steps[..], [TestStep::Http(http)]
        if http.status == 200 && http.path == "/" && http.lacks.0 == ["a", "b"]));
    let lasts = &tests[1];
    assert!(matches!(
        &lasts.test.steps[..],
        [TestStep::Exec(_), TestStep::Stop(_), TestStep::Start(_), TestStep::Run(run), TestStep::File(_)]
            if run.r#in.is_some()
    ));
    assert_eq!(lasts.test.companions[0].template.as_str(), "web");
    let mounted: Vec<_> =
        lasts.test.scene.files.values().map(|file| lasts.folder.find(file)).collect();
    let wanted: [&[(&str, &[u8])]; 3] =
        [&[("lib/x", b"2"), ("main", b"1")], &[("", b"secret")], &[("", b"y")]];
    assert_eq!(mounted, wanted);
}

#[test]
fn a_childs_test_replaces_its_parents_of_that_name() {
    let test = |name: &str, port: u16| {
        format!("[[test]]\nname = \"{name}\"\nhttp = {{ port = {port} }}\n")
    };
    let parent = test("a", 1) + &test("b", 2);
    let child = format!("extends = [\"parent\"]\n{}{}", test("c", 3), test("a", 4));
    let catalog = catalog(&[("parent", &parent), ("child", &child)]);
    let ports = catalog.get("child").unwrap().tests().iter().map(|it| match &it.test.steps[0] {
        TestStep::Http(http) => (it.test.name.as_str(), http.port),
        other => panic!("{other:?}"),
    });
    assert_eq!(ports.collect::<Vec<_>>(), [("a", 4), ("b", 2), ("c", 3)]);
}

#[test]
fn what_tests_use_is_no_part_of_the_image() {
    let text = "[[test]]\nname = \"a\"\nfiles = { \"/x\" = \"x\" }\nrun = {}";
    let read = |bytes: &[u8]| {
        let catalog = Catalog::read(vec![with_file(folder("it", text), "tests/x", bytes)]);
        let template = catalog.get("it").unwrap().clone();
        assert_eq!(template.placed.len(), 0);
        template.digest_input
    };
    assert_eq!(read(b"1"), read(b"2"));
}

#[test]
fn accounts_of_packages_get_numbers_by_their_names() {
    let catalog = catalog(&[(
        "it",
        "accounts = [\"mysql\", \"fixed\", \"adm\"]\nuser = \"mysql\"\n\
         users = [{ name = \"fixed\", uid = 882, groups = [\"mysql\"] }]\n\
         directories = [{ path = \"/x\", owner = \"root:mysql\" }]",
    )]);
    let it = catalog.get("it").unwrap().for_arch(Arch::Amd64).unwrap();
    // 882 would be its number, were it not taken.
    assert_eq!(it.packaged_accounts, BTreeMap::from([("mysql".to_owned(), 883)]));
    assert_eq!(it.image.user, Some(Owner { uid: 883, gid: 883 }));
    let owner = Owner { uid: 0, gid: 883 };
    assert_eq!(it.placed[&path("/x")], Placed::Directory { mode: 0o755, owner });
    let groups: Vec<_> = it.groups.iter().map(|it| (&*it.name, it.gid, it.members.len())).collect();
    assert_eq!(groups, [("fixed", 882, 0), ("mysql", 883, 1)]);
}
