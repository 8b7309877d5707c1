//! A Job that is applied and waited for.

use super::Cluster;
use crate::error::DeployError;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use kube::api::{Api, Patch, PatchParams};
use std::time::{Duration, Instant};

impl Cluster {
    /// Applies a Job and waits until it is done; `told` hears how far it is. A Job that is there
    /// already is waited for as it is.
    pub async fn run_job(
        &self,
        job: &Job,
        limit: Duration,
        told: &dyn Fn(&str),
    ) -> Result<(), DeployError> {
        let name = job.metadata.name.clone().unwrap_or_default();
        let api: Api<Job> = Api::namespaced(self.client.clone(), &self.namespace);
        let params = PatchParams::apply(crate::MANAGER).validation_strict();
        let applied = api.patch(&name, &params, &Patch::Apply(job)).await;
        applied.map_err(|error| self.failed(&format!("apply Job {name}"), error))?;
        let (begun, mut last) = (Instant::now(), String::new());
        loop {
            let found = api.get(&name).await;
            let found = found.map_err(|error| self.failed(&format!("read Job {name}"), error))?;
            let status = found.status.unwrap_or_default();
            if holds(&status, "Complete") {
                return Ok(());
            }
            if let Some(why) = failure(&status) {
                return Err(DeployError::JobFailed { job: name, why });
            }
            if begun.elapsed() > limit {
                return Err(DeployError::JobFailed { job: name, why: "it takes too long".into() });
            }
            let state = state(&status);
            if state != last {
                told(&state);
                last = state;
            }
            tokio::time::sleep(self.pace).await;
        }
    }
}

fn holds(status: &JobStatus, kind: &str) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| condition.type_ == kind && condition.status == "True")
}

/// Why a Job has failed, in the cluster's words, with the indices that did.
fn failure(status: &JobStatus) -> Option<String> {
    let mut conditions = status.conditions.iter().flatten();
    let failed = conditions.find(|one| one.type_ == "Failed" && one.status == "True")?;
    let why = failed.message.clone().or_else(|| failed.reason.clone()).unwrap_or_default();
    let indices = status.failed_indexes.as_deref().filter(|indices| !indices.is_empty());
    Some(match indices {
        Some(indices) => format!("{why}; these indices failed: {indices}"),
        None => why,
    })
}

fn state(status: &JobStatus) -> String {
    let done = status.completed_indexes.as_deref().filter(|indices| !indices.is_empty());
    let failed = status.failed_indexes.as_deref().filter(|indices| !indices.is_empty());
    let done = done.map_or("no shard is done".to_owned(), |done| format!("done are shards {done}"));
    match failed {
        Some(failed) => format!("{done}; failed are {failed}"),
        None => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::batch::v1::JobCondition;

    fn status(kind: &str, message: &str) -> JobStatus {
        let condition = JobCondition {
            type_: kind.to_owned(),
            status: "True".to_owned(),
            message: Some(message.to_owned()),
            ..JobCondition::default()
        };
        JobStatus {
            conditions: Some(vec![condition]),
            completed_indexes: Some("0,2-3".to_owned()),
            failed_indexes: Some("1".to_owned()),
            ..JobStatus::default()
        }
    }

    #[test]
    fn a_jobs_end_is_told_with_the_indices_that_failed() {
        assert!(holds(&status("Complete", ""), "Complete"));
        assert_eq!(failure(&status("Complete", "")), None);
        assert_eq!(
            failure(&status("Failed", "too many failed indexes")).unwrap(),
            "too many failed indexes; these indices failed: 1"
        );
        assert_eq!(state(&status("Suspended", "")), "done are shards 0,2-3; failed are 1");
        assert_eq!(state(&JobStatus::default()), "no shard is done");
    }
}
