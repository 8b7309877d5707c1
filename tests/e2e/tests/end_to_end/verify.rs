//! Findings about real images.

use dmc_e2e::{Workplace, nginx};
use serde_json::Value;
use std::fs;

/// What `dmc -a verify --json` says, by architecture.
fn verify(workplace: &Workplace, template: &str) -> Vec<Value> {
    let done = workplace.run(&["-a", "verify", "-t", template, "--json"]).ok();
    done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_image_of_nginx_has_no_error_on_either_architecture() {
    let (workplace, _) = nginx();
    let reports = verify(workplace, "nginx");
    let archs: Vec<&str> = reports.iter().filter_map(|report| report["arch"].as_str()).collect();
    assert_eq!(archs, ["amd64", "arm64"]);
    for report in &reports {
        assert_eq!(report["good"], true, "{report:#}");
        assert_eq!(report["counts"]["setuid"], 0);
        assert!(report["counts"]["elf"].as_u64().unwrap() >= 10, "{report:#}");
        let severities = report["findings"].as_array().unwrap().iter();
        assert!(severities.clone().all(|finding| finding["severity"] == "note"), "{report:#}");
        assert!(severities.clone().any(|finding| finding["problem"] == "script"), "{report:#}");
    }
}

#[test]
fn a_library_that_is_not_there_or_is_another_refuses_the_image() {
    let (workplace, _) = nginx();
    let place = "/usr/lib/{triplet}/libz.so.1";
    for (name, more, wanted) in [
        (
            "gone",
            format!("[[files]]\npath = \"{place}.3.1\"\ntext = \"gone\"\n"),
            "`/usr/sbin/nginx` needs libz.so.1, which the loader does not find",
        ),
        (
            "other",
            format!("[links]\n\"{place}\" = \"libcrypt.so.1.1.0\"\n"),
            "`/usr/sbin/nginx` imports deflate, ",
        ),
    ] {
        let folder = workplace.root().join("doctored").join(name);
        fs::create_dir_all(&folder).unwrap();
        let text = format!("group = \"app\"\nsummary = \"s\"\nextends = [\"nginx\"]\n{more}");
        fs::write(folder.join("template.toml"), text).unwrap();
        let done = workplace.run(&["--templates-dir", "doctored", "-t", name]).code_is(1);
        assert!(done.stderr.contains(wanted), "{name}: {}", done.stderr);
        assert!(done.stderr.contains("for arm64 would not work"), "{name}: {}", done.stderr);
    }
}
