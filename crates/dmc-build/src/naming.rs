//! The tags of an image.
//!
//! From the version of the package that names it: upstream version, `MAJOR.MINOR`, `MAJOR`,
//! `latest`, full Debian version. From where its templates lie: the commit's short hash, where the
//! repository is clean; nothing but `latest` where they hold what is in no commit. Tags of images
//! with private files end with `-private`. In a registry `b-` and 12 digits of the index's digest
//! come besides: it names one image for ever, so that no registry collects it as garbage.
//!
//! A tag is at most 128 characters of `[A-Za-z0-9_.-]`, the first a letter, digit or `_` (OCI
//! distribution specification, "Pulling manifests"). Debian versions also have `+`, `~` and `:`;
//! these become `_p`, `_t` and `_c`, and as no Debian version has an underscore, the full version
//! can be read back from its tag. What is too long is left out: cut, it could mean another version.

use crate::worktree::Worktree;
use dmc_deb::version::Version;
use dmc_types::Sha256;

/// Longest tag of the distribution specification.
const LONGEST: usize = 128;

/// What the tags of images with private files end with.
const PRIVATE: &str = "-private";

/// The tag of what create made last.
const LATEST: &str = "latest";

/// Every tag that a version gives, the most telling first: upstream version, `MAJOR.MINOR`,
/// `MAJOR`, `latest`, full Debian version.
pub(crate) fn tags(version: &Version) -> Vec<String> {
    let upstream = legal(version.upstream_tag());
    let mut tags = vec![upstream.clone()];
    let numbers: Vec<&str> =
        upstream.split('.').take_while(|part| part.bytes().all(|b| b.is_ascii_digit())).collect();
    for length in [2, 1] {
        if numbers.len() >= length {
            tags.push(numbers[..length].join("."));
        }
    }
    tags.push(LATEST.to_owned());
    tags.push(legal(&version.to_string()));
    once(tags)
}

/// The tags of an image, and those that it should have and cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) all: Vec<String>,
    pub(crate) too_long: Vec<String>,
}

/// The tags of an image that is made from templates in `worktree`, given those of its version.
pub(crate) fn released(versions: &[String], worktree: &Worktree, private: bool) -> Tags {
    let tags: Vec<String> = match worktree {
        Worktree::Changed { .. } | Worktree::Unknown { .. } => vec![LATEST.to_owned()],
        Worktree::None => versions.to_vec(),
        Worktree::Clean { commit } => versions.iter().chain(commit).cloned().collect(),
    };
    let (all, too_long) = once(tags)
        .into_iter()
        .map(|tag| ended(&tag, private))
        .partition(|tag| tag.len() <= LONGEST);
    Tags { all, too_long }
}

/// A tag, or what it is for an image with private files.
pub(crate) fn ended(tag: &str, private: bool) -> String {
    format!("{tag}{}", if private { PRIVATE } else { "" })
}

/// The tag of what create made last.
pub(crate) fn latest(private: bool) -> String {
    ended(LATEST, private)
}

/// The tag that an index has for ever.
pub(crate) fn digest_tag(index: &Sha256, private: bool) -> String {
    let digits = index.to_string();
    ended(&format!("b-{}", &digits[..12]), private)
}

/// Each tag once.
pub(crate) fn once(mut tags: Vec<String>) -> Vec<String> {
    let mut seen = Vec::new();
    tags.retain(|tag| {
        let new = !tag.is_empty() && !seen.contains(tag);
        seen.push(tag.clone());
        new
    });
    tags
}

/// A version in the letters that tags allow.
fn legal(version: &str) -> String {
    let letter = |c: char| match c {
        '+' => "_p".to_owned(),
        '~' => "_t".to_owned(),
        ':' => "_c".to_owned(),
        other => other.to_string(),
    };
    version.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_gives_its_tags() {
        for (version, wanted) in [
            ("1.26.3-3+deb13u1", &["1.26.3", "1.26", "1", "latest", "1.26.3-3_pdeb13u1"][..]),
            ("1:11.8.3-0+deb13u1", &["11.8.3", "11.8", "11", "latest", "1_c11.8.3-0_pdeb13u1"]),
            ("20.19.2+dfsg-1", &["20.19.2", "20.19", "20", "latest", "20.19.2_pdfsg-1"]),
            ("2024b-1", &["2024b", "latest", "2024b-1"]),
            ("3.0~rc1-1", &["3.0_trc1", "3", "latest", "3.0_trc1-1"]),
            ("5", &["5", "latest"]),
        ] {
            let version: Version = version.parse().unwrap();
            assert_eq!(tags(&version), wanted, "{version}");
        }
    }

    /// The version that a tag was made from.
    fn read_back(tag: &str) -> String {
        tag.replace("_p", "+").replace("_t", "~").replace("_c", ":")
    }

    #[test]
    fn the_full_version_can_be_read_back_from_its_tag() {
        for text in ["1:11.8.3-0+deb13u1", "2.0~rc1+git20240101-1~bpo12+1", "5-1", "0:1~~a+b-1"] {
            let version: Version = text.parse().unwrap();
            let tag = tags(&version).pop().unwrap();
            assert_eq!(read_back(&tag), version.to_string());
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
            assert!(tag.bytes().all(allowed), "{tag}");
        }
    }

    #[test]
    fn tags_depend_on_where_the_templates_lie() {
        let versions = ["1.26.3", "1.26", "1", "latest", "1.26.3-3"].map(str::to_owned);
        let clean = |commit: &str| Worktree::Clean { commit: Some(commit.to_owned()) };
        let changed = Worktree::Changed { path: "templates/x".to_owned() };
        let unknown = Worktree::Unknown { why: "no git".to_owned() };
        for (summary, worktree, private, wanted) in [
            ("no repository", Worktree::None, false, "1.26.3 1.26 1 latest 1.26.3-3"),
            ("a commit", clean("abc1234"), false, "1.26.3 1.26 1 latest 1.26.3-3 abc1234"),
            ("a number as commit", clean("1"), false, "1.26.3 1.26 1 latest 1.26.3-3"),
            (
                "changes elsewhere",
                Worktree::Clean { commit: None },
                false,
                "1.26.3 1.26 1 latest 1.26.3-3",
            ),
            ("changes", changed.clone(), false, "latest"),
            ("nobody knows", unknown, false, "latest"),
            (
                "private files",
                clean("abc1234"),
                true,
                "1.26.3-private 1.26-private 1-private latest-private 1.26.3-3-private \
                 abc1234-private",
            ),
            ("private changes", changed, true, "latest-private"),
        ] {
            let tags = released(&versions, &worktree, private);
            assert_eq!(tags.all.join(" "), wanted, "{summary}");
            assert_eq!(tags.too_long, [""; 0], "{summary}");
        }
    }

    #[test]
    fn a_tag_that_is_too_long_is_left_out_and_told() {
        let (most, more) = ("1".repeat(128), "1".repeat(129));
        let versions = [most.clone(), "latest".to_owned(), more.clone()];
        let tags = released(&versions, &Worktree::None, false);
        assert_eq!(
            (tags.all, tags.too_long),
            (vec![most.clone(), "latest".to_owned()], vec![more])
        );
        let private = released(&versions[..2], &Worktree::None, true);
        assert_eq!(private.all, ["latest-private"]);
        assert_eq!(private.too_long, [most + "-private"]);
    }

    #[test]
    fn an_index_has_one_tag_for_ever() {
        let digest: Sha256 = "0123456789abcdef".repeat(4).parse().unwrap();
        assert_eq!(digest_tag(&digest, false), "b-0123456789ab");
        assert_eq!(digest_tag(&digest, true), "b-0123456789ab-private");
    }
}
