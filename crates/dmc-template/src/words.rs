//! The small values that template keys hold, each checked as it is read.
//!
//! Placeholders: `{triplet}` and `{arch}` in paths, patterns and link targets stand for the
//! architecture's multiarch folder and Debian name. They are replaced last, by `for_arch`.

use dmc_types::{Arch, GlobError, ImagePath, NameError, PackageName, PathError, PathGlob};
use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::time::Duration;

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

word!(
    /// Where something is mounted in a container.
    MountPath,
    "path in a container",
    "absolute, with no `.`, `..`, `:` or placeholder in it",
    |text| ImagePath::parse(text).is_ok() && text != "/" && !text.contains([':', '{'])
);

impl MountPath {
    /// A path below this one.
    pub(crate) fn join(&self, below: &str) -> Option<Self> {
        Self::try_from(format!("{self}/{below}")).ok()
    }
}

word!(
    /// The name of an object in a cluster (RFC 1123, as Kubernetes reads it).
    ObjectName,
    "name of an object",
    "at most 253 lower-case letters and digits, parts joined by `.` or `-`",
    |text| {
        let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.bytes().all(|b| inside(b) || b == b'-')
                && !part.ends_with('-')
        };
        text.len() <= 253 && text.split('.').all(part)
    }
);

word!(
    /// A port of the machine and the one of a container that it leads to.
    Publish,
    "published port",
    "[ADDRESS:]PORT:PORT, with `/tcp` or `/udp` at the end where that is to be said",
    |text| {
        let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let mut parts = text.rsplit(':');
        let mut next = || parts.next().is_some_and(|port| port.parse().is_ok_and(|it: u16| it > 0));
        let both = next() && next();
        let address = parts.next();
        let legal = |text: &str| text.parse::<std::net::Ipv4Addr>().is_ok();
        both && ["tcp", "udp"].contains(&protocol)
            && address.is_none_or(legal) && parts.next().is_none()
    }
);

word!(
    /// What a container keeps its data in: a volume by its name, or a folder of the machine.
    Volume,
    "volume",
    "a name of letters, digits, `_`, `.` and `-`, or an absolute path without `:`",
    |text| {
        let name = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        let folder = ImagePath::parse(text).is_ok() && text != "/" && !text.contains(':');
        name || folder
    }
);

word!(
    /// An option of a container engine.
    EngineOption,
    "option",
    "`--` and a name, with `=` before its value",
    |text| text.len() > 2 && text.starts_with("--") && !text.contains(char::is_control)
);

word!(
    /// An amount of something, as Kubernetes writes it.
    Quantity,
    "quantity",
    "a number such as \"2\", \"0.5\", \"100m\", \"64Mi\" or \"8Gi\", and more than none",
    |text| {
        let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, unit) = text.split_at(digits);
        let number = number.parse::<f64>().is_ok_and(|number| number > 0.0);
        digits <= 15 && number && !text.starts_with('.') && UNITS.contains(&unit)
    }
);

/// Units of a [`Quantity`].
const UNITS: [&str; 12] = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"];

/// A length of time: `"500ms"`, `"30s"`, `"5m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(Duration);

impl Period {
    /// The length.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Period {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number = text.get(..digits).and_then(|digits| digits.parse::<u32>().ok());
        let unit = match text.get(digits..) {
            Some("ms") => 1,
            Some("s") => 1_000,
            Some("m") => 60_000,
            _ => 0,
        };
        match number {
            Some(number) if unit > 0 => Ok(Self(Duration::from_millis(u64::from(number) * unit))),
            _ => Err(NameError { text, kind: "length of time", rule: "a number with ms, s or m" }),
        }
    }
}

word!(
    /// A signal's name, as OCI's `StopSignal` has it.
    Signal,
    "signal",
    "a name such as \"SIGTERM\", \"SIGQUIT\" or \"SIGRTMIN+3\"",
    |text| {
        let number = text.strip_prefix("SIGRTMIN+").and_then(|number| number.parse().ok());
        SIGNALS.contains(&text) || matches!(number, Some(0..=30_u8))
    }
);

/// The signals that a program may be asked to stop by (signal(7)).
const SIGNALS: [&str; 9] = [
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGWINCH", "SIGPWR",
];

/// A program with its arguments, run without a shell. Its array may be empty to clear a parent's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exec(pub Vec<String>);

impl<'de> Deserialize<'de> for Exec {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Arguments;
        impl<'de> Visitor<'de> for Arguments {
            type Value = Exec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array such as [\"nginx\", \"-t\"]: no shell splits a string")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Exec, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = seq.next_element()? {
                    words.push(word);
                }
                Ok(Exec(words))
            }
        }
        d.deserialize_any(Arguments)
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
