//! Keys are made by somebody who types a password, on a terminal of their own.

use crate::stage::{Stage, Told};
use dmc_testkit::FakeRegistry;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

const FIRST: &str = "Password for the key dmc.key: ";
const AGAIN: &str = "The same again: ";

/// `dmc keygen` on a pseudo-terminal, where `typed` answers the prompts in their order: its exit
/// code, and all that the terminal showed.
fn on_terminal(stage: &Stage, typed: &[(&str, &str)]) -> (Option<i32>, String) {
    let keygen = stage.command(&["keygen"]);
    let words: Vec<&str> = keygen.get_args().map(|word| word.to_str().unwrap()).collect();
    let program = keygen.get_program().to_str().unwrap();
    let mut command = Command::new("script");
    stage.place(&mut command);
    // The terminal's name comes first, so that its state can be asked for.
    command.args(["-q", "-e", "-c", &format!("tty; exec {program} {}", words.join(" "))]);
    command.arg("/dev/null").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("`script` of bsdutils");
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let shown = Arc::new(Mutex::new(String::new()));
    let showing = Arc::clone(&shown);
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 1024];
        while let Ok(size @ 1..) = screen.read(&mut piece) {
            showing.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..size]));
        }
    });
    for (prompt, answer) in typed {
        let silent = || {
            let shown = shown.lock().unwrap().clone();
            shown.ends_with(prompt) && !echoes(shown.lines().next().unwrap())
        };
        wait(|| silent().then_some(())).unwrap_or_else(|| panic!("no {prompt}: {shown:?}"));
        keyboard.write_all(answer.as_bytes()).unwrap();
    }
    let status = wait(|| child.try_wait().unwrap());
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    reader.join().unwrap();
    let shown = shown.lock().unwrap().replace('\r', "");
    (status.unwrap_or_else(|| panic!("it does not end: {shown}")).code(), shown)
}

/// Whether a terminal shows what is typed: between a prompt and its silence there is a moment.
fn echoes(terminal: &str) -> bool {
    let told = Command::new("stty").args(["-a", "-F", terminal]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    told.split_whitespace().any(|word| word == "echo")
}

fn wait<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        match look() {
            None if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(10)),
            found => return found,
        }
    }
}

fn mode(stage: &Stage, name: &str) -> u32 {
    fs::metadata(stage.path(name)).unwrap().permissions().mode() & 0o7777
}

/// Pushes an image that the key signs, with the password of the environment.
fn sign(stage: &Stage, password: &str) -> Told {
    let registry = FakeRegistry::open();
    let words = ["create", "push", "-t", "nginx", "-A", "amd64", "--sign-key", "dmc.key", "-H"];
    let mut command = stage.command(&[&words[..], &[&registry.host()]].concat());
    command.env("COSIGN_PASSWORD", password);
    stage.told(&command.output().unwrap())
}

#[test]
fn a_password_that_is_typed_twice_makes_a_key_and_is_never_shown() {
    let stage = Stage::new();
    let (code, shown) =
        on_terminal(&stage, &[(FIRST, "correct horse\n"), (AGAIN, "correct horse\n")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("\ndmc.key\ndmc.pub sha256:"), "{shown}");
    assert!(!shown.contains("horse"), "{shown}");
    assert_eq!((mode(&stage, "work/dmc.key"), mode(&stage, "work/dmc.pub")), (0o600, 0o644));
    let told = sign(&stage, "correct horse").good();
    assert!(told.stderr.contains(" signatures made"), "{}", told.stderr);
    sign(&stage, "wrong horse").failed(1, &["the password does not open the key"]);
    // A key that is there stays, and nobody is asked for a password.
    let before = fs::read(stage.path("work/dmc.key")).unwrap();
    let (code, shown) = on_terminal(&stage, &[]);
    assert_eq!(code, Some(1), "{shown}");
    let wanted = "`dmc.key` is there already, and keys are never overwritten";
    assert!(shown.contains(wanted) && !shown.contains(FIRST), "{shown}");
    assert_eq!(fs::read(stage.path("work/dmc.key")).unwrap(), before);
}

#[test]
fn no_key_is_written_where_the_password_is_not_sure() {
    for (why, typed, code, wanted) in [
        (
            "typed differently",
            &[(FIRST, "correct horse\n"), (AGAIN, "corect horse\n")][..],
            Some(1),
            "cause: the two are not the same\nhint: type the same password twice; nothing was",
        ),
        ("interrupted", &[(FIRST, "corr\x03")][..], Some(130), ""),
        ("at the second prompt", &[(FIRST, "x\n"), (AGAIN, "\x03")][..], Some(130), ""),
    ] {
        let stage = Stage::new();
        let before = stage.everything();
        let (ended, shown) = on_terminal(&stage, typed);
        assert_eq!(ended, code, "{why}: {shown}");
        assert!(shown.contains(wanted), "{why}: {shown}");
        assert!(!shown.contains("horse"), "{why}: {shown}");
        assert_eq!(stage.everything(), before, "{why}");
    }
}

#[test]
fn without_a_terminal_the_password_comes_from_the_environment_or_not_at_all() {
    let stage = Stage::new();
    let alone = |password: Option<&str>| {
        let keygen = stage.command(&["keygen"]);
        let mut command = Command::new("setsid");
        stage.place(&mut command);
        command.arg("--wait").arg(keygen.get_program()).args(keygen.get_args());
        command.envs(password.map(|password| ("COSIGN_PASSWORD", password)));
        stage.told(&command.output().expect("`setsid` of util-linux"))
    };
    let before = stage.everything();
    let wanted = [
        "there is no password for the key `dmc.key`\ncause: there is no terminal to ask on",
        "hint: set COSIGN_PASSWORD",
    ];
    alone(None).failed(1, &wanted);
    assert_eq!(stage.everything(), before);
    alone(Some("correct horse")).good();
    assert_eq!(mode(&stage, "work/dmc.key"), 0o600);
    sign(&stage, "correct horse").good();
}
