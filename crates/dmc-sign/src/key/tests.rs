use super::*;
use serde_json::{Value, json};

/// A pair that cosign 2.5 has made.
const COSIGN: [&str; 2] =
    [include_str!("fixtures/cosign.key"), include_str!("fixtures/cosign.pub")];

/// The fixture's envelope with a change.
fn changed(change: fn(&mut Value)) -> String {
    let (_, body) = decode(COSIGN[0]).unwrap();
    let mut json: Value = serde_json::from_slice(&body).unwrap();
    change(&mut json);
    let body = serde_json::to_vec(&json).unwrap();
    pem::encode_string(PRIVATE[0], LineEnding::LF, &body).unwrap()
}

#[test]
fn a_pair_that_cosign_made_is_read() {
    let key = PrivateKey::read(COSIGN[0], b"pw").unwrap();
    let public = PublicKey::read(COSIGN[1]).unwrap();
    assert_eq!(*key.public(), public);
    assert_eq!(public.to_pem().unwrap(), COSIGN[1]);
    assert!(public.verifies(b"text", &key.sign(b"text")));
    assert!(!public.verifies(b"other", &key.sign(b"text")));
    assert!(PrivateKey::read(COSIGN[0], b"").is_err_and(|error| error == KeyError::Password));
}

#[test]
fn a_new_key_comes_back_by_its_password_alone() {
    let key = PrivateKey::generate().unwrap();
    let text = key.write(b"secret").unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"), "{text}");
    assert_eq!(PrivateKey::read(&text, b"secret").unwrap().public(), key.public());
    assert_eq!(PrivateKey::read(&text, b"Secret").unwrap_err(), KeyError::Password);
    assert_ne!(key.write(b"secret").unwrap(), text, "salt and nonce are new each time");
    assert_ne!(PrivateKey::generate().unwrap().public(), key.public());
}

#[test]
fn signatures_are_those_of_rfc_6979() {
    let secret = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    let secret: Sha256 = secret.parse().unwrap();
    let key = PrivateKey::new(SigningKey::from_slice(secret.as_bytes()).unwrap()).unwrap();
    for (message, r, s) in [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
            "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ] {
        let signature = key.sign(message.as_bytes());
        assert_eq!(format!("{:x}", signature.0), format!("{r}{s}"), "{message}");
        assert_eq!(Signature::read(&signature.write()), Some(signature));
    }
}

#[test]
fn what_is_no_usable_key_is_refused_by_what_is_wrong_with_it() {
    let damaged = |what| KeyError::Damaged { what };
    let unknown = |what: &str| KeyError::Unknown { what: what.to_owned() };
    let bare = pem::encode_string(BARE[0], LineEnding::LF, b"x").unwrap();
    let no_json = pem::encode_string(PRIVATE[1], LineEnding::LF, b"x").unwrap();
    let rows: [(&str, String, KeyError); 12] = [
        ("nothing", String::new(), KeyError::NotPem),
        ("words", "a key".to_owned(), KeyError::NotPem),
        ("a public key", COSIGN[1].to_owned(), other(PUBLIC, "an encrypted private key")),
        ("not encrypted", bare, KeyError::NotEncrypted),
        ("no JSON", no_json, damaged("not its JSON")),
        ("other derivation", changed(|json| json["kdf"]["name"] = json!("md5")), unknown("md5")),
        ("other cipher", changed(|json| json["cipher"]["name"] = json!("rot13")), unknown("rot13")),
        (
            "work without end",
            changed(|json| json["kdf"]["params"]["N"] = json!(1_u64 << 40)),
            unknown("scrypt with N=1099511627776, r=8, p=1"),
        ),
        (
            "work for many",
            changed(|json| json["kdf"]["params"]["p"] = json!(4_000_000_000_u32)),
            unknown("scrypt with N=65536, r=8, p=4000000000"),
        ),
        (
            "a short nonce",
            changed(|json| json["cipher"]["nonce"] = json!("AAAA")),
            damaged("the nonce"),
        ),
        ("no salt", changed(|json| json["kdf"]["salt"] = json!("?")), damaged("the salt")),
        ("a cut secret", changed(|json| json["ciphertext"] = json!("AAAA")), KeyError::Password),
    ];
    for (summary, text, wanted) in rows {
        assert_eq!(PrivateKey::read(&text, b"pw").unwrap_err(), wanted, "{summary}");
        assert!(wanted.hint().is_some(), "{summary}");
    }
    for (summary, text, wanted) in [
        ("a private key", COSIGN[0], other(PRIVATE[0], "a public key")),
        ("nothing", "", KeyError::NotPem),
        (
            "a key of another curve",
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
            KeyError::OtherKind,
        ),
    ] {
        assert_eq!(PublicKey::read(text).unwrap_err(), wanted, "{summary}");
    }
}

#[test]
fn a_private_key_does_not_show_itself() {
    let key = PrivateKey::read(COSIGN[0], b"pw").unwrap();
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("PrivateKey({})", key.public().fingerprint()));
}
