//! What names a plan: its repository and the digest of its manifest.

use super::FarmFailure;
use dmc_registry::Repository;
use dmc_types::Sha256;
use std::fmt;
use std::str::FromStr;

/// `registry.example/dmc-farm@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRef {
    pub(super) repository: Repository,
    pub(super) digest: Sha256,
}

impl PlanRef {
    /// Its repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The digest of its manifest.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }
}

impl FromStr for PlanRef {
    type Err = FarmFailure;

    fn from_str(text: &str) -> Result<Self, FarmFailure> {
        let refused = || FarmFailure::NoReference { text: text.chars().take(300).collect() };
        let (repository, digest) = text.split_once("@sha256:").ok_or_else(refused)?;
        Ok(Self {
            repository: repository.parse().map_err(|_unreadable| refused())?,
            digest: digest.parse().map_err(|_unreadable| refused())?,
        })
    }
}

impl fmt::Display for PlanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@sha256:{}", self.repository, self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_named_by_its_digest_alone() {
        let digest = "0f".repeat(32);
        let good = format!("registry.example:5000/team/dmc-farm@sha256:{digest}");
        let reference: PlanRef = good.parse().unwrap();
        assert_eq!(reference.to_string(), good);
        assert_eq!(reference.repository().name(), "team/dmc-farm");
        for bad in [
            "registry.example/dmc-farm:plan".to_owned(),
            "registry.example/dmc-farm".to_owned(),
            format!("dmc-farm@sha256:{digest}"),
            format!("registry.example/dmc-farm@sha256:{}", &digest[1..]),
            format!("registry.example/DMC@sha256:{digest}"),
        ] {
            let refused = bad.parse::<PlanRef>().unwrap_err();
            assert!(matches!(refused, FarmFailure::NoReference { .. }), "{bad}: {refused}");
        }
    }
}
