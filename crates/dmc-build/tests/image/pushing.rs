//! Images in a registry: what is sent, in which order, and what is not.

use crate::stage::{Run, Stage, act};
use dmc_build::{Activity, Settings};
use dmc_image::Layout;
use dmc_image::layout::Document;
use dmc_image::oci::{Descriptor, Index};
use dmc_testkit::{FakeRegistry, RegistryFault, RegistryKind, registry_error};

fn to(stage: &Stage, registry: &FakeRegistry) -> Settings {
    let mut settings = stage.settings();
    settings.conf.host = Some(format!("{}/team", registry.host()));
    settings.conf.retries = 0;
    settings
}

fn push(stage: &Stage, registry: &FakeRegistry) -> Run {
    act(Activity::Push, to(stage, registry), &["nginx"])
}

/// The digest of a manifest, blob or tag at the end of a request's path.
fn last(target: &str) -> String {
    let path = target.split('?').next().unwrap();
    path.rsplit(['/', ':']).next().unwrap().to_owned()
}

#[test]
fn an_image_arrives_as_the_bytes_that_were_hashed_and_nothing_is_sent_twice() {
    let (stage, registry) = (Stage::new(), FakeRegistry::open());
    let index = stage.build().good().indices["nginx"].index.clone();
    push(&stage, &registry).good();
    let layout = Layout::open(stage.path("out")).unwrap();
    let digest = index.digest.to_string();
    let bytes = layout.read_blob(&index).unwrap();
    assert_eq!(registry.manifest("team/nginx", &digest).unwrap(), bytes);
    let document: Index = serde_json::from_slice(&bytes).unwrap();
    for manifest in &document.manifests {
        let there = registry.manifest("team/nginx", &manifest.digest.to_string()).unwrap();
        assert_eq!(there, layout.read_blob(manifest).unwrap());
    }
    let tags = registry.tags("team/nginx");
    assert!(["1.26.3", "1.26", "1", "latest"].iter().all(|tag| tags[*tag] == digest), "{tags:?}");

    registry.reset();
    push(&stage, &registry).good();
    let log = registry.log();
    assert!(log.iter().all(|r| ["GET", "HEAD"].contains(&r.method.as_str())), "{log:#?}");
}

#[test]
fn nothing_is_named_before_it_is_there_and_tags_come_last() {
    let (stage, registry) = (Stage::new(), FakeRegistry::open());
    let index = stage.build().good().indices["nginx"].index.clone();
    attach(&stage, &index);
    push(&stage, &registry).good();
    let log = registry.log();
    let sent = |part: &str| {
        let sent = log.iter().enumerate();
        let sent = sent.filter(|(_, r)| r.method == "PUT" && r.target.contains(part));
        sent.map(|(at, r)| (at, last(&r.target))).collect::<Vec<_>>()
    };
    let (puts, at) = (sent("/manifests/"), |digest: &str| {
        sent("/manifests/").iter().find(|(_, name)| name == digest).unwrap().0
    });
    let blobs: Vec<_> = sent("/blobs/").into_iter().map(|(at, _)| at).collect();
    let layout = Layout::open(stage.path("out")).unwrap();
    let document: Index = layout.read_document(&index).unwrap();
    let manifests: Vec<_> = document.manifests.iter().map(|m| at(&m.digest.to_string())).collect();
    let index = at(&index.digest.to_string());
    // Configuration and layer of each architecture; then the document and what says nothing.
    assert!(blobs[..4].iter().all(|blob| manifests.iter().all(|manifest| blob < manifest)));
    assert!(manifests.iter().all(|manifest| *manifest < index));
    let tags: Vec<usize> =
        puts.iter().filter(|(_, name)| name.len() != 64).map(|(at, _)| *at).collect();
    let others: Vec<usize> =
        puts.iter().filter(|(_, name)| name.len() == 64).map(|(at, _)| *at).collect();
    assert!(tags.len() >= 4 && tags.iter().min() > others.iter().max(), "{log:#?}");
}

/// Attaches a document to an index of the layout.
fn attach(stage: &Stage, index: &Descriptor) -> Descriptor {
    let document = Document {
        artifact_type: "application/spdx+json".to_owned(),
        media_type: "application/spdx+json".to_owned(),
        bytes: b"{}".to_vec(),
        annotations: [].into(),
    };
    let layout = Layout::open(stage.path("out")).unwrap();
    layout.attach(index, &[document]).unwrap().remove(0)
}

#[test]
fn documents_go_with_their_image_into_every_kind_of_registry() {
    for referrers in [true, false] {
        let registry = FakeRegistry::start(RegistryKind { referrers, ..RegistryKind::default() });
        let stage = Stage::new();
        let index = stage.build().good().indices["nginx"].index.clone();
        let artifact = attach(&stage, &index);
        push(&stage, &registry).good();
        let there = registry.manifest("team/nginx", &artifact.digest.to_string());
        assert!(there.is_some(), "{referrers}");
        let list = registry.tags("team/nginx").get(&format!("sha256-{}", index.digest)).cloned();
        assert_eq!(list.is_some(), !referrers);
        if let Some(list) = list {
            let list = registry.manifest("team/nginx", &list).unwrap();
            let list: Index = serde_json::from_slice(&list).unwrap();
            assert!(list.manifests.contains(&artifact));
        }
        registry.reset();
        push(&stage, &registry).good();
        assert_eq!(registry.count("PUT", ""), 0, "{referrers}");
    }
}

#[test]
fn a_push_that_fails_leaves_no_tag_behind() {
    let stage = Stage::new();
    stage.build().good();
    for (method, target, fault, wanted) in [
        ("POST", "/blobs/", registry_error(403, "DENIED", "no"), "cannot push blob sha256:"),
        ("PUT", "/blobs/", RegistryFault::Cut(3), "the connection failed"),
        (
            "PUT",
            "/manifests/sha256:",
            registry_error(400, "MANIFEST_INVALID", "no"),
            "refuses the manifest",
        ),
        ("PUT", "/manifests/sha256:", RegistryFault::OtherDigest, "its digest is sha256:"),
    ] {
        let registry = FakeRegistry::open();
        registry.fault(method, target, 99, fault);
        let run = push(&stage, &registry);
        let text = run.failures.join("\n");
        assert!(text.starts_with("push nginx: ") && text.contains(wanted), "{text}");
        assert_eq!(registry.tags("team/nginx"), [].into(), "{text}");
        // What arrived serves the next push.
        registry.reset();
        push(&stage, &registry).good();
        assert!(registry.tags("team/nginx").contains_key("latest"));
    }
}

#[test]
fn a_push_without_registry_or_image_says_what_to_do() {
    let (stage, registry) = (Stage::new(), FakeRegistry::open());
    push(&stage, &registry)
        .said("no image", &["there is no image of template nginx", "dmc -t nginx"]);
    stage.build().good();
    act(Activity::Push, stage.settings(), &["nginx"])
        .said("no host", &["no registry is named", "-H"]);
    let mut odd = stage.settings();
    odd.conf.host = Some("registry/team".to_owned());
    act(Activity::Push, odd, &["nginx"])
        .said("a word", &["`registry` is not a registry", "registry.example"]);
    let odd = stage.settings_with("[registry.\"http://x\"]\nplain_http = true\n", &[]);
    act(Activity::Push, odd, &["nginx"]).said("a table", &["[registry.\"http://x\"]", "hint"]);
    assert_eq!(registry.log(), []);
}
