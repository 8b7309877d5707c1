//! Templates and rules in folders of the machine.

use crate::error::CommandError;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_template::TemplateFolder;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::FileType;
use std::io;

/// Reads every folder below `place` that has a `template.toml`. A place that is absent has none.
pub(crate) fn read_templates(place: &Utf8Path) -> Result<Vec<TemplateFolder>, CommandError> {
    let mut folders = Vec::new();
    for (name, kind) in entries(place)? {
        let folder = place.join(&name);
        if kind.is_dir() && folder.join("template.toml").is_file() {
            let mut files = BTreeMap::new();
            collect(&folder, "", &mut files)?;
            folders.push(TemplateFolder { name, files, origin: folder.to_string() });
        }
    }
    Ok(folders)
}

/// The files of settings in a folder that the configuration names by `key`: name and text of each.
pub(crate) fn read_texts(
    place: &Utf8Path,
    key: &str,
) -> Result<Vec<(String, Vec<u8>)>, CommandError> {
    if !place.is_dir() {
        return Err(CommandError::usage(format!("there is no folder `{place}`"))
            .hint(format!("check `{key}` in the configuration")));
    }
    let mut texts = Vec::new();
    for (name, _) in entries(place)? {
        let path = place.join(&name);
        if path.extension() == Some("toml") {
            let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            texts.push((path.to_string(), bytes));
        }
    }
    Ok(texts)
}

fn collect(
    folder: &Utf8Path,
    prefix: &str,
    files: &mut BTreeMap<String, Cow<'static, [u8]>>,
) -> Result<(), CommandError> {
    for (name, kind) in entries(folder)? {
        let path = folder.join(&name);
        let below = format!("{prefix}{name}");
        // What a link leads to counts, so that private files may live elsewhere.
        if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
            collect(&path, &format!("{below}/"), files)?;
        } else {
            let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            files.insert(below, bytes.into());
        }
    }
    Ok(())
}

/// Names and kinds in a folder, sorted by name.
fn entries(folder: &Utf8Path) -> Result<BTreeMap<String, FileType>, CommandError> {
    let listing = match folder.read_dir_utf8() {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    let entry = |entry: io::Result<camino::Utf8DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().to_owned(), entry.file_type()?))
    };
    listing.map(entry).collect::<io::Result<_>>().map_err(|error| unreadable(folder, &error))
}

fn unreadable(path: &Utf8Path, error: &io::Error) -> CommandError {
    let path = Utf8PathBuf::from(path);
    CommandError::failed(format!("cannot read `{path}`")).because(error)
}
