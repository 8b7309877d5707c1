//! Building, and what is said of it.

use crate::stage::{HONEST, KEY, KEYRING, Stage, masked, suites};
use dmc_testkit::{DebBuilder, FakeArchive, Fault};
use std::fmt::Write as _;
use std::fs;

const NGINX: [&str; 2] = ["-t", "nginx"];

#[test]
fn results_go_to_stdout_and_everything_else_to_stderr() {
    let stage = Stage::new();
    insta::assert_snapshot!("build", stage.run(&NGINX).good().text());
    insta::assert_snapshot!("build-again", stage.run(&NGINX).good().text());
    let quiet = stage.run(&["-t", "nginx", "-q"]).good();
    assert!(quiet.stderr.is_empty(), "{}", quiet.stderr);
    assert!(quiet.stdout.starts_with("nginx:1.26.3 sha256:"), "{}", quiet.stdout);
    assert!(stage.path("work/out/index.json").is_file(), "`out` is where the layout goes");
    assert!(stage.path("home/.cache/dmc").is_dir(), "and the user's cache has the store");
}

#[test]
fn json_is_one_value_a_line() {
    let stage = Stage::new();
    let told = stage.run(&["-t", "nginx", "--json"]).good();
    let values: Vec<serde_json::Value> =
        told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values.len(), 3, "{}", told.stdout);
    let index = values.last().unwrap();
    assert_eq!(index["references"][0], "nginx:1.26.3");
    assert!(index["digest"].as_str().unwrap().starts_with("sha256:"));
    for args in [&["-a", "update"][..], &["why", "nginx", "/usr/sbin/nginx"]] {
        let told = stage.run(&[args, &["--json"]].concat()).good();
        assert!(!told.stdout.is_empty(), "{args:?}");
        for line in told.stdout.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object());
        }
    }
}

#[test]
fn levels_choose_what_is_said_and_what_is_written_down() {
    let stage = Stage::new();
    fs::create_dir(stage.path("logs")).unwrap();
    let run = |out: &str, log: &str| {
        let mut command = stage.command(&NGINX);
        command.env("OUT_level", out).env("LOG_level", log).env("LOG_dir", stage.path("logs"));
        stage.told(&command.output().unwrap()).good().stderr
    };
    let log = || {
        let file = stage.path("logs").read_dir_utf8().unwrap().next().unwrap().unwrap();
        fs::read_to_string(file.path()).unwrap()
    };
    assert!(run("NONE", "INFO").is_empty());
    assert!(log().contains("nginx:1.26.3 amd64 sha256:"), "{}", log());
    let length = log().len();
    assert!(run("INFO", "ERROR").contains("nginx:1.26.3 amd64 sha256:"));
    assert_eq!(log().len(), length, "nothing went wrong");
    assert!(run("ALL", "ALL").len() >= run("INFO", "NONE").len());
}

#[test]
fn a_failure_is_told_when_it_happens_and_summed_up() {
    let stage = Stage::new();
    stage.template("missing", "packages = [\"nginks\"]\nroots = [\"/usr/sbin/nginx\"]");
    let told = stage.run(&["-t", "missing,nginx", "-A", "amd64"]);
    insta::assert_snapshot!("failure", told.text());
    assert_eq!(told.code, Some(1));
    assert!(told.stdout.starts_with("nginx:1.26.3 sha256:"), "the other one is built");
    stage.template("nolib", "packages = [\"nginx\"]\nroots = [\"/usr/bin/nginx\"]");
    let told = stage.run(&["-t", "nolib", "-A", "amd64"]);
    insta::assert_snapshot!("missing-root", told.text());
    stage.run(&["-g", "core,base"]).failed(1, &["create missing amd64", "create nolib amd64"]);
}

#[test]
fn refused_releases_are_told_with_mirror_suite_and_way_out() {
    let stage = Stage::new();
    let mut moved = suites();
    moved[0].date -= 3600;
    stage.run(&NGINX).good();
    stage.server.serve(&FakeArchive::of(&moved));
    stage.run(&NGINX).failed(1, &["`trixie` of MIRROR", "--accept-rollback trixie"]);
    stage.run(&["-t", "nginx", "--accept-rollback", "trixie"]).good();
    moved[2].valid_until = Some(moved[2].date + 1);
    stage.server.serve(&FakeArchive::of(&moved));
    stage.run(&NGINX).failed(1, &["trixie-security", "MIRROR", "--accept-expired"]);
    stage.run(&["-t", "nginx", "--accept-expired", "trixie-security"]).good();
    stage.server.break_for_good("dists/trixie-security/InRelease", Fault::status(404));
    stage.run(&NGINX).failed(1, &["trixie-security", "MIRROR"]);
}

#[test]
fn why_tells_the_chain_of_reasons() {
    let stage = Stage::new();
    stage.run(&["why", "nginx", "/etc/passwd"]).failed(1, &["there is no image", "dmc -t nginx"]);
    stage.run(&["-t", "nginx", "-A", "amd64"]).good();
    let mut all = String::new();
    for path in [
        "/usr/sbin/nginx",
        "/lib/x86_64-linux-gnu/libz.so.1",
        "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
        "/usr/share/doc/libgcc-s1",
        "/etc/nsswitch.conf",
        "/etc/passwd",
        "/etc/nginx/nginx.conf",
        "/usr/share/man/man8/nginx.8.gz",
        "/usr/bin/ip",
        "/usr/bin/nothing",
    ] {
        let told = stage.run(&["why", "nginx", path, "-A", "amd64"]);
        let _ = writeln!(all, "$ dmc why nginx {path}\n{}", told.text());
    }
    insta::assert_snapshot!("why", all);
}

#[test]
fn update_tells_what_changed() {
    let stage = Stage::new();
    let update = || stage.run(&["update", "-t", "nginx"]).good().stdout;
    let mut all = update();
    stage.run(&NGINX).good();
    all += &update();
    let mut newer = suites();
    let libssl = DebBuilder::new("libssl3t64", "3.5.1-1+deb13u1", "amd64");
    newer[2] = newer[2].clone().deb(libssl.field("Source", "openssl"));
    let ip = DebBuilder::new("iproute2", "6.16-1", "arm64");
    newer[2] = newer[2].clone().deb(ip);
    newer[2].date += 60;
    stage.server.serve(&FakeArchive::of(&newer));
    all += &update();
    all += &stage.run(&["update", "-t", "nginx", "--json", "--strict"]).good().stdout;
    insta::assert_snapshot!("update", masked(&all));
}

#[test]
fn setup_prepares_store_and_configuration_and_names_tools() {
    let stage = Stage::new();
    let told = stage.run(&["setup"]).good();
    for part in
        ["store: DIR/home/.cache/dmc", "DIR/home/.config/dmc/dmc.conf", "skopeo", "verified"]
    {
        assert!(told.stderr.contains(part), "no `{part}` in:\n{}", told.stderr);
    }
    let key = format!("{} archive, in /{KEYRING}: signs trixie (new", KEY.fingerprint());
    assert!(told.stdout.contains(&key), "{}", told.stdout);
    let told = stage.run(&["setup", "--json"]).good();
    let pinned = "{\"pinned\":true,\"suite\":\"trixie-security\"}";
    assert!(told.stdout.contains(pinned), "{}", told.stdout);
    let conf = fs::read_to_string(stage.path("home/.config/dmc/dmc.conf")).unwrap();
    assert!(conf.lines().all(|line| line.is_empty() || line.starts_with('#')));
    stage.write("home/.config/dmc/dmc.conf", b"archs = [\"arm64\"]\n");
    stage.run(&["setup"]).good();
    let kept = fs::read_to_string(stage.path("home/.config/dmc/dmc.conf")).unwrap();
    assert_eq!(kept, "archs = [\"arm64\"]\n", "it is the user's");
    let told = stage.run(&["-t", "nginx", "--json"]).good();
    assert!(!told.stdout.contains("amd64"), "and it counts: {}", told.stdout);
}

#[test]
fn folders_are_where_they_are_asked_to_be() {
    let stage = Stage::new();
    let (store, out) = (stage.path("a/store"), stage.path("a/out"));
    stage.run(&["-t", "nginx", "--store", store.as_str(), "--out", out.as_str()]).good();
    assert!(store.is_dir() && out.join("index.json").is_file());
    let mut command = stage.command(&NGINX);
    let told = stage.told(&command.env("DMC_OUT", stage.path("b")).output().unwrap()).good();
    assert!(stage.path("b/index.json").is_file(), "{}", told.stderr);
    assert!(!stage.path("work/out").exists());
    let mirror = dmc_testkit::Server::start(&HONEST);
    stage.server.reset();
    let told = stage.run(&["-t", "nginx", "-M", &mirror.url(), "--out", out.as_str()]);
    told.good();
    assert_eq!(stage.server.count("dists/trixie/InRelease"), 0);
    assert_eq!(stage.server.count("dists/trixie-security/InRelease"), 1, "-M is for main alone");
}

/// A program of that name which does what these words of the shell say.
fn engine(stage: &Stage, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    stage.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n").as_bytes());
    let path = stage.path(&format!("bin/{name}"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn load_gives_the_engine_an_image_under_a_name_of_this_machine() {
    const PODMAN: &str = "[ $1 = info ] && exit 0\ntar -xO manifest.json > $HOME/manifest.json\n\
        echo Loaded image: localhost/nginx:1.26.3";
    let stage = Stage::new();
    engine(&stage, "docker", "exit 1");
    let load = |args: &[&str]| {
        let mut command = stage.command(&[&["load", "-t", "nginx"], args].concat());
        let path = format!("{}:/usr/bin:/bin", stage.path("bin"));
        stage.told(&command.env("PATH", path).output().unwrap())
    };
    load(&[]).failed(1, &["there is no image of template nginx", "dmc -t nginx"]);
    stage.run(&NGINX).good();
    engine(&stage, "podman", "exit 1");
    load(&[]).failed(1, &["no container engine answers", "--engine"]);
    engine(
        &stage,
        "podman",
        "[ $1 = info ] && exit 0; cat > /dev/null; echo no room >&2; exit 125",
    );
    load(&[]).failed(1, &["podman did not load the image", "no room"]);
    engine(&stage, "podman", PODMAN);
    assert_eq!(load(&[]).good().stdout, "localhost/nginx:1.26.3\n");
    let manifest = || fs::read_to_string(stage.path("home/manifest.json")).unwrap();
    for name in ["\"localhost/nginx:1.26.3\"", "\"localhost/nginx:latest\""] {
        assert!(manifest().contains(name), "{}", manifest());
    }
    load(&["--repository", "example.org/web"]).good();
    assert!(manifest().contains("\"example.org/web:1.26.3\""), "{}", manifest());
}

#[test]
fn a_trace_tells_when_each_stage_was_and_for_how_long() {
    let stage = Stage::new();
    let told = stage.run(&["-t", "nginx", "-A", "amd64", "--trace", "run.json"]).good();
    assert_eq!(told.stdout.lines().count(), 1, "the results stay as they are: {}", told.stdout);
    let trace = fs::read(stage.path("work/run.json")).unwrap();
    let trace: serde_json::Value = serde_json::from_slice(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let span = |name: &str| {
        let event = events.iter().find(|event| event["name"] == name);
        let event = event.unwrap_or_else(|| panic!("no stage `{name}` in {events:?}"));
        let [start, took, busy] = [&event["ts"], &event["dur"], &event["args"]["busy"]];
        assert!(busy.as_u64() <= took.as_u64(), "{event}");
        (start.as_u64().unwrap(), start.as_u64().unwrap() + took.as_u64().unwrap())
    };
    let image = span("task create nginx amd64");
    for name in ["closure", "package nginx", "work decoding a package", "assemble", "layer gzip"] {
        let (start, end) = span(name);
        assert!(image.0 <= start && end <= image.1 + 1, "{name} is within the task");
    }
    let away = stage.run(&["-t", "nginx", "--trace", "missing/run.json"]);
    away.failed(1, &["cannot write the trace `missing/run.json`"]);
}
