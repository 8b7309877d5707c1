//! One template's own folder, read and checked by itself.

use super::{TOOLS, TemplateFolder, variant_name};
use crate::family::Part;
use crate::overlay;
use crate::schema::TemplateFile;
use crate::template::SideFolder;
use crate::text;
use crate::{MountedFile, TemplateError, nearest};
use dmc_types::TemplateName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files of a template's folder, by their path in it.
type Files<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Reads a template's own folder.
pub(super) fn read_part(
    name: &TemplateName,
    TemplateFolder { files, origin, .. }: &TemplateFolder,
) -> Result<Part, TemplateError> {
    let files = files.iter().map(|(path, bytes)| (path.as_str(), &**bytes)).collect();
    let (test_folder, files) = side_folder(files, overlay::TESTS);
    let (deploy_folder, files) = side_folder(files, overlay::DEPLOY);
    let Some(toml) = files.get(overlay::TEXT) else {
        return Err(TemplateError::NoText { origin: origin.clone() });
    };
    let file = text::read(&format!("{origin}/{}", overlay::TEXT), toml)?;
    check_test_files(name, &file, &test_folder)?;
    check_deploy_files(name, &file, &deploy_folder)?;
    Ok(Part {
        name: name.clone(),
        origin: origin.clone(),
        bytes: in_one_row(name, &files),
        overlay: overlay::read(origin, files)?,
        file,
        with_tools: false,
        test_folder: Arc::new(test_folder),
        deploy_folder,
    })
}

/// The variant of a template with a shell and tools; none of a part.
pub(super) fn with_tools_of(part: &Part) -> Option<Part> {
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
    let origin = part.origin.clone();
    Some(Part { name, origin, file, overlay, with_tools: true, test_folder, deploy_folder, bytes })
}

/// What lies in one folder, and the other files.
fn side_folder<'a>(files: Files<'a>, folder: &str) -> (SideFolder, Files<'a>) {
    let mut inside = BTreeMap::new();
    let mut others = Files::new();
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
fn in_one_row(name: &TemplateName, files: &Files<'_>) -> Vec<u8> {
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
