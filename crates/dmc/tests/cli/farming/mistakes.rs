//! What is no plan, no shard, and no command.

use super::{Farm, PLANS, digest};
use crate::stage::Stage;
use serde_json::{Value, json};
use std::fmt::Write as _;

#[test]
fn mistakes_about_farms_are_answered_with_a_way_out() {
    let stage = Stage::new();
    let plan = format!("registry.example/dmc-farm@sha256:{}", "0f".repeat(32));
    let mut all = String::new();
    for words in [
        "farm",
        "farm plna",
        "farm plan finish",
        "farm plan",
        "farm plan -t nginx",
        "farm plan -t ngnix -H registry.example",
        "farm plan -t nginx -H registry",
        "farm plan -t nginx -H registry.example --shards 0",
        "farm finish",
        "farm finish --plan registry.example/dmc-farm:plan",
        "farm finish --plan registry.example/dmc-farm@sha256:0f0f",
        "farm manifests",
        "farm night",
        "create --shard 0/2",
        "create --plan PLAN",
        "create --plan dmc-farm --shard 0/2",
        "create --plan PLAN --shard 2/2",
        "create --plan PLAN --shard one",
        "verify --plan PLAN --shard 0/2",
        "load --plan PLAN --shard 0/2",
    ] {
        let told = stage.run(&words.replace("PLAN", &plan).split(' ').collect::<Vec<_>>());
        let _ = writeln!(all, "$ dmc {words}\n{}", told.text().replace(&plan, "PLAN"));
        assert!(told.stdout.is_empty(), "{words}: {}", told.stdout);
        assert_eq!(told.code, Some(2), "{words}: {}", told.stderr);
    }
    // With an image of dmc the rest of what is asked counts.
    stage.conf("[farm]\nimage = \"registry.example/dmc\"");
    let told = stage.run(&["farm", "manifests", "--plan", "registry.example/dmc-farm:plan"]);
    let _ = writeln!(all, "$ dmc farm manifests --plan TAG\n{}", told.text());
    assert_eq!(told.code, Some(2));
    insta::assert_snapshot!("farm_mistakes", all);
    assert_eq!(stage.server.requests().len(), 0);
}

#[test]
fn what_is_no_plan_is_refused_by_what_it_is() {
    let farm = Farm::new();
    let plan = farm.plan("page", 1);
    let (good, repository) = (farm.artifact(digest(&plan)), format!("{}/dmc-farm", farm.host()));
    let text = farm.text(&good, 0);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut artifact = good.clone();
        change(&mut artifact);
        farm.put("other", &artifact)
    };
    let with = |text: &str| farm.put("other", &farm.with_text(&good, 0, text));
    let edited = |change: &dyn Fn(&mut Value)| {
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        change(&mut plan);
        with(&plan.to_string())
    };
    let other_lock = farm.with_text(&good, 1, "version = 9");
    let named = other_lock["layers"][1]["digest"].as_str().unwrap();
    let naming = text.replace(
        good["layers"][1]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap(),
        named.strip_prefix("sha256:").unwrap(),
    );
    assert_ne!(naming, text);
    let (again, kind) = ("hint: plan again: dmc farm plan", "it is another kind of artifact");
    let newer = "hint: a newer dmc wrote it: use the same dmc on all machines of a farm";
    for (reference, wanted, hint) in [
        (
            format!("{repository}@sha256:{}", "0f".repeat(32)),
            "there is no plan ",
            "hint: check its name and the registry's credentials, or plan again",
        ),
        (farm.put_bytes("other", b"no"), " is no plan: expected ident at line 1 column 2", again),
        (changed(&|it| it["layers"] = json!([])), "it has not both a plan and a lock", again),
        (changed(&|it| it["artifactType"] = "a/b".into()), kind, again),
        (changed(&|it| it["layers"][0]["mediaType"] = "a/b".into()), kind, again),
        (changed(&|it| it["layers"][1]["mediaType"] = "a/b".into()), kind, again),
        (farm.put("other", &other_lock), "its lock is not the one that it names", again),
        (farm.put("other", &farm.with_text(&other_lock, 0, &naming)), " is no plan: ", again),
        (with("{}"), "the plan cannot be read\ncause: missing field `version`", again),
        (edited(&|it| it["version"] = 2.into()), "the plan has version 2 of the format", newer),
        (edited(&|it| it["version"] = 0.into()), "this dmc reads version 1", again),
        (edited(&|it| it["archs"] = json!([])), "amd64 is none of its architectures", again),
        (edited(&|it| it["shards"] = json!([])), "the plan is wrong: it has 0 shards", again),
        (with(&" ".repeat((4 << 20) + 1)), "the plan has more than 4194304 bytes", again),
    ] {
        for told in [farm.finish(&reference), farm.shard(&reference, "0/1")] {
            told.failed(1, &[wanted, hint]);
        }
    }
    assert!(farm.registry.manifests("team/page").is_empty());
    // What is asked of a good one can be wrong, too.
    let told = farm.shard(&plan, "0/2");
    told.failed(2, &["the plan has 1 shards, and this is one of 2", "--shard I/1"]);
    assert_eq!(farm.registry.tags(PLANS)["plan"], digest(&plan));
}

#[test]
fn templates_that_cannot_be_planned_are_named_and_the_others_are_planned() {
    let farm = Farm::new();
    for name in ["gone", "lost"] {
        farm.stage.template(name, &format!("packages = [\"{name}-from-debian\"]"));
    }
    let words = format!("farm plan --shards 1 -H {} -t ", farm.host());
    let one = farm.run(&format!("{words}gone")).failed(1, &["gone-from-debian", "hint: "]);
    assert!(!one.stderr.contains("no template can be planned"), "{}", one.stderr);
    let both = farm.run(&format!("{words}gone,lost")).failed(
        1,
        &[
            "gone is not planned: ",
            "gone-from-debian",
            "lost is not planned: ",
            "lost-from-debian",
            "error: no template can be planned\nhint: see above why each could not",
        ],
    );
    assert!(both.stdout.is_empty());
    assert!(farm.registry.tags(PLANS).is_empty());
    let told = farm.run(&format!("{words}gone,page")).failed(1, &["gone is not planned: "]);
    let plan = told.stdout.trim_end();
    farm.shard(plan, "0/1").good();
    farm.finish(plan).good();
}

#[test]
fn what_a_machine_would_do_is_listed() {
    let farm = Farm::new();
    let plan = farm.plan("page", 3);
    let list = |shard: &str| {
        farm.run(&format!("-l create --locked --plan {plan} --shard {shard}")).good().stdout
    };
    let all: Vec<String> = ["0/3", "1/3", "2/3"].map(list).into();
    assert_eq!(all.iter().filter(|list| list.contains("page")).count(), 2, "{all:?}");
    assert!(all.iter().all(|list| list.contains("deliver")), "{all:?}");
    assert_eq!(farm.registry.count("PUT", "/manifests/shard-"), 0);
}
