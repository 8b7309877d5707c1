//! What a machine says of its shard when it is done.

use crate::error::FarmError;
use crate::plan::{self, FarmPlan};
use dmc_types::{Arch, Sha256, TemplateName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the format.
const VERSION: u32 = 1;

/// No report is longer, in bytes.
const LONGEST: usize = 16 << 20;

/// The images of one shard, all of which are in the registry. `S` is what is known of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report<S> {
    version: u32,
    /// The plan, by the digest of its manifest.
    pub plan: Sha256,
    /// The shard's number, from 0.
    pub shard: u32,
    /// Its images.
    pub images: Vec<Built<S>>,
}

/// One image that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Built<S> {
    /// Its template.
    pub template: TemplateName,
    /// Its architecture.
    pub arch: Arch,
    /// How long it took, in milliseconds.
    pub took: u64,
    /// What is known of it.
    pub image: S,
}

impl<S: Serialize + DeserializeOwned> Report<S> {
    /// A report.
    pub fn new(plan: Sha256, shard: u32, images: Vec<Built<S>>) -> Self {
        Self { version: VERSION, plan, shard, images }
    }

    /// Reads the text of a report.
    pub fn parse(bytes: &[u8]) -> Result<Self, FarmError> {
        // The version is looked at in the text; what is known of images may be of any shape.
        plan::read::<Version>("report", bytes, LONGEST, VERSION)?;
        serde_json::from_slice(bytes).map_err(|source| FarmError::Text { what: "report", source })
    }

    /// Its text.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Version {}

/// The images of all templates, if the reports are what the plan asked for: each shard with images
/// reported once, all of them and no other. A shard without images may report that, and need not.
/// Images come in the order of their architectures.
pub fn complete<S>(
    plan: &FarmPlan,
    digest: &Sha256,
    reports: Vec<Report<S>>,
) -> Result<BTreeMap<TemplateName, Vec<Built<S>>>, FarmError> {
    let mut left: BTreeMap<u32, BTreeSet<(TemplateName, Arch)>> = BTreeMap::new();
    for (number, images) in (0..).zip(&plan.shards) {
        let images: BTreeSet<_> =
            images.iter().map(|image| (image.template.clone(), image.arch)).collect();
        left.insert(number, images);
    }
    let mut all: BTreeMap<TemplateName, Vec<Built<S>>> = BTreeMap::new();
    for report in reports {
        let shard = report.shard;
        let foreign = |why: String| FarmError::Foreign { shard, why };
        if report.plan != *digest {
            return Err(foreign(format!("it is of the plan sha256:{}", report.plan)));
        }
        let Some(mut planned) = left.remove(&shard) else {
            return Err(foreign(
                "the plan has no such shard, or it was reported before".to_owned(),
            ));
        };
        for built in report.images {
            let (template, arch) = (built.template.clone(), built.arch);
            if !planned.remove(&(template.clone(), arch)) {
                return Err(foreign(format!("{template} on {arch} is not its image")));
            }
            all.entry(template).or_default().push(built);
        }
        if let Some((template, arch)) = planned.first() {
            return Err(foreign(format!("{template} on {arch} is missing")));
        }
    }
    left.retain(|_, images| !images.is_empty());
    if !left.is_empty() {
        let shards = left.into_iter().map(|(shard, images)| (shard, images.into_iter().collect()));
        return Err(FarmError::Incomplete { shards: shards.collect() });
    }
    for images in all.values_mut() {
        images.sort_by_key(|built| built.arch);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlannedImage;
    use dmc_types::Arch::{Amd64, Arm64};

    const PLAN: Sha256 = Sha256::from_bytes([1; 32]);

    fn plan() -> FarmPlan {
        let image = |template: &str, arch| PlannedImage {
            template: template.parse().unwrap(),
            arch,
            cost: 1,
        };
        let shards = vec![
            vec![image("nginx", Arch::Arm64), image("static", Arch::Amd64)],
            vec![image("nginx", Arch::Amd64)],
            vec![],
        ];
        FarmPlan::new(PLAN, "registry.example", shards)
    }

    fn report(shard: u32, images: &[(&str, Arch)]) -> Report<String> {
        let built = |(template, arch): &(&str, Arch)| Built {
            template: template.parse().unwrap(),
            arch: *arch,
            took: 5,
            image: format!("{template} {arch}"),
        };
        Report::new(PLAN, shard, images.iter().map(built).collect())
    }

    #[test]
    fn all_reports_together_are_the_set() {
        let reports = vec![
            report(1, &[("nginx", Arch::Amd64)]),
            report(0, &[("static", Arch::Amd64), ("nginx", Arch::Arm64)]),
        ];
        let again = Report::<String>::parse(&reports[0].to_json()).unwrap();
        assert_eq!(again, reports[0]);
        let set = complete(&plan(), &PLAN, reports).unwrap();
        let nginx: Vec<&str> = set["nginx".parse::<TemplateName>().as_ref().unwrap()]
            .iter()
            .map(|it| it.image.as_str())
            .collect();
        assert_eq!(nginx, ["nginx amd64", "nginx arm64"]);
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn a_shard_without_images_may_say_so_and_need_not() {
        let shards =
            || [report(0, &[("static", Amd64), ("nginx", Arm64)]), report(1, &[("nginx", Amd64)])];
        for empty in [None, Some(report(2, &[]))] {
            let reports = shards().into_iter().chain(empty).collect();
            assert_eq!(complete(&plan(), &PLAN, reports).unwrap().len(), 2);
        }
    }

    #[test]
    fn a_set_that_is_not_what_was_planned_is_refused() {
        let zero = || report(0, &[("static", Arch::Amd64), ("nginx", Arch::Arm64)]);
        let one = || report(1, &[("nginx", Arch::Amd64)]);
        let other = Report { plan: Sha256::from_bytes([9; 32]), ..one() };
        for (wanted, reports) in [
            ("no report of shard 0, 1 (nginx on arm64, static on amd64, nginx on amd64)", vec![]),
            ("no report of shard 1 (nginx on amd64)", vec![zero()]),
            ("reported before", vec![zero(), one(), one()]),
            ("reported before", vec![zero(), one(), report(2, &[]), report(2, &[])]),
            ("no such shard", vec![report(7, &[])]),
            ("static on amd64 is not its image", vec![report(2, &[("static", Arch::Amd64)])]),
            ("static on amd64 is missing", vec![report(0, &[("nginx", Arch::Arm64)]), one()]),
            ("php on amd64 is not its image", vec![report(1, &[("php", Arch::Amd64)])]),
            ("it is of the plan sha256:0909", vec![zero(), other]),
        ] {
            let refused = complete(&plan(), &PLAN, reports).unwrap_err();
            assert!(refused.to_string().contains(wanted), "{refused}");
            assert!(!refused.hint().is_empty());
        }
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let text = String::from_utf8(report(1, &[("nginx", Arch::Amd64)]).to_json()).unwrap();
        let newer = "has version 3 of the format; this dmc reads version 1";
        for (wanted, hint, bad) in [
            ("the report cannot be read", "plan again", String::new()),
            (newer, "a newer dmc wrote it", text.replace("\"version\": 1", "\"version\": 3")),
            ("version 0 of", "plan again", text.replace("\"version\": 1", "\"version\": 0")),
            ("the report cannot be read", "plan again", text.replace("nginx", "/")),
            ("the report cannot be read", "plan again", text.replace("took", "tock")),
            ("the report has more than 16777216 bytes", "plan again", " ".repeat(LONGEST + 1)),
        ] {
            let refused = Report::<String>::parse(bad.as_bytes()).unwrap_err();
            assert!(refused.to_string().contains(wanted), "{refused}");
            assert!(refused.hint().contains(hint), "{refused}: {}", refused.hint());
        }
    }
}
