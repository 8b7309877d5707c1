//! The scene of every test: one signed archive, its mirror, an empty store.

use camino::{Utf8Path, Utf8PathBuf};
use dmc_archive::index::Packages;
use dmc_archive::mirror::AptConfiguration;
use dmc_archive::transport::Network;
use dmc_archive::{
    Archive, ArchiveError, ArchiveSpec, Candidate, Keyrings, Quiet, Role, ShippedKeyring, SiteSpec,
    Store, Transport, TransportOptions, VendorSpec,
};
use dmc_testkit::{DebBuilder, EPOCH, FakeArchive, FakeSuite, Server, SigningKey};
use dmc_types::Arch;
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Whose archive it is in all tests.
pub(crate) static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::with_subkey("archive"));
/// Somebody else's key.
pub(crate) static STRANGER: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate("stranger"));

pub(crate) const INDEX: &str = "dists/trixie/main/binary-amd64/Packages";

pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) archive: FakeArchive,
    dir: tempfile::TempDir,
}

/// Bytes that do not compress, so that faults have something to cut.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn hello(version: &str) -> DebBuilder {
    DebBuilder::new("hello", version, "amd64")
        .field("Depends", "libc6 (>= 2.34), hello-data")
        .field("Provides", "greeting (= 1), greeter")
        .executable("/usr/bin/hello", "#!/bin/sh\necho hello\n")
        .file("/usr/share/hello/noise", noise(200_000))
}

pub(crate) fn main_suite() -> FakeSuite {
    let data = DebBuilder::new("hello-data", "1.0", "all").file("/usr/share/hello/data", "data");
    FakeSuite::new("trixie").deb(hello("1.0-1")).deb(data).signed_by(&KEY)
}

pub(crate) fn security_suite() -> FakeSuite {
    FakeSuite::security("trixie-security").signed_by(&KEY)
}

pub(crate) fn honest() -> FakeArchive {
    FakeArchive::of(&[main_suite(), security_suite()])
}

/// No pause is long, and nobody waits for long.
pub(crate) fn quick() -> TransportOptions {
    TransportOptions {
        read_timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_secs(2),
        retries: 3,
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(40),
        longest_wait: Duration::from_secs(5),
        ..TransportOptions::default()
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(honest())
    }

    pub(crate) fn with(archive: FakeArchive) -> Self {
        let server = Server::start(&archive);
        Self { server, archive, dir: tempfile::tempdir().unwrap() }
    }

    /// Changes the archive on the mirror.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut FakeArchive)) {
        change(&mut self.archive);
        self.server.serve(&self.archive);
    }

    pub(crate) fn dir(&self) -> &Utf8Path {
        Utf8Path::from_path(self.dir.path()).unwrap()
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(self.dir())
    }

    pub(crate) fn spec(&self) -> ArchiveSpec {
        spec(&self.server.url())
    }

    /// One run of the program.
    pub(crate) fn run(&self) -> Archive {
        self.run_with(self.spec(), quick())
    }

    pub(crate) fn offline(&self) -> Archive {
        self.run_with(self.spec(), TransportOptions { network: Network::Offline, ..quick() })
    }

    pub(crate) fn run_with(&self, spec: ArchiveSpec, options: TransportOptions) -> Archive {
        let transport = Transport::new(options, Arc::new(Quiet));
        Archive::open(spec, AptConfiguration::default(), self.store(), transport)
    }

    /// The files of the store, by their paths in it, without what is only half there.
    pub(crate) fn stored(&self) -> Vec<Utf8PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir_utf8().unwrap() {
                let path = entry.unwrap().into_path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(self.dir().join("v1")).unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// The only stored file whose path has this in it.
    pub(crate) fn stored_at(&self, part: &str) -> Utf8PathBuf {
        let mut found = self.stored();
        found.retain(|path| path.as_str().contains(part));
        assert_eq!(found.len(), 1, "{part}: {found:?} of {:?}", self.stored());
        self.dir().join("v1").join(&found[0])
    }
}

pub(crate) fn spec(url: &str) -> ArchiveSpec {
    let url = reqwest::Url::parse(url).unwrap();
    let site = |role, suite: &str| SiteSpec {
        role,
        name: format!("{role:?}"),
        archs: None,
        default: url.clone(),
        pockets: vec![suite.parse().unwrap()],
        components: vec!["main".into()],
    };
    let shipped = vec![ShippedKeyring { name: "test".into(), bytes: KEY.public_binary().into() }];
    ArchiveSpec {
        vendor: VendorSpec {
            name: "debian".into(),
            origin: "Debian".into(),
            sites: vec![site(Role::Main, "trixie"), site(Role::Security, "trixie-security")],
            keyrings: Keyrings { machine: Vec::new(), shipped },
            moved_to: Vec::new(),
        },
        mirror: None,
        third_parties: Vec::new(),
        accept_expired: BTreeSet::new(),
        accept_rollback: BTreeSet::new(),
        accept_keys: BTreeSet::new(),
        floors: Vec::new(),
        snapshot: None,
        now: EPOCH + 3600,
    }
}

pub(crate) async fn amd64(archive: &Archive) -> Result<Arc<Packages>, ArchiveError> {
    archive.index(Arch::Amd64).await
}

pub(crate) async fn candidate(archive: &Archive, name: &str) -> Candidate {
    let packages = amd64(archive).await.unwrap();
    packages.package(&name.parse().unwrap()).unwrap().expect("the index has it")
}

/// The error with all its causes.
pub(crate) fn in_full(error: &ArchiveError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Asserts that it failed, saying all of this, and with a way out.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, ArchiveError>, why: &str, parts: &[&str]) {
    let Err(error) = result else { panic!("{why}: nothing was refused") };
    let text = in_full(&error);
    for part in parts {
        assert!(text.contains(part), "{why}: no `{part}` in `{text}`");
    }
    assert!(error.hint().is_some(), "{why}: no hint for `{text}`");
}
