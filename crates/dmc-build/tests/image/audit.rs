//! Images held against a security tracker, and what is attached to them.

use crate::stage::{
    BOTH, Run, STRANGER, Stage, act, blob, build, changed, files, json, replace, repository,
};
use crate::work::{TOOL, acme, third_party};
use dmc_build::audit::{
    AuditReport, AuditSettings, Curated, FailOn, Finding, Presence, Standing, Uncovered,
};
use dmc_build::{Activity, Settings};
use dmc_testkit::{FakeTracker, TRACKER_SAMPLE};
use dmc_types::Arch;
use serde_json::Value;
use std::fs;

/// Settings with this tracker, and with what ships of where code lies.
fn held_against(stage: &Stage, tracker: &str, settings: Settings) -> Settings {
    let path = stage.path("tracker.json");
    fs::write(&path, tracker).unwrap();
    with_tracker(path.as_str(), settings)
}

fn with_tracker(from: &str, mut settings: Settings) -> Settings {
    from.clone_into(&mut settings.conf.audit.tracker);
    settings.audit.curated = files(&repository().join("conf/vex"))
        .iter()
        .map(|path| (path.to_string(), fs::read(path).unwrap()))
        .collect();
    settings
}

/// Audits nginx against a tracker.
fn audit(stage: &Stage, tracker: &FakeTracker) -> AuditReport {
    let settings = held_against(stage, &tracker.json(), stage.settings());
    act(Activity::Audit, settings, &["nginx"]).good().audits["nginx"].clone()
}

fn found(report: &AuditReport, arch: Arch) -> Vec<String> {
    let image = report.images.iter().find(|image| image.arch == arch).unwrap();
    let line = |finding: &Finding| {
        let not_affected = if finding.not_affected.is_some() { " not affected" } else { "" };
        let Finding { id, source, version, standing, urgency, .. } = finding;
        format!("{id} {urgency} {source} {version} {standing:?}{not_affected}")
    };
    image.audited.findings.iter().map(line).collect()
}

/// What is attached to a manifest or an index: the documents, by their subject's digest.
fn attached(stage: &Stage) -> Vec<(String, Value)> {
    let index = json(&stage.path("out/index.json"));
    let artifacts = index["manifests"].as_array().unwrap().iter().filter(|entry| {
        entry["annotations"]["in-toto.io/predicate-type"] == "https://openvex.dev/ns/v0.2.0"
    });
    let read = |entry: &Value| {
        assert_eq!(entry["artifactType"], "application/vnd.in-toto+json");
        let artifact = json(&blob(&stage.path("out"), &entry["digest"]));
        let document = json(&blob(&stage.path("out"), &artifact["layers"][0]["digest"]));
        (artifact["subject"]["digest"].as_str().unwrap().to_owned(), document)
    };
    artifacts.map(read).collect()
}

/// One issue that nginx has, one that is fixed there, and one whose code was left out.
fn tracker() -> FakeTracker {
    FakeTracker::new()
        .open("nginx", "CVE-2025-1", "trixie", "high")
        .fixed("nginx", "CVE-2025-2", "trixie", "1.26.3-3")
        .fixed("glibc", "CVE-2025-3", "trixie", "2.41-12+deb13u1")
        .open("glibc", "CVE-2024-33599", "trixie", "low")
        .open("glibc", "CVE-2025-4", "bookworm", "high")
        .open("bash", "CVE-2025-5", "trixie", "high")
}

#[test]
fn images_are_audited_from_the_layout_alone() {
    let stage = Stage::new();
    let built = stage.build().good();
    fs::remove_dir_all(stage.path("store")).unwrap();
    let asked = stage.server.requests().len();
    let report = audit(&stage, &tracker());
    assert_eq!(stage.server.requests().len(), asked, "an audit asked the mirror");
    for arch in BOTH {
        assert_eq!(
            found(&report, arch),
            [
                "CVE-2025-1 high nginx 1.26.3-3 Open",
                "CVE-2024-33599 low glibc 2.41-12 Open not affected",
                "CVE-2025-3 not yet assigned glibc 2.41-12 Older",
            ],
            "{arch}"
        );
    }
    let image = &report.images[0].audited;
    assert_eq!(image.packages, built.images[&format!("nginx {}", report.images[0].arch)].packages);
    assert!(image.not_covered.is_empty(), "{:?}", image.not_covered);
}

#[test]
fn what_is_known_is_attached_to_each_image_and_to_the_index_once() {
    let stage = Stage::new();
    let built = stage.build().good();
    audit(&stage, &tracker());
    let documents = attached(&stage);
    let mut subjects: Vec<&str> = documents.iter().map(|(subject, _)| subject.as_str()).collect();
    let mut digests: Vec<String> =
        built.digests().values().map(|digest| format!("sha256:{digest}")).collect();
    subjects.sort_unstable();
    digests.sort_unstable();
    assert_eq!(subjects, digests);
    for (subject, document) in &documents {
        let vex = &document["predicate"];
        assert_eq!(vex["version"], 1);
        assert_eq!(
            format!("sha256:{}", document["subject"][0]["digest"]["sha256"].as_str().unwrap()),
            *subject
        );
        let statements = vex["statements"].as_array().unwrap();
        let known = statements.iter().find(|one| one["vulnerability"]["name"] == "CVE-2024-33599");
        let known = known.unwrap();
        assert_eq!(known["justification"], "vulnerable_code_not_present");
        assert!(known["status_notes"].as_str().unwrap().contains("/usr/sbin/nscd"), "{known}");
        let product = known["products"][0]["@id"].as_str().unwrap();
        assert_eq!(product.replace("%3A", ":"), format!("pkg:oci/nginx@{subject}"));
        let open = statements.iter().filter(|one| one["status"] == "under_investigation");
        assert_eq!(open.count(), 2);
    }

    let before = files(&stage.path("out"));
    audit(&stage, &tracker());
    assert_eq!(files(&stage.path("out")), before, "the same was written again");
    audit(&stage, &tracker().open("nginx", "CVE-2025-6", "trixie", "low"));
    let again = attached(&stage);
    assert_eq!(again.len(), documents.len());
    assert!(again.iter().all(|(_, document)| document["predicate"]["version"] == 2));
    audit(&stage, &FakeTracker::new().open("bash", "CVE-2025-5", "trixie", "high"));
    assert_eq!(attached(&stage), [], "nothing is known any more");
}

#[test]
fn the_forms_of_an_image_share_what_is_known_of_it() {
    let stage = Stage::new();
    let settings =
        Settings { compression: "gzip,zstd:chunked:3".parse().unwrap(), ..stage.settings() };
    build(settings, &["nginx"]).good();
    audit(&stage, &tracker());
    assert_eq!(attached(&stage).len(), 5, "two images in two forms, and the index");
}

#[test]
fn one_architecture_says_nothing_of_the_index_of_two() {
    let stage = Stage::new();
    stage.build().good();
    let mut settings = held_against(&stage, &tracker().json(), stage.settings());
    settings.conf.archs = vec![Arch::Arm64];
    let run = act(Activity::Audit, settings, &["nginx"]).good();
    assert_eq!(run.audits["nginx"].images.len(), 1);
    assert_eq!(attached(&stage).len(), 1);
}

#[test]
fn what_is_built_in_and_third_parties_packages_are_told_apart() {
    let archive = changed(|suite| {
        replace(suite, ("nginx", "amd64"), |deb| {
            deb.field("Static-Built-Using", "rust-wall (= 0.3-1)")
        });
    });
    let stage = Stage::with(&archive);
    stage.build().good();
    let report = audit(&stage, &tracker().fixed("rust-wall", "CVE-2025-7", "trixie", "0.4-1"));
    let built_in = |arch| {
        let image = report.images.iter().find(|image| image.arch == arch).unwrap();
        let of = image.audited.findings.iter().find(|finding| finding.source == "rust-wall");
        of.map(|finding| (finding.presence, finding.standing, finding.packages.len()))
    };
    assert_eq!(built_in(Arch::Amd64), Some((Presence::BuiltIn, Standing::Older, 1)));
    assert_eq!(built_in(Arch::Arm64), None);

    let stage = Stage::new();
    let server = third_party(&STRANGER);
    let settings = stage.settings_with(&acme(&stage, &server), &[("tool", TOOL)]);
    build(settings.clone(), &["tool"]).good();
    let tracker = tracker().open("tool", "CVE-2025-8", "trixie", "high");
    let settings = held_against(&stage, &tracker.json(), settings);
    let run = act(Activity::Audit, settings, &["tool"]).good();
    let audited = &run.audits["tool"].images[0].audited;
    assert!(audited.findings.iter().all(|finding| finding.source != "tool"));
    let foreign = audited.not_covered.iter().find(|one| one.package.as_str() == "tool").unwrap();
    assert_eq!(foreign.why, Uncovered::Archive("acme".to_owned()));
}

#[test]
fn a_release_that_the_tracker_does_not_know_is_not_covered() {
    let stage = Stage::new();
    stage.build().good();
    let report = audit(&stage, &FakeTracker::new().open("glibc", "CVE-1", "bookworm", "high"));
    let audited = &report.images[0].audited;
    assert_eq!((audited.packages, audited.findings.len()), (0, 0));
    assert!(!audited.not_covered.is_empty());
    assert!(audited.not_covered.iter().all(|one| one.why == Uncovered::Release("trixie".into())));
}

#[test]
fn only_urgencies_that_are_asked_for_fail_what_follows() {
    let stage = Stage::new();
    stage.build().good();
    for (fail_on, failing) in
        [(vec![], 0), (vec![FailOn::Low], 2), (vec![FailOn::High, FailOn::NotYetAssigned], 4)]
    {
        let mut settings = held_against(&stage, &tracker().json(), stage.settings());
        settings.audit.fail_on = fail_on.clone();
        let run = act(Activity::Audit, settings, &["nginx"]).good();
        assert_eq!(run.audits["nginx"].failing, failing, "{fail_on:?}");
    }
}

#[test]
fn the_trackers_data_is_fetched_once_a_run_and_kept_for_runs_without_network() {
    let stage = Stage::new();
    stage.build().good();
    let mut archive = crate::stage::HONEST.clone();
    archive.put("tracker.json", TRACKER_SAMPLE);
    stage.server.serve(&archive);
    let url = format!("{}/tracker.json", stage.server.url());
    let settings = with_tracker(&url, stage.settings());
    let run = act(Activity::Audit, settings.clone(), &["nginx", "nginx"]).good();
    assert_eq!(stage.server.count("tracker.json"), 1);
    assert!(run.audits["nginx"].images[0].audited.findings.iter().any(|one| one.source == "glibc"));

    let later = Settings { now: settings.now + 3600, ..settings };
    stage.server.break_for_good("tracker.json", dmc_testkit::Fault::status(404));
    act(Activity::Audit, later.clone(), &["nginx"])
        .said("gone", &["cannot fetch", "tracker.json", "--offline takes what was fetched last"]);
    let run = offline(later);
    let report = &run.audits["nginx"];
    assert_eq!(report.now - report.checked, 3600, "its age is told");
}

/// Audits nginx without network.
fn offline(settings: Settings) -> Run {
    crate::stage::act_within(dmc_build::Reach::Offline, Activity::Audit, settings, &["nginx"])
        .good()
}

#[test]
fn each_way_in_which_an_audit_fails_is_named() {
    let stage = Stage::new();
    stage.build().good();
    let settings = |from: &str| with_tracker(from, stage.settings());
    for (text, part) in [("[]", "not the data of a security tracker"), ("", "cannot be used")] {
        let settings = held_against(&stage, text, stage.settings());
        act(Activity::Audit, settings, &["nginx"]).said(text, &[part, "tracker.json"]);
    }
    for (from, part) in [
        ("/no/such/file.json", "cannot read the security tracker's data `/no/such/file.json`"),
        ("ftp://tracker.example/json", "neither the http or https address"),
    ] {
        act(Activity::Audit, settings(from), &["nginx"]).said(from, &[part, "[audit] tracker"]);
    }
    let mut wrong = held_against(&stage, &tracker().json(), stage.settings());
    wrong.audit = AuditSettings {
        curated: vec![("my.toml".to_owned(), b"[[vulnerability]]\nid = 1".to_vec())],
        ..AuditSettings::default()
    };
    act(Activity::Audit, wrong, &["nginx"]).said("curated", &["my.toml", "line 2"]);
    let mut none = held_against(&stage, &tracker().json(), stage.settings());
    none.out = stage.path("nowhere");
    act(Activity::Audit, none, &["nginx"]).said("no image", &["no image of template nginx"]);
}

#[test]
fn what_ships_of_where_code_lies_can_be_read() {
    let texts: Vec<_> = files(&repository().join("conf/vex"))
        .iter()
        .map(|path| (path.to_string(), fs::read(path).unwrap()))
        .collect();
    assert!(texts.len() > 1);
    let texts = texts.iter().map(|(name, text)| (name.as_str(), text.as_slice()));
    Curated::read(texts).unwrap();
}
