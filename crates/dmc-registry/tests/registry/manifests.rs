//! Manifests and tags.

use crate::stage::{client, repository};
use dmc_image::oci::{Descriptor, media_type};
use dmc_registry::{Cause, Reference, Tag};
use dmc_testkit::{FakeRegistry, RegistryFault, RegistryKind};

const BYTES: &[u8] = br#"{ "schemaVersion" : 2,  "manifests" : [] }"#;

fn tag(text: &str) -> Reference {
    Reference::Tag(text.parse::<Tag>().unwrap())
}

#[tokio::test]
async fn a_manifest_comes_and_goes_as_the_bytes_that_it_is() {
    let (registry, client) = (FakeRegistry::open(), client());
    let nginx = repository(&registry, "nginx");
    let wanted = Descriptor::of(media_type::INDEX, BYTES);
    let digest = Reference::Digest(wanted.digest);
    for reference in [&digest, &tag("1.26.3")] {
        assert_eq!(client.manifest(&nginx, reference).await.unwrap(), None);
        assert_eq!(client.head(&nginx, reference).await.unwrap(), None);
        let put = client.put_manifest(&nginx, reference, media_type::INDEX, BYTES).await.unwrap();
        assert_eq!(put, wanted);
        let found = client.manifest(&nginx, reference).await.unwrap();
        assert_eq!(found, Some((wanted.clone(), BYTES.to_vec())));
        assert_eq!(client.head(&nginx, reference).await.unwrap(), Some(wanted.clone()));
    }
    assert_eq!(registry.manifest("nginx", &wanted.digest.to_string()).unwrap(), BYTES);
}

#[tokio::test]
async fn other_bytes_than_the_digest_says_are_an_error() {
    let (registry, client) = (FakeRegistry::open(), client());
    let nginx = repository(&registry, "nginx");
    registry.put_manifest("nginx", "latest", media_type::INDEX, BYTES);
    let digest = Reference::Digest(Descriptor::of(media_type::INDEX, BYTES).digest);
    for method in ["GET", "HEAD"] {
        registry.fault(method, "/manifests/", 1, RegistryFault::OtherDigest);
    }
    let error = client.manifest(&nginx, &digest).await.unwrap_err();
    assert!(matches!(*error.cause, Cause::Digest { .. }));
    let error = client.head(&nginx, &digest).await.unwrap_err();
    assert!(matches!(*error.cause, Cause::Digest { .. }));
}

#[tokio::test]
async fn tags_come_in_pages() {
    let registry = FakeRegistry::start(RegistryKind { page: 2, ..RegistryKind::default() });
    let nginx = repository(&registry, "nginx");
    assert_eq!(client().tags(&nginx).await.unwrap(), []);
    for name in ["1", "1.26", "1.26.3", "latest", "live"] {
        registry.put_manifest("nginx", name, media_type::INDEX, BYTES);
    }
    let tags = client().tags(&nginx).await.unwrap();
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    assert_eq!(tags, ["1", "1.26", "1.26.3", "latest", "live"]);
    assert_eq!(registry.count("GET", "/tags/list"), 4);
}

#[tokio::test]
async fn a_manifest_whose_connection_broke_is_read_again() {
    let (registry, client) = (FakeRegistry::open(), client());
    let nginx = repository(&registry, "nginx");
    registry.put_manifest("nginx", "latest", media_type::INDEX, BYTES);
    registry.fault("GET", "/manifests/", 2, RegistryFault::CutAnswer(3));
    let (_, bytes) = client.manifest(&nginx, &tag("latest")).await.unwrap().unwrap();
    assert_eq!(bytes, BYTES);
}
