//! `[run]`: how a container of the image runs on this machine, besides what its configuration says.
//!
//! ```toml
//! [run]
//! publish = ["127.0.0.1:8080:8080"]
//! volumes = { "/var/lib/mysql" = "mariadb-data", "/etc/site" = "/srv/site" }
//! env = { TZ = "Europe/Paris" }
//! options = ["--memory=512m", "--restart=unless-stopped"]
//! ```
//!
//! Tests run with the same environment, arguments and folders, but with volumes of their own and
//! without ports of the machine.

use crate::words::{EngineOption, Exec, MountPath, ObjectName, Publish, Variable, Volume};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a container of the image runs on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunTable {
    /// What the container is called; as the template where no name is given.
    pub name: Option<ObjectName>,
    /// Arguments in place of `cmd`.
    pub args: Option<Exec>,
    /// Environment variables besides the image's.
    pub env: BTreeMap<Variable, String>,
    /// Ports of the machine that lead to the container's: "8080:8080", "127.0.0.1:53:53/udp".
    pub publish: Vec<Publish>,
    /// Where data is kept: path = a volume's name, or a folder of the machine. Each of `volumes`
    /// that is not named here has a volume that is named after container and path.
    pub volumes: BTreeMap<MountPath, Volume>,
    /// Folders in memory besides /tmp.
    pub tmpfs: Vec<MountPath>,
    /// Further options of `podman run` or `docker run`, such as "--memory=512m".
    pub options: Vec<EngineOption>,
}
