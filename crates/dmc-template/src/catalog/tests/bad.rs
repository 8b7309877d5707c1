//! What a person reads who made a mistake.

use super::*;
use std::fmt::Write;

/// What is wrong with the template `it`, with causes and hint, as a person reads it.
fn complaint(catalog: &Catalog) -> String {
    let error = catalog.get("it").unwrap_err();
    let mut shown = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        write!(shown, "\n  cause: {error}").unwrap();
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        write!(shown, "\n  hint: {hint}").unwrap();
    }
    shown
}

fn complaints(table: &[(&str, &[(&str, &str)])]) -> String {
    let rows = table.iter().map(|(why, folders)| {
        let shown = complaint(&catalog(folders));
        format!("# {why}\n{shown}\n")
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn texts(table: &[(&str, &str)]) -> String {
    let rows = table
        .iter()
        .map(|(why, text)| format!("# {why}\n{}\n", complaint(&catalog(&[("it", text)]))));
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_wrong_key_is_shown_with_its_line() {
    let shown = texts(&[
        ("unknown key", "pakages = [\"nginx\"]"),
        ("unknown key that is like none", "deployment = 1"),
        ("unknown key of a table", "[[users]]\nname = \"x\"\nuid = 1\nhoem = \"/\""),
        ("wrong type", "packages = \"nginx\""),
        ("missing key", "group = \"base\""),
        ("not TOML", "packages = [\"nginx\""),
        ("the same key twice", "packages = []\npackages = []"),
        ("string entrypoint", "entrypoint = \"nginx -g 'daemon off;'\""),
    ]);
    insta::assert_snapshot!(shown, @r#"
    # unknown key
    templates/it/template.toml, line 3: unknown key `pakages`
      3 | pakages = ["nginx"]
      hint: did you mean `packages`?

    # unknown key that is like none
    templates/it/template.toml, line 3: unknown key `deployment`
      3 | deployment = 1
      hint: known are group, summary, description, abstract, extends, mode, version_from, version, packages, packages_like, roots, include, exclude, programs, extensions, extension, links, spare_links, copies, concat, files, directories, executable, accounts, users, user_groups, environment, entrypoint, cmd, user, workdir, volumes, ports, stop_signal, healthcheck, labels, deploy, run, test

    # unknown key of a table
    templates/it/template.toml, line 6: unknown key `hoem`
      6 | hoem = "/"
      hint: did you mean `home`?

    # wrong type
    templates/it/template.toml, line 3: invalid type: string "nginx", expected an array
      3 | packages = "nginx"

    # missing key
    templates/it/template.toml, line 1: the key `summary` is missing
      1 | group = "base"

    # not TOML
    templates/it/template.toml, line 3: unclosed array, expected `]`
      3 | packages = ["nginx"

    # the same key twice
    templates/it/template.toml, line 4: duplicate key
      4 | packages = []

    # string entrypoint
    templates/it/template.toml, line 3: invalid type: string "nginx -g 'daemon off;'", expected an array such as ["nginx", "-t"]: no shell splits a string
      3 | entrypoint = "nginx -g 'daemon off;'"
    "#);
}

#[test]
fn a_wrong_value_is_shown_with_its_line() {
    let shown = texts(&[
        ("bad mode", "directories = [{ path = \"/tmp\", mode = \"0999\" }]"),
        ("setuid", "directories = [{ path = \"/tmp\", mode = \"4755\" }]"),
        ("mode as a number", "directories = [{ path = \"/tmp\", mode = 755 }]"),
        ("bad glob", "include = [\"/etc/[\"]"),
        ("relative glob", "include = [\"etc/x\"]"),
        ("relative root", "roots = [\"usr/sbin/nginx\"]"),
        ("climbing root", "roots = [\"/usr/../sbin/nginx\"]"),
        ("placeholder that is none", "roots = [\"/usr/lib/{tripelt}/x\"]"),
        ("bad package", "packages = [\"Nginx\"]"),
        ("package without archive", "packages = [{ name = \"nginx\" }]"),
        ("bad parent", "extends = [\"Mini Mal\"]"),
        ("port 0", "ports = [0]"),
        ("port of another protocol", "ports = [\"80/sctp\"]"),
        ("signal", "stop_signal = \"QUIT\""),
        ("period", "[healthcheck]\ntest = [\"x\"]\ninterval = \"often\""),
        ("user name", "user = \"Nginx\""),
        ("gecos", "users = [{ name = \"x\", uid = 1, gecos = \"a:b\" }]"),
        ("test of nothing", "[[test]]\nname = \"It works\""),
        ("test of two things", "[[test]]\nname = \"x\"\nhttp = { port = 1 }\nrun = {}"),
        ("step of nothing", "[[test]]\nname = \"x\"\nsteps = [{}]"),
        ("step of another kind", "[[test]]\nname = \"x\"\nsteps = [{ curl = {} }]"),
        ("file that is not there", "[[test]]\nname = \"x\"\nfiles = { \"/x\" = \"y\" }\nrun = {}"),
        ("variable", "environment = { \"A=B\" = \"c\" }"),
    ]);
    insta::assert_snapshot!(shown, @r#"
    # bad mode
    templates/it/template.toml, line 3: `0999` is not a mode: three or four octal digits from "000" to "1777", in quotes
      3 | directories = [{ path = "/tmp", mode = "0999" }]

    # setuid
    templates/it/template.toml, line 3: `4755` is not a mode: three or four octal digits from "000" to "1777", in quotes
      3 | directories = [{ path = "/tmp", mode = "4755" }]

    # mode as a number
    templates/it/template.toml, line 3: invalid type: integer `755`, expected a string
      3 | directories = [{ path = "/tmp", mode = 755 }]

    # bad glob
    templates/it/template.toml, line 3: `/etc/[` is not a pattern of paths: unclosed character class; missing ']'
      3 | include = ["/etc/["]

    # relative glob
    templates/it/template.toml, line 3: `etc/x` is not a pattern of paths: it must begin with `/`
      3 | include = ["etc/x"]

    # relative root
    templates/it/template.toml, line 3: `usr/sbin/nginx` is not a path of an image: it must begin with `/`
      3 | roots = ["usr/sbin/nginx"]

    # climbing root
    templates/it/template.toml, line 3: `/usr/../sbin/nginx` is not a path of an image: it has a `.` or `..` part
      3 | roots = ["/usr/../sbin/nginx"]

    # placeholder that is none
    templates/it/template.toml, line 3: `/usr/lib/{tripelt}/x` is not a text with placeholders: `{triplet}` and `{arch}` are the placeholders
      3 | roots = ["/usr/lib/{tripelt}/x"]

    # bad package
    templates/it/template.toml, line 3: `Nginx` is not a package name: two or more lower-case letters, digits, `+`, `-` and `.`, the first a letter or digit
      3 | packages = ["Nginx"]

    # package without archive
    templates/it/template.toml, line 3: the key `archive` is missing
      3 | packages = [{ name = "nginx" }]

    # bad parent
    templates/it/template.toml, line 3: `Mini Mal` is not a template name: lower-case letters and digits, parts joined by one `.`, `_` or `-`
      3 | extends = ["Mini Mal"]

    # port 0
    templates/it/template.toml, line 3: `0` is not a port: a number from 1 to 65535, with `/tcp` or `/udp`
      3 | ports = [0]

    # port of another protocol
    templates/it/template.toml, line 3: `80/sctp` is not a port: a number from 1 to 65535, with `/tcp` or `/udp`
      3 | ports = ["80/sctp"]

    # signal
    templates/it/template.toml, line 3: `QUIT` is not a signal: a name such as "SIGTERM", "SIGQUIT" or "SIGRTMIN+3"
      3 | stop_signal = "QUIT"

    # period
    templates/it/template.toml, line 5: `often` is not a length of time: a number with ms, s or m
      5 | interval = "often"

    # user name
    templates/it/template.toml, line 3: `Nginx` is not a user or group name: at most 32 lower-case letters, digits, `-` and `_`, the first a letter or `_`
      3 | user = "Nginx"

    # gecos
    templates/it/template.toml, line 3: `a:b` is not a comment of passwd: text without `:` and control signs
      3 | users = [{ name = "x", uid = 1, gecos = "a:b" }]

    # test of nothing
    templates/it/template.toml, line 3: `It works` is not a test: it has one of `http`, `run`, `exec`, `file`, `log` and `stop`, or `steps`
      3 | [[test]]

    # test of two things
    templates/it/template.toml, line 3: `x` is not a test: it has one of `http`, `run`, `exec`, `file`, `log` and `stop`, or `steps`
      3 | [[test]]

    # step of nothing
    templates/it/template.toml, line 5: `{ … }` is not a step of a test: it has one of `http`, `exec`, `run`, `file`, `log`, `stop` and `start`
      5 | steps = [{}]

    # step of another kind
    templates/it/template.toml, line 5: unknown key `curl`
      5 | steps = [{ curl = {} }]
      hint: known are http, exec, run, file, log, stop, start

    # file that is not there
    template `it`: the test `x` names `y`, which `tests/` does not hold
      hint: put it below the template's tests/, or write { text = "…" }

    # variable
    templates/it/template.toml, line 3: `A=B` is not a name of an environment variable: text without `=` and control signs
      3 | environment = { "A=B" = "c" }
    "#);
}

#[test]
fn a_wrong_word_on_clusters_is_shown_with_its_line() {
    let shown = texts(&[
        ("probe of two things", "[deploy]\nprobe = { tcp = 80, exec = [\"x\"] }"),
        ("amount of nothing", "[deploy]\nrequests = { cpu = \"0m\" }"),
        ("mount at no path", "[deploy]\nscratch = { \"run\" = \"1Mi\" }"),
        ("name of no object", "[deploy]\nsecrets = { \"/x\" = \"My_Secret\" }"),
        ("configuration that is not there", "[deploy]\nconfig = { \"/x\" = \"y\" }"),
    ]);
    insta::assert_snapshot!(shown, @r#"
    # probe of two things
    templates/it/template.toml, line 4: `{ … }` is not a probe: it has one of `http`, `tcp` and `exec`
      4 | probe = { tcp = 80, exec = ["x"] }

    # amount of nothing
    templates/it/template.toml, line 4: `0m` is not a quantity: a number such as "2", "0.5", "100m", "64Mi" or "8Gi", and more than none
      4 | requests = { cpu = "0m" }

    # mount at no path
    templates/it/template.toml, line 4: `run` is not a path in a container: absolute, with no `.`, `..`, `:` or placeholder in it
      4 | scratch = { "run" = "1Mi" }

    # name of no object
    templates/it/template.toml, line 4: `My_Secret` is not a name of an object: at most 253 lower-case letters and digits, parts joined by `.` or `-`
      4 | secrets = { "/x" = "My_Secret" }

    # configuration that is not there
    template `it`: [deploy] names `y`, which `deploy/` does not hold
      hint: put it below the template's deploy/, or write { text = "…" }
    "#);
}

#[test]
fn a_wrong_family_is_named() {
    insta::assert_snapshot!(complaints(&[
        ("no such template", &[("mit", ""), ("its", "")]),
        ("nothing like it", &[("nginx", "")]),
        ("unknown parent", &[("it", "extends = [\"minmal\"]"), ("minimal", "")]),
        ("broken parent", &[("it", "extends = [\"up\"]"), ("up", "goup = 1")]),
        (
            "circle",
            &[
                ("a", "extends = [\"it\"]"),
                ("b", "extends = [\"a\"]"),
                ("it", "extends = [\"b\"]"),
            ]
        ),
        ("itself", &[("it", "extends = [\"it\"]")]),
        ("abstract", &[("it", "abstract = true")]),
        ("abstract, but used", &[("it", "abstract = true"), ("b", "extends = [\"it\"]")]),
        (
            "clash of a single value",
            &[
                ("a", "workdir = \"/a\""),
                ("b", "workdir = \"/b\""),
                ("it", "extends = [\"a\", \"b\"]"),
            ]
        ),
        (
            "clash of paths",
            &[
                ("a", "links = { \"/lib/x\" = \"a\" }"),
                ("b", "directories = [{ path = \"/usr/lib/x/\" }]"),
                ("it", "extends = [\"a\", \"b\"]"),
            ]
        ),
        (
            "two things at one path",
            &[("it", "links = { \"/x\" = \"a\" }\ncopies = { \"/x\" = \"/b\" }")]
        ),
    ]), @r"
    # no such template
    there is no template `it`
      hint: did you mean `its`?

    # nothing like it
    there is no template `it`
      hint: known are nginx

    # unknown parent
    template `it` extends `minmal`, which does not exist
      hint: did you mean `minimal`?

    # broken parent
    template `it` extends `up`, which cannot be used
      cause: templates/up/template.toml, line 3: unknown key `goup`
      3 | goup = 1
      hint: did you mean `group`?

    # circle
    templates extend each other in a circle: a → it → b → a
      hint: take one of them out of another's `extends`

    # itself
    templates extend each other in a circle: it → it
      hint: take one of them out of another's `extends`

    # abstract
    template `it` is abstract: no image is built from it
      hint: write a template that extends it

    # abstract, but used
    template `it` is abstract: no image is built from it
      hint: build one that extends it: b

    # clash of a single value
    template `it`: `a` and `b` both set `workdir`, differently
      hint: set `workdir` in `it` to say which it is

    # clash of paths
    template `it`: `a` and `b` both set /usr/lib/x, differently
      hint: set /usr/lib/x in `it` to say which it is

    # two things at one path
    template `it` sets /x twice, differently
      hint: leave one of them out
    ");
}

#[test]
fn a_wrong_account_is_named() {
    insta::assert_snapshot!(complaints(&[
        ("user without definition", &[("it", "user = \"nginx\"")]),
        ("user not taken", &[("it", "user = \"www-data\"")]),
        ("user misspelt", &[("it", "accounts = [\"*\"]\nuser = \"www-date\"")]),
        ("account misspelt", &[("it", "accounts = [\"Www-data\"]")]),
        ("owner", &[("it", "directories = [{ path = \"/x\", owner = \"root:wheel\" }]")]),
        (
            "group of a user",
            &[("it", "users = [{ name = \"x\", uid = 1, groups = [\"adm\"] }]")]
        ),
        (
            "one number for two",
            &[("it", "users = [{ name = \"a\", uid = 1 }, { name = \"b\", uid = 1 }]")]
        ),
        (
            "a number of base-passwd",
            &[("it", "accounts = [\"*\"]\nusers = [{ name = \"a\", uid = 33 }]")]
        ),
        (
            "two parents that differ",
            &[
                ("a", "users = [{ name = \"a\", uid = 1 }]"),
                ("b", "users = [{ name = \"a\", uid = 2 }]"),
                ("it", "extends = [\"a\", \"b\"]"),
            ]
        ),
        (
            "one group number for two",
            &[("it", "user_groups = [{ name = \"a\", gid = 1 }, { name = \"b\", gid = 1 }]")]
        ),
    ]), @r"
    # user without definition
    template `it`: `user` names `nginx`, which nothing defines
      hint: define it under [[users]], or take it by `accounts`

    # user not taken
    template `it`: `user` names `www-data`, which nothing defines
      hint: define it under [[users]], or take it by `accounts`

    # user misspelt
    template `it`: `user` names `www-date`, which nothing defines
      hint: did you mean `www-data`?

    # account misspelt
    template `it`: `accounts` names `Www-data`, which nothing defines
      hint: did you mean `www-data`?

    # owner
    template `it`: /x names `wheel`, which nothing defines
      hint: define it under [[users]], or take it by `accounts`

    # group of a user
    template `it`: user `x` names `adm`, which nothing defines
      hint: define it under [[users]], or take it by `accounts`

    # one number for two
    template `it`: user a (1) and user b (1) cannot both be
      hint: give each name one number of its own

    # a number of base-passwd
    template `it`: user www-data (33) and user a (33) cannot both be
      hint: give each name one number of its own

    # two parents that differ
    template `it`: `a` and `b` both set user `a`, differently
      hint: set user `a` in `it` to say which it is

    # one group number for two
    template `it`: group a (1) and group b (1) cannot both be
      hint: give each name one number of its own
    ");
}

#[test]
fn a_wrong_folder_is_named() {
    let stray = with_file(folder("it", ""), "file/etc/x", b"");
    let climbing = with_file(folder("it", ""), "files/../x", b"");
    let not_text = with_file(folder("it", ""), overlay::TEXT, b"group = \"\xff\"");
    let long = with_file(folder("it", ""), overlay::TEXT, &vec![b'\n'; (1 << 20) + 1]);
    let mut empty = folder("it", "");
    empty.files.clear();
    let shown: Vec<String> = [stray, climbing, not_text, long, empty]
        .into_iter()
        .map(|folder| complaint(&Catalog::read(vec![folder])))
        .collect();
    insta::assert_snapshot!(shown.join("\n\n"), @r#"
    the folder templates/it holds `file/etc/x`, which goes nowhere
      hint: files of the image go below files/, files-ARCH/ or private.d/, those of tests below tests/, those that a cluster mounts below deploy/

    the overlay of templates/it cannot hold `files/../x`
      cause: `/../x` is not a path of an image: it has a `.` or `..` part

    templates/it/template.toml, line 1: the text is not UTF-8
      1 | group = "

    templates/it/template.toml, line 1: the file is longer than 1 MiB
      1 | 

    the folder templates/it has no template.toml
      hint: write one, or remove the folder
    "#);
    let unnamed = Catalog::read(vec![folder("Not_A_Name_", "")]);
    let shown: Vec<String> = unnamed.broken().map(ToString::to_string).collect();
    assert_eq!(shown, ["the folder templates/Not_A_Name_ cannot be a template"]);
}
