//! Releases: their fields and the files that they vouch for.

use crate::faults;
use debian_packaging::repository::release::{ChecksumType, ReleaseFile, ReleaseFileEntry};
use dmc_deb::release::Release;

/// What is compared of a release.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    /// Origin, Label, Suite, Codename, Version; empty where absent.
    pub names: [String; 5],
    /// Date and Valid-Until, in seconds since 1970.
    pub times: [Option<i64>; 2],
    /// Architectures.
    pub architectures: Vec<String>,
    /// Components, as in paths.
    pub components: Vec<String>,
    /// Acquire-By-Hash.
    pub by_hash: bool,
    /// `PATH SIZE SHA256`, sorted.
    pub files: Vec<String>,
}

/// As dmc verified it.
pub fn ours(release: &Release) -> Summary {
    let names =
        [release.origin(), release.label(), release.suite(), release.codename(), release.version()];
    let file = |(path, file): (&str, dmc_deb::release::IndexFile)| {
        format!("{path} {} {}", file.size, file.checksum)
    };
    Summary {
        names: names.map(|name| name.unwrap_or_default().to_owned()),
        times: [Some(release.date()), release.valid_until()],
        architectures: release.architectures().map(str::to_owned).collect(),
        components: release.components().map(str::to_owned).collect(),
        by_hash: release.acquire_by_hash(),
        files: sorted(release.files().map(file)),
    }
}

/// As the oracle read it, without looking at the signature.
pub fn theirs(release: &ReleaseFile<'_>) -> Summary {
    let names =
        [release.origin(), release.label(), release.suite(), release.codename(), release.version()];
    let words = |words: Option<Box<dyn Iterator<Item = &str> + '_>>| -> Vec<String> {
        words
            .into_iter()
            .flatten()
            .map(|word| faults::component_of_paths(word).to_owned())
            .collect()
    };
    let entries = release.iter_index_files(ChecksumType::Sha256).into_iter().flatten();
    let file = |entry: debian_packaging::error::Result<ReleaseFileEntry<'_>>| {
        let ReleaseFileEntry { path, digest, size } = entry.unwrap();
        format!("{path} {size} sha256:{}", digest.digest_hex())
    };
    Summary {
        names: names.map(|name| name.unwrap_or_default().to_owned()),
        times: [release.date(), release.valid_until()]
            .map(|time| time.map(|time| time.unwrap().timestamp())),
        architectures: words(release.architectures()),
        components: words(release.components()),
        by_hash: release.acquire_by_hash().unwrap_or_default(),
        files: sorted(entries.map(file)),
    }
}

fn sorted(files: impl Iterator<Item = String>) -> Vec<String> {
    let mut files: Vec<String> = files.collect();
    files.sort();
    files.dedup();
    files
}
