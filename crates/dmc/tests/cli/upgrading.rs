//! Upgrades that end in a cluster: what runs there is what was tested, and a rollout that fails is
//! told as the cluster tells it.

use crate::promoting::{container, digest, run, stage, template};
use crate::stage::{Stage, Told};
use dmc_testkit::{FakeCluster, FakeRegistry};
use serde_json::json;
use std::fs;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const PODS: &str = "/api/v1/namespaces/shop/pods";
const TWICE: &str = "[deploy]\nreplicas = 2\n";

struct Scene {
    stage: Stage,
    registry: FakeRegistry,
    cluster: FakeCluster,
}

/// A template for clusters, a registry, a key, and a cluster that the configuration names.
fn scene() -> Scene {
    let (registry, cluster) = (FakeRegistry::open(), FakeCluster::start(&["shop"]));
    let stage = stage(TWICE);
    run(&stage, "keygen --sign-key site.key").good();
    stage.write("home/.kube/config", cluster.kubeconfig("shop").as_bytes());
    let scene = Scene { stage, registry, cluster };
    scene.wait_for(60);
    scene
}

impl Scene {
    /// Lets rollouts make no progress for so many seconds.
    fn wait_for(&self, timeout: u16) {
        let (host, key) = (self.registry.host(), self.stage.path("work/site.key"));
        self.stage.conf(&format!(
            "host = \"{host}/team\"\nsigning.key = \"{key}\"\n\
             deploy = {{ context = \"tests\", timeout = {timeout} }}"
        ));
    }

    /// Upgrades to an image that differs by `word`.
    fn upgrade(&self, word: &str) -> Told {
        template(&self.stage, word, TWICE);
        run(&self.stage, "upgrade web")
    }

    /// The same, which goes well: the digest.
    fn upgraded(&self, word: &str) -> String {
        digest(&self.upgrade(word).good(), "web:1.26.3 ")
    }

    /// The image that is named by its digest, as the cluster is told.
    fn image(&self, digest: &str) -> String {
        format!("{}/team/web@{digest}", self.registry.host())
    }

    /// The image that the cluster was told to run.
    fn runs(&self) -> String {
        let deployment = self.cluster.object(DEPLOYMENT).unwrap();
        let containers = &deployment["spec"]["template"]["spec"]["containers"];
        containers[0]["image"].as_str().unwrap().to_owned()
    }

    /// What the live name means in the registry.
    fn live(&self) -> String {
        format!("sha256:{}", self.registry.tags("team/web")["live"])
    }

    /// How many objects were applied so far.
    fn applied(&self) -> usize {
        self.cluster.asked().iter().filter(|asked| asked.starts_with("PATCH ")).count()
    }
}

#[test]
fn an_upgrade_rolls_the_deployment_to_the_image_whose_tests_held() {
    let scene = scene();
    let told = scene.upgrade("one").good();
    let one = digest(&told, "web:1.26.3 ");
    let live = format!("{}/team/web:live {one}", scene.registry.host());
    let deployed = format!("shop {}", scene.image(&one));
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(lines[lines.len() - 3..], ["ok promote web amd64: It runs", &live, &deployed]);
    for part in ["Deployment web: created", "0 of 2 new containers are available"] {
        assert!(told.stderr.contains(part), "{}", told.stderr);
    }
    assert_eq!((scene.runs(), scene.live()), (scene.image(&one), one));

    let two = scene.upgraded("two");
    assert_eq!((scene.runs(), scene.live()), (scene.image(&two), two.clone()));
    // What runs in a cluster is no business of this machine's engine.
    assert_eq!(container(&scene.stage), "");

    let (stage, applied) = (&scene.stage, scene.applied());
    stage.write("state/broken", b"");
    scene.upgrade("three").failed(1, &["template web: 1 of 1 tests do not hold"]);
    assert_eq!((scene.runs(), scene.live()), (scene.image(&two), two.clone()));
    assert_eq!(scene.applied(), applied, "the cluster heard of what was not promoted");
    fs::remove_file(stage.path("state/broken")).unwrap();

    // The cluster refuses: what is live is the new image all the same, and the next deploy brings it.
    let (reason, words) = ("Forbidden", "admission webhook \"policy\" denied the request: no");
    scene.cluster.refuse("PATCH", "/deployments/", 1, 403, reason, words);
    let told = scene.upgrade("four").failed(1, &[&format!("403 Forbidden: {words}"), "hint: "]);
    let four = digest(&told, "web:1.26.3 ");
    assert_eq!((scene.runs(), scene.live()), (scene.image(&two), four.clone()));
    run(stage, "deploy -t web").good();
    assert_eq!(scene.runs(), scene.image(&four));
}

#[test]
fn a_template_that_is_not_made_for_clusters_is_restarted_here() {
    let scene = scene();
    template(&scene.stage, "one", "[run]\n");
    let one = digest(&run(&scene.stage, "upgrade web").good(), "web runs ");
    assert_eq!(container(&scene.stage), format!("running {}", one.replace("sha256:", "")));
    assert!(scene.cluster.asked().is_empty(), "{:?}", scene.cluster.asked());
}

#[test]
fn a_rollout_that_fails_is_told_as_the_cluster_tells_it_and_goes_back_by_a_rollback() {
    let scene = scene();
    let one = scene.upgraded("one");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "web-1", "labels": { "app.kubernetes.io/name": "web" } },
        "status": { "containerStatuses": [{
            "name": "web", "image": "", "imageID": "", "ready": false, "restartCount": 3,
            "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } },
        }] },
    });
    scene.cluster.put(&format!("{PODS}/web-1"), "kubelet", &pod);
    let given_up = "ReplicaSet \"web-5d8\" has timed out progressing.";
    let complaint = "- pod web-1: CrashLoopBackOff back-off 40s";
    let (slow, failed) = (
        "Deployment web has come no further for 1 s: 0 of 2 new containers are available",
        format!("the rollout of Deployment web failed: {given_up}"),
    );
    for (word, wanted) in [("two", slow), ("three", &failed)] {
        if word == "two" {
            scene.wait_for(1);
            scene.cluster.get_stuck();
        } else {
            scene.cluster.give_up(given_up);
        }
        let wanted = [wanted, complaint, "hint: the pods from before keep running"];
        let told = scene.upgrade(word).failed(1, &wanted);
        // Its tests held, so that it is the live one still.
        let new = digest(&told, "web:1.26.3 ");
        assert_eq!((scene.runs(), scene.live()), (scene.image(&new), new.clone()), "{word}");
        if word == "two" {
            scene.wait_for(60);
            scene.cluster.recover();
            let back = run(&scene.stage, "rollback deploy -t web").good();
            assert!(back.stdout.ends_with(&format!("shop {}\n", scene.image(&one))), "{back:?}");
            assert_eq!((scene.runs(), scene.live()), (scene.image(&one), one.clone()));
        }
    }
}
