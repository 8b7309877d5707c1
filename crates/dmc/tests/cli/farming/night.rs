//! A whole night. The kubelet is the test: it runs what pods would run, as their templates say it,
//! and tells the cluster how that went.

use super::Farm;
use crate::stage::Told;
use dmc_testkit::{Door, FakeCluster, FakeRegistry, RegistryKind, registry_error};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const CONF: &str = "[farm]\nnamespace = \"images\"\nimage = \"registry.example/dmc\"\n\
    credentials = \"registry\"\nkey = \"signing\"\n[signing]\nkey = \"env://COSIGN_PRIVATE_KEY\"\n";

/// A farm whose registry asks for a password, and a cluster that has what `dmc farm manifests`
/// prints.
struct Night {
    farm: Farm,
    cluster: FakeCluster,
    objects: Vec<Value>,
}

impl Night {
    fn new(templates: &str, shards: u32) -> Self {
        let door = Door::Basic("user".to_owned(), "word".to_owned());
        let registry = FakeRegistry::start(RegistryKind { door, ..RegistryKind::default() });
        let (farm, cluster) = (Farm::with(registry), FakeCluster::start(&["images"]));
        farm.stage.write("kubeconfig", cluster.kubeconfig("other").as_bytes());
        farm.stage.conf(CONF);
        let mut keygen = farm.stage.command(&["keygen", "--sign-key", "dmc.key"]);
        farm.stage.told(&keygen.env("COSIGN_PASSWORD", "secret").output().unwrap()).good();
        let host = farm.host();
        let words = format!("farm manifests --json -t {templates} --shards {shards} -H {host}");
        let output = farm.stage.command(&words.split(' ').collect::<Vec<_>>()).output().unwrap();
        farm.stage.told(&output).good();
        let printed = serde_json::Deserializer::from_slice(&output.stdout);
        let objects = printed.into_iter().collect::<Result<_, _>>().unwrap();
        Self { farm, cluster, objects }
    }

    fn object(&self, kind: &str) -> &Value {
        self.objects.iter().find(|object| object["kind"] == kind).unwrap()
    }

    /// A value of a Secret.
    fn secret(&self, name: &Value, key: &Value) -> String {
        match (name.as_str().unwrap(), key.as_str().unwrap()) {
            ("registry", ".dockerconfigjson") => {
                let host = self.farm.registry.host();
                format!(r#"{{"auths": {{"{host}": {{"auth": "dXNlcjp3b3Jk"}}}}}}"#)
            }
            ("signing", "cosign.key") => {
                std::fs::read_to_string(self.farm.stage.path("work/dmc.key")).unwrap()
            }
            ("signing", "cosign.password") => "secret".to_owned(),
            other => panic!("there is no {other:?}"),
        }
    }

    /// Fills a volume, at its place below a pod's own folder.
    fn mount(&self, volume: &Value, place: &str) {
        let stage = &self.farm.stage;
        stage.write(&format!("{place}/.mounted"), b"");
        if let Value::String(name) = &volume["configMap"]["name"] {
            let map = self.object("ConfigMap");
            assert_eq!(map["metadata"]["name"], *name);
            for (file, text) in map["data"].as_object().unwrap() {
                stage.write(&format!("{place}/{file}"), text.as_str().unwrap().as_bytes());
            }
        }
        for item in list(&volume["secret"]["items"]) {
            let text = self.secret(&volume["secret"]["secretName"], &item["key"]);
            stage.write(&format!("{place}/{}", item["path"].as_str().unwrap()), text.as_bytes());
        }
    }

    /// What the kubelet starts: the container's arguments, with its variables and volumes. What is
    /// mounted is below a folder of the pod's own.
    fn pod(&self, template: &Value, name: &str, index: &str) -> Command {
        let (spec, container) = (&template["spec"], &template["spec"]["containers"][0]);
        let root = self.farm.stage.path(&format!("pods/{name}"));
        let mut places = Vec::new();
        for mount in list(&container["volumeMounts"]) {
            let place = mount["mountPath"].as_str().unwrap().to_owned();
            let volume = list(&spec["volumes"]).into_iter().find(|it| it["name"] == mount["name"]);
            self.mount(&volume.unwrap(), &format!("pods/{name}{place}"));
            places.push(place);
        }
        let here = |text: &str| {
            let mounted = places.iter().any(|place| text.starts_with(place.as_str()));
            if mounted { format!("{root}{text}") } else { text.to_owned() }
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmc"));
        self.farm.stage.place(&mut command);
        for arg in list(&container["args"]) {
            command.arg(here(&arg.as_str().unwrap().replace("$(JOB_COMPLETION_INDEX)", index)));
        }
        for variable in list(&container["env"]) {
            let key = &variable["valueFrom"]["secretKeyRef"];
            let value = match variable["value"].as_str() {
                Some(text) => here(text),
                None => self.secret(&key["name"], &key["key"]),
            };
            command.env(variable["name"].as_str().unwrap(), value);
        }
        // As the image has it; and what is at /etc/dmc there is the user's configuration here.
        command.env("DMC_OUT", here("/work/out")).env("TMPDIR", here("/tmp"));
        command.env("XDG_CONFIG_HOME", root.join("etc"));
        if spec["automountServiceAccountToken"] == true {
            command.env("KUBECONFIG", self.farm.stage.path("kubeconfig"));
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The pod of the `CronJob`.
    fn finisher(&self) -> Command {
        let job = &self.object("CronJob")["spec"]["jobTemplate"];
        self.pod(&job["spec"]["template"], "night", "")
    }

    /// The path of the Job that a night has made, once there are so many.
    fn job(&self, night: &mut Child, count: usize, seen: &str) -> String {
        loop {
            let paths = self.cluster.paths();
            if paths.len() == count {
                return paths.into_iter().find(|path| path != seen).unwrap();
            }
            if night.try_wait().unwrap().is_some() {
                let mut told = String::new();
                night.stderr.take().unwrap().read_to_string(&mut told).unwrap();
                panic!("the night is over without a Job:\n{told}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs all pods of a Job side by side; gives the indices that failed, and what they said.
    fn kubelet(&self, path: &str) -> Vec<(u64, Told)> {
        let spec = &self.cluster.object(path).unwrap()["spec"];
        let name = path.rsplit('/').next().unwrap();
        let pods = (0..spec["completions"].as_u64().unwrap()).map(|index| {
            let index = index.to_string();
            self.pod(&spec["template"], &format!("{name}-{index}"), &index).spawn().unwrap()
        });
        let pods: Vec<Child> = pods.collect();
        let ends = pods.into_iter().map(|pod| {
            let told = self.farm.stage.told(&pod.wait_with_output().unwrap());
            assert!(!told.stderr.contains("secret"), "{}", told.stderr);
            told
        });
        (0..).zip(ends).filter(|(_, told)| told.code != Some(0)).collect()
    }

    /// What the night says to a status of its Job.
    fn end(&self, night: Child, path: &str, status: &Value) -> Told {
        self.cluster.set_status(path, status);
        self.farm.stage.told(&night.wait_with_output().unwrap())
    }

    /// Nothing has a name.
    #[track_caller]
    fn nothing_is_named(&self) {
        for repository in ["team/nginx", "team/page"] {
            assert_eq!(self.farm.registry.tags(repository), BTreeMap::new(), "{repository}");
        }
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn complete() -> Value {
    json!({ "conditions": [{ "type": "Complete", "status": "True" }] })
}

fn failed(reason: &str, message: &str) -> Value {
    let condition = json!({
        "type": "Failed", "status": "True", "reason": reason, "message": message,
    });
    json!({ "conditions": [condition] })
}

/// Digest by template of lines `[REPOSITORY/]TEMPLATE:TAG DIGEST`.
fn digests(stdout: &str) -> BTreeMap<&str, &str> {
    let pairs = stdout.lines().filter_map(|line| line.split_once(' '));
    let name = pairs.map(|(image, digest)| (image.rsplit('/').next().unwrap_or(image), digest));
    name.map(|(name, digest)| (name.split(':').next().unwrap_or(name), digest)).collect()
}

#[test]
fn a_night_comes_to_what_one_machine_makes() {
    // There are more machines than images.
    let night = Night::new("nginx,page", 5);
    let single = "-t nginx,page --store single/store --out single/out";
    let single = night.farm.run(single).good().stdout;
    let mut finisher = night.finisher().spawn().unwrap();
    let path = night.job(&mut finisher, 1, "");
    assert!(path.starts_with("/apis/batch/v1/namespaces/images/jobs/dmc-farm-"), "{path}");
    night.farm.stage.server.reset();
    let failed = night.kubelet(&path);
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(night.farm.stage.server.requests().len(), 0, "the registry has all that it takes");
    night.nothing_is_named();
    let told = night.end(finisher, &path, &complete()).good();
    let (plan, named) = told.stdout.split_once('\n').unwrap();
    assert!(plan.starts_with(&format!("{}/dmc-farm@sha256:", night.farm.host())), "{plan}");
    assert_eq!(digests(named), digests(&single));
    for (template, digest) in digests(named) {
        let tags = night.farm.registry.tags(&format!("team/{template}"));
        assert_eq!(format!("sha256:{}", tags["latest"]), digest);
        assert!(tags.contains_key(&format!("{}.sig", digest.replace(':', "-"))), "{tags:?}");
    }
    let asked = night.cluster.asked();
    let applied: Vec<&String> = asked.iter().filter(|asked| asked.starts_with("PATCH")).collect();
    assert_eq!(applied, [&format!("PATCH {path}?fieldManager=dmc&fieldValidation=Strict")]);
    assert!(asked.iter().all(|asked| asked.contains(&path)), "its account may do no more");
}

#[test]
fn a_shard_that_fails_keeps_everything_without_a_name_until_a_night_succeeds() {
    let night = Night::new("page", 2);
    let mut finisher = night.finisher().spawn().unwrap();
    let path = night.job(&mut finisher, 1, "");
    let denied = registry_error(403, "DENIED", "the quota is used up");
    night.farm.registry.fault("PUT", "/manifests/shard-1", usize::MAX, denied);
    let ends = night.kubelet(&path);
    let [(1, told)] = &ends[..] else { panic!("{ends:?}") };
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stderr.contains("the quota is used up"), "{}", told.stderr);
    let mut status = failed("FailedIndexes", "Job has failed indexes");
    status["completedIndexes"] = "0".into();
    status["failedIndexes"] = "1".into();
    let job = path.rsplit('/').next().unwrap();
    let words = format!("Job {job} failed: Job has failed indexes; these indices failed: 1");
    let hint = format!("hint: see what its pods said: kubectl logs -n images -l job-name={job}");
    night.end(finisher, &path, &status).failed(1, &[&words, &hint]);
    night.nothing_is_named();

    // The next night has a Job of its own, although the failed one is still there.
    night.farm.registry.reset();
    let mut finisher = night.finisher().spawn().unwrap();
    let second = night.job(&mut finisher, 2, &path);
    assert!(night.kubelet(&second).is_empty());
    night.end(finisher, &second, &complete()).good();
    assert!(night.farm.registry.tags("team/page").contains_key("latest"));
}

#[test]
fn a_night_that_the_cluster_ends_or_contradicts_names_nothing() {
    let late = "Job was active longer than specified deadline";
    for (status, words) in [
        (failed("DeadlineExceeded", late), late),
        // Not every cluster tells the truth.
        (
            complete(),
            "the set is not complete: no report of shard 0 (page on amd64, page on arm64)",
        ),
    ] {
        let night = Night::new("page", 1);
        let mut finisher = night.finisher().spawn().unwrap();
        let path = night.job(&mut finisher, 1, "");
        night.end(finisher, &path, &status).failed(1, &[words, "hint: "]);
        night.nothing_is_named();
    }
    let night = Night::new("page", 1);
    let words = "jobs.batch is forbidden: User \"dmc-farm\" cannot patch resource \"jobs\"";
    night.cluster.refuse("PATCH", "/jobs/", 1, 403, "Forbidden", words);
    let told = night.farm.stage.told(&night.finisher().output().unwrap());
    let hint = "hint: have the right to create, get and patch Jobs of namespace images";
    let told = told.failed(1, &["in namespace images: 403 Forbidden", words, hint]);
    assert!(told.stdout.contains("/dmc-farm@sha256:"), "the plan is there: {}", told.stdout);
    night.nothing_is_named();
}

#[test]
fn what_keeps_a_night_from_its_end_is_known_before_it_begins() {
    let night = Night::new("page", 1);
    // One that begins all the same does not wait for ever.
    night.cluster.refuse("PATCH", "/jobs/", usize::MAX, 403, "Forbidden", "it is too late");
    for (variable, value, words) in [
        ("KUBECONFIG", None, "it is not known which cluster to use"),
        ("COSIGN_PRIVATE_KEY", None, "there is no such variable"),
        ("COSIGN_PASSWORD", Some("another"), "password"),
    ] {
        let mut finisher = night.finisher();
        match value {
            Some(value) => finisher.env(variable, value),
            None => finisher.env_remove(variable),
        };
        let told = night.farm.stage.told(&finisher.output().unwrap());
        told.failed(1, &[words, "hint: "]);
        assert_eq!(night.farm.registry.log().len(), 0, "{variable}: nothing was planned");
    }
}

#[test]
fn a_night_plans_what_its_manifests_were_printed_for() {
    let farm = Farm::new();
    farm.stage.conf(&format!("host = \"registry.example/team\"\n{CONF}"));
    for (words, wanted) in [
        ("", "-H registry.example/team -g core,base,app"),
        ("-g base", "-g base -H registry.example/team"),
        ("-t page,nginx -A arm64", "-t page,nginx -A arm64 -H registry.example/team"),
        (
            "-t page -D trixie -H other.example -T --small --allow-skew --compression zstd",
            "-t page -D trixie -H other.example --compression zstd -T --small --allow-skew",
        ),
    ] {
        let words: Vec<&str> = "farm manifests".split(' ').chain(words.split(' ')).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let printed = farm.stage.run(&words).good().stdout;
        let args = printed.split("\"args\": [").nth(1).unwrap().split(']').next().unwrap();
        let args: Vec<&str> = args.split('"').skip(1).step_by(2).collect();
        let before = "farm night --shards 4 --conf /etc/dmc/dmc.conf";
        assert_eq!(args.join(" "), format!("{before} {wanted}"));
    }
}
