//! `dmc -a test` in real engines: as root, as an ordinary user, and broken off.

use crate::images::IMAGES;
use dmc_e2e::{Engine, Workplace, image, nginx, program, run, tool};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Fails where a run of tests has left something in an engine.
fn assert_nothing_is_left(engine: &Engine) {
    for list in [&["ps", "-a", "-q"][..], &["images", "-q"], &["volume", "ls", "-q"]] {
        let left = run(engine.command().args(list)).ok().stdout;
        assert_eq!(left, "", "{} {}", engine.name(), list.join(" "));
    }
}

fn mark(workplace: &Workplace) -> Option<String> {
    let files = fs::read_dir(workplace.out().join("dmc")).unwrap().map(|it| it.unwrap().path());
    let mut marks = files.filter(|path| path.to_str().unwrap().ends_with(".tested.json"));
    marks.next().map(|path| fs::read_to_string(path).unwrap())
}

const TEST: [&str; 5] = ["-a", "test", "-t", "nginx", "--engine"];

fn command(engine: &Engine, workplace: &Workplace) -> Command {
    engine.aim(workplace.dmc(&[&TEST[..], &[engine.name()]].concat()))
}

#[test]
fn the_templates_tests_hold_in_podman_and_docker() {
    let (workplace, _) = nginx();
    for engine in [Engine::podman(), Engine::docker()] {
        let told = run(&mut command(&engine, workplace)).ok();
        assert!(told.stdout.lines().count() >= 3, "{}", told.stdout);
        assert!(
            told.stdout.lines().all(|line| line.starts_with("ok test nginx ")),
            "{}",
            told.stdout
        );
        assert!(mark(workplace).is_some_and(|mark| mark.to_lowercase().contains(engine.name())));
        assert_nothing_is_left(&engine);
    }
}

/// Each with at least one test of its own or of a template that it extends.
#[test]
fn the_tests_of_every_shipped_template_hold_in_podman() {
    let engine = Engine::podman();
    // All before the first is tested: some stand beside others.
    let workplaces = IMAGES.map(|(template, _)| (template, image(template).0));
    for (template, workplace) in workplaces {
        let args = ["-a", "test", "-t", template, "--engine", engine.name()];
        let told = run(&mut engine.aim(workplace.dmc(&args))).ok().stdout;
        let ok = format!("ok test {template} ");
        assert!(!told.is_empty() && told.lines().all(|line| line.starts_with(&ok)), "{told}");
    }
    assert_nothing_is_left(&engine);
}

/// A workplace whose nginx has tests of a restart, of a companion, and one that fails.
fn workplace() -> Workplace {
    let workplace = Workplace::new();
    let folder = workplace.root().join("templates/nginx");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/nginx");
    fs::create_dir_all(workplace.root().join("templates")).unwrap();
    run(tool("cp", "coreutils").arg("-r").args([&shipped, &folder])).ok();
    fs::create_dir_all(folder.join("tests/site")).unwrap();
    fs::write(folder.join("tests/site/index.html"), "from the test's folder").unwrap();
    let text = fs::read_to_string(shipped.join("template.toml")).unwrap();
    let tests = r#"
[[test]]
name = "It ends in order and starts again"
files = { "/usr/share/nginx/html" = "site/" }
steps = [
    { http = { port = 8080, contains = "from the test's folder" } },
    { log = { contains = "GET / HTTP/1.0" } },
    { exec = { args = ["/usr/sbin/nginx", "-v"], contains = "nginx version" } },
    { stop = { within = "10s" } },
    { start = { args = ["-g", "daemon off; master_process off;"] } },
    { http = { port = 8080 } },
    { stop = { signal = "SIGKILL", status = 137 } },
]

[[test]]
name = "Another image stands in front of it"
companions = [{ template = "nginx", files = { "/etc/nginx/conf.d/default.conf" = { text = """
server { listen 8081; location / { proxy_pass http://127.0.0.1:8080; } }""" } } }]
http = { port = 8081, contains = "Welcome to nginx" }

[[test]]
name = "There is a page that is not there"
http = { port = 8080, path = "/nowhere" }
"#;
    fs::write(folder.join("template.toml"), text + tests).unwrap();
    workplace.create(&["-t", "nginx"]);
    workplace
}

#[test]
fn a_test_that_fails_is_shown_and_a_run_that_is_broken_off_leaves_nothing() {
    let workplace = workplace();
    for engine in [Engine::podman(), Engine::docker()] {
        let begun = Instant::now();
        let told = run(&mut command(&engine, &workplace));
        let whole = begun.elapsed();
        assert_eq!(told.code, Some(1), "{}", told.stderr);
        let failed: Vec<&str> =
            told.stdout.lines().filter(|line| line.starts_with("FAILED")).collect();
        assert_eq!(failed.len(), 1, "{}", told.stdout);
        assert!(failed[0].ends_with("There is a page that is not there"), "{}", failed[0]);
        for part in ["expected status 200, got 404", "404 Not Found", "\"GET /nowhere HTTP/1.0\""] {
            assert!(told.stdout.contains(part), "no `{part}` in:\n{}", told.stdout);
        }
        assert_eq!(mark(&workplace), None);
        assert_nothing_is_left(&engine);
        // In the beginning, in the middle, and towards the end, however fast the machine is.
        for (signal, code, wait) in [
            (Signal::INT, 130, whole / 10),
            (Signal::TERM, 143, whole / 3),
            (Signal::INT, 130, whole * 2 / 3),
        ] {
            let mut command = command(&engine, &workplace);
            let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(wait);
            kill_process(Pid::from_child(&child), signal).unwrap();
            let told = child.wait_with_output().unwrap();
            assert_eq!(told.status.code(), Some(code), "{}", String::from_utf8_lossy(&told.stderr));
            assert_nothing_is_left(&engine);
        }
    }
}

#[test]
fn an_ordinary_user_tests_with_podman() {
    let (shared, _) = nginx();
    let workplace = Workplace::new();
    let home = workplace.root().join("home");
    fs::write(
        home.join("containers.conf"),
        "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n",
    )
    .unwrap();
    run(tool("cp", "coreutils").arg("-r").arg(shared.out()).arg(&home)).ok();
    let _ = (tool("newuidmap", "uidmap"), tool("setpriv", "util-linux"));
    // A user of this test alone: the account files are others in a mount namespace of its own.
    let script = r#"set -e
for file in passwd group subuid subgid; do
  [ ! -e /etc/$file ] || cp /etc/$file "$1/$file"
done
echo "dmc-e2e:x:2345:2345::$1:/bin/sh" >> "$1/passwd"
echo "dmc-e2e:x:2345:" >> "$1/group"
echo "dmc-e2e:200000:65536" | tee -a "$1/subuid" >> "$1/subgid"
mkdir -m 700 "$1/run"
cp "$2" "$1/dmc"
chown -R 2345:2345 "$1"
for file in passwd group subuid subgid; do
  mount --bind "$1/$file" /etc/$file
done
cd "$1"
exec setpriv --reuid 2345 --regid 2345 --clear-groups env -i PATH="$PATH" HOME="$1" \
  XDG_RUNTIME_DIR="$1/run" CONTAINERS_CONF="$1/containers.conf" \
  ./dmc --store store --out out -a test -t nginx --engine podman
"#;
    let mut command = tool("unshare", "util-linux");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(&home).arg(program());
    let told = run(&mut command).ok();
    assert!(told.stdout.lines().count() >= 3, "{}", told.stdout);
    assert!(told.stdout.lines().all(|line| line.starts_with("ok test nginx ")), "{}", told.stdout);
}
