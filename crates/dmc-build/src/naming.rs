//! The tags of an image, from the version of the package that names it.
//!
//! A tag is at most 128 characters of `[A-Za-z0-9_.-]`, the first a letter, digit or `_` (OCI
//! distribution specification, "Pulling manifests"). Debian versions also have `+`, `~` and `:`;
//! these become `_p`, `_t` and `_c`, and as no Debian version has an underscore, the full version
//! can be read back from its tag.

use dmc_deb::version::Version;

/// Longest tag of the distribution specification.
const LONGEST: usize = 128;

/// Every tag of an image, the most telling first: upstream version, `MAJOR.MINOR`, `MAJOR`,
/// `latest`, full Debian version.
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
    tags.push("latest".to_owned());
    tags.push(legal(&version.to_string()));
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
    let tag: String = version
        .chars()
        .map(|c| match c {
            '+' => "_p".to_owned(),
            '~' => "_t".to_owned(),
            ':' => "_c".to_owned(),
            other => other.to_string(),
        })
        .collect();
    tag.chars().take(LONGEST).collect()
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
}
