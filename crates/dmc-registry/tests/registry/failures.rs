//! What is said of a registry that does not do what it is asked.

use crate::stage::{client, options, repository, told};
use dmc_image::oci::{Descriptor, media_type};
use dmc_registry::{Cause, Options, Reference, Registry, Repository, Source, Tag};
use dmc_testkit::{FakeRegistry, RegistryFault, registry_error};
use std::net::TcpListener;

const TEXT: &[u8] = b"0123456789abcdef";

fn latest() -> Reference {
    Reference::Tag("latest".parse::<Tag>().unwrap())
}

#[tokio::test]
async fn each_refusal_says_what_where_and_what_to_do() {
    let blob = Descriptor::of("application/octet-stream", TEXT);
    for (fault, tries, wanted, hint) in [
        (
            registry_error(403, "DENIED", "no rights"),
            1,
            "denies it: 403 DENIED: no rights",
            "rights",
        ),
        (registry_error(403, "DENIED", "quota exceeded"), 1, "a quota is exceeded", "more room"),
        (registry_error(413, "SIZE_INVALID", "x"), 1, "too large for the registry", "proxy"),
        (registry_error(400, "NAME_INVALID", "x"), 1, "refuses the name", "NAMESPACE"),
        (registry_error(404, "NAME_UNKNOWN", "x"), 1, "refuses the name", "NAMESPACE"),
        (registry_error(429, "TOOMANYREQUESTS", "x"), 3, "asks to wait", "wait a little"),
    ] {
        let registry = FakeRegistry::open();
        registry.fault("POST", "/blobs/uploads/", 9, fault);
        let repository = repository(&registry, "nginx");
        let error = client().put_blob(&repository, &blob, Source::Bytes(TEXT)).await.unwrap_err();
        let text = told(&error);
        assert!(text.contains(wanted), "{text}");
        assert!(text.contains(&format!("to {repository}")), "{text}");
        assert!(error.hint().unwrap().contains(hint), "{text}: {:?}", error.hint());
        assert_eq!(registry.count("POST", ""), tries, "{text}");
    }
}

#[tokio::test]
async fn a_manifest_that_is_refused_is_an_error() {
    let registry = FakeRegistry::open();
    let bytes = format!(r#"{{"layers":[{{"digest":"sha256:{}"}}]}}"#, "0".repeat(64));
    let nginx = repository(&registry, "nginx");
    let put = client();
    let put = put.put_manifest(&nginx, &latest(), media_type::MANIFEST, bytes.as_bytes()).await;
    let text = told(&put.unwrap_err());
    assert!(text.contains("refuses the manifest: 404 MANIFEST_BLOB_UNKNOWN"), "{text}");
    assert!(registry.tags("nginx").is_empty());
}

#[tokio::test]
async fn a_registry_that_says_another_digest_is_not_believed() {
    let registry = FakeRegistry::open();
    let nginx = repository(&registry, "nginx");
    registry.fault("PUT", "/manifests/", 1, RegistryFault::OtherDigest);
    let put = client();
    let put = put.put_manifest(&nginx, &latest(), media_type::INDEX, b"{}").await;
    assert!(matches!(*put.unwrap_err().cause, Cause::Digest { .. }));
}

#[tokio::test]
async fn a_registry_that_is_down_is_asked_a_few_times() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nginx: Repository = format!("{free}/nginx").parse().unwrap();
    let error = client().head(&nginx, &latest()).await.unwrap_err();
    let text = told(&error);
    assert!(
        text.starts_with(&format!("cannot look for {free}/nginx:latest (3 attempts)")),
        "{text}"
    );
    assert!(text.contains("no connection comes about"), "{text}");
    assert!(error.hint().unwrap().contains(&format!("a registry runs at {free}")));
}

#[tokio::test]
async fn a_registry_that_asks_for_patience_gets_it_within_reason() {
    let registry = FakeRegistry::open();
    let nginx = repository(&registry, "nginx");
    let busy = |seconds: &str| {
        let after = vec![("Retry-After".to_owned(), seconds.to_owned())];
        RegistryFault::Answer(429, after, String::new())
    };
    registry.fault("HEAD", "", 2, busy("0"));
    assert_eq!(client().head(&nginx, &latest()).await.unwrap(), None);
    registry.reset();
    registry.fault("HEAD", "", 9, busy("86400"));
    let error = client().head(&nginx, &latest()).await.unwrap_err();
    assert!(told(&error).ends_with("answers 429 and asks to wait 86400 s"), "{}", told(&error));
    assert_eq!(registry.log().len(), 1);
}

#[tokio::test]
async fn what_passes_is_waited_for_and_what_does_not_is_told() {
    let registry = FakeRegistry::open();
    let nginx = repository(&registry, "nginx");
    registry.fault("HEAD", "", 2, RegistryFault::Answer(502, Vec::new(), String::new()));
    assert_eq!(client().head(&nginx, &latest()).await.unwrap(), None);
    registry.fault("HEAD", "", 9, RegistryFault::Answer(501, Vec::new(), String::new()));
    let error = client().head(&nginx, &latest()).await.unwrap_err();
    assert_eq!(error.attempts, 1);
    assert_eq!(error.hint(), None);
    // What servers behind TLS say to whoever does without.
    registry.reset();
    registry.fault(
        "HEAD",
        "",
        9,
        RegistryFault::Answer(400, Vec::new(), "sent to https".to_owned()),
    );
    let error = client().head(&nginx, &latest()).await.unwrap_err();
    assert!(error.hint().unwrap().contains("if it wants TLS"));
}

#[tokio::test]
async fn a_run_without_network_asks_nothing() {
    let registry = FakeRegistry::open();
    let client = Registry::new(Options { offline: true, ..options() });
    let error = client.head(&repository(&registry, "nginx"), &latest()).await.unwrap_err();
    assert!(matches!(*error.cause, Cause::Offline));
    assert_eq!(registry.log(), []);
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let registry = FakeRegistry::open();
    let to = vec![("Location".to_owned(), "/v2/nginx/blobs/x".to_owned())];
    registry.fault("GET", "/blobs/", 99, RegistryFault::Answer(302, to, String::new()));
    let blob = Descriptor::of("x", TEXT);
    let error = client().blob(&repository(&registry, "nginx"), &blob, 99).await.unwrap_err();
    assert!(told(&error).contains("a redirect to `"), "{}", told(&error));
    assert_eq!(registry.log().len(), 6);
}
