//! One package that can be had, with everything needed to fetch and judge it.

use super::Row;
use crate::mirror;
use crate::release::Owner;
use dmc_deb::relation::Relations;
use dmc_deb::version::Version;
use dmc_types::{Arch, Checksum, PackageName, Sha256, Suite};
use reqwest::Url;
use std::sync::Arc;

/// A version of a package in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// `Package`.
    pub package: PackageName,
    /// `Version`.
    pub version: Version,
    /// The source package's name.
    pub source: String,
    /// The source package's version, as written.
    pub source_version: String,
    /// `Architecture`; none for `all`.
    pub arch: Option<Arch>,
    /// `Pre-Depends`, as written.
    pub pre_depends: String,
    /// `Depends`, as written.
    pub depends: String,
    /// `Provides`, as written.
    pub provides: String,
    /// `Conflicts`, as written.
    pub conflicts: String,
    /// `Breaks`, as written.
    pub breaks: String,
    /// `Multi-Arch`, as written.
    pub multi_arch: String,
    /// `Priority`, as written.
    pub priority: String,
    /// `Essential: yes`.
    pub essential: bool,
    /// Where it lies below the archive's base address.
    pub filename: String,
    /// Size of the .deb in bytes.
    pub size: u64,
    /// `Installed-Size` in KiB.
    pub installed_size: Option<u64>,
    /// What the signed index vouches for.
    pub checksum: Checksum,
    /// The index that names it.
    pub pocket: Arc<Pocket>,
}

/// One index of one release: a suite's component for an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pocket {
    /// Whose it is.
    pub owner: Owner,
    /// The archive's base address.
    pub url: Url,
    /// The suite.
    pub suite: Suite,
    /// The component.
    pub component: String,
    /// SHA-256 of the `InRelease` that vouches for it.
    pub in_release: Sha256,
    /// Fingerprint of the certificate that signed that.
    pub signer: String,
}

impl Candidate {
    /// None where the row holds no proper name or version.
    pub(super) fn from_row(row: &Row<'_>, pocket: &Arc<Pocket>) -> Option<Self> {
        let arch = match row.arch {
            "all" => None,
            name => Some(name.parse().ok()?),
        };
        Some(Self {
            package: row.name.parse().ok()?,
            version: row.version.parse().ok()?,
            source: row.source.to_owned(),
            source_version: row.source_version.to_owned(),
            arch,
            pre_depends: row.pre_depends.to_owned(),
            depends: row.depends.to_owned(),
            provides: row.provides.to_owned(),
            conflicts: row.conflicts.to_owned(),
            breaks: row.breaks.to_owned(),
            multi_arch: row.multi_arch.to_owned(),
            priority: row.priority.to_owned(),
            essential: row.essential,
            filename: row.filename.to_owned(),
            size: row.size,
            installed_size: row.installed_size,
            checksum: row.checksum,
            pocket: Arc::clone(pocket),
        })
    }

    /// `Pre-Depends` and `Depends`, read now; what of them cannot be read is left out.
    pub fn relations(&self) -> Relations {
        let mut relations = Relations::default();
        for field in [&self.pre_depends, &self.depends] {
            let (read, problems) = Relations::parse(field);
            for problem in problems {
                tracing::debug!(package = %self.package, %problem, "passed over");
            }
            relations.groups.extend(read.groups);
        }
        relations
    }

    /// `Provides`, read now.
    pub fn provisions(&self) -> Relations {
        Relations::parse(&self.provides).0
    }

    /// Where the .deb is.
    pub fn url(&self) -> Url {
        mirror::below(&self.pocket.url, &self.filename)
    }
}
