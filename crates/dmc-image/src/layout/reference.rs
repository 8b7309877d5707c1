//! The names by which images are found in a layout.

use dmc_types::TemplateName;
use std::fmt;

/// `NAME:TAG`, the `org.opencontainers.image.ref.name` of an image in a layout.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName {
    name: TemplateName,
    tag: String,
}

/// A text that cannot be a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be the tag of an image")]
pub struct TagError {
    /// What was read.
    pub text: String,
}

impl TagError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, and does not begin with `.` or `-`"
    }
}

impl RefName {
    /// Joins a name and a tag (OCI distribution specification, "Pulling manifests").
    pub fn new(name: TemplateName, tag: &str) -> Result<Self, TagError> {
        let legal = (1..=128).contains(&tag.len())
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            && !tag.starts_with(['.', '-']);
        if legal {
            Ok(Self { name, tag: tag.to_owned() })
        } else {
            Err(TagError { text: tag.chars().take(140).collect() })
        }
    }

    /// The image's name.
    pub const fn name(&self) -> &TemplateName {
        &self.name
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// How an image is called: in the layout, and in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `nginx:1.26.3`.
    pub name: RefName,
    /// `localhost/nginx:1.26.3`, which containerd takes from `io.containerd.image.name`.
    pub full: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_of_a_registry() {
        let name: TemplateName = "nginx".parse().unwrap();
        let longest = "a".repeat(128);
        for good in ["1.26.3", "latest", "_x", "1.26.3-3_pdeb13u7", &longest] {
            assert!(RefName::new(name.clone(), good).is_ok(), "{good:?} was refused");
        }
        let longer = "a".repeat(129);
        for bad in ["", ".x", "-x", "1:2", "1+2", "a/b", "é", "a b", &longer] {
            assert!(RefName::new(name.clone(), bad).is_err(), "{bad:?} was accepted");
        }
    }
}
