//! Keys as files: the one that signs, and those whose signatures count.
//!
//! A private key that others may read is refused. It is decrypted only once something has to be
//! signed: its public half lies beside it (`dmc.key`, `dmc.pub`), and tells whether a signature
//! that is there already is its own.

#[cfg(test)]
mod tests;

use super::SigningError;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_sign::{KeyError, PrivateKey, PublicKey, Zeroizing};
use dmc_template::Signing;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::OnceLock;

/// No key is longer.
const LONGEST: u64 = 64 * 1024;

/// Whoever knows the passwords of private keys.
pub trait Passwords: fmt::Debug + Send + Sync {
    /// The password of the key in a file; `new` where the key is being made.
    fn password(&self, key: &Utf8Path, new: bool) -> io::Result<Zeroizing<String>>;

    /// A private key that a variable of the environment holds, for a key that is called `env://NAME`,
    /// as by cosign.
    fn variable(&self, _name: &str) -> Option<Zeroizing<String>> {
        None
    }
}

/// The keys of a run, each read when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    signer: OnceLock<Signer>,
    trusted: OnceLock<Vec<PublicKey>>,
}

impl Keys {
    /// What signs; none where the configuration names no key.
    pub(crate) fn signer(
        &self,
        conf: &Signing,
        passwords: &dyn Passwords,
    ) -> Result<Option<&Signer>, SigningError> {
        match (self.signer.get(), &conf.key) {
            (Some(signer), _) => Ok(Some(signer)),
            (None, None) => Ok(None),
            (None, Some(path)) => {
                let signer = Signer::open(Utf8Path::new(path), passwords)?;
                Ok(Some(self.signer.get_or_init(|| signer)))
            }
        }
    }

    /// The keys whose signatures count: those that are named, and the one that signs here.
    pub(crate) fn trusted(
        &self,
        conf: &Signing,
        passwords: &dyn Passwords,
    ) -> Result<&[PublicKey], SigningError> {
        if let Some(trusted) = self.trusted.get() {
            return Ok(trusted);
        }
        let mut trusted: Vec<PublicKey> = conf
            .trusted
            .iter()
            .map(|path| read_public(Utf8Path::new(path)))
            .collect::<Result<_, _>>()?;
        let own = self.signer(conf, passwords)?.map(Signer::public);
        if let Some(own) = own.filter(|own| !trusted.contains(own)) {
            trusted.push(own.clone());
        }
        Ok(self.trusted.get_or_init(|| trusted))
    }
}

/// A key that signs.
#[derive(Debug)]
pub(crate) struct Signer {
    path: Utf8PathBuf,
    text: Zeroizing<String>,
    public: PublicKey,
    private: OnceLock<PrivateKey>,
}

impl Signer {
    fn open(path: &Utf8Path, passwords: &dyn Passwords) -> Result<Self, SigningError> {
        let text = match path.as_str().strip_prefix("env://") {
            Some(name) => passwords.variable(name).ok_or_else(|| {
                unreadable(path)(io::Error::new(
                    io::ErrorKind::NotFound,
                    "there is no such variable",
                ))
            })?,
            None => read_private(path)?,
        };
        let beside = path.with_extension("pub");
        if beside.exists() && beside != path {
            let public = read_public(&beside)?;
            return Ok(Self { path: path.to_owned(), text, public, private: OnceLock::new() });
        }
        let private = decrypt(path, &text, passwords)?;
        let public = private.public().clone();
        Ok(Self { path: path.to_owned(), text, public, private: private.into() })
    }

    /// The public half.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The private half, for which the password may be asked.
    pub(crate) fn private(&self, passwords: &dyn Passwords) -> Result<&PrivateKey, SigningError> {
        if let Some(private) = self.private.get() {
            return Ok(private);
        }
        let private = decrypt(&self.path, &self.text, passwords)?;
        if *private.public() != self.public {
            return Err(SigningError::OtherHalf {
                key: self.path.clone(),
                public: self.path.with_extension("pub"),
            });
        }
        Ok(self.private.get_or_init(|| private))
    }
}

fn decrypt(
    path: &Utf8Path,
    text: &str,
    passwords: &dyn Passwords,
) -> Result<PrivateKey, SigningError> {
    let password = passwords
        .password(path, false)
        .map_err(|source| SigningError::Password { path: path.to_owned(), source })?;
    PrivateKey::read(text, password.as_bytes()).map_err(key_error(path))
}

fn read_public(path: &Utf8Path) -> Result<PublicKey, SigningError> {
    let file = File::open(path).map_err(unreadable(path))?;
    PublicKey::read(&text(path, file)?).map_err(key_error(path))
}

/// The text of a private key, which its owner alone may be able to read.
fn read_private(path: &Utf8Path) -> Result<Zeroizing<String>, SigningError> {
    let file = File::open(path).map_err(unreadable(path))?;
    let mode = file.metadata().map_err(unreadable(path))?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SigningError::Loose { path: path.to_owned(), mode });
    }
    text(path, file)
}

fn text(path: &Utf8Path, file: File) -> Result<Zeroizing<String>, SigningError> {
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text).map_err(unreadable(path))?;
    Ok(text)
}

fn unreadable(path: &Utf8Path) -> impl Fn(io::Error) -> SigningError {
    move |source| SigningError::ReadKey { path: path.to_owned(), source }
}

fn key_error(path: &Utf8Path) -> impl Fn(KeyError) -> SigningError {
    move |source| SigningError::Key { path: path.to_owned(), source }
}

/// A pair of keys that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKeys {
    /// The file of the private key, which its owner alone can read.
    pub private: Utf8PathBuf,
    /// The file of the public key.
    pub public: Utf8PathBuf,
    /// The SHA-256 of the public key.
    pub fingerprint: dmc_types::Sha256,
}

/// Makes a pair of keys: the private one in `path`, the public one beside it. Files that are there
/// stay as they are.
pub fn keygen(path: &Utf8Path, passwords: &dyn Passwords) -> Result<NewKeys, SigningError> {
    let public = path.with_extension("pub");
    if public == path {
        return Err(SigningError::PublicName { path: path.to_owned() });
    }
    for path in [path, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(SigningError::KeyThere { path: path.to_owned() });
        }
    }
    let password = passwords
        .password(path, true)
        .map_err(|source| SigningError::Password { path: path.to_owned(), source })?;
    let key = PrivateKey::generate().map_err(key_error(path))?;
    let text = key.write(password.as_bytes()).map_err(key_error(path))?;
    let public_text = key.public().to_pem().map_err(key_error(&public))?;
    write(path, &text, 0o600)?;
    write(&public, &public_text, 0o644)?;
    Ok(NewKeys { private: path.to_owned(), public, fingerprint: key.public().fingerprint() })
}

/// Writes a new file, whole or not at all.
fn write(path: &Utf8Path, text: &str, mode: u32) -> Result<(), SigningError> {
    let failed = |source| SigningError::WriteKey { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_str().is_empty());
    let folder = folder.unwrap_or(Utf8Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // The mode is that of the first moment: no one can open the file before it is set.
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(SigningError::KeyThere { path: path.to_owned() })
        }
        Err(error) => Err(failed(error.error)),
    }
}
