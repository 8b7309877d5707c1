//! What is to run.

use crate::error::DeployError;
use crate::set::ApplySet;
use dmc_template::{Deploy, ImageSettings, Owner, Template};
use std::time::Duration;

/// An image as it is to run in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// The name of its objects, which is the template's.
    pub name: String,
    /// The namespace that they are in.
    pub namespace: String,
    /// The image with its digest: `registry.example/nginx@sha256:…`.
    pub image: String,
    /// Its version, where it is known.
    pub version: Option<String>,
    /// Whom it runs as.
    pub user: Owner,
    /// What its own configuration says.
    pub settings: ImageSettings,
    /// What the template says of clusters.
    pub deploy: Deploy,
    /// What comes before arguments, where the image has no entrypoint of its own.
    pub program: Vec<String>,
    /// How many containers, where somebody says it.
    pub replicas: Option<u32>,
    /// The Secrets with credentials for the registry.
    pub pull_secrets: Vec<String>,
    /// How long a rollout may make no progress.
    pub deadline: Duration,
}

/// The longest name of a `StatefulSet` whose pods can still be labelled with their revision.
const LONGEST_NAME: usize = 52;

impl App {
    /// An app of a template; `user` is whom the image runs as. Fails where the template is not made
    /// for a cluster or cannot keep the restricted profile.
    pub fn new(
        template: &Template,
        settings: ImageSettings,
        user: Owner,
        image: String,
    ) -> Result<Self, DeployError> {
        let name = template.name().to_string();
        let template_name = || template.name().clone();
        let deploy = template.deploy().cloned();
        let deploy = deploy.ok_or_else(|| DeployError::NotForClusters { name: template_name() })?;
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !letters || !begins || name.len() > LONGEST_NAME {
            return Err(DeployError::Name { name: template_name() });
        }
        if user.uid == 0 || user.gid == 0 {
            return Err(DeployError::Root { name: template_name() });
        }
        let kept = |path: &str| {
            deploy.claims.keys().chain(deploy.scratch.keys()).any(|it| it.as_str() == path)
        };
        if let Some(path) = settings.volumes.iter().find(|path| !kept(&path.to_string())) {
            return Err(DeployError::NoClaim { name: template_name(), path: path.to_string() });
        }
        Ok(Self {
            name,
            namespace: "default".to_owned(),
            image,
            version: None,
            user,
            settings,
            program: template.folded_entrypoint().to_vec(),
            replicas: deploy.replicas,
            deploy,
            pull_secrets: Vec::new(),
            deadline: Duration::from_mins(5),
        })
    }

    /// The set that its objects are members of.
    pub fn set(&self) -> ApplySet {
        ApplySet::new(&self.name, &self.namespace)
    }
}
