//! What registries say that somebody has signed.

use dmc_sign::{Bundle, PrivateKey, PublicKey, SimpleSigning, Statement, predicate};
use dmc_types::Sha256;
use std::sync::LazyLock;

const REPOSITORY: &str = "registry.example/nginx";
const IMAGE: Sha256 = Sha256::from_bytes([7; 32]);

/// A key that stays the same, so that what it signed holds in another run.
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| {
    let text = include_str!("../../../crates/dmc-sign/src/key/fixtures/cosign.key");
    PrivateKey::read(text, b"pw").unwrap()
});

/// Any bytes as a bundle, as a public key, and as a payload that a trusted key has signed; what
/// holds is about the image and the repository that were asked for.
pub fn signed(data: &[u8]) {
    let trusted = [KEY.public().clone()];
    if let Ok(bundle) = Bundle::parse(data) {
        assert_eq!(Bundle::parse(&bundle.to_json()), Ok(bundle.clone()));
        if let Ok(verified) = bundle.verify(&trusted, IMAGE, REPOSITORY) {
            assert_eq!(verified.key(), KEY.public().fingerprint());
            assert_eq!(verified.get().check_subject(IMAGE, REPOSITORY), Ok(()));
        }
    }
    let signature = KEY.sign(data).write();
    if let Ok(verified) = SimpleSigning::verify(data, &signature, &trusted, IMAGE, REPOSITORY) {
        let again = verified.get().to_json();
        let signature = KEY.sign(&again).write();
        assert!(SimpleSigning::verify(&again, &signature, &trusted, IMAGE, REPOSITORY).is_ok());
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(key) = PublicKey::read(text)
    {
        assert_eq!(PublicKey::read(&key.to_pem().unwrap()), Ok(key));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let said = serde_json::json!({ "a": [1, { "b": null }] });
    let statement = Statement::new(IMAGE, REPOSITORY, predicate::SPDX, said);
    vec![
        Bundle::sign(&statement, &KEY).to_json(),
        SimpleSigning::new(IMAGE, REPOSITORY).to_json(),
        KEY.public().to_pem().unwrap().into_bytes(),
    ]
}
