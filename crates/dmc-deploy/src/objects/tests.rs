//! The objects of an app: as a person reads them, and held against the rules of scanners.

use crate::app::App;
use crate::error::DeployError;
use crate::objects::Kind;
use crate::yaml;
use dmc_template::{Catalog, TemplateFolder};
use dmc_types::Arch;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const IMAGE: &str = "registry.example:5000/team/it@sha256:\
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A template's folder; its user is an ordinary one unless the text begins with another.
fn folder(name: &str, text: &str) -> TemplateFolder {
    let user = if text.starts_with("user =") { "" } else { "user = \"65532:65532\"\n" };
    let text = format!("group = \"base\"\nsummary = \"x\"\n{user}{text}");
    let files = BTreeMap::from([("template.toml".to_owned(), text.into_bytes().into())]);
    TemplateFolder { name: name.to_owned(), files, origin: name.to_owned() }
}

/// The app of a template with this text.
pub(crate) fn app(name: &str, text: &str) -> Result<App, DeployError> {
    let catalog = Catalog::read(vec![folder(name, text)]);
    let template = catalog.get(name).unwrap();
    let settings = template.for_arch(Arch::Amd64).unwrap().image;
    let user = settings.user.unwrap();
    App::new(template, settings, user, IMAGE.to_owned())
}

const WEB: &str = r#"
ports = [8080]
[deploy]
service = [{ port = 80, target = 8080 }]
probe = { http = { port = 8080, path = "/ready" }, interval = "5s", start_period = "12s" }
config = { "/etc/web/site.conf" = { text = "listen 8080;\nroot /srv;\n" } }
requests = { cpu = "50m", memory = "32Mi" }
limits = { cpu = "1", memory = "128Mi" }
"#;

const DATA: &str = r#"
ports = [3306]
volumes = ["/var/lib/data"]
healthcheck = { test = ["/usr/bin/ask", "--quick"], interval = "30s", timeout = "2s", retries = 5 }
[deploy]
kind = "stateful-set"
replicas = 2
args = ["--verbose"]
env = { PASSWORD_FILE = "/run/secrets/data/password" }
secrets = { "/run/secrets/data" = "data" }
claims = { "/var/lib/data" = { size = "8Gi", class = "fast" } }
scratch = { "/run/data" = "16Mi" }
requests = { cpu = "50m", memory = "32Mi" }
limits = { cpu = "1", memory = "128Mi" }
grace = "90s"
"#;

const FILES: &str = r#"
volumes = ["/srv"]
[deploy]
claims = { "/srv" = { size = "1Gi" } }
requests = { cpu = "50m", memory = "32Mi" }
limits = { cpu = "1", memory = "128Mi" }
"#;

#[test]
fn a_deployment_is_pinned_restricted_and_asked_whether_it_is_well() {
    let mut app = app("web", WEB).unwrap();
    app.version = Some("1.26.3".to_owned());
    app.pull_secrets = vec!["registry".to_owned()];
    insta::assert_snapshot!(yaml(&app.objects().unwrap()));
}

#[test]
fn a_stateful_set_has_storage_for_each_container() {
    insta::assert_snapshot!(yaml(&app("data", DATA).unwrap().objects().unwrap()));
}

#[test]
fn a_deployment_with_data_gives_it_up_before_it_takes_it_again() {
    let objects = app("files", FILES).unwrap().objects().unwrap();
    let names: Vec<String> = objects.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["PersistentVolumeClaim files-srv", "Deployment files"]);
    let spec = &objects[1].value["spec"];
    assert_eq!(spec["strategy"], json!({ "type": "Recreate" }));
    let claim = &spec["template"]["spec"]["volumes"][1]["persistentVolumeClaim"];
    assert_eq!(claim["claimName"], "files-srv");
}

#[test]
fn what_cannot_run_with_restricted_rights_is_refused() {
    for (summary, name, text) in [
        ("no table", "it", "ports = [80]"),
        ("root", "it", "user = \"0:0\"\n[deploy]"),
        ("root's group", "it", "user = \"1000:0\"\n[deploy]"),
        ("data without a claim", "it", "volumes = [\"/srv\"]\n[deploy]"),
        ("a name with a dot", "it.1", "[deploy]"),
        ("a name with a digit in front", "1it", "[deploy]"),
        (
            "another port without an address",
            "it",
            "[deploy]\nkind = \"stateful-set\"\nservice = [{ port = 80, target = 8080 }]",
        ),
    ] {
        let app = app(name, text);
        let error = app.and_then(|app| app.objects()).unwrap_err();
        assert!(error.is_usage() && error.hint().is_some(), "{summary}: {error}");
    }
}

/// Rules of the Pod Security Standards' restricted profile and of trivy's checks of configurations
/// (its documentation, "Kubernetes"), each as a question to the objects. Severities are trivy's.
type Rule = (&'static str, &'static str, fn(&Value) -> bool);

/// About the pod.
const POD_RULES: [Rule; 17] = [
    ("KSV009", "HIGH: no network of the host", |pod| pod["hostNetwork"].is_null()),
    ("KSV008", "HIGH: no IPC of the host", |pod| pod["hostIPC"].is_null()),
    ("KSV010", "HIGH: no processes of the host", |pod| pod["hostPID"].is_null()),
    ("KSV023", "MEDIUM: no folder of the host", |pod| {
        each(&pod["volumes"], |it| it["hostPath"].is_null())
    }),
    ("KSV006", "HIGH: no socket of an engine", |pod| {
        each(&pod["volumes"], |it| it["hostPath"].is_null())
    }),
    ("KSV028", "LOW: volumes of harmless kinds", |pod| {
        let known = ["emptyDir", "configMap", "secret", "persistentVolumeClaim"];
        each(&pod["volumes"], |it| known.iter().any(|kind| it[kind].is_object()))
    }),
    ("KSV036", "MEDIUM: no token of a service account", |pod| {
        pod["automountServiceAccountToken"] == false
    }),
    ("KSV116", "LOW: no group of root", |pod| {
        let groups = ["runAsGroup", "fsGroup"];
        groups.iter().all(|key| pod["securityContext"][key].as_i64() > Some(0))
    }),
    ("KSV021", "LOW: a group above 10000", |pod| {
        pod["securityContext"]["runAsGroup"].as_i64() > Some(10_000)
    }),
    ("KSV020", "LOW: a user above 10000", |pod| {
        pod["securityContext"]["runAsUser"].as_i64() > Some(10_000)
    }),
    ("KSV105", "LOW: not root by number", |pod| {
        pod["securityContext"]["runAsUser"].as_i64() > Some(0)
    }),
    ("KSV030", "LOW: the runtime's seccomp profile", |pod| {
        pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    }),
    ("KSV104", "MEDIUM: seccomp is not off", |pod| {
        pod["securityContext"]["seccompProfile"]["type"] != "Unconfined"
    }),
    ("KSV026", "MEDIUM: no unsafe sysctls", |pod| pod["securityContext"]["sysctls"].is_null()),
    ("KSV025", "MEDIUM: no SELinux options", |pod| {
        pod["securityContext"]["seLinuxOptions"].is_null()
    }),
    ("KSV118", "HIGH: no default security context", |pod| {
        pod["securityContext"].is_object()
            && each(&pod["containers"], |it| it["securityContext"].is_object())
    }),
    ("PSS", "volumes are not shared between pods of other users", |pod| pod["hostUsers"] != true),
];

/// About its containers.
const CONTAINER_RULES: [Rule; 16] = [
    ("KSV017", "HIGH: not privileged", |it| it["securityContext"]["privileged"] != true),
    ("KSV001", "MEDIUM: no more privileges than at the start", |it| {
        it["securityContext"]["allowPrivilegeEscalation"] == false
    }),
    ("KSV003", "LOW: default capabilities are dropped", |it| {
        it["securityContext"]["capabilities"]["drop"] == json!(["ALL"])
    }),
    ("KSV004", "LOW: some capabilities are dropped", |it| {
        it["securityContext"]["capabilities"]["drop"] == json!(["ALL"])
    }),
    ("KSV106", "LOW: nothing is added to none", |it| {
        it["securityContext"]["capabilities"]["add"].is_null()
    }),
    ("KSV022", "MEDIUM: no capability is added", |it| {
        it["securityContext"]["capabilities"]["add"].is_null()
    }),
    ("KSV012", "MEDIUM: not as root", |it| it["securityContext"]["runAsNonRoot"] == true),
    ("KSV014", "HIGH: a root that nothing writes to", |it| {
        it["securityContext"]["readOnlyRootFilesystem"] == true
    }),
    ("KSV027", "MEDIUM: the default mask of /proc", |it| {
        it["securityContext"]["procMount"].is_null()
    }),
    ("KSV011", "LOW: a limit of cpu", |it| it["resources"]["limits"]["cpu"].is_string()),
    ("KSV018", "LOW: a limit of memory", |it| it["resources"]["limits"]["memory"].is_string()),
    ("KSV015", "LOW: a request of cpu", |it| it["resources"]["requests"]["cpu"].is_string()),
    ("KSV016", "LOW: a request of memory", |it| it["resources"]["requests"]["memory"].is_string()),
    ("KSV013", "MEDIUM: no movable tag", |it| {
        it["image"].as_str().is_some_and(|it| it.contains("@sha256:"))
    }),
    ("KSV024", "HIGH: no port of the host", |it| {
        each(&it["ports"], |port| port["hostPort"].is_null())
    }),
    ("KSV117", "MEDIUM: no privileged port", |it| {
        each(&it["ports"], |port| port["containerPort"].as_i64() >= Some(1024))
    }),
];

fn each(list: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    list.as_array().into_iter().flatten().all(holds)
}

/// The rules that objects break.
fn broken(pod: &Value) -> Vec<&'static str> {
    let mut broken = Vec::new();
    broken.extend(POD_RULES.iter().filter(|(_, _, holds)| !holds(pod)).map(|(id, ..)| *id));
    for container in pod["containers"].as_array().unwrap() {
        let rules = CONTAINER_RULES.iter().filter(|(_, _, holds)| !holds(container));
        broken.extend(rules.map(|(id, ..)| *id));
    }
    broken
}

#[test]
fn pods_keep_the_rules_of_scanners() {
    for (name, text) in [("web", WEB), ("data", DATA), ("files", FILES)] {
        let objects = app(name, text).unwrap().objects().unwrap();
        let workload = objects.last().unwrap();
        assert!(matches!(workload.kind, Kind::Deployment | Kind::StatefulSet));
        assert_eq!(broken(&workload.value["spec"]["template"]["spec"]), [""; 0], "{name}");
    }
}

/// The files below a folder, by their path in it.
fn files(folder: &Path, prefix: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            files(&path, &format!("{name}/"), into);
        } else {
            into.insert(name, fs::read(path).unwrap());
        }
    }
}

#[test]
fn shipped_templates_keep_the_rules_of_scanners() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
    let mut all = BTreeMap::new();
    files(&place, "", &mut all);
    let mut folders: BTreeMap<String, TemplateFolder> = BTreeMap::new();
    for (path, bytes) in all {
        let (name, rest) = path.split_once('/').unwrap();
        let folder = folders.entry(name.to_owned()).or_insert_with(|| folder(name, ""));
        folder.files.insert(rest.to_owned(), bytes.into());
    }
    let catalog = Catalog::read(folders.into_values().collect());
    let mut judged = Vec::new();
    for name in catalog.names() {
        let template = catalog.get(name.as_str()).unwrap();
        if template.deploy().is_none() {
            continue;
        }
        let settings = template.for_arch(Arch::Amd64).unwrap().image;
        let user = settings.user.unwrap_or(dmc_template::Owner { uid: 65532, gid: 65532 });
        let app = App::new(template, settings, user, IMAGE.to_owned()).unwrap();
        let objects = app.objects().unwrap();
        let pod = &objects.last().unwrap().value["spec"]["template"]["spec"];
        // Debian's number for the user mysql is below 10000.
        let wanted = if name.as_str() == "mariadb" { vec!["KSV021", "KSV020"] } else { vec![] };
        assert_eq!(broken(pod), wanted, "{name}");
        judged.push(name.as_str());
    }
    for name in ["adminer", "mariadb", "nginx", "php"] {
        assert!(judged.contains(&name), "{name} is not made for a cluster: {judged:?}");
    }
}

#[test]
fn each_rule_finds_what_breaks_it() {
    let worst = json!({
        "hostNetwork": true, "hostIPC": true, "hostPID": true, "hostUsers": true,
        "volumes": [{ "hostPath": { "path": "/var/run/docker.sock" } }],
        "securityContext": {
            "runAsUser": 0, "runAsGroup": 0, "seccompProfile": { "type": "Unconfined" },
            "sysctls": [], "seLinuxOptions": {},
        },
        "containers": [{
            "image": "x:latest", "ports": [{ "hostPort": 80, "containerPort": 80 }],
            "securityContext": {
                "privileged": true, "capabilities": { "add": ["SYS_ADMIN"] },
                "procMount": "Unmasked",
            },
        }, { "image": "y" }],
    });
    let found = broken(&worst);
    for (id, what, _) in POD_RULES.iter().chain(&CONTAINER_RULES) {
        assert!(found.contains(id), "{id} {what} is never broken");
    }
}
