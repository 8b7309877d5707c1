//! The pod: one container that has no more rights than it needs.

use crate::app::App;
use dmc_template::{Ask, Owner, Period, Probe};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, ExecAction, HTTPGetAction,
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, Probe as PodProbe,
    ResourceRequirements, SeccompProfile, SecurityContext, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;
use std::time::Duration;

/// The annotation of pods that changes with their configuration files.
const CONFIG: &str = "dmc/config";

/// Time between two checks, and until one has failed, where nobody says.
const INTERVAL: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Failures in a row that make a container unhealthy, where nobody says.
const RETRIES: u32 = 3;

/// The pod's part of the restricted profile: an ordinary user by number, and the runtime's filter
/// of system calls.
pub fn restricted_pod(user: Owner) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(i64::from(user.uid)),
        run_as_group: Some(i64::from(user.gid)),
        fs_group: Some(i64::from(user.gid)),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// A container's part of the restricted profile, and a root that nothing writes to.
pub fn restricted_container() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        ..SecurityContext::default()
    }
}

impl App {
    pub(super) fn pod(&self) -> PodTemplateSpec {
        let digest = self.config_digest();
        let metadata = ObjectMeta {
            labels: Some(self.selector()),
            annotations: digest.map(|digest| BTreeMap::from([(CONFIG.to_owned(), digest)])),
            ..ObjectMeta::default()
        };
        let (volumes, mounts) = self.volumes();
        let secret = |name: &String| LocalObjectReference { name: name.clone() };
        let grace = self.deploy.grace.map(|grace| i64::from(seconds(grace.duration())));
        let spec = PodSpec {
            automount_service_account_token: Some(false),
            containers: vec![Container { volume_mounts: Some(mounts), ..self.container() }],
            // Variables for each other Service of the namespace are nobody's wish.
            enable_service_links: Some(false),
            image_pull_secrets: some(self.pull_secrets.iter().map(secret).collect()),
            security_context: Some(restricted_pod(self.user)),
            termination_grace_period_seconds: grace,
            volumes: Some(volumes),
            ..PodSpec::default()
        };
        PodTemplateSpec { metadata: Some(metadata), spec: Some(spec) }
    }

    fn container(&self) -> Container {
        let args = self.deploy.args.as_ref();
        let args = args.map(|args| self.program.iter().chain(&args.0).cloned().collect());
        let env = self.deploy.env.iter();
        let env = env.map(|(name, value)| EnvVar {
            name: name.to_string(),
            value: Some(value.clone()),
            value_from: None,
        });
        let ports = self.settings.ports.iter().map(|port| ContainerPort {
            container_port: i32::from(port.number),
            protocol: Some(super::protocol(*port).to_owned()),
            ..ContainerPort::default()
        });
        let probe = self.deploy.probe.as_ref();
        Container {
            name: self.name.clone(),
            image: Some(self.image.clone()),
            // A digest names the same bytes wherever they come from.
            image_pull_policy: Some("IfNotPresent".to_owned()),
            args,
            env: some(env.collect()),
            ports: some(ports.collect()),
            resources: Some(self.resources()),
            security_context: Some(restricted_container()),
            startup_probe: probe.and_then(startup),
            readiness_probe: probe.map(check),
            liveness_probe: probe.map(check),
            ..Container::default()
        }
    }

    fn resources(&self) -> ResourceRequirements {
        let amounts = |map: &BTreeMap<dmc_template::ObjectName, dmc_template::Quantity>| {
            let pairs = map.iter();
            let pairs =
                pairs.map(|(name, of)| (name.to_string(), Quantity(of.as_str().to_owned())));
            Some(pairs.collect::<BTreeMap<_, _>>()).filter(|pairs| !pairs.is_empty())
        };
        ResourceRequirements {
            requests: amounts(&self.deploy.requests),
            limits: amounts(&self.deploy.limits),
            claims: None,
        }
    }
}

/// A list, where it holds anything.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// What is asked again and again.
fn check(probe: &Probe) -> PodProbe {
    let (mut exec, mut http_get, mut tcp_socket) = (None, None, None);
    let number = |port: u16| IntOrString::Int(i32::from(port));
    match &probe.ask {
        Ask::Exec(program) => exec = Some(ExecAction { command: Some(program.0.clone()) }),
        Ask::Tcp(port) => tcp_socket = Some(TCPSocketAction { host: None, port: number(*port) }),
        Ask::Http { port, path } => {
            let (path, port) = (Some(path.clone()), number(*port));
            http_get = Some(HTTPGetAction { path, port, ..HTTPGetAction::default() });
        }
    }
    PodProbe {
        exec,
        http_get,
        tcp_socket,
        period_seconds: Some(seconds(interval(probe))),
        timeout_seconds: Some(seconds(probe.timeout.map_or(TIMEOUT, Period::duration))),
        failure_threshold: Some(times(probe.retries.unwrap_or(RETRIES))),
        ..PodProbe::default()
    }
}

/// The same while the container starts: as often as fits into the time that it may take.
fn startup(probe: &Probe) -> Option<PodProbe> {
    let may_take = probe.start_period?.duration();
    let often = may_take.as_millis().div_ceil(interval(probe).as_millis().max(1));
    let often = u32::try_from(often).unwrap_or(u32::MAX);
    Some(PodProbe { failure_threshold: Some(times(often)), ..check(probe) })
}

fn interval(probe: &Probe) -> Duration {
    probe.interval.map_or(INTERVAL, Period::duration)
}

/// Whole seconds, at least one.
pub(super) fn seconds(time: Duration) -> i32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole.max(1)).unwrap_or(i32::MAX)
}

fn times(number: u32) -> i32 {
    i32::try_from(number.max(1)).unwrap_or(i32::MAX)
}
