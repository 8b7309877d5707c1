//! How far a rollout has come, by the status that the cluster reports.
//!
//! The rules are those of `kubectl rollout status`: a status counts once it is about the newest
//! specification, and all is done when every container is new and available and no old one is left.

use super::Cluster;
use crate::error::DeployError;
use crate::objects::{Kind, Object};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How far a rollout has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Everything runs as it is to.
    Done,
    /// What is being waited for.
    Waiting(String),
    /// The cluster has given up; its words.
    Failed(String),
}

/// What the status of a workload says.
pub fn progress(kind: Kind, object: &Value) -> Progress {
    let unreadable = |_| Progress::Waiting("its status cannot be read".to_owned());
    match kind {
        Kind::Deployment => {
            serde_json::from_value(object.clone()).map_or_else(unreadable, |it| deployment(&it))
        }
        Kind::StatefulSet => {
            serde_json::from_value(object.clone()).map_or_else(unreadable, |it| stateful_set(&it))
        }
        _ => Progress::Done,
    }
}

fn deployment(object: &Deployment) -> Progress {
    let wanted = object.spec.replicas.unwrap_or(1);
    let Some(status) = &object.status else { return unseen() };
    if status.observed_generation < object.metadata.generation {
        return unseen();
    }
    let gave_up = status.conditions.iter().flatten().find(|condition| {
        condition.type_.as_deref() == Some("Progressing")
            && condition.reason.as_deref() == Some(GAVE_UP)
    });
    if let Some(condition) = gave_up {
        return Progress::Failed(condition.message.clone().unwrap_or_else(|| GAVE_UP.to_owned()));
    }
    let all = status.replicas.unwrap_or(0);
    let (new, available) =
        (status.updated_replicas.unwrap_or(0), status.available_replicas.unwrap_or(0));
    if new < wanted {
        Progress::Waiting(format!("{new} of {wanted} new containers are started"))
    } else if all > new {
        Progress::Waiting(format!("{} old containers are ending", all - new))
    } else if available < new {
        Progress::Waiting(format!("{available} of {new} new containers are available"))
    } else {
        Progress::Done
    }
}

/// The reason of a deployment that made no progress for too long.
const GAVE_UP: &str = "ProgressDeadlineExceeded";

fn stateful_set(object: &StatefulSet) -> Progress {
    let wanted = object.spec.replicas.unwrap_or(1);
    let Some(status) = &object.status else { return unseen() };
    if status.observed_generation < object.metadata.generation {
        return unseen();
    }
    let (ready, new) = (status.ready_replicas.unwrap_or(0), status.updated_replicas.unwrap_or(0));
    if status.current_revision != status.update_revision && new < wanted {
        Progress::Waiting(format!("{new} of {wanted} new containers are started"))
    } else if ready < wanted {
        Progress::Waiting(format!("{ready} of {wanted} containers are ready"))
    } else {
        Progress::Done
    }
}

fn unseen() -> Progress {
    Progress::Waiting("the cluster has not seen it yet".to_owned())
}

impl Cluster {
    /// Waits until the workload among the objects runs as it is to, telling whenever it has come
    /// further. It may come no further for `patience`.
    pub async fn wait(
        &self,
        objects: &[Object],
        patience: Duration,
        tell: &dyn Fn(&str),
    ) -> Result<(), DeployError> {
        let workload =
            |object: &&Object| matches!(object.kind, Kind::Deployment | Kind::StatefulSet);
        let Some(object) = objects.iter().find(workload) else { return Ok(()) };
        let mut since = Instant::now();
        let mut last = String::new();
        loop {
            let found = self.get(object.kind, &object.name).await?;
            let value = serde_json::to_value(found).unwrap_or_default();
            match progress(object.kind, &value) {
                Progress::Done => return Ok(()),
                Progress::Failed(why) => {
                    let pods = self.what_is_the_matter(&object.name).await;
                    return Err(DeployError::RolloutFailed {
                        object: object.to_string(),
                        why,
                        pods,
                    });
                }
                Progress::Waiting(state) if state != last => {
                    tell(&state);
                    last = state;
                    since = Instant::now();
                }
                Progress::Waiting(state) if since.elapsed() >= patience => {
                    let pods = self.what_is_the_matter(&object.name).await;
                    let object = object.to_string();
                    return Err(DeployError::RolloutSlow { object, after: patience, state, pods });
                }
                Progress::Waiting(_) => {}
            }
            sleep(self.pace).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollout_is_done_when_all_containers_are_new_and_available() {
        let object = |generation: i64, status: &Value| {
            json!({
                "metadata": { "generation": generation }, "status": status,
                "spec": { "replicas": 2, "selector": {}, "template": {} },
            })
        };
        let gave_up = json!([{
            "type": "Progressing", "status": "False", "reason": GAVE_UP, "message": "too slow",
        }]);
        let waiting = |text: &str| Progress::Waiting(text.to_owned());
        let rows = [
            ("no status", json!(null), unseen()),
            ("an old status", json!({ "observedGeneration": 1, "replicas": 2 }), unseen()),
            (
                "nothing new yet",
                json!({ "observedGeneration": 2, "replicas": 2, "availableReplicas": 2 }),
                waiting("0 of 2 new containers are started"),
            ),
            (
                "old ones left",
                json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 2 }),
                waiting("1 old containers are ending"),
            ),
            (
                "not available yet",
                json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2,
                    "availableReplicas": 1 }),
                waiting("1 of 2 new containers are available"),
            ),
            (
                "given up",
                json!({ "observedGeneration": 2, "conditions": gave_up }),
                Progress::Failed("too slow".to_owned()),
            ),
            (
                "all there",
                json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2,
                    "availableReplicas": 2 }),
                Progress::Done,
            ),
        ];
        for (summary, status, wanted) in rows {
            assert_eq!(progress(Kind::Deployment, &object(2, &status)), wanted, "{summary}");
        }
    }

    #[test]
    fn a_stateful_set_is_done_when_all_are_ready_at_the_new_revision() {
        let rows = [
            ("first", json!({ "replicas": 1, "readyReplicas": 0 }), "0 of 1 containers are ready"),
            (
                "an old one runs",
                json!({ "replicas": 1, "readyReplicas": 1, "currentRevision": "a",
                    "updateRevision": "b" }),
                "0 of 1 new containers are started",
            ),
            (
                "done",
                json!({ "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1,
                    "currentRevision": "b", "updateRevision": "b" }),
                "",
            ),
        ];
        for (summary, status, wanted) in rows {
            let object = json!({ "metadata": {}, "status": status });
            let wanted = match wanted {
                "" => Progress::Done,
                text => Progress::Waiting(text.to_owned()),
            };
            assert_eq!(progress(Kind::StatefulSet, &object), wanted, "{summary}");
        }
    }
}
