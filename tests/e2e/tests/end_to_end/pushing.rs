//! Images go to a real registry, and come from there as what they were.

use dmc_e2e::{Done, Engine, Registry, Workplace, host, nginx, run, tool};
use std::fs;

/// Pushes nginx as everybody would.
fn push(registry: &Registry, more: &[&str]) -> Done {
    let (workplace, _) = nginx();
    let host = registry.reference("team");
    let mut args = vec!["-a", "push", "-t", "nginx", "-H", &host, "--json"];
    args.extend(more);
    workplace.run(&args)
}

fn value(done: &Done) -> serde_json::Value {
    serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn a_registry_gives_back_the_very_image_to_skopeo_podman_and_docker() {
    let (registry, (workplace, built)) = (Registry::start(), nginx());
    let first = value(&push(&registry, &[]).ok());
    assert_eq!(first["digest"], built.digest.as_str());
    assert_eq!(first["blobs"]["sent"], 4);
    let second = value(&push(&registry, &[]).ok());
    assert_eq!(second["blobs"]["sent"], 0);
    assert_eq!(second["bytes"], 0);

    let name = format!("team/{}", built.reference);
    let copy = workplace.root().join("copy");
    let _ = fs::remove_dir_all(&copy);
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false"]);
    run(skopeo.arg(registry.transport(&name)).arg(format!("oci:{}:x", copy.display()))).ok();
    let index = fs::read_to_string(copy.join("index.json")).unwrap();
    assert!(index.contains(&built.digest), "{index}");

    let document = built.layout.document(&built.digest);
    let mut all = document["manifests"].as_array().unwrap().iter();
    let ours = all.find(|one| one["platform"]["architecture"] == host()).unwrap();
    let podman = Engine::podman();
    let reference = registry.reference(&name);
    run(podman.command().args(["pull", "-q", "--tls-verify=false", &reference])).ok();
    let inspect = ["image", "inspect", "--format", "{{json .RepoDigests}}", &reference];
    let digests = run(podman.command().args(inspect)).ok().stdout;
    assert!(digests.contains(ours["digest"].as_str().unwrap()), "{digests}");

    let docker = Engine::docker();
    run(docker.command().args(["pull", "-q", &reference])).ok();
    let digests = run(docker.command().args(inspect)).ok().stdout;
    assert!(digests.contains(&built.digest), "{digests}");
}

#[test]
fn an_index_of_two_forms_keeps_its_digest_in_a_registry() {
    let (registry, workplace) = (Registry::start(), Workplace::new());
    let host = registry.reference("two");
    let args = ["-t", "static", "-H", &host, "--compression", "gzip,zstd:chunked"];
    let printed = workplace.run(&args).ok().stdout;
    let digest = |line: &str| line.rsplit_once(' ').unwrap().1.to_owned();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert_eq!(digest(lines[0]), digest(lines[1]));
    let copy = workplace.root().join("copy");
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false"]);
    let from = registry.transport("two/static:latest");
    run(skopeo.arg(from).arg(format!("oci:{}:x", copy.display()))).ok();
    let index = fs::read_to_string(copy.join("index.json")).unwrap();
    assert!(index.contains(&digest(lines[0])), "{index}");
}

#[test]
fn a_registry_behind_tls_and_a_password_lets_in_who_has_both() {
    let registry = Registry::guarded();
    let (workplace, built) = nginx();
    let conf = workplace.root().join("guarded.conf");
    let text = format!(
        "[registry.\"{}\"]\nca = \"{}\"\n",
        registry.host(),
        registry.authority().display()
    );
    fs::write(&conf, text).unwrap();
    let conf = conf.to_str().unwrap();
    let auth = workplace.root().join("guarded.json");
    fs::write(&auth, registry.auth_file("word")).unwrap();
    let auth = auth.to_str().unwrap();
    let done = push(&registry, &["--conf", conf, "--authfile", auth]).ok();
    assert_eq!(value(&done)["digest"], built.digest.as_str());

    fs::write(auth, registry.auth_file("wrong")).unwrap();
    let said = push(&registry, &["--conf", conf, "--authfile", auth]).code_is(1).stderr;
    assert!(said.contains("does not accept the credentials of `"), "{said}");
    assert!(!said.contains("wrong"), "{said}");
    let said = push(&registry, &["--conf", conf]).code_is(1).stderr;
    assert!(said.contains("there are none for 127.0.0.1:"), "{said}");
    fs::write(conf, format!("[registry.\"{}\"]\nplain_http = false\n", registry.host())).unwrap();
    let said = push(&registry, &["--conf", conf]).code_is(1).stderr;
    assert!(said.contains("the registry's certificate is not accepted"), "{said}");
}
