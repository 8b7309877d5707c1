//! What would not work is refused, and `verify` says what is wrong with what was built.

use crate::stage::{BOTH, Run, Stage, act, build};
use dmc_build::{Activity, Settings};
use dmc_verify::{Problem, Report, Severity};

/// Builds a template that extends nginx.
fn changed_nginx(stage: &Stage, more: &str) -> (Settings, Run) {
    let text = format!("group = \"app\"\nsummary = \"s\"\nextends = [\"nginx\"]\n{more}");
    let settings = stage.settings_with("", &[("changed", &text)]);
    let run = build(settings.clone(), &["changed"]);
    (settings, run)
}

/// The report on one architecture after a build.
fn report(settings: Settings, template: &str) -> Report {
    let run = act(Activity::Verify, settings, &[template]).good();
    run.reports.get(&format!("{template} amd64")).unwrap().clone()
}

#[test]
fn a_built_image_is_verified_from_the_store_alone() {
    let stage = Stage::new();
    let run = stage.build().good();
    for arch in BOTH {
        let image = &run.images[&format!("nginx {arch}")];
        assert_eq!((image.counts.elf, image.counts.setuid), (10, 0), "{arch}");
        assert_eq!(image.counts.packages, image.packages, "{arch}");
        assert_eq!(image.warnings, [""; 0], "{arch}");
    }
    let asked = stage.server.requests().len();
    let run = act(Activity::Verify, stage.settings(), &["nginx"]).good();
    assert_eq!(stage.server.requests().len(), asked, "verify went to the network");
    assert_eq!(run.reports.len(), BOTH.len());
    for report in run.reports.values() {
        assert!(report.is_good());
        assert_eq!(report.of(Severity::Warning).count(), 0);
        // Scripts of the packages do more than an image gets; it is told, by line.
        assert!(report.findings.iter().any(|finding| matches!(
            &finding.problem,
            Problem::Script { package, line, .. } if package.as_str() == "nginx-common" && *line > 1
        )));
    }
}

#[test]
fn what_is_missing_from_the_store_is_fetched_again() {
    let stage = Stage::new();
    stage.build().good();
    for path in stage.stored("/facts/") {
        std::fs::remove_file(path).unwrap();
    }
    assert!(report(stage.settings(), "nginx").is_good());
}

#[test]
fn an_image_that_would_not_work_is_refused_and_leaves_nothing() {
    let zlib = "/usr/lib/{triplet}/libz.so.1.3.1";
    let gone = format!("[[files]]\npath = \"{zlib}\"\ntext = \"gone\"\n");
    let other = "[links]\n\"/usr/lib/{triplet}/libz.so.1\" = \"libcrypt.so.1.1.0\"\n".to_owned();
    let table: [(&str, String, &[&str]); 5] = [
        ("a library", gone, &["`/usr/sbin/nginx` needs libz.so.1"]),
        ("a symbol", other, &["`/usr/sbin/nginx` imports deflate"]),
        (
            "an interpreter",
            "[[files]]\npath = \"/usr/bin/run\"\nmode = \"0755\"\n\
             text = \"#!/usr/bin/lang\\n\"\n\
             [[files]]\npath = \"/usr/bin/lang\"\ntext = \"not executable\"\n"
                .to_owned(),
            &["`/usr/bin/run` is run by `/usr/bin/lang`"],
        ),
        ("a program", "entrypoint = [\"nginy\"]\n".to_owned(), &["entrypoint runs `nginy`"]),
        (
            "a user",
            "user = \"0:0\"\n[[files]]\npath = \"/etc/nginx/nginx.conf\"\ntext = \"user ginx;\"\n"
                .to_owned(),
            &["`/etc/nginx/nginx.conf`, line 1: there is no user ginx"],
        ),
    ];
    for (why, more, parts) in table {
        let stage = Stage::new();
        let (_, run) = changed_nginx(&stage, &more);
        run.said(why, parts);
        run.said(why, &["template changed for arm64 would not work", "hint: "]);
        assert!(!stage.path("out/index.json").exists(), "{why}");
        assert!(crate::stage::files(&stage.path("out/blobs")).is_empty(), "{why}");
    }
}

#[test]
fn what_may_matter_is_told_and_stops_nothing() {
    let stage = Stage::new();
    let more = "volumes = [\"/data\"]\n[links]\n\"/usr/share/x\" = \"gone\"\n";
    let (settings, run) = changed_nginx(&stage, more);
    let told = run.good().images["changed amd64"].warnings.join("\n");
    insta::assert_snapshot!(told, @r"
    volumes names `/data`, which is no folder of the image
    link `/usr/share/x` leads to `/usr/share/gone`, which is not in the image
    ");
    assert_eq!(report(settings, "changed").of(Severity::Warning).count(), 2);
}

#[test]
fn an_image_of_other_inputs_is_told() {
    let stage = Stage::new();
    changed_nginx(&stage, "").1.good();
    let text = "group = \"app\"\nsummary = \"s\"\nextends = [\"nginx\"]\n\
                [links]\n\"/x\" = \"usr\"\n";
    let settings = stage.settings_with("", &[("changed", text)]);
    let report = report(settings, "changed");
    assert!(report.findings.iter().any(|finding| finding.problem == Problem::Outdated));
}

#[test]
fn there_must_be_an_image_to_verify() {
    let stage = Stage::new();
    act(Activity::Verify, stage.settings(), &["nginx"])
        .said("nothing built", &["run `dmc -a update` first"]);
    act(Activity::Update, stage.settings(), &[]).good();
    act(Activity::Verify, stage.settings(), &["nginx"])
        .said("no image", &["there is no image of template nginx for amd64", "dmc -t nginx"]);
}
