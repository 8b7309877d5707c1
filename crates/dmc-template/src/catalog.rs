//! All templates, by name.
//!
//! A broken template does not stop the others: its error comes up when it is asked for. Templates
//! are read, and joined with those that they extend, when they are first asked for: most runs
//! name a few. Names come in building order, parents before the templates that extend them.

use crate::{Template, TemplateError, nearest};
use dmc_types::TemplateName;
use kinship::Kinship;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

mod kinship;
mod part;
#[cfg(test)]
mod tests;

/// A template's folder, as the caller read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFolder {
    /// The folder's name, which is the template's.
    pub name: String,
    /// Contents of its files by their path in the folder, parts joined by `/`.
    pub files: BTreeMap<String, Cow<'static, [u8]>>,
    /// What messages call the folder: `templates/nginx`.
    pub origin: String,
}

/// Groups that a nightly run may always name.
const STANDING_GROUPS: [&str; 3] = ["core", "base", "app"];

/// All templates that there are.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    kinship: Kinship,
    nameless: Vec<TemplateError>,
}

impl Catalog {
    /// Reads the folders. Of two with one name the later takes the place of the earlier.
    pub fn read(folders: Vec<TemplateFolder>) -> Self {
        Self::of(folders, false)
    }

    /// The same with a variant of each template that images are built from: `NAME-dev`, which
    /// also extends the part `dev`, and whose entrypoint stands in front of its `cmd`, so that a
    /// user's own words name a program.
    pub fn with_tools(folders: Vec<TemplateFolder>) -> Self {
        Self::of(folders, true)
    }

    fn of(folders: Vec<TemplateFolder>, with_tools: bool) -> Self {
        let mut catalog = Self::default();
        for folder in folders {
            match folder.name.parse::<TemplateName>() {
                Ok(name) => catalog.kinship.add(name, folder),
                Err(source) => {
                    let origin = folder.origin;
                    catalog.nameless.push(TemplateError::Name { origin, source });
                }
            }
        }
        if with_tools {
            catalog.kinship.add_variants();
        }
        catalog
    }

    /// The template of this name, to build an image from: not an abstract one.
    pub fn get(&self, name: &str) -> Result<&Template, TemplateError> {
        match self.any(name)? {
            template if template.is_abstract => Err(TemplateError::Abstract {
                template: template.name.clone(),
                used_by: self.users_of(&template.name),
            }),
            template => match template.lacks() {
                Some(path) => Err(TemplateError::NoProgram {
                    template: template.name.clone(),
                    path: path.to_string(),
                    arch: None,
                }),
                None => Ok(template),
            },
        }
    }

    /// The name of a template's variant with tools, or its own where it has none.
    pub fn variant_of(&self, name: &TemplateName) -> TemplateName {
        self.kinship.variant(name).unwrap_or_else(|| name.clone())
    }

    /// The template of this name, abstract or not.
    pub fn any(&self, name: &str) -> Result<&Template, TemplateError> {
        match self.kinship.joined(name) {
            Some(template) => template.as_ref().map_err(Clone::clone),
            None => Err(self.unknown(name)),
        }
    }

    /// Names of all templates that images are built from, the broken ones among them, in building
    /// order. Those that wait for a program are not. Reads them all.
    pub fn names(&self) -> impl Iterator<Item = &TemplateName> {
        let all = self.kinship.in_order(self.kinship.names()).into_iter();
        all.filter(|name| !self.is_abstract(name) && !self.waits(name))
    }

    /// These templates in building order; those that there are not are left out.
    pub fn in_order<'a>(&'a self, names: &'a BTreeSet<TemplateName>) -> Vec<&'a TemplateName> {
        let mut order = self.kinship.in_order(names.iter());
        order.retain(|name| names.contains(*name));
        order
    }

    fn is_abstract(&self, name: &TemplateName) -> bool {
        matches!(self.kinship.part(name), Some(Ok(part)) if part.file.r#abstract)
            && self.kinship.family(name).is_ok()
    }

    /// Whether a template waits for a program that its folder is to bring.
    fn waits(&self, name: &TemplateName) -> bool {
        let lacks = |template: &Template| template.lacks().is_some();
        let family = self.kinship.family(name).unwrap_or_default();
        family.iter().any(|part| !part.file.programs.is_empty())
            && matches!(self.kinship.joined(name.as_str()), Some(Ok(it)) if lacks(it))
    }

    /// Names of the templates of each group, in building order; a broken template has none.
    pub fn groups(&self) -> BTreeMap<&str, Vec<&TemplateName>> {
        let mut groups: BTreeMap<&str, Vec<&TemplateName>> = BTreeMap::new();
        for name in self.names() {
            if let Some(Ok(template)) = self.kinship.joined(name.as_str()) {
                groups.entry(&template.group).or_default().push(name);
            }
        }
        groups
    }

    /// Names of the templates of one group, in building order. The seed's groups are always there,
    /// and may be empty or hold parts alone.
    pub fn group(&self, name: &str) -> Result<Vec<&TemplateName>, TemplateError> {
        let mut groups = self.groups();
        for standing in STANDING_GROUPS {
            groups.entry(standing).or_default();
        }
        match groups.remove(name) {
            Some(names) => Ok(names),
            None => Err(TemplateError::UnknownGroup {
                name: name.to_owned(),
                nearest: nearest(name, groups.keys().copied()).map(str::to_owned),
                known: groups.keys().map(ToString::to_string).collect(),
            }),
        }
    }

    /// What is wrong with the templates that cannot be used; joins them all.
    pub fn broken(&self) -> impl Iterator<Item = &TemplateError> {
        let names = self.kinship.names();
        let joined = names.filter_map(|name| self.kinship.joined(name.as_str()));
        self.nameless.iter().chain(joined.filter_map(|it| it.as_ref().err()))
    }

    fn unknown(&self, name: &str) -> TemplateError {
        TemplateError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, self.names().map(TemplateName::as_str)).map(str::to_owned),
            known: self.names().map(ToString::to_string).collect(),
        }
    }

    fn users_of(&self, part: &TemplateName) -> Vec<TemplateName> {
        let uses = |name: &&TemplateName| matches!(self.kinship.joined(name.as_str()), Some(Ok(it)) if it.parts.contains(part));
        self.names().filter(uses).cloned().collect()
    }
}

/// The part that variants extend, and the end of their names.
const TOOLS: &str = "dev";

fn variant_name(name: &TemplateName) -> Option<TemplateName> {
    format!("{name}-{TOOLS}").parse().ok()
}
