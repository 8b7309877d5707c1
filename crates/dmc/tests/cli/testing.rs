//! `-a test` against an engine that does nothing but keep a record, with real requests to a
//! server of the test's own.

use crate::stage::Stage;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What stands in for podman. Programs that are run print their arguments; the last one is what
/// they are told to do.
const ENGINE: &str = r#"#!/bin/sh
echo "$*" >> "$CALLS"
for last; do :; done
case "$1" in
  --version) echo "podman version 0" ;;
  load) cat > /dev/null; echo "Loaded image: x" ;;
  run) rm -f "$CALLS.ended"; [ "$last" != slow ] || sleep 1 ;;
  create) echo "$last" > "$CALLS.last" ;;
  start) read -r last < "$CALLS.last"; echo "it ran $last"; [ "$last" != fail ] || exit 3 ;;
  exec) cat; echo "it executed $last" ;;
  inspect)
    case "$3" in
      *Pid*) echo 1 ;;
      *) if [ -e "$CALLS.ended" ]; then echo "false 0"; else echo "true 0"; fi ;;
    esac ;;
  kill) : > "$CALLS.ended" ;;
  logs) echo "last words" ;;
esac
"#;

/// What stands in for nsenter: there is no namespace to enter.
const ENTER: &str = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";

fn stage(tests: &str) -> Stage {
    let stage = Stage::new();
    for (name, text) in [("podman", ENGINE), ("nsenter", ENTER)] {
        stage.write(&format!("bin/{name}"), text.as_bytes());
        let path = stage.path("bin").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    template(&stage, tests);
    stage.run(&["-t", "web", "-A", "amd64"]).good();
    stage
}

fn template(stage: &Stage, tests: &str) {
    let keys = "packages = [\"nginx\"]\nroots = [\"/usr/sbin/nginx\"]\nversion_from = \"nginx\"";
    stage.template("web", &format!("{keys}\n{tests}"));
}

fn command(stage: &Stage) -> Command {
    let args = ["-a", "test", "-t", "web", "-A", "amd64", "--engine", "podman"];
    let mut command = stage.command(&args);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", stage.path("bin")));
    command.env("CALLS", stage.path("calls"));
    command
}

/// Answers one kind of page on a port of loopback.
fn serve() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            let status = if request[..read].starts_with(b"GET / ") { "200 OK" } else { "404 No" };
            write!(stream, "HTTP/1.0 {status}\r\n\r\nA page").unwrap();
        }
    });
    port
}

/// The names after `option` in the engine's record.
fn named(calls: &str, option: &str) -> Vec<String> {
    let lines = calls.lines().filter_map(|line| line.split_once(option));
    lines.map(|(_, rest)| rest.split([' ', ':']).next().unwrap().to_owned()).collect()
}

/// Everything that a run made has been removed, and had a name of that run.
fn assert_removed(stage: &Stage) {
    let calls = fs::read_to_string(stage.path("calls")).unwrap();
    let containers = named(&calls, "--name ");
    assert!(!containers.is_empty(), "{calls}");
    for container in &containers {
        assert!(container.starts_with("dmc-test-"), "{container}");
        assert!(calls.contains(&format!("rm -f -v -t 0 {container}\n")), "{calls}");
    }
    for volume in named(&calls, "--volume=dmc-test") {
        assert!(calls.contains(&format!("volume rm -f dmc-test{volume}\n")), "{calls}");
    }
    assert!(calls.contains("\nrmi localhost/dmc-test-"), "{calls}");
}

fn mark(stage: &Stage) -> Option<String> {
    let files = stage.path("work/out/dmc").read_dir_utf8().unwrap().map(|it| it.unwrap());
    let mut marks = files.filter(|file| file.file_name().ends_with(".tested.json"));
    marks.next().map(|file| fs::read_to_string(file.path()).unwrap())
}

#[test]
fn tests_that_hold_are_told_and_leave_a_mark() {
    let port = serve();
    let stage = stage(&format!(
        r#"
[[test]]
name = "A page"
http = {{ port = {port}, contains = "page" }}

[[test]]
name = "No page"
http = {{ port = {port}, path = "/x", status = 404 }}

[[test]]
name = "All at once"
env = {{ WORD = "x" }}
files = {{ "/run/word" = {{ text = "y" }} }}
volumes = ["/var/lib/x"]
tmpfs = ["/run/y"]
steps = [
    {{ run = {{ args = ["go"], contains = "it ran go" }} }},
    {{ exec = {{ args = ["this"], input = "said", contains = ["said", "it executed this"] }} }},
    {{ log = {{ contains = "last", lacks = "first" }} }},
    {{ stop = {{}} }},
    {{ start = {{ env = {{ WORD = "z" }} }} }},
    {{ http = {{ port = {port} }} }},
]
"#
    ));
    let told = stage.told(&command(&stage).output().unwrap()).good();
    let lines =
        ["A page", "No page", "All at once"].map(|name| format!("ok test web amd64: {name}\n"));
    assert_eq!(told.stdout, lines.concat());
    assert_removed(&stage);
    let calls = fs::read_to_string(stage.path("calls")).unwrap();
    for confined in ["--read-only ", "--cap-drop=all", "no-new-privileges", "--network=none"] {
        let runs = calls.lines().filter(|line| line.starts_with("run "));
        assert!(runs.clone().all(|line| line.contains(confined)), "{confined}:\n{calls}");
        assert_eq!(runs.count(), 4, "{calls}");
    }
    let volumes = named(&calls, "--volume=dmc-test");
    assert!(volumes.len() == 3 && volumes.iter().all(|it| *it == volumes[0]), "{volumes:?}");
    assert!(calls.contains("--env=WORD=x") && calls.contains("--env=WORD=z"), "{calls}");
    let mark = mark(&stage).expect("a mark");
    assert!(mark.contains("\"podman version 0\"") && mark.contains("All at once"), "{mark}");
    let listed = stage.run(&["-l", "-a", "test", "-t", "web", "-A", "amd64"]).good();
    assert!(listed.stdout.contains("held with podman version 0"), "{}", listed.stdout);
}

#[test]
fn a_test_that_fails_is_shown_and_the_others_go_on() {
    let port = serve();
    let holds = format!("[[test]]\nname = \"A page\"\nhttp = {{ port = {port} }}\n");
    let stage = stage(&holds);
    stage.told(&command(&stage).output().unwrap()).good();
    assert!(mark(&stage).is_some());
    let table = [
        (
            "status",
            format!("http = {{ port = {port}, path = \"/x\" }}"),
            "expected status 200, got 404",
        ),
        ("text", format!("http = {{ port = {port}, contains = \"z\" }}"), "contains `z`"),
        ("silence", "http = { port = 1, within = \"100ms\" }".to_owned(), "got none within 100ms"),
        ("exit", "run = { args = [\"fail\"] }".to_owned(), "expected exit status 0, got 3"),
        ("words", "exec = { args = [\"x\"], lacks = \"x\" }".to_owned(), "text without `x`"),
        ("log", "log = { contains = \"y\", within = \"100ms\" }".to_owned(), "contains `y`"),
        ("stop", "stop = { status = 1 }".to_owned(), "expected exit status 1 after SIGTERM, got 0"),
        (
            "start",
            "steps = [{ http = { port = PORT } }, { start = {} }]"
                .replace("PORT", &port.to_string()),
            "step 2, start: it is running already",
        ),
        ("whose", "exec = { args = [\"x\"], in = \"other\" }".to_owned(), "no companion `other`"),
    ];
    let text =
        |(name, keys, _): &(&str, String, &str)| format!("[[test]]\nname = \"{name}\"\n{keys}\n");
    let all: String = table.iter().map(text).collect();
    template(&stage, &(all + &holds));
    stage.run(&["-t", "web", "-A", "amd64"]).good();
    let told = stage.told(&command(&stage).output().unwrap());
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    for (name, _, why) in &table {
        let after = told.stdout.split(&format!("FAILED test web amd64: {name}\n")).nth(1);
        let shown = after.and_then(|after| after.split("test web amd64").next());
        assert!(shown.is_some_and(|it| it.contains(why)), "{name}: {shown:?}\n{}", told.stdout);
    }
    assert!(told.stdout.contains("the container said:\n    last words\n"), "{}", told.stdout);
    assert!(told.stdout.ends_with("ok test web amd64: A page\n"), "{}", told.stdout);
    assert!(told.stderr.contains("template web: 9 of 10 tests do not hold"), "{}", told.stderr);
    assert_eq!(mark(&stage), None);
    assert_removed(&stage);
}

#[test]
fn what_tests_lack_is_told_before_anything_is_started() {
    let stage = stage("");
    let told = stage.told(&command(&stage).output().unwrap()).good();
    assert!(told.stderr.contains("the template has no [[test]]"), "{}", told.stderr);
    template(
        &stage,
        "[[test]]\nname = \"x\"\ncompanions = [{ template = \"nginx\" }]\nhttp = { port = 1 }",
    );
    stage.run(&["-t", "web", "-A", "amd64"]).good();
    let parts =
        ["no image of template nginx for amd64", "hint: build it first: dmc -t nginx -A amd64"];
    stage.told(&command(&stage).output().unwrap()).failed(1, &parts);
    let mut without = stage.command(&["-a", "test", "-t", "web", "-A", "amd64"]);
    let told = stage.told(&without.env("PATH", "/nowhere").output().unwrap());
    told.failed(1, &["no container engine answers", "hint: "]);
    assert_eq!(mark(&stage), None);
}

#[test]
fn an_interrupted_run_removes_what_it_began() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for wait in [100, 700, 1500] {
            let stage = stage("[[test]]\nname = \"x\"\nargs = [\"slow\"]\nhttp = { port = 1 }");
            let mut command = command(&stage);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            while !fs::read_to_string(stage.path("calls")).is_ok_and(|it| it.contains("run -d")) {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(wait));
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            kill_process(pid, signal).unwrap();
            let told = stage.told(&child.wait_with_output().unwrap());
            assert_eq!(told.code, Some(code), "{}", told.stderr);
            assert!(told.stderr.contains("interrupted"), "{}", told.stderr);
            assert_removed(&stage);
            assert_eq!(mark(&stage), None);
        }
    }
}

#[test]
fn a_variant_with_tools_is_another_image_beside_the_first() {
    let stage = Stage::new();
    let nginx = stage.run(&["-t", "nginx", "-A", "amd64"]).good().stdout;
    let unknown = ["there is no template `nginx-dev`", "dmc -T -t nginx"];
    stage.run(&["-t", "nginx-dev"]).failed(2, &unknown);
    // Tools of its own, as the archive of these tests has no busybox.
    let part = "group = \"core\"\nsummary = \"x\"\nabstract = true\nlabels = { mark = \"dev\" }\n\
                spare_links = [{ folder = \"/usr/sbin\", target = \"x\", names = [\"nginx\", \"sh\"] }]\n";
    stage.write("work/templates/dev/template.toml", part.as_bytes());
    let told = stage.run(&["-T", "-t", "nginx", "-A", "amd64"]).good();
    assert!(told.stdout.starts_with("nginx-dev:1.26.3 sha256:"), "{}", told.stdout);
    assert_eq!(stage.run(&["-t", "nginx", "-A", "amd64"]).good().stdout, nginx);
    stage.run(&["-T", "why", "nginx", "/usr/sbin/sh", "-A", "amd64"]).good();
    let kept = stage.run(&["-T", "why", "nginx", "/usr/sbin/nginx", "-A", "amd64"]).good();
    assert!(kept.stdout.contains("from package nginx"), "{}", kept.stdout);
    stage.run(&["why", "nginx", "/usr/sbin/sh", "-A", "amd64"]);
}
