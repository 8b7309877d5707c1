//! `[deploy]`: how the image runs in a cluster, besides what its configuration says.
//!
//! ```toml
//! [deploy]
//! kind = "stateful-set"
//! env = { MARIADB_ROOT_PASSWORD_FILE = "/run/secrets/mariadb/root-password" }
//! secrets = { "/run/secrets/mariadb" = "mariadb" }
//! claims = { "/var/lib/mysql" = { size = "8Gi" } }
//! config = { "/etc/mysql/mariadb.conf.d/95-site.cnf" = { text = "[mariadbd]\nmax-connections = 50\n" } }
//! probe = { tcp = 3306, start_period = "2m" }
//! requests = { cpu = "100m", memory = "256Mi" }
//! limits = { memory = "512Mi" }
//! ```
//!
//! Whatever the template's image says (user, ports, volumes, health check) is taken from there.
//! Files named in `config` lie below the template's `deploy/`; no image holds them.

use super::HealthCheck;
use super::test::MountedFile;
use crate::words::{Exec, MountPath, ObjectName, Period, Port, Quantity, Variable};
use dmc_types::NameError;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU16;

/// How the image runs in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeployTable {
    /// What keeps the containers running: "deployment", the default, or "stateful-set" for
    /// containers that each have data of their own.
    pub kind: Option<DeployKind>,
    /// How many containers; 1 where nobody says, so that something else may scale them.
    pub replicas: Option<u32>,
    /// Arguments in place of `cmd`.
    pub args: Option<Exec>,
    /// Environment variables besides the image's.
    pub env: BTreeMap<Variable, String>,
    /// Configuration files: path = file or folder below the template's `deploy/`, or { text = "…" }.
    pub config: BTreeMap<MountPath, MountedFile>,
    /// Folders that hold the cluster's secrets, a file for each key: path = the Secret's name.
    pub secrets: BTreeMap<MountPath, ObjectName>,
    /// Storage for data: path = what is claimed. Each of `volumes` needs one.
    pub claims: BTreeMap<MountPath, Claim>,
    /// Folders that are empty at every start, besides /tmp: path = largest size.
    pub scratch: BTreeMap<MountPath, Quantity>,
    /// Ports of the Service; those of the image where none are given.
    pub service: Vec<ServicePort>,
    /// How the cluster asks whether a container is well; the image's health check where none is
    /// given.
    pub probe: Option<Probe>,
    /// What a container is sure to get: cpu, memory, ephemeral-storage = amount.
    pub requests: BTreeMap<ObjectName, Quantity>,
    /// What it gets at most.
    pub limits: BTreeMap<ObjectName, Quantity>,
    /// How long a container may take to end.
    pub grace: Option<Period>,
}

/// What keeps containers running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeployKind {
    /// A Deployment: containers that are all alike.
    #[default]
    Deployment,
    /// A `StatefulSet`: each container has a name and storage of its own.
    StatefulSet,
}

/// Storage that outlives the container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// How large it is at least.
    pub size: Quantity,
    /// The cluster's class of storage; its default where none is given.
    pub class: Option<ObjectName>,
}

/// A port of the Service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicePort {
    /// Where others ask.
    pub port: NonZeroU16,
    /// The container's port, such as 8080 or "53/udp".
    pub target: Port,
}

/// How the cluster asks whether a container is well.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ProbeTable")]
pub struct Probe {
    /// What is asked.
    pub ask: Ask,
    /// Time between two checks.
    pub interval: Option<Period>,
    /// Time after which a check counts as failed.
    pub timeout: Option<Period>,
    /// Failures in a row that make it unhealthy.
    pub retries: Option<u32>,
    /// Time for starting, during which failures do not count.
    pub start_period: Option<Period>,
}

/// What a [`Probe`] asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A page, by HTTP.
    Http {
        /// The port.
        port: u16,
        /// The page.
        path: String,
    },
    /// Whether something listens on a port.
    Tcp(u16),
    /// A program of the image, which exits with 0.
    Exec(Exec),
}

/// A page that a probe asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbePage {
    port: u16,
    path: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeTable {
    /// A page that is asked for: its `port`, and its `path` where that is not `/`.
    http: Option<ProbePage>,
    /// A port to connect to.
    tcp: Option<u16>,
    /// A program of the image that exits with 0, in exec form.
    exec: Option<Exec>,
    /// Time between two checks.
    interval: Option<Period>,
    /// Time after which a check counts as failed.
    timeout: Option<Period>,
    /// Failures in a row that make it unhealthy.
    retries: Option<u32>,
    /// Time for starting, during which failures do not count.
    start_period: Option<Period>,
}

impl TryFrom<ProbeTable> for Probe {
    type Error = NameError;

    fn try_from(table: ProbeTable) -> Result<Self, NameError> {
        let ProbeTable { http, tcp, exec, interval, timeout, retries, start_period } = table;
        let page = |page: ProbePage| Ask::Http {
            port: page.port,
            path: page.path.unwrap_or_else(|| "/".to_owned()),
        };
        let asks = [http.map(page), tcp.map(Ask::Tcp), exec.map(Ask::Exec)];
        let mut asks = asks.into_iter().flatten();
        match (asks.next(), asks.next()) {
            (Some(ask), None) => Ok(Self { ask, interval, timeout, retries, start_period }),
            _ => Err(NameError {
                text: "{ … }".to_owned(),
                kind: "probe",
                rule: "it has one of `http`, `tcp` and `exec`",
            }),
        }
    }
}

impl From<&HealthCheck> for Probe {
    fn from(check: &HealthCheck) -> Self {
        Self {
            ask: Ask::Exec(check.test.clone()),
            interval: check.interval,
            timeout: check.timeout,
            retries: check.retries,
            start_period: check.start_period,
        }
    }
}
