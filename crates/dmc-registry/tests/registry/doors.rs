//! To whom credentials are told, and what becomes of those that are wrong.

use crate::stage::{client, credentials, known, options, repository, told, user_of, with_host};
use dmc_image::oci::Descriptor;
use dmc_registry::{HostOptions, Options, Reference, Registry, Source, Tag};
use dmc_testkit::{AUTHORITY, Door, FakeRegistry, RegistryFault, RegistryKind, TlsFront};

const TEXT: &[u8] = b"0123456789abcdef";

fn door(door: Door) -> FakeRegistry {
    FakeRegistry::start(RegistryKind { door, ..RegistryKind::default() })
}

fn basic() -> Door {
    Door::Basic("user".to_owned(), "word".to_owned())
}

fn token(uses: usize) -> Door {
    Door::Token("user".to_owned(), "word".to_owned(), uses)
}

fn latest() -> Reference {
    Reference::Tag("latest".parse::<Tag>().unwrap())
}

async fn send(client: &Registry, registry: &FakeRegistry) -> Result<(), String> {
    let blob = Descriptor::of("application/octet-stream", TEXT);
    let repository = repository(registry, "nginx");
    let sent = client.put_blob(&repository, &blob, Source::Bytes(TEXT)).await;
    sent.map(drop).map_err(|error| format!("{}\n{}", told(&error), error.hint().unwrap()))
}

#[tokio::test]
async fn a_password_is_told_to_the_registry_that_asks_for_it() {
    let registry = door(basic());
    let (client, _folder) = known(&user_of(&registry.host()));
    send(&client, &registry).await.unwrap();
    let told: Vec<_> = registry.log().into_iter().map(|request| request.authorization).collect();
    assert_eq!(told[0], None, "nothing is told before it is asked for");
    assert!(told[1..].iter().all(|said| said.as_deref() == Some("Basic dXNlcjp3b3Jk")));
    assert_eq!(told.len(), 4, "the registry asks once");
}

#[tokio::test]
async fn a_wrong_password_and_none_are_told_apart() {
    for door_kind in [basic(), token(9)] {
        let registry = door(door_kind);
        let wrong = user_of(&registry.host()).replace("dXNlcjp3b3Jk", "dXNlcjp3cm9uZw==");
        let (client, _folder) = known(&wrong);
        let error = send(&client, &registry).await.unwrap_err();
        assert!(error.contains("does not accept the credentials of `"), "{error}");
        assert!(error.contains("auth.json`: 401"), "{error}");
        assert!(!error.contains("wrong\n") && !error.contains("dXNl"), "{error}");
        let error = send(&self::client(), &registry).await.unwrap_err();
        assert!(error.contains("there are none for 127.0.0.1"), "{error}");
        assert!(error.contains("podman login 127.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn one_token_serves_many_requests_and_is_renewed_when_it_ends() {
    let registry = door(token(100));
    let (client, _folder) = known(&user_of(&registry.host()));
    send(&client, &registry).await.unwrap();
    // Looking needs one for reading, sending one for writing.
    assert_eq!(registry.count("GET", "/token"), 2);
    assert_eq!(registry.count("GET", "scope=repository%3Anginx%3Apull%2Cpush"), 1);
    let registry = door(token(1));
    let (client, _folder) = known(&user_of(&registry.host()));
    for _ in 0..3 {
        client.head(&repository(&registry, "nginx"), &latest()).await.unwrap();
    }
    assert_eq!(registry.count("GET", "/token"), 3, "each was good for one request");
}

#[tokio::test]
async fn an_identity_token_is_exchanged() {
    let registry = door(token(100));
    let host = registry.host();
    let auth = format!(r#"{{"auths": {{"{host}": {{"identitytoken": "word"}}}}}}"#);
    let (client, _folder) = known(&auth);
    send(&client, &registry).await.unwrap();
    assert_eq!(registry.count("POST", "/token"), 2);
    assert!(registry.log().iter().all(|request| !request.target.contains("word")));
}

#[tokio::test]
async fn a_password_does_not_go_to_a_token_service_without_tls_on_another_host() {
    let (registry, other) = (door(token(9)), door(token(9)));
    let realm = format!("http://localhost:{}/token", other.address().port());
    registry.set_realm(&realm);
    let (client, _folder) = known(&user_of(&registry.host()));
    let error = send(&client, &registry).await.unwrap_err();
    assert!(error.contains("neither https nor the same host"), "{error}");
    assert_eq!(other.log(), []);
}

#[tokio::test]
async fn a_password_does_not_follow_redirects_or_uploads_elsewhere() {
    let (registry, other) = (door(basic()), FakeRegistry::open());
    let (client, _folder) = known(&user_of(&registry.host()));
    let blob = Descriptor::of("application/octet-stream", TEXT);
    other.put_blob("nginx", TEXT);
    let host = other.host();
    let to = format!("http://{host}/v2/nginx/blobs/sha256:{}", blob.digest);
    let location = |to: String| vec![("Location".to_owned(), to)];
    // Asked without a password first, which is not to use up the redirect.
    client.head(&repository(&registry, "nginx"), &latest()).await.unwrap();
    registry.fault("GET", "/blobs/", 1, RegistryFault::Answer(307, location(to), String::new()));
    assert_eq!(client.blob(&repository(&registry, "nginx"), &blob, 99).await.unwrap(), TEXT);
    let to = format!("http://{host}/v2/nginx/blobs/uploads/1");
    registry.fault("POST", "/blobs/", 9, RegistryFault::Answer(202, location(to), String::new()));
    drop(send(&client, &registry).await);
    assert!(other.count("PUT", "/uploads/") > 0);
    assert!(other.log().iter().all(|request| request.authorization.is_none()));
}

#[tokio::test]
async fn tls_is_by_the_authority_that_is_named() {
    let registry = FakeRegistry::open();
    registry.put_manifest("nginx", "latest", "application/vnd.oci.image.index.v1+json", b"{}");
    let front = TlsFront::start(registry.address());
    let host = front.address().to_string();
    let folder = tempfile::tempdir().unwrap();
    let ca = camino::Utf8PathBuf::from_path_buf(folder.path().join("ca.pem")).unwrap();
    std::fs::write(&ca, AUTHORITY).unwrap();
    let named = format!("{host}/nginx").parse().unwrap();
    let ask = async |ca: Option<&camino::Utf8PathBuf>, plain_http| {
        let said = HostOptions { ca: ca.cloned(), plain_http };
        let client = Registry::new(with_host(&host, said));
        let found = client.head(&named, &latest()).await;
        found.map_err(|error| format!("{}\n{}", told(&error), error.hint().unwrap()))
    };
    assert!(ask(Some(&ca), None).await.unwrap().is_some());
    let error = ask(None, Some(false)).await.unwrap_err();
    assert!(error.contains("the registry's certificate is not accepted"), "{error}");
    assert!(error.contains("ca = \"FILE\""), "{error}");
    std::fs::write(&ca, "no certificate").unwrap();
    let error = ask(Some(&ca), None).await.unwrap_err();
    assert!(error.contains("the certificates of `"), "{error}");
    // What is spoken is never changed because it does not work.
    let seen = registry.log().len();
    let error = ask(None, None).await.unwrap_err();
    assert!(error.contains("the connection failed") || error.contains("no conn"), "{error}");
    assert_eq!(registry.log().len(), seen);
}

#[tokio::test]
async fn a_registry_without_tls_is_not_taken_for_one_with() {
    let registry = FakeRegistry::open();
    let said = HostOptions { ca: None, plain_http: Some(false) };
    let client = Registry::new(with_host(&registry.host(), said));
    let error = client.head(&repository(&registry, "nginx"), &latest()).await.unwrap_err();
    assert!(told(&error).contains("does not speak TLS"), "{}", told(&error));
    assert!(error.hint().unwrap().contains("plain_http = true"));
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_an_error() {
    let registry = door(basic());
    let (credentials, _folder) = credentials("{");
    let client = Registry::new(Options { credentials, ..options() });
    let error = send(&client, &registry).await.unwrap_err();
    assert!(error.contains("cannot be read as credentials"), "{error}");
    assert!(error.contains("log in again"), "{error}");
}
