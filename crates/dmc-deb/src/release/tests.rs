use super::*;
use proptest::prelude::*;
use sequoia_openpgp::Cert;
use sequoia_openpgp::cert::{CertBuilder, CertRevocationBuilder};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::serialize::stream::{Message, Signer};
use sequoia_openpgp::types::ReasonForRevocation;
use std::io::Write as _;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

const NOW: UnixTime = 1_760_000_000;
const HOUR: UnixTime = 3600;
const DAY: UnixTime = 24 * HOUR;

/// The archive's key in most tests: the primary certifies, a subkey signs, as Debian's do.
static ARCHIVE: LazyLock<Cert> = LazyLock::new(|| certificate(NOW - 30 * DAY, None));
static STRANGER: LazyLock<Cert> = LazyLock::new(|| certificate(NOW - 30 * DAY, None));

fn system(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.try_into().unwrap())
}

fn certificate(created: UnixTime, lives: Option<UnixTime>) -> Cert {
    CertBuilder::new()
        .add_userid("Archive <archive@example.org>")
        .add_signing_subkey()
        .set_creation_time(system(created))
        .set_validity_period(lives.map(|lives| Duration::from_secs(lives.unsigned_abs())))
        .generate()
        .unwrap()
        .0
}

fn sign(text: &str, certs: &[&Cert], at: UnixTime) -> Vec<u8> {
    let policy = StandardPolicy::at(system(at));
    let mut pairs = certs.iter().map(|cert| {
        let mut keys = cert.keys().with_policy(&policy, system(at)).for_signing().secret();
        keys.next().unwrap().key().clone().into_keypair().unwrap()
    });
    let mut output = Vec::new();
    let mut signer = Signer::new(Message::new(&mut output), pairs.next().unwrap()).unwrap();
    for pair in pairs {
        signer = signer.add_signer(pair).unwrap();
    }
    let mut message = signer.cleartext().creation_time(system(at)).build().unwrap();
    message.write_all(text.as_bytes()).unwrap();
    message.finalize().unwrap();
    output
}

fn keyring(certs: &[&Cert]) -> Keyring {
    let bytes: Vec<u8> = certs.iter().flat_map(|cert| cert.to_vec().unwrap()).collect();
    Keyring::parse(&bytes).unwrap()
}

fn written(time: UnixTime) -> String {
    let time = jiff::Timestamp::from_second(time).unwrap();
    time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A release without `Date`, which each test gives.
const FIELDS: &str = "Origin: Debian\nLabel: Debian\nSuite: stable\nVersion: 13.1\n\
    Codename: trixie\nAcquire-By-Hash: yes\nArchitectures: all amd64 arm64\n\
    Components: main contrib\nMD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 7 main/x\n";

fn text(date: UnixTime, more: &str) -> String {
    format!(
        "{FIELDS}Date: {}\n{more}SHA256:\n {DIGEST}  12 main/binary-amd64/Packages.xz\n",
        written(date)
    )
}

fn demand(suite: &Suite) -> Demand<'_> {
    Demand { suite, origin: Some("Debian"), now: NOW, snapshot: None, accept_expired: false }
}

fn verify(in_release: &[u8], keyring: &Keyring) -> Result<Release, ReleaseError> {
    Release::verify(in_release, keyring, &demand(&"trixie".parse().unwrap()))
}

#[test]
fn a_good_release_says_what_was_signed() {
    let in_release = sign(&text(NOW - HOUR, ""), &[&ARCHIVE], NOW - HOUR);
    let release = verify(&in_release, &keyring(&[&ARCHIVE])).unwrap();
    assert_eq!(release.origin(), Some("Debian"));
    assert_eq!(release.label(), Some("Debian"));
    assert_eq!((release.suite(), release.codename()), (Some("stable"), Some("trixie")));
    assert_eq!(release.version(), Some("13.1"));
    assert_eq!((release.date(), release.valid_until()), (NOW - HOUR, None));
    assert_eq!(release.architectures().collect::<Vec<_>>(), ["all", "amd64", "arm64"]);
    assert_eq!(release.components().collect::<Vec<_>>(), ["main", "contrib"]);
    assert!(release.acquire_by_hash());
    assert!(!release.accepted_expired());
    assert_eq!(release.signer(), ARCHIVE.fingerprint().to_hex());
    assert_eq!(release.digest().as_bytes()[..], sha2::Sha256::digest(&in_release)[..]);
    let file = IndexFile { size: 12, checksum: Checksum::Sha256(DIGEST.parse().unwrap()) };
    assert_eq!(release.file("main/binary-amd64/Packages.xz"), Some(file));
    for other in ["main/x", "main/binary-amd64/Packages", "binary-amd64/Packages.xz", ""] {
        assert_eq!(release.file(other), None, "{other}");
    }
}

#[test]
fn one_good_signature_of_several_is_enough() {
    let in_release = sign(&text(NOW, ""), &[&STRANGER, &ARCHIVE], NOW);
    let release = verify(&in_release, &keyring(&[&ARCHIVE])).unwrap();
    assert_eq!(release.signer(), ARCHIVE.fingerprint().to_hex());
}

#[test]
fn all_who_signed_are_told_each_once() {
    let suite = "trixie".parse().unwrap();
    let [archive, stranger] = [&*ARCHIVE, &*STRANGER].map(|cert| cert.fingerprint().to_hex());
    for (signed, known, wanted) in [
        (vec![&*STRANGER, &*ARCHIVE], vec![&*ARCHIVE], vec![&archive]),
        (vec![&*STRANGER, &*ARCHIVE], vec![&*ARCHIVE, &*STRANGER], vec![&archive, &stranger]),
        (vec![&*ARCHIVE, &*ARCHIVE], vec![&*ARCHIVE], vec![&archive]),
        (vec![&*ARCHIVE], vec![&*STRANGER], vec![]),
    ] {
        let in_release = sign(&text(NOW, ""), &signed, NOW);
        let found = Release::signers(&in_release, &keyring(&known), &demand(&suite));
        let mut found = found.unwrap_or_default();
        found.sort_by_key(|key| *key != archive);
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted);
    }
    let changed = replaced(&sign(&text(NOW, ""), &[&ARCHIVE], NOW), "Debian", "Debiam");
    let refused = Release::signers(&changed, &keyring(&[&ARCHIVE]), &demand(&suite));
    assert!(matches!(refused, Err(ReleaseError::BadSignature { .. })));
}

#[test]
fn signed_by_names_those_who_may_sign_next() {
    let [one, two] = ["ab".repeat(20), "cd".repeat(32)];
    let field = format!("Signed-By: {one}!, 12AB,\n {two}\n");
    let in_release = sign(&text(NOW, &field), &[&ARCHIVE], NOW);
    let release = verify(&in_release, &keyring(&[&ARCHIVE])).unwrap();
    assert_eq!(release.successors(), [one, two].map(|key| key.to_ascii_uppercase()));
}

#[test]
fn a_release_is_judged_as_of_the_snapshot() {
    let suite = "trixie".parse().unwrap();
    let in_release = sign(&text(NOW, ""), &[&ARCHIVE], NOW);
    for (now, snapshot, wanted) in [
        (NOW + 900 * DAY, Some(NOW), true),
        (NOW + 900 * DAY, Some(NOW - DAY), false),
        (NOW, Some(NOW + DAY), true),
    ] {
        let demand = Demand { now, snapshot, ..demand(&suite) };
        let verified = Release::verify(&in_release, &keyring(&[&ARCHIVE]), &demand);
        assert_eq!(verified.is_ok(), wanted, "{snapshot:?}");
    }
}

#[test]
fn keyrings_are_binary_or_armored_and_merge() {
    let armored = Keyring::parse(&ARCHIVE.armored().to_vec().unwrap()).unwrap();
    let mut both = keyring(&[&STRANGER, &STRANGER]);
    both.merge(armored.clone());
    both.merge(armored);
    let prints = [&*STRANGER, &*ARCHIVE].map(|cert| cert.fingerprint().to_hex());
    assert_eq!(both.fingerprints(), prints);
    let subkey = ARCHIVE.keys().subkeys().next().unwrap().key().fingerprint().to_hex();
    let only = both.restricted_to(&[format!("{}!", subkey.to_lowercase())]);
    assert_eq!(only.fingerprints(), prints[1..]);
    assert!(both.restricted_to(&[]).is_empty());
}

#[test]
fn what_is_no_keyring_is_refused() {
    for (why, bytes) in
        [("empty", &b""[..]), ("text", b"hello"), ("cut", &STRANGER.to_vec().unwrap()[..40])]
    {
        let error = Keyring::parse(bytes).unwrap_err();
        assert!(!error.hint().is_empty(), "{why}");
    }
}

/// The error's variant.
fn kind(result: Result<Release, ReleaseError>) -> String {
    let error = result.unwrap_err();
    assert!(!error.hint().is_empty() && !error.to_string().is_empty());
    let shown = format!("{error:?}");
    shown.split([' ', '{', '(']).next().unwrap().to_owned()
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from));
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn each_attack_on_the_frame_is_refused_by_name() {
    let good = sign(&text(NOW, ""), &[&ARCHIVE], NOW);
    let end = "-----END PGP SIGNATURE-----\n";
    let begin = "-----BEGIN PGP SIGNED MESSAGE-----\n";
    for (attack, in_release, wanted) in [
        ("plain text", text(NOW, "").into_bytes(), "NotSigned"),
        ("nothing", Vec::new(), "NotSigned"),
        ("text before", [b"Origin: Evil\n", &*good].concat(), "NotSigned"),
        ("text after", [&*good, b"Origin: Evil\n"].concat(), "NotSigned"),
        ("two messages", [&*good, &*good].concat(), "NotSigned"),
        ("cut in the text", good[..100].to_vec(), "NotSigned"),
        ("no end", replaced(&good, end, ""), "NotSigned"),
        ("header", replaced(&good, begin, &format!("{begin}Comment: x\n")), "NotSigned"),
        ("text in the header", replaced(&good, "\n\n", "\nOrigin: Evil\n\n"), "NotSigned"),
        ("bare dash", replaced(&good, "Label", "-Label"), "NotSigned"),
        (
            "no signatures",
            replaced(
                &good,
                "-----BEGIN PGP SIGNATURE-----\n",
                &format!("-----BEGIN PGP SIGNATURE-----\n{end}"),
            ),
            "NotSigned",
        ),
        ("changed text", replaced(&good, "amd64", "riscv"), "BadSignature"),
        ("added line", replaced(&good, "Origin", "Evil: x\nOrigin"), "BadSignature"),
        ("removed line", replaced(&good, "Label: Debian\n", ""), "BadSignature"),
    ] {
        let result = verify(&in_release, &keyring(&[&ARCHIVE]));
        assert_eq!(kind(result), wanted, "{attack}");
    }
    assert_eq!(kind(verify(&vec![b' '; LARGEST + 1], &Keyring::default())), "TooLarge");
}

#[test]
fn white_space_that_mirrors_may_add_does_no_harm() {
    let good = sign(&text(NOW, ""), &[&ARCHIVE], NOW);
    let windows = String::from_utf8(good.clone()).unwrap().replace('\n', "\r\n");
    for in_release in [[&*good, b"\n \n"].concat(), windows.into_bytes()].map(Bytes::from) {
        let release = verify(&in_release, &keyring(&[&ARCHIVE])).unwrap();
        let suite = "trixie".parse().unwrap();
        let again = Release::recall(&in_release, release.verdict(), &demand(&suite)).unwrap();
        assert_eq!(again, Some(release));
    }
}

#[test]
fn a_wrong_key_is_told_with_both_sides() {
    let in_release = sign(&text(NOW, ""), &[&STRANGER], NOW);
    let error = verify(&in_release, &keyring(&[&ARCHIVE])).unwrap_err();
    let ReleaseError::WrongKey { signers, keyring } = &error else { panic!("{error:?}") };
    let signing = STRANGER.keys().subkeys().next().unwrap().key().fingerprint().to_hex();
    assert!(signers.contains(&signing), "{signers:?}");
    assert_eq!(keyring, &[ARCHIVE.fingerprint().to_hex()]);
    assert_eq!(kind(verify(&in_release, &Keyring::default())), "WrongKey");
}

#[test]
fn expired_and_revoked_keys_are_refused_by_name() {
    let expired = certificate(NOW - 30 * DAY, Some(20 * DAY));
    let in_release = sign(&text(NOW - 15 * DAY, ""), &[&expired], NOW - 15 * DAY);
    assert_eq!(kind(verify(&in_release, &keyring(&[&expired]))), "ExpiredKey");

    let revoked = certificate(NOW - 30 * DAY, None);
    let in_release = sign(&text(NOW, ""), &[&revoked], NOW);
    let mut primary =
        revoked.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let revocation = CertRevocationBuilder::new()
        .set_signature_creation_time(system(NOW - DAY))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"old")
        .unwrap()
        .build(&mut primary, &revoked, None)
        .unwrap();
    let older = revoked.clone();
    let revoked = revoked.insert_packets(revocation).unwrap().0;
    assert_eq!(kind(verify(&in_release, &keyring(&[&revoked]))), "RevokedKey");
    let mut both = keyring(&[&older]);
    verify(&in_release, &both).unwrap();
    both.merge(keyring(&[&revoked]));
    assert_eq!(kind(verify(&in_release, &both)), "RevokedKey", "a revocation in one copy");
}

#[test]
fn a_signature_from_the_future_is_refused() {
    let in_release = sign(&text(NOW, ""), &[&ARCHIVE], NOW + DAY);
    let error = verify(&in_release, &keyring(&[&ARCHIVE])).unwrap_err();
    assert!(matches!(error, ReleaseError::SignedLater { .. }), "{error}");
    assert!(error.hint().contains("clock"), "{}", error.hint());
}

#[test]
fn each_wrong_release_is_refused_by_name() {
    let until = |time| format!("Valid-Until: {}\n", written(time));
    let good = text(NOW, "");
    for (wrong, text, wanted) in [
        ("future", text(NOW + HOUR, ""), "Future"),
        ("expired", text(NOW - 9 * DAY, &until(NOW - 1)), "Expired"),
        ("no date", good.replace("Date:", "Dote:"), "Malformed"),
        ("bad date", good.replace("Date: ", "Date: x"), "Malformed"),
        ("bad end", text(NOW, "Valid-Until: tomorrow\n"), "Malformed"),
        ("two paragraphs", good.replace("Label", "\nLabel"), "Malformed"),
        ("twice", text(NOW, "Suite: sid\n"), "Malformed"),
        ("climbing path", good.replace("main/binary", "main/../binary"), "Malformed"),
        ("absolute path", good.replace("main/binary", "/main/binary"), "Malformed"),
        ("short digest", good.replace(DIGEST, &DIGEST[2..]), "Malformed"),
        ("negative size", good.replace("  12 ", " -12 "), "Malformed"),
        ("missing path", good.replace(" main/binary-amd64/Packages.xz", ""), "Malformed"),
        ("only MD5", good.replace("SHA256", "SHA1"), "WeakChecksums"),
        ("suite", good.replace("stable", "sid").replace("trixie", "sid"), "WrongSuite"),
        ("origin", good.replace("Origin: Debian", "Origin: Debian Backports"), "WrongOrigin"),
        ("no origin", good.replace("Origin: Debian\n", ""), "WrongOrigin"),
    ] {
        let in_release = sign(&text, &[&ARCHIVE], NOW);
        let result = verify(&in_release, &keyring(&[&ARCHIVE]));
        assert_eq!(kind(result), wanted, "{wrong}");
    }
}

#[test]
fn clocks_may_differ_by_minutes() {
    let in_release = sign(&text(NOW + 300, ""), &[&ARCHIVE], NOW + 300);
    verify(&in_release, &keyring(&[&ARCHIVE])).unwrap();
}

#[test]
fn an_expired_release_is_taken_on_demand_and_says_so() {
    let more = format!("Valid-Until: {}\n", written(NOW - DAY));
    let in_release = sign(&text(NOW - 9 * DAY, &more), &[&ARCHIVE], NOW - 9 * DAY);
    let suite = "stable".parse().unwrap();
    let demand = Demand { accept_expired: true, ..demand(&suite) };
    let release = Release::verify(&in_release, &keyring(&[&ARCHIVE]), &demand).unwrap();
    assert!(release.accepted_expired());
    assert_eq!(release.valid_until(), Some(NOW - DAY));
}

#[test]
fn sha512_does_where_there_is_no_sha256() {
    let digest = DIGEST.repeat(2);
    let text = text(NOW, "").replace("SHA256", "SHA512").replace(DIGEST, &digest);
    let release = verify(&sign(&text, &[&ARCHIVE], NOW), &keyring(&[&ARCHIVE])).unwrap();
    let file = release.file("main/binary-amd64/Packages.xz").unwrap();
    assert_eq!(file.checksum, Checksum::Sha512(digest.parse().unwrap()));
}

#[test]
fn components_have_the_names_of_their_paths() {
    let security = text(NOW, "").replace("main contrib", "updates/main updates/contrib");
    let release = verify(&sign(&security, &[&ARCHIVE], NOW), &keyring(&[&ARCHIVE])).unwrap();
    assert_eq!(release.components().collect::<Vec<_>>(), ["main", "contrib"]);
    let deep = security.replace("main/binary", "updates/main/binary");
    let release = verify(&sign(&deep, &[&ARCHIVE], NOW), &keyring(&[&ARCHIVE])).unwrap();
    assert_eq!(release.components().collect::<Vec<_>>(), ["updates/main", "contrib"]);
}

#[test]
fn a_suite_answers_to_its_own_names_only() {
    for (asked, suite, codename, wanted) in [
        ("trixie", "stable", "trixie", true),
        ("stable", "stable", "trixie", true),
        ("trixie-security", "stable-security", "trixie-security", true),
        ("stable-security", "stable-security", "trixie-security", true),
        ("trixie", "stable-security", "trixie-security", false),
        ("trixie-updates", "stable", "trixie", false),
        ("buster/updates", "oldstable", "buster", true),
        ("noble-updates", "noble-updates", "noble", true),
        ("noble", "noble", "noble", true),
        ("noble", "noble-proposed", "noble", false),
        ("sid", "unstable", "sid", true),
        ("sid", "", "", false),
    ] {
        assert_eq!(text::answers(asked, suite, codename), wanted, "{asked} of {suite}, {codename}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_release_text_panics(text in "(Date: |SHA256:\n|Suite: |[ a-f0-9/\n:é,-])*") {
        let _ = ReleaseText::parse(&Bytes::from(text));
    }

    #[test]
    fn no_change_to_a_signed_text_goes_through(at in 0_usize..2000, byte: u8) {
        let mut in_release = GOOD.clone();
        let at = at % in_release.len();
        in_release[at] = byte;
        if let Ok(release) = verify(&in_release, &keyring(&[&ARCHIVE])) {
            let good = verify(&GOOD, &keyring(&[&ARCHIVE])).unwrap();
            prop_assert_eq!(release.text, good.text);
        }
    }
}

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| sign(&text(NOW, ""), &[&ARCHIVE], NOW));

#[test]
fn a_verdict_serves_for_the_same_bytes_on_the_same_day() {
    let in_release = Bytes::from(sign(&text(NOW - HOUR, ""), &[&ARCHIVE], NOW - HOUR));
    let other = Bytes::from(sign(&text(NOW - 2 * HOUR, ""), &[&ARCHIVE], NOW - HOUR));
    let release = verify(&in_release, &keyring(&[&ARCHIVE])).unwrap();
    let suite = "trixie".parse().unwrap();
    let snapshot = Demand { snapshot: Some(NOW), ..demand(&suite) };
    for (why, bytes, demand, wanted) in [
        ("at once", &in_release, demand(&suite), true),
        (
            "at the end of the day",
            &in_release,
            Demand { now: NOW + DAY - 1, ..demand(&suite) },
            true,
        ),
        ("a day later", &in_release, Demand { now: NOW + DAY, ..demand(&suite) }, false),
        (
            "a clock that was put back",
            &in_release,
            Demand { now: NOW - 1, ..demand(&suite) },
            false,
        ),
        ("other bytes", &other, demand(&suite), false),
        ("a snapshot", &in_release, snapshot, false),
    ] {
        let again = Release::recall(bytes, release.verdict(), &demand).unwrap();
        assert_eq!(again, wanted.then(|| release.clone()), "{why}");
    }
}

#[test]
fn a_verdict_ends_when_the_key_does_and_dates_are_looked_at_again() {
    let short = certificate(NOW - 30 * DAY, Some(30 * DAY + 2 * HOUR));
    let ends = format!("Valid-Until: {}\n", written(NOW + HOUR));
    let in_release = Bytes::from(sign(&text(NOW - HOUR, &ends), &[&short], NOW - HOUR));
    let release = verify(&in_release, &keyring(&[&short])).unwrap();
    assert_eq!(release.verdict().until, NOW + 2 * HOUR);
    let suite = "trixie".parse().unwrap();
    let recall = |now| {
        let demand = Demand { now, accept_expired: now > NOW + HOUR, ..demand(&suite) };
        Release::recall(&in_release, release.verdict(), &demand)
    };
    assert!(recall(NOW + 2 * HOUR - 1).unwrap().is_some_and(|again| again.accepted_expired()));
    assert_eq!(recall(NOW + 2 * HOUR).unwrap(), None);
    let now = Demand { now: NOW + HOUR + 1, ..demand(&suite) };
    let refused = Release::recall(&in_release, release.verdict(), &now);
    assert!(matches!(refused, Err(ReleaseError::Expired { .. })), "{refused:?}");
    let other = "bookworm".parse().unwrap();
    assert!(Release::recall(&in_release, release.verdict(), &demand(&other)).is_err());
}
