//! What a registry, a repository and a tag are called; checked where the text comes in.
//!
//! A host is what stands in an image's name before the first `/`. Docker and podman take a word
//! without `.` and `:` that is not `localhost` for a name on Docker Hub, so such a word is no
//! host here either. Repository and tag follow the OCI distribution specification 1.1, "Pulling
//! manifests"; host and name together have at most 255 characters.

use dmc_types::{NameError, Sha256};
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Most characters that a repository has, its host included.
const NAME_LIMIT: usize = 255;

fn bad(text: &str, kind: &'static str, rule: &'static str) -> NameError {
    NameError { text: text.chars().take(140).collect(), kind, rule }
}

/// A registry: `registry.example:5000`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Box<str>);

impl Host {
    /// As it stands in the names of images.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this machine, so that nobody overhears what is sent to it.
    pub fn is_loopback(&self) -> bool {
        let name = self.name();
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
        name == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Without the port.
    pub(crate) fn name(&self) -> &str {
        match self.0.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                name
            }
            _ => &self.0,
        }
    }

    /// Where its API is; Docker Hub's has a name of its own.
    pub(crate) fn url(&self, plain: bool) -> Option<Url> {
        let scheme = if plain { "http" } else { "https" };
        let host = if &*self.0 == "docker.io" { "registry-1.docker.io" } else { &self.0 };
        Url::parse(&format!("{scheme}://{host}/v2/")).ok()
    }
}

impl FromStr for Host {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const RULE: &str = "HOST[:PORT], where HOST is a domain with a `.` in it, `localhost` or \
                            an address, or has a port";
        let host = Self(text.into());
        let name = host.name();
        let word = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        let legal = name.split('.').all(word) || (name.starts_with('[') && name.ends_with(']'));
        let telling = name.contains('.') || name == "localhost" || text.contains(':');
        let fits = text.len() <= NAME_LIMIT && host.url(false).is_some();
        if legal && telling && fits { Ok(host) } else { Err(bad(text, "registry", RULE)) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where repositories are: `registry.example:5000/team`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    host: Host,
    namespace: Option<Box<str>>,
}

impl Place {
    /// The registry.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The repository of this name there.
    pub fn repository(&self, name: &str) -> Result<Repository, NameError> {
        let name = match &self.namespace {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        };
        Repository::new(self.host.clone(), &name)
    }
}

impl FromStr for Place {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (host, namespace) = match text.split_once('/') {
            Some((host, namespace)) => (host, Some(namespace)),
            None => (text, None),
        };
        if let Some(namespace) = namespace.filter(|namespace| !is_name(namespace)) {
            return Err(bad(namespace, "namespace", Repository::RULE));
        }
        Ok(Self { host: host.parse()?, namespace: namespace.map(Into::into) })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}", self.host),
            None => self.host.fmt(f),
        }
    }
}

/// A repository with its registry: `registry.example:5000/team/nginx`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: Host,
    name: Box<str>,
}

impl Repository {
    const RULE: &str = "words of lower-case letters and digits, joined by `.`, `_`, `__` or `-`, \
                        with `/` between them, at most 255 characters with the registry";

    /// A repository of a registry.
    pub fn new(host: Host, name: &str) -> Result<Self, NameError> {
        if is_name(name) && host.0.len() + 1 + name.len() <= NAME_LIMIT {
            Ok(Self { host, name: name.into() })
        } else {
            Err(bad(name, "repository", Self::RULE))
        }
    }

    /// Its registry.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its name there, without the host.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (host, name) = text.split_once('/').unwrap_or((text, ""));
        Self::new(host.parse()?, name)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.name)
    }
}

/// Whether all words of a name are as they must be.
fn is_name(name: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let joint = |joint: &str| {
        matches!(joint, "." | "_" | "__") || (!joint.is_empty() && joint.bytes().all(|b| b == b'-'))
    };
    let word = |word: &str| {
        let joints = word.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let ends = [word.bytes().next(), word.bytes().last()];
        ends.iter().all(|end| end.is_some_and(alphanumeric))
            && joints.filter(|joint| !joint.is_empty()).all(joint)
    };
    name.split('/').all(word)
}

/// A tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let legal = (1..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            && !text.starts_with(['.', '-']);
        let rule = "1 to 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`";
        if legal { Ok(Self(text.into())) } else { Err(bad(text, "tag", rule)) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What names a manifest in its repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A name that may be moved.
    Tag(Tag),
    /// The manifest itself.
    Digest(Sha256),
}

impl From<Tag> for Reference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Sha256> for Reference {
    fn from(digest: Sha256) -> Self {
        Self::Digest(digest)
    }
}

impl Reference {
    /// As it follows the repository in a name: `:latest`, `@sha256:…`.
    pub fn behind(&self, repository: &Repository) -> String {
        match self {
            Self::Tag(_) => format!("{repository}:{self}"),
            Self::Digest(_) => format!("{repository}@{self}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => write!(f, "sha256:{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_cannot_be_mistaken_for_a_name_on_docker_hub() {
        for good in [
            "registry.example",
            "registry.example:5000",
            "registry:5000",
            "localhost",
            "127.0.0.1:5000",
            "[::1]:5000",
        ] {
            assert!(good.parse::<Host>().is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "registry",
            "-a.example",
            "a..example",
            "a.example:",
            "a.example:x",
            "a.example:99999",
            "user@a.example",
            "http://a.example",
            "[::1",
            "a b.example",
        ] {
            assert!(bad.parse::<Host>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for (host, wanted) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.9.1", true),
            ("[::1]:5000", true),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("10.0.0.1:5000", false),
        ] {
            assert_eq!(host.parse::<Host>().unwrap().is_loopback(), wanted, "{host}");
        }
    }

    #[test]
    fn repositories_are_those_of_a_registry() {
        for good in ["nginx", "team/nginx", "a.b_c__d-e---f/g", "php8.4-fpm"] {
            assert!(
                Repository::new("registry.example".parse().unwrap(), good).is_ok(),
                "{good} was refused"
            );
        }
        let long = "a".repeat(240);
        for bad in ["", "/nginx", "nginx/", "Nginx", "a..b", "a___b", "-a", "a-", "é", &long] {
            assert!(
                Repository::new("registry.example".parse().unwrap(), bad).is_err(),
                "{bad} was accepted"
            );
        }
    }

    #[test]
    fn a_place_is_a_registry_and_perhaps_a_namespace() {
        let place: Place = "registry.example:5000/team/web".parse().unwrap();
        assert_eq!(place.to_string(), "registry.example:5000/team/web");
        let repository = place.repository("nginx").unwrap();
        assert_eq!(repository.to_string(), "registry.example:5000/team/web/nginx");
        assert_eq!(repository.to_string().parse(), Ok(repository));
        assert!("registry.example/".parse::<Place>().is_err());
    }

    #[test]
    fn tags_are_those_of_a_registry() {
        let longest = "a".repeat(128);
        for good in ["1.26.3", "latest", "_x", "1.26.3-3_pdeb13u7", &longest] {
            assert!(good.parse::<Tag>().is_ok(), "{good:?} was refused");
        }
        let longer = "a".repeat(129);
        for bad in ["", ".x", "-x", "1:2", "1+2", "a/b", "é", "a b", &longer] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?} was accepted");
        }
    }
}
