//! Objects for a cluster before those who judge such objects.

use dmc_e2e::{Foreign, Workplace, run, target};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Versions of Kubernetes between the oldest that the validator knows and the newest.
const VERSIONS: [&str; 5] = ["1.25.0", "1.28.0", "1.31.0", "1.34.0", "1.37.0"];

/// A program in Python, where scripts/test installs it.
#[track_caller]
fn python_tool(place: &str) -> PathBuf {
    let program = target().join(place);
    assert!(program.is_file(), "this test needs {}: run scripts/test", program.display());
    program
}

/// The objects of nginx, in a file of the workplace.
fn objects(workplace: &Workplace) -> PathBuf {
    let args = ["-H", "registry.example/team", "-a", "deploy", "-t", "nginx", "-A", "amd64"];
    let dry = ["--dry-run", "--offline", "--namespace", "web"];
    let printed = run(&mut workplace.dmc(&[&args[..], &dry].concat())).ok().stdout;
    let file = workplace.root().join("objects.yaml");
    fs::write(&file, printed).unwrap();
    file
}

#[test]
fn objects_hold_before_validators_of_several_versions_a_scanner_and_kubectl() {
    let validate = python_tool("scanner/bin/kubernetes-validate");
    let checkov = python_tool("checkov/bin/checkov");
    let workplace = Workplace::new();
    workplace.create(&["-t", "nginx", "-A", "amd64"]);
    let file = objects(&workplace);
    for version in VERSIONS {
        let mut command = Command::new(&validate);
        run(command.args(["--strict", "-k", version]).arg(&file)).ok();
    }

    let mut command = Command::new(checkov);
    command.args(["--compact", "--skip-download", "--framework", "kubernetes"]);
    // Who may talk with whom is the namespace's to say, not an image's.
    command.args(["--skip-check", "CKV2_K8S_6", "-f"]).arg(&file);
    let said = run(&mut command).ok().stdout;
    assert!(said.contains("Failed checks: 0"), "{said}");

    let program = "/usr/bin/kubectl";
    let trixie = Foreign::build(&workplace, "trixie", &["kubectl"], &[program]);
    fs::copy(file, trixie.work().join("objects.yaml")).unwrap();
    let mut command = trixie.command(&[], program);
    command.args(["label", "--local", "-f", "/tmp/objects.yaml", "read=yes", "-o", "name"]);
    assert_eq!(run(&mut command).ok().stdout, "service/nginx\ndeployment.apps/nginx\n");
}
