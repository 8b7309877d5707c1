//! What is known of an image's real packages: told, attached, signed, and believed by cosign.
//!
//! The tracker's data are the test kit's, with rows about the very source versions that the image
//! was built from; everything else is real.

use dmc_e2e::{Done, Foreign, Layout, Registry, Tree, Workplace, host, nginx, program, run, tool};
use dmc_testkit::FakeTracker;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

const OPENVEX: &str = "https://openvex.dev/ns/v0.2.0";

/// nginx of this run in a layout of its own, and a tracker that knows its sources.
struct Scene {
    workplace: Workplace,
    registry: Registry,
    /// The index.
    index: String,
    /// The version of each source.
    sources: BTreeMap<String, String>,
}

/// The sources of an image by its records of dpkg.
fn sources(tree: &Tree) -> BTreeMap<String, String> {
    let record = |package: String| {
        let text = tree.text(&format!("/var/lib/dpkg/status.d/{package}"));
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let version = field("Version: ").unwrap().to_owned();
        let (source, version) = match field("Source: ").map(|source| source.split_once(" (")) {
            None => (package, version),
            Some(None) => (field("Source: ").unwrap().to_owned(), version),
            Some(Some((source, own))) => (source.to_owned(), own.trim_end_matches(')').to_owned()),
        };
        (source, version)
    };
    tree.packages().into_iter().map(record).collect()
}

impl Scene {
    fn set() -> Self {
        let (_, built) = nginx();
        let workplace = Workplace::new();
        let mut copy = tool("cp", "coreutils");
        run(copy.arg("-a").arg(built.layout.folder()).arg(workplace.out())).ok();
        let sources = sources(&built.layout.tree(&built.digest, host()));
        let index = built.digest.clone();
        let scene = Self { workplace, registry: Registry::start(), index, sources };
        scene.write("tracker.json", &scene.tracker().json());
        scene.write("dmc.conf", "[audit]\ntracker = \"tracker.json\"\n");
        for key in ["dmc.key", "other.key"] {
            scene.dmc(&["keygen", "--sign-key", key]).ok();
        }
        scene
    }

    /// A row of each kind, about what the image has and about what it has not.
    fn tracker(&self) -> FakeTracker {
        let version = |source: &str| &self.sources[source];
        let later = |source: &str| format!("{}+later1", version(source));
        let open = |more: &str| format!("\"status\":\"open\",{more}");
        FakeTracker::new()
            .open("nginx", "CVE-2999-0001", "trixie", "medium")
            .fixed("openssl", "CVE-2999-0002", "trixie", &later("openssl"))
            .fixed("openssl", "CVE-2999-0003", "trixie", "1.0-1")
            .fixed("pcre2", "CVE-2999-0004", "trixie", version("pcre2"))
            .fixed("zlib", "CVE-2999-0005", "trixie", "0")
            .issue(
                "zlib",
                "CVE-2999-0006",
                "trixie",
                "\"status\":\"undetermined\",\"urgency\":\"not yet assigned\"",
            )
            .open("glibc", "CVE-2999-0007", "trixie", "unimportant")
            .issue(
                "pcre2",
                "CVE-2999-0008",
                "trixie",
                &open(
                    "\"urgency\":\"low\",\"nodsa\":\"Minor issue\",\"nodsa_reason\":\"postponed\"",
                ),
            )
            .issue("libxcrypt", "CVE-2999-0009", "trixie", &open("\"urgency\":\"end-of-life\""))
            .issue("gcc-14", "TEMP-0999999-ABCDEF", "trixie", &open("\"urgency\":\"low\""))
            // The name service cache daemon, which conf/vex knows and the image lacks.
            .open("glibc", "CVE-2024-33599", "trixie", "high")
            .open("nginx", "CVE-2999-0010", "bookworm", "high")
            .open("bash", "CVE-2999-0011", "trixie", "high")
    }

    /// Lines that the audit tells of the image, in the order of their urgency.
    fn lines(&self) -> Vec<String> {
        let version = |source: &str| &self.sources[source];
        let later = format!("{}+later1", version("openssl"));
        [
            (
                "CVE-2024-33599 high: glibc",
                "libc-bin, libc6",
                "open; not affected: the code is in /usr/sbin/nscd, not in the image",
            ),
            ("CVE-2999-0001 medium: nginx", "nginx, nginx-common", "open"),
            (
                "CVE-2999-0008 low: pcre2",
                "libpcre2-8-0",
                "open, no advisory (Minor issue, postponed)",
            ),
            ("TEMP-0999999-ABCDEF low: gcc-14", "gcc-14-base, libgcc-s1", "open"),
            ("CVE-2999-0002 not yet assigned: openssl", "libssl3t64", &format!("fixed in {later}")),
            ("CVE-2999-0006 not yet assigned: zlib", "zlib1g", "undetermined"),
            ("CVE-2999-0009 end-of-life: libxcrypt", "libcrypt1", "open"),
            ("CVE-2999-0007 unimportant: glibc", "libc-bin, libc6", "open"),
        ]
        .map(|(begin, packages, end)| {
            let (_, source) = begin.rsplit_once(' ').unwrap();
            format!("  {begin} {} ({packages}), {end}", version(source))
        })
        .to_vec()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.workplace.root().join(name), text).unwrap();
    }

    fn dmc(&self, args: &[&str]) -> Done {
        let mut command = self.workplace.command(program());
        command.env("COSIGN_PASSWORD", "correct horse").args(["--store", "store", "--out", "out"]);
        run(command.args(["--conf", "dmc.conf"]).args(args))
    }

    fn audit(&self, args: &[&str]) -> Done {
        self.dmc(&[&["audit", "-t", "nginx"], args].concat())
    }

    /// The manifest of this machine's architecture.
    fn manifest(&self) -> String {
        let index = Layout::open(&self.workplace.out()).document(&self.index);
        let here = |one: &&Value| one["platform"]["architecture"] == host();
        let manifest = index["manifests"].as_array().unwrap().iter().find(here).unwrap();
        manifest["digest"].as_str().unwrap().to_owned()
    }

    /// What the registry says refers to a digest, where it answers by the tag of old registries.
    fn referrers(&self, digest: &str) -> Vec<Value> {
        let tag = self.registry.transport(&format!("nginx:{}", digest.replace(':', "-")));
        let mut skopeo = tool("skopeo", "skopeo");
        let raw = run(skopeo.args(["inspect", "--raw", "--tls-verify=false", &tag])).ok().stdout;
        let index: Value = serde_json::from_str(&raw).unwrap();
        index["manifests"].as_array().unwrap().clone()
    }

    /// What an envelope (DSSE) holds.
    fn payload(&self, envelope: &str) -> Value {
        let envelope: Value = serde_json::from_str(envelope).unwrap();
        self.write("payload", envelope["payload"].as_str().unwrap());
        let mut decode = tool("base64", "coreutils");
        let told = run(decode.arg("-d").arg(self.workplace.root().join("payload"))).ok().stdout;
        serde_json::from_str(&told).unwrap()
    }
}

#[test]
fn issues_of_real_source_versions_are_told_as_what_they_are() {
    let scene = Scene::set();
    let told = scene.audit(&[]).ok().stdout;
    let counts = "1 medium, 2 low, 1 not yet assigned, 1 end-of-life, 1 unimportant, 1 undetermined, \
                  1 not affecting the image";
    let mut lines = told.lines();
    for arch in ["amd64", "arm64"] {
        let head = lines.find(|line| line.starts_with(&format!("nginx {arch}: "))).unwrap();
        assert!(head.ends_with(counts), "{told}");
        let findings: Vec<&str> = lines.by_ref().take(scene.lines().len()).collect();
        assert_eq!(findings, scene.lines(), "{arch}");
    }
    let json = scene.audit(&["--json", "-A", host()]).ok().stdout;
    let report: Value = serde_json::from_str(&json).unwrap();
    let findings = report["audit"]["findings"].as_array().unwrap();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or("-").to_owned();
    let found: Vec<String> = findings
        .iter()
        .map(|one| {
            let why = text(&one["not_affected"], "justification");
            let postponed = text(&one["no_dsa"], "reason");
            format!("{} {} {why} {postponed}", text(one, "id"), text(one, "standing"))
        })
        .collect();
    assert_eq!(
        found,
        [
            "CVE-2024-33599 open vulnerable_code_not_present -",
            "CVE-2999-0001 open - -",
            "CVE-2999-0008 open - postponed",
            "TEMP-0999999-ABCDEF open - -",
            "CVE-2999-0002 older - -",
            "CVE-2999-0006 undetermined - -",
            "CVE-2999-0009 open - -",
            "CVE-2999-0007 open - -",
        ]
    );
    for one in findings {
        assert_eq!(one["version"], scene.sources[one["source"].as_str().unwrap()], "{one}");
    }

    for (fail_on, code) in [
        // What is high does not affect the image.
        ("high", 0),
        ("medium", 1),
        ("not-yet-assigned", 1),
        ("undetermined", 1),
        ("end-of-life", 1),
    ] {
        let told = scene.audit(&["--fail-on", fail_on]);
        assert_eq!(told.code, Some(code), "{fail_on}: {}", told.stderr);
    }
}

#[test]
fn what_is_known_goes_to_a_registry_signed_and_cosign_believes_it() {
    let scene = Scene::set();
    let to = scene.registry.host();
    let push = ["audit", "push", "-t", "nginx", "-H", &to, "--sign-key", "dmc.key"];
    scene.dmc(&[&push[..], &["--fail-on", "medium"]].concat()).code_is(1);
    assert!(scene.registry.tags("nginx").is_empty(), "what fails is not pushed");
    scene.dmc(&push).ok();
    for digest in [scene.manifest(), scene.index.clone()] {
        let referrers = scene.referrers(&digest);
        let vex = referrers.iter().filter(|one| {
            one["artifactType"] == "application/vnd.in-toto+json"
                && one["annotations"]["in-toto.io/predicate-type"] == OPENVEX
        });
        assert_eq!(vex.count(), 1, "{digest}: {referrers:#?}");
    }

    let cosign = Foreign::build(&scene.workplace, "trixie", &["cosign"], &["/usr/bin/cosign"]);
    let empty = json!({ "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1" });
    fs::write(cosign.work().join("empty.json"), empty.to_string()).unwrap();
    for key in ["dmc.pub", "other.pub"] {
        fs::copy(scene.workplace.root().join(key), cosign.work().join(key)).unwrap();
    }
    let verify = |key: &str, digest: &str| {
        let mut command = cosign.command(&[], "cosign");
        command.args(["verify-attestation", "--type", "openvex", "--new-bundle-format"]);
        command.args(["--trusted-root", "empty.json", "--insecure-ignore-tlog=true"]);
        command.args(["--allow-http-registry", "--key", key]);
        run(command.arg(scene.registry.reference(&format!("nginx@{digest}"))))
    };
    for digest in [scene.manifest(), scene.index.clone()] {
        let told = verify("dmc.pub", &digest).ok();
        let statement = scene.payload(told.stdout.trim());
        let subject = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
        assert_eq!(format!("sha256:{subject}"), digest);
        let statements = statement["predicate"]["statements"].as_array().unwrap();
        assert_eq!(statements.len(), scene.lines().len(), "{statements:#?}");
        for one in statements {
            let wanted = match one["vulnerability"]["name"].as_str() {
                Some("CVE-2024-33599") => "not_affected",
                _ => "under_investigation",
            };
            assert_eq!(one["status"], wanted, "{one:#}");
        }
        let refused = verify("other.pub", &digest);
        assert_ne!(refused.code, Some(0), "{refused:?}");
    }
}
