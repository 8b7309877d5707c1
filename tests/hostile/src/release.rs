//! `InRelease`: its frame, its signatures and its text.

use dmc_deb::release::{Demand, Keyring, Release};
use dmc_testkit::{Compression, EPOCH, FakeArchive, FakeSuite, SigningKey, clear_sign, fixtures};
use dmc_types::{Arch, Suite};
use std::sync::OnceLock;

const FRAME: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";

struct Trust {
    key: SigningKey,
    keyring: Keyring,
    suite: Suite,
}

/// One key for all runs, so that seeds of one are signed for another.
fn trust() -> &'static Trust {
    static TRUST: OnceLock<Trust> = OnceLock::new();
    TRUST.get_or_init(|| {
        let key = SigningKey::fixed("Archive <archive@example.org>");
        let keyring = Keyring::parse(&key.public_binary()).unwrap();
        Trust { key, keyring, suite: "trixie".parse().unwrap() }
    })
}

/// What begins like a signed message is verified as it is; other text is signed before, so that
/// the fields behind the signature are reached too. Changed bytes below a signature never pass.
pub fn release(data: &[u8]) {
    let Trust { key, keyring, suite } = trust();
    let demand =
        Demand { suite, origin: None, now: EPOCH + 60, snapshot: None, accept_expired: true };
    if data.starts_with(FRAME) {
        judge(Release::verify(data, keyring, &demand));
    } else if let Ok(text) = std::str::from_utf8(data) {
        judge(Release::verify(&clear_sign(text, &[key], EPOCH), keyring, &demand));
    }
    if let Ok(keyring) = Keyring::parse(data) {
        assert!(!keyring.is_empty());
    }
}

fn judge(verdict: Result<Release, dmc_deb::release::ReleaseError>) {
    match verdict {
        Ok(release) => {
            assert_eq!(release.signer(), trust().key.fingerprint());
            assert!(release.date() <= EPOCH + 60 + dmc_deb::release::CLOCK_SKEW);
            for (path, file) in release.files() {
                assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."));
                assert_eq!(release.file(path), Some(file));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let key = &trust().key;
    let mut seeds = vec![key.public_binary(), key.public_armored().into_bytes()];
    let small =
        FakeSuite { contents: false, architectures: vec![Arch::Amd64], ..FakeSuite::new("trixie") };
    let security =
        FakeSuite { codename: "trixie".to_owned(), ..FakeSuite::security("trixie-security") };
    let plain = FakeSuite { indices: vec![Compression::None], ..small.clone() };
    let full = fixtures::suites(&[Arch::Amd64], key);
    for suite in full.into_iter().chain([small, security, plain]) {
        for keys in [vec![], vec![key.clone()], vec![SigningKey::fixed("other"), key.clone()]] {
            let path = format!("dists/{}/InRelease", suite.path);
            let archive = FakeArchive::of(&[FakeSuite { keys, ..suite.clone() }]);
            seeds.push(archive.get(&path).to_vec());
        }
    }
    seeds
}
