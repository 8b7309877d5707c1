//! promote, rollback, restart and upgrade, in the layout and in a registry, against an engine that
//! does nothing but keep a record.

use crate::stage::{Stage, Told};
use dmc_testkit::FakeRegistry;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

/// What stands in for podman: containers are files below `$STATE`, which hold the index that they
/// run. A container whose port is taken does not start.
const ENGINE: &str = r#"#!/bin/sh
echo "$*" >> "$STATE/calls"
for last; do :; done
case "$1 $2" in
  "--version "*) echo "podman version 0" ;;
  "load "*) cat > /dev/null; echo "Loaded image: x" ;;
  "create --name")
    index=
    case "$*" in *taken*) index=taken ;; esac
    for word; do case "$word" in --label=dmc.index=*) index=$index${word#*=*=} ;; esac; done
    echo "created $index" > "$STATE/$3" ;;
  "start "*)
    if [ "$2" = -a ]; then
      if [ -e "$STATE/wait" ]; then
        : > "$STATE/waits"
        for _ in $(seq 500); do [ ! -e "$STATE/wait" ] || sleep 0.02; done
      fi
      [ ! -e "$STATE/broken" ] || exit 1
      exit 0
    fi
    read -r was index < "$STATE/$2"
    case "$index" in taken*) echo "address already in use" >&2; exit 125 ;; esac
    echo "running $index" > "$STATE/$2" ;;
  "stop "*) read -r was index < "$STATE/$2"; echo "exited $index" > "$STATE/$2" ;;
  "rename "*) mv "$STATE/$2" "$STATE/$3" ;;
  "rm "*) rm -f "$STATE/$last" ;;
  "container inspect")
    [ -e "$STATE/$last" ] || exit 125
    read -r was index < "$STATE/$last"
    running=false; [ "$was" != running ] || running=true
    case "$4" in
      *RestartCount*) echo "$running 0" ;;
      *) if [ "$index" = foreign ]; then echo "$running  "; else echo "$running web $index"; fi ;;
    esac ;;
esac
"#;

const TESTS: &str = "[[test]]\nname = \"It runs\"\nrun = { args = [\"go\"] }\n";

pub(crate) fn stage(more: &str) -> Stage {
    let stage = Stage::new();
    stage.write("bin/podman", ENGINE.as_bytes());
    let engine = stage.path("bin/podman");
    fs::set_permissions(engine, fs::Permissions::from_mode(0o755)).unwrap();
    stage.write("state/calls", b"");
    template(&stage, "one", more);
    stage
}

/// The template, whose image differs by `word`.
pub(crate) fn template(stage: &Stage, word: &str, more: &str) {
    let keys = "packages = [\"nginx\"]\nroots = [\"/usr/sbin/nginx\"]\nversion_from = \"nginx\"";
    let file = format!("[[files]]\npath = \"/word\"\ntext = \"{word}\"");
    stage.template("web", &format!("{keys}\n{file}\n{TESTS}\n{more}"));
}

pub(crate) fn run(stage: &Stage, words: &str) -> Told {
    let args: Vec<&str> = words.split_whitespace().collect();
    let mut command = stage.command(&args);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", stage.path("bin")));
    command.env("STATE", stage.path("state")).env("COSIGN_PASSWORD", "secret");
    command.args(["-A", "amd64", "--engine", "podman"]);
    stage.told(&command.output().unwrap())
}

/// The digest at the end of the line that begins so.
pub(crate) fn digest(told: &Told, begin: &str) -> String {
    let line = told.stdout.lines().find(|line| line.starts_with(begin));
    let line = line.unwrap_or_else(|| panic!("no `{begin}` in:\n{}", told.stdout));
    line.rsplit(' ').next().unwrap().to_owned()
}

pub(crate) fn container(stage: &Stage) -> String {
    fs::read_to_string(stage.path("state/web")).unwrap_or_default().trim().to_owned()
}

#[test]
fn what_is_tested_becomes_live_and_goes_back_again() {
    let stage = stage("");
    let none = run(&stage, "promote -t web");
    none.failed(1, &["`localhost/web` has no `latest` to promote", "create it first"]);
    let one = digest(&run(&stage, "-t web").good(), "web:1.26.3 ");
    run(&stage, "rollback -t web").failed(1, &["`localhost/web` has no `live`: nothing was"]);
    let told = run(&stage, "promote -t web").good();
    assert!(told.stdout.starts_with("ok promote web amd64: It runs\n"), "{}", told.stdout);
    assert_eq!(digest(&told, "localhost/web:live "), one);
    let again = run(&stage, "promote -t web").good();
    assert!(again.stderr.contains("it was live already"), "{}", again.stderr);
    assert!(!again.stdout.contains("It runs"), "{}", again.stdout);
    run(&stage, "rollback -t web").failed(1, &["no other image was `localhost/web:live` before"]);

    template(&stage, "two", "");
    let two = digest(&run(&stage, "-t web").good(), "web:1.26.3 ");
    stage.write("state/broken", b"");
    let failed = run(&stage, "promote -t web");
    assert!(failed.stdout.starts_with("FAILED promote web amd64: It runs"), "{}", failed.stdout);
    failed.failed(1, &["template web: 1 of 1 tests do not hold"]);
    assert_eq!(named(&stage, "web:live"), Some(one.clone()), "it was not moved");
    fs::remove_file(stage.path("state/broken")).unwrap();
    assert_eq!(digest(&run(&stage, "promote -t web").good(), "localhost/web:live "), two);

    let back = run(&stage, "rollback -t web").good();
    assert_eq!(digest(&back, "localhost/web:live "), one);
    assert!(back.stderr.contains(&format!("number 3; before it was {two}")), "{}", back.stderr);
    run(&stage, "rollback -t web").failed(1, &["no other image was `localhost/web:live` before"]);
    assert_eq!(named(&stage, "web:latest"), Some(two));
    // Whoever runs the tests leaves the rest of the machine alone.
    let calls = fs::read_to_string(stage.path("state/calls")).unwrap();
    let made = calls.lines().filter(|line| line.starts_with("create "));
    assert!(made.clone().all(|line| line.contains("--name dmc-test-")), "{calls}");
    assert!(made.clone().all(|line| line.contains("--network none")), "{calls}");
}

/// What a name means in the layout.
fn named(stage: &Stage, name: &str) -> Option<String> {
    let index = fs::read(stage.path("work/out/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let entries = index["manifests"].as_array().unwrap().iter();
    let mut found = entries
        .filter(|it| it["annotations"]["org.opencontainers.image.ref.name"].as_str() == Some(name));
    found.next().map(|it| it["digest"].as_str().unwrap().to_owned())
}

fn names(stage: &Stage) -> String {
    let index = fs::read(stage.path("work/out/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let entries = index["manifests"].as_array().unwrap().iter();
    let name = |it: &serde_json::Value| {
        let name = it["annotations"]["org.opencontainers.image.ref.name"].as_str()?;
        Some(name.replace("web:", ""))
    };
    entries.filter_map(name).collect::<Vec<_>>().join(" ")
}

fn git(stage: &Stage, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=x", "-c", "user.email=x@localhost"]).args(args);
    stage.place(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn templates_that_are_in_no_commit_get_no_release_tags() {
    let stage = stage("");
    stage.write("work/.gitignore", b"out\n");
    git(&stage, &["init", "-q"]);
    let told = run(&stage, "-t web").good();
    let note = "no release tags: `DIR/work/templates/` is not as it was committed";
    assert!(told.stderr.contains(note), "{}", told.stderr);
    assert_eq!(names(&stage), "latest");
    run(&stage, "promote -t web").failed(1, &["not as committed", "commit the templates"]);

    git(&stage, &["add", "-A"]);
    git(&stage, &["commit", "-q", "-m", "x"]);
    let short = git(&stage, &["rev-parse", "--short", "HEAD"]);
    run(&stage, "-t web").good();
    let mut wanted = ["1", "1.26", "1.26.3", "1.26.3-3", "latest", &short];
    wanted.sort_unstable();
    assert_eq!(names(&stage), wanted.join(" "));
    run(&stage, "promote -t web").good();

    template(&stage, "two", "");
    run(&stage, "-t web").good();
    assert_ne!(named(&stage, "web:latest"), named(&stage, "web:1.26.3"));
    run(&stage, "promote -t web").failed(1, &["not as committed"]);
}

#[test]
fn private_files_mark_every_tag_and_go_to_listed_hosts_alone() {
    let (stage, registry) = (stage(""), FakeRegistry::open());
    stage.write("work/templates/web/private.d/etc/secret", b"x");
    run(&stage, "-t web").good();
    assert!(names(&stage).split(' ').all(|tag| tag.ends_with("-private")), "{}", names(&stage));
    let to = format!("push -t web -H {}/team", registry.host());
    let refused = format!("`{}` is not a host for such", registry.host());
    run(&stage, &to).failed(1, &[&refused, "private_hosts = "]);
    assert_eq!(registry.log().len(), 0, "nothing was asked");
    stage.conf(&format!("private_hosts = [\"{}\"]", registry.host()));
    run(&stage, &to).good();
    let tags = registry.tags("team/web");
    assert!(tags.keys().all(|tag| tag.ends_with("-private")), "{tags:?}");
    run(&stage, &to.replace("push", "promote")).good();
    assert_eq!(registry.tags("team/web")["live-private"], tags["latest-private"]);
}

#[test]
fn upgrade_restarts_what_runs_and_a_failing_one_gives_way_to_the_old() {
    let stage = stage("");
    let none = run(&stage, "upgrade web").good();
    assert!(none.stderr.contains("nothing of it runs here"), "{}", none.stderr);
    let run_table = "[run]\npublish = [\"127.0.0.1:8080:8080\"]\nenv = { A = \"b\" }\n\
                     volumes = { \"/data\" = \"kept\" }\n";
    template(&stage, "one", run_table);
    let one = digest(&run(&stage, "upgrade web").good(), "web runs ").replace("sha256:", "");
    assert_eq!(container(&stage), format!("running {one}"));
    let calls = fs::read_to_string(stage.path("state/calls")).unwrap();
    let made = calls.lines().find(|line| line.starts_with("create --name web.next")).unwrap();
    for option in [
        "--read-only",
        "--cap-drop=all",
        "--env=A=b",
        "--volume=kept:/data",
        "--publish=127.0.0.1:8080:8080",
    ] {
        assert!(made.contains(option), "{option}: {made}");
    }
    template(&stage, "two", run_table);
    let two = digest(&run(&stage, "upgrade web").good(), "web runs ").replace("sha256:", "");
    assert_eq!(container(&stage), format!("running {two}"));
    // Tests have the same environment, but neither its ports nor its volumes.
    let calls = fs::read_to_string(stage.path("state/calls")).unwrap();
    let tested = calls.lines().rfind(|line| line.contains("--name dmc-test-")).unwrap();
    assert!(tested.contains("--env=A=b") && tested.contains(":/data"), "{tested}");
    assert!(!tested.contains("--publish") && !tested.contains("=kept:"), "{tested}");
    let same = run(&stage, "upgrade web").good();
    assert!(same.stderr.contains("container web runs it already"), "{}", same.stderr);

    template(&stage, "three", &format!("{run_table}options = [\"--label=taken\"]\n"));
    let failed = run(&stage, "upgrade web");
    failed.failed(1, &["the old one runs again", "it does not start", "address already in use"]);
    assert_eq!(container(&stage), format!("running {two}"));
    assert!(!stage.path("state/web.before").exists() && !stage.path("state/web.next").exists());

    stage.write("state/web", b"running foreign\n");
    run(&stage, "restart -t web").failed(1, &["`web` that dmc did not start", "podman rm -f web"]);
    assert_eq!(container(&stage), "running foreign");
}

/// A stage whose registry has two images of the template, both promoted and signed.
fn promoted_twice() -> (Stage, FakeRegistry, [String; 2]) {
    let (stage, registry) = (stage(""), FakeRegistry::open());
    run(&stage, "keygen --sign-key site.key").good();
    let key = stage.path("work/site.key");
    let host = registry.host();
    stage.conf(&format!("host = \"{host}/team\"\nsigning.key = \"{key}\""));
    let images = ["one", "two"].map(|word| {
        template(&stage, word, "");
        let told = run(&stage, "create promote -t web").good();
        digest(&told, &format!("{host}/team/web:live "))
    });
    (stage, registry, images)
}

#[test]
fn what_is_live_in_a_registry_is_signed_and_never_older_than_what_was_accepted() {
    let (stage, registry, [one, two]) = promoted_twice();
    let bare = |digest: &str| digest.replace("sha256:", "");
    assert_eq!(registry.tags("team/web")["live"], bare(&two));
    let tags = registry.tags("team/web");
    for image in [&one, &two] {
        assert_eq!(tags[&format!("b-{}", &bare(image)[..12])], bare(image), "{tags:?}");
    }
    // Somebody puts the older image in its place, whose statement is as good as ever.
    registry.move_tag("team/web", "live", Some(&bare(&one)));
    let replayed = ["with sequence 1, but sequence 2 was accepted", "an older image is replayed"];
    run(&stage, "restart -t web").failed(1, &replayed);
    run(&stage, "verify -t web").failed(1, &replayed[1..]);
    // A machine that accepted nothing yet has only the signature to go by.
    run(&stage, &format!("restart -t web --store {}", stage.path("other"))).good();
    // Promoting again mends it, with a number that nobody has seen yet.
    let mended = run(&stage, "promote -t web").good();
    assert!(mended.stderr.contains("number 3"), "{}", mended.stderr);
    run(&stage, "restart -t web").good();
    let back = run(&stage, "rollback -t web").good();
    assert!(back.stdout.ends_with(&format!("web:live {one}\n")), "{}", back.stdout);

    // An image that was never promoted has no statement at all.
    template(&stage, "three", "");
    run(&stage, "-t web").good();
    let latest = registry.tags("team/web")["latest"].clone();
    registry.move_tag("team/web", "live", Some(&latest));
    run(&stage, "restart -t web").failed(1, &["no signed statement", "moved the tag by hand"]);
}

#[test]
fn an_image_that_no_trusted_key_has_signed_is_not_promoted() {
    let (stage, registry) = (stage(""), FakeRegistry::open());
    let host = format!("host = \"{}/team\"", registry.host());
    stage.conf(&host);
    run(&stage, "-t web").good();
    run(&stage, "keygen --sign-key site.key").good();
    let key = stage.path("work/site.key");
    stage.conf(&format!("{host}\nsigning.key = \"{key}\""));
    let told = run(&stage, "promote -t web");
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(!told.stdout.contains("It runs"), "nothing of it was run: {}", told.stdout);
    assert!(!registry.tags("team/web").contains_key("live"));
    run(&stage, "push promote -t web").good();
    // Whoever trusts a key and has none promotes nothing.
    let public = stage.path("work/site.pub");
    stage.conf(&format!("{host}\nsigning.trusted = [\"{public}\"]"));
    run(&stage, "promote -t web --force").failed(1, &["no key to sign with"]);
}

#[test]
fn a_tag_that_somebody_moves_meanwhile_is_a_lost_race() {
    let (stage, registry, [one, two]) = promoted_twice();
    let bare = |digest: &str| digest.replace("sha256:", "");
    template(&stage, "three", "");
    run(&stage, "-t web").good();
    stage.write("state/wait", b"");
    let told = std::thread::scope(|scope| {
        let promotes = scope.spawn(|| run(&stage, "promote -t web"));
        for _ in 0..1000 {
            if stage.path("state/waits").exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        registry.move_tag("team/web", "live", Some(&bare(&one)));
        fs::remove_file(stage.path("state/wait")).unwrap();
        promotes.join().unwrap()
    });
    let (found, expected) = (format!("it is {one}"), format!("have been {two}"));
    told.failed(1, &["was moved by somebody else meanwhile", &found, &expected]);
    assert_eq!(registry.tags("team/web")["live"], bare(&one), "and stays there");
}
