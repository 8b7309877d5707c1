//! Blobs: sent once, gone on with, read with a check.

use crate::stage::{chunked, client, repository, told};
use dmc_image::oci::Descriptor;
use dmc_registry::{Placed, Source};
use dmc_testkit::{FakeRegistry, RegistryFault, RegistryKind};

const TEXT: &[u8] = b"0123456789abcdef";

fn blob() -> Descriptor {
    Descriptor::of("application/octet-stream", TEXT)
}

#[tokio::test]
async fn a_blob_that_is_there_is_not_sent() {
    let (registry, client) = (FakeRegistry::open(), client());
    let repository = repository(&registry, "team/nginx");
    let send = async || client.put_blob(&repository, &blob(), Source::Bytes(TEXT)).await.unwrap();
    assert_eq!(send().await, Placed::Sent);
    assert_eq!(registry.blob(&blob().digest.to_string()).unwrap(), TEXT);
    registry.reset();
    assert_eq!(send().await, Placed::There);
    assert_eq!(registry.log().len(), 1);
    assert_eq!(registry.count("HEAD", "/v2/team/nginx/blobs/sha256:"), 1);
    assert_eq!(client.traffic().sent, 16);
}

#[tokio::test]
async fn a_large_blob_goes_in_chunks_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    std::fs::write(&file, TEXT).unwrap();
    let file = camino::Utf8Path::from_path(&file).unwrap();
    for (least, patches) in [(None, 4), (Some(7), 3), (Some(16), 0)] {
        let kind = RegistryKind { least_chunk: least, ..RegistryKind::default() };
        let registry = FakeRegistry::start(kind);
        let repository = repository(&registry, "nginx");
        let placed = chunked(5).put_blob(&repository, &blob(), Source::File(file)).await.unwrap();
        assert_eq!(placed, Placed::Sent);
        assert_eq!(registry.count("PATCH", ""), patches, "{least:?}");
        assert_eq!(registry.blob(&blob().digest.to_string()).unwrap(), TEXT);
    }
}

#[tokio::test]
async fn an_upload_goes_on_where_the_connection_broke() {
    for (what, method, chunk, resumes, sent) in [
        ("in a chunk", "PATCH", 5, true, 16),
        ("in the only request", "PUT", 100, true, 16),
        ("in a chunk of a registry that forgets", "PATCH", 5, false, 19),
    ] {
        let kind = RegistryKind { resumes, ..RegistryKind::default() };
        let registry = FakeRegistry::start(kind);
        registry.fault(method, "/blobs/uploads/", 1, RegistryFault::Cut(3));
        let repository = repository(&registry, "nginx");
        let placed = chunked(chunk).put_blob(&repository, &blob(), Source::Bytes(TEXT)).await;
        assert_eq!(placed.unwrap(), Placed::Sent, "{what}");
        assert_eq!(registry.blob(&blob().digest.to_string()).unwrap(), TEXT, "{what}");
        assert_eq!(registry.count("GET", "/blobs/uploads/"), 1, "{what}");
        assert_eq!(registry.count("POST", ""), if resumes { 1 } else { 2 }, "{what}");
        let bodies: usize = registry.log().iter().map(|request| request.body).sum();
        assert_eq!(bodies, sent, "{what}");
    }
}

#[tokio::test]
async fn an_upload_that_the_registry_forgot_begins_anew() {
    let registry = FakeRegistry::open();
    registry.fault("PATCH", "/blobs/uploads/", 1, RegistryFault::Forget);
    let repository = repository(&registry, "nginx");
    chunked(5).put_blob(&repository, &blob(), Source::Bytes(TEXT)).await.unwrap();
    assert_eq!(registry.count("POST", "/blobs/uploads/"), 2);
}

#[tokio::test]
async fn headway_renews_the_patience() {
    let registry = FakeRegistry::open();
    // Each try brings three bytes, and there are more such tries than retries.
    registry.fault("PATCH", "/blobs/uploads/", 4, RegistryFault::Cut(3));
    let repository = repository(&registry, "nginx");
    chunked(15).put_blob(&repository, &blob(), Source::Bytes(TEXT)).await.unwrap();
    assert_eq!(registry.blob(&blob().digest.to_string()).unwrap(), TEXT);
}

#[tokio::test]
async fn what_another_repository_has_is_mounted_where_the_registry_does_that() {
    for (mounts, wanted) in [(true, Placed::Mounted), (false, Placed::Sent)] {
        let kind = RegistryKind { mounts, ..RegistryKind::default() };
        let (registry, client) = (FakeRegistry::start(kind), client());
        let (one, two) = (repository(&registry, "one"), repository(&registry, "team/two"));
        client.put_blob(&one, &blob(), Source::Bytes(TEXT)).await.unwrap();
        let placed = client.put_blob(&two, &blob(), Source::Bytes(TEXT)).await.unwrap();
        assert_eq!(placed, wanted);
        assert_eq!(registry.count("POST", "mount=sha256%3A"), 1);
        assert!(client.has_blob(&two, &blob()).await.unwrap());
    }
}

#[tokio::test]
async fn a_blob_is_read_on_where_the_connection_broke() {
    let (registry, client) = (FakeRegistry::open(), client());
    let repository = repository(&registry, "nginx");
    registry.put_blob("nginx", TEXT);
    registry.fault("GET", "/blobs/", 1, RegistryFault::CutAnswer(6));
    assert_eq!(client.blob(&repository, &blob(), 100).await.unwrap(), TEXT);
    assert_eq!(registry.count("GET", "/blobs/"), 2);
}

#[tokio::test]
async fn other_bytes_than_were_asked_for_are_an_error() {
    let (registry, client) = (FakeRegistry::open(), client());
    let repository = repository(&registry, "nginx");
    registry.put_blob("nginx", TEXT);
    registry.fault("GET", "/blobs/", 1, RegistryFault::OtherDigest);
    let error = client.blob(&repository, &blob(), 100).await.unwrap_err();
    assert!(told(&error).contains("its digest is sha256:"), "{}", told(&error));
    let mut shorter = blob();
    shorter.size = 4;
    let error = client.blob(&repository, &shorter, 100).await.unwrap_err();
    assert!(told(&error).contains("more than 4 bytes"), "{}", told(&error));
    let error = client.blob(&repository, &blob(), 4).await.unwrap_err();
    assert!(told(&error).contains("more than 4 bytes"), "{}", told(&error));
    let none = Descriptor::of("x", b"none");
    let error = client.blob(&repository, &none, 100).await.unwrap_err();
    assert!(told(&error).ends_with("it is not there"), "{}", told(&error));
}

#[tokio::test]
async fn a_damaged_file_does_not_become_a_blob() {
    let (registry, client) = (FakeRegistry::open(), client());
    let nginx = repository(&registry, "nginx");
    let error = client.put_blob(&nginx, &blob(), Source::Bytes(b"0123456789abcdeX")).await;
    let error = error.unwrap_err();
    assert!(told(&error).contains("did not receive what was announced: 400 DIGEST_INVALID"));
    assert!(error.hint().unwrap().contains("dmc check"));
    let error = client.put_blob(&nginx, &blob(), Source::Bytes(b"0123")).await.unwrap_err();
    assert!(told(&error).contains("after 4 of 16 bytes"), "{}", told(&error));
    assert_eq!(registry.blob(&blob().digest.to_string()), None);
}
