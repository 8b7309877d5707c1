//! What dmc signs, cosign, podman and skopeo believe, and nothing else.

use dmc_e2e::{Built, Done, Foreign, Registry, Workplace, host, nginx, program, run, tool};
use serde_json::json;
use std::fs;
use std::process::Command;

/// The password of all keys here.
const PASSWORD: &str = "correct horse";

/// cosign's way to say that there is no transparency log to ask.
const NO_LOG: [&str; 2] = ["--insecure-ignore-tlog=true", "--allow-http-registry"];

/// An image that was pushed under several names, each with signatures for that name.
struct Scene {
    workplace: Workplace,
    built: &'static Built,
    registry: Registry,
}

impl Scene {
    /// A registry, and the keys `dmc` and `other`.
    fn set() -> Self {
        let (_, built) = nginx();
        let scene = Self { workplace: Workplace::new(), built, registry: Registry::start() };
        for name in ["dmc", "other"] {
            run(&mut scene.dmc(&["keygen", "--sign-key", &format!("{name}.key")])).ok();
        }
        scene
    }

    fn dmc(&self, args: &[&str]) -> Command {
        let mut command = self.workplace.command(program());
        command.env("COSIGN_PASSWORD", PASSWORD).args(["--store", "store", "--out"]);
        command.arg(self.built.layout.folder()).args(args);
        command
    }

    /// Pushes nginx below a namespace.
    #[track_caller]
    fn push(&self, namespace: &str, args: &[&str]) -> Done {
        let to = self.registry.reference(namespace);
        run(&mut self.dmc(&[&["push", "-t", "nginx", "-A", host(), "-H", &to], args].concat())).ok()
    }

    /// The index and its manifests, as `sha256:…`.
    fn signed(&self) -> Vec<String> {
        let index = self.built.layout.document(&self.built.digest);
        let manifests = index["manifests"].as_array().unwrap().iter();
        let digest = |one: &serde_json::Value| one["digest"].as_str().unwrap().to_owned();
        manifests.map(digest).chain([self.built.digest.clone()]).collect()
    }

    /// Takes a tag away, by the digest of what it means.
    #[track_caller]
    fn delete(&self, reference: &str) {
        let mut skopeo = tool("skopeo", "skopeo");
        skopeo.args(["delete", "--tls-verify=false", &self.registry.transport(reference)]);
        run(&mut skopeo).ok();
    }

    /// Three repositories: with both forms, under the tag alone, as bundles alone.
    fn push_each_form(&self) {
        for namespace in ["both", "tag", "bundle"] {
            self.push(namespace, &["--sign-key", "dmc.key"]);
        }
        for digest in self.signed() {
            let hex = digest.strip_prefix("sha256:").unwrap();
            self.delete(&format!("tag/nginx:sha256-{hex}"));
            self.delete(&format!("bundle/nginx:sha256-{hex}.sig"));
        }
    }

    /// Gives a program of another release the public keys and a file.
    fn lend(&self, to: &Foreign, name: &str, text: &str) {
        for key in ["dmc.pub", "other.pub"] {
            fs::copy(self.workplace.root().join(key), to.work().join(key)).unwrap();
        }
        fs::write(to.work().join(name), text).unwrap();
    }
}

fn cosign(foreign: &Foreign, args: &[&str], reference: &str) -> Done {
    let mut command = foreign.command(&[], "cosign");
    run(command.args(args).args(NO_LOG).arg(reference))
}

/// cosign accepts each digest by our key and refuses it by another.
#[track_caller]
fn holds(scene: &Scene, foreign: &Foreign, repository: &str, args: &[&str]) {
    for digest in scene.signed() {
        let reference = scene.registry.reference(&format!("{repository}@{digest}"));
        cosign(foreign, &[args, &["--key", "dmc.pub"]].concat(), &reference).ok();
        let refused = cosign(foreign, &[args, &["--key", "other.pub"]].concat(), &reference);
        assert_ne!(refused.code, Some(0), "{reference}: {refused:?}");
    }
}

#[test]
fn cosign_of_debian_13_verifies_either_form_where_it_stands_alone() {
    let scene = Scene::set();
    scene.push_each_form();
    let foreign = Foreign::build(&scene.workplace, "trixie", &["cosign"], &["/usr/bin/cosign"]);
    let empty = json!({ "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1" });
    scene.lend(&foreign, "empty.json", &empty.to_string());
    for repository in ["tag/nginx", "both/nginx"] {
        let named = format!("repository={}", scene.registry.reference(repository));
        holds(&scene, &foreign, repository, &["verify", "-a", &named]);
    }
    let kind = "https://sigstore.dev/cosign/sign/v1";
    let bundles = ["verify-attestation", "--type", kind, "--new-bundle-format"];
    let bundles = [&bundles[..], &["--trusted-root", "empty.json"]].concat();
    for repository in ["bundle/nginx", "both/nginx"] {
        holds(&scene, &foreign, repository, &bundles);
    }
}

#[test]
fn cosign_of_sid_verifies_either_form_where_it_stands_alone() {
    let scene = Scene::set();
    scene.push_each_form();
    let foreign = Foreign::build(&scene.workplace, "sid", &["cosign"], &["/usr/bin/cosign"]);
    scene.lend(&foreign, "empty", "");
    for repository in ["tag/nginx", "bundle/nginx", "both/nginx"] {
        let named = format!("repository={}", scene.registry.reference(repository));
        holds(&scene, &foreign, repository, &["verify", "-a", &named]);
    }
    // What is attached to the manifests is said again by the key.
    let index = scene.built.layout.document(&scene.built.digest);
    let manifest = index["manifests"][0]["digest"].as_str().unwrap();
    let described = scene.registry.reference(&format!("both/nginx@{manifest}"));
    for kind in ["spdxjson", "cyclonedx", "slsaprovenance1"] {
        let args = ["verify-attestation", "--type", kind, "--key", "dmc.pub"];
        cosign(&foreign, &args, &described).ok();
    }
    let other = scene.registry.reference(&format!("both/nginx@{}", scene.built.digest));
    let wrong = ["verify", "--key", "dmc.pub", "-a", "repository=registry.example/other"];
    assert_ne!(cosign(&foreign, &wrong, &other).code, Some(0), "another repository was accepted");
}

#[test]
fn policies_of_podman_and_skopeo_accept_what_is_signed_for_its_repository_alone() {
    let scene = Scene::set();
    scene.push("signed", &["--sign-key", "dmc.key"]);
    scene.push("unsigned", &[]);
    scene.push("wrong", &["--sign-key", "other.key"]);
    let signed = scene.registry.transport("signed/nginx");
    let stolen = scene.registry.transport("stolen/nginx");
    for digest in scene.signed() {
        let hex = digest.strip_prefix("sha256:").unwrap();
        for tag in [format!("sha256-{hex}.sig"), "latest".to_owned()] {
            let mut copy = tool("skopeo", "skopeo");
            copy.args(["copy", "-q", "--all", "--src-tls-verify=false", "--dest-tls-verify=false"]);
            run(copy.args([format!("{signed}:{tag}"), format!("{stolen}:{tag}")])).ok();
        }
    }
    let packages = ["skopeo", "podman", "conmon", "crun", "netavark"];
    let programs = [
        "/usr/bin/skopeo",
        "/usr/bin/podman",
        "/usr/bin/conmon",
        "/usr/bin/crun",
        "/usr/lib/podman/netavark",
    ];
    let foreign = Foreign::build(&scene.workplace, "trixie", &packages, &programs);
    let rule = json!([{ "type": "sigstoreSigned", "keyPath": "/tmp/dmc.pub",
                        "signedIdentity": { "type": "matchRepository" } }]);
    let scope = scene.registry.reference("");
    let scope = scope.trim_end_matches('/');
    let policy = json!({ "default": [{ "type": "reject" }],
                         "transports": { "docker": { scope: rule } } });
    scene.lend(&foreign, "policy.json", &policy.to_string());
    let lookaside = foreign.work().join(".config/containers/registries.d");
    fs::create_dir_all(&lookaside).unwrap();
    let attachments = format!("docker:\n  {scope}:\n    use-sigstore-attachments: true\n");
    fs::write(lookaside.join("local.yaml"), attachments).unwrap();
    let storage =
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"/tmp/graph\"\nrunroot = \"/tmp/run\"\n";
    fs::write(foreign.work().join("storage.conf"), storage).unwrap();
    for (namespace, accepted, why) in [
        ("signed", true, ""),
        ("unsigned", false, "no signature exists"),
        ("wrong", false, "invalid signature"),
        ("stolen", false, "is not accepted"),
    ] {
        let from = scene.registry.transport(&format!("{namespace}/nginx:latest"));
        let mut skopeo = foreign.command(&[], "skopeo");
        skopeo.args(["--policy", "policy.json", "copy", "--all", "--preserve-digests"]);
        // A layout cannot keep them.
        skopeo.arg("--remove-signatures");
        skopeo.args(["--src-tls-verify=false", &from, &format!("oci:/tmp/copied-{namespace}")]);
        let environment = [
            ("CONTAINERS_STORAGE_CONF", "/tmp/storage.conf"),
            ("PODMAN_IGNORE_CGROUPSV1_WARNING", "1"),
        ];
        let mut podman = foreign.command(&environment, "podman");
        podman.args(["pull", "--tls-verify=false", "--signature-policy", "policy.json", &from]);
        for mut command in [skopeo, podman] {
            let done = run(&mut command);
            assert_eq!(done.code == Some(0), accepted, "{namespace}: {done:?}");
            let said = done.stderr.to_lowercase();
            assert!(said.contains(why), "{namespace}: {why}: {}", done.stderr);
        }
    }
}

#[test]
fn what_is_in_the_registry_is_verified_and_a_second_push_signs_nothing() {
    let scene = Scene::set();
    let first = scene.push("team", &["--sign-key", "dmc.key", "--json"]);
    let second = scene.push("team", &["--sign-key", "dmc.key", "--json"]);
    let signatures = |done: &Done| {
        let value: serde_json::Value = serde_json::from_str(done.stdout.trim()).unwrap();
        let signatures = &value["signatures"];
        (signatures["made"].as_u64().unwrap(), signatures["kept"].as_u64().unwrap())
    };
    let (made, kept) = signatures(&first);
    assert!(made >= 2 * scene.signed().len() as u64 && kept == 0, "{made} {kept}");
    assert_eq!(signatures(&second), (0, made));
    let to = scene.registry.reference("team");
    let verify = |key: &str| {
        let conf = format!("[signing]\ntrusted = [\"{key}.pub\"]\n");
        fs::write(scene.workplace.root().join("my.conf"), conf).unwrap();
        let args = ["-a", "verify", "-t", "nginx", "-H", &to, "--conf", "my.conf", "-l"];
        let listed = run(&mut scene.dmc(&args)).ok().stdout;
        let task = listed.lines().find(|line| line.contains("who has signed")).unwrap();
        let number = task.split_whitespace().next().unwrap();
        let args = [&args[..args.len() - 1], &["-o", number]].concat();
        run(&mut scene.dmc(&args))
    };
    let good = verify("dmc").ok();
    assert!(good.stdout.contains(&scene.built.digest), "{}", good.stdout);
    let refused = verify("other").code_is(1);
    assert!(refused.stderr.contains("is not signed by a trusted key"), "{}", refused.stderr);
}
