//! The text of a plan.

use crate::error::FarmError;
use crate::shard::Shard;
use dmc_types::{Arch, Sha256, TemplateName, UnixTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the format.
const VERSION: u32 = 1;

/// No plan is longer, in bytes.
const LONGEST: usize = 4 << 20;

/// Which machine builds which images, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FarmPlan {
    version: u32,
    /// SHA-256 of the text of the lock, which has all packages and the digests of all templates.
    pub lock: Sha256,
    /// Where the images go: `HOST[/NAMESPACE]`.
    pub host: String,
    /// The architectures, in the order in which an index lists them.
    pub archs: Vec<Arch>,
    /// How layers are compressed.
    pub compression: String,
    /// `SOURCE_DATE_EPOCH`, where it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<UnixTime>,
    /// Whether templates are variants with tools.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tools: bool,
    /// Whether architectures may differ in the source version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_skew: bool,
    /// The images of each shard.
    pub shards: Vec<Vec<PlannedImage>>,
}

/// One image of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedImage {
    /// Its template.
    pub template: TemplateName,
    /// Its architecture.
    pub arch: Arch,
    /// How long it probably takes by itself, in milliseconds.
    pub cost: u64,
}

impl FarmPlan {
    /// A plan of these shards.
    pub fn new(lock: Sha256, host: &str, shards: Vec<Vec<PlannedImage>>) -> Self {
        Self {
            version: VERSION,
            lock,
            host: host.to_owned(),
            archs: Vec::new(),
            compression: "gzip".to_owned(),
            epoch: None,
            tools: false,
            allow_skew: false,
            shards,
        }
    }

    /// Reads the text of a plan.
    pub fn parse(bytes: &[u8]) -> Result<Self, FarmError> {
        let plan: Self = read("plan", bytes, LONGEST, VERSION)?;
        let wrong = |why: String| FarmError::Shape { what: "plan", why };
        let count = plan.shards.len();
        if count == 0 || count > Shard::MOST as usize {
            return Err(wrong(format!("it has {count} shards")));
        }
        let mut seen = BTreeSet::new();
        for image in plan.shards.iter().flatten() {
            if !plan.archs.contains(&image.arch) {
                return Err(wrong(format!("{} is none of its architectures", image.arch)));
            }
            if !seen.insert((&image.template, image.arch)) {
                let PlannedImage { template, arch, .. } = image;
                return Err(wrong(format!("{template} on {arch} is in it twice")));
            }
        }
        Ok(plan)
    }

    /// Its text: equal plans are equal bytes.
    pub fn to_json(&self) -> Vec<u8> {
        // A struct of texts, numbers and lists always becomes JSON.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// The images of one shard.
    pub fn images(&self, shard: Shard) -> Result<&[PlannedImage], FarmError> {
        let other = || FarmError::OtherCount { planned: self.shards.len(), asked: shard.of() };
        if self.shards.len() != shard.of() as usize {
            return Err(other());
        }
        self.shards.get(shard.index() as usize).map(Vec::as_slice).ok_or_else(other)
    }

    /// The templates of the whole plan.
    pub fn templates(&self) -> BTreeSet<&TemplateName> {
        self.shards.iter().flatten().map(|image| &image.template).collect()
    }
}

/// Reads JSON of at most `limit` bytes that says its version before anything else counts.
pub(crate) fn read<'a, T: Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
    limit: usize,
    known: u32,
) -> Result<T, FarmError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    if bytes.len() > limit {
        return Err(FarmError::TooLong { what, limit });
    }
    let failed = |source| FarmError::Text { what, source };
    let Version { version: found } = serde_json::from_slice(bytes).map_err(failed)?;
    if found != known {
        return Err(FarmError::Version { what, found, known });
    }
    serde_json::from_slice(bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(template: &str, arch: Arch) -> PlannedImage {
        PlannedImage { template: template.parse().unwrap(), arch, cost: 7 }
    }

    fn plan(shards: Vec<Vec<PlannedImage>>) -> FarmPlan {
        let mut plan = FarmPlan::new(Sha256::from_bytes([1; 32]), "registry.example", shards);
        plan.archs = vec![Arch::Arm64, Arch::Amd64];
        plan
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut plan = plan(vec![
            vec![image("nginx", Arch::Amd64), image("static", Arch::Arm64)],
            vec![image("nginx", Arch::Arm64)],
            vec![],
        ]);
        plan.epoch = Some(1);
        plan.tools = true;
        let again = FarmPlan::parse(&plan.to_json()).unwrap();
        assert_eq!(again, plan);
        assert_eq!(again.images("1/3".parse().unwrap()).unwrap(), plan.shards[1]);
        let refused = again.images("1/2".parse().unwrap()).unwrap_err();
        assert!(matches!(refused, FarmError::OtherCount { planned: 3, asked: 2 }), "{refused}");
    }

    #[test]
    fn what_is_no_plan_is_refused_by_its_kind() {
        let text = String::from_utf8(plan(vec![vec![image("nginx", Arch::Amd64)]]).to_json());
        let text = text.unwrap();
        let kind = |text: &str| {
            let refused = FarmPlan::parse(text.as_bytes()).unwrap_err();
            assert!(!refused.hint().is_empty());
            format!("{refused:?}").split([' ', '(', '{']).next().unwrap().to_owned()
        };
        for (kind_wanted, text) in [
            ("Text", String::new()),
            ("Text", "{}".to_owned()),
            ("Text", text.replace("nginx", "../nginx")),
            ("Text", text.replace("\"cost\"", "\"other\"")),
            ("Version", text.replace("\"version\": 1", "\"version\": 2")),
            ("Shape", text.replacen("\"arm64\",", "", 1).replacen("\"amd64\"", "\"arm64\"", 1)),
            ("TooLong", " ".repeat(LONGEST + 1)),
            ("Shape", String::from_utf8(plan(vec![]).to_json()).unwrap()),
            ("Shape", {
                let twice = vec![vec![image("nginx", Arch::Amd64)]; 2];
                String::from_utf8(plan(twice).to_json()).unwrap()
            }),
        ] {
            assert_eq!(kind(&text), kind_wanted, "{}", &text[..text.len().min(200)]);
        }
    }
}
