//! All templates, by name.
//!
//! A broken template does not stop the others: its error comes up when it is asked for. Templates
//! are read at once, and joined with those that they extend when they are first asked for: most
//! runs name a few. Names come in building order, parents before the templates that extend them.

use crate::family::Part;
use crate::overlay;
use crate::schema::TemplateFile;
use crate::template::SideFolder;
use crate::text;
use crate::{MountedFile, Template, TemplateError, nearest};
use dmc_types::TemplateName;
use kinship::Kinship;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

mod kinship;
#[cfg(test)]
mod tests;

/// A template's folder, as the caller read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFolder {
    /// The folder's name, which is the template's.
    pub name: String,
    /// Contents of its files by their path in the folder, parts joined by `/`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What messages call the folder: `templates/nginx`.
    pub origin: String,
}

/// Groups that a nightly run may always name.
const STANDING_GROUPS: [&str; 3] = ["core", "base", "app"];

/// All templates that there are.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    kinship: Kinship,
    joined: BTreeMap<TemplateName, OnceLock<Result<Template, TemplateError>>>,
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
        let mut parts: BTreeMap<TemplateName, Result<Part, TemplateError>> = BTreeMap::new();
        for folder in folders {
            match folder.name.parse::<TemplateName>() {
                Ok(name) => drop(parts.insert(name.clone(), read_part(name, folder))),
                Err(source) => {
                    let origin = folder.origin;
                    catalog.nameless.push(TemplateError::Name { origin, source });
                }
            }
        }
        if with_tools {
            let variants: Vec<Part> =
                parts.values().filter_map(|part| with_tools_of(part.as_ref().ok()?)).collect();
            for part in variants {
                parts.entry(part.name.clone()).or_insert(Ok(part));
            }
        }
        catalog.joined = parts.keys().map(|name| (name.clone(), OnceLock::new())).collect();
        catalog.kinship = Kinship::of(parts);
        catalog
    }

    /// A template joined with its parents; none of that name, none.
    fn joined(&self, name: &str) -> Option<&Result<Template, TemplateError>> {
        let (name, joined) = self.joined.get_key_value(name)?;
        Some(joined.get_or_init(|| self.kinship.join(name)))
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
        let variant = variant_name(name).filter(|variant| self.joined.contains_key(variant));
        variant.unwrap_or_else(|| name.clone())
    }

    /// The template of this name, abstract or not.
    pub fn any(&self, name: &str) -> Result<&Template, TemplateError> {
        match self.joined(name) {
            Some(template) => template.as_ref().map_err(Clone::clone),
            None => Err(self.unknown(name)),
        }
    }

    /// Names of all templates that images are built from, the broken ones among them, in building
    /// order. Those that wait for a program are not.
    pub fn names(&self) -> impl Iterator<Item = &TemplateName> {
        self.kinship.order().iter().filter(|name| !self.is_abstract(name) && !self.waits(name))
    }

    fn is_abstract(&self, name: &TemplateName) -> bool {
        self.kinship.part(name).is_some_and(|part| part.file.r#abstract)
    }

    /// Whether a template waits for a program that its folder is to bring.
    fn waits(&self, name: &TemplateName) -> bool {
        let lacks = |template: &Template| template.lacks().is_some();
        self.kinship.family(name).any(|part| !part.file.programs.is_empty())
            && matches!(self.joined(name.as_str()), Some(Ok(template)) if lacks(template))
    }

    /// Names of the templates of each group, in building order; a broken template has none.
    pub fn groups(&self) -> BTreeMap<&str, Vec<&TemplateName>> {
        let mut groups: BTreeMap<&str, Vec<&TemplateName>> = BTreeMap::new();
        for name in self.names() {
            if let Some(Ok(template)) = self.joined(name.as_str()) {
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
        let joined = self.joined.keys().filter_map(|name| self.joined(name.as_str()));
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
        let uses = |name: &&TemplateName| matches!(self.joined(name.as_str()), Some(Ok(it)) if it.parts.contains(part));
        self.names().filter(uses).cloned().collect()
    }
}

fn read_part(name: TemplateName, folder: TemplateFolder) -> Result<Part, TemplateError> {
    let TemplateFolder { files, origin, .. } = folder;
    let (test_folder, files) = side_folder(files, overlay::TESTS);
    let (deploy_folder, files) = side_folder(files, overlay::DEPLOY);
    let Some(toml) = files.get(overlay::TEXT) else {
        return Err(TemplateError::NoText { origin });
    };
    let file = text::read(&format!("{origin}/{}", overlay::TEXT), toml)?;
    check_test_files(&name, &file, &test_folder)?;
    check_deploy_files(&name, &file, &deploy_folder)?;
    let test_folder = Arc::new(test_folder);
    let bytes = in_one_row(&name, &files);
    let overlay = overlay::read(&origin, files)?;
    let above = BTreeSet::new();
    Ok(Part {
        name,
        origin,
        file,
        overlay,
        with_tools: false,
        test_folder,
        deploy_folder,
        above,
        bytes,
    })
}

/// The part that variants extend, and the end of their names.
const TOOLS: &str = "dev";

fn variant_name(name: &TemplateName) -> Option<TemplateName> {
    format!("{name}-{TOOLS}").parse().ok()
}

/// The variant of a template with a shell and tools.
fn with_tools_of(part: &Part) -> Option<Part> {
    if part.file.r#abstract {
        return None;
    }
    let name = variant_name(&part.name)?;
    let mut file: TemplateFile = text::read(TOOLS, b"group = \"\"\nsummary = \"\"").ok()?;
    file.group.clone_from(&part.file.group);
    file.summary = format!("{}, with a shell and tools", part.file.summary);
    file.extends = vec![part.name.clone(), TOOLS.parse().ok()?];
    let bytes = in_one_row(&name, &BTreeMap::new());
    let (overlay, test_folder, deploy_folder) = Default::default();
    let (above, origin) = (BTreeSet::new(), part.origin.clone());
    Some(Part {
        name,
        origin,
        file,
        overlay,
        with_tools: true,
        test_folder,
        deploy_folder,
        above,
        bytes,
    })
}

/// What lies in one folder, and the other files.
fn side_folder(
    files: BTreeMap<String, Vec<u8>>,
    folder: &str,
) -> (SideFolder, BTreeMap<String, Vec<u8>>) {
    let mut inside = BTreeMap::new();
    let mut others = BTreeMap::new();
    for (path, bytes) in files {
        match path.strip_prefix(folder) {
            Some(below) => drop(inside.insert(below.to_owned(), Arc::from(bytes))),
            None => drop(others.insert(path, bytes)),
        }
    }
    (SideFolder(inside), others)
}

/// Tests mount only what is there.
fn check_test_files(
    name: &TemplateName,
    file: &TemplateFile,
    folder: &SideFolder,
) -> Result<(), TemplateError> {
    for test in &file.test {
        let scenes = test.companions.iter().map(|it| &it.scene).chain([&test.scene]);
        let by = format!("the test `{}`", test.name);
        let mounted = scenes.flat_map(|scene| scene.files.values());
        check_files(name, &by, overlay::TESTS, mounted, folder)?;
    }
    Ok(())
}

/// A cluster mounts only what is there.
fn check_deploy_files(
    name: &TemplateName,
    file: &TemplateFile,
    folder: &SideFolder,
) -> Result<(), TemplateError> {
    let config = file.deploy.iter().flat_map(|deploy| deploy.config.values());
    check_files(name, "[deploy]", overlay::DEPLOY, config, folder)
}

fn check_files<'a>(
    name: &TemplateName,
    by: &str,
    folder: &'static str,
    mut mounted: impl Iterator<Item = &'a MountedFile>,
    has: &'a SideFolder,
) -> Result<(), TemplateError> {
    match mounted.find(|file| has.find(file).is_empty()) {
        Some(MountedFile::Named(file)) => Err(TemplateError::UnknownFile {
            template: name.clone(),
            by: by.to_owned(),
            folder,
            file: file.clone(),
            nearest: nearest(file, has.0.keys().map(String::as_str)).map(str::to_owned),
        }),
        _ => Ok(()),
    }
}

/// Names and contents, each after its length, so that no two folders give the same bytes.
fn in_one_row(name: &TemplateName, files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut row = Vec::new();
    let mut push = |bytes: &[u8]| {
        row.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        row.extend_from_slice(bytes);
    };
    push(name.as_str().as_bytes());
    push(files.len().to_string().as_bytes());
    for (path, bytes) in files {
        push(path.as_bytes());
        push(bytes);
    }
    row
}
