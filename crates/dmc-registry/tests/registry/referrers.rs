//! What is attached to an image, in registries that list it and in others.

use crate::stage::{client, repository};
use dmc_image::oci::{Annotations, Artifact, Descriptor, Index, media_type};
use dmc_testkit::{FakeRegistry, RegistryFault, RegistryKind};

const DOCUMENT: &[u8] = b"{\"spdxVersion\":\"SPDX-2.3\"}";

fn subject() -> Descriptor {
    Descriptor::of(media_type::INDEX, b"index")
}

fn artifact(kind: &str) -> Artifact {
    let said = Annotations::from([("of".to_owned(), "dmc".to_owned())]);
    Artifact::new(kind, Descriptor::of(kind, DOCUMENT), Some(&subject()), said)
}

fn without_list() -> FakeRegistry {
    FakeRegistry::start(RegistryKind { referrers: false, ..RegistryKind::default() })
}

#[tokio::test]
async fn attached_documents_are_listed_by_kind() {
    for registry in [FakeRegistry::open(), without_list()] {
        let (client, nginx) = (client(), repository(&registry, "nginx"));
        let digest = subject().digest;
        assert_eq!(client.referrers(&nginx, &digest, None).await.unwrap(), []);
        for kind in ["application/spdx+json", "application/vnd.cyclonedx+json"] {
            let attached = client.attach(&nginx, &artifact(kind), DOCUMENT).await.unwrap();
            let found = client.referrers(&nginx, &digest, Some(kind)).await.unwrap();
            assert_eq!(found.iter().map(|one| one.digest).collect::<Vec<_>>(), [attached.digest]);
        }
        assert_eq!(client.referrers(&nginx, &digest, None).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_list_that_dmc_keeps_has_kind_and_annotations_and_the_entries_of_others() {
    let registry = without_list();
    let (client, nginx) = (client(), repository(&registry, "nginx"));
    let tag = format!("sha256-{}", subject().digest);
    let mut theirs = Descriptor::of(media_type::MANIFEST, b"theirs");
    theirs.other.insert("artifactType".to_owned(), "x/y".into());
    let list = Index::new(vec![theirs.clone()], Annotations::new()).to_json();
    registry.put_manifest("nginx", &tag, media_type::INDEX, &list);
    let ours = client.attach(&nginx, &artifact("a/b"), DOCUMENT).await.unwrap();
    // Once more changes nothing.
    client.attach(&nginx, &artifact("a/b"), DOCUMENT).await.unwrap();
    let list = registry.manifest("nginx", &registry.tags("nginx")[&tag]).unwrap();
    let list: Index = serde_json::from_slice(&list).unwrap();
    assert_eq!(list.manifests, [theirs, ours]);
    assert_eq!(list.manifests[1].artifact_type(), Some("a/b"));
    assert_eq!(list.manifests[1].annotations["of"], "dmc");
}

#[tokio::test]
async fn a_list_that_another_writes_at_the_same_time_is_written_again() {
    let registry = without_list();
    let (client, nginx) = (client(), repository(&registry, "nginx"));
    let tag = format!("sha256-{}", subject().digest);
    let theirs = Descriptor::of(media_type::MANIFEST, b"theirs");
    let list = Index::new(vec![theirs.clone()], Annotations::new()).to_json();
    // Their list takes the place of ours once it is written, before it is read again: reads of
    // the tag are, in order, none, then after our writing theirs.
    let race = RegistryFault::Race(tag.clone(), media_type::INDEX.to_owned(), list);
    registry.fault(
        "GET",
        &format!("/manifests/{tag}"),
        1,
        RegistryFault::Answer(404, Vec::new(), String::new()),
    );
    registry.fault("GET", &format!("/manifests/{tag}"), 1, race);
    let ours = client.attach(&nginx, &artifact("a/b"), DOCUMENT).await.unwrap();
    let list = registry.manifest("nginx", &registry.tags("nginx")[&tag]).unwrap();
    let list: Index = serde_json::from_slice(&list).unwrap();
    assert_eq!(list.manifests, [theirs, ours]);
}

#[tokio::test]
async fn others_that_never_stop_writing_are_an_error() {
    let registry = without_list();
    let (client, nginx) = (client(), repository(&registry, "nginx"));
    let tag = format!("sha256-{}", subject().digest);
    let list = Index::new(Vec::new(), Annotations::new()).to_json();
    let race = RegistryFault::Race(tag.clone(), media_type::INDEX.to_owned(), list);
    registry.fault("GET", &format!("/manifests/{tag}"), 99, race);
    let error = client.attach(&nginx, &artifact("a/b"), DOCUMENT).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot attach sha256:"), "{error}");
    assert!(error.hint().unwrap().contains("nobody else"));
}
