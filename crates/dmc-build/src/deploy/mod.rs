//! Images into a cluster, and out of it again.
//!
//! What runs is what the live name means, confirmed by its statement; another tag of the registry
//! where one is named. It is named by its digest, so that every node runs the very image that was
//! tested. How it runs is said by the template's `[deploy]`; `dmc-deploy` makes objects of that and
//! speaks with the cluster.

use crate::config::NONROOT;
use crate::error::BuildError;
use crate::promote::{self, PromoteError};
use crate::push::PushError;
use crate::workshop::Workshop;
use dmc_deploy::{App, ApplySet, Change, Cluster, ClusterOptions, Deleted, DeployError, Object};
use dmc_image::oci::{Descriptor, Index};
use dmc_registry::{Reference, Tag};
use dmc_types::{Arch, TemplateName};

/// How to deploy, besides what template and configuration say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployOptions {
    /// Whether objects are only shown, and no cluster is asked.
    pub dry_run: bool,
    /// How many containers.
    pub replicas: Option<u32>,
    /// The tag that is meant, in place of what is live.
    pub tag: Option<String>,
    /// Whether deleting takes the data, too.
    pub with_data: bool,
}

/// An image in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployed {
    /// The image with its digest.
    pub image: String,
    /// The namespace.
    pub namespace: String,
    /// The cluster's address; none where nothing was applied.
    pub cluster: Option<String>,
    /// The objects.
    pub objects: Vec<Object>,
    /// What became of each object, by kind and name.
    pub changes: Vec<(String, Change)>,
}

impl Deployed {
    /// The objects as documents of YAML.
    pub fn yaml(&self) -> String {
        dmc_deploy::yaml(&self.objects)
    }
}

/// What was taken out of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeployed {
    /// The namespace.
    pub namespace: String,
    /// What became of the objects.
    pub objects: Deleted,
}

/// An image of the registry.
struct Chosen {
    digest: Descriptor,
    version: Option<String>,
}

impl Workshop {
    /// Brings a template's image into the cluster and waits until it runs, telling how far it is.
    pub(crate) async fn deploy(
        &self,
        template: &TemplateName,
        options: &DeployOptions,
        tell: &dyn Fn(&str),
    ) -> Result<Deployed, BuildError> {
        let mut app = self.app(template, options).await?;
        let mut changes = Vec::new();
        let mut server = None;
        if options.dry_run {
            let namespace = self.settings.conf.deploy.namespace.clone();
            app.namespace = namespace.unwrap_or(app.namespace);
        } else {
            let cluster = self.cluster().await?;
            cluster.namespace().clone_into(&mut app.namespace);
            let objects = app.objects()?;
            let set = app.set();
            changes.extend(cluster.apply(&set, &objects).await?);
            cluster.wait(&objects, app.deadline, tell).await?;
            changes.extend(cluster.prune(&set, &objects).await?);
            server = Some(cluster.server().to_owned());
        }
        let objects = app.objects()?;
        let App { image, namespace, .. } = app;
        Ok(Deployed { image, namespace, cluster: server, objects, changes })
    }

    /// Deletes what was deployed of a template, exactly.
    pub(crate) async fn undeploy(
        &self,
        template: &TemplateName,
        options: &DeployOptions,
    ) -> Result<Undeployed, BuildError> {
        let cluster = self.cluster().await?;
        let namespace = cluster.namespace().to_owned();
        let set = ApplySet::new(template.as_str(), &namespace);
        let objects = cluster.delete(&set, options.with_data).await?;
        Ok(Undeployed { namespace, objects })
    }

    async fn cluster(&self) -> Result<Cluster, DeployError> {
        let conf = &self.settings.conf.deploy;
        let (context, namespace) = (conf.context.clone(), conf.namespace.clone());
        Cluster::connect(&ClusterOptions { context, namespace, ..ClusterOptions::default() }).await
    }

    /// What is to run.
    async fn app(
        &self,
        template: &TemplateName,
        options: &DeployOptions,
    ) -> Result<App, BuildError> {
        let known = self.settings.catalog.get(template.as_str())?;
        // Nothing of what clusters are told depends on the architecture.
        let arch = self.settings.conf.archs.first().copied().unwrap_or(Arch::Amd64);
        let image = known.for_arch(arch)?.image;
        let user = image.user.unwrap_or(NONROOT);
        let mut app = App::new(known, image, user, String::new())?;
        let Chosen { digest, version } = self.chosen(template, options).await?;
        app.image = format!("{}@sha256:{}", self.repository(template)?, digest.digest);
        app.version = version;
        app.replicas = options.replicas.or(app.replicas);
        let conf = &self.settings.conf.deploy;
        app.pull_secrets.clone_from(&conf.pull_secrets);
        app.deadline = conf.timeout;
        Ok(app)
    }

    /// The image that is meant: what is live, or what a tag means. Where objects are only shown
    /// and nothing is live yet, it is the newest one of the layout.
    async fn chosen(
        &self,
        template: &TemplateName,
        options: &DeployOptions,
    ) -> Result<Chosen, BuildError> {
        let repository = self.repository(template)?;
        let reference = match &options.tag {
            Some(tag) => Reference::Tag(tag.parse::<Tag>().map_err(PushError::from)?),
            None if options.dry_run && self.registry.is_offline() => {
                return self.newest_of_layout(template);
            }
            None => match promote::live(self, template).await {
                Ok(live) => Reference::Digest(live.index.digest),
                Err(BuildError::Promote(PromoteError::NotLive { .. })) if options.dry_run => {
                    tracing::warn!("nothing of {template} is live: the layout's newest is shown");
                    return self.newest_of_layout(template);
                }
                Err(error) => return Err(error),
            },
        };
        let found = self.registry()?.manifest(&repository, &reference).await?;
        let Some((digest, bytes)) = found else {
            let image = reference.behind(&repository);
            return Err(DeployError::NoSuchImage { image }.into());
        };
        // Whoever made the image may have made it of one platform alone.
        let index = serde_json::from_slice::<Index>(&bytes).ok();
        Ok(Chosen { digest, version: index.as_ref().and_then(version) })
    }

    fn newest_of_layout(&self, template: &TemplateName) -> Result<Chosen, BuildError> {
        let (layout, digest) = self.newest(template)?;
        let index: Index = layout.read_document(&digest)?;
        Ok(Chosen { digest, version: version(&index) })
    }
}

fn version(index: &Index) -> Option<String> {
    index.annotations.get("org.opencontainers.image.version").cloned()
}
