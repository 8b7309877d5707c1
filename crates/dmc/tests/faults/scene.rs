//! What the tests of faults have in common: one image, how it is built, what must hold afterwards.

use crate::stage::{HONEST, Stage, Told};
use camino::{Utf8Path, Utf8PathBuf};
use dmc_testkit::sha256;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::LazyLock;

/// The image of most tests.
pub(crate) const NGINX: [&str; 4] = ["-t", "nginx", "-A", "amd64"];
/// One of few files, for tests with very many runs.
pub(crate) const SMALL: [&str; 4] = ["-t", "pages", "-A", "amd64"];

/// What an undisturbed run prints.
pub(crate) static WANTED: LazyLock<String> = LazyLock::new(|| printed(&NGINX));
/// The same of the small one.
pub(crate) static WANTED_SMALL: LazyLock<String> = LazyLock::new(|| printed(&SMALL));

fn printed(args: &[&str]) -> String {
    let told = scene().run(args).good();
    assert!(told.stdout.contains(" sha256:"), "{told:?}");
    told.stdout
}

/// A stage that is not patient, with the small template.
pub(crate) fn scene() -> Stage {
    let stage = Stage::with(&HONEST);
    stage.conf("timeout = 1\nretries = 2");
    let roots = "packages = [\"nginx-common\"]\ninclude = [\"/usr/share/nginx/html/**\"]\n\
        version_from = \"nginx-common\"";
    stage.template("pages", roots);
    stage
}

/// Lets the programs of a stage read this mirror instead of its own.
pub(crate) fn read_from(stage: &Stage, url: &str) {
    let archives = format!("[vendor.debian.archives]\nmain = \"{url}\"\nsecurity = \"{url}\"\n");
    stage.write("dmc.conf", format!("timeout = 1\nretries = 2\n{archives}").as_bytes());
}

/// The program with these words, behind another command that runs it.
pub(crate) fn behind(stage: &Stage, mut command: Command, args: &[&str]) -> Command {
    stage.place(&mut command);
    command.arg(env!("CARGO_BIN_EXE_dmc")).args(args).arg("--conf").arg(stage.path("dmc.conf"));
    command
}

/// An empty store and no layout, as at first.
pub(crate) fn clear(stage: &Stage) {
    for folder in ["home/.cache", "work/out"] {
        match fs::remove_dir_all(stage.path(folder)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
}

/// A plain run now ends at the right digest, and everything is in its place.
#[track_caller]
pub(crate) fn assert_recovers(stage: &Stage, args: &[&str], wanted: &str, why: &str) {
    let told = stage.run(args);
    assert_eq!((told.code, told.stdout.as_str()), (Some(0), wanted), "{why}: {}", told.stderr);
    assert_sound(stage, why);
}

/// A run that was struck says what failed, where, and what to do; it never panics, and never
/// names a digest that is not the right one.
#[track_caller]
pub(crate) fn assert_told(told: &Told, parts: &[&str], why: &str) {
    assert_eq!(told.code, Some(1), "{why}: {told:?}");
    for part in parts.iter().chain(&["hint: "]) {
        assert!(told.stderr.contains(part), "{why}: no `{part}` in:\n{}", told.stderr);
    }
    assert!(!told.stdout.contains("sha256:"), "{why}: {}", told.stdout);
}

/// Whatever has its place in store and layout is what its name says, and all that the layout's
/// index names is there.
#[track_caller]
pub(crate) fn assert_sound(stage: &Stage, why: &str) {
    for path in stage.everything() {
        let (name, folder) = (path.file_name().unwrap(), path.parent().unwrap());
        let digest = match name.strip_suffix(".deb") {
            Some(digest) if folder.ends_with("v1/debs") => digest,
            None if folder.ends_with("blobs/sha256") => name,
            _ => continue,
        };
        assert_eq!(digest, sha256(&fs::read(&path).unwrap()), "{why}: {path}");
    }
    let out = stage.path("work/out");
    let mut seen = BTreeSet::new();
    if out.join("index.json").is_file() {
        assert_complete(&out, &out.join("index.json"), &mut seen, why);
    }
}

#[track_caller]
fn assert_complete(
    out: &Utf8Path,
    document: &Utf8Path,
    seen: &mut BTreeSet<Utf8PathBuf>,
    why: &str,
) {
    let text = fs::read_to_string(document).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let lists = ["manifests", "layers"].map(|key| value[key].as_array().cloned());
    let one = value.get("config").filter(|config| config.get("digest").is_some()).cloned();
    for entry in lists.into_iter().flatten().flatten().chain(one) {
        let digest = entry["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let path = out.join("blobs/sha256").join(digest);
        let size = path.metadata().map(|there| there.len()).ok();
        assert_eq!(size, entry["size"].as_u64(), "{why}: {path} in {document}");
        let json = entry["mediaType"].as_str().unwrap().ends_with("+json");
        if json && seen.insert(path.clone()) {
            assert_complete(out, &path, seen, why);
        }
    }
}

/// Numbers that look random and are the same in each run (xorshift64*).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// The next one, below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % limit.max(1)
    }
}
