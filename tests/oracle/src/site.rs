//! One folder that holds an archive, read by both sides from the `InRelease` down.

use camino::{Utf8Path, Utf8PathBuf};
use debian_packaging::binary_package_list::BinaryPackageList;
use debian_packaging::repository::filesystem::FilesystemRepositoryReader;
use debian_packaging::repository::release::ReleaseFile;
use debian_packaging::repository::{ReleaseReader, RepositoryRootReader};
use dmc_archive::mirror::AptConfiguration;
use dmc_archive::{
    Archive, ArchiveError, ArchiveSpec, Candidate, Keyrings, Packages, Quiet, Role, SiteSpec,
    Store, Transport, TransportOptions, Url, VendorSpec,
};
use dmc_deb::release::Release;
use dmc_types::{Arch, PackageFacts};
use futures::executor::block_on;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The component that is read.
pub const COMPONENT: &str = "main";

/// An archive in a folder.
pub struct Site {
    /// The folder that holds `dists` and `pool`.
    pub folder: Utf8PathBuf,
    /// The suite that is read.
    pub suite: String,
    /// What it is to its vendor.
    pub role: Role,
    /// Whose signatures count.
    pub keyrings: Keyrings,
}

/// dmc's reader, with an empty store of its own.
pub struct Ours {
    archive: Archive,
    runtime: tokio::runtime::Runtime,
    _store: tempfile::TempDir,
}

/// The oracle's reader.
pub struct Theirs {
    release: Box<dyn ReleaseReader>,
}

impl Site {
    /// dmc, with an empty store.
    pub fn ours(&self) -> Ours {
        let site = SiteSpec {
            role: self.role,
            name: "main".to_owned(),
            archs: None,
            default: Url::from_directory_path(&self.folder).unwrap(),
            pockets: vec![self.suite.parse().unwrap()],
            components: vec![COMPONENT.to_owned()],
        };
        let vendor = VendorSpec {
            name: "debian".to_owned(),
            origin: "Debian".to_owned(),
            sites: vec![site],
            keyrings: self.keyrings.clone(),
            moved_to: Vec::new(),
        };
        let spec = ArchiveSpec {
            vendor,
            mirror: None,
            third_parties: Vec::new(),
            accept_expired: BTreeSet::new(),
            accept_rollback: BTreeSet::new(),
            accept_keys: BTreeSet::new(),
            floors: Vec::new(),
            snapshot: None,
            now: now(),
        };
        let transport = Transport::new(TransportOptions::default(), Arc::new(Quiet));
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Utf8Path::from_path(folder.path()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let archive = Archive::open(spec, AptConfiguration::default(), store, transport);
        Ours { archive, runtime, _store: folder }
    }

    /// The oracle.
    pub fn theirs(&self) -> Theirs {
        let reader = FilesystemRepositoryReader::new(&self.folder);
        Theirs { release: block_on(reader.release_reader(&self.suite)).unwrap() }
    }

    /// A file of the archive.
    pub fn read(&self, path: &str) -> Vec<u8> {
        let path = self.folder.join(path);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Ours {
    /// The verified release.
    ///
    /// # Errors
    /// Where dmc refuses it.
    pub fn release(&self) -> Result<Release, ArchiveError> {
        let releases = self.runtime.block_on(self.archive.releases())?;
        assert_eq!(releases.len(), 1);
        Ok(releases[0].release.clone())
    }

    /// The index of amd64.
    pub fn packages(&self) -> Arc<Packages> {
        self.runtime.block_on(self.archive.index(Arch::Amd64)).unwrap()
    }

    /// What dmc keeps of a package.
    pub fn facts(&self, candidate: &Candidate) -> Arc<PackageFacts> {
        let facts = self.runtime.block_on(self.archive.facts(candidate));
        facts.unwrap_or_else(|error| panic!("{}: {error:?}", candidate.filename))
    }
}

impl Theirs {
    /// The release, its signature unseen.
    pub fn release(&self) -> &ReleaseFile<'_> {
        self.release.release_file()
    }

    /// The index of amd64.
    pub fn packages(&self) -> BinaryPackageList<'static> {
        block_on(self.release.resolve_packages(COMPONENT, "amd64", false)).unwrap()
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}
