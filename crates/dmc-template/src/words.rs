//! The small values that template keys hold, each checked as it is read.
//!
//! Placeholders: `{triplet}` and `{arch}` in paths, patterns and link targets stand for the
//! architecture's multiarch folder and Debian name. They are replaced last, by `for_arch`.

use dmc_types::{Arch, GlobError, ImagePath, NameError, PackageName, PathError, PathGlob};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// What may stand between braces.
const PLACEHOLDERS: [&str; 2] = ["triplet", "arch"];

/// Text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct ArchText(String);

impl ArchText {
    /// The text for one architecture.
    pub fn for_arch(&self, arch: Arch) -> String {
        let values = [arch.triplet(), arch.name()];
        PLACEHOLDERS
            .iter()
            .zip(values)
            .fold(self.0.clone(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

impl TryFrom<String> for ArchText {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        for (at, _) in text.match_indices('{') {
            let inner = text[at + 1..].split('}').next().unwrap_or_default();
            let word = inner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if word && !PLACEHOLDERS.contains(&inner) {
                let rule = "`{triplet}` and `{arch}` are the placeholders";
                return Err(NameError { text, kind: "text with placeholders", rule });
            }
        }
        Ok(Self(text))
    }
}

/// A path of the image, with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct ArchPath(ArchText);

impl ArchPath {
    /// The path for one architecture, in its merged-/usr spelling.
    pub fn for_arch(&self, arch: Arch) -> Result<ImagePath, PathError> {
        ImagePath::parse(self.0.for_arch(arch)).map(|path| path.merged_usr())
    }
}

impl TryFrom<String> for ArchPath {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        // One spelling a path here too, so that two keys for one path are seen to be one.
        let path = ImagePath::parse(&text)?.merged_usr().to_string();
        Ok(Self(ArchText::try_from(path)?))
    }
}

impl fmt::Display for ArchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.0)
    }
}

/// A pattern over paths of the image, with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct ArchGlob(ArchText);

impl ArchGlob {
    /// The pattern for one architecture.
    pub fn for_arch(&self, arch: Arch) -> Result<PathGlob, GlobError> {
        PathGlob::parse(&self.0.for_arch(arch))
    }
}

impl TryFrom<String> for ArchGlob {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        let glob = Self(ArchText::try_from(text)?);
        glob.for_arch(Arch::Amd64)?;
        Ok(glob)
    }
}

/// Why a text is not the path or pattern that a key holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Its placeholders.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The pattern.
    #[error(transparent)]
    Glob(#[from] GlobError),
}

/// Which files of the packages an image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BuildMode {
    /// What the roots need, file by file.
    #[default]
    Micro,
    /// Whole packages with all that they depend on and the essential ones.
    Small,
}

/// The version of a program that no package brings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct OwnVersion(String);

impl OwnVersion {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OwnVersion {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b".+~".contains(&b);
        let begins = text.starts_with(|c: char| c.is_ascii_digit());
        if begins && text.len() <= 60 && text.bytes().all(legal) {
            return Ok(Self(text));
        }
        let rule = "it begins with a digit; letters, digits, `.`, `+` and `~` follow, 60 at most";
        Err(NameError { text, kind: "version", rule })
    }
}

/// Permission bits, at most 0o1777: setuid and setgid have no place in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Mode(pub(crate) u32);

impl Mode {
    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl TryFrom<String> for Mode {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let octal =
            (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(&text, 8) {
            Ok(bits) if octal && bits <= 0o1777 => Ok(Self(bits)),
            _ => Err(NameError {
                text,
                kind: "mode",
                rule: "three or four octal digits from \"000\" to \"1777\", in quotes",
            }),
        }
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(NameError { text, kind: $kind, rule: $rule })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

mod running;

pub use running::{
    EngineOption, Exec, MountPath, ObjectName, Period, Publish, Quantity, Signal, Volume,
};

word!(
    /// The name of a user or group, as shadow's useradd takes it.
    LoginName,
    "user or group name",
    "at most 32 lower-case letters, digits, `-` and `_`, the first a letter or `_`",
    |text| {
        text.len() <= 32
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b)
            })
    }
);

word!(
    /// A path in a line of passwd(5).
    LoginPath,
    "home folder or shell",
    "an absolute path without `:` and control signs",
    |text| ImagePath::parse(text).is_ok() && is_field(text)
);

word!(
    /// Free text in a line of passwd(5).
    Gecos,
    "comment of passwd",
    "text without `:` and control signs",
    is_field
);

word!(
    /// A pattern over names of packages: `*` stands for any text.
    PackagePattern,
    "pattern of packages",
    "the letters of a package's name and at least one `*`",
    |text| {
        text.contains('*')
            && text.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.*".contains(&b)
            })
    }
);

impl PackagePattern {
    /// Whether it matches the whole name.
    pub fn matches(&self, name: &PackageName) -> bool {
        let (mut rest, mut parts) = (name.as_str(), self.0.split('*'));
        let Some(after) = parts.next().and_then(|first| rest.strip_prefix(first)) else {
            return false;
        };
        rest = after;
        let Some(last) = parts.next_back() else { return false };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

word!(
    /// The name of an environment variable.
    Variable,
    "name of an environment variable",
    "text without `=` and control signs",
    |text| !text.is_empty() && !text.contains(|c: char| c == '=' || c.is_control())
);

fn is_field(text: &str) -> bool {
    !text.contains(|c: char| c == ':' || c.is_control())
}

/// A user or group, by number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Id {
    Number(u32),
    Name(LoginName),
}

/// `user`, `user:group`, with names or numbers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OwnerText {
    pub(crate) user: Id,
    pub(crate) group: Option<Id>,
}

impl TryFrom<String> for OwnerText {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let id = |part: &str| match part.parse() {
            Ok(number) if !part.starts_with('+') => Ok(Id::Number(number)),
            _ => LoginName::try_from(part.to_owned()).map(Id::Name),
        };
        match text.split_once(':') {
            None => Ok(Self { user: id(&text)?, group: None }),
            Some((user, group)) => Ok(Self { user: id(user)?, group: Some(id(group)?) }),
        }
    }
}

/// A transport protocol that a port is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port that the image serves: `8080` or `"53/udp"`. Prints as OCI's `ExposedPorts` wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "PortForm")]
pub struct Port {
    /// The number.
    pub number: u16,
    /// The protocol; TCP where none is named.
    pub protocol: Protocol,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a port is a number such as 8080, or text such as \"53/udp\"")]
enum PortForm {
    Number(u16),
    Text(String),
}

impl TryFrom<PortForm> for Port {
    type Error = NameError;

    fn try_from(form: PortForm) -> Result<Self, NameError> {
        let (number, protocol, text) = match form {
            PortForm::Number(number) => (Some(number), Some(Protocol::Tcp), number.to_string()),
            PortForm::Text(text) => {
                let (number, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
                let protocol = match protocol {
                    "tcp" => Some(Protocol::Tcp),
                    "udp" => Some(Protocol::Udp),
                    _ => None,
                };
                (number.parse().ok(), protocol, text)
            }
        };
        match (number, protocol) {
            (Some(number @ 1..), Some(protocol)) => Ok(Self { number, protocol }),
            _ => Err(NameError {
                text,
                kind: "port",
                rule: "a number from 1 to 65535, with `/tcp` or `/udp`",
            }),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_packages_matches_whole_names() {
        for (pattern, name, wanted) in [
            ("libpython3.*-stdlib", "libpython3.13-stdlib", true),
            ("libpython3.*-stdlib", "libpython3-stdlib", false),
            ("libpython3.*-stdlib", "libpython3.13-stdlib-extra", false),
            ("*-data", "a-data-data", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            let pattern = PackagePattern::try_from(pattern.to_owned()).unwrap();
            assert_eq!(pattern.matches(&name.parse().unwrap()), wanted, "{pattern} {name}");
        }
        for wrong in ["python3", "Python*", "a *", ""] {
            assert!(PackagePattern::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
