//! Plans of farms, and what machines report of them.

use dmc_farm::{Built, FarmError, FarmPlan, PlannedImage, Report, Shard, complete};
use dmc_types::{Arch, Sha256, TemplateName};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A plan comes first; reports follow, each after such a line.
const DIVIDER: &str = "\n%%\n";

/// A plan and reports of it: what is read is written as the same, each image is one shard's, and
/// what is complete is what was planned, each image once.
pub fn farm(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split(DIVIDER).map(str::as_bytes);
    let plan = match FarmPlan::parse(parts.next().unwrap_or_default()) {
        Ok(plan) => plan,
        Err(error) => return told(&error),
    };
    assert_eq!(FarmPlan::parse(&plan.to_json()).expect("what was written"), plan);
    let planned = planned(&plan);
    let reports: Vec<Report<Value>> = parts.filter_map(report).collect();
    let digest = reports.first().map_or(Sha256::from_bytes([0; 32]), |report| report.plan);
    match complete(&plan, &digest, reports) {
        Ok(set) => {
            let built = set.values().flatten();
            let built: Vec<_> = built.map(|it| (it.template.clone(), it.arch)).collect();
            assert_eq!(built.len(), planned.len());
            assert_eq!(BTreeSet::from_iter(built), planned);
        }
        Err(error) => told(&error),
    }
}

/// The images of all shards, as the machines ask for them.
fn planned(plan: &FarmPlan) -> BTreeSet<(TemplateName, Arch)> {
    let count = u32::try_from(plan.shards.len()).expect("no more than a thousand");
    let shard = |index: u32, of: u32| format!("{index}/{of}").parse::<Shard>();
    let mut all = BTreeSet::new();
    for index in 0..count {
        let images = plan.images(shard(index, count).expect("a shard of the plan"));
        for image in images.expect("as many shards as it has") {
            assert!(all.insert((image.template.clone(), image.arch)), "it is in two shards");
        }
    }
    if let Ok(other) = shard(0, count + 1) {
        told(&plan.images(other).expect_err("the plan has one less"));
    }
    all
}

fn report(text: &[u8]) -> Option<Report<Value>> {
    match Report::parse(text) {
        Ok(report) => {
            assert_eq!(Report::parse(&report.to_json()).expect("what was written"), report);
            Some(report)
        }
        Err(error) => {
            told(&error);
            None
        }
    }
}

/// What is said fits on a screen and goes to no terminal as somebody else has written it.
fn told(error: &FarmError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 16_384, "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(!error.hint().is_empty());
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let name = |text: &str| -> TemplateName { text.parse().expect("a name") };
    let image = |text: &str, arch| PlannedImage { template: name(text), arch, cost: 7 };
    let digest = Sha256::from_bytes([0x5a; 32]);
    let shards = vec![
        vec![image("nginx", Arch::Amd64), image("static", Arch::Arm64)],
        vec![image("nginx", Arch::Arm64)],
        vec![],
    ];
    let mut plan = FarmPlan::new(digest, "registry.example/team", shards);
    plan.archs = vec![Arch::Amd64, Arch::Arm64];
    plan.epoch = Some(1_789_200_000);
    plan.tools = true;
    let report = |shard: u32, images: &[(&str, Arch)]| {
        let built = |(template, arch): &(&str, Arch)| {
            let image = json!({ "summary": { "layer_size": 3 }, "documents": [] });
            Built { template: name(template), arch: *arch, took: 1200, image }
        };
        Report::new(digest, shard, images.iter().map(built).collect()).to_json()
    };
    let first = report(0, &[("static", Arch::Arm64), ("nginx", Arch::Amd64)]);
    let (second, empty) = (report(1, &[("nginx", Arch::Arm64)]), report(2, &[]));
    let joined = |parts: &[&[u8]]| parts.join(DIVIDER.as_bytes());
    let plan = plan.to_json();
    vec![
        joined(&[&plan, &first, &second]),
        joined(&[&plan, &empty, &second, &first]),
        joined(&[&plan, &second, &second]),
        joined(&[&plan, &report(1, &[("php", Arch::Arm64)])]),
        plan,
        br#"{"version": 2}"#.to_vec(),
    ]
}
