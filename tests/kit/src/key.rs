//! OpenPGP keys that sign archives.
//!
//! Debian's archive keys certify with the primary key and sign with a subkey; other vendors sign
//! with the primary key. Keys here are fresh in each run unless made to be fixed (Ed25519, made in
//! milliseconds); they bear a creation time of 2020, so that tests may set their clock to any later
//! time.

use dmc_types::UnixTime;
use openpgp::Packet;
use openpgp::cert::{Cert, CertBuilder};
use openpgp::packet::key::{Key4, PrimaryRole, SecretParts};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, UserID};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto;
use openpgp::serialize::stream::{Message, Signer};
use openpgp::types::{HashAlgorithm, KeyFlags, SignatureType};
use sequoia_openpgp as openpgp;
use sha2::Digest as _;
use std::io::Write;
use std::time::{Duration, SystemTime};

/// When every key was made: 2020-01-01T00:00:00Z.
pub const KEY_CREATED: UnixTime = 1_577_836_800;

/// A key with its secret part.
#[derive(Debug, Clone)]
pub struct SigningKey(Cert);

impl SigningKey {
    /// A key whose primary key signs, and that does not expire.
    pub fn generate(user: &str) -> Self {
        Self::finish(
            Self::builder(user)
                .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing()),
        )
    }

    /// A key whose primary key only certifies while a subkey signs, as Debian's.
    pub fn with_subkey(user: &str) -> Self {
        Self::finish(Self::builder(user).add_signing_subkey())
    }

    /// A key that expires at this time.
    pub fn expiring(user: &str, at: UnixTime) -> Self {
        let life = u64::try_from(at - KEY_CREATED).expect("an expiry after 2020");
        Self::finish(
            Self::builder(user)
                .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
                .set_validity_period(Duration::from_secs(life)),
        )
    }

    /// The same key, revoked by its owner.
    #[must_use]
    pub fn revoked(&self) -> Self {
        let primary = self.0.primary_key().key().clone().parts_into_secret();
        let mut signer = primary
            .and_then(openpgp::packet::Key::into_keypair)
            .expect("a key with its secret part");
        let revocation = SignatureBuilder::new(SignatureType::KeyRevocation)
            .set_signature_creation_time(time(KEY_CREATED + 1))
            .and_then(|builder| {
                builder.set_reason_for_revocation(
                    openpgp::types::ReasonForRevocation::KeyCompromised,
                    b"made for a test",
                )
            })
            .and_then(|builder| builder.sign_direct_key(&mut signer, None))
            .expect("a revocation");
        let (cert, _) = self.0.clone().insert_packets(revocation).expect("its own revocation");
        Self(cert)
    }

    /// A key that is the same in every run, made from its user's name: for inputs that are kept and
    /// must still verify later.
    pub fn fixed(user: &str) -> Self {
        let secret = sha2::Sha256::digest(user.as_bytes());
        let key = Key4::import_secret_ed25519(&secret, time(KEY_CREATED)).expect("32 bytes");
        let key: Key<SecretParts, PrimaryRole> = key.into();
        let mut signer = key.clone().into_keypair().expect("a key with its secret part");
        let cert = Cert::from_packets(std::iter::once(Packet::SecretKey(key))).expect("a key");
        let user = UserID::from(user);
        let flags = KeyFlags::empty().set_certification().set_signing();
        let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
            .set_signature_creation_time(time(KEY_CREATED))
            .and_then(|builder| builder.set_key_flags(flags))
            .and_then(|builder| user.bind(&mut signer, &cert, builder))
            .expect("a binding");
        let bound = cert.insert_packets([Packet::from(user), binding.into()]);
        Self(bound.expect("its own binding").0)
    }

    fn builder(user: &str) -> CertBuilder<'static> {
        CertBuilder::new()
            .add_userid(user)
            .set_primary_key_flags(KeyFlags::empty().set_certification())
            .set_creation_time(time(KEY_CREATED))
    }

    fn finish(builder: CertBuilder<'_>) -> Self {
        Self(builder.generate().expect("a fresh key").0)
    }

    /// The public part as it stands in a binary keyring (`.gpg`, `.pgp`). Keyrings of several keys
    /// are the keys' bytes one after the other.
    pub fn public_binary(&self) -> Vec<u8> {
        self.0.clone().strip_secret_key_material().to_vec().expect("a Vec takes all")
    }

    /// The public part in ASCII armour (`.asc`, and inline in `Signed-By`).
    pub fn public_armored(&self) -> String {
        let public = self.0.clone().strip_secret_key_material();
        let bytes = public.armored().to_vec().expect("a Vec takes all");
        String::from_utf8(bytes).expect("armour is ASCII")
    }

    /// The primary key's fingerprint: 40 capital hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint().to_hex()
    }

    /// The fingerprint of the key that signs: the subkey's where there is one.
    pub fn signing_fingerprint(&self) -> String {
        self.keypair().public().fingerprint().to_hex()
    }

    fn keypair(&self) -> openpgp::crypto::KeyPair {
        // At a time when no key was expired or revoked yet: such keys must sign too, here.
        let policy = &StandardPolicy::new();
        let at = time(KEY_CREATED);
        let keys = self.0.keys().with_policy(policy, at).for_signing().secret();
        let key = keys.last().expect("a key that signs").key().clone();
        key.into_keypair().expect("a key with its secret part")
    }
}

/// Wraps a text in the cleartext signature framework (RFC 9580, section 7), as `InRelease` is,
/// with a signature of each key made at `at`. Without keys the text comes back as it was.
pub fn clear_sign(text: &str, keys: &[&SigningKey], at: UnixTime) -> Vec<u8> {
    sign(text, keys, at, HashAlgorithm::SHA512)
}

/// Like [`clear_sign`], with SHA-1, which nobody should accept.
pub fn clear_sign_sha1(text: &str, keys: &[&SigningKey], at: UnixTime) -> Vec<u8> {
    sign(text, keys, at, HashAlgorithm::SHA1)
}

fn sign(text: &str, keys: &[&SigningKey], at: UnixTime, hash: HashAlgorithm) -> Vec<u8> {
    let Some((first, rest)) = keys.split_first() else {
        return text.into();
    };
    let mut out = Vec::new();
    let mut signer = Signer::new(Message::new(&mut out), first.keypair())
        .and_then(|signer| signer.hash_algo(hash))
        .expect("a hash that the key can sign");
    for key in rest {
        signer = signer.add_signer(key.keypair()).expect("another signer");
    }
    let mut message =
        signer.cleartext().creation_time(time(at)).build().expect("a signature in clear text");
    message.write_all(text.as_bytes()).expect("a Vec takes all");
    message.finalize().expect("a Vec takes all");
    out
}

fn time(seconds: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).expect("since 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openpgp::KeyHandle;
    use openpgp::parse::Parse;
    use openpgp::parse::stream::{
        MessageLayer, MessageStructure, VerificationHelper, VerifierBuilder,
    };
    use std::io::Read;

    struct Helper {
        known: Vec<Cert>,
        good: usize,
    }

    impl VerificationHelper for Helper {
        fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
            Ok(self.known.clone())
        }

        fn check(&mut self, structure: MessageStructure) -> openpgp::Result<()> {
            for layer in structure {
                if let MessageLayer::SignatureGroup { results } = layer {
                    self.good = results.iter().filter(|result| result.is_ok()).count();
                }
            }
            Ok(())
        }
    }

    /// How many signatures hold at a time.
    fn good(signed: &[u8], known: &[&SigningKey], now: UnixTime) -> usize {
        let known = known
            .iter()
            .map(|key| Cert::from_bytes(key.public_armored().as_bytes()).unwrap())
            .collect();
        let policy = StandardPolicy::new();
        let helper = Helper { known, good: 0 };
        let mut verifier = VerifierBuilder::from_bytes(signed)
            .unwrap()
            .with_policy(&policy, time(now), helper)
            .unwrap();
        let mut text = String::new();
        verifier.read_to_string(&mut text).unwrap();
        assert_eq!(text.trim_end(), "Origin: Debian\n- dashed");
        verifier.into_helper().good
    }

    #[test]
    fn signatures_hold_as_long_as_their_keys() {
        const TEXT: &str = "Origin: Debian\n- dashed\n";
        let at = 1_700_000_000;
        let [plain, other] = ["a", "b"].map(SigningKey::generate);
        let subkey = SigningKey::with_subkey("c");
        let expiring = SigningKey::expiring("d", at + 100);
        let revoked = plain.revoked();
        let fixed = SigningKey::fixed("e");
        assert_ne!(subkey.fingerprint(), subkey.signing_fingerprint());
        for (what, signers, known, now, wanted) in [
            ("one key", vec![&plain], vec![&plain], at, 1),
            ("a subkey", vec![&subkey], vec![&subkey], at, 1),
            ("two keys, one known", vec![&plain, &subkey], vec![&subkey], at, 1),
            ("two keys", vec![&plain, &other], vec![&plain, &other], at, 2),
            ("an unknown key", vec![&plain], vec![&other], at, 0),
            ("a key before it expires", vec![&expiring], vec![&expiring], at, 1),
            ("a revoked key", vec![&plain], vec![&revoked], at, 0),
            ("a revoked key that signs", vec![&revoked], vec![&plain], at, 1),
            ("a fixed key", vec![&fixed], vec![&SigningKey::fixed("e")], at, 1),
        ] {
            assert_eq!(good(&clear_sign(TEXT, &signers, at), &known, now), wanted, "{what}");
        }
        let late = clear_sign(TEXT, &[&expiring], at + 200);
        assert_eq!(good(&late, &[&expiring], at + 300), 0, "an expired key");
        assert_eq!(good(&clear_sign_sha1(TEXT, &[&plain], at), &[&plain], at), 0, "SHA-1");
        assert_eq!(clear_sign(TEXT, &[], at), TEXT.as_bytes());
    }
}
