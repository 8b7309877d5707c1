//! Who extends whom among the templates.

use crate::family::{Family, Part};
use crate::{Template, TemplateError, nearest};
use dmc_types::TemplateName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The templates as they were read, and who is above whom.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinship {
    parts: BTreeMap<TemplateName, Result<Part, TemplateError>>,
    /// Who is above each template that has been visited: parents first, depth first, each once.
    above: BTreeMap<TemplateName, Vec<TemplateName>>,
    order: Vec<TemplateName>,
}

impl Kinship {
    /// Works out who extends whom. A template that cannot be gets its error in place of its part.
    pub(super) fn of(parts: BTreeMap<TemplateName, Result<Part, TemplateError>>) -> Self {
        let names: Vec<TemplateName> = parts.keys().cloned().collect();
        let mut kinship = Self { parts, above: BTreeMap::new(), order: Vec::new() };
        for name in &names {
            kinship.visit(name, &mut Vec::new());
        }
        kinship
    }

    /// All names, parents before the templates that extend them.
    pub(super) fn order(&self) -> &[TemplateName] {
        &self.order
    }

    /// What was read of a template; none where that cannot be used.
    pub(super) fn part(&self, name: &TemplateName) -> Option<&Part> {
        self.parts.get(name)?.as_ref().ok()
    }

    /// The parts of a template: those of its parents first, its own last.
    pub(super) fn family(&self, name: &TemplateName) -> impl Iterator<Item = &Part> {
        let above = self.above.get(name).into_iter().flatten();
        above.filter_map(|name| self.part(name)).chain(self.part(name))
    }

    /// Visits a template after all that it extends. `path` leads from where the visit began.
    fn visit(&mut self, name: &TemplateName, path: &mut Vec<TemplateName>) {
        if self.above.contains_key(name) {
            return;
        }
        let Some(Ok(part)) = self.parts.get(name) else {
            self.finish(name, Vec::new());
            return;
        };
        let parents = part.file.extends.clone();
        path.push(name.clone());
        let mut above: Vec<TemplateName> = Vec::new();
        for parent in &parents {
            if let Some(error) = self.wrong_parent(name, parent, path) {
                self.parts.insert(name.clone(), Err(error));
                break;
            }
            let further = self.above.get(parent).cloned().unwrap_or_default();
            for part in further.into_iter().chain([parent.clone()]) {
                if !above.contains(&part) {
                    above.push(part);
                }
            }
        }
        path.pop();
        self.finish(name, above);
    }

    /// What is wrong with extending `parent`, which has been visited when this returns.
    fn wrong_parent(
        &mut self,
        name: &TemplateName,
        parent: &TemplateName,
        path: &mut Vec<TemplateName>,
    ) -> Option<TemplateError> {
        if let Some(begin) = path.iter().position(|on_path| on_path == parent) {
            let circle = path[begin..].iter().chain([parent]).cloned().collect();
            return Some(TemplateError::Cycle { circle });
        }
        if !self.parts.contains_key(parent) {
            let known = self.parts.keys().map(TemplateName::as_str);
            return Some(TemplateError::UnknownParent {
                template: name.clone(),
                parent: parent.clone(),
                nearest: nearest(parent.as_str(), known).map(str::to_owned),
            });
        }
        self.visit(parent, path);
        match self.parts.get(parent) {
            // The whole circle has this one error, whichever of it is asked for.
            Some(Err(error @ TemplateError::Cycle { circle })) if circle.contains(name) => {
                Some(error.clone())
            }
            Some(Err(error)) => Some(TemplateError::BrokenParent {
                template: name.clone(),
                parent: parent.clone(),
                source: Arc::new(error.clone()),
            }),
            _ => None,
        }
    }

    fn finish(&mut self, name: &TemplateName, above: Vec<TemplateName>) {
        if let Some(Ok(part)) = self.parts.get_mut(name) {
            part.above = above.iter().cloned().collect();
        }
        self.above.insert(name.clone(), above);
        self.order.push(name.clone());
    }

    /// A template joined with its parents.
    pub(super) fn join(&self, name: &TemplateName) -> Result<Template, TemplateError> {
        match self.parts.get(name) {
            Some(Ok(own)) => Family { parts: self.family(name).collect(), own }.join(),
            Some(Err(error)) => Err(error.clone()),
            None => Err(TemplateError::NoText { origin: name.to_string() }),
        }
    }
}
