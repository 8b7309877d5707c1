//! Clusters that know their users by certificates.

use super::*;
use dmc_testkit::Identity;
use std::fs;
use tempfile::TempDir;

/// A cluster that lets nobody in without a certificate.
fn scene() -> Scene {
    Scene::of(FakeCluster::with_certificates(&["web"]))
}

/// Deploys with a kubeconfig whose user is this.
async fn deploy_as(scene: &Scene, folder: &TempDir, user: &Value) -> Result<(), DeployError> {
    let mut config: Value = serde_json::from_str(&scene.fake.kubeconfig("web")).unwrap();
    config["users"][0]["user"].clone_from(user);
    let file = folder.path().join("config");
    fs::write(&file, config.to_string()).unwrap();
    let options = ClusterOptions { kubeconfig: Some(file), ..scene.options() };
    deploy(&Cluster::connect(&options).await?, &in_web("web", WEB)).await.map(drop)
}

/// A folder with the certificate and the key of a client, and of one that nobody knows.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, identity) in [("client", Identity::CLIENT), ("stranger", Identity::STRANGER)] {
        fs::write(folder.path().join(format!("{name}.pem")), identity.certificate).unwrap();
        fs::write(folder.path().join(format!("{name}.key")), identity.key).unwrap();
    }
    folder
}

#[tokio::test]
async fn a_client_is_let_in_by_its_certificate() {
    let scene = scene();
    // As data of the kubeconfig.
    deploy(&scene.cluster().await, &in_web("web", WEB)).await.unwrap();
    // As files, by their paths and by their names beside the kubeconfig.
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (certificate, key) in
        [(path("client.pem"), path("client.key")), ("client.pem".into(), "client.key".into())]
    {
        let user = json!({ "client-certificate": certificate, "client-key": key });
        deploy_as(&scene, &folder, &user).await.unwrap();
    }
    assert!(scene.fake.asked().iter().any(|asked| asked.starts_with("PATCH")));
}

#[tokio::test]
async fn a_client_without_the_right_certificate_is_told_what_to_do() {
    let (scene, folder) = (scene(), folder());
    let shows = |certificate, key| json!({ "client-certificate": certificate, "client-key": key });
    let told = "client-certificate and client-key of the user in the kubeconfig";
    let mend = "or name another context";
    for (user, wanted, hint) in [
        (json!({}), "received fatal alert: CertificateRequired", told),
        (json!({ "token": "another" }), "received fatal alert: CertificateRequired", told),
        (shows("stranger.pem", "stranger.key"), "received fatal alert: ", told),
        (shows("client.pem", "stranger.key"), "invalid private key: ", mend),
        (shows("client.key", "client.key"), "identity PEM is missing certificate", mend),
        (shows("client.pem", "none.key"), "/none.key\"': No such file", mend),
        (json!({ "client-certificate": "client.pem" }), "failed to load client key: no ", mend),
        (json!({ "client-key": "client.key" }), "failed to load client certificate: no ", mend),
        (
            json!({ "client-certificate-data": "x", "client-key-data": "eA==" }),
            "failed to load client certificate: failed to decode base64 data",
            mend,
        ),
    ] {
        let error = deploy_as(&scene, &folder, &user).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{user}: {error}");
        assert!(error.hint().unwrap().contains(hint), "{user}: {error:?}");
    }
    let stranger = ClusterOptions { context: Some("stranger".to_owned()), ..scene.options() };
    let cluster = Cluster::connect(&stranger).await.unwrap();
    let error = deploy(&cluster, &in_web("web", WEB)).await.unwrap_err();
    assert!(error.to_string().contains("received fatal alert: "), "{error}");
    assert!(scene.fake.asked().is_empty(), "somebody was let in");
}

#[tokio::test]
async fn a_client_that_the_cluster_takes_for_nobody_is_told_so() {
    let scene = Scene::new();
    let forbidden =
        "configmaps \"web.applyset\" is forbidden: User \"system:anonymous\" cannot get";
    scene.fake.refuse("GET", "/configmaps/", 1, 403, "Forbidden", forbidden);
    let error = deploy(&scene.cluster().await, &in_web("web", WEB)).await.unwrap_err();
    assert!(error.hint().unwrap().contains("no credentials that count there"), "{error:?}");
}
