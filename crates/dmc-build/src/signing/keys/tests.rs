//! Keys are read when they are needed, and only where nobody else can read them.

use super::*;
use camino::Utf8PathBuf;
use tempfile::TempDir;

/// A password, which is asked for so many times at most.
#[derive(Debug)]
struct Said(&'static str);

impl Passwords for Said {
    fn password(&self, _key: &Utf8Path, _new: bool) -> io::Result<Zeroizing<String>> {
        match self.0 {
            "" => Err(io::Error::other("nobody is there")),
            said => Ok(Zeroizing::new(said.to_owned())),
        }
    }
}

/// Who must not be asked.
const SILENT: Said = Said("");

fn folder() -> (TempDir, Utf8PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().to_owned();
    (folder, path)
}

fn conf(key: &Utf8Path, trusted: &[&Utf8Path]) -> Signing {
    let trusted = trusted.iter().map(ToString::to_string).collect();
    Signing { key: Some(key.to_string()), trusted }
}

fn mode(path: &Utf8Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_pair_is_its_owners_alone_and_signs() {
    let (_folder, path) = folder();
    let key = path.join("deep/dmc.key");
    let made = keygen(&key, &Said("pw")).unwrap();
    assert_eq!((mode(&made.private), mode(&made.public)), (0o600, 0o644));
    let (keys, conf) = (Keys::default(), conf(&key, &[]));
    let signer = keys.signer(&conf, &SILENT).unwrap().unwrap();
    assert_eq!(signer.public().fingerprint(), made.fingerprint);
    assert!(matches!(signer.private(&SILENT), Err(SigningError::Password { .. })));
    let private = signer.private(&Said("pw")).unwrap();
    assert!(signer.public().verifies(b"x", &private.sign(b"x")));
    assert!(signer.private(&SILENT).is_ok(), "the password is asked for once");
    assert_eq!(keys.trusted(&conf, &SILENT).unwrap(), [signer.public().clone()]);
}

#[test]
fn keys_are_never_overwritten() {
    let (_folder, path) = folder();
    let key = path.join("dmc.key");
    keygen(&key, &Said("pw")).unwrap();
    let before = fs::read(&key).unwrap();
    assert!(matches!(keygen(&key, &Said("pw")), Err(SigningError::KeyThere { .. })));
    assert_eq!(fs::read(&key).unwrap(), before);
    fs::remove_file(&key).unwrap();
    assert!(
        matches!(keygen(&key, &Said("pw")), Err(SigningError::KeyThere { path }) if path.ends_with("dmc.pub"))
    );
    assert!(!key.exists());
}

#[test]
fn a_key_that_cannot_be_used_is_named_with_what_to_do() {
    let (_folder, path) = folder();
    let key = path.join("dmc.key");
    let public = path.join("dmc.pub");
    keygen(&key, &Said("pw")).unwrap();
    keygen(&path.join("other.key"), &Said("pw")).unwrap();
    let open = |password| {
        let keys = Keys::default();
        let signer = keys.signer(&conf(&key, &[]), &Said(password))?;
        signer.unwrap().private(&Said(password)).map(|_| ())
    };
    let refused = |error: SigningError, wanted: &str| {
        assert!(error.hint().is_some(), "{error}");
        let whole = format!(
            "{error} {}",
            std::error::Error::source(&error).map_or(String::new(), ToString::to_string)
        );
        assert!(whole.contains(wanted), "{whole}");
    };
    refused(open("no").unwrap_err(), "the password does not open the key");
    refused(open("").unwrap_err(), "nobody is there");
    for loose in [0o640, 0o604, 0o660] {
        fs::set_permissions(&key, Permissions::from_mode(loose)).unwrap();
        refused(open("pw").unwrap_err(), &format!("its mode is {loose:04o}"));
    }
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    fs::copy(path.join("other.pub"), &public).unwrap();
    refused(open("pw").unwrap_err(), "is not the public half");
    fs::remove_file(&public).unwrap();
    open("pw").unwrap();
    fs::write(&key, "x").unwrap();
    refused(open("pw").unwrap_err(), "is not PEM");
    fs::remove_file(&key).unwrap();
    refused(open("pw").unwrap_err(), "cannot read the key");
    refused(keygen(&public, &Said("pw")).unwrap_err(), "is the name of a public key");
    refused(keygen(&path.join("new.key"), &SILENT).unwrap_err(), "there is no password");
}

#[test]
fn several_keys_count_while_they_are_changed() {
    let (_folder, path) = folder();
    let (old, new) = (path.join("old.key"), path.join("new.key"));
    let old = keygen(&old, &Said("pw")).unwrap();
    let new = keygen(&new, &Said("pw")).unwrap();
    let keys = Keys::default();
    let conf = conf(&new.private, &[&old.public, &new.public]);
    let trusted = keys.trusted(&conf, &SILENT).unwrap();
    let fingerprints: Vec<_> = trusted.iter().map(PublicKey::fingerprint).collect();
    assert_eq!(fingerprints, [old.fingerprint, new.fingerprint]);
    let none = Signing::default();
    assert!(Keys::default().signer(&none, &SILENT).unwrap().is_none());
    assert!(Keys::default().trusted(&none, &SILENT).unwrap().is_empty());
    let wrong = Signing { key: None, trusted: vec![old.private.to_string()] };
    let refused = Keys::default().trusted(&wrong, &SILENT).unwrap_err();
    assert!(refused.hint().unwrap().contains("not the private one"), "{refused}");
}
