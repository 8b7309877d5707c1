//! Against the kit's API server, which is strict and keeps managers of fields.

mod certificates;

use super::*;
use crate::App;
use crate::objects::tests::app;
use dmc_testkit::FakeCluster;
use serde_json::{Value, json};
use std::io::Write as _;
use tempfile::NamedTempFile;

const WEB: &str = "ports = [8080]\n[deploy]\nconfig = { \"/etc/site\" = { text = \"x\" } }";
const DATA: &str = "volumes = [\"/srv\"]\n[deploy]\nkind = \"stateful-set\"\n\
    claims = { \"/srv\" = { size = \"1Gi\" } }";
const IN_WEB: &str = "/api/v1/namespaces/web";
const APPS: &str = "/apis/apps/v1/namespaces/web";

/// A cluster, and a way to it in which nothing takes long.
pub(super) struct Scene {
    pub(super) fake: FakeCluster,
    kubeconfig: NamedTempFile,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::of(FakeCluster::start(&["web"]))
    }

    fn of(fake: FakeCluster) -> Self {
        let mut kubeconfig = NamedTempFile::new().unwrap();
        kubeconfig.write_all(fake.kubeconfig("web").as_bytes()).unwrap();
        Self { fake, kubeconfig }
    }

    fn options(&self) -> ClusterOptions {
        ClusterOptions {
            kubeconfig: Some(self.kubeconfig.path().to_owned()),
            pace: Some(Duration::from_millis(1)),
            patience: Some(Duration::from_millis(500)),
            ..ClusterOptions::default()
        }
    }

    pub(super) async fn cluster(&self) -> Cluster {
        Cluster::connect(&self.options()).await.unwrap()
    }
}

fn in_web(name: &str, text: &str) -> App {
    App { namespace: "web".to_owned(), ..app(name, text).unwrap() }
}

async fn deploy(cluster: &Cluster, app: &App) -> Result<Vec<String>, DeployError> {
    let (set, objects) = (app.set(), app.objects()?);
    let mut told = cluster.apply(&set, &objects).await?;
    cluster.wait(&objects, Duration::from_mins(1), &|_| ()).await?;
    told.extend(cluster.prune(&set, &objects).await?);
    Ok(told.into_iter().map(|(object, change)| format!("{object} {change}")).collect())
}

#[tokio::test]
async fn what_is_applied_again_is_unchanged() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("web", WEB));
    let created = ["ConfigMap web-config created", "Service web created", "Deployment web created"];
    assert_eq!(deploy(&cluster, &app).await.unwrap(), created);
    let again = deploy(&cluster, &app).await.unwrap();
    assert_eq!(again, created.map(|line| line.replace("created", "unchanged")));
    let more = App { replicas: Some(3), ..app };
    let changed = deploy(&cluster, &more).await.unwrap();
    assert_eq!(changed[2], "Deployment web changed");
    for asked in scene.fake.asked().iter().filter(|asked| asked.starts_with("PATCH")) {
        assert!(asked.ends_with("fieldManager=dmc&fieldValidation=Strict"), "{asked}");
    }
    let parent = scene.fake.object(&format!("{IN_WEB}/configmaps/web.applyset")).unwrap();
    let annotations = &parent["metadata"]["annotations"];
    assert_eq!(annotations[KINDS], "ConfigMap,Service,Deployment.apps");
    assert_eq!(parent["metadata"]["labels"][crate::set::ID], more.set().id());
}

#[tokio::test]
async fn a_rollout_tells_how_far_it_is() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("web", WEB));
    let objects = app.objects().unwrap();
    cluster.apply(&app.set(), &objects).await.unwrap();
    let told = std::cell::RefCell::new(Vec::new());
    let tell = |state: &str| told.borrow_mut().push(state.to_owned());
    cluster.wait(&objects, Duration::from_mins(1), &tell).await.unwrap();
    let wanted = ["the cluster has not seen it yet", "0 of 1 new containers are available"];
    assert_eq!(told.into_inner(), wanted);
}

#[tokio::test]
async fn a_rollout_that_comes_further_at_each_look_needs_no_patience() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("web", WEB));
    let objects = app.objects().unwrap();
    cluster.apply(&app.set(), &objects).await.unwrap();
    cluster.wait(&objects, Duration::ZERO, &|_| ()).await.unwrap();
}

#[tokio::test]
async fn a_rollout_that_comes_to_nothing_says_what_the_pods_say() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("web", WEB));
    scene.fake.get_stuck();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "web-1", "labels": { "app.kubernetes.io/name": "web" } },
        "status": { "containerStatuses": [{
            "name": "web", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": "ImagePullBackOff", "message": "no such host" } },
        }] },
    });
    scene.fake.put(&format!("{IN_WEB}/pods/web-1"), "kubelet", &pod);
    let objects = app.objects().unwrap();
    cluster.apply(&app.set(), &objects).await.unwrap();
    let error = cluster.wait(&objects, Duration::from_millis(20), &|_| ()).await.unwrap_err();
    assert!(matches!(error, DeployError::RolloutSlow { .. }), "{error}");
    let wanted = "\n- pod web-1: ImagePullBackOff no such host";
    assert!(error.to_string().ends_with(wanted), "{error}");
}

#[tokio::test]
async fn conflicts_are_shown_and_never_forced() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("web", WEB));
    deploy(&cluster, &app).await.unwrap();
    let path = format!("{APPS}/deployments/web");
    let scaled = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "replicas": 5, "selector": app.objects().unwrap()[2].value["spec"]["selector"],
            "template": { "metadata": { "labels": app.selector() },
                "spec": { "containers": [{ "name": "web", "image": app.image }] } } },
    });
    scene.fake.put(&path, "scaler", &scaled);
    // What dmc does not set is nobody's quarrel.
    deploy(&cluster, &app).await.unwrap();
    let error = deploy(&cluster, &App { replicas: Some(2), ..app }).await.unwrap_err();
    let wanted = "the cluster does not let dmc apply Deployment web in namespace web: 409 Conflict: \
        Apply failed with 1 conflict: conflict with \"scaler\" using apps/v1: .spec.replicas";
    assert_eq!(error.to_string(), wanted);
    assert_eq!(scene.fake.object(&path).unwrap()["spec"]["replicas"], 5);
}

#[tokio::test]
async fn what_others_made_is_left_alone() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("web", WEB));
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "ports": [{ "port": 80 }] },
    });
    scene.fake.put(&format!("{IN_WEB}/services/web"), "kubectl", &service);
    let error = deploy(&cluster, &app).await.unwrap_err();
    assert!(matches!(error, DeployError::Foreign { .. }), "{error}");
    assert_eq!(scene.fake.paths(), [format!("{IN_WEB}/services/web")]);
}

#[tokio::test]
async fn exactly_what_was_applied_is_deleted() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("web", WEB));
    deploy(&cluster, &app).await.unwrap();
    let copy = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "copy", "labels": { PART_OF: app.set().id() } },
    });
    scene.fake.put(&format!("{IN_WEB}/configmaps/copy"), "kubectl", &copy);
    let other = in_web("other", "[deploy]");
    deploy(&cluster, &other).await.unwrap();
    let told = cluster.delete(&app.set(), false).await.unwrap();
    let wanted =
        ["Deployment web", "Service web", "ConfigMap web-config", "ConfigMap web.applyset"];
    assert_eq!(told.deleted, wanted);
    let why = "it bears the label, but dmc did not make it";
    assert_eq!(told.kept, [("ConfigMap copy".to_owned(), why)]);
    let left = [
        format!("{IN_WEB}/configmaps/copy"),
        format!("{IN_WEB}/configmaps/other.applyset"),
        format!("{APPS}/deployments/other"),
    ];
    assert_eq!(scene.fake.paths(), left);
    let error = cluster.delete(&in_web("none", "[deploy]").set(), false).await.unwrap_err();
    assert!(matches!(error, DeployError::NothingThere { .. }), "{error}");
}

#[tokio::test]
async fn what_took_an_objects_place_is_not_deleted() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("web", WEB));
    deploy(&cluster, &app).await.unwrap();
    let path = format!("{IN_WEB}/configmaps/web-config");
    let listed = cluster.members(Kind::ConfigMap, &app.set()).await.unwrap();
    scene.fake.remove(&path);
    let again = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "web-config" },
    });
    scene.fake.put(&path, "kubectl", &again);
    assert!(!cluster.delete_one(Kind::ConfigMap, &listed[0]).await.unwrap());
    assert!(scene.fake.object(&path).is_some());
}

#[tokio::test]
async fn data_stays_unless_it_is_asked_for() {
    let scene = Scene::new();
    let (cluster, app) = (scene.cluster().await, in_web("data", DATA));
    deploy(&cluster, &app).await.unwrap();
    let claim = |name: &str| {
        let labels = json!({ PART_OF: app.set().id() });
        let metadata = json!({ "name": name, "labels": labels });
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {},
        });
        let path = format!("{IN_WEB}/persistentvolumeclaims/{name}");
        scene.fake.put(&path, "kube-controller-manager", &claim);
        path
    };
    let paths = [claim("mine"), claim("srv-data-0")];
    let told = cluster.delete(&app.set(), false).await.unwrap();
    let kept: Vec<&str> = told.kept.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(kept, ["PersistentVolumeClaim mine", "PersistentVolumeClaim srv-data-0"]);
    assert_eq!(scene.fake.paths(), paths);
    let told = cluster.delete(&app.set(), true).await.unwrap();
    assert_eq!(told.deleted, ["PersistentVolumeClaim srv-data-0"]);
    assert_eq!(scene.fake.paths(), &paths[..1]);
}

#[tokio::test]
async fn what_is_not_part_of_the_app_any_more_goes() {
    let scene = Scene::new();
    let cluster = scene.cluster().await;
    deploy(&cluster, &in_web("web", WEB)).await.unwrap();
    let told = deploy(&cluster, &in_web("web", "[deploy]")).await.unwrap();
    let wanted = ["Deployment web changed", "ConfigMap web-config deleted", "Service web deleted"];
    assert_eq!(told, wanted);
    let parent = scene.fake.object(&format!("{IN_WEB}/configmaps/web.applyset")).unwrap();
    assert_eq!(parent["metadata"]["annotations"][KINDS], "Deployment.apps");
}

#[tokio::test]
async fn what_the_cluster_says_is_what_the_user_reads() {
    let forbidden = "deployments.apps \"web\" is forbidden: User \"tester\" cannot patch resource";
    for (code, reason, message, hint) in [
        (403, "Forbidden", forbidden, "a Role of namespace web"),
        (409, "Conflict", "the object has been modified", "dmc forces nothing"),
        (422, "Invalid", "Deployment \"web\" is invalid: spec.x: y", "correct [deploy]"),
        (500, "InternalError", "etcdserver: request timed out", "try again later"),
    ] {
        let scene = Scene::new();
        scene.fake.refuse("PATCH", "/deployments/web", 1, code, reason, message);
        let error = deploy(&scene.cluster().await, &in_web("web", WEB)).await.unwrap_err();
        let wanted = format!("in namespace web: {code} {reason}: {message}");
        assert!(error.to_string().ends_with(&wanted), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error:?}");
    }
}

#[tokio::test]
async fn every_rule_that_is_broken_is_named() {
    let scene = Scene::new();
    let mut app = in_web("web", WEB);
    app.replicas = Some(1_001);
    app.image = String::new();
    let error = deploy(&scene.cluster().await, &app).await.unwrap_err().to_string();
    assert!(error.contains("422 Invalid: Deployment \"web\" is invalid: spec.replicas"), "{error}");
    assert!(error.contains("\n- spec.template.spec.containers[0].image Required value"), "{error}");
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_named() {
    let scene = Scene::new();
    let options = ClusterOptions { namespace: Some("shop".to_owned()), ..scene.options() };
    let cluster = Cluster::connect(&options).await.unwrap();
    let app = App { namespace: "shop".to_owned(), ..in_web("web", WEB) };
    let error = deploy(&cluster, &app).await.unwrap_err();
    assert!(error.to_string().ends_with("404 NotFound: namespaces \"shop\" not found"), "{error}");
    assert!(error.hint().unwrap().contains("kubectl create namespace shop"));
}

#[tokio::test]
async fn a_cluster_that_is_busy_is_asked_again() {
    let scene = Scene::new();
    scene.fake.refuse("PATCH", "/services/web", 1, 503, "ServiceUnavailable", "busy");
    deploy(&scene.cluster().await, &in_web("web", WEB)).await.unwrap();
    scene.fake.refuse("PATCH", "/services/web", 9, 504, "Timeout", "request did not complete");
    let error = deploy(&scene.cluster().await, &in_web("web", WEB)).await.unwrap_err();
    assert!(error.to_string().ends_with("504 Timeout: request did not complete"), "{error}");
    let patches = |asked: &&String| asked.starts_with("PATCH") && asked.contains("/services/");
    assert_eq!(scene.fake.asked().iter().filter(patches).count(), 2 + 4);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_asked_is_named_with_the_reason() {
    let scene = Scene::new();
    let app = in_web("web", WEB);
    let stranger = ClusterOptions { context: Some("stranger".to_owned()), ..scene.options() };
    let error = deploy(&Cluster::connect(&stranger).await.unwrap(), &app).await.unwrap_err();
    assert!(error.to_string().contains("401 Unauthorized"), "{error}");
    scene.fake.ignore("GET", "/configmaps/", usize::MAX);
    let error = deploy(&scene.cluster().await, &app).await.unwrap_err();
    assert!(matches!(&error, DeployError::Unreachable { .. }), "{error}");
    let nobody = ClusterOptions { context: Some("nobody".to_owned()), ..scene.options() };
    let error = Cluster::connect(&nobody).await.map(drop).unwrap_err();
    assert!(matches!(&error, DeployError::NoCluster { .. }), "{error}");
    let mut config: Value = serde_json::from_str(&scene.fake.kubeconfig("web")).unwrap();
    for (summary, key, value) in [
        ("nobody listens", "server", json!("https://127.0.0.1:1")),
        ("an authority that nobody knows", "certificate-authority-data", Value::Null),
    ] {
        config["clusters"][0]["cluster"][key] = value;
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config.to_string()).unwrap();
        let kubeconfig = Some(file.path().to_owned());
        let options = ClusterOptions { kubeconfig, ..scene.options() };
        let connected = Cluster::connect(&options).await;
        let error = match connected {
            Ok(cluster) => deploy(&cluster, &app).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(&error, DeployError::Unreachable { .. }), "{summary}: {error}");
        assert!(error.hint().is_some(), "{summary}");
        config = serde_json::from_str(&scene.fake.kubeconfig("web")).unwrap();
    }
}
