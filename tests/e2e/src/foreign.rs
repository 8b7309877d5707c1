//! Programs of other Debian releases than the machine's, in images that dmc has made of them.
//!
//! A template is written and built from the release's packages, its layer unpacked, and a program
//! started in there by bubblewrap: with that release's libraries, this machine's network, and one
//! folder that it may write, which it sees as `/tmp`.

use crate::dmc::Workplace;
use crate::process::tool;
use crate::unpack::{host, unpack_layer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs of a release, unpacked.
#[derive(Debug)]
pub struct Foreign {
    root: PathBuf,
    work: PathBuf,
}

impl Foreign {
    /// Builds and unpacks packages of a release, of which `programs` are wanted, by their paths.
    /// It lies in a workplace, which has to outlive it.
    #[track_caller]
    pub fn build(workplace: &Workplace, suite: &str, packages: &[&str], programs: &[&str]) -> Self {
        let name = format!("foreign-{suite}");
        let folder = workplace.root().join(&name);
        let template = folder.join("templates").join(&name);
        fs::create_dir_all(&template).unwrap();
        // Lists of plain words look in TOML as they do in Rust.
        let text = format!(
            "group = \"tools\"\nsummary = \"tools\"\ndescription = \"Tools of {suite}\"\n\
             extends = [\"minimal\"]\npackages = {packages:?}\nroots = {programs:?}\n"
        );
        fs::write(template.join("template.toml"), text).unwrap();
        let templates = format!("{name}/templates");
        // Outside of its own machines' mirrors, sid may be some days old.
        let args = ["-D", suite, "-A", host(), "--accept-expired", "sid"];
        let built =
            workplace.create(&[&args[..], &["--templates-dir", &templates, "-t", &name]].concat());
        let [root, work] = ["root", "work"].map(|name| folder.join(name));
        for folder in [&root, &work] {
            fs::create_dir(folder).unwrap();
        }
        let index = built.layout.document(&built.digest);
        let manifest = index["manifests"][0]["digest"].as_str().unwrap();
        unpack_layer(&built.layout, manifest, &root);
        Self { root, work }
    }

    /// The folder that its programs see as `/tmp`.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// A program in its own world, with these variables and a few that all programs want.
    #[track_caller]
    pub fn command(&self, environment: &[(&str, &str)], program: &str) -> Command {
        let mut command = tool("bwrap", "bubblewrap");
        command.arg("--ro-bind").arg(&self.root).arg("/").arg("--bind").arg(&self.work).arg("/tmp");
        command.args(["--dev-bind", "/dev", "/dev", "--proc", "/proc", "--ro-bind", "/sys"]);
        command.args(["/sys", "--tmpfs", "/run", "--tmpfs", "/var", "--chdir", "/tmp"]);
        command.args(["--cap-add", "ALL", "--clearenv"]);
        let usual = [("HOME", "/tmp"), ("PATH", "/usr/bin:/usr/sbin"), ("TMPDIR", "/tmp")];
        for (name, value) in usual.iter().chain(environment) {
            command.args(["--setenv", name, value]);
        }
        command.arg(program);
        command
    }
}
