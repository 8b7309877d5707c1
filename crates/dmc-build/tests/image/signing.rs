//! What is pushed is signed once by each key, and only what trusted keys signed is believed.

use crate::stage::{Password, Run, Stage, act};
use camino::Utf8PathBuf;
use dmc_build::{Activity, Settings, keygen};
use dmc_image::Layout;
use dmc_image::layout::Document;
use dmc_image::oci::{Descriptor, Index};
use dmc_testkit::{FakeRegistry, RegistryFault, RegistryKind, registry_error};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A stage with nginx in its layout, the keys `one` and `two`, and a registry.
struct Scene {
    stage: Stage,
    registry: FakeRegistry,
    index: Descriptor,
}

impl Scene {
    fn set(kind: RegistryKind) -> Self {
        let stage = Stage::new();
        let index = stage.build().good().indices["nginx"].index.clone();
        for name in ["one", "two"] {
            keygen(&stage.path(&format!("{name}.key")), &Password("pw")).unwrap();
        }
        Self { stage, registry: FakeRegistry::start(kind), index }
    }

    fn open() -> Self {
        Self::set(RegistryKind::default())
    }

    fn settings(&self, key: Option<&str>, trusted: &[&str]) -> Settings {
        let mut settings = self.stage.settings();
        settings.conf.host = Some(format!("{}/team", self.registry.host()));
        settings.conf.retries = 0;
        let path = |name: &str| self.stage.path(name).to_string();
        settings.conf.signing.key = key.map(|key| path(&format!("{key}.key")));
        settings.conf.signing.trusted =
            trusted.iter().map(|key| path(&format!("{key}.pub"))).collect();
        settings
    }

    fn push(&self, key: &str) -> Run {
        act(Activity::Push, self.settings(Some(key), &[]), &["nginx"])
    }

    fn verify(&self, trusted: &[&str]) -> Run {
        act(Activity::Signatures, self.settings(None, trusted), &["nginx"])
    }

    fn layout(&self) -> Layout {
        Layout::open(self.stage.path("out")).unwrap()
    }

    /// Index and manifests.
    fn subjects(&self) -> Vec<Descriptor> {
        let mut all = self.layout().read_document::<Index>(&self.index).unwrap().manifests;
        all.push(self.index.clone());
        all
    }

    /// What the tag with the signatures of an image names.
    fn tagged(&self, image: &Descriptor) -> Option<Value> {
        let tags = self.registry.tags("team/nginx");
        let digest = tags.get(&format!("sha256-{}.sig", image.digest))?;
        let bytes = self.registry.manifest("team/nginx", digest).unwrap();
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    fn signatures(&self, image: &Descriptor) -> usize {
        self.tagged(image).map_or(0, |tagged| tagged["layers"].as_array().unwrap().len())
    }

    /// The statements that are attached to an image, unverified.
    fn statements(&self, image: &Descriptor) -> Vec<Value> {
        let manifests = self.registry.manifests("team/nginx").into_iter();
        let parsed = manifests.map(|digest| {
            let bytes = self.registry.manifest("team/nginx", &digest).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()
        });
        let about = format!("sha256:{}", image.digest);
        let bundles = parsed.filter(|one| {
            one["subject"]["digest"] == about.as_str()
                && one["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
        });
        bundles.map(|one| self.statement(&one)).collect()
    }

    /// Those of them that are signatures.
    fn signed(&self, image: &Descriptor) -> Vec<Value> {
        let mut said = self.statements(image);
        said.retain(|one| one["predicateType"] == "https://sigstore.dev/cosign/sign/v1");
        said
    }

    fn statement(&self, artifact: &Value) -> Value {
        let digest = artifact["layers"][0]["digest"].as_str().unwrap();
        let bundle = self.registry.blob(digest.strip_prefix("sha256:").unwrap()).unwrap();
        let bundle: Value = serde_json::from_slice(&bundle).unwrap();
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        serde_json::from_slice(&decoded(payload)).unwrap()
    }
}

/// Base64, of which this crate needs no more.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits = text.bytes().filter(|c| *c != b'=');
    let (mut bits, mut has, mut out) = (0_u32, 0, Vec::new());
    for c in digits {
        bits = bits << 6 | u32::from(digit(c));
        has += 6;
        if has >= 8 {
            has -= 8;
            out.push((bits >> has & 255) as u8);
        }
    }
    out
}

#[test]
fn every_manifest_is_signed_in_both_forms_and_once_by_each_key() {
    for referrers in [true, false] {
        let scene = Scene::set(RegistryKind { referrers, ..RegistryKind::default() });
        scene.push("one").good();
        scene.verify(&["one"]).good();
        for subject in scene.subjects() {
            assert_eq!(scene.signatures(&subject), 1);
            let said = scene.signed(&subject);
            let name = format!("{}/team/nginx", scene.registry.host());
            assert_eq!(said.len(), 1, "{said:#?}");
            assert_eq!(said[0]["subject"][0]["annotations"]["repository"], name.as_str());
        }
        // What is there is not repeated, and no password is asked for.
        scene.registry.reset();
        let mut settings = scene.settings(Some("one"), &[]);
        settings.passwords = Arc::new(Password("wrong"));
        act(Activity::Push, settings, &["nginx"]).good();
        assert_eq!(scene.registry.count("PUT", ""), 0, "{referrers}");
        // Another key signs besides.
        scene.push("two").good();
        for subject in scene.subjects() {
            assert_eq!((scene.signatures(&subject), scene.signed(&subject).len()), (2, 2));
        }
        for trusted in [&["one"][..], &["two"], &["two", "one"]] {
            scene.verify(trusted).good();
        }
    }
}

#[test]
fn what_no_trusted_key_signed_is_refused_by_name() {
    let scene = Scene::open();
    scene.verify(&["one"]).said("nothing there", &["has none of the tags latest and live"]);
    act(Activity::Push, scene.settings(None, &[]), &["nginx"]).good();
    let index = scene.index.digest.to_string();
    scene.verify(&["one"]).said("unsigned", &[&index, "is not signed by a trusted key"]);
    scene.push("two").good();
    scene.verify(&["one"]).said("another key", &["none of the 1 trusted keys has signed it"]);
    scene.verify(&["two"]).good();
    scene.verify(&[]).said("no key is trusted", &["no signature counts", "[signing]"]);
    // One that is damaged does not stand in the way of the other form.
    scene.registry.fault("GET", "/blobs/", 2, registry_error(404, "BLOB_UNKNOWN", "gone"));
    scene.verify(&["two"]).good();
    // A manifest whose signatures are taken away fails the whole image.
    let manifest = scene.subjects().remove(0);
    scene.registry.move_tag("team/nginx", &format!("sha256-{}.sig", manifest.digest), None);
    scene.verify(&["two"]).good();
    let scene = Scene::set(RegistryKind { referrers: false, ..RegistryKind::default() });
    scene.push("two").good();
    let manifest = scene.subjects().remove(0);
    for end in ["", ".sig"] {
        scene.registry.move_tag("team/nginx", &format!("sha256-{}{end}", manifest.digest), None);
    }
    scene.verify(&["two"]).said("one form less", &[&manifest.digest.to_string(), "is not signed"]);
}

#[test]
fn a_signature_for_another_repository_does_not_count() {
    let scene = Scene::open();
    scene.push("one").good();
    for digest in scene.registry.manifests("team/nginx") {
        let bytes = scene.registry.manifest("team/nginx", &digest).unwrap();
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        let kind = manifest["mediaType"].as_str().unwrap();
        scene.registry.put_manifest("other/nginx", "any", kind, &bytes);
        for layer in manifest["layers"].as_array().into_iter().flatten() {
            let digest = layer["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            scene.registry.put_blob("other/nginx", &scene.registry.blob(digest).unwrap());
        }
    }
    for (tag, digest) in scene.registry.tags("team/nginx") {
        scene.registry.move_tag("other/nginx", &tag, Some(&digest));
    }
    let mut settings = scene.settings(None, &["one"]);
    settings.conf.host = Some(format!("{}/other", scene.registry.host()));
    let name = format!("is about {}/team/nginx, not", scene.registry.host());
    act(Activity::Signatures, settings, &["nginx"]).said("moved", &[&name, "is not signed"]);
}

#[test]
fn documents_are_said_again_by_the_key() {
    let scene = Scene::open();
    let slsa = json!({
        "_type": "https://in-toto.io/Statement/v1", "subject": [],
        "predicateType": "https://slsa.dev/provenance/v1", "predicate": { "build": 1 },
    });
    let documents = [
        ("application/spdx+json", json!({ "spdxVersion": "SPDX-2.3" })),
        ("application/vnd.in-toto+json", slsa),
        ("application/x", json!({ "unknown": true })),
    ];
    let documents = documents.map(|(kind, document)| Document {
        artifact_type: kind.to_owned(),
        media_type: kind.to_owned(),
        bytes: document.to_string().into_bytes(),
        annotations: [].into(),
    });
    scene.layout().attach(&scene.index, &documents).unwrap();
    scene.push("one").good();
    let said = scene.statements(&scene.index);
    let find = |kind: &str| said.iter().find(|one| one["predicateType"] == kind);
    assert_eq!(find("https://spdx.dev/Document").unwrap()["predicate"]["spdxVersion"], "SPDX-2.3");
    let provenance =
        said.iter().filter(|one| one["predicateType"] == "https://slsa.dev/provenance/v1");
    // The index has its own provenance, too.
    assert_eq!(provenance.filter(|one| one["predicate"]["build"] == 1).count(), 1, "{said:#?}");
    assert_eq!(said.len(), 4, "{said:#?}");
    scene.registry.reset();
    scene.push("one").good();
    assert_eq!(scene.registry.count("PUT", ""), 0);
}

#[test]
fn a_key_that_cannot_be_used_stops_a_push_before_anything_is_sent() {
    let scene = Scene::open();
    let key = |name: &str| -> Utf8PathBuf { scene.stage.path(name) };
    let push = |password| {
        let mut settings = scene.settings(Some("one"), &[]);
        settings.passwords = Arc::new(Password(password));
        act(Activity::Push, settings, &["nginx"])
    };
    fs::set_permissions(key("one.key"), fs::Permissions::from_mode(0o644)).unwrap();
    push("pw").said("mode", &["others may read the private key", "0644", "chmod 600"]);
    fs::remove_file(key("one.key")).unwrap();
    push("pw").said("missing", &["cannot read the key", "one.key"]);
    assert_eq!(scene.registry.log(), []);
    fs::copy(key("two.key"), key("one.key")).unwrap();
    fs::set_permissions(key("one.key"), fs::Permissions::from_mode(0o600)).unwrap();
    push("pw").said("half", &["is not the public half of"]);
    fs::copy(key("two.pub"), key("one.pub")).unwrap();
    push("no").said("password", &["the password does not open the key", "COSIGN_PASSWORD"]);
    let tags = scene.registry.tags("team/nginx");
    assert!(tags.is_empty(), "no tag before the signatures: {tags:?}");
    push("pw").good();
}

#[test]
fn signatures_of_others_stay_also_where_they_come_at_the_same_time() {
    let scene = Scene::open();
    let tag = format!("sha256-{}.sig", scene.index.digest);
    let other = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": { "mediaType": "application/x", "digest": format!("sha256:{}", "1".repeat(64)), "size": 2 },
        "layers": [{
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": format!("sha256:{}", scene.registry.put_blob("team/nginx", b"{}")), "size": 2,
            "annotations": { "dev.cosignproject.cosign/signature": "AAAA", "x": "y" },
        }],
    });
    let others = other.to_string().into_bytes();
    scene.registry.put_manifest("team/nginx", &tag, MANIFEST, &others);
    scene.push("one").good();
    assert_eq!(scene.signatures(&scene.index), 2);
    assert_eq!(scene.tagged(&scene.index).unwrap()["layers"][0], other["layers"][0]);
    scene.verify(&["one"]).good();

    // The other one writes after ours was written: it is written again.
    let scene = Scene::open();
    let tag = format!("sha256-{}.sig", scene.index.digest);
    scene.registry.put_blob("team/nginx", b"{}");
    scene.registry.fault(
        "GET",
        &tag,
        3,
        RegistryFault::Race(tag.clone(), MANIFEST.to_owned(), others.clone()),
    );
    scene.push("one").good();
    assert_eq!(scene.signatures(&scene.index), 2);
    scene.verify(&["one"]).good();

    // It never gives way.
    let scene = Scene::open();
    let tag = format!("sha256-{}.sig", scene.index.digest);
    scene.registry.put_blob("team/nginx", b"{}");
    scene.registry.fault(
        "GET",
        &tag,
        99,
        RegistryFault::Race(tag.clone(), MANIFEST.to_owned(), others),
    );
    scene.push("one").said("never", &["others keep changing", &tag, "push again"]);
}

#[test]
fn what_is_no_list_of_signatures_is_not_written_over() {
    let scene = Scene::open();
    let tag = format!("sha256-{}.sig", scene.index.digest);
    scene.registry.put_manifest("team/nginx", &tag, MANIFEST, b"{}");
    scene.push("one").said("odd", &[&tag, "cannot be read"]);
    assert_eq!(scene.tagged(&scene.index), Some(json!({})));
}
