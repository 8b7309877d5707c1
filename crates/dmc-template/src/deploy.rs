//! `[deploy]` of a template joined with those of the templates that it extends.

use crate::family::{Family, Part};
use crate::schema::deploy::{Claim, DeployKind, DeployTable, Probe, ServicePort};
use crate::words::{Exec, MountPath, ObjectName, Period, Quantity, Variable};
use crate::{HealthCheck, TemplateError};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How an image runs in a cluster, besides what its own configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// What keeps the containers running.
    pub kind: DeployKind,
    /// How many containers, where the template says it.
    pub replicas: Option<u32>,
    /// Arguments in place of `cmd`.
    pub args: Option<Exec>,
    /// Environment variables besides the image's.
    pub env: BTreeMap<Variable, String>,
    /// Configuration files: where each is mounted, and what it holds.
    pub config: BTreeMap<MountPath, Arc<[u8]>>,
    /// Folders that hold the cluster's secrets: path and the Secret's name.
    pub secrets: BTreeMap<MountPath, ObjectName>,
    /// Storage for data, by path.
    pub claims: BTreeMap<MountPath, Claim>,
    /// Folders that are empty at every start, and their largest size.
    pub scratch: BTreeMap<MountPath, Quantity>,
    /// Ports of the Service, each once; none for those of the image.
    pub service: Vec<ServicePort>,
    /// How the cluster asks whether a container is well: as `[deploy]` says, else as the image's
    /// health check does.
    pub probe: Option<Probe>,
    /// What a container is sure to get.
    pub requests: BTreeMap<ObjectName, Quantity>,
    /// What it gets at most.
    pub limits: BTreeMap<ObjectName, Quantity>,
    /// How long a container may take to end.
    pub grace: Option<Period>,
}

impl Deploy {
    /// None where no part of the family has a `[deploy]`.
    pub(crate) fn join(family: &Family<'_>) -> Result<Option<Self>, TemplateError> {
        if family.parts.iter().all(|part| part.file.deploy.is_none()) {
            return Ok(None);
        }
        let check = family.settle("`healthcheck`", |part| part.file.healthcheck.as_ref())?;
        let probe = settle(family, "probe", |table| table.probe.clone())?;
        let service = family.settle_list(
            |port| format!("port {port} of `service`"),
            |part| part.file.deploy.as_ref().map_or(&[][..], |table| &table.service),
            |service| service.port,
        )?;
        Ok(Some(Self {
            kind: settle(family, "kind", |table| table.kind)?.unwrap_or_default(),
            replicas: settle(family, "replicas", |table| table.replicas)?,
            args: settle(family, "args", |table| table.args.clone())?,
            env: pairs(family, "variable", |table| &table.env)?,
            config: config(family)?,
            secrets: pairs(family, "secret", |table| &table.secrets)?,
            claims: pairs(family, "claim", |table| &table.claims)?,
            scratch: pairs(family, "folder", |table| &table.scratch)?,
            service: service.into_values().cloned().collect(),
            probe: probe.or_else(|| check.map(|check: &HealthCheck| Probe::from(check))),
            requests: pairs(family, "request", |table| &table.requests)?,
            limits: pairs(family, "limit", |table| &table.limits)?,
            grace: settle(family, "grace", |table| table.grace)?,
        }))
    }
}

fn settle<'a, T: PartialEq>(
    family: &Family<'a>,
    key: &str,
    said: impl Fn(&'a DeployTable) -> Option<T>,
) -> Result<Option<T>, TemplateError> {
    family.settle(&format!("`deploy.{key}`"), |part| part.file.deploy.as_ref().and_then(&said))
}

fn pairs<'a, K, V>(
    family: &Family<'a>,
    kind: &str,
    said: impl Fn(&'a DeployTable) -> &'a BTreeMap<K, V>,
) -> Result<BTreeMap<K, V>, TemplateError>
where
    K: Ord + Clone + fmt::Display + 'a,
    V: PartialEq + Clone + 'a,
{
    let tables = tables(family);
    let pairs = tables.flat_map(|(part, table)| said(table).iter().map(move |it| (part, it)));
    family.settle_map(
        |key| format!("{kind} `{key}` of [deploy]"),
        pairs.map(|(part, (key, value))| (part, key.clone(), value.clone())),
    )
}

fn tables<'a>(family: &Family<'a>) -> impl Iterator<Item = (&'a Part, &'a DeployTable)> {
    let parts = family.parts.clone();
    parts.into_iter().filter_map(|part| Some((part, part.file.deploy.as_ref()?)))
}

/// What each part mounts: of a folder every file at its own path.
fn config(family: &Family<'_>) -> Result<BTreeMap<MountPath, Arc<[u8]>>, TemplateError> {
    let mut claims: Vec<(&Part, MountPath, Arc<[u8]>)> = Vec::new();
    for (part, table) in tables(family) {
        for (path, file) in &table.config {
            for (below, bytes) in part.deploy_folder.find(file) {
                let path = if below.is_empty() { Some(path.clone()) } else { path.join(below) };
                claims.extend(path.map(|path| (part, path, bytes.into())));
            }
        }
    }
    family.settle_map(|path| format!("file `{path}` of [deploy]"), claims)
}
