//! An archive with a million packages: more than ten times Debian's.

use dmc_e2e::{Workplace, program};
use dmc_testkit::{Compression, FakeArchive, Server, SigningKey, fixtures, sha256};
use dmc_types::Arch;
use std::fmt::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PACKAGES: usize = 1_000_000;
/// What the program may have in memory of its own, in KiB. The text alone has 350 MB.
const HEAP: usize = 256 << 10;

fn paragraphs() -> String {
    let mut text = String::with_capacity(PACKAGES * 400);
    for number in 0..PACKAGES {
        let digest = sha256(&number.to_le_bytes());
        let other = number / 7;
        write!(
            text,
            "Package: package-{number:07}\nVersion: 1.{number}-1\nArchitecture: amd64\n\
             Installed-Size: 100\nDepends: libc6 (>= 2.34), package-{other:07} (>= 1.0)\n\
             Provides: virtual-{other:07} (= 1.0)\nDescription: one of very many packages\n\
             Section: misc\nPriority: optional\n\
             Filename: pool/main/p/package-{number:07}/package-{number:07}_1.{number}-1_amd64.deb\n\
             Size: 1000\nSHA256: {digest}\n\n"
        )
        .unwrap();
    }
    text
}

fn archive(key: &SigningKey) -> FakeArchive {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let mut suites = fixtures::suites(&[Arch::Amd64], key);
    for suite in &mut suites {
        suite.date = now - 3600;
        suite.valid_until = suite.valid_until.map(|_| now + 24 * 3600);
    }
    suites[0].unpooled = paragraphs();
    suites[0].indices = vec![Compression::Gz];
    suites[0].by_hash = false;
    suites[0].contents = false;
    FakeArchive::of(&suites)
}

/// Waits for a program and gives the most that it had in memory, mapped files included, in KiB.
fn peak(child: &mut Child) -> usize {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let word = line.and_then(|line| line.split_whitespace().next());
        most = most.max(word.and_then(|word| word.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    most
}

#[test]
fn an_index_of_a_million_packages_is_read_in_bounded_memory() {
    let workplace = Workplace::new();
    let key = SigningKey::with_subkey("archive");
    let server = Server::start(&archive(&key));
    let put = |name: &str, bytes: &[u8]| {
        let path = workplace.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    put("machine/usr/share/keyrings/debian-archive-keyring.pgp", &key.public_binary());
    let url = server.url();
    let conf = format!("[vendor.debian.archives]\nmain = \"{url}\"\nsecurity = \"{url}\"\n");
    put("dmc.conf", conf.as_bytes());
    for (what, args) in [
        ("fetched and compiled", "-a update -t nginx"),
        ("built", "-t nginx"),
        ("nothing changed", "-t nginx"),
        ("looked for what is not there", "why nginx /usr/bin/nothing"),
    ] {
        let mut command = workplace.command("sh");
        let line = format!(
            "ulimit -d {HEAP}; exec \"$0\" {args} -A amd64 --conf dmc.conf --store store --out out"
        );
        command.args(["-c", &line]).arg(program()).env("DMC_APT_ROOT", "machine");
        let begun = Instant::now();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let peak = peak(&mut child);
        let took = begun.elapsed();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        println!("{what}: {} ms, {} MiB at most", took.as_millis(), peak >> 10);
        assert!(output.status.success() || what.starts_with("looked"), "{what}: {said}");
    }
}
