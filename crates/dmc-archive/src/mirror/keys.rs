//! Keyrings, read when a signature is to be checked.

use super::apt::inside;
use super::{Mirror, MirrorError};
use crate::spec::Keyrings;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_deb::release::Keyring;
use dmc_deb::sources::SignedBy;
use std::fs::{self, File};
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

impl KeyFiles<'_> {
    /// The keyrings that count for a mirror. A signature must be good by the first one that knows
    /// its key, so that a key which the machine's keyring holds as revoked stays revoked.
    pub(crate) fn of(&self, mirror: &Mirror) -> Result<Vec<Keyring>, MirrorError> {
        let joined = self.files(mirror)?.into_iter().map(|group| {
            group.into_iter().fold(Keyring::default(), |mut all, (_, ring)| {
                all.merge(ring);
                all
            })
        });
        Ok(joined.collect())
    }

    /// The same, each file by its name; the files of a group are one keyring.
    pub(crate) fn files(&self, mirror: &Mirror) -> Result<Vec<Vec<Named>>, MirrorError> {
        match &mirror.signed_by {
            SignedBy::Machine => self.vendor(),
            SignedBy::Inline(key) => {
                let name = "Signed-By of apt's configuration";
                Ok(vec![vec![(name.to_owned(), parse("Signed-By", key.as_bytes())?)]])
            }
            SignedBy::Keys { files, fingerprints } => {
                let mut groups = match files.as_slice() {
                    [] => self.vendor()?,
                    files => vec![self.named(files)?],
                };
                if !fingerprints.is_empty() {
                    for (_, ring) in groups.iter_mut().flatten() {
                        *ring = ring.restricted_to(fingerprints);
                    }
                }
                Ok(groups)
            }
        }
    }

    fn named(&self, files: &[std::path::PathBuf]) -> Result<Vec<Named>, MirrorError> {
        let mut all = Vec::new();
        for file in files {
            let path = Utf8PathBuf::from(file.to_string_lossy().into_owned());
            match read(&inside(self.root, &path)) {
                Ok(bytes) => all.push((path.to_string(), parse(path.as_str(), &bytes)?)),
                Err(source) => return Err(MirrorError::Keyring { path, source }),
            }
        }
        Ok(all)
    }

    /// The machine's keyrings together, then those that dmc brings together.
    fn vendor(&self) -> Result<Vec<Vec<Named>>, MirrorError> {
        let mut machine = Vec::new();
        for path in &self.keyrings.machine {
            match read(&inside(self.root, path)) {
                Ok(bytes) => machine.push((path.to_string(), parse(path.as_str(), &bytes)?)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(MirrorError::Keyring { path: path.clone(), source }),
            }
        }
        let mut shipped = Vec::new();
        for ring in &self.keyrings.shipped {
            shipped.push((ring.name.clone(), parse(&ring.name, &ring.bytes)?));
        }
        let rings: Vec<Vec<Named>> =
            [machine, shipped].into_iter().filter(|group| !group.is_empty()).collect();
        if rings.is_empty() {
            return Err(MirrorError::NoKeyring { vendor: self.vendor.to_owned() });
        }
        Ok(rings)
    }
}

fn parse(name: &str, bytes: &[u8]) -> Result<Keyring, MirrorError> {
    Keyring::parse(bytes)
        .map_err(|source| MirrorError::BadKeyring { name: name.to_owned(), source })
}

fn read(path: &Utf8Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::KnownFrom;
    use reqwest::Url;

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
        let refused = keys.of(&mirror(named)).unwrap_err();
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
