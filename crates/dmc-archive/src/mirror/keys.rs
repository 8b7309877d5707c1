//! Keyrings, parsed when a signature is to be checked.

use super::apt::inside;
use super::{Mirror, MirrorError};
use crate::spec::Keyrings;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_deb::release::Keyring;
use dmc_deb::sources::SignedBy;
use dmc_types::Sha256;
use sha2::Digest as _;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Read};

/// Largest keyring that is read, in bytes; Debian's has 60 kB.
const LARGEST: u64 = 16 << 20;

/// Where keyrings come from.
#[derive(Debug)]
pub(crate) struct KeyFiles<'a> {
    /// The folder that stands for `/`.
    pub(crate) root: &'a Utf8Path,
    /// The vendor's keys.
    pub(crate) keyrings: &'a Keyrings,
    /// Whose they are, for messages.
    pub(crate) vendor: &'a str,
}

/// A keyring and the file that it is from.
pub(crate) type Named = (String, Keyring);

/// The name of a file with keys, and its bytes.
type KeyText = (String, Cow<'static, [u8]>);

/// The keyrings that count for a mirror, as they were read: not parsed yet.
#[derive(Debug)]
pub(crate) struct KeyTexts {
    /// Name and bytes; the files of a group are one keyring.
    groups: Vec<Vec<KeyText>>,
    /// The keys of them that count, by their fingerprints; empty for all.
    only: Vec<String>,
}

impl KeyTexts {
    /// A digest of all that a verdict by them depends on.
    pub(crate) fn digest(&self) -> Sha256 {
        let mut all = sha2::Sha256::new();
        for group in &self.groups {
            all.update((group.len() as u64).to_le_bytes());
            for (_, bytes) in group {
                all.update((bytes.len() as u64).to_le_bytes());
                all.update(bytes);
            }
        }
        for fingerprint in &self.only {
            all.update(fingerprint);
            all.update([0]);
        }
        Sha256::from_bytes(all.finalize().into())
    }

    /// A signature must be good by the first keyring that knows its key, so that a key which the
    /// machine's keyring holds as revoked stays revoked.
    pub(crate) fn keyrings(&self) -> Result<Vec<Keyring>, MirrorError> {
        let joined = self.files()?.into_iter().map(|group| {
            group.into_iter().fold(Keyring::default(), |mut all, (_, ring)| {
                all.merge(ring);
                all
            })
        });
        Ok(joined.collect())
    }

    /// The same, each file by its name.
    pub(crate) fn files(&self) -> Result<Vec<Vec<Named>>, MirrorError> {
        let group = |files: &Vec<KeyText>| files.iter().map(|file| self.parse(file)).collect();
        self.groups.iter().map(group).collect()
    }

    fn parse(&self, (name, bytes): &KeyText) -> Result<Named, MirrorError> {
        let ring = Keyring::parse(bytes)
            .map_err(|source| MirrorError::BadKeyring { name: name.clone(), source })?;
        let all = self.only.is_empty();
        Ok((name.clone(), if all { ring } else { ring.restricted_to(&self.only) }))
    }
}

impl KeyFiles<'_> {
    /// The keyrings that count for a mirror: the machine's together, then those that dmc brings,
    /// unless the mirror has its own.
    pub(crate) fn of(&self, mirror: &Mirror) -> Result<KeyTexts, MirrorError> {
        let (groups, only) = match &mirror.signed_by {
            SignedBy::Machine => (self.vendor()?, Vec::new()),
            SignedBy::Inline(key) => {
                let name = "Signed-By of apt's configuration".to_owned();
                (vec![vec![(name, key.clone().into_bytes().into())]], Vec::new())
            }
            SignedBy::Keys { files, fingerprints } => {
                let groups = match files.as_slice() {
                    [] => self.vendor()?,
                    files => vec![self.named(files)?],
                };
                (groups, fingerprints.clone())
            }
        };
        Ok(KeyTexts { groups, only })
    }

    fn named(&self, files: &[std::path::PathBuf]) -> Result<Vec<KeyText>, MirrorError> {
        let mut all = Vec::new();
        for file in files {
            let path = Utf8PathBuf::from(file.to_string_lossy().into_owned());
            match read(&inside(self.root, &path)) {
                Ok(bytes) => all.push((path.to_string(), bytes.into())),
                Err(source) => return Err(MirrorError::Keyring { path, source }),
            }
        }
        Ok(all)
    }

    fn vendor(&self) -> Result<Vec<Vec<KeyText>>, MirrorError> {
        let mut machine = Vec::new();
        for path in &self.keyrings.machine {
            match read(&inside(self.root, path)) {
                Ok(bytes) => machine.push((path.to_string(), bytes.into())),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(MirrorError::Keyring { path: path.clone(), source }),
            }
        }
        let shipped = self.keyrings.shipped.iter();
        let shipped = shipped.map(|ring| (ring.name.clone(), ring.bytes.clone())).collect();
        let groups: Vec<Vec<_>> =
            [machine, shipped].into_iter().filter(|group| !group.is_empty()).collect();
        if groups.is_empty() {
            return Err(MirrorError::NoKeyring { vendor: self.vendor.to_owned() });
        }
        Ok(groups)
    }
}

fn read(path: &Utf8Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > LARGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    // One more, so that the end is found without growing.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::KnownFrom;
    use reqwest::Url;
    use std::fs;

    fn mirror(signed_by: SignedBy) -> Mirror {
        Mirror::new(&Url::parse("http://a/").unwrap(), KnownFrom::Vendor, signed_by)
    }

    #[test]
    fn a_keyring_that_is_named_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let keys = KeyFiles { root, keyrings: &Keyrings::default(), vendor: "debian" };
        let named = SignedBy::Keys { files: vec!["/usr/x.gpg".into()], fingerprints: Vec::new() };
        let refused = keys.of(&mirror(named)).unwrap_err();
        assert!(matches!(&refused, MirrorError::Keyring { path, .. } if path == "/usr/x.gpg"));
        assert!(refused.hint().unwrap().contains("/usr/x.gpg"));
        fs::create_dir(root.join("usr")).unwrap();
        fs::write(root.join("usr/x.gpg"), "no keys").unwrap();
        let named = SignedBy::Keys { files: vec!["/usr/x.gpg".into()], fingerprints: Vec::new() };
        let refused = keys.of(&mirror(named)).unwrap().keyrings().unwrap_err();
        assert!(matches!(refused, MirrorError::BadKeyring { .. }), "{refused}");
    }

    #[test]
    fn without_any_keys_nothing_is_trusted() {
        let keyrings = Keyrings { machine: vec!["/absent.gpg".into()], shipped: Vec::new() };
        let keys =
            KeyFiles { root: Utf8Path::new("/nowhere"), keyrings: &keyrings, vendor: "debian" };
        let refused = keys.of(&mirror(SignedBy::Machine)).unwrap_err();
        assert!(matches!(refused, MirrorError::NoKeyring { .. }), "{refused}");
    }
}
