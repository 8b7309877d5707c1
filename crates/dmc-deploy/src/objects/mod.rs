//! The objects of an app.

mod pod;
mod storage;
#[cfg(test)]
pub(crate) mod tests;
mod workload;

pub use pod::{restricted_container, restricted_pod};

use crate::app::App;
use crate::error::DeployError;
use crate::set::PART_OF;
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Service, ServicePort, ServiceSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ApiResource;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The kinds of objects that apps have, in the order in which they are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Configuration files.
    ConfigMap,
    /// Storage for data.
    PersistentVolumeClaim,
    /// A name and an address within the cluster.
    Service,
    /// Containers that are all alike.
    Deployment,
    /// Containers with names and storage of their own.
    StatefulSet,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::ConfigMap,
        Self::PersistentVolumeClaim,
        Self::Service,
        Self::Deployment,
        Self::StatefulSet,
    ];

    /// `Deployment.apps`, as apply sets list it.
    pub fn group_kind(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Service => "Service",
            Self::Deployment => "Deployment.apps",
            Self::StatefulSet => "StatefulSet.apps",
        }
    }

    /// Where the cluster keeps objects of this kind.
    pub(crate) fn resource(self) -> ApiResource {
        match self {
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.group_kind();
        f.pad(name.split_once('.').map_or(name, |(kind, _group)| kind))
    }
}

/// One object, as it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// All of it.
    pub value: Value,
}

impl Object {
    pub(crate) fn new(kind: Kind, typed: &impl Serialize) -> Self {
        // The API's types always become JSON.
        let value = serde_json::to_value(typed).unwrap_or_default();
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        Self { kind, name, value }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl App {
    /// Its objects, in the order in which they are applied.
    pub fn objects(&self) -> Result<Vec<Object>, DeployError> {
        let mut objects = Vec::new();
        objects.extend(self.config_map().map(|map| Object::new(Kind::ConfigMap, &map)));
        let claims = self.own_claims();
        objects.extend(claims.iter().map(|it| Object::new(Kind::PersistentVolumeClaim, it)));
        objects.extend(self.service()?.map(|service| Object::new(Kind::Service, &service)));
        objects.push(self.workload());
        Ok(objects)
    }

    /// The labels by which its pods are found.
    pub(crate) fn selector(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("app.kubernetes.io/name".to_owned(), self.name.clone())])
    }

    /// The name and labels of a member of its set.
    fn member(&self, name: String) -> ObjectMeta {
        let mut labels = self.selector();
        labels.insert("app.kubernetes.io/managed-by".to_owned(), crate::MANAGER.to_owned());
        labels.insert(PART_OF.to_owned(), self.set().id().to_owned());
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        }
    }

    /// The name of its `ConfigMap`.
    fn config_name(&self) -> String {
        format!("{}-config", self.name)
    }

    fn config_map(&self) -> Option<ConfigMap> {
        if self.deploy.config.is_empty() {
            return None;
        }
        let (mut data, mut binary) = (BTreeMap::new(), BTreeMap::new());
        for (key, bytes) in self.config_keys().zip(self.deploy.config.values()) {
            match std::str::from_utf8(bytes) {
                Ok(text) => drop(data.insert(key, text.to_owned())),
                Err(_) => drop(binary.insert(key, ByteString(bytes.to_vec()))),
            }
        }
        Some(ConfigMap {
            metadata: self.member(self.config_name()),
            data: Some(data).filter(|data| !data.is_empty()),
            binary_data: Some(binary).filter(|binary| !binary.is_empty()),
            immutable: None,
        })
    }

    /// The key of each configuration file: a number, and the end of its path as far as keys take it.
    fn config_keys(&self) -> impl Iterator<Item = String> {
        self.deploy.config.keys().enumerate().map(|(number, path)| {
            let name = path.as_str().rsplit('/').next().unwrap_or_default();
            let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let name: String = name.chars().filter(|c| letter(*c)).take(100).collect();
            format!("{number}-{name}")
        })
    }

    /// The ports of its Service: number, protocol and the container's port.
    fn service_ports(&self) -> Vec<(u16, dmc_template::Port)> {
        let own = self.deploy.service.iter().map(|it| (it.port.get(), it.target));
        let images = self.settings.ports.iter().map(|port| (port.number, *port));
        if self.deploy.service.is_empty() { images.collect() } else { own.collect() }
    }

    fn service(&self) -> Result<Option<Service>, DeployError> {
        let stateful = self.is_stateful();
        let ports = self.service_ports();
        let turned = ports.iter().find(|(port, target)| stateful && *port != target.number);
        if let Some((port, target)) = turned {
            let (name, target) = (self.name.clone(), target.to_string());
            return Err(DeployError::HeadlessPort { name, port: *port, target });
        }
        if ports.is_empty() && !stateful {
            return Ok(None);
        }
        let port = |(port, target): &(u16, dmc_template::Port)| ServicePort {
            name: Some(format!("{}-{port}", protocol(*target).to_ascii_lowercase())),
            port: i32::from(*port),
            protocol: Some(protocol(*target).to_owned()),
            target_port: Some(IntOrString::Int(i32::from(target.number))),
            ..ServicePort::default()
        };
        let spec = ServiceSpec {
            // Each container of a stateful set is asked by its own name.
            cluster_ip: stateful.then(|| "None".to_owned()),
            ports: Some(ports.iter().map(port).collect()).filter(|_| !ports.is_empty()),
            selector: Some(self.selector()),
            ..ServiceSpec::default()
        };
        let metadata = self.member(self.name.clone());
        Ok(Some(Service { metadata, spec: Some(spec), status: None }))
    }
}

fn protocol(port: dmc_template::Port) -> &'static str {
    match port.protocol {
        dmc_template::Protocol::Tcp => "TCP",
        dmc_template::Protocol::Udp => "UDP",
    }
}
