//! Promotion and restart with real registries, engines and containers.

use dmc_e2e::{Engine, Registry, Workplace, free_port, get, host, program, run};
use std::fs;
use std::process::Command;

/// A site of its own on top of nginx, whose page and [run] change.
struct Site {
    workplace: Workplace,
    engine: Engine,
    registry: Registry,
}

impl Site {
    fn new(engine: Engine) -> Self {
        let site = Self { workplace: Workplace::new(), engine, registry: Registry::start() };
        run(&mut site.dmc(&["keygen", "--sign-key", "site.key"])).ok();
        site
    }

    fn write(&self, page: &str, run: &str) {
        let folder = self.workplace.root().join("templates/site");
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "group = \"app\"\nsummary = \"A site\"\nextends = [\"nginx\"]\n\
             [[files]]\npath = \"/usr/share/nginx/html/word\"\ntext = \"{page}\"\n[run]\n{run}\n"
        );
        fs::write(folder.join("template.toml"), text).unwrap();
    }

    fn dmc(&self, args: &[&str]) -> Command {
        let mut command = self.engine.aim(self.workplace.command(program()));
        command.env("COSIGN_PASSWORD", "word").args(["--store", "store", "--out", "out"]);
        command.args(["-A", host(), "--engine", self.engine.name()]).args(args);
        command
    }

    fn upgrade(&self) -> Command {
        let to = self.registry.reference("team");
        self.dmc(&["-H", &to, "--sign-key", "site.key", "upgrade", "site"])
    }

    /// What a container's state is, by a format of the engine.
    fn state(&self, format: &str) -> String {
        let mut command = self.engine.command();
        let told = run(command.args(["container", "inspect", "-f", format, "site"])).ok();
        told.stdout.trim().to_owned()
    }

    fn remove(&self) {
        run(self.engine.command().args(["rm", "-f", "site"])).ok();
    }
}

#[test]
fn an_upgrade_replaces_the_container_in_podman_and_a_failing_one_does_not() {
    let (site, port) = (Site::new(Engine::podman()), free_port());
    let publish = format!("publish = [\"127.0.0.1:{port}:8080\"]");
    for word in ["one", "two"] {
        site.write(word, &publish);
        let told = run(&mut site.upgrade()).ok();
        assert!(told.stdout.contains("\nsite runs sha256:"), "{}", told.stdout);
        assert!(get(port, "/word").text.ends_with(word));
    }
    site.write("three", &format!("{publish}\noptions = [\"--entrypoint=/none\"]"));
    let told = run(&mut site.upgrade());
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stderr.contains("the old one runs again"), "{}", told.stderr);
    assert!(get(port, "/word").text.ends_with("two"));
    // The live image is the new one still; going back comes to what runs.
    let to = site.registry.reference("team");
    let back = ["-H", &to, "--sign-key", "site.key", "rollback", "restart", "-t", "site"];
    let told = run(&mut site.dmc(&back)).ok();
    assert!(told.stderr.contains("container site runs it already"), "{}", told.stderr);
    site.remove();
}

#[test]
fn an_upgrade_replaces_the_container_in_docker_too() {
    let site = Site::new(Engine::docker());
    let none = "options = [\"--network=none\"]";
    site.write("one", none);
    run(&mut site.upgrade()).ok();
    let first = site.state("{{.Id}}");
    site.write("two", none);
    run(&mut site.upgrade()).ok();
    assert_ne!(site.state("{{.Id}}"), first);
    assert_eq!(site.state("{{.State.Running}} {{.HostConfig.ReadonlyRootfs}}"), "true true");
    site.remove();
}
