//! What keeps an image from running in a cluster.

use dmc_types::TemplateName;
use kube::core::Status;
use std::fmt::Write as _;
use std::time::Duration;

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The template has no `[deploy]`.
    #[error("template {name} is not made for a cluster: it has no [deploy]")]
    NotForClusters {
        /// The template.
        name: TemplateName,
    },
    /// Its name is none that a cluster takes.
    #[error("objects in a cluster cannot have the name of template {name}")]
    Name {
        /// The template.
        name: TemplateName,
    },
    /// It runs as root.
    #[error("template {name} runs as root, which clusters with restricted pods refuse")]
    Root {
        /// The template.
        name: TemplateName,
    },
    /// Data would be lost.
    #[error("template {name} keeps data in {path}, and its [deploy] claims no storage for it")]
    NoClaim {
        /// The template.
        name: TemplateName,
        /// The folder.
        path: String,
    },
    /// A stateful set's Service has no address of its own, and so no port of its own.
    #[error("{name}: the Service of a stateful set cannot turn port {port} into {target}")]
    HeadlessPort {
        /// The app.
        name: String,
        /// The Service's port.
        port: u16,
        /// The container's.
        target: String,
    },
    /// The registry does not have it.
    #[error("there is no image {image}")]
    NoSuchImage {
        /// What was asked for.
        image: String,
    },
    /// There is no kubeconfig, or it does not say which cluster.
    #[error("it is not known which cluster to use: {why}")]
    NoCluster {
        /// Why.
        why: String,
    },
    /// What the kubeconfig names for this cluster is missing or broken.
    #[error("the kubeconfig cannot be used: {why}")]
    Kubeconfig {
        /// Why.
        why: String,
    },
    /// No answer, or none that can be read.
    #[error("cannot {doing} in the cluster at {server}: {why}")]
    Unreachable {
        /// What was to be done.
        doing: String,
        /// The cluster's address.
        server: String,
        /// What came instead.
        why: String,
    },
    /// The cluster said no.
    #[error("the cluster does not let dmc {doing} in namespace {namespace}: {}", said(status))]
    Refused {
        /// What was to be done.
        doing: String,
        /// The namespace.
        namespace: String,
        /// The cluster's words.
        status: Box<Status>,
    },
    /// An object of that name is there and is not dmc's.
    #[error("{object} is in namespace {namespace} already, and dmc did not make it")]
    Foreign {
        /// Its kind and name.
        object: String,
        /// The namespace.
        namespace: String,
    },
    /// The cluster gave the rollout up.
    #[error("the rollout of {object} failed: {why}{}", listed(pods))]
    RolloutFailed {
        /// Its kind and name.
        object: String,
        /// The cluster's words.
        why: String,
        /// What is the matter with its pods.
        pods: Vec<String>,
    },
    /// The cluster said no to a Job.
    #[error("the cluster does not let dmc {doing} in namespace {namespace}: {}", said(status))]
    JobRefused {
        /// What was to be done.
        doing: String,
        /// The namespace.
        namespace: String,
        /// The cluster's words.
        status: Box<Status>,
    },
    /// A Job did not come to its end.
    #[error("Job {job} failed: {why}")]
    JobFailed {
        /// Its name.
        job: String,
        /// Its namespace.
        namespace: String,
        /// The cluster's words.
        why: String,
    },
    /// The rollout takes too long.
    #[error("{object} has come no further for {} s: {state}{}", after.as_secs(), listed(pods))]
    RolloutSlow {
        /// Its kind and name.
        object: String,
        /// How long it was waited for the next step.
        after: Duration,
        /// How far it has come.
        state: String,
        /// What is the matter with its pods.
        pods: Vec<String>,
    },
    /// There is nothing to delete.
    #[error("nothing that dmc deployed as {name} is in namespace {namespace}")]
    NothingThere {
        /// The app.
        name: String,
        /// The namespace.
        namespace: String,
    },
}

impl DeployError {
    /// Whether a template or the command line is at fault.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NotForClusters { .. }
                | Self::Name { .. }
                | Self::Root { .. }
                | Self::NoClaim { .. }
                | Self::HeadlessPort { .. }
        )
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotForClusters { .. } => Some(
                "give it a table [deploy], in a template of your own that extends it if need be"
                    .to_owned(),
            ),
            Self::Name { .. } => Some(
                "extend it by a template whose name is at most 52 letters, digits and `-`, the \
                 first a letter"
                    .to_owned(),
            ),
            Self::Root { .. } => Some("set `user` in the template".to_owned()),
            Self::NoClaim { path, .. } => Some(format!(
                "say how much: claims = {{ \"{path}\" = {{ size = \"8Gi\" }} }}; or that it may \
                 go: scratch = {{ \"{path}\" = \"1Gi\" }}"
            )),
            Self::HeadlessPort { .. } => {
                Some("give both the same number, or use kind = \"deployment\"".to_owned())
            }
            Self::NoSuchImage { .. } => {
                Some("push it first, or name another tag: --tag".to_owned())
            }
            Self::NoCluster { .. } => Some(
                "set KUBECONFIG, name a context of it by --context, or print the objects by \
                 --dry-run"
                    .to_owned(),
            ),
            Self::Kubeconfig { .. } => Some(
                "mend what the context's user and cluster have there (client-certificate, \
                 client-key, certificate-authority), or name another context: --context"
                    .to_owned(),
            ),
            Self::Unreachable { why, .. } if wants_certificate(why) => Some(
                "whoever answers there takes no client without a certificate that it knows: check \
                 client-certificate and client-key of the user in the kubeconfig"
                    .to_owned(),
            ),
            Self::Unreachable { .. } => Some(
                "check the address and certificate in the kubeconfig, and that the cluster is up"
                    .to_owned(),
            ),
            Self::Refused { status, doing, namespace } => refused(status, doing, namespace),
            Self::Foreign { .. } => {
                Some("delete it, or deploy to another namespace: --namespace".to_owned())
            }
            Self::RolloutFailed { .. } | Self::RolloutSlow { .. } => Some(
                "the pods from before keep running where they can; correct it and deploy again, \
                 or go back: dmc rollback deploy -t NAME"
                    .to_owned(),
            ),
            Self::JobRefused { status, namespace, .. } => job_refused(status, namespace),
            Self::JobFailed { job, namespace, .. } => Some(format!(
                "see what its pods said: kubectl logs -n {namespace} -l job-name={job} --prefix"
            )),
            Self::NothingThere { .. } => {
                Some("name its namespace and cluster: --namespace, --context".to_owned())
            }
        }
    }
}

fn refused(status: &Status, doing: &str, namespace: &str) -> Option<String> {
    Some(match status.code {
        401 | 403 if status.message.contains(NOBODY) => {
            "the kubeconfig's user has no credentials that count there: give it a token, or \
             client-certificate and client-key"
                .to_owned()
        }
        401 => "renew the credentials in the kubeconfig".to_owned(),
        403 => format!(
            "have the right to {doing} given to the kubeconfig's user by a Role of namespace \
             {namespace}, or satisfy the policy that is named"
        ),
        404 => format!("make the namespace first: kubectl create namespace {namespace}"),
        409 => "leave these fields to who manages them (take them out of [deploy], leave out \
                --replicas), or have that manager give them up; dmc forces nothing"
            .to_owned(),
        400 | 422 => "correct [deploy] of the template; --dry-run prints the objects".to_owned(),
        429 | 500.. => "try again later".to_owned(),
        _ => return None,
    })
}

fn job_refused(status: &Status, namespace: &str) -> Option<String> {
    Some(match status.code {
        403 => format!(
            "have the right to create, get and patch Jobs of namespace {namespace} given to this \
             account by a Role, such as `dmc farm manifests` prints, or satisfy the policy that is \
             named"
        ),
        400 | 422 => "correct [farm] of the configuration; `dmc farm manifests --plan REF` prints \
                      the Job"
            .to_owned(),
        409 => "leave the Jobs of the farm to dmc, which forces nothing".to_owned(),
        _ => return refused(status, "", namespace),
    })
}

/// Whether the other side ended TLS over the client's certificate (RFC 8446, section 6.2).
fn wants_certificate(why: &str) -> bool {
    let alert = why.split_once("received fatal alert: ").map(|(_, alert)| alert);
    alert.is_some_and(|alert| alert.contains("Certificate") || alert.contains("UnknownCA"))
}

/// Whom a cluster takes a client for that shows no credentials.
const NOBODY: &str = "system:anonymous";

/// Most lines of a kind that a message has.
const LISTED: usize = 10;

/// The cluster's own words, with each cause on a line of its own.
fn said(status: &Status) -> String {
    let mut text = match status.code {
        0 => String::new(),
        code => format!("{code} "),
    };
    text.push_str(&status.reason);
    if !status.reason.is_empty() {
        text.push_str(": ");
    }
    text.push_str(status.message.trim_end());
    let causes = status.details.iter().flat_map(|details| &details.causes);
    // An answer of one cause has it in its message.
    let causes: Vec<_> = causes.filter(|cause| !status.message.contains(&cause.message)).collect();
    for cause in causes.into_iter().take(LISTED) {
        let _ = write!(text, "\n- {} {}", cause.field, cause.message);
    }
    text
}

fn listed(lines: &[String]) -> String {
    lines.iter().take(LISTED).fold(String::new(), |text, line| text + "\n- " + line)
}
