//! `[promotion]`: how the image is marked that is to run.

use super::ConfError;
use super::file::{bounds, replace};
use serde::Deserialize;

/// What promote and rollback move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The tag.
    pub tag: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PromotionFile {
    tag: Option<String>,
}

impl PromotionFile {
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.tag, later.tag);
    }

    pub(super) fn check(self) -> Result<Promotion, ConfError> {
        let tag = self.tag.unwrap_or_else(|| "live".to_owned());
        // Room is left for what images with private files have at the end of their tags.
        let legal = (1..=100).contains(&tag.len())
            && tag.starts_with(|c: char| c.is_ascii_alphabetic())
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if legal && tag != "latest" {
            return Ok(Promotion { tag });
        }
        Err(bounds("promotion.tag", "is no name for the image that is to run"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_has_a_name_of_its_own() {
        let tag = |tag: Option<&str>| PromotionFile { tag: tag.map(str::to_owned) }.check();
        assert_eq!(tag(None).unwrap().tag, "live");
        assert_eq!(tag(Some("prod-1")).unwrap().tag, "prod-1");
        let long = "a".repeat(101);
        for wrong in ["", "latest", "-x", "1", "a b", "a:b", &long] {
            assert!(matches!(tag(Some(wrong)), Err(ConfError::Bounds { .. })), "{wrong}");
        }
    }
}
