//! What keeps the containers running.

use super::pod::seconds;
use super::{Kind, Object};
use crate::app::App;
use dmc_template::DeployKind;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

/// The longest value of a label.
const LONGEST_LABEL: usize = 63;

impl App {
    /// Whether each container has storage of its own.
    pub(super) fn is_stateful(&self) -> bool {
        self.deploy.kind == DeployKind::StatefulSet
    }

    /// The object that keeps the containers running.
    pub(super) fn workload(&self) -> Object {
        if self.is_stateful() {
            Object::new(Kind::StatefulSet, &self.stateful_set())
        } else {
            Object::new(Kind::Deployment, &self.deployment())
        }
    }

    fn deployment(&self) -> Deployment {
        // Storage is one node's at a time: the old pod gives it up before the new one gets it.
        let recreate =
            || DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None };
        let spec = DeploymentSpec {
            progress_deadline_seconds: Some(seconds(self.deadline)),
            replicas: self.scale(),
            selector: self.pods(),
            strategy: (!self.deploy.claims.is_empty()).then(recreate),
            template: self.pod(),
            ..DeploymentSpec::default()
        };
        Deployment { metadata: self.versioned(), spec, status: None }
    }

    fn stateful_set(&self) -> StatefulSet {
        let keep = || Some("Retain".to_owned());
        let claims = self.claim_templates();
        let spec = StatefulSetSpec {
            persistent_volume_claim_retention_policy: Some(
                StatefulSetPersistentVolumeClaimRetentionPolicy {
                    when_deleted: keep(),
                    when_scaled: keep(),
                },
            ),
            replicas: self.scale(),
            selector: self.pods(),
            service_name: Some(self.name.clone()),
            template: self.pod(),
            volume_claim_templates: Some(claims).filter(|claims| !claims.is_empty()),
            ..StatefulSetSpec::default()
        };
        StatefulSet { metadata: self.versioned(), spec, status: None }
    }

    fn scale(&self) -> Option<i32> {
        self.replicas.map(|replicas| i32::try_from(replicas).unwrap_or(i32::MAX))
    }

    fn pods(&self) -> LabelSelector {
        LabelSelector { match_expressions: None, match_labels: Some(self.selector()) }
    }

    fn versioned(&self) -> ObjectMeta {
        let mut metadata = self.member(self.name.clone());
        let version = self.version.as_ref().filter(|version| version.len() <= LONGEST_LABEL);
        if let (Some(version), Some(labels)) = (version, &mut metadata.labels) {
            labels.insert("app.kubernetes.io/version".to_owned(), version.clone());
        }
        metadata
    }
}
