//! Machines that share a build through a real registry, while the mirror moves on under them.
//!
//! The archive is the test kit's, as it must change between two shards; registry, program and
//! processes are real.

use dmc_e2e::{Done, Registry, Workplace, program, run};
use dmc_testkit::{FakeArchive, FakeSuite, Server, SigningKey, fixtures};
use dmc_types::Arch;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Templates of a few packages each, some of them in common.
const TEMPLATES: [(&str, &str); 2] = [
    ("page", "packages = [\"nginx-common\"]\nroots = [\"/usr/share/nginx/html/index.html\"]"),
    ("names", "extends = [\"nss\", \"os-release\"]"),
];

struct Scene {
    place: Workplace,
    server: Server,
    registry: Registry,
}

/// trixie, made so many hours ago.
fn suites(key: &SigningKey, hours: i64) -> [FakeSuite; 3] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let mut suites = fixtures::suites(&[Arch::Amd64, Arch::Arm64], key);
    for suite in &mut suites {
        suite.date = now - hours * 3600;
        suite.valid_until = suite.valid_until.map(|_| now + 7 * 24 * 3600);
    }
    suites
}

/// The archive a day later: every package of nginx is another one, and the old ones are gone.
fn later(key: &SigningKey) -> FakeArchive {
    let mut suites = suites(key, 1);
    for (_, deb) in suites[0].debs.iter_mut().filter(|(_, deb)| deb.package().contains("nginx")) {
        *deb = deb.clone().at_version("1.26.3-9");
    }
    FakeArchive::of(&suites)
}

impl Scene {
    fn new(key: &SigningKey) -> Self {
        let server = Server::start(&FakeArchive::of(&suites(key, 25)));
        let (place, registry) = (Workplace::new(), Registry::start());
        let keyring = place.root().join("machine/usr/share/keyrings");
        fs::create_dir_all(&keyring).unwrap();
        fs::write(keyring.join("debian-archive-keyring.pgp"), key.public_binary()).unwrap();
        for (name, text) in TEMPLATES {
            let folder = place.root().join("templates").join(name);
            fs::create_dir_all(&folder).unwrap();
            let text = format!("group = \"base\"\nsummary = \"A test\"\n{text}\n");
            fs::write(folder.join("template.toml"), text).unwrap();
        }
        let url = server.url();
        let conf = format!(
            "[vendor.debian.archives]\nmain = \"{url}\"\nsecurity = \"{url}\"\n\
             [vendor.debian.floors]\ntrixie = \"\"\ntrixie-updates = \"\"\ntrixie-security = \"\"\n"
        );
        fs::write(place.root().join("dmc.conf"), conf).unwrap();
        Self { place, server, registry }
    }

    /// `dmc` on a machine of its own: its store and layout are empty at first.
    fn on(&self, machine: &str, args: &[&str]) -> Command {
        let mut command = self.place.command(program());
        command.env("DMC_APT_ROOT", self.place.root().join("machine"));
        command.args(["--conf", "dmc.conf", "--json"]);
        command.args(["--store", &format!("{machine}/store"), "--out", &format!("{machine}/out")]);
        command.args(args);
        command
    }

    #[track_caller]
    fn told(&self, machine: &str, args: &[&str]) -> Vec<Value> {
        let done = run(&mut self.on(machine, args)).ok();
        done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn shard(&self, machine: &str, plan: &str, shard: &str) -> Command {
        self.on(machine, &["create", "--locked", "--plan", plan, "--shard", shard])
    }

    /// On the one machine that has the key, in a variable as a pod has it.
    fn finish(&self, plan: &str) -> Done {
        let file = self.place.root().join("dmc.key");
        if !file.exists() {
            let mut keygen = self.on("finisher", &["keygen", "--sign-key", "dmc.key"]);
            run(keygen.env("COSIGN_PASSWORD", "secret")).ok();
        }
        let args = ["farm", "finish", "--plan", plan, "--sign-key", "env://COSIGN_PRIVATE_KEY"];
        let mut command = self.on("finisher", &args);
        command.env("COSIGN_PRIVATE_KEY", fs::read_to_string(file).unwrap());
        run(command.env("COSIGN_PASSWORD", "secret"))
    }

    /// Where the images go.
    fn host(&self) -> String {
        self.registry.reference("team")
    }
}

/// Index by template, of the values that a run or the finisher prints.
fn indices(values: &[Value]) -> BTreeMap<String, String> {
    let index = |value: &Value| {
        let tags = value.get("tags").or_else(|| value.get("references"))?;
        tags.as_array()?;
        let text = |key: &str| Some(value.get(key)?.as_str()?.to_owned());
        Some((text("template")?, text("digest")?))
    };
    values.iter().filter_map(index).collect()
}

/// Starts a shard and kills it while it is at work.
fn killed(scene: &Scene, machine: &str, plan: &str, shard: &str) {
    let mut child = scene
        .shard(machine, plan, shard)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (begun, store) = (Instant::now(), scene.place.root().join(machine).join("store/v1"));
    while !store.exists() && begun.elapsed() < Duration::from_mins(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "it was done before it was killed");
}

#[test]
fn shards_side_by_side_come_to_what_one_machine_makes_while_the_mirror_moves_on() {
    let key = SigningKey::with_subkey("archive");
    let scene = Scene::new(&key);
    let templates = ["-t", "nginx,page,names"];
    let single = indices(&scene.told("single", &templates));
    assert_eq!(single.len(), 3, "{single:?}");

    let host = scene.host();
    let plan = ["farm", "plan", "--shards", "3", "-H", &host, templates[0], templates[1]];
    let planned = scene.told("planner", &plan);
    let reference = planned[0]["plan"].as_str().unwrap().to_owned();
    assert_eq!(planned[0]["shards"].as_array().unwrap().len(), 3);
    assert_ne!(planned[0]["cache"]["sent"], 0);

    // One shard runs twice at the same time; the mirror has other packages by then.
    scene.server.serve(&later(&key));
    scene.server.reset();
    let twice = ["first", "again"].map(|machine| {
        scene.shard(machine, &reference, "0/3").stdout(Stdio::null()).spawn().unwrap()
    });
    for mut child in twice {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(scene.finish(&reference).code_is(1).stdout, "");
    // One is killed at work, and begins again where it was.
    killed(&scene, "second", &reference, "1/3");
    run(&mut scene.shard("second", &reference, "1/3")).ok();
    let done = scene.finish(&reference).code_is(1);
    assert!(done.stderr.contains("no report of shard 2"), "{}", done.stderr);
    // What stands there are lists of documents, for registries that keep none themselves.
    let tags = scene.registry.tags("team/nginx");
    assert!(tags.iter().all(|tag| tag.starts_with("sha256-")), "nothing has a name yet: {tags:?}");
    run(&mut scene.shard("third", &reference, "2/3")).ok();
    assert_eq!(scene.server.requests().len(), 0, "the registry has all that the shards need");

    let values = |done: Done| -> Vec<Value> {
        done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let finished = values(scene.finish(&reference).ok());
    assert_eq!(indices(&finished), single);
    assert!(finished.iter().all(|one| one["signed"]["made"] != 0), "{finished:?}");
    let tags = scene.registry.tags("team/nginx");
    assert!(tags.contains(&"latest".to_owned()), "{tags:?}");
    let signature = format!("{}.sig", single["nginx"].replace(':', "-"));
    assert!(tags.contains(&signature), "{tags:?}");
    // What is done is not done again.
    let again = values(scene.finish(&reference).ok());
    assert_eq!(indices(&again), single);
    assert!(again.iter().all(|one| one["signed"]["made"] == 0), "{again:?}");
}

#[test]
fn a_plan_of_the_same_archive_brings_nothing_to_the_registry_and_knows_the_costs() {
    let key = SigningKey::with_subkey("archive");
    let scene = Scene::new(&key);
    let host = scene.host();
    let plan = ["farm", "plan", "--shards", "1", "-H", &host, "-t", "page"];
    let first = scene.told("planner", &plan);
    let reference = first[0]["plan"].as_str().unwrap().to_owned();
    run(&mut scene.shard("worker", &reference, "0/1")).ok();
    // A planner with nothing but the registry fetches no package and no index from the mirror.
    scene.server.reset();
    let second = scene.told("other planner", &plan);
    assert_eq!(second[0]["cache"]["sent"], 0, "{second:?}");
    let asked: Vec<String> = scene.server.requests().into_iter().map(|one| one.path).collect();
    assert!(asked.iter().all(|path| path.ends_with("InRelease")), "{asked:?}");
    let cost = |planned: &[Value]| planned[0]["shards"][0][0]["cost"].as_u64().unwrap();
    assert_ne!(cost(&first), cost(&second), "the second one was measured");
    // The first plan's machines are late now.
    let late = run(&mut scene.shard("worker", &reference, "0/1")).code_is(1);
    assert!(late.stderr.contains("a newer plan has taken the place"), "{}", late.stderr);
}
