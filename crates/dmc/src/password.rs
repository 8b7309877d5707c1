//! Passwords of keys, and keys themselves, from the environment as cosign has them, else asked for.

use camino::Utf8Path;
use dmc_build::{Passwords, Zeroizing};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};

/// `COSIGN_PASSWORD`, or whoever sits before the terminal.
pub(crate) struct Asked {
    /// What the environment says; it may be empty, as cosign allows.
    set: Option<Zeroizing<String>>,
    /// The variable that holds a key, by its name.
    key: Option<(String, Zeroizing<String>)>,
}

impl Asked {
    /// With the environment's password, where it has one.
    pub(crate) fn new(set: Option<String>) -> Self {
        Self { set: set.map(Zeroizing::new), key: None }
    }

    /// The same with the environment's key, where the configuration names it `env://NAME`.
    pub(crate) fn with_key(self, name: &str, key: Option<&str>) -> Self {
        let key = key.map(|key| (name.to_owned(), Zeroizing::new(key.to_owned())));
        Self { key, ..self }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked {{ set: {} }}", self.set.is_some())
    }
}

impl Passwords for Asked {
    fn password(&self, key: &Utf8Path, new: bool) -> io::Result<Zeroizing<String>> {
        if let Some(set) = &self.set {
            return Ok(set.clone());
        }
        let nobody = |_| io::Error::new(ErrorKind::NotFound, "there is no terminal to ask on");
        File::open("/dev/tty").map_err(nobody)?;
        let ask = |prompt: String| rpassword::prompt_password(prompt).map(Zeroizing::new);
        let first = ask(format!("Password for the key {key}: "))?;
        if new && ask("The same again: ".to_owned())? != first {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the two are not the same"));
        }
        Ok(first)
    }

    fn variable(&self, name: &str) -> Option<Zeroizing<String>> {
        self.key.as_ref().filter(|(of, _)| of == name).map(|(_, key)| key.clone())
    }
}
