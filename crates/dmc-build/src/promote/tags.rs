//! What create names an image in the layout, and push in a registry.

use super::error::PromoteError;
use crate::error::BuildError;
use crate::image::ImageSummary;
use crate::naming;
use crate::workshop::{Named, Workshop};
use crate::worktree::Worktree;
use camino::Utf8Path;
use dmc_image::layout::Reference;
use dmc_image::oci::{Annotations, Descriptor, Index};
use dmc_image::{Layout, RefName};
use dmc_types::TemplateName;

/// Stands at the name of an image that was made from templates as they are in no commit.
const UNCOMMITTED: &str = "dmc.uncommitted";

/// The annotation with the first tag of an image.
const VERSION: &str = "org.opencontainers.image.version";

/// The annotation of images with private files.
const PRIVATE: &str = "dmc.private";

impl Workshop {
    /// `NAME:TAG` of what create made last of a template.
    pub(crate) fn latest(&self, template: &TemplateName) -> String {
        format!("{template}:{}", naming::latest(self.is_private(template)))
    }

    pub(crate) fn is_private(&self, template: &TemplateName) -> bool {
        self.settings.catalog.get(template.as_str()).is_ok_and(dmc_template::Template::is_private)
    }

    /// Gives an index its names in the layout.
    pub(crate) fn name(
        &self,
        template: &TemplateName,
        layout: &Layout,
        index: Descriptor,
        images: &[ImageSummary],
    ) -> Result<Named, BuildError> {
        let private = self.is_private(template);
        let released = layout
            .resolve(&self.latest(template))?
            .is_some_and(|last| last.digest == index.digest && is_committed(&last));
        // An unchanged image was named when it was made; asking git costs more than all the rest.
        let worktree = if released { Worktree::None } else { self.worktree(template) };
        let versions = images.first().map(|image| image.tags.clone()).unwrap_or_default();
        let tags = naming::released(&versions, &worktree, private);
        let host = self.settings.conf.host.as_deref().unwrap_or("localhost");
        let mut references = Vec::new();
        for tag in &tags.all {
            let name = RefName::new(template.clone(), tag)?;
            references.push(Reference { full: format!("{host}/{name}"), name });
        }
        let mut target = index.clone();
        if let Worktree::Changed { .. } | Worktree::Unknown { .. } = worktree {
            target.annotations.insert(UNCOMMITTED.to_owned(), "true".to_owned());
        }
        layout.tag(&target, &references)?;
        Ok(Named {
            index,
            references: tags.all.iter().map(|tag| format!("{template}:{tag}")).collect(),
            notes: notes(&worktree, &tags.too_long),
        })
    }

    /// How the templates that a template is made of stand to commits.
    pub(crate) fn worktree(&self, template: &TemplateName) -> Worktree {
        match self.settings.catalog.get(template.as_str()) {
            Ok(template) => self.worktrees.of(template.origins().iter().map(Utf8Path::new)),
            Err(_broken) => Worktree::None,
        }
    }

    /// The commit that an index is from: that of the templates now, where it is made from them.
    fn commit(
        &self,
        template: &TemplateName,
        layout: &Layout,
        index: &Descriptor,
    ) -> Result<Option<String>, BuildError> {
        let document: Index = layout.read_document(index)?;
        let Some(manifest) = document.manifests.first() else { return Ok(None) };
        let Some(origin) = self.origin(&manifest.digest)? else { return Ok(None) };
        let known = self.settings.catalog.get(template.as_str())?;
        match self.worktree(template) {
            Worktree::Clean { commit } if origin.inputs.is_of(known) => Ok(commit),
            _ => Ok(None),
        }
    }
}

/// The tags that push gives an index of the layout, the most telling first, the one that is never
/// moved last. An image from templates that are in no commit has that one alone.
pub(crate) fn tags(
    workshop: &Workshop,
    template: &TemplateName,
    layout: &Layout,
    index: &Descriptor,
) -> Result<Vec<String>, BuildError> {
    let document: Index = layout.read_document(index)?;
    let private = is_private(&document.annotations);
    let for_ever = naming::digest_tag(&index.digest, private);
    let live = naming::ended(&workshop.settings.conf.promotion.tag, private);
    let version = document.annotations.get(VERSION).map(|it| naming::ended(it, private));
    let mut tags: Vec<String> = Vec::new();
    for (name, entry) in layout.refs()?.into_iter().filter(|(_, it)| it.digest == index.digest) {
        if !is_committed(&entry) {
            return Ok(vec![for_ever]);
        }
        let tag = name.strip_prefix(template.as_str()).and_then(|rest| rest.strip_prefix(':'));
        tags.extend(tag.filter(|tag| *tag != live).map(str::to_owned));
    }
    tags.sort_by_key(|tag| version.as_ref() != Some(tag));
    let commit = workshop.commit(template, layout, index)?;
    tags.extend(commit.map(|commit| naming::ended(&commit, private)));
    tags.retain(|tag| *tag != for_ever);
    tags.push(for_ever);
    Ok(naming::once(tags))
}

/// Whether an index of the layout may go to a registry: one with private files only where the
/// configuration says so.
pub(crate) fn check_host(
    workshop: &Workshop,
    template: &TemplateName,
    layout: &Layout,
    index: &Descriptor,
) -> Result<(), BuildError> {
    let document: Index = layout.read_document(index)?;
    check_private(workshop, template, is_private(&document.annotations))
}

/// The same for an image that has private files, or may have.
pub(crate) fn check_private(
    workshop: &Workshop,
    template: &TemplateName,
    private: bool,
) -> Result<(), BuildError> {
    let conf = &workshop.settings.conf;
    let Some(host) = conf.host.as_deref().and_then(|host| host.split('/').next()) else {
        return Ok(());
    };
    let listed = conf.private_hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host));
    if listed || !(private || workshop.is_private(template)) {
        return Ok(());
    }
    let (template, host) = (template.clone(), host.to_owned());
    Err(PromoteError::PrivateImage { template, host }.into())
}

/// Whether an index or an image has private files.
pub(crate) fn is_private(annotations: &Annotations) -> bool {
    annotations.get(PRIVATE).is_some_and(|said| said == "true")
}

/// Whether the image that an entry of the layout names was made from what is in a commit, as far
/// as is known.
pub(crate) fn is_committed(entry: &Descriptor) -> bool {
    !entry.annotations.contains_key(UNCOMMITTED)
}

fn notes(worktree: &Worktree, too_long: &[String]) -> Vec<String> {
    let mut notes: Vec<String> = too_long
        .iter()
        .map(|tag| format!("the tag `{tag}` is left out: it is longer than 128 characters"))
        .collect();
    match worktree {
        Worktree::Changed { path } => notes.push(format!(
            "no release tags: `{path}` is not as it was committed, or not committed"
        )),
        Worktree::Unknown { why } => notes.push(format!(
            "no release tags: whether the templates are as committed cannot be told ({why})"
        )),
        Worktree::None | Worktree::Clean { .. } => {}
    }
    notes
}
