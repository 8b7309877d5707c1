//! `[deploy]`: which cluster, and what all that runs there has in common.

use super::ConfError;
use super::file::{bounds, replace};
use serde::Deserialize;
use std::time::Duration;

/// The table of a layer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClusterFile {
    context: Option<String>,
    namespace: Option<String>,
    pull_secrets: Option<Vec<String>>,
    timeout: Option<u16>,
}

/// What clusters are told besides what templates say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConf {
    /// The kubeconfig's context; none for its current one.
    pub context: Option<String>,
    /// The namespace; none for the context's own.
    pub namespace: Option<String>,
    /// Secrets of the namespace with credentials for the registry.
    pub pull_secrets: Vec<String>,
    /// How long a rollout may make no progress.
    pub timeout: Duration,
}

impl ClusterFile {
    pub(super) fn join(&mut self, later: Self) {
        replace(&mut self.context, later.context);
        replace(&mut self.namespace, later.namespace);
        replace(&mut self.pull_secrets, later.pull_secrets);
        replace(&mut self.timeout, later.timeout);
    }

    pub(super) fn check(self) -> Result<ClusterConf, ConfError> {
        let full = |text: Option<String>| text.filter(|text| !text.is_empty());
        let timeout = self.timeout.unwrap_or(300);
        if timeout == 0 {
            return Err(bounds("deploy.timeout", "is 0"));
        }
        Ok(ClusterConf {
            context: full(self.context),
            namespace: full(self.namespace),
            pull_secrets: self.pull_secrets.unwrap_or_default(),
            timeout: Duration::from_secs(timeout.into()),
        })
    }
}
