//! Names, checked where they come in.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Why a text is not a name of some kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {rule}")]
pub struct NameError {
    /// What was read.
    pub text: String,
    /// What it should have been.
    pub kind: &'static str,
    /// What such a name looks like.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { text: text.chars().take(120).collect(), kind: $kind, rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    };
}

fn is_lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

name!(
    /// The name of a binary or source package (Debian Policy 5.6.7).
    PackageName,
    "package name",
    "two or more lower-case letters, digits, `+`, `-` and `.`, the first a letter or digit",
    |text| {
        (2..=200).contains(&text.len())
            && is_lower_or_digit(text.as_bytes()[0])
            && text.bytes().all(|b| is_lower_or_digit(b) || matches!(b, b'+' | b'-' | b'.'))
    }
);

name!(
    /// A suite or codename as it stands in `dists/SUITE`: `trixie`, `trixie-security`.
    Suite,
    "suite",
    "letters, digits, `.`, `+`, `-`, `_` and inner `/`, no folder named `.` or `..`",
    |text| {
        !text.is_empty()
            && text.len() <= 100
            && text.split('/').all(|part| {
                !part.is_empty()
                    && part != "."
                    && part != ".."
                    && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
            })
    }
);

name!(
    /// A shared object's name as in `DT_SONAME` and, without a slash, in `DT_NEEDED`.
    SoName,
    "soname",
    "printable text without slash or white space",
    |text| {
        !text.is_empty()
            && text.len() <= 255
            && text != "."
            && text != ".."
            && text.chars().all(|c| c != '/' && !c.is_control() && !c.is_whitespace())
    }
);

name!(
    /// The name of a template, which is its folder's name and its image's name
    /// (the `path-component` of the OCI distribution specification).
    TemplateName,
    "template name",
    "lower-case letters and digits, parts joined by one `.`, `_` or `-`",
    |text| {
        text.len() <= 128
            && text.split(['.', '_', '-']).all(|part| {
                !part.is_empty() && part.bytes().all(is_lower_or_digit)
            })
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_follow_policy() {
        for good in ["0ad", "libstdc++6", "gcc-14-base", "python3.13"] {
            assert!(good.parse::<PackageName>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", "a", "-a", "Nginx", "a_b", "a/b", "a b", "../x"] {
            assert!(bad.parse::<PackageName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn suites_cannot_climb() {
        for good in ["trixie", "trixie-security", "bookworm/updates", "sid"] {
            assert!(good.parse::<Suite>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", "../x", "a/../b", "/trixie", "trixie/", "a//b", "a b"] {
            assert!(bad.parse::<Suite>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn template_names_are_image_names() {
        for good in ["nginx", "tls-roots", "python3.13"] {
            assert!(good.parse::<TemplateName>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", "Nginx", "a--b", "-a", "a.", "a/b"] {
            assert!(bad.parse::<TemplateName>().is_err(), "{bad:?} was accepted");
        }
    }
}
