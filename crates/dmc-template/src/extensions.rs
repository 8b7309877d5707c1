//! Extensions: parts of a program that a template picks from a list.
//!
//! A template that ships such a program says, in its `[extension]` table, what a name of the list
//! comes to: the package, which of its files are kept, and how the program is told to load them.
//! Templates that build on it then say `extensions = ["curl", "gd"]`. Nothing here knows PHP; the
//! package's own files, and those of the extensions that it depends on, are for the build to find.

use crate::TemplateError;
use crate::family::Family;
use crate::words::ArchGlob;
use dmc_types::{Arch, GlobError, ImagePath, NameError, PackageName, PathError, PathGlob};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// What stands for an extension's name in the name of its package.
const NAME: &str = "{name}";
/// What stand for a file's name and its mark in a path.
const FILE: &str = "{file}";
const MARK: &str = "{mark}";

/// The name of an extension, such as `pdo_mysql`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct ExtensionName(String);

impl ExtensionName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ExtensionName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.+-".contains(&b);
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text));
        }
        let rule = "at most 64 lower-case letters, digits, `_`, `-`, `+` and `.`";
        Err(NameError { text, kind: "name of an extension", rule })
    }
}

impl fmt::Display for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How the name of an extension becomes that of its package: `php8.4-{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ExtensionPackage {
    before: String,
    after: String,
}

impl ExtensionPackage {
    /// The package of this extension; names of packages have hyphens for underscores.
    pub fn package(&self, name: &ExtensionName) -> Result<PackageName, NameError> {
        let name = name.as_str().replace('_', "-");
        format!("{}{name}{}", self.before, self.after).parse()
    }

    /// The extension that this would be the package of.
    pub fn name<'a>(&self, package: &'a PackageName) -> Option<&'a str> {
        let name = package.as_str().strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        (!name.is_empty()).then_some(name)
    }
}

impl TryFrom<String> for ExtensionPackage {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let parts =
            text.split_once(NAME).map(|(before, after)| (before.to_owned(), after.to_owned()));
        match parts {
            Some((before, after))
                if format!("{before}xx{after}").parse::<PackageName>().is_ok() =>
            {
                Ok(Self { before, after })
            }
            _ => {
                let rule = "a package's name with one `{name}` in it";
                Err(NameError { text, kind: "pattern of packages", rule })
            }
        }
    }
}

/// A path with `{file}` for a file's name and perhaps `{mark}` for what the file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct SwitchPath(String);

impl SwitchPath {
    /// The path for a file of this name and mark.
    pub fn path(&self, file: &str, mark: &str) -> Result<ImagePath, PathError> {
        let path = self.0.replace(MARK, mark).replace(FILE, file);
        ImagePath::parse(path).map(|path| path.merged_usr())
    }
}

impl TryFrom<String> for SwitchPath {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let path = Self(text);
        if path.0.contains(FILE) && path.path("x", "1").is_ok_and(|path| !path.is_root()) {
            return Ok(path);
        }
        let rule = "an absolute path with `{file}` in it";
        Err(NameError { text: path.0, kind: "path of an extension's settings", rule })
    }
}

/// `[extension]` of a template.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtensionTable {
    /// How a name becomes a package's: `php8.4-{name}`. A package that provides the name will do,
    /// and so will one without the underscores of the name.
    pub package: ExtensionPackage,
    /// Patterns of the package's files to keep; one at least must match.
    pub include: Vec<ArchGlob>,
    /// Extensions that come by their own name alone, not with the others of their package: files
    /// of these names, up to the first dot, are left out.
    #[serde(default)]
    pub apart: Vec<ExtensionName>,
    /// How the program is told to load it; nothing is done where it is missing.
    pub switch: Option<SwitchTable>,
}

/// `[extension.switch]`: a file of the package is copied, and a link to the copy switches it on.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchTable {
    /// Patterns of the files.
    pub files: Vec<ArchGlob>,
    /// Where the copy goes: a path with `{file}`. A file that lies there already is kept.
    pub copy: SwitchPath,
    /// The link to it: a path with `{file}` and perhaps `{mark}`.
    pub link: SwitchPath,
    /// How the line of the file begins of which the rest is the mark.
    pub mark: String,
    /// The mark of a file without such a line.
    pub unmarked: String,
}

/// The extensions of a template, seen for one architecture.
#[derive(Debug, Clone, PartialEq)]
pub struct Extensions {
    /// Their names, parents' first, each once.
    pub names: Vec<ExtensionName>,
    /// How a name becomes a package's.
    pub package: ExtensionPackage,
    /// Patterns of the packages' files to keep.
    pub include: Vec<PathGlob>,
    /// Extensions that come by their own name alone.
    pub apart: Vec<ExtensionName>,
    /// How the program is told to load them.
    pub switch: Option<Switch>,
}

/// [`SwitchTable`] for one architecture.
#[derive(Debug, Clone, PartialEq)]
pub struct Switch {
    /// Patterns of the files.
    pub files: Vec<PathGlob>,
    table: SwitchTable,
}

impl Switch {
    /// Where a file of this name is copied to, and the link to it, by what the file holds.
    pub fn places(&self, file: &str, text: &[u8]) -> Result<(ImagePath, ImagePath), PathError> {
        let SwitchTable { copy, link, mark, unmarked, .. } = &self.table;
        let said = text.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(mark.as_bytes()));
        let word = |rest: &[u8]| -> String {
            rest.iter()
                .take(16)
                .take_while(|b| b.is_ascii_alphanumeric())
                .map(|b| char::from(*b))
                .collect()
        };
        let mark =
            said.map(word).filter(|word| !word.is_empty()).unwrap_or_else(|| unmarked.clone());
        Ok((copy.path(file, &mark)?, link.path(file, &mark)?))
    }
}

/// What the parts of a template say of extensions, joined.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawExtensions {
    names: Vec<ExtensionName>,
    table: ExtensionTable,
}

impl RawExtensions {
    /// None where no part lists any.
    pub(crate) fn join(family: &Family<'_>) -> Result<Option<Self>, TemplateError> {
        let names = family.append(|part| &part.file.extensions);
        let table = family.settle("`[extension]`", |part| part.file.extension.clone())?;
        match (names.first(), table) {
            (None, _) => Ok(None),
            (Some(_), Some(table)) => Ok(Some(Self { names, table })),
            (Some(first), None) => Err(TemplateError::NoExtensions {
                template: family.name().clone(),
                extension: first.to_string(),
            }),
        }
    }

    pub(crate) fn for_arch(&self, arch: Arch) -> Result<Extensions, GlobError> {
        let globs = |globs: &[ArchGlob]| -> Result<Vec<PathGlob>, GlobError> {
            globs.iter().map(|glob| glob.for_arch(arch)).collect()
        };
        let switch = match &self.table.switch {
            Some(table) => Some(Switch { files: globs(&table.files)?, table: table.clone() }),
            None => None,
        };
        Ok(Extensions {
            names: self.names.clone(),
            package: self.table.package.clone(),
            include: globs(&self.table.include)?,
            apart: self.table.apart.clone(),
            switch,
        })
    }
}

#[cfg(test)]
mod tests;
