//! The scene of every test: a mirror on loopback whose suites were made today, a machine whose
//! apt knows nothing but the archive's key, an empty home.

use camino::{Utf8Path, Utf8PathBuf};
use dmc_testkit::{FakeArchive, FakeSuite, Server, SigningKey, fixtures};
use dmc_types::{Arch, UnixTime};
use std::fs;
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// The archive's key.
pub(crate) static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::with_subkey("archive"));
/// The archive as it should be.
pub(crate) static HONEST: LazyLock<FakeArchive> = LazyLock::new(|| FakeArchive::of(&suites()));

/// Where Debian's keyring is on a machine.
pub(crate) const KEYRING: &str = "usr/share/keyrings/debian-archive-keyring.pgp";

/// When the suites were made: once for all archives of a test, so that none is behind another.
static MADE: LazyLock<UnixTime> = LazyLock::new(|| now() - 3600);

pub(crate) struct Stage {
    pub(crate) server: Server,
    dir: tempfile::TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// trixie, its updates and its security updates, made an hour ago by the machine's clock.
pub(crate) fn suites() -> [FakeSuite; 3] {
    let mut suites = fixtures::suites(&[Arch::Amd64, Arch::Arm64], &KEY);
    for suite in &mut suites {
        suite.date = *MADE;
        suite.valid_until = suite.valid_until.map(|_| now() + 7 * 24 * 3600);
    }
    suites
}

fn now() -> UnixTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(&HONEST)
    }

    pub(crate) fn with(archive: &FakeArchive) -> Self {
        let stage = Self { server: Server::start(archive), dir: tempfile::tempdir().unwrap() };
        stage.write(&format!("machine/{KEYRING}"), &KEY.public_binary());
        stage.write("home/.keep", b"");
        stage.write("work/.keep", b"");
        stage.conf("");
        stage
    }

    /// Writes the configuration file that every command names.
    pub(crate) fn conf(&self, text: &str) {
        let url = self.server.url();
        let archives =
            format!("[vendor.debian.archives]\nmain = \"{url}\"\nsecurity = \"{url}\"\n");
        self.write("dmc.conf", format!("{text}\n{archives}").as_bytes());
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A template of the folder in which the program runs.
    pub(crate) fn template(&self, name: &str, lines: &str) {
        let text = format!("group = \"base\"\nsummary = \"A test\"\n{lines}\n");
        self.write(&format!("work/templates/{name}/template.toml"), text.as_bytes());
    }

    /// The program with these words, about to run in the stage's folders.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmc"));
        self.place(&mut command);
        command.args(args).arg("--conf").arg(self.path("dmc.conf"));
        command
    }

    /// Gives a command the stage's environment and nothing of the tester's.
    pub(crate) fn place(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("DMC_APT_ROOT", self.path("machine"))
            .current_dir(self.path("work"));
    }

    pub(crate) fn run(&self, args: &[&str]) -> Told {
        self.told(&self.command(args).output().unwrap())
    }

    /// What was said, with the stage's own names taken out.
    pub(crate) fn told(&self, output: &Output) -> Told {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let text = text.replace(&self.server.url(), "MIRROR");
            text.replace(self.path("").as_str().trim_end_matches('/'), "DIR")
        };
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Told { code: output.status.code(), stdout, stderr }
    }

    /// What there is in store, layout and home, without contents.
    pub(crate) fn everything(&self) -> Vec<Utf8PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("")];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir_utf8().unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path().to_owned());
                }
                found.push(entry.into_path());
            }
        }
        found.sort();
        found
    }
}

impl Told {
    /// The run, which must have gone well.
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The run, which must have ended with this code and said all of this on stderr.
    pub(crate) fn failed(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "no `{part}` in:\n{}", self.stderr);
        }
        self
    }

    /// Everything in one text, with what changes from run to run masked.
    pub(crate) fn text(&self) -> String {
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        let (stdout, stderr) = (masked(&self.stdout), sorted(&masked(&self.stderr)));
        format!("exit code {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

/// Images of several architectures are done in any order.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    for images in
        lines.chunk_by_mut(|one, other| [one, other].iter().all(|it| it.contains(" MB, ")))
    {
        images.sort_unstable();
    }
    lines.concat()
}

/// Digests, fingerprints, times, sizes and durations by a word.
pub(crate) fn masked(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches([',', '.']);
        let hex = bare.strip_prefix("sha256:").unwrap_or(bare);
        match hex.len() {
            40 | 64 if hex.bytes().all(|b| b.is_ascii_hexdigit()) => word.replace(hex, "HEX"),
            20 if hex.as_bytes()[10] == b'T' && hex.ends_with('Z') => word.replace(hex, "TIME"),
            4 if hex.as_bytes()[1] == b'.' && hex.parse::<f32>().is_ok() => word.replace(hex, "N"),
            _ => word.to_owned(),
        }
    };
    text.split_inclusive(['\n', ' ', '"'])
        .map(|part| {
            let (bare, end) = part
                .split_at(part.len() - usize::from(!part.ends_with(|c: char| c.is_alphanumeric())));
            word(bare) + end
        })
        .collect()
}
