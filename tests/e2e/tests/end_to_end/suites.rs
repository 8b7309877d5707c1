//! Other suites than the default one.

use dmc_e2e::{Built, Container, Engine, Workplace, host, run, tool};

#[test]
fn nginx_of_bookworm_is_built_for_both_architectures_and_serves() {
    let workplace = Workplace::new();
    let built = workplace.create(&["-D", "bookworm", "-t", "nginx"]);
    assert_eq!(built.layout.architectures(&built.digest), ["amd64", "arm64"]);
    let config = built.layout.config(&built.digest, host());
    assert_eq!(config["config"]["Labels"]["dmc.dist"], "bookworm");

    let engine = Engine::podman();
    let args = ["load", "-D", "bookworm", "-t", "nginx", "--engine", engine.name()];
    run(&mut engine.aim(workplace.dmc(&args))).ok();
    let image = format!("localhost/{}", built.reference);
    let container = Container::with_site(&engine, "", &[&image]);
    assert_eq!(container.get("/").status, 200);
    assert_eq!(container.quit(), 0);
}

/// Its Python has another version in each release.
#[test]
fn python_of_bookworm_and_sid_is_built_and_runs() {
    let engine = Engine::podman();
    for dist in ["bookworm", "sid"] {
        let workplace = Workplace::new();
        let common = ["-D", dist, "-t", "python", "-A", host()];
        workplace.create(&[&common[..], &["--accept-expired", "sid"]].concat());
        let load = [&["load"], &common[..], &["--engine", engine.name()]].concat();
        let loaded = run(&mut engine.aim(workplace.dmc(&load))).ok().stdout;
        let image = loaded.lines().next().expect("a loaded image").to_owned();
        let mut command = engine.command();
        let program = "import ssl, sqlite3, ctypes; print(6 * 7)";
        command.args(["run", "--rm", "--network=none", &image, "-c", program]);
        assert_eq!(run(&mut command).ok().stdout.trim(), "42", "{dist}");
    }
}

/// sid's release runs out after a week where a mirror does not follow; then it must be refused by
/// name, and taken where that is said. Where it has not run out, nothing is refused or recorded.
#[test]
fn sid_is_refused_once_it_has_expired_unless_that_is_accepted() {
    let accepting = Workplace::new();
    let args = ["-D", "sid", "-t", "nginx", "-A", host(), "--accept-expired", "sid"];
    let built = accepting.create(&args);
    let expired = has_expired(&accepting);
    println!("sid of this mirror has {}expired", if expired { "" } else { "not " });
    let labels = &built.layout.config(&built.digest, host())["config"]["Labels"];
    let recorded = labels["dmc.accepted-expired"].as_str();
    assert_eq!(recorded, expired.then_some("sid"), "{labels:#}");

    let strict = Workplace::new();
    let done = strict.run(&["-D", "sid", "-t", "nginx", "-A", host()]);
    if expired {
        let refused = done.code_is(1);
        for wanted in ["the release of `sid` expired", "--accept-expired"] {
            assert!(refused.stderr.contains(wanted), "no `{wanted}` in:\n{}", refused.stderr);
        }
        assert!(refused.stdout.is_empty(), "{}", refused.stdout);
        assert!(!strict.out().join("index.json").exists(), "something was built");
    } else {
        assert_eq!(Built::of(&strict, &done.ok().stdout).digest, built.digest);
    }
}

/// Whether the InRelease that the store keeps has expired, by coreutils' clock and calendar.
fn has_expired(workplace: &Workplace) -> bool {
    let releases = std::fs::read_dir(workplace.root().join("store/v1/releases")).unwrap();
    let texts = releases.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let texts = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let sid = texts.into_iter().find(|text| text.contains("\nCodename: sid\n"));
    let sid = sid.expect("sid's InRelease is in the store");
    let Some(until) = sid.lines().find_map(|line| line.strip_prefix("Valid-Until: ")) else {
        return false;
    };
    let seconds = |when: &str| -> i64 {
        run(tool("date", "coreutils").args(["-d", when, "+%s"])).ok().stdout.trim().parse().unwrap()
    };
    seconds(until) < seconds("now")
}
