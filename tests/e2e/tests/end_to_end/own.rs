//! dmc's own image, made of the program under test as `scripts/self-image` makes it.

use dmc_e2e::{Engine, Workplace, program, run};
use std::fs;
use std::path::Path;

/// The machine's own architecture.
const MACHINE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

#[test]
fn the_program_in_its_own_image_runs_in_podman() {
    let (workplace, engine) = (Workplace::new(), Engine::podman());
    let folder = workplace.root().join("templates/dmc");
    let programs = folder.join(format!("files-{MACHINE}/usr/bin"));
    fs::create_dir_all(&programs).unwrap();
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/dmc/template.toml");
    fs::copy(template, folder.join("template.toml")).unwrap();
    fs::copy(program(), programs.join("dmc")).unwrap();
    let args = ["-A", MACHINE, "-t", "dmc"];
    let built = workplace.create(&args);
    assert_eq!(built.reference, format!("dmc:{}", env!("CARGO_PKG_VERSION")));
    let tests = [&["-a", "test", "--engine", engine.name()][..], &args].concat();
    let told = run(&mut engine.aim(workplace.dmc(&tests))).ok().stdout;
    assert_eq!(told.lines().filter(|line| line.starts_with("ok test dmc ")).count(), 4, "{told}");
}
