//! `[deploy]` of templates that extend each other.

use super::*;
use crate::{Ask, DeployKind};

const PARENT: &str = r#"
healthcheck = { test = ["/bin/ask"], interval = "5s" }
[deploy]
kind = "stateful-set"
service = [{ port = 80, target = 8080 }, { port = 53, target = "53/udp" }]
env = { A = "parent", B = "parent" }
config = { "/etc/all" = "conf.d", "/etc/one" = { text = "1" } }
requests = { cpu = "50m", memory = "32Mi" }
"#;

fn parent() -> TemplateFolder {
    let parent = with_file(folder("parent", PARENT), "deploy/conf.d/a.conf", b"a");
    with_file(parent, "deploy/conf.d/sub/b.conf", b"b")
}

#[test]
fn a_template_without_the_table_is_not_made_for_a_cluster() {
    let catalog = Catalog::read(vec![folder("it", "ports = [80]")]);
    assert_eq!(catalog.get("it").unwrap().deploy(), None);
}

#[test]
fn a_child_says_what_differs_and_has_the_rest_of_its_parent() {
    let child = "extends = [\"parent\"]\n[deploy]\nreplicas = 2\nenv = { B = \"child\" }\n\
        service = [{ port = 80, target = 9090 }]\nconfig = { \"/etc/all/a.conf\" = { text = \"A\" } }\n\
        requests = { memory = \"64Mi\" }";
    let catalog = Catalog::read(vec![parent(), folder("child", child)]);
    let deploy = catalog.get("child").unwrap().deploy().unwrap();
    assert_eq!((deploy.kind, deploy.replicas), (DeployKind::StatefulSet, Some(2)));
    let pairs = |map: &BTreeMap<crate::ObjectName, crate::Quantity>| {
        map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(pairs(&deploy.requests), "cpu=50m memory=64Mi");
    let env: Vec<&str> = deploy.env.values().map(String::as_str).collect();
    assert_eq!(env, ["parent", "child"]);
    let ports = deploy.service.iter().map(|it| format!("{}={}", it.port, it.target));
    assert_eq!(ports.collect::<Vec<_>>(), ["53=53/udp", "80=9090/tcp"]);
    let config = deploy.config.iter();
    let config = config.map(|(path, bytes)| format!("{path}={}", String::from_utf8_lossy(bytes)));
    let wanted = ["/etc/all/a.conf=A", "/etc/all/sub/b.conf=b", "/etc/one=1"];
    assert_eq!(config.collect::<Vec<_>>(), wanted);
}

#[test]
fn the_health_check_is_the_probe_unless_another_is_given() {
    let own = "extends = [\"parent\"]\n[deploy]\nprobe = { http = { port = 80 } }";
    let catalog = Catalog::read(vec![parent(), folder("own", own)]);
    let probe = |name: &str| catalog.get(name).unwrap().deploy().unwrap().probe.clone().unwrap();
    let exec = crate::Exec(vec!["/bin/ask".to_owned()]);
    assert_eq!(probe("parent").ask, Ask::Exec(exec));
    assert_eq!(probe("parent").interval.unwrap().duration().as_secs(), 5);
    assert_eq!(probe("own").ask, Ask::Http { port: 80, path: "/".to_owned() });
}

#[test]
fn what_a_cluster_mounts_is_no_part_of_the_image() {
    let read = |bytes: &[u8]| {
        let it = with_file(folder("it", ""), "deploy/x", bytes);
        let catalog = Catalog::read(vec![it]);
        let template = catalog.get("it").unwrap();
        assert_eq!(template.placed.len(), 0);
        template.digest_input().to_vec()
    };
    assert_eq!(read(b"1"), read(b"2"));
}
