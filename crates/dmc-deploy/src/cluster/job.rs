//! A Job that is applied and waited for.

use super::Cluster;
use crate::error::DeployError;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use kube::api::{Api, Patch, PatchParams};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often in a row a cluster may not answer: a Job goes on while an API server is replaced.
const AWAY: u32 = 60;

impl Cluster {
    /// Applies a Job and waits until it is done; `told` hears how far it is. A Job that is there
    /// already is waited for as it is. One that has failed stays there to be looked at, and its
    /// name with a number is the next one's.
    pub async fn run_job(
        &self,
        job: &Job,
        limit: Duration,
        told: &dyn Fn(&str),
    ) -> Result<(), DeployError> {
        let mut job = job.clone();
        let first = job.metadata.name.clone().unwrap_or_default();
        let (mut name, mut number) = (first.clone(), 1);
        let found = loop {
            let found = self.job(&name).await?;
            let status = found.as_ref().and_then(|found| found.status.as_ref());
            if status.and_then(failure).is_none() {
                break found;
            }
            number += 1;
            name = format!("{first}-{number}");
        };
        if found.is_some() {
            told(&format!("Job {name} is there already"));
        } else {
            job.metadata.name = Some(name.clone());
            self.apply_job(&name, &job).await?;
            told(&format!("Job {name} is started"));
        }
        self.wait_for_job(&name, limit, told).await
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn job(&self, name: &str) -> Result<Option<Job>, DeployError> {
        let api = self.jobs();
        let found = Box::pin(self.patiently(async || api.get_opt(name).await)).await;
        found.map_err(|error| self.job_failed(&format!("read Job {name}"), error))
    }

    async fn apply_job(&self, name: &str, job: &Job) -> Result<(), DeployError> {
        let params = PatchParams::apply(crate::MANAGER).validation_strict();
        let (api, patch) = (self.jobs(), Patch::Apply(job));
        let applied =
            Box::pin(self.patiently(async || api.patch(name, &params, &patch).await)).await;
        applied.map_err(|error| self.job_failed(&format!("apply Job {name}"), error))?;
        Ok(())
    }

    async fn wait_for_job(
        &self,
        name: &str,
        limit: Duration,
        told: &dyn Fn(&str),
    ) -> Result<(), DeployError> {
        let failed = |why: String| {
            let (job, namespace) = (name.to_owned(), self.namespace.clone());
            DeployError::JobFailed { job, namespace, why }
        };
        let (begun, mut last, mut missed) = (Instant::now(), String::new(), 0);
        loop {
            let found = match self.job(name).await {
                Ok(Some(found)) => found,
                Ok(None) => return Err(failed("somebody has deleted it".to_owned())),
                Err(DeployError::Unreachable { .. })
                    if missed < AWAY && begun.elapsed() < limit =>
                {
                    missed += 1;
                    sleep(self.pace).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            missed = 0;
            let status = found.status.unwrap_or_default();
            if holds(&status, "Complete") {
                return Ok(());
            }
            if let Some(why) = failure(&status) {
                return Err(failed(why));
            }
            let state = state(&status);
            if begun.elapsed() >= limit {
                return Err(failed(format!("it is not done after {} s: {state}", limit.as_secs())));
            }
            if state != last {
                told(&state);
                last = state;
            }
            sleep(self.pace).await;
        }
    }

    fn job_failed(&self, doing: &str, error: kube::Error) -> DeployError {
        match self.failed(doing, error) {
            DeployError::Refused { doing, namespace, status } => {
                DeployError::JobRefused { doing, namespace, status }
            }
            other => other,
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
    let message = failed.message.clone().filter(|message| !message.is_empty());
    let why = message.or_else(|| failed.reason.clone()).unwrap_or_default();
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
    use super::super::tests::Scene;
    use super::*;
    use serde_json::{Value, json};
    use std::cell::RefCell;

    const JOBS: &str = "/apis/batch/v1/namespaces/web/jobs";
    const LONG: Duration = Duration::from_mins(1);

    fn job(image: &str) -> Job {
        let container = json!({ "name": "dmc", "image": image });
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": { "name": "night", "namespace": "web" },
            "spec": {
                "completionMode": "Indexed", "completions": 3, "parallelism": 3,
                "template": { "spec": { "restartPolicy": "Never", "containers": [container] } },
            },
        });
        serde_json::from_value(job).unwrap()
    }

    fn ended(kind: &str, reason: &str, message: &str) -> Value {
        let condition =
            json!({ "type": kind, "status": "True", "reason": reason, "message": message });
        json!({ "conditions": [condition], "completedIndexes": "0,2" })
    }

    /// Runs the Job; whenever something is told, the cluster comes to the next of these states.
    async fn run(
        scene: &Scene,
        states: &[Value],
        limit: Duration,
    ) -> (Vec<String>, Result<(), DeployError>) {
        let (told, left) = (RefCell::new(Vec::new()), RefCell::new(states.iter()));
        let tell = |text: &str| {
            told.borrow_mut().push(text.to_owned());
            let path = scene.fake.paths().pop().unwrap();
            match left.borrow_mut().next() {
                Some(Value::Null) => scene.fake.remove(&path),
                Some(state) => scene.fake.set_status(&path, state),
                None => {}
            }
        };
        let done = scene.cluster().await.run_job(&job("registry.example/dmc"), limit, &tell).await;
        (told.into_inner(), done)
    }

    #[tokio::test]
    async fn a_job_is_applied_once_and_waited_for() {
        let scene = Scene::new();
        let states = [
            json!({ "active": 3 }),
            json!({ "completedIndexes": "0,2", "failedIndexes": "" }),
            json!({ "completedIndexes": "0,2", "failedIndexes": "1" }),
            ended("Complete", "", ""),
        ];
        let (told, done) = run(&scene, &states, LONG).await;
        done.unwrap();
        let steps = [
            "Job night is started",
            "no shard is done",
            "done are shards 0,2",
            "done are shards 0,2; failed are 1",
        ];
        assert_eq!(told, steps);
        let (told, done) = run(&scene, &[], LONG).await;
        done.unwrap();
        assert_eq!(told, ["Job night is there already"]);
        let patches: Vec<String> =
            scene.fake.asked().into_iter().filter(|asked| asked.starts_with("PATCH")).collect();
        let query = "fieldManager=dmc&fieldValidation=Strict";
        assert_eq!(patches, [format!("PATCH {JOBS}/night?{query}")]);
    }

    #[tokio::test]
    async fn a_job_that_does_not_come_to_its_end_is_told_in_the_clusters_words() {
        let failed = |reason: &str, message: &str| ended("Failed", reason, message);
        let mut index = failed("FailedIndexes", "Job has failed indexes");
        index["failedIndexes"] = "1".into();
        let late = "Job was active longer than specified deadline";
        for (summary, state, limit, wanted) in [
            ("a pod", index, LONG, "Job has failed indexes; these indices failed: 1"),
            ("too late", failed("DeadlineExceeded", late), LONG, late),
            ("a reason alone", ended("Failed", "PodFailurePolicy", ""), LONG, "PodFailurePolicy"),
            ("deleted", Value::Null, LONG, "somebody has deleted it"),
            (
                "endless",
                json!({ "completedIndexes": "0" }),
                Duration::ZERO,
                "it is not done after 0 s: done are shards 0",
            ),
        ] {
            let scene = Scene::new();
            let (_, done) = run(&scene, &[state], limit).await;
            let error = done.unwrap_err();
            assert_eq!(error.to_string(), format!("Job night failed: {wanted}"), "{summary}");
            let hint = error.hint().unwrap();
            assert!(hint.ends_with("kubectl logs -n web -l job-name=night --prefix"), "{hint}");
        }
    }

    #[tokio::test]
    async fn a_job_that_has_failed_leaves_its_place_to_another() {
        let scene = Scene::new();
        let failed = ended("Failed", "BackoffLimitExceeded", "no");
        for (number, name) in ["night", "night-2", "night-3"].into_iter().enumerate() {
            let (told, done) = run(&scene, std::slice::from_ref(&failed), LONG).await;
            assert!(done.is_err());
            assert_eq!(told[0], format!("Job {name} is started"));
            assert_eq!(scene.fake.paths().len(), number + 1, "the old ones can be looked at");
        }
    }

    #[tokio::test]
    async fn what_a_cluster_says_to_a_job_is_told_with_what_to_do() {
        let rows = [
            (Some(("GET", 403, "Forbidden")), "read Job night", "a Role"),
            (Some(("PATCH", 403, "Forbidden")), "apply Job night", "get and patch Jobs"),
            (Some(("PATCH", 409, "Conflict")), "409 Conflict: no", "forces nothing"),
            (Some(("PATCH", 422, "Invalid")), "422 Invalid: no", "[farm]"),
            (Some(("PATCH", 404, "NotFound")), "404 NotFound: no", "create namespace web"),
            (Some(("PATCH", 500, "Internal")), "500 Internal: no", "later"),
            (None, "cannot read Job night in the cluster at https://", ""),
        ];
        for (refusal, wanted, hint) in rows {
            let scene = Scene::new();
            match refusal {
                Some((method, code, reason)) => {
                    scene.fake.refuse(method, "/jobs/", 1, code, reason, "no");
                }
                None => scene.fake.ignore("GET", "/jobs/", usize::MAX),
            }
            let (_, done) = run(&scene, &[], LONG).await;
            let error = done.unwrap_err();
            assert!(error.to_string().contains(wanted), "{refusal:?}: {error}");
            let told = error.hint().unwrap_or_default();
            assert!(told.contains(hint) && !told.contains("[deploy]"), "{refusal:?}: {told}");
        }
    }

    #[tokio::test]
    async fn a_job_that_breaks_the_apis_rules_is_refused_in_its_words() {
        let scene = Scene::new();
        let long = "n".repeat(62);
        for (field, value, wanted) in [
            ("/metadata/name", json!(long), "metadata.name: Invalid value"),
            ("/spec/completions", Value::Null, "spec.completions: Required value"),
            ("/spec/completionMode", Value::Null, "requires indexed completion mode"),
            ("/spec/maxFailedIndexes", json!(4), "less than or equal to completions"),
            ("/spec/backoffLimitPerIndex", Value::Null, "spec.backoffLimitPerIndex: Required"),
            ("/spec/template/spec/restartPolicy", Value::Null, "valid values: \"OnFailure\""),
            ("/spec/template/spec/containers", json!([]), "containers: Required value"),
        ] {
            let mut bad = serde_json::to_value(job("registry.example/dmc")).unwrap();
            bad["spec"]["backoffLimitPerIndex"] = 2.into();
            bad["spec"]["maxFailedIndexes"] = 3.into();
            *bad.pointer_mut(field).unwrap() = value;
            let bad: Job = serde_json::from_value(bad).unwrap();
            let done = scene.cluster().await.run_job(&bad, LONG, &|_| ()).await;
            let error = done.unwrap_err();
            assert!(error.to_string().contains("422 Invalid: "), "{field}: {error}");
            assert!(error.to_string().contains(wanted), "{field}: {error}");
            assert!(scene.fake.paths().is_empty());
        }
    }

    #[tokio::test]
    async fn a_cluster_that_is_busy_for_a_while_does_not_end_the_waiting() {
        let scene = Scene::new();
        scene.fake.refuse("PATCH", "/jobs/", 2, 429, "TooManyRequests", "later");
        scene.fake.refuse("GET", "/jobs/", 3, 503, "ServiceUnavailable", "etcd is away");
        run(&scene, &[ended("Complete", "", "")], LONG).await.1.unwrap();
    }

    #[tokio::test]
    async fn a_cluster_that_is_away_for_a_while_does_not_end_the_waiting_and_a_lost_one_does() {
        let scene = Scene::new();
        let (cluster, job) = (scene.cluster().await, job("registry.example/dmc"));
        let silent = |_: &str| {
            scene.fake.ignore("GET", "/jobs/", 1);
            scene.fake.set_status(&format!("{JOBS}/night"), &ended("Complete", "", ""));
        };
        cluster.run_job(&job, LONG, &silent).await.unwrap();

        let scene = Scene::new();
        let cluster = scene.cluster().await;
        let fake = RefCell::new(Some(scene.fake));
        let error = cluster.run_job(&job, LONG, &|_| drop(fake.take())).await.unwrap_err();
        assert!(matches!(error, DeployError::Unreachable { .. }), "{error}");
        assert!(error.hint().is_some());
    }
}
