//! What a cluster keeps of an object, and how it shows it.

use super::fields::Fields;
use serde_json::{Value, json};

/// What becomes of rollouts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Fortune {
    /// They come one step further at each look.
    #[default]
    Good,
    /// New containers never get well.
    Stuck,
    /// The same, and the cluster gives up with these words.
    GivenUp(String),
}

/// An object, and how it is coming on.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) fields: Fields,
    pub(super) uid: u64,
    pub(super) version: u64,
    pub(super) generation: u64,
    pub(super) looks: u32,
    pub(super) status: Value,
}

impl Kept {
    pub(super) fn uid_text(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.uid)
    }

    /// As the server shows it.
    pub(super) fn shown(&self, path: &str, fortune: &Fortune) -> Value {
        let mut value = self.fields.value();
        let metadata = &mut value["metadata"];
        metadata["uid"] = self.uid_text().into();
        metadata["resourceVersion"] = self.version.to_string().into();
        metadata["generation"] = self.generation.into();
        metadata["managedFields"] = self.fields.managed();
        if path.contains("/deployments/") || path.contains("/statefulsets/") {
            value["status"] = self.rollout(&value, fortune);
        }
        if path.contains("/jobs/") {
            value["status"] = self.status.clone();
        }
        value
    }

    /// The first look finds nothing new, the second new containers, the third that they are well.
    fn rollout(&self, value: &Value, fortune: &Fortune) -> Value {
        let wanted = value["spec"]["replicas"].as_u64().unwrap_or(1);
        let well = if self.looks > 2 && *fortune == Fortune::Good { wanted } else { 0 };
        if self.looks < 2 {
            return json!({ "observedGeneration": self.generation - 1, "replicas": 0 });
        }
        let mut status = json!({
            "observedGeneration": self.generation, "replicas": wanted,
            "updatedReplicas": wanted, "availableReplicas": well, "readyReplicas": well,
            "currentRevision": "1", "updateRevision": "1",
        });
        if let Fortune::GivenUp(words) = fortune {
            status["conditions"] = json!([{
                "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                "message": words,
            }]);
        }
        status
    }
}
