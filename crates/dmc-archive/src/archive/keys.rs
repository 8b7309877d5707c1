//! Whose signatures count, and who signs what.

use super::Archive;
use crate::error::ArchiveError;
use crate::release::{AcceptedRelease, Owner};
use dmc_deb::release::Certificate;

/// A certificate whose signatures count for an archive that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInUse {
    /// The certificate.
    pub certificate: Certificate,
    /// The keyrings that hold it: files, or what stands for them.
    pub files: Vec<String>,
    /// The suites that it signs.
    pub signs: Vec<Signs>,
}

/// A suite that a key signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signs {
    /// The suite.
    pub suite: String,
    /// Whether it signed the release that was accepted last time; else it is new, and pinned from
    /// now on.
    pub pinned: bool,
}

impl Archive {
    /// The keys that count for the archives that are read, those that sign none of them included.
    pub async fn keys(&self) -> Result<Vec<KeyInUse>, ArchiveError> {
        let mut keys: Vec<KeyInUse> = Vec::new();
        for accepted in self.releases().await? {
            let (keyrings, name) = self.keyrings(&accepted.owner);
            let files = self.key_files(keyrings, name).of(&accepted.mirror)?.files()?;
            for (file, ring) in files.into_iter().flatten() {
                for certificate in ring.certificates() {
                    add(&mut keys, certificate, &file);
                }
            }
            for key in &mut keys {
                key.signs.extend(accepted.signed_by(&key.certificate.fingerprint));
            }
        }
        Ok(keys)
    }

    fn keyrings(&self, owner: &Owner) -> (&crate::spec::Keyrings, &str) {
        let vendor = &self.spec.vendor;
        match self.spec.third_parties.iter().find(|site| owner.is_third_party(&site.name)) {
            Some(site) => (&site.keyrings, &site.name),
            None => (&vendor.keyrings, &vendor.name),
        }
    }
}

fn add(keys: &mut Vec<KeyInUse>, certificate: Certificate, file: &str) {
    let same = |key: &&mut KeyInUse| key.certificate.fingerprint == certificate.fingerprint;
    match keys.iter_mut().find(same) {
        Some(key) if key.files.iter().any(|other| other == file) => {}
        Some(key) => key.files.push(file.to_owned()),
        None => {
            let files = vec![file.to_owned()];
            keys.push(KeyInUse { certificate, files, signs: Vec::new() });
        }
    }
}

impl AcceptedRelease {
    fn signed_by(&self, fingerprint: &str) -> Option<Signs> {
        let signs = |keys: &[String]| keys.iter().any(|key| key == fingerprint);
        let before = self.before.as_ref();
        signs(&self.signers).then(|| Signs {
            suite: self.suite.to_string(),
            pinned: before.is_some_and(|before| signs(&before.signers)),
        })
    }
}
