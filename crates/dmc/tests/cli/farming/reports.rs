//! What machines have left in the registry, and what the one that finishes says of it.

use super::{Farm, PLANS, digest};
use crate::stage::Told;
use dmc_testkit::registry_error;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

/// A plan of `page` for two machines, each of which has left its report.
fn built() -> (Farm, String) {
    let farm = Farm::new();
    let plan = farm.plan("page", 2);
    for shard in ["0/2", "1/2"] {
        farm.shard(&plan, shard).good();
    }
    (farm, plan)
}

impl Farm {
    /// The report of shard 0: its artifact, and its text.
    fn report(&self) -> (Value, Value) {
        let artifact = self.artifact(&self.registry.tags(PLANS)["shard-0"]);
        let text = serde_json::from_str(&self.text(&artifact, 0)).unwrap();
        (artifact, text)
    }

    /// Puts a text in the place of shard 0's report.
    fn replace_report(&self, text: &str) {
        let artifact = self.with_text(&self.report().0, 0, text);
        self.put("shard-0", &artifact);
    }

    /// The run has failed, and no image has a name.
    #[track_caller]
    fn refuses(&self, told: Told, parts: &[&str]) {
        told.failed(1, parts);
        assert!(
            self.registry.tags("team/page").is_empty(),
            "{:?}",
            self.registry.tags("team/page")
        );
    }
}

/// The manifest of the report's only image, in hexadecimal.
fn manifest_of(report: &Value) -> String {
    let digest = report["images"][0]["image"]["summary"]["manifest"]["digest"].as_str().unwrap();
    digest.strip_prefix("sha256:").unwrap().to_owned()
}

#[test]
fn reports_that_are_not_what_was_planned_are_refused_by_name() {
    let (farm, plan) = built();
    let honest = farm.report().1;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut report = honest.clone();
        change(&mut report);
        report.to_string()
    };
    let missing = "the set is not complete: no report of shard 0 (page on amd64)";
    let foreign = "is not of what was planned: ";
    for (report, wanted) in [
        (changed(&|it| it["plan"] = "0f".repeat(32).into()), missing),
        (changed(&|it| it["version"] = 2.into()), missing),
        ("{}".to_owned(), missing),
        (changed(&|it| it["shard"] = 7.into()), "the plan has no such shard"),
        (changed(&|it| it["shard"] = 1.into()), foreign),
        (changed(&|it| it["images"] = Value::Array(vec![])), "is missing"),
        (
            changed(&|it| it["images"][0]["template"] = "nginx".into()),
            "nginx on amd64 is not its image",
        ),
    ] {
        farm.replace_report(&report);
        farm.refuses(farm.finish(&plan), &[wanted, "hint: "]);
    }
    let old = farm.registry.tags(PLANS)["shard-0"].clone();
    farm.registry.move_tag(PLANS, "shard-0", None);
    let hint = "hint: let these shards run, again where they failed, and finish after that";
    farm.refuses(farm.finish(&plan), &[missing, hint]);
    farm.registry.move_tag(PLANS, "shard-0", Some(&old));
    farm.replace_report(&honest.to_string());
    farm.finish(&plan).good();
    assert!(farm.registry.tags("team/page").contains_key("latest"));
}

#[test]
fn what_was_reported_and_is_not_there_is_named() {
    let (farm, plan) = built();
    let (_, report) = farm.report();
    let image = manifest_of(&report);
    let document = report["images"][0]["image"]["documents"][0]["digest"].as_str().unwrap();
    let gone = || registry_error(404, "MANIFEST_UNKNOWN", "it was removed");
    for (method, missing) in [("HEAD", format!("sha256:{image}")), ("GET", document.to_owned())] {
        farm.registry.fault(method, &format!("/manifests/{missing}"), 1, gone());
        let words = format!(
            "the image of template page for amd64 was reported, but {missing} is not in {}/page",
            farm.host()
        );
        let hint = "hint: the registry has removed it: let its shard run again";
        farm.refuses(farm.finish(&plan), &[&words, hint]);
    }
    // A document about another image is as good as none.
    let mut other = report.clone();
    other["images"][0]["image"]["documents"][0]["digest"] = format!("sha256:{image}").into();
    farm.replace_report(&other.to_string());
    farm.refuses(farm.finish(&plan), &["was reported, but sha256:"]);
}

#[test]
fn whoever_finishes_needs_a_folder_for_what_is_temporary() {
    let (farm, plan) = built();
    let odd = farm.stage.path("").as_std_path().join(OsStr::from_bytes(b"od\xffd"));
    fs::create_dir(&odd).unwrap();
    for folder in [farm.stage.path("nowhere").as_std_path(), &odd] {
        let mut command = farm.stage.command(&["farm", "finish", "--plan", &plan]);
        let output = command.env("TMPDIR", folder).output().unwrap();
        let words = ["cannot make a folder for temporary files", "cause: ", "hint: set TMPDIR"];
        farm.refuses(farm.stage.told(&output), &words);
    }
}

#[test]
fn a_shard_that_runs_twice_must_come_to_the_same_image() {
    let (farm, plan) = built();
    farm.shard(&plan, "0/2").good();
    let (_, report) = farm.report();
    let (now, before) = (manifest_of(&report), "0f".repeat(32));
    farm.replace_report(&report.to_string().replace(&now, &before));
    let words = format!(
        "the image of template page for amd64 came out as sha256:{now}, and as sha256:{before} \
         when the shard was built before"
    );
    farm.refuses(farm.shard(&plan, "0/2"), &[&words, "hint: all machines of a farm must have"]);
    assert_eq!(manifest_of(&farm.report().1), before, "what was reported stays");
}

#[test]
fn machines_that_are_late_do_not_report_to_a_newer_plan() {
    let (farm, first) = built();
    // What was measured makes another plan, of which nothing is built yet.
    let mut slow = farm.report().1;
    slow["images"][0]["took"] = 77_777.into();
    farm.replace_report(&slow.to_string());
    let second = farm.plan("page", 2);
    assert_ne!(first, second);
    let words = format!("a newer plan has taken the place of {first}");
    let hint = "hint: build the shards of the newer one";
    farm.refuses(farm.shard(&first, "0/2"), &[&words, hint]);
    farm.refuses(farm.finish(&second), &["no report of shard 0, 1 (page on a"]);
    for shard in ["1/2", "0/2"] {
        farm.shard(&second, shard).good();
    }
    farm.finish(&second).good();
}

#[test]
fn private_images_go_to_listed_hosts_alone_at_every_step_of_a_farm() {
    let farm = Farm::new();
    farm.stage.write("work/templates/page/private.d/etc/secret", b"x");
    let listed = format!("private_hosts = [\"{}\"]", farm.registry.host());
    let refused = format!("`{}` is not a host for such", farm.registry.host());
    let words = format!("farm plan -t page --shards 1 -H {}", farm.host());
    farm.refuses(farm.run(&words), &[&refused, "private_hosts = "]);
    assert_eq!(farm.registry.tags(PLANS).len(), 0);

    farm.stage.conf(&listed);
    let plan = farm.plan("page", 1);
    farm.stage.conf("");
    farm.refuses(farm.shard(&plan, "0/1"), &[&refused]);
    assert!(farm.registry.manifests("team/page").is_empty(), "nothing went there");
    farm.stage.conf(&listed);
    farm.shard(&plan, "0/1").good();
    farm.stage.conf("");
    farm.refuses(farm.finish(&plan), &[&refused]);
    farm.stage.conf(&listed);
    farm.finish(&plan).good();
    let tags = farm.registry.tags("team/page");
    assert!(tags.contains_key("latest-private"), "{tags:?}");
    assert!(tags.keys().all(|tag| tag.ends_with("-private")), "{tags:?}");
    assert_eq!(digest(&plan), farm.registry.tags(PLANS)["plan"]);
}
