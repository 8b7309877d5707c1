//! A cluster, spoken to through its API.
//!
//! Which cluster and as whom is said by the kubeconfig (`KUBECONFIG`, else `~/.kube/config`), or
//! within a pod by its service account, as for kubectl. Every request has its time limit; what is
//! worth trying again (429, 503, 504) is tried again three times. What the cluster refuses is an
//! error with the cluster's own words.

mod apply;
mod delete;
mod diagnosis;
mod job;
pub mod rollout;
#[cfg(test)]
mod tests;

pub use apply::{Applied, Change};
pub use delete::Deleted;

use crate::error::DeployError;
use crate::objects::{Kind, Object};
use crate::set::{ApplySet, KINDS, PART_OF, TOOLING};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::sleep;

/// Which cluster, and which namespace of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// A file in place of the usual kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; none for its current one.
    pub context: Option<String>,
    /// The namespace; none for the context's own, else `default`.
    pub namespace: Option<String>,
    /// Time between two looks at a rollout; none for a second.
    pub pace: Option<Duration>,
    /// How long an answer may take; none for half a minute.
    pub patience: Option<Duration>,
}

/// A cluster.
pub struct Cluster {
    client: Client,
    namespace: String,
    server: String,
    pace: Duration,
}

/// How long a connection may take, and an answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);

/// What a cluster answers that has too much to do, and how often it is asked again.
const BUSY: [u16; 3] = [429, 503, 504];
const RETRIES: u32 = 3;

impl Cluster {
    /// Reads the kubeconfig; nothing is asked of the cluster yet.
    pub async fn connect(options: &ClusterOptions) -> Result<Self, DeployError> {
        let mut config = config(options).await?;
        config.connect_timeout = Some(CONNECT);
        let patience = options.patience.unwrap_or(ANSWER);
        config.read_timeout = Some(patience);
        config.write_timeout = Some(patience);
        config.reset_reader_on_write = true;
        // A quarter of an hour of patience is for programs that nobody waits for.
        config.default_retry = false;
        let own = config.default_namespace.clone();
        let namespace = options.namespace.clone().unwrap_or(own);
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| unusable(&error))?;
        let pace = options.pace.unwrap_or(Duration::from_secs(1));
        Ok(Self { client, namespace, server, pace })
    }

    /// The namespace that everything is in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The cluster's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Asks again while the cluster is busy, a few times and each time after a longer wait.
    async fn patiently<T>(&self, ask: impl AsyncFn() -> kube::Result<T>) -> kube::Result<T> {
        let mut wait = self.pace;
        for _ in 0..RETRIES {
            match ask().await {
                Err(kube::Error::Api(status)) if BUSY.contains(&status.code) => sleep(wait).await,
                other => return other,
            }
            wait *= 2;
        }
        ask().await
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
    }

    async fn get(&self, kind: Kind, name: &str) -> Result<Option<DynamicObject>, DeployError> {
        let api = self.api(kind);
        let found = self.patiently(async || api.get_opt(name).await).await;
        found.map_err(|error| self.failed(&format!("read {kind} {name}"), error))
    }

    /// Members of a set, of one kind.
    async fn members(&self, kind: Kind, set: &ApplySet) -> Result<Vec<DynamicObject>, DeployError> {
        let params = ListParams::default().labels(&format!("{PART_OF}={}", set.id()));
        let api = self.api(kind);
        let found = self.patiently(async || api.list(&params).await).await;
        let found =
            found.map_err(|error| self.failed(&format!("list objects of {kind}"), error))?;
        Ok(found.items)
    }

    async fn apply_one(&self, object: &Object) -> Result<DynamicObject, DeployError> {
        let params = PatchParams::apply(crate::MANAGER).validation_strict();
        let patch = Patch::Apply(&object.value);
        let (api, name) = (self.api(object.kind), &object.name);
        let applied = self.patiently(async || api.patch(name, &params, &patch).await).await;
        applied.map_err(|error| self.failed(&format!("apply {object}"), error))
    }

    /// The kinds of members that the parent of a set lists; none where there is no parent.
    async fn kinds_of(
        &self,
        set: &ApplySet,
    ) -> Result<Option<(BTreeSet<Kind>, DynamicObject)>, DeployError> {
        let Some(parent) = self.get(Kind::ConfigMap, &set.parent()).await? else { return Ok(None) };
        let said = |key: &str| {
            let all = parent.metadata.annotations.as_ref();
            all.and_then(|all| all.get(key)).cloned().unwrap_or_default()
        };
        if !said(TOOLING).starts_with(&format!("{}/", crate::MANAGER)) {
            return Err(self.foreign(Kind::ConfigMap, &set.parent()));
        }
        let listed = said(KINDS);
        let listed: BTreeSet<&str> = listed.split(',').collect();
        let kinds = Kind::ALL.into_iter().filter(|kind| listed.contains(kind.group_kind()));
        Ok(Some((kinds.collect(), parent)))
    }

    fn foreign(&self, kind: Kind, name: &str) -> DeployError {
        let namespace = self.namespace.clone();
        DeployError::Foreign { object: format!("{kind} {name}"), namespace }
    }

    fn failed(&self, doing: &str, error: kube::Error) -> DeployError {
        let doing = doing.to_owned();
        match error {
            kube::Error::Api(status) => {
                DeployError::Refused { doing, namespace: self.namespace.clone(), status }
            }
            other => {
                let (server, why) = (self.server.clone(), root_cause(&other));
                DeployError::Unreachable { doing, server, why }
            }
        }
    }
}

async fn config(options: &ClusterOptions) -> Result<Config, DeployError> {
    let failed = |error: KubeconfigError| match error {
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            DeployError::Kubeconfig { why: error.to_string() }
        }
        // Each of these texts has its cause in it.
        other => DeployError::NoCluster { why: other.to_string() },
    };
    let chosen =
        KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    if let Some(file) = &options.kubeconfig {
        let read = Kubeconfig::read_from(file).map_err(failed)?;
        return Config::from_custom_kubeconfig(read, &chosen).await.map_err(failed);
    }
    match Config::from_kubeconfig(&chosen).await {
        // Without a kubeconfig a pod has its service account.
        Err(error) if options.context.is_none() && is_missing(&error) => {
            Config::incluster().map_err(|_none| failed(error))
        }
        other => other.map_err(failed),
    }
}

fn is_missing(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// What no client can be made of: credentials that are not there or do not fit.
fn unusable(error: &kube::Error) -> DeployError {
    // The outer text says no more than that it is about configuration or TLS; the next one has its
    // causes in it.
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    DeployError::Kubeconfig { why }
}

/// The innermost cause; those around it say no more than that a request failed.
fn root_cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.to_string() {
        text if text.is_empty() => error.to_string(),
        text => text,
    }
}

/// Whether dmc applied an object: its manager is on record for the fields that it set.
fn is_ours(object: &DynamicObject) -> bool {
    let managers = object.metadata.managed_fields.iter().flatten();
    let mut managers = managers.map(|it| (it.manager.as_deref(), it.operation.as_deref()));
    managers.any(|it| it == (Some(crate::MANAGER), Some("Apply")))
}

fn name_of(object: &DynamicObject) -> String {
    object.metadata.name.clone().unwrap_or_default()
}

fn label<'a>(object: &'a DynamicObject, key: &str) -> Option<&'a str> {
    object.metadata.labels.as_ref()?.get(key).map(String::as_str)
}
