//! What is signed is read by trusted keys alone, and for the image and repository alone.

use super::*;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

const REPO: &str = "registry.example/nginx";

fn image() -> Sha256 {
    digest(b"image")
}

fn statement(predicate: Value) -> Statement {
    Statement::new(image(), REPO, predicate::SIGN, predicate)
}

#[test]
fn equal_statements_and_keys_make_equal_bundles() {
    let key = PrivateKey::generate().unwrap();
    let bundle = Bundle::sign(&statement(json!({})), &key);
    assert_eq!(Bundle::sign(&statement(json!({})), &key).to_json(), bundle.to_json());
    let again = Bundle::parse(&bundle.to_json()).unwrap();
    let verified = again.verify(&[key.public().clone()], image(), REPO).unwrap();
    assert_eq!(*verified.get(), statement(json!({})));
    assert_eq!(verified.key(), key.public().fingerprint());
    let json: Value = serde_json::from_slice(&bundle.to_json()).unwrap();
    let payload = BASE64_STANDARD.decode(json["dsseEnvelope"]["payload"].as_str().unwrap());
    assert_eq!(
        String::from_utf8(payload.unwrap()).unwrap(),
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"{REPO}","digest":{{"sha256":"{}"}},"annotations":{{"repository":"{REPO}"}}}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{{}}}}"#,
            image()
        )
    );
}

#[test]
fn a_bundle_counts_for_trusted_keys_its_image_and_its_repository_alone() {
    let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    let bundle = Bundle::sign(&statement(json!({})), &key);
    let (this, that) = (key.public().clone(), other.public().clone());
    let verify = |trusted: &[PublicKey], image, repository| {
        bundle.verify(trusted, image, repository).map(|verified| verified.key())
    };
    assert_eq!(verify(&[that.clone(), this.clone()], image(), REPO), Ok(this.fingerprint()));
    let about = |found: &str, wanted: &str| {
        Err(SignatureError::OtherSubject { found: found.to_owned(), wanted: wanted.to_owned() })
    };
    let (is, was) = (digest(b"other"), image());
    assert_eq!(verify(&[that], image(), REPO), Err(SignatureError::Untrusted { keys: 1 }));
    assert_eq!(verify(&[], image(), REPO), Err(SignatureError::Untrusted { keys: 0 }));
    let trusted = [this];
    assert_eq!(
        verify(&trusted, is, REPO),
        about(&format!("sha256:{was}"), &format!("sha256:{is}"))
    );
    let elsewhere = "registry.example/other";
    assert_eq!(verify(&trusted, image(), elsewhere), about(REPO, elsewhere));
}

#[test]
fn what_is_signed_without_a_repository_or_subject_is_about_nothing() {
    let key = PrivateKey::generate().unwrap();
    let mut bare = statement(json!({}));
    bare.subject[0].annotations.clear();
    let mut none = statement(json!({}));
    none.subject.clear();
    for (statement, found) in [(bare, "an image of no repository"), (none, "nothing")] {
        let refused = Bundle::sign(&statement, &key)
            .verify(&[key.public().clone()], image(), REPO)
            .unwrap_err();
        assert!(refused.to_string().contains(found), "{refused}");
    }
}

#[test]
fn a_bundle_that_was_changed_or_is_none_is_refused() {
    let key = PrivateKey::generate().unwrap();
    let whole: Value =
        serde_json::from_slice(&Bundle::sign(&statement(json!({"a": 1})), &key).to_json()).unwrap();
    let other = BASE64_STANDARD.encode(statement(json!({"a": 2})).to_json());
    for (summary, pointer, value, wanted) in [
        ("another version", "/mediaType", json!("application/x"), "it is not of version 0.3"),
        ("another payload", "/dsseEnvelope/payload", json!(other), "none of the 1 trusted keys"),
        ("no base64", "/dsseEnvelope/payload", json!("?"), "cannot be read"),
        ("another type", "/dsseEnvelope/payloadType", json!("text/plain"), "no in-toto statement"),
        ("no signature", "/dsseEnvelope/signatures", json!([]), "none of the 1 trusted keys"),
        ("a wrong one", "/dsseEnvelope/signatures/0/sig", json!("AAAA"), "none of the 1 trusted"),
        ("no envelope", "/dsseEnvelope", json!(null), "cannot be read"),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        let refused = Bundle::parse(&serde_json::to_vec(&changed).unwrap())
            .and_then(|bundle| bundle.verify(&[key.public().clone()], image(), REPO))
            .unwrap_err();
        assert!(refused.to_string().contains(wanted), "{summary}: {refused}");
    }
    assert!(Bundle::parse(b"{").is_err());
}

#[test]
fn statements_of_another_version_are_not_read() {
    let refused = Statement::parse(
        br#"{"_type":"https://in-toto.io/Statement/v0.1","subject":[],"predicateType":""}"#,
    );
    assert!(refused.unwrap_err().to_string().contains("is not of type"));
}

#[test]
fn the_payload_of_policies_is_signed_for_one_image_in_one_repository() {
    let key = PrivateKey::generate().unwrap();
    let trusted = [key.public().clone()];
    let payload = SimpleSigning::new(image(), REPO).to_json();
    assert_eq!(
        String::from_utf8(payload.clone()).unwrap(),
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"{REPO}"}},"image":{{"docker-manifest-digest":"sha256:{}"}},"type":"cosign container image signature"}},"optional":{{"repository":"{REPO}"}}}}"#,
            image()
        )
    );
    let signature = key.sign(&payload).write();
    let verify = |payload: &[u8], signature: &str, image, repository| {
        SimpleSigning::verify(payload, signature, &trusted, image, repository)
            .map(|verified| verified.key())
            .map_err(|error| error.to_string())
    };
    assert_eq!(verify(&payload, &signature, image(), REPO), Ok(key.public().fingerprint()));
    let no_payload = key.sign(b"{}").write();
    for (summary, result, wanted) in [
        ("image", verify(&payload, &signature, digest(b"x"), REPO), "is about sha256:"),
        ("repository", verify(&payload, &signature, image(), "x/y"), "not x/y"),
        ("payload", verify(b"{}", &signature, image(), REPO), "none of the 1 trusted keys"),
        ("signature", verify(&payload, "AAAA", image(), REPO), "none of the 1 trusted keys"),
        ("format", verify(b"{}", &no_payload, image(), REPO), "payload cannot be read"),
    ] {
        let refused = result.unwrap_err();
        assert!(refused.contains(wanted), "{summary}: {refused}");
    }
    assert_eq!(SimpleSigning::tag(image()), format!("sha256-{}.sig", image()));
}
