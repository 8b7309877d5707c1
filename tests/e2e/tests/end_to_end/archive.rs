//! From the machine's mirror to two images under one index.

use dmc_e2e::{Built, Workplace, host, libraries, nginx, program, run, tool};
use std::path::Path;

#[test]
fn nginx_is_built_for_both_architectures_from_the_machines_mirror_in_an_empty_store() {
    let workplace = Workplace::new();
    let built = workplace.create(&["-t", "nginx"]);
    let layout = &built.layout;
    assert_eq!(layout.architectures(&built.digest), ["amd64", "arm64"]);
    assert_eq!(layout.digest("nginx:latest"), built.digest);
    assert_eq!(layout.digest(&built.reference), built.digest);
    for (arch, most) in [("amd64", 5_350_000), ("arm64", 5_650_000)] {
        let size = layout.layer_size(&built.digest, arch);
        println!("{} {arch}: {size} bytes", built.reference);
        assert!(size <= most, "the layer of {arch} has {size} bytes, more than {most}");
        let config = layout.config(&built.digest, arch);
        assert_eq!(config["architecture"], arch);
        assert_eq!(config["history"].as_array().map(Vec::len), Some(1), "{config:#}");
    }
}

#[test]
fn the_command_that_the_readme_opens_with_builds_an_image() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let args = readme.lines().find_map(|line| line.strip_prefix("    cargo run --release -- "));
    let args: Vec<&str> = args.expect("a command in README.md").split(' ').collect();
    let workplace = Workplace::new();
    let printed = run(workplace.command(program()).args(args)).ok().stdout;
    let built = Built::of(&workplace, &printed);
    assert_eq!(built.layout.architectures(&built.digest), ["amd64", "arm64"]);
}

#[test]
fn at_most_thirteen_packages_are_fetched_for_an_architecture() {
    for arch in ["amd64", "arm64"] {
        let workplace = Workplace::new();
        workplace.create(&["-t", "nginx", "-A", arch]);
        let mut fetched: Vec<String> = workplace.debs().iter().map(|deb| name(deb)).collect();
        fetched.sort();
        println!("{arch}: {} packages fetched: {}", fetched.len(), fetched.join(" "));
        assert!(fetched.len() <= 13, "{arch}: {} packages: {fetched:?}", fetched.len());
    }
}

fn name(deb: &Path) -> String {
    let shown = run(tool("dpkg-deb", "dpkg").args(["-f"]).arg(deb).arg("Package")).ok();
    shown.stdout.trim().to_owned()
}

#[test]
fn setup_verifies_the_archive_and_names_the_optional_tools() {
    let workplace = Workplace::new();
    let said = workplace.run(&["-a", "setup"]).ok().stderr;
    for wanted in ["amd64: ", "arm64: ", "verified", "podman", "docker", "skopeo"] {
        assert!(said.contains(wanted), "no `{wanted}` in:\n{said}");
    }
    assert!(workplace.root().join("store").is_dir());
    assert!(!workplace.out().exists(), "setup builds nothing");
}

#[test]
fn update_says_what_is_not_built_and_then_that_nothing_changed() {
    let workplace = Workplace::new();
    let update = || workplace.run(&["-a", "update", "-t", "nginx"]).ok().stdout;
    let before = update();
    for suite in ["trixie of ", "trixie-updates of ", "trixie-security of "] {
        let told = |line: &str| line.starts_with(suite) && line.ends_with(", for the first time");
        assert!(before.lines().any(told), "nothing of {suite}in:\n{before}");
    }
    assert!(
        before.ends_with("\nnginx amd64: not built yet\nnginx arm64: not built yet\n"),
        "{before}"
    );
    workplace.create(&["-t", "nginx"]);
    let after = update();
    assert!(after.starts_with("nothing changed: trixie of "), "{after}");
    assert!(after.ends_with("\nnginx amd64: up to date\nnginx arm64: up to date\n"), "{after}");
}

#[test]
fn a_locked_image_is_built_again_offline_from_its_packages_alone() {
    let workplace = Workplace::new();
    let built = workplace.create(&["-t", "nginx"]);
    workplace.run(&["lock", "-t", "nginx"]).ok();
    for shelf in std::fs::read_dir(workplace.root().join("store/v1")).unwrap() {
        let shelf = shelf.unwrap();
        if shelf.file_name() != "debs" && shelf.path().is_dir() {
            std::fs::remove_dir_all(shelf.path()).unwrap();
        }
    }
    std::fs::remove_dir_all(workplace.out()).unwrap();
    let again = workplace.create(&["-t", "nginx", "--locked", "--offline"]);
    assert_eq!(again.digest, built.digest);
}

#[test]
fn why_prints_the_chain_of_reasons_for_a_file() {
    let (workplace, _) = nginx();
    let libgcc = format!("{}/libgcc_s.so.1", libraries(host()));
    for (path, wanted) in [
        ("/usr/sbin/nginx", vec!["from package nginx", "/usr/sbin/nginx: root"]),
        (&*libgcc, vec!["from package libgcc-s1", "rule libgcc", "/usr/sbin/nginx: root"]),
    ] {
        let said = workplace.run(&["-A", host(), "why", "nginx", path]).ok().stdout;
        for text in wanted {
            assert!(said.contains(text), "no `{text}` in:\n{said}");
        }
    }
}

#[test]
fn why_names_the_package_that_would_ship_a_path_that_is_not_in_the_image() {
    let (workplace, _) = nginx();
    let said = workplace.run(&["why", "nginx", "/usr/bin/perl"]).code_is(1).stdout;
    for arch in ["amd64", "arm64"] {
        let wanted = format!("/usr/bin/perl is not in nginx on {arch}; perl-base ships it");
        assert!(said.contains(&wanted), "no `{wanted}` in:\n{said}");
    }
}
