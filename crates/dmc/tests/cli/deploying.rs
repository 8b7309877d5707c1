//! Images into a cluster, as the command line says it.

use crate::stage::Stage;
use dmc_testkit::{FakeCluster, FakeRegistry};

/// A stage whose user has a cluster with the namespace `web`.
fn scene() -> (Stage, FakeCluster) {
    let (stage, cluster) = (Stage::new(), FakeCluster::start(&["web"]));
    stage.write("home/.kube/config", cluster.kubeconfig("web").as_bytes());
    (stage, cluster)
}

#[test]
fn an_image_is_brought_into_a_cluster_by_its_digest_and_taken_out_again() {
    let ((stage, cluster), registry) = (scene(), FakeRegistry::open());
    let host = format!("{}/team", registry.host());
    let told = stage.run(&["-t", "nginx", "-A", "amd64", "-H", &host]).good();
    let digest = told.stdout.lines().next().unwrap().split_once(' ').unwrap().1.to_owned();
    let deploy = ["deploy", "-t", "nginx", "-H", &host];
    // Nobody has said yet that it is to run.
    let told = stage.run(&deploy);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stderr.contains("has no `live`: nothing was promoted"), "{}", told.stderr);
    assert!(cluster.asked().is_empty());

    let chosen = ["--tag", "latest", "--replicas", "2"];
    let told = stage.run(&[&deploy[..], &chosen].concat()).good();
    let image = format!("{host}/nginx@{digest}");
    assert_eq!(told.stdout, format!("web {image}\n"));
    for part in ["Deployment nginx: created", "0 of 2 new containers are available"] {
        assert!(told.stderr.contains(part), "{}", told.stderr);
    }
    let path = "/apis/apps/v1/namespaces/web/deployments/nginx";
    let deployment = cluster.object(path).unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], image);
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/version"], "1.26.3");

    let told = stage.run(&[&deploy[..], &["--tag", "1.0"]].concat());
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stderr.contains("there is no image"), "{}", told.stderr);

    let told = stage.run(&["-X", "-t", "nginx"]).good();
    let gone =
        "deleted Deployment nginx\ndeleted Service nginx\ndeleted ConfigMap nginx.applyset\n";
    assert_eq!(told.stdout, gone);
    assert!(cluster.paths().is_empty(), "{:?}", cluster.paths());
    let told = stage.run(&["-X", "-t", "nginx"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stderr.contains("nothing that dmc deployed as nginx"), "{}", told.stderr);
}

#[test]
fn objects_are_shown_without_a_cluster_and_without_a_registry() {
    let stage = Stage::new();
    let built = stage.run(&["-t", "nginx", "-A", "amd64"]).good().stdout;
    let digest = built.trim_end().split_once(' ').unwrap().1;
    let words = ["deploy", "--dry-run", "--offline", "-t", "nginx", "-H", "registry.example/team"];
    let told = stage.run(&[&words[..], &["--namespace", "web"]].concat()).good();
    assert!(told.stdout.starts_with("---\napiVersion: v1\nkind: Service\n"), "{}", told.stdout);
    let image = format!("image: \"registry.example/team/nginx@{digest}\"");
    assert!(told.stdout.contains(&image), "{}", told.stdout);
    assert_eq!(told.stdout.matches("namespace: web").count(), 2, "{}", told.stdout);
    let told = stage.run(&[&words[..], &["--json"]].concat()).good();
    let value: serde_json::Value = serde_json::from_str(told.stdout.trim()).unwrap();
    assert_eq!(value["objects"][1]["kind"], "Deployment");
    let list = stage.run(&[&words[..], &["-l"]].concat()).good().stdout;
    assert!(list.contains("deploy   nginx"), "{list}");
}

#[test]
fn what_a_cluster_says_is_told_with_what_to_do() {
    let (stage, cluster) = scene();
    cluster.refuse("GET", "/configmaps/", 1, 403, "Forbidden", "configmaps is forbidden");
    let told = stage.run(&["-X", "-t", "nginx"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    for part in ["in namespace web: 403 Forbidden: configmaps is forbidden", "hint: have the right"]
    {
        assert!(told.stderr.contains(part), "{}", told.stderr);
    }
}
