//! What keys hold that say how an image runs: in containers, engines and clusters.

use dmc_types::{ImagePath, NameError};
use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::time::Duration;

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
