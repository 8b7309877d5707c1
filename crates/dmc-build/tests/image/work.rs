//! What is done, in which order, and what is left undone.

use crate::stage::{
    BOTH, HONEST, KEY, NOW, Run, STRANGER, Stage, act_on, build, changed, named, replace,
};
use dmc_build::{Activity, Selection, Settings};
use dmc_testkit::{DebBuilder, FakeArchive, FakeSuite, Server};
use dmc_types::Arch;
use std::fs;

/// What an image of nginx is made of.
const NEEDED: [&str; 13] = [
    "base-files",
    "base-passwd",
    "gcc-14-base",
    "libc-bin",
    "libc6",
    "libcrypt1",
    "libgcc-s1",
    "libpcre2-8-0",
    "libssl3t64",
    "libzstd1",
    "nginx",
    "nginx-common",
    "zlib1g",
];

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[test]
fn only_what_is_needed_is_fetched_and_each_once() {
    for archs in [&BOTH[..1], &BOTH[1..], &BOTH] {
        let stage = Stage::new();
        let mut settings = stage.settings();
        settings.conf.archs = archs.to_vec();
        let run = build(settings, &["nginx"]).good();
        let mut wanted: Vec<&str> = HONEST
            .files()
            .keys()
            .map(String::as_str)
            .filter(|path| {
                let (name, rest) = file_name(path).split_once('_').unwrap_or_default();
                let arch = rest.strip_suffix(".deb").and_then(|rest| rest.rsplit('_').next());
                let ours = |arch: &str| arch == "all" || archs.iter().any(|it| it.name() == arch);
                NEEDED.contains(&name) && arch.is_some_and(ours)
            })
            .collect();
        wanted.sort_unstable();
        assert_eq!(stage.packages_fetched(), wanted, "{archs:?}");
        for image in run.images.values() {
            assert_eq!(image.packages, NEEDED.len());
        }
    }
}

fn only(number: usize) -> Selection {
    Selection { only: [number].into(), ..Selection::default() }
}

#[test]
fn a_task_alone_uses_the_store_or_says_which_task_comes_first() {
    let stage = Stage::new();
    let one = |number| act_on(Activity::Create, stage.settings(), &["nginx"], &only(number));
    one(3).said("without indices", &["create nginx amd64", "update amd64", "run task 1 first"]);
    one(5).said("without images", &["create nginx", "run task 3 first"]);
    assert_eq!(stage.server.requests().len(), 0, "a run from the middle asks no release");
    one(1).good();
    one(3).good();
    one(5).said("without one image", &["create nginx arm64", "run task 4 first"]);
    one(2).good();
    one(4).good();
    let index = one(5).good();
    let whole = Stage::new().build().good();
    assert_eq!(index.indices["nginx"].index.digest, whole.indices["nginx"].index.digest);
}

#[test]
fn one_templates_failure_leaves_the_others_alone() {
    let stage = Stage::new();
    let missing = "group = \"base\"\nsummary = \"x\"\npackages = [\"nginks\"]\nroots = [\"/x\"]\n";
    let broken = "group = \"base\"\nsummary = \"x\"\npackagse = []\n";
    let settings = stage.settings_with("", &[("missing", missing), ("broken", broken)]);
    let run = build(settings, &["missing", "broken", "nginx"]);
    assert_eq!(run.failures.len(), 6, "{:#?}", run.failures);
    assert_eq!(run.digests().len(), 3, "nginx is there");
    run.said("both", &["create missing amd64: there is no package nginks", "similar names: nginx"]);
    run.said("both", &["packagse", "packages", "create missing: not done, because"]);
}

/// The same package in another version; its `Source` carries no version of its own.
pub(crate) fn renewed(old: &DebBuilder, version: &str) -> DebBuilder {
    let fields = ["Source", "Depends", "Provides", "Multi-Arch", "Section", "Homepage"];
    let new = DebBuilder::new(old.package(), version, old.architecture());
    let new = fields
        .iter()
        .filter_map(|name| Some((*name, old.get(name)?)))
        .fold(new, |deb, (name, value)| deb.field(name, value));
    let arch: Arch = old.architecture().parse().unwrap();
    let folder = format!("/usr/lib/{}", arch.triplet());
    let elf = |soname: &str| dmc_testkit::ElfBuilder::library(arch, soname);
    let copyright = format!("/usr/share/doc/{}/copyright", old.package());
    let new = new.file(&copyright, "new license");
    match old.package() {
        "nginx" => new.executable(
            "/usr/sbin/nginx",
            dmc_testkit::ElfBuilder::program(arch).needs("libc.so.6").build(),
        ),
        _ => new
            .file(
                &format!("{folder}/libcrypto.so.3"),
                elf("libcrypto.so.3").needs("libc.so.6").build(),
            )
            .file(
                &format!("{folder}/libssl.so.3"),
                elf("libssl.so.3").needs("libcrypto.so.3").defines("SSL_new").build(),
            ),
    }
}

#[test]
fn security_updates_win() {
    let mut suites = crate::stage::suites();
    let old = suites[0].debs.iter().find(|(_, deb)| deb.package() == "libssl3t64").unwrap();
    let new = renewed(&old.1, "3.5.1-1+deb13u1");
    suites[2] = suites[2].clone().deb(new);
    let stage = Stage::with(&FakeArchive::of(&suites));
    let run = stage.build().good();
    assert_eq!(run.images.len(), 2);
    let fetched = stage.packages_fetched();
    assert!(fetched.iter().any(|path| path.contains("libssl3t64_3.5.1-1+deb13u1_amd64")));
    assert!(!fetched.iter().any(|path| path.contains("libssl3t64_3.5.1-1_amd64")));
}

#[test]
fn architectures_of_different_source_versions_need_leave() {
    let skewed = changed(|suite| {
        replace(suite, ("nginx", "arm64"), |old| renewed(&old, "1.26.3-4"));
    });
    let stage = Stage::with(&skewed);
    let run = stage.build();
    run.said("skew", &["nginx", "1.26.3-3 on amd64", "1.26.3-4 on arm64", "--allow-skew"]);
    assert_eq!(run.images.len(), 2, "the images are there, the index is not");
    assert!(named(&stage.path("out")).is_empty(), "nothing has a name");
    let settings = Settings { allow_skew: true, ..stage.settings() };
    assert!(build(settings, &["nginx"]).good().indices.contains_key("nginx"));
    // A package that was only compiled again is the same source.
    let rebuilt = changed(|suite| {
        replace(suite, ("nginx", "arm64"), |old| {
            renewed(&old, "1.26.3-3+b1").field("Source", "nginx (1.26.3-3)")
        });
    });
    Stage::with(&rebuilt).build().good();
}

pub(crate) const TOOL: &str = "group = \"app\"\nsummary = \"x\"\nversion_from = \"tool\"\n\
    roots = [\"/opt/tool\"]\npackages = [{ name = \"tool\", archive = \"acme\" }]\n";

pub(crate) fn acme(stage: &Stage, server: &Server) -> String {
    let ring = stage.path("acme.gpg");
    fs::write(&ring, STRANGER.public_binary()).unwrap();
    format!(
        "[[archive]]\nname = \"acme\"\nuri = \"{}\"\nsuite = \"{{dist}}\"\n\
         components = [\"main\"]\nsigned_by = \"{ring}\"\n",
        server.url()
    )
}

/// A third party's archive with a tool and an nginx of a tempting version.
pub(crate) fn third_party(signer: &dmc_testkit::SigningKey) -> Server {
    let program = |arch| dmc_testkit::ElfBuilder::program(arch).needs("libc.so.6").build();
    let mut suite = FakeSuite::new("trixie").signed_by(signer);
    "Acme".clone_into(&mut suite.origin);
    for arch in BOTH {
        let tool = DebBuilder::new("tool", "9.1", arch.name())
            .field("Depends", "libc6")
            .executable("/opt/tool", program(arch))
            .file("/usr/share/doc/tool/copyright", "acme's");
        let nginx = DebBuilder::new("nginx", "99-1", arch.name())
            .executable("/usr/sbin/nginx", program(arch));
        let libc = DebBuilder::new("libc6", "99-1", arch.name());
        suite = suite.debs([tool, nginx, libc]);
    }
    Server::start(&FakeArchive::of(&[suite]))
}

#[test]
fn a_third_party_supplies_only_what_is_named_with_it() {
    let stage = Stage::new();
    let server = third_party(&STRANGER);
    let conf = acme(&stage, &server);
    let run = build(stage.settings_with(&conf, &[("tool", TOOL)]), &["tool", "nginx"]).good();
    assert_eq!(run.images["tool amd64"].tags[0], "9.1");
    assert_eq!(run.images["nginx amd64"].tags[0], "1.26.3");
    let theirs = server.requests().into_iter().filter(|request| request.path.ends_with(".deb"));
    let names: Vec<String> = theirs.map(|request| file_name(&request.path).to_owned()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("tool_9.1_")), "{names:?}");
}

#[test]
fn a_third_party_is_verified_by_its_own_key_alone() {
    let stage = Stage::new();
    let server = third_party(&KEY);
    let conf = acme(&stage, &server);
    let run = build(stage.settings_with(&conf, &[("tool", TOOL)]), &["tool"]);
    run.said("signed by Debian's key", &[&server.url(), &STRANGER.fingerprint()]);
    let missing = conf.replace("acme.gpg", "absent.gpg");
    let run = build(stage.settings_with(&missing, &[("tool", TOOL)]), &["tool"]);
    run.said("a keyring that is not there", &["absent.gpg", "signed_by"]);
    let unnamed = build(stage.settings_with("", &[("tool", TOOL)]), &["tool"]);
    unnamed.said("no such archive", &["acme", "tool"]);
}

#[test]
fn an_expired_suite_needs_leave_and_the_image_says_so() {
    let stage = Stage::new();
    let late =
        |conf: &str| Settings { now: NOW + 30 * 24 * 3600, ..stage.settings_with(conf, &[]) };
    let refused: Run = build(late(""), &["nginx"]);
    refused.said("expired", &["trixie-security", "--accept-expired"]);
    assert!(refused.images.is_empty());
    let run = build(late("accept_expired = [\"trixie-security\"]\n"), &["nginx"]).good();
    let digest = run.images["nginx amd64"].manifest.digest.to_string();
    let manifest = crate::stage::json(&stage.path("out/blobs/sha256").join(digest));
    assert_eq!(manifest["annotations"]["dmc.accepted-expired"], "trixie-security");
    assert_ne!(run.digests(), Stage::new().build().good().digests());
}

#[test]
fn packages_named_by_pattern_are_sought_among_dependencies() {
    let text = "group = \"base\"\nsummary = \"x\"\npackages = [\"nginx\"]\n\
                packages_like = [\"ngin*-common\"]\ninclude = [\"/usr/share/nginx/html/*\"]\n";
    let stage = Stage::new();
    let run = build(stage.settings_with("", &[("odd", text)]), &["odd"]).good();
    let manifest = run.images["odd amd64"].manifest.digest;
    let record = crate::stage::json(&stage.path(&format!("out/dmc/{manifest}.json")));
    assert!(record["files"]["/usr/share/nginx/html/index.html"].is_object(), "{record}");
}
