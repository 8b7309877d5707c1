use super::*;

// Made by `openssl req -x509`; the hashes are those of `openssl x509 -hash`.

/// `/C=DE/O=Ex  Ample /CN=Test  ROOT`: ae1c6a0e.
const SPACED: &str = "\
-----BEGIN CERTIFICATE-----
MIIBxDCCAWugAwIBAgIUVBY+mZ/Nr/WF+gtU5yyK1ScmB4owCgYIKoZIzj0EAwIw
NzELMAkGA1UEBhMCREUxEzARBgNVBAoMCkV4ICBBbXBsZSAxEzARBgNVBAMMClRl
c3QgIFJPT1QwIBcNMjYxMTIxMTQ0NzE3WhgPMjEyNjEwMjgxNDQ3MTdaMDcxCzAJ
BgNVBAYTAkRFMRMwEQYDVQQKDApFeCAgQW1wbGUgMRMwEQYDVQQDDApUZXN0ICBS
T09UMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsEJX92rXlNBTBHiulLFQSsQV
6dfFK3cBK9+gK04JGZVhOhb/AtVzRi7Z3p1kI3b2fXEdX/Nn+KO30yD26JdaP6NT
MFEwHQYDVR0OBBYEFGDK/2ArUIkpLsZWpZLxiG1DW+emMB8GA1UdIwQYMBaAFGDK
/2ArUIkpLsZWpZLxiG1DW+emMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
RwAwRAIgbf0r+8W26GHVKduSBQ+9mdQjsTma5duiPip++HubgYQCIAaOWOQx6b7a
wl4BP8seA+XilXRjyRprhXEK0fD6poD2
-----END CERTIFICATE-----
";
/// `/C=DE/O=ex ample/CN=test root`: the same subject to OpenSSL.
const PLAIN: &str = "\
-----BEGIN CERTIFICATE-----
MIIBwDCCAWWgAwIBAgIUANP+gdVqRKWUPpOJM/EjoP41MUEwCgYIKoZIzj0EAwIw
NDELMAkGA1UEBhMCREUxETAPBgNVBAoMCGV4IGFtcGxlMRIwEAYDVQQDDAl0ZXN0
IHJvb3QwIBcNMjYxMTIxMTQ0NzE3WhgPMjEyNjEwMjgxNDQ3MTdaMDQxCzAJBgNV
BAYTAkRFMREwDwYDVQQKDAhleCBhbXBsZTESMBAGA1UEAwwJdGVzdCByb290MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+j2Fvc0Ugg1vXJESHDAIKAn5trH4RZBJ
tIx9STiNQkSwUQSGvBuKaYwO+TWLSa0YW/hdc9Sj7hUHmUcr1rBmzKNTMFEwHQYD
VR0OBBYEFIjC+9Own4NQbL/+qmOmQ1rkjoT9MB8GA1UdIwQYMBaAFIjC+9Own4NQ
bL/+qmOmQ1rkjoT9MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIh
AIxk6xHAwPfc3XgO2GnrA+DpyTT1jKBRN/BBlozqYswTAiEAoSg1Zg8yJGZp28vx
b0UJSAEMXi8YcYVgB0oS2vKjd94=
-----END CERTIFICATE-----
";
/// `/C=HU/O=Főtanúsítvány ÄÖ+CN=Multi`: ff257125.
const MULTI: &str = "\
-----BEGIN CERTIFICATE-----
MIIB0DCCAXWgAwIBAgIUWSRGroQCqnTijm6/solyMM50reowCgYIKoZIzj0EAwIw
PDELMAkGA1UEBhMCSFUxLTAMBgNVBAMMBU11bHRpMB0GA1UECgwWRsWRdGFuw7pz
w610dsOhbnkgw4TDljAgFw0yNjExMjExNDQ3MTdaGA8yMTI2MTAyODE0NDcxN1ow
PDELMAkGA1UEBhMCSFUxLTAMBgNVBAMMBU11bHRpMB0GA1UECgwWRsWRdGFuw7pz
w610dsOhbnkgw4TDljBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGdLQP2BaTdT
mXIb26idj4TKWcExysteD4TIseyCfrIycglzn6bavOTRvVEUJpN/lNjaZQAyivB2
BPJd9G+Z8cGjUzBRMB0GA1UdDgQWBBT/J9j0zzjXuexOQlHGtmE3sTUoFTAfBgNV
HSMEGDAWgBT/J9j0zzjXuexOQlHGtmE3sTUoFTAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0kAMEYCIQCY9ek8Nhs/hxc/bWk3YEaQR4fp7yrkYB4x1V62N7Ap
1AIhAJsstW7gMtw0eqDmSos4SURd/gYimkC7SnRz1XcPo6PA
-----END CERTIFICATE-----
";

fn path(text: &str) -> ImagePath {
    ImagePath::parse(text).unwrap()
}

fn store(files: &[(&str, &str)]) -> Result<TrustStore, CertificateError> {
    let files = files.iter().map(|(name, text)| (path(name), text.as_bytes().to_vec()));
    trust_store(&files.collect())
}

fn links(store: &TrustStore) -> Vec<String> {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    store.links.iter().map(|(name, to)| format!("{} {}", shown(name), shown(to))).collect()
}

#[test]
fn the_sites_own_follow_those_of_packages() {
    let made = store(&[
        ("/usr/local/share/ca-certificates/A B(1).crt", PLAIN.trim_end()),
        ("/usr/share/ca-certificates/mozilla/z.crt", SPACED),
        ("/usr/share/ca-certificates/mozilla/Ő.crt", MULTI),
    ])
    .unwrap();
    assert_eq!(made.bundle, format!("{SPACED}{MULTI}{PLAIN}").into_bytes());
    assert_eq!(
        links(&made),
        [
            "A_B=1=.pem /usr/local/share/ca-certificates/A B(1).crt",
            "ae1c6a0e.0 A_B=1=.pem",
            "ae1c6a0e.1 z.pem",
            "ff257125.0 Ő.pem",
            "z.pem /usr/share/ca-certificates/mozilla/z.crt",
            "Ő.pem /usr/share/ca-certificates/mozilla/Ő.crt",
        ]
    );
}

#[test]
fn a_certificate_twice_has_one_hash_link_and_a_chain_none() {
    let chain = format!("{PLAIN}{MULTI}");
    let made = store(&[
        ("/usr/share/ca-certificates/a.crt", PLAIN),
        ("/usr/share/ca-certificates/b.crt", PLAIN),
        ("/usr/share/ca-certificates/chain.crt", &chain),
    ])
    .unwrap();
    let hashes: Vec<String> = links(&made).into_iter().filter(|link| !link.contains('/')).collect();
    assert_eq!(hashes, ["ae1c6a0e.0 a.pem"]);
}

#[test]
fn what_is_no_certificate_is_named() {
    let cut = PLAIN.replace("-----END CERTIFICATE-----", "");
    let key = PLAIN.replace("CERTIFICATE", "PRIVATE KEY");
    let broken = PLAIN.replacen("MII", "MIJ", 1);
    let signs = PLAIN.replacen("MII", "M!I", 1);
    let long = "x".repeat(LONGEST_CERTIFICATE + 1);
    for (why, text, said) in [
        ("empty", "", "no line"),
        ("a key", &*key, "no line"),
        ("cut", &cut, "is missing"),
        ("not base64", &signs, "nvalid"),
        ("not DER", &broken, "holds no certificate"),
        ("empty body", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "holds no"),
        ("too long", &long, "1 MiB"),
    ] {
        let error = store(&[("/usr/local/share/ca-certificates/x.crt", text)]).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains("ca-certificates/x.crt") && shown.contains(said), "{why}: {shown}");
    }
}

#[test]
fn certificates_lie_in_two_folders() {
    for (there, text) in [
        (true, "/usr/share/ca-certificates/mozilla/a.crt"),
        (true, "/usr/local/share/ca-certificates/a.crt"),
        (false, "/usr/share/ca-certificates/a.pem"),
        (false, "/etc/ssl/a.crt"),
    ] {
        assert_eq!(is_certificate(&path(text)), there, "{text}");
    }
}
