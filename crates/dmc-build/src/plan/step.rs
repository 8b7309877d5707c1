//! One task of a run, and what it belongs to.

use dmc_types::{Arch, TemplateName};
use std::fmt;

/// What a run does with its templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// Prepare the machine.
    Setup,
    /// Refresh indices and say what changed.
    Update,
    /// Build images.
    Create,
    /// Look for what is wrong with images, without running them.
    Verify,
    /// Hold images against a security tracker.
    Audit,
    /// Say what images are made of, as documents.
    Sbom,
    /// Say under which licences packages of images are.
    Licences,
    /// Run the templates' tests against the images.
    Test,
    /// Put images into an engine.
    Load,
    /// Bring images to the registry.
    Push,
    /// Test images and make them the live ones.
    Promote,
    /// Make what was live before the live image again.
    Rollback,
    /// Let what runs here run the live image.
    Restart,
    /// Bring images into a cluster.
    Deploy,
    /// Take out of a cluster what was brought there.
    Undeploy,
    /// Bring the images of a shard to the registry, by digest alone.
    Deliver,
    /// Hold what the registry has against trusted keys.
    Signatures,
    /// Write down which packages the images are made of.
    Lock,
    /// Say what a new lock would change.
    CompareLock,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Make the store and the user's configuration.
    Prepare,
    /// Verify the releases and have their package indices for an architecture.
    Indices(Arch),
    /// Show whose signatures count.
    Keys,
    /// Look for tools that some activities use.
    Tools,
    /// Compare a template's images with the indices.
    Changes(TemplateName),
    /// Build the image of one architecture.
    Image(TemplateName, Arch),
    /// Join a template's images and name the result.
    Index(TemplateName),
    /// Look for what is wrong with the image of an architecture.
    Verify(TemplateName, Arch),
    /// Hold a template's images against a security tracker.
    Audit(TemplateName),
    /// Have the documents about the image of an architecture.
    Sbom(TemplateName, Arch),
    /// Say under which licences the packages of an image are.
    Licences(TemplateName, Arch),
    /// Run the template's tests against the image of this architecture.
    Test(TemplateName, Arch),
    /// Put the image of this architecture into an engine.
    Load(TemplateName, Arch),
    /// Bring a template's images to the registry, tags last.
    Push(TemplateName),
    /// Test a template's image on this architecture and make it the live one.
    Promote(TemplateName, Arch),
    /// Make what was live before the live image again.
    Rollback(TemplateName),
    /// Let the container of a template on this machine run the live image.
    Restart(TemplateName, Arch),
    /// Bring a template's image into the cluster and wait until it runs.
    Deploy(TemplateName),
    /// Delete what was deployed of a template.
    Undeploy(TemplateName),
    /// Bring the images of this machine's shard to the registry, and say so there.
    Deliver,
    /// Hold a template's images in the registry against trusted keys.
    Signatures(TemplateName),
    /// Find the packages of a template's images, and prove that they do.
    Choose(TemplateName),
    /// Put what was chosen into the lock.
    WriteLock,
    /// Say what of the lock would change.
    CompareLock,
}

impl Step {
    /// The activity that the step belongs to.
    pub fn activity(&self) -> Activity {
        match self {
            Self::Prepare | Self::Keys | Self::Tools => Activity::Setup,
            Self::Indices(_) | Self::Changes(_) => Activity::Update,
            Self::Image(..) | Self::Index(_) => Activity::Create,
            Self::Verify(..) => Activity::Verify,
            Self::Audit(_) => Activity::Audit,
            Self::Sbom(..) => Activity::Sbom,
            Self::Licences(..) => Activity::Licences,
            Self::Test(..) => Activity::Test,
            Self::Load(..) => Activity::Load,
            Self::Push(_) => Activity::Push,
            Self::Promote(..) => Activity::Promote,
            Self::Rollback(_) => Activity::Rollback,
            Self::Restart(..) => Activity::Restart,
            Self::Deploy(_) => Activity::Deploy,
            Self::Undeploy(_) => Activity::Undeploy,
            Self::Deliver => Activity::Deliver,
            Self::Signatures(_) => Activity::Signatures,
            Self::Choose(_) | Self::WriteLock => Activity::Lock,
            Self::CompareLock => Activity::CompareLock,
        }
    }

    /// The template that it acts on.
    pub fn template(&self) -> Option<&TemplateName> {
        match self {
            Self::Changes(name)
            | Self::Audit(name)
            | Self::Choose(name)
            | Self::Image(name, _)
            | Self::Index(name)
            | Self::Verify(name, _)
            | Self::Sbom(name, _)
            | Self::Licences(name, _)
            | Self::Test(name, _)
            | Self::Load(name, _)
            | Self::Push(name)
            | Self::Promote(name, _)
            | Self::Restart(name, _)
            | Self::Rollback(name)
            | Self::Signatures(name)
            | Self::Deploy(name)
            | Self::Undeploy(name) => Some(name),
            Self::Prepare
            | Self::Keys
            | Self::Indices(_)
            | Self::Tools
            | Self::Deliver
            | Self::WriteLock
            | Self::CompareLock => None,
        }
    }

    /// The architecture that it acts on.
    pub fn arch(&self) -> Option<Arch> {
        match self {
            Self::Indices(arch)
            | Self::Image(_, arch)
            | Self::Verify(_, arch)
            | Self::Sbom(_, arch)
            | Self::Licences(_, arch)
            | Self::Test(_, arch)
            | Self::Load(_, arch)
            | Self::Promote(_, arch)
            | Self::Restart(_, arch) => Some(*arch),
            Self::Prepare
            | Self::Keys
            | Self::Tools
            | Self::Changes(_)
            | Self::Audit(_)
            | Self::Index(_)
            | Self::Push(_)
            | Self::Rollback(_)
            | Self::Deploy(_)
            | Self::Undeploy(_)
            | Self::Signatures(_)
            | Self::Choose(_)
            | Self::Deliver
            | Self::WriteLock
            | Self::CompareLock => None,
        }
    }

    /// What is done, in a few words.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Prepare => "prepare store and configuration",
            Self::Indices(_) => "verify releases, read package indices",
            Self::Keys => "show whose signatures count",
            Self::Tools => "look for optional tools",
            Self::Changes(_) => "say which packages changed",
            Self::Image(..) => "find the closure, write layer and manifest",
            Self::Index(_) => "join the architectures, set the tags",
            Self::Verify(..) => "look for what is wrong with the image",
            Self::Audit(_) => "hold the images against a security tracker",
            Self::Sbom(..) => "say what the image is made of",
            Self::Licences(..) => "say under which licences its packages are",
            Self::Test(..) => "run the template's tests against the image",
            Self::Load(..) => "put the image into the container engine",
            Self::Push(_) => "bring images and tags to the registry",
            Self::Promote(..) => "test the image, make it the live one",
            Self::Rollback(_) => "make the live image what it was before",
            Self::Restart(..) => "let the container here run the live image",
            Self::Deploy(_) => "bring the live image into the cluster",
            Self::Undeploy(_) => "delete what was deployed",
            Self::Deliver => "push the shard's images by digest, and report them",
            Self::Signatures(_) => "check who has signed what the registry has",
            Self::Choose(_) => "find the packages, prove that they do",
            Self::WriteLock => "write the lock",
            Self::CompareLock => "say what the lock would change",
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Setup => "setup",
            Self::Update => "update",
            Self::Create => "create",
            Self::Verify | Self::Signatures => "verify",
            Self::Audit => "audit",
            Self::Sbom => "sbom",
            Self::Licences => "licences",
            Self::Test => "test",
            Self::Load => "load",
            Self::Push => "push",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Restart => "restart",
            Self::Deploy => "deploy",
            Self::Undeploy => "delete",
            Self::Deliver => "deliver",
            Self::Lock | Self::CompareLock => "lock",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.activity())?;
        if let Some(template) = self.template() {
            write!(f, " {template}")?;
        }
        if let Some(arch) = self.arch() {
            write!(f, " {arch}")?;
        }
        Ok(())
    }
}
