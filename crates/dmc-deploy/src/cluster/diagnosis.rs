//! What is the matter with pods that do not come up, in the cluster's own words.

use super::Cluster;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use std::collections::BTreeSet;

impl Cluster {
    /// A line for everything that keeps an app's pods from running. Nothing where the cluster does
    /// not tell: it is said beside an error.
    pub(super) async fn what_is_the_matter(&self, app: &str) -> Vec<String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let params = ListParams::default().labels(&format!("app.kubernetes.io/name={app}"));
        match pods.list(&params).await {
            Ok(pods) => {
                let lines: BTreeSet<String> = pods.items.iter().flat_map(complaints).collect();
                lines.into_iter().collect()
            }
            Err(error) => {
                tracing::debug!(%error, "the pods cannot be listed");
                Vec::new()
            }
        }
    }
}

/// What a pod's status complains about.
fn complaints(pod: &Pod) -> Vec<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref();
    let mut lines = Vec::new();
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    for condition in conditions.filter(|it| it.type_ == "PodScheduled" && it.status == "False") {
        lines.extend(condition.message.as_ref().map(|why| format!("pod {name}: {why}")));
    }
    let containers = status.and_then(|it| it.container_statuses.as_ref()).into_iter().flatten();
    for container in containers {
        let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
        if let Some(waiting) = waiting {
            let reason = waiting.reason.as_deref().unwrap_or("waiting");
            let message = waiting.message.as_deref().unwrap_or_default();
            lines.push(format!("pod {name}: {reason} {message}").trim_end().to_owned());
        }
        let ended = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        if let Some(ended) = ended {
            let reason = ended.reason.as_deref().unwrap_or("ended");
            lines.push(format!("pod {name}: {reason}, exit status {}", ended.exit_code));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_says_what_it_waits_for() {
        let pod = json!({
            "metadata": { "name": "nginx-1" },
            "status": {
                "conditions": [
                    { "type": "Ready", "status": "False", "message": "of no interest" },
                    { "type": "PodScheduled", "status": "False", "message": "0/3 nodes are available" },
                ],
                "containerStatuses": [{
                    "name": "nginx", "image": "x", "imageID": "", "ready": false, "restartCount": 3,
                    "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } },
                    "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } },
                }],
            },
        });
        assert_eq!(
            complaints(&serde_json::from_value(pod).unwrap()),
            [
                "pod nginx-1: 0/3 nodes are available",
                "pod nginx-1: CrashLoopBackOff back-off 40s",
                "pod nginx-1: Error, exit status 1",
            ]
        );
    }
}
