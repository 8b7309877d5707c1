//! The shipped templates' images: what is in them, how small they are, and that they serve.

use dmc_e2e::{Arm64, Container, Done, Engine, Tree, confined, image, need_root};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ARCHS: [&str; 2] = ["amd64", "arm64"];

/// Every image of these tests, and the bytes that its layer for amd64 has at most.
pub(crate) const IMAGES: [(&str, u64); 14] = [
    ("nonroot", 20_000),
    ("tls-roots", 400_000),
    ("tzdata", 300_000),
    ("static", 600_000),
    ("libc", 2_300_000),
    ("cc", 3_800_000),
    ("supervised", 3_500_000),
    ("nginx", 5_350_000),
    ("php", 12_200_000),
    ("adminer", 12_600_000),
    ("python", 13_000_000),
    ("mariadb", 16_700_000),
    ("mariadb-client", 11_500_000),
    ("nodejs", 39_000_000),
];

/// What a template's tests lay into its container.
fn tests_of(template: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates").join(template);
    folder.join("tests").canonicalize().unwrap().to_str().unwrap().to_owned()
}

fn size(tree: &Tree, kind: impl Fn(&[u8]) -> bool) -> usize {
    tree.0.values().filter(|item| item.kind.is_file() && kind(&item.content)).count()
}

#[test]
fn images_are_small_and_hold_no_shell_no_setuid_file_and_no_device() {
    let shells = ["sh", "bash", "dash", "busybox", "ash", "perl", "apt-get", "dpkg"];
    for (template, most) in IMAGES {
        let (_, built) = image(template);
        for arch in ARCHS {
            let tree = built.layout.tree(&built.digest, arch);
            for (path, item) in &tree.0 {
                assert_eq!(item.mode & 0o6000, 0, "{template}, {arch}: {path} is setuid or setgid");
                let device = item.kind.is_block_special() || item.kind.is_character_special();
                assert!(!device, "{template}, {arch}: {path} is a device");
                let (folder, name) = path.rsplit_once('/').unwrap();
                let program = folder.ends_with("/bin") || folder.ends_with("/sbin");
                let shell = program && shells.contains(&name);
                assert!(!shell, "{template}, {arch}: {path} is there");
            }
            let bytes = built.layout.layer_size(&built.digest, arch);
            let elf = size(&tree, |content| content.starts_with(b"\x7fELF"));
            let scripts = size(&tree, |content| content.starts_with(b"#!"));
            let packages = tree.packages().len();
            println!(
                "{template} {arch}: {bytes} bytes, {packages} packages, {elf} ELF files, {scripts} scripts"
            );
            assert!(arch != "amd64" || bytes <= most, "{template} has {bytes} bytes");
        }
    }
}

#[test]
fn no_image_runs_as_root() {
    for (template, _) in IMAGES {
        let (_, built) = image(template);
        for arch in ARCHS {
            let config = built.layout.config(&built.digest, arch);
            let user = config["config"]["User"].as_str().unwrap_or_default();
            let (uid, gid) = user.split_once(':').expect("two numbers");
            let ids = [uid, gid].map(|id| id.parse::<u32>().unwrap());
            assert!(ids.iter().all(|id| *id > 0), "{template} runs as {user}");
        }
    }
}

/// Runs an image with a folder of the machine's at `/app`.
fn with_app(engine: &Engine, image: &str, app: &str, args: &[&str]) -> Done {
    let mount = format!("{app}:/app:ro");
    confined(engine, &["-v", &mount], &[&[image], args].concat())
}

#[test]
fn all_of_python_works() {
    let engine = Engine::podman();
    let (_, built) = image("python");
    let image = engine.take(&built, "amd64");
    let done = with_app(&engine, &image, &tests_of("python"), &["works.py"]).ok();
    assert!(done.stdout.ends_with("all works\n"), "{}", done.stdout);
}

#[test]
fn all_of_node_works() {
    let engine = Engine::podman();
    let (_, built) = image("nodejs");
    let image = engine.take(&built, "amd64");
    let done = with_app(&engine, &image, &tests_of("nodejs"), &["works.js"]).ok();
    assert!(done.stdout.ends_with("all works\n"), "{}", done.stdout);
}

/// A folder with the files given, for `/app`.
fn app(engine: &Engine, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = engine.folder().join(name);
    for (path, text) in files {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

/// Why, files, arguments, exit code, what is said.
type Start<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], i32, &'a str);

fn starts(template: &str, table: &[Start<'_>]) {
    let engine = Engine::podman();
    let (_, built) = image(template);
    let image = engine.take(&built, "amd64");
    for (number, (why, files, args, code, said)) in table.iter().enumerate() {
        let folder = app(&engine, &format!("app{number}"), files);
        fs::create_dir_all(&folder).unwrap();
        let done = with_app(&engine, &image, folder.to_str().unwrap(), args);
        let all = format!("{}{}", done.stdout, done.stderr);
        assert_eq!(done.code, Some(*code), "{why}: {all}");
        assert!(all.contains(said), "{why}: {all}");
    }
}

#[test]
fn python_starts_what_the_projects_metadata_name_and_arguments_override() {
    let main = "import os, sys\nprint('runs', __name__, os.getpid(), sys.argv[1:])\n";
    let here = ("my_app/__main__.py", main);
    #[rustfmt::skip]
    starts("python", &[
        ("project", &[("pyproject.toml", "[project]\nname = 'My-App'\n"), here], &[], 0, "runs __main__ 1 []"),
        ("src layout", &[("pyproject.toml", "[project]\nname = 'my-app'\n"), ("src/my_app/__main__.py", main)], &[], 0, "runs __main__ 1 []"),
        ("one file", &[("pyproject.toml", "[project]\nname = 'one'\n"), ("one.py", main)], &[], 0, "runs __main__ 1 []"),
        ("poetry", &[("pyproject.toml", "[tool.poetry]\nname = 'my-app'\n"), here], &[], 0, "runs"),
        ("setup.cfg", &[("pyproject.toml", "[build-system]\nrequires = []\n"), ("setup.cfg", "[metadata]\nname = my_app\n"), here], &[], 0, "runs"),
        ("setup.py", &[("setup.py", "import setuptools\nsetuptools.setup(name='my-app')\n"), here], &[], 0, "runs"),
        ("its own status", &[("pyproject.toml", "[project]\nname = 'one'\n"), ("one.py", "raise SystemExit(7)")], &[], 7, ""),
        ("arguments", &[("pyproject.toml", "[project]\nname = 'my-app'\n"), here, ("x.py", "print('other')")], &["x.py"], 0, "other"),
        ("code", &[], &["-c", "print(6 * 7)"], 0, "42"),
        ("nothing", &[], &[], 1, "there is no pyproject.toml, setup.cfg or setup.py in /app"),
        ("no name", &[("setup.cfg", "[options]\n")], &[], 1, "no name of the project"),
        ("not TOML", &[("pyproject.toml", "[project")], &[], 1, "/app/pyproject.toml cannot be read"),
        ("name is no text", &[("pyproject.toml", "[project]\nname = 3\n")], &[], 1, "no name of the project"),
        ("tables that are none", &[("pyproject.toml", "project = 1\ntool = 2\n")], &[], 1, "/app/pyproject.toml cannot be read"),
        ("no module", &[("pyproject.toml", "[project]\nname = 'gone'\n")], &[], 1, "`python -m gone` finds nothing to run"),
        ("nothing to run", &[("pyproject.toml", "[project]\nname = 'lib'\n"), ("lib/__init__.py", "")], &[], 1, "finds nothing to run"),
    ]);
}

#[test]
fn node_starts_what_package_json_says_without_a_shell_and_arguments_override() {
    let main = (
        "a.js",
        "console.log('runs', require.main === module, process.argv.slice(2), process.env.FOO, process.pid)",
    );
    let module = ("b.mjs", "console.log('module', process.argv.slice(2), process.pid)");
    let script = |start: &str| format!("{{\"scripts\": {{\"start\": {start:?}}}}}");
    let package = |text: &'static str| ("package.json", text);
    let quoted = script("FOO='x y' node a.js \"1 2\" 3\\ 4");
    let option = script("node --no-warnings a.js");
    let status = script("node -e process.exit(7)".replace('(', "\\(").replace(')', "\\)").as_str());
    let (both, open) = (script("node a.js && node b.mjs"), script("node 'a.js"));
    let (variable, gone) = (script("node $FILE"), script("gone x"));
    #[rustfmt::skip]
    starts("nodejs", &[
        ("words", &[("package.json", &quoted), main], &[], 0, "runs true [ '1 2', '3 4' ] x y 1\n"),
        ("module", &[package(r#"{"scripts": {"start": "node ./b.mjs 5"}}"#), module], &[], 0, "module [ '5' ] 1\n"),
        ("option of node", &[("package.json", &option), main], &[], 0, "runs true"),
        ("its own status", &[("package.json", &status)], &[], 7, ""),
        ("server.js", &[package("{}"), ("server.js", main.1)], &[], 0, "runs true"),
        ("main", &[package(r#"{"main": "a"}"#), main], &[], 0, "runs true"),
        ("index.js", &[("index.js", main.1)], &[], 0, "runs true"),
        ("a tool", &[package(r#"{"scripts": {"start": "tool 9"}}"#), ("node_modules/.bin/tool", "#!/usr/bin/env node\nconsole.log('tool', process.argv[2], process.pid)")], &[], 0, "tool 9 1"),
        ("arguments", &[("package.json", &both), module], &["b.mjs"], 0, "module [] 1"),
        ("for a shell", &[("package.json", &both)], &[], 1, "`&` in scripts.start is for a shell"),
        ("variable", &[("package.json", &variable)], &[], 1, "`$` in scripts.start is for a shell"),
        ("open quote", &[("package.json", &open)], &[], 1, "a ' is not closed"),
        ("no program", &[("package.json", &gone)], &[], 127, "gone cannot be run"),
        ("not JSON", &[package("{")], &[], 1, "/app/package.json cannot be read"),
        ("nothing", &[], &[], 1, "there is no package.json in /app"),
    ]);
}

#[test]
fn servers_of_python_and_node_end_at_once_when_they_are_stopped() {
    let engine = Engine::podman();
    let server = "require('http').createServer(() => {}).listen(8080, () => console.log('up'))";
    let folder = app(&engine, "app", &[("server.js", server)]);
    let mount = format!("{}:/app:ro", folder.display());
    for (template, args, up, code) in
        [("python", &["-m", "http.server"][..], "Serving", 0), ("nodejs", &[], "up", 143)]
    {
        let (_, built) = image(template);
        let name = engine.take(&built, "amd64");
        let command = [&[name.as_str()], args].concat();
        let container = Container::alone(&engine, &["-v", &mount], &command);
        wait_for(|| container.logs().stdout.contains(up));
        let start = Instant::now();
        assert_eq!(container.stop(), code, "{template}: {:?}", container.logs());
        assert!(start.elapsed() < Duration::from_secs(8), "{template}: {:?}", start.elapsed());
    }
}

/// Waits for what comes true within a minute or two; emulated processors are slow.
#[track_caller]
pub(crate) fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_mins(2), "it did not come true");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A service that says that it runs and then dies, and one that stays.
const DIES: &str =
    "#!/usr/lib/execline/bin/execlineb -P\nforeground { s6-svstat -o pid . }\nexit 1\n";
const STAYS: &str = "#!/usr/lib/execline/bin/execlineb -P\nif { s6-svok . }\nforeground { s6-svstat -o up . }\ns6-svwait -d .\n";

fn supervises(engine: &Engine, arch: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let (_, built) = image("supervised");
    let image = engine.take(&built, arch);
    let folder = app(engine, "services", &[("dies/run", DIES), ("stays/run", STAYS)]);
    for name in ["dies", "stays"] {
        let run = folder.join(name).join("run");
        fs::set_permissions(run, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mount = format!("{}:/etc/s6:ro", folder.display());
    let container = Container::alone(engine, &["--arch", arch, "-v", &mount], &[&image]);
    let numbers = || {
        let said = container.logs().stdout;
        said.lines().filter_map(|line| line.parse::<u32>().ok()).collect::<Vec<_>>()
    };
    wait_for(|| numbers().len() >= 3);
    let seen = numbers();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "the same process: {seen:?}");
    assert_eq!(container.stop(), 0, "{:?}", container.logs());
}

#[test]
fn a_service_that_dies_is_started_again_and_a_stop_ends_all() {
    supervises(&Engine::podman(), "amd64");
}

#[test]
fn images_for_arm64_run_under_qemu() {
    need_root("it starts containers");
    let _arm64 = Arm64::runnable();
    let engine = Engine::podman();
    supervises(&engine, "arm64");
    for (template, script) in [("python", "works.py"), ("nodejs", "works.js")] {
        let (_, built) = image(template);
        let name = engine.take(&built, "arm64");
        let mount = format!("{}:/app:ro", tests_of(template));
        let options = ["--arch", "arm64", "-v", &mount];
        let done = confined(&engine, &options, &[&name, script, "some"]).ok();
        assert!(done.stdout.ends_with("all works\n"), "{}", done.stdout);
    }
}
