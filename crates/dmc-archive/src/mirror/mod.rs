//! Which archives to read, and whose keys count for them.
//!
//! Candidates for a vendor's site, in order: the mirror that was asked for and nothing else; or the
//! addresses in apt's configuration (those of entries with a security suite for the security site,
//! the others for the main site), then the vendor's own address. Which of them fits is settled by
//! their releases: another vendor's archive is passed over.
//!
//! Of apt's configuration only addresses and keys (`Signed-By`) are taken. Its suites are those of
//! the machine, not of the image; its trust switches are never honoured.

mod apt;
mod keys;

pub use apt::{AptConfiguration, AptSource};

pub(crate) use keys::{KeyFiles, KeyTexts};

use crate::spec::{Role, SiteSpec};
use camino::Utf8PathBuf;
use dmc_deb::release::KeyringError;
use dmc_deb::sources::SignedBy;
use reqwest::Url;
use std::io;

/// An archive that may be read.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// Its base address, with a slash at the end.
    pub url: Url,
    /// How dmc came to it.
    pub known_from: KnownFrom,
    /// Whose signature counts; [`SignedBy::Machine`] for the keys of the vendor.
    pub(crate) signed_by: SignedBy,
}

/// How dmc came to a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownFrom {
    /// It was asked for.
    Asked,
    /// An entry in apt's configuration.
    Apt {
        /// The file.
        file: Utf8PathBuf,
        /// The entry's line.
        line: usize,
    },
    /// The vendor's own address.
    Vendor,
    /// The address of a third-party archive.
    ThirdParty,
}

/// Why no mirror can be read.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// A file of apt's configuration cannot be read.
    #[error("cannot read apt's configuration `{path}`")]
    Unreadable {
        /// The file or folder.
        path: Utf8PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A keyring that was named cannot be read.
    #[error("cannot read the keyring `{path}`")]
    Keyring {
        /// The file.
        path: Utf8PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A keyring holds no certificates.
    #[error("`{name}` is not a keyring")]
    BadKeyring {
        /// The file, or what stands for it.
        name: String,
        /// What is wrong with it.
        source: KeyringError,
    },
    /// There is no address to try.
    #[error("there is no mirror to read the archive of `{vendor}` from")]
    NoMirror {
        /// Whose.
        vendor: String,
    },
    /// There is no keyring at all.
    #[error("there is no keyring for the archive of `{vendor}`")]
    NoKeyring {
        /// Whose.
        vendor: String,
    },
}

impl MirrorError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => {
                "name a mirror with -M, or make the file readable".to_owned()
            }
            Self::Keyring { path, .. } => format!(
                "apt's configuration names it in Signed-By: install the package that ships `{path}`"
            ),
            Self::BadKeyring { source, .. } => source.hint().to_owned(),
            Self::NoMirror { .. } => "name a mirror with -M".to_owned(),
            Self::NoKeyring { .. } => "install the vendor's keyring package".to_owned(),
        })
    }
}

/// The mirrors to try for a site, best first, each address once.
pub(crate) fn candidates(
    site: &SiteSpec,
    asked: Option<&Url>,
    apt: &AptConfiguration,
) -> Vec<Mirror> {
    if let (Role::Main, Some(url)) = (site.role, asked) {
        return vec![Mirror::new(url, KnownFrom::Asked, SignedBy::Machine)];
    }
    let mut found: Vec<Mirror> = Vec::new();
    for entry in apt.sources.iter().filter(|entry| entry.serves(site)) {
        for text in &entry.source.uris {
            let Ok(url) = Url::parse(text) else {
                tracing::debug!(%text, "an address in apt's configuration is passed over");
                continue;
            };
            if !matches!(url.scheme(), "http" | "https" | "file") {
                tracing::debug!(%text, "an address in apt's configuration is passed over");
                continue;
            }
            let known = KnownFrom::Apt { file: entry.file.clone(), line: entry.source.line };
            let mirror = Mirror::new(&url, known, entry.source.signed_by.clone());
            if found.iter().all(|other| other.url != mirror.url) {
                found.push(mirror);
            }
        }
    }
    let own = Mirror::new(&site.default, KnownFrom::Vendor, SignedBy::Machine);
    if found.iter().all(|other| other.url != own.url) {
        found.push(own);
    }
    found
}

impl Mirror {
    pub(crate) fn new(url: &Url, known_from: KnownFrom, signed_by: SignedBy) -> Self {
        Self { url: as_folder(url), known_from, signed_by }
    }
}

/// The address with a slash at its end, without query and fragment: one spelling a mirror.
fn as_folder(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("");
    }
    url
}

/// The address of a file by its path below a mirror, each part quoted on its own.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty().extend(path.split('/'));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmc_deb::sources::Source;

    fn site(role: Role) -> SiteSpec {
        SiteSpec {
            role,
            name: "main".into(),
            archs: None,
            default: Url::parse("http://vendor/debian").unwrap(),
            pockets: vec!["trixie".parse().unwrap()],
            components: vec!["main".into()],
        }
    }

    fn entry(uris: &[&str], suites: &[&str]) -> AptSource {
        AptSource {
            file: "/etc/apt/sources.list".into(),
            source: Source {
                line: 1,
                uris: uris.iter().map(|&uri| uri.to_owned()).collect(),
                suites: suites.iter().map(|suite| suite.parse().unwrap()).collect(),
                components: vec!["main".into()],
                archs: None,
                signed_by: SignedBy::Machine,
                ignored: Vec::new(),
            },
        }
    }

    fn urls(role: Role, asked: Option<&str>, entries: Vec<AptSource>) -> Vec<String> {
        let apt = AptConfiguration { sources: entries, ..AptConfiguration::default() };
        let asked = asked.map(|text| Url::parse(text).unwrap());
        let found = candidates(&site(role), asked.as_ref(), &apt);
        found.into_iter().map(|mirror| mirror.url.to_string()).collect()
    }

    #[test]
    fn apt_comes_before_the_vendors_address() {
        let apt = vec![
            entry(&["http://a/debian", "http://b/debian/"], &["bookworm", "bookworm-updates"]),
            entry(&["http://a/debian/"], &["sid"]),
            entry(&["http://s/debian-security"], &["bookworm-security"]),
            entry(&["http://old/debian-security"], &["buster/updates"]),
            entry(&["cdrom:[Debian]/", "mirror+file:/x"], &["bookworm"]),
        ];
        assert_eq!(
            urls(Role::Main, None, apt.clone()),
            ["http://a/debian/", "http://b/debian/", "http://vendor/debian/"]
        );
        assert_eq!(
            urls(Role::Security, None, apt),
            ["http://s/debian-security/", "http://old/debian-security/", "http://vendor/debian/"]
        );
    }

    #[test]
    fn the_mirror_that_was_asked_for_stands_alone_and_never_for_security() {
        let apt = vec![
            entry(&["http://a/debian"], &["bookworm"]),
            entry(&["http://s/security"], &["bookworm-security"]),
        ];
        assert_eq!(urls(Role::Main, Some("file:///srv/x"), apt.clone()), ["file:///srv/x/"]);
        assert_eq!(
            urls(Role::Security, Some("file:///srv/x"), apt),
            ["http://s/security/", "http://vendor/debian/"]
        );
    }

    #[test]
    fn names_of_files_are_quoted() {
        let base = Url::parse("http://a/debian/").unwrap();
        for (path, wanted) in [
            ("dists/trixie/InRelease", "http://a/debian/dists/trixie/InRelease"),
            ("pool/libstdc++6_1~rc_all.deb", "http://a/debian/pool/libstdc++6_1~rc_all.deb"),
            ("pool/x y?z#.deb", "http://a/debian/pool/x%20y%3Fz%23.deb"),
            ("pool/a%2f:b", "http://a/debian/pool/a%252f:b"),
            ("../../x", "http://a/debian/x"),
        ] {
            assert_eq!(below(&base, path).as_str(), wanted, "{path}");
        }
    }
}
