//! The templates as they are read, and who extends whom among them.
//!
//! A template is read when it is first asked for, with those that it extends: most runs name a few
//! of many.

use super::part::{read_part, with_tools_of};
use super::{TemplateFolder, variant_name};
use crate::family::{Family, Part};
use crate::{Template, TemplateError, nearest};
use dmc_types::TemplateName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// All templates by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinship(BTreeMap<TemplateName, Known>);

/// What is known of one template.
#[derive(Debug, Clone)]
struct Known {
    source: Source,
    /// All that it extends: parents first, depth first, each once. Only what is sound is kept.
    above: OnceLock<Vec<TemplateName>>,
    joined: OnceLock<Result<Template, TemplateError>>,
}

#[derive(Debug, Clone)]
enum Source {
    Folder(TemplateFolder, OnceLock<Result<Box<Part>, TemplateError>>),
    /// A variant with tools.
    Variant(Box<Part>),
}

impl Known {
    fn new(source: Source) -> Self {
        Self { source, above: OnceLock::new(), joined: OnceLock::new() }
    }
}

impl Kinship {
    /// Adds a template, in place of another of that name.
    pub(super) fn add(&mut self, name: TemplateName, folder: TemplateFolder) {
        self.0.insert(name, Known::new(Source::Folder(folder, OnceLock::new())));
    }

    /// Adds a variant with tools of each template that images are built from; reads them all.
    pub(super) fn add_variants(&mut self) {
        let parts = self.0.keys().filter_map(|name| with_tools_of(self.part(name)?.ok()?));
        for part in parts.collect::<Vec<_>>() {
            let variant = || Known::new(Source::Variant(Box::new(part.clone())));
            self.0.entry(part.name.clone()).or_insert_with(variant);
        }
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &TemplateName> {
        self.0.keys()
    }

    /// The name of a template's variant with tools, where there is one.
    pub(super) fn variant(&self, name: &TemplateName) -> Option<TemplateName> {
        variant_name(name).filter(|variant| self.0.contains_key(variant))
    }

    /// What a template's own folder says; none of that name, none.
    pub(super) fn part(&self, name: &TemplateName) -> Option<Result<&Part, &TemplateError>> {
        match &self.0.get(name)?.source {
            Source::Variant(part) => Some(Ok(part)),
            Source::Folder(folder, read) => {
                let part = read.get_or_init(|| read_part(name, folder).map(Box::new));
                Some(part.as_ref().map(|part| &**part))
            }
        }
    }

    /// A template joined with its parents; none of that name, none.
    pub(super) fn joined(&self, name: &str) -> Option<&Result<Template, TemplateError>> {
        let (name, known) = self.0.get_key_value(name)?;
        Some(known.joined.get_or_init(|| self.join(name)))
    }

    /// The parts of a template: those of its parents first, its own last.
    pub(super) fn family(&self, name: &TemplateName) -> Result<Vec<&Part>, TemplateError> {
        let names = self.above(name, &mut Vec::new())?;
        Ok(names.iter().chain([name]).filter_map(|name| self.part(name)?.ok()).collect())
    }

    /// These templates with all that they extend in building order: parents before the templates
    /// that extend them, else by name. It depends on no other template.
    pub(super) fn in_order<'a>(
        &'a self,
        names: impl Iterator<Item = &'a TemplateName>,
    ) -> Vec<&'a TemplateName> {
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        names.for_each(|name| self.visit(name, &mut seen, &mut order));
        order
    }

    /// Visits a template after all that it extends.
    fn visit<'a>(
        &'a self,
        name: &TemplateName,
        seen: &mut BTreeSet<&'a TemplateName>,
        order: &mut Vec<&'a TemplateName>,
    ) {
        let Some((name, _)) = self.0.get_key_value(name) else { return };
        if seen.insert(name) {
            if let Some(Ok(part)) = self.part(name) {
                part.file.extends.iter().for_each(|parent| self.visit(parent, seen, order));
            }
            order.push(name);
        }
    }

    fn join(&self, name: &TemplateName) -> Result<Template, TemplateError> {
        let parts = self.family(name)?;
        let above = parts
            .iter()
            .filter_map(|part| Some((&part.name, self.0.get(&part.name)?.above.get()?.as_slice())));
        let above = above.collect();
        match parts.last().copied() {
            Some(own) => Family { parts, own, above }.join(),
            None => Err(TemplateError::NoText { origin: name.to_string() }),
        }
    }

    /// All that a template extends. `path` leads from where the question began.
    fn above(
        &self,
        name: &TemplateName,
        path: &mut Vec<TemplateName>,
    ) -> Result<&[TemplateName], TemplateError> {
        let Some((known, part)) = self.0.get(name).zip(self.part(name)) else { return Ok(&[]) };
        if let Some(above) = known.above.get() {
            return Ok(above);
        }
        let mut above: Vec<TemplateName> = Vec::new();
        path.push(name.clone());
        for parent in &part.map_err(Clone::clone)?.file.extends {
            let further = self.above_parent(name, parent, path)?;
            for part in further.iter().chain([parent]) {
                if !above.contains(part) {
                    above.push(part.clone());
                }
            }
        }
        path.pop();
        Ok(known.above.get_or_init(|| above))
    }

    fn above_parent(
        &self,
        name: &TemplateName,
        parent: &TemplateName,
        path: &mut Vec<TemplateName>,
    ) -> Result<&[TemplateName], TemplateError> {
        if let Some(begin) = path.iter().position(|on_path| on_path == parent) {
            return Err(TemplateError::Cycle { circle: circle(&path[begin..]) });
        }
        if !self.0.contains_key(parent) {
            return Err(TemplateError::UnknownParent {
                template: name.clone(),
                parent: parent.clone(),
                nearest: nearest(parent.as_str(), self.names().map(TemplateName::as_str))
                    .map(str::to_owned),
            });
        }
        self.above(parent, path).map_err(|error| match error {
            // The whole circle has this one error, whichever of it is asked for.
            TemplateError::Cycle { ref circle } if circle.contains(name) => error,
            error => TemplateError::BrokenParent {
                template: name.clone(),
                parent: parent.clone(),
                source: Arc::new(error),
            },
        })
    }
}

/// A circle as it is told, wherever it was entered: from the first by name to that again.
fn circle(path: &[TemplateName]) -> Vec<TemplateName> {
    let first = path.iter().enumerate().min_by_key(|(_, name)| *name).map_or(0, |(at, _)| at);
    let (before, from) = path.split_at(first);
    from.iter().chain(before).chain(from.first()).cloned().collect()
}
