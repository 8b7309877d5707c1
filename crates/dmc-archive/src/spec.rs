//! What to read: vendors, their archives and the keys that vouch for them, as plain values.
//!
//! The caller takes these from configuration; nothing here is checked against a mirror yet.

use crate::release::Owner;
use camino::Utf8PathBuf;
use dmc_types::{Arch, Suite, UnixTime};
use reqwest::Url;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Everything that settles which archives a run reads and what it takes for true.
#[derive(Debug, Clone)]
pub struct ArchiveSpec {
    /// Whose packages.
    pub vendor: VendorSpec,
    /// The mirror that was asked for (`-M` or configuration). It takes the place of the vendor's
    /// main sites; the security archive stays where it is.
    pub mirror: Option<Url>,
    /// Archives beside the vendor's, each used only for packages that are asked of it by name.
    pub third_parties: Vec<ThirdPartySpec>,
    /// Suites whose `Valid-Until` may have passed. Every use is recorded in
    /// [`Release::accepted_expired`](dmc_deb::release::Release::accepted_expired).
    pub accept_expired: BTreeSet<Suite>,
    /// Suites that may be older than the one accepted last time, and than their floors.
    pub accept_rollback: BTreeSet<Suite>,
    /// Fingerprints of certificates, in capital hexadecimal digits, that may sign suites which
    /// others signed last time.
    pub accept_keys: BTreeSet<String>,
    /// What is known of suites before any release of them was seen. They do not count for a
    /// snapshot.
    pub floors: Vec<Floor>,
    /// The moment at which a dated archive is read: its releases are judged as of then. The sites'
    /// addresses must lead there; neither apt's mirrors nor `mirror` are asked.
    pub snapshot: Option<UnixTime>,
    /// The time of this run.
    pub now: UnixTime,
}

/// What releases of a suite must at least be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Whose suite.
    pub owner: Owner,
    /// Which.
    pub suite: Suite,
    /// The least `Date`.
    pub date: UnixTime,
    /// The certificate that signs it, by its fingerprint, where that is known.
    pub signer: Option<String>,
    /// Where this stands, for messages: a file's name.
    pub from: String,
}

/// A distribution: who signs it and where it lies.
#[derive(Debug, Clone)]
pub struct VendorSpec {
    /// The name it has in configuration and messages, as `debian`.
    pub name: String,
    /// What the `Origin` field of its releases says, as `Debian`.
    pub origin: String,
    /// Its sites. At least one has the role [`Role::Main`].
    pub sites: Vec<SiteSpec>,
    /// Whose signatures count where apt's configuration names no keys.
    pub keyrings: Keyrings,
    /// Where its archives are, if the distribution has ended: names as in configuration, and
    /// addresses.
    pub moved_to: Vec<(String, String)>,
}

/// One tree of a vendor: a base address and the pockets below it.
#[derive(Debug, Clone)]
pub struct SiteSpec {
    /// What part of the vendor's archive it is.
    pub role: Role,
    /// What to remember its releases by, whichever mirror they come from; another one for each
    /// site that may be ahead of the others or behind.
    pub name: String,
    /// The architectures that it carries; none for all (Ubuntu keeps some on a site of their own).
    pub archs: Option<BTreeSet<Arch>>,
    /// Where it is looked for when neither the caller nor apt's configuration says.
    pub default: Url,
    /// The suites to merge, as they stand below `dists/`. Each must be there.
    pub pockets: Vec<Suite>,
    /// The components to read, as `main`.
    pub components: Vec<String>,
}

/// What a site is to its vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The archive itself: the release and its updates.
    Main,
    /// Security updates, mostly on a host of their own.
    Security,
}

/// An archive that is no vendor's.
#[derive(Debug, Clone)]
pub struct ThirdPartySpec {
    /// The name by which templates ask for its packages.
    pub name: String,
    /// Its base address.
    pub url: Url,
    /// Its suite below `dists/`.
    pub suite: Suite,
    /// Its components.
    pub components: Vec<String>,
    /// What its `Origin` must say, where that is known.
    pub origin: Option<String>,
    /// The architectures to read of it; none for all.
    pub archs: Option<BTreeSet<Arch>>,
    /// Whose signatures count.
    pub keyrings: Keyrings,
}

/// Keys that may sign.
#[derive(Debug, Clone, Default)]
pub struct Keyrings {
    /// Files of the machine; those that are absent are passed over.
    pub machine: Vec<Utf8PathBuf>,
    /// What dmc brings, for machines that have none of these files or whose files are too old.
    pub shipped: Vec<ShippedKeyring>,
}

/// A keyring that is part of the program or its configuration.
#[derive(Debug, Clone)]
pub struct ShippedKeyring {
    /// What it is called in messages.
    pub name: String,
    /// OpenPGP certificates, armoured or not.
    pub bytes: Cow<'static, [u8]>,
}
