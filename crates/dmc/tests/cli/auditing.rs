//! Audits as their users meet them.

use crate::stage::Stage;
use dmc_testkit::FakeTracker;

fn stage() -> Stage {
    let stage = Stage::new();
    let tracker = FakeTracker::new()
        .open("nginx", "CVE-2025-1", "trixie", "high")
        .open("glibc", "CVE-2024-33599", "trixie", "medium")
        .issue(
            "glibc",
            "TEMP-0000000-123456",
            "trixie",
            "\"status\":\"open\",\"urgency\":\"low\",\"nodsa\":\"Minor issue\",\
             \"nodsa_reason\":\"postponed\"",
        )
        .issue("zlib", "CVE-2025-2", "trixie", "\"status\":\"undetermined\",\"urgency\":\"low\"")
        .fixed("openssl", "CVE-2025-3", "trixie", "99-1");
    stage.write("tracker.json", tracker.json().as_bytes());
    let tracker = stage.path("tracker.json");
    stage.conf(&format!("archs = [\"amd64\"]\n[audit]\ntracker = \"{tracker}\"\n"));
    stage.run(&["-t", "nginx"]).good();
    stage
}

#[test]
fn an_audit_says_what_is_known_and_what_does_not_affect_the_image() {
    let stage = stage();
    let told = stage.run(&["audit", "-t", "nginx"]).good();
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert!(lines[0].starts_with("nginx amd64: "), "{}", told.stdout);
    assert!(
        lines[0].ends_with(
            "; 1 high, 1 low, 1 not yet assigned, 1 undetermined, 1 not affecting the image"
        ),
        "{}",
        told.stdout
    );
    for part in [
        "  CVE-2025-1 high: nginx 1.26.3-3 (nginx, nginx-common), open",
        "  CVE-2024-33599 medium: glibc 2.41-12 (libc-bin, libc6), open; not affected: the code is in \
         /usr/sbin/nscd, not in the image",
        "  TEMP-0000000-123456 low: glibc 2.41-12 (libc-bin, libc6), open, no advisory (Minor issue, postponed)",
        ", undetermined",
        ", fixed in 99-1",
    ] {
        assert!(told.stdout.contains(part), "no `{part}` in:\n{}", told.stdout);
    }
    assert!(told.stderr.contains("tracker.json is "), "its age is told: {}", told.stderr);
    let json = stage.run(&["audit", "-t", "nginx", "--json"]).good().stdout;
    for part in [
        "\"id\":\"CVE-2025-1\"",
        "\"urgency\":\"not yet assigned\"",
        "\"standing\":\"undetermined\"",
        "\"justification\":\"vulnerable_code_not_present\"",
        "\"not_covered\":[]",
    ] {
        assert!(json.contains(part), "no `{part}` in:\n{json}");
    }
}

#[test]
fn an_audit_fails_for_the_urgencies_that_are_named() {
    let stage = stage();
    for (fail_on, code) in
        [("high", 1), ("low", 1), ("undetermined", 1), ("end-of-life", 0), ("end-of-life,high", 1)]
    {
        let told = stage.run(&["audit", "-t", "nginx", "--fail-on", fail_on]);
        assert_eq!(told.code, Some(code), "{fail_on}: {}", told.stderr);
        assert!(told.stdout.contains("CVE-2025-1"), "it is told all the same");
    }
    stage.run(&["audit", "-t", "nginx", "--fail-on", "critical"]).failed(2, &["critical", "high"]);
    stage.run(&["-t", "nginx", "--fail-on", "high"]).failed(2, &["--fail-on is for audit"]);
    stage.run(&["audit"]).failed(2, &["no template is named"]);
}

#[test]
fn a_folder_of_ones_own_says_where_code_lies_too() {
    let stage = stage();
    stage.write(
        "vex/my.toml",
        b"[[vulnerability]]\nid = \"CVE-2025-1\"\nsource = \"nginx\"\npackages = [\"nginx-extras\"]\n\
          because = \"It is in a module of that package.\"\n",
    );
    let (tracker, vex) = (stage.path("tracker.json"), stage.path("vex"));
    let conf = |vex: &str| {
        stage.conf(&format!(
            "archs = [\"amd64\"]\n[audit]\ntracker = \"{tracker}\"\nvex = \"{vex}\"\n"
        ));
    };
    conf(vex.as_str());
    let told = stage.run(&["audit", "-t", "nginx", "--fail-on", "high"]).good();
    let part = "not affected: the code is in nginx-extras, not in the image";
    assert!(told.stdout.contains(part), "{}", told.stdout);
    stage.write("vex/my.toml", b"[[vulnerability]]\nid = \"CVE-2025-1\"\n");
    stage.run(&["audit", "-t", "nginx"]).failed(2, &["my.toml", "docs/audit.md"]);
    conf("/no/such/folder");
    stage.run(&["audit", "-t", "nginx"]).failed(2, &["/no/such/folder", "audit.vex"]);
}
