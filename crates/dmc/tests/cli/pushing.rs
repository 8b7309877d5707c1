//! What the command line says of a push, and where it takes credentials from.

use crate::stage::Stage;
use dmc_testkit::{Door, FakeRegistry, RegistryKind};

/// `user` with the password `word` at a registry.
fn user_of(registry: &FakeRegistry) -> Vec<u8> {
    let host = registry.host();
    format!(r#"{{"auths": {{"{host}": {{"auth": "dXNlcjp3b3Jk"}}}}}}"#).into_bytes()
}

fn guarded() -> FakeRegistry {
    let door = Door::Basic("user".to_owned(), "word".to_owned());
    FakeRegistry::start(RegistryKind { door, ..RegistryKind::default() })
}

#[test]
fn what_is_created_is_pushed_where_a_registry_is_named() {
    let (stage, registry) = (Stage::new(), FakeRegistry::open());
    let host = registry.host();
    let told = stage.run(&["-t", "nginx", "-H", &format!("{host}/team")]).good();
    let lines: Vec<&str> = told.stdout.lines().collect();
    let digest = lines[0].split_once(' ').unwrap().1;
    assert_eq!(lines[1], format!("{host}/team/nginx:1.26.3 {digest}"));
    assert!(told.stderr.contains("4 blobs sent"), "{}", told.stderr);
    assert_eq!(registry.tags("team/nginx")["latest"], digest.trim_start_matches("sha256:"));
    // By the configuration, too; and as JSON.
    stage.conf(&format!("host = \"{host}/team\""));
    let told = stage.run(&["-a", "push", "-t", "nginx", "--json"]).good();
    let value: serde_json::Value = serde_json::from_str(told.stdout.trim()).unwrap();
    assert_eq!(value["digest"], digest);
    assert_eq!(value["blobs"], serde_json::json!({ "there": 4, "mounted": 0, "sent": 0 }));
    let list = stage.run(&["-l", "-t", "nginx"]).good().stdout;
    assert!(list.lines().last().unwrap().contains("push     nginx"), "{list}");
}

#[test]
fn a_push_without_a_registry_is_a_mistake_of_the_command_line() {
    let stage = Stage::new();
    stage.run(&["-t", "nginx"]).good();
    let told = stage.run(&["-a", "push", "-t", "nginx"]);
    assert_eq!(told.code, Some(2), "{}", told.stderr);
    assert!(told.stderr.contains("no registry is named"), "{}", told.stderr);
    let told = stage.run(&["-a", "push", "-t", "nginx", "-H", "registry"]);
    assert_eq!(told.code, Some(2), "{}", told.stderr);
    assert!(told.stderr.contains("`registry` is not a registry"), "{}", told.stderr);
    let told = stage.run(&["push", "-t", "nginx", "-H", "registry.example", "--offline"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stderr.contains("this run may not use the network"), "{}", told.stderr);
}

#[test]
fn credentials_are_found_where_podman_and_docker_leave_them() {
    let stage = Stage::new();
    stage.run(&["-t", "nginx"]).good();
    let auth = "containers/auth.json";
    for (place, variable) in [
        ("named.json".to_owned(), None),
        ("variable.json".to_owned(), Some(("REGISTRY_AUTH_FILE", "variable.json"))),
        (format!("run/{auth}"), Some(("XDG_RUNTIME_DIR", "run"))),
        (format!("config/{auth}"), Some(("XDG_CONFIG_HOME", "config"))),
        (format!("home/.config/{auth}"), None),
        ("docker/config.json".to_owned(), Some(("DOCKER_CONFIG", "docker"))),
        ("home/.docker/config.json".to_owned(), None),
    ] {
        let registry = guarded();
        let host = registry.host();
        stage.write(&place, &user_of(&registry));
        let file = stage.path(&place);
        let mut args = vec!["push", "-t", "nginx", "-H", &host];
        if place == "named.json" {
            args.extend(["--authfile", file.as_str()]);
        }
        let mut command = stage.command(&args);
        command.envs(variable.map(|(name, value)| (name, stage.path(value))));
        let told = stage.told(&command.output().unwrap());
        assert_eq!(told.code, Some(0), "{place}: {}", told.stderr);
        assert!(!told.stderr.contains("word"), "{}", told.stderr);
        std::fs::remove_file(file).unwrap();
    }
    let told = stage.run(&["push", "-t", "nginx", "-H", "a.example", "--authfile", "none"]);
    assert_eq!(told.code, Some(2), "{}", told.stderr);
    assert!(told.stderr.contains("there is no file `none`"), "{}", told.stderr);
}
