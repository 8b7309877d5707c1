//! The objects of a farm: many pods build the shards of a plan, one makes plans and finishes them.
//!
//! [`shards_job`] is an Indexed Job, a pod for each shard: `dmc create --locked --plan REF@sha256:…
//! --shard $(JOB_COMPLETION_INDEX)/N`. Its pods know the registry and nothing else: no key, no
//! token of the cluster. [`night`] is a `CronJob` with one pod that plans, starts that Job, waits for
//! it and finishes: it alone holds the key, and its token lets it do nothing but keep Jobs in its own
//! namespace. All pods keep to the "restricted" Pod Security Standard; their store is an emptyDir,
//! as everything that lasts is in the registry.

use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar,
    EnvVarSource, KeyToPath, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
    SeccompProfile, SecretKeySelector, SecretVolumeSource, SecurityContext, ServiceAccount, Volume,
    VolumeMount,
};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The user of dmc's own image.
const USER: i64 = 65532;

/// How often a shard is tried again before it counts as failed.
const TRIES: i32 = 2;

/// No shard's pod works for longer, in seconds.
pub const LONGEST: i64 = 6 * 3600;

/// How much longer a night may take, in seconds: its pod plans before the shards and finishes after.
const AROUND: i64 = 2 * 3600;

/// How long a finished Job stays to be looked at, in seconds.
const KEPT: i32 = 24 * 3600;

/// The farm that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farm {
    /// What the objects are called.
    pub name: String,
    /// Their namespace.
    pub namespace: String,
    /// The image of dmc.
    pub image: String,
    /// How many pods build.
    pub shards: u32,
    /// When the nights begin, as cron(8) says it.
    pub schedule: String,
    /// What goes to `dmc farm plan`: templates, groups, registry.
    pub flags: Vec<String>,
    /// The configuration file, where there is one.
    pub conf: Option<String>,
    /// The Secret of type `kubernetes.io/dockerconfigjson` with the registry's credentials.
    pub credentials: Option<String>,
    /// The Secret with `cosign.key` and `cosign.password`.
    pub key: Option<String>,
}

/// The Job that builds the shards of a plan, `REPOSITORY@sha256:…`.
pub fn shards_job(farm: &Farm, plan: &str) -> Job {
    let shards = i32::try_from(farm.shards).unwrap_or(i32::MAX);
    let short = plan.rsplit_once(':').map_or(plan, |(_, digest)| digest);
    let short = short.get(..12).unwrap_or(short);
    let shard = format!("$(JOB_COMPLETION_INDEX)/{}", farm.shards);
    let args = ["create", "--locked", "--plan", plan, "--shard", &shard].map(str::to_owned);
    Job {
        metadata: named(farm, &format!("{}-{short}", farm.name)),
        spec: Some(JobSpec {
            completion_mode: Some("Indexed".to_owned()),
            completions: Some(shards),
            parallelism: Some(shards),
            backoff_limit_per_index: Some(TRIES),
            max_failed_indexes: Some(shards),
            active_deadline_seconds: Some(LONGEST),
            ttl_seconds_after_finished: Some(KEPT),
            template: pod(farm, args.into(), Part::Builds),
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// Everything that a farm needs to work by itself every night.
pub fn night(farm: &Farm) -> Night {
    let mut args = vec!["farm".to_owned(), "night".to_owned()];
    args.extend(["--shards".to_owned(), farm.shards.to_string()]);
    args.extend(["--conf", "/etc/dmc/dmc.conf"].map(str::to_owned));
    args.extend(farm.flags.iter().cloned());
    let job = JobSpec {
        backoff_limit: Some(0),
        active_deadline_seconds: Some(LONGEST + AROUND),
        template: pod(farm, args, Part::Finishes),
        ..JobSpec::default()
    };
    let cron = CronJob {
        metadata: named(farm, &farm.name),
        spec: CronJobSpec {
            schedule: farm.schedule.clone(),
            concurrency_policy: Some("Forbid".to_owned()),
            starting_deadline_seconds: Some(3600),
            successful_jobs_history_limit: Some(1),
            failed_jobs_history_limit: Some(3),
            job_template: JobTemplateSpec { metadata: None, spec: Some(job) },
            ..CronJobSpec::default()
        },
        status: None,
    };
    let conf = farm.conf.as_ref().map(|text| ConfigMap {
        metadata: named(farm, &farm.name),
        data: Some([("dmc.conf".to_owned(), text.clone())].into()),
        ..ConfigMap::default()
    });
    Night { conf, account: account(farm), role: role(farm), binding: binding(farm), cron }
}

/// The objects of a farm that works by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Night {
    /// The configuration, where there is one.
    pub conf: Option<ConfigMap>,
    /// Who the finishing pod is.
    pub account: ServiceAccount,
    /// What it may do.
    pub role: Role,
    /// That it may.
    pub binding: RoleBinding,
    /// When it does.
    pub cron: CronJob,
}

impl Night {
    /// The objects in the order in which they are to be applied.
    pub fn objects(&self) -> Vec<serde_json::Value> {
        let conf = self.conf.iter().map(serde_json::to_value);
        let others = [
            serde_json::to_value(&self.account),
            serde_json::to_value(&self.role),
            serde_json::to_value(&self.binding),
            serde_json::to_value(&self.cron),
        ];
        // Typed objects always become JSON.
        conf.chain(others).filter_map(Result::ok).collect()
    }
}

/// What a pod is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Builds,
    Finishes,
}

fn labels(farm: &Farm) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name".to_owned(), "dmc".to_owned()),
        ("app.kubernetes.io/instance".to_owned(), farm.name.clone()),
        ("app.kubernetes.io/managed-by".to_owned(), "dmc".to_owned()),
    ]
    .into()
}

fn named(farm: &Farm, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(farm.namespace.clone()),
        labels: Some(labels(farm)),
        ..ObjectMeta::default()
    }
}

fn account(farm: &Farm) -> ServiceAccount {
    ServiceAccount {
        metadata: named(farm, &farm.name),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

fn role(farm: &Farm) -> Role {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Role {
        metadata: named(farm, &farm.name),
        rules: Some(vec![PolicyRule {
            api_groups: Some(words(&["batch"])),
            resources: Some(words(&["jobs"])),
            verbs: words(&["create", "get", "patch"]),
            ..PolicyRule::default()
        }]),
    }
}

fn binding(farm: &Farm) -> RoleBinding {
    RoleBinding {
        metadata: named(farm, &farm.name),
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "Role".to_owned(),
            name: farm.name.clone(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: farm.name.clone(),
            namespace: Some(farm.namespace.clone()),
            api_group: None,
        }]),
    }
}

fn pod(farm: &Farm, args: Vec<String>, role: Part) -> PodTemplateSpec {
    let finishes = role == Part::Finishes;
    let volumes = volumes(farm);
    let mounts = volumes.iter().map(|volume| VolumeMount {
        name: volume.name.clone(),
        mount_path: place(&volume.name).to_owned(),
        read_only: (volume.empty_dir.is_none()).then_some(true),
        ..VolumeMount::default()
    });
    let container = Container {
        name: "dmc".to_owned(),
        image: Some(farm.image.clone()),
        args: Some(args),
        env: Some(environment(farm, role)),
        volume_mounts: Some(mounts.collect()),
        resources: Some(resources(role)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    };
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels(farm)), ..ObjectMeta::default() }),
        spec: Some(PodSpec {
            restart_policy: Some("Never".to_owned()),
            automount_service_account_token: Some(finishes),
            service_account_name: finishes.then(|| farm.name.clone()),
            enable_service_links: Some(false),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: Some(USER),
                run_as_group: Some(USER),
                fs_group: Some(USER),
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".to_owned(),
                    localhost_profile: None,
                }),
                ..PodSecurityContext::default()
            }),
            containers: vec![container],
            volumes: Some(volumes),
            ..PodSpec::default()
        }),
    }
}

/// Where each volume is mounted.
fn place(volume: &str) -> &'static str {
    match volume {
        "work" => "/work",
        "conf" => "/etc/dmc",
        "credentials" => "/run/dmc",
        _ => "/tmp",
    }
}

fn volumes(farm: &Farm) -> Vec<Volume> {
    let empty = |name: &str, limit: &str| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(limit.to_owned())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    };
    let mut volumes = vec![empty("work", "20Gi"), empty("tmp", "1Gi")];
    if farm.conf.is_some() {
        volumes.push(Volume {
            name: "conf".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: farm.name.clone(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    if let Some(secret) = &farm.credentials {
        volumes.push(Volume {
            name: "credentials".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(secret.clone()),
                default_mode: Some(0o440),
                items: Some(vec![KeyToPath {
                    key: ".dockerconfigjson".to_owned(),
                    path: "config.json".to_owned(),
                    ..KeyToPath::default()
                }]),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    volumes
}

fn environment(farm: &Farm, role: Part) -> Vec<EnvVar> {
    let mut environment = vec![EnvVar {
        name: "XDG_CACHE_HOME".to_owned(),
        value: Some("/work".to_owned()),
        value_from: None,
    }];
    if farm.credentials.is_some() {
        environment.push(EnvVar {
            name: "DOCKER_CONFIG".to_owned(),
            value: Some("/run/dmc".to_owned()),
            value_from: None,
        });
    }
    let Some(secret) = farm.key.as_ref().filter(|_| role == Part::Finishes) else {
        return environment;
    };
    // Kubelet lets the pod's group read every file of a Secret, so the key comes by a variable.
    let variables = [("COSIGN_PRIVATE_KEY", "cosign.key"), ("COSIGN_PASSWORD", "cosign.password")];
    environment.extend(variables.map(|(name, key)| EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.clone(),
                key: key.to_owned(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }));
    environment
}

fn resources(role: Part) -> ResourceRequirements {
    let amounts = |cpu: &str, memory: &str| -> BTreeMap<String, Quantity> {
        let amount = |text: &str| Quantity(text.to_owned());
        [("cpu".to_owned(), amount(cpu)), ("memory".to_owned(), amount(memory))].into()
    };
    let (request, limit) = match role {
        Part::Builds => (amounts("1", "512Mi"), amounts("4", "2Gi")),
        Part::Finishes => (amounts("500m", "512Mi"), amounts("4", "2Gi")),
    };
    ResourceRequirements { requests: Some(request), limits: Some(limit), claims: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "registry.example/farm@sha256:0123456789abcdef";

    fn farm() -> Farm {
        Farm {
            name: "dmc-farm".to_owned(),
            namespace: "images".to_owned(),
            image: "registry.example/dmc@sha256:00".to_owned(),
            shards: 4,
            schedule: "0 3 * * *".to_owned(),
            flags: vec!["-g".to_owned(), "core,base".to_owned()],
            conf: Some("host = \"registry.example\"\n".to_owned()),
            credentials: Some("registry".to_owned()),
            key: Some("signing".to_owned()),
        }
    }

    fn pods(job: &JobSpec) -> (&PodSpec, &Container) {
        let pod = job.template.spec.as_ref().unwrap();
        (pod, &pod.containers[0])
    }

    #[test]
    fn each_index_builds_its_shard_of_the_very_plan() {
        let job = shards_job(&farm(), PLAN);
        assert_eq!(job.metadata.name.as_deref(), Some("dmc-farm-0123456789ab"));
        let spec = job.spec.as_ref().unwrap();
        assert_eq!(spec.completion_mode.as_deref(), Some("Indexed"));
        assert_eq!((spec.completions, spec.parallelism), (Some(4), Some(4)));
        assert_eq!(spec.backoff_limit_per_index, Some(TRIES));
        assert_eq!(spec.backoff_limit, None, "the limit is that of each index");
        let (pod, container) = pods(spec);
        assert_eq!(pod.restart_policy.as_deref(), Some("Never"));
        let args = container.args.as_ref().unwrap().join(" ");
        assert_eq!(
            args,
            format!("create --locked --plan {PLAN} --shard $(JOB_COMPLETION_INDEX)/4")
        );
        let store = pod.volumes.as_ref().unwrap().iter().find(|it| it.name == "work").unwrap();
        assert!(store.empty_dir.is_some());
    }

    #[test]
    fn the_finishing_pod_alone_has_key_and_token() {
        let night = night(&farm());
        let cron = &night.cron.spec;
        assert_eq!(cron.concurrency_policy.as_deref(), Some("Forbid"));
        let whole = cron.job_template.spec.as_ref().unwrap().active_deadline_seconds.unwrap();
        assert!(whole > LONGEST, "it plans, and is there when the last shard is done");
        let (finisher, container) = pods(cron.job_template.spec.as_ref().unwrap());
        assert_eq!(finisher.automount_service_account_token, Some(true));
        let names = |container: &Container| {
            let names = container.env.iter().flatten().map(|variable| variable.name.clone());
            names.collect::<Vec<_>>()
        };
        assert!(names(container).contains(&"COSIGN_PRIVATE_KEY".to_owned()));
        let job = shards_job(&farm(), PLAN);
        let (builder, container) = pods(job.spec.as_ref().unwrap());
        assert_eq!(builder.automount_service_account_token, Some(false));
        assert_eq!(names(container), ["XDG_CACHE_HOME", "DOCKER_CONFIG"]);
        let text = serde_json::to_string(&job).unwrap();
        assert!(!text.contains("signing"), "{text}");
        let rules = night.role.rules.as_ref().unwrap();
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].verbs, ["create", "get", "patch"]);
    }

    #[test]
    fn all_pods_are_restricted() {
        let (night, job) = (night(&farm()), shards_job(&farm(), PLAN));
        let cron = night.cron.spec.job_template.spec.as_ref().unwrap();
        for spec in [cron, job.spec.as_ref().unwrap()] {
            let (pod, container) = pods(spec);
            let whole = pod.security_context.as_ref().unwrap();
            assert_eq!(whole.run_as_non_root, Some(true));
            assert_eq!(whole.run_as_user, Some(USER));
            assert_eq!(whole.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
            let own = container.security_context.as_ref().unwrap();
            assert_eq!(own.allow_privilege_escalation, Some(false));
            assert_eq!(own.read_only_root_filesystem, Some(true));
            assert_eq!(own.capabilities.as_ref().unwrap().drop.as_ref().unwrap(), &["ALL"]);
            assert!(container.resources.as_ref().unwrap().limits.is_some());
        }
        let kinds: Vec<String> =
            night.objects().iter().map(|object| object["kind"].as_str().unwrap().into()).collect();
        assert_eq!(kinds, ["ConfigMap", "ServiceAccount", "Role", "RoleBinding", "CronJob"]);
    }
}
