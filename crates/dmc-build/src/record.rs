//! What is on record of an image: its packages, and each file's reasons.
//!
//! Written beside the blobs of the layout, in `dmc/HEX.json` by the digest of the platform's
//! manifest, so that `dmc why` needs neither network nor store, and as deterministic as the image.

use crate::assemble::Assembled;
use crate::error::BuildError;
use crate::small::Whole;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_elf::{Closure, Edge};
use dmc_image::Layout;
use dmc_template::{ArchTemplate, Placed};
use dmc_types::{Arch, ImagePath, PackageFacts, PackageName, Sha256, TemplateName};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;

/// How files begin that are not complete yet, as the layout's own do.
const TEMPORARY: &str = ".dmc-";

/// The record of one platform's image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The template that it was made from.
    pub template: TemplateName,
    /// The architecture.
    pub arch: Arch,
    /// Packages with a file in the image.
    pub packages: BTreeMap<PackageName, PackageRecord>,
    /// Everything in the image but folders that nothing asked for.
    pub files: BTreeMap<ImagePath, FileRecord>,
    /// What was left out or changed, in sentences.
    pub notes: Vec<String>,
}

/// One package of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRecord {
    /// Its version.
    pub version: String,
    /// SHA-256 of its .deb.
    pub deb: Sha256,
    /// The third-party archive that it comes from; none for the distribution's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub archive: Option<String>,
    /// Why it is in a small image; none where its files have reasons of their own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub because: Option<String>,
}

/// One file of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The package that ships it; none for files that are made or placed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package: Option<PackageName>,
    /// How it came to be, where no package ships it: `overlay`, `copy of PATH`, `generated`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made: Option<String>,
    /// Why it is there, the first reason in front.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<Edge>,
}

/// The parts of a record, which are passed over: it was written whole.
#[derive(Deserialize)]
#[expect(dead_code, reason = "that they are there is all that counts")]
struct Outline {
    template: IgnoredAny,
    arch: IgnoredAny,
    packages: IgnoredAny,
    files: IgnoredAny,
    notes: IgnoredAny,
}

impl ImageRecord {
    /// Puts on record what the walk found and what assembly made of it.
    pub(crate) fn new(closure: &Closure, template: &ArchTemplate, assembled: &Assembled) -> Self {
        let mut files = BTreeMap::new();
        for (path, node) in assembled.tree.iter() {
            let record = match (template.placed.get(path), closure.files.get(path)) {
                (Some(placed), _) => FileRecord::placed(placed, closure),
                (None, Some(kept)) => FileRecord {
                    package: Some(kept.package().package.clone()),
                    made: None,
                    reasons: kept.reasons.clone(),
                },
                (None, None) if node.is_directory() => continue,
                (None, None) => match closure.alternatives.get(path) {
                    Some(link) => FileRecord {
                        package: Some(link.package.clone()),
                        reasons: link.reasons.clone(),
                        ..FileRecord::made("link of update-alternatives")
                    },
                    None => FileRecord::made("generated"),
                },
            };
            files.insert(path.clone(), record);
        }
        let packages = closure
            .shipped()
            .into_iter()
            .map(|(name, facts)| (name, PackageRecord::new(facts, None)));
        Self {
            template: template.name.clone(),
            arch: template.arch,
            packages: packages.collect(),
            files,
            notes: notes(closure, assembled),
        }
    }

    /// Puts on record why each package of a small image is there, those without a file too.
    pub(crate) fn explain(&mut self, closure: &Closure, whole: &Whole) {
        let all = closure.packages.iter().map(|(name, facts)| {
            let because = whole.because.get(name).cloned();
            (name.clone(), PackageRecord::new(facts, because))
        });
        self.packages = all.collect();
    }

    /// The folder of records in a layout.
    pub(crate) const FOLDER: &str = "dmc";

    /// Where the record of the image with this manifest is.
    pub(crate) fn path(layout: &Layout, manifest: &Sha256) -> Utf8PathBuf {
        layout.root().join(Self::FOLDER).join(format!("{manifest}.json"))
    }

    /// Writes the record of the image with this manifest, at once and for everybody to read.
    pub(crate) fn write(&self, layout: &Layout, manifest: &Sha256) -> Result<(), BuildError> {
        write(layout, &Self::path(layout, manifest), self)
    }

    /// Reads the record of the image with this manifest.
    pub(crate) fn read(layout: &Layout, manifest: &Sha256) -> Result<Self, BuildError> {
        let path = Self::path(layout, manifest);
        let failed = |source| BuildError::Record { path: path.clone(), source };
        let json = fs::read(&path).map_err(failed)?;
        serde_json::from_slice(&json).map_err(|error| failed(error.into()))
    }

    /// Whether the record of the image with this manifest is there and whole.
    pub(crate) fn is_there(layout: &Layout, manifest: &Sha256) -> bool {
        let json = fs::read(Self::path(layout, manifest));
        json.is_ok_and(|json| serde_json::from_slice::<Outline>(&json).is_ok())
    }

    /// Why a package is in a small image, and the packages that need it, up to one that is there
    /// for its own sake.
    pub(crate) fn package_chain(&self, package: &PackageName) -> Vec<(PackageName, String)> {
        let mut chain: Vec<(PackageName, String)> = Vec::new();
        let mut next = Some(package.clone());
        while let Some(name) = next.filter(|name| chain.iter().all(|(seen, _)| seen != name)) {
            let record = self.packages.get(&name);
            let Some(because) = record.and_then(|record| record.because.clone()) else { break };
            // "Depends of PACKAGE: …", as the solver's reasons read.
            let by = because.split_once(" of ").and_then(|(_, rest)| rest.split_once(':'));
            next = by.and_then(|(by, _)| by.parse().ok());
            chain.push((name, because));
        }
        chain
    }

    /// The chain of reasons from a file up to the template, following each file's first reason:
    /// the file itself, then what needs it, and so on.
    pub fn chain(&self, path: &ImagePath, first: &Edge) -> Vec<(ImagePath, Edge)> {
        let mut chain = vec![(path.clone(), first.clone())];
        let mut next = first.from.as_ref();
        while let Some(path) = next.filter(|path| chain.iter().all(|(seen, _)| seen != *path)) {
            let reasons = self.files.get(path).map(|file| &file.reasons);
            let Some(reason) = reasons.and_then(|reasons| reasons.first()) else { break };
            chain.push((path.clone(), reason.clone()));
            next = reason.from.as_ref();
        }
        chain
    }
}

impl PackageRecord {
    fn new(facts: &PackageFacts, because: Option<String>) -> Self {
        Self { version: facts.version.clone(), deb: facts.deb, archive: None, because }
    }
}

/// Writes what is kept beside an image, at once and for everybody to read.
pub(crate) fn write(
    layout: &Layout,
    path: &Utf8Path,
    what: &impl Serialize,
) -> Result<(), BuildError> {
    let failed = |source| BuildError::WriteRecord { path: path.to_owned(), source };
    let folder = layout.root().join(ImageRecord::FOLDER);
    fs::create_dir_all(&folder).map_err(failed)?;
    let file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(&folder)
        .map_err(failed)?;
    // The umask was applied to the permissions above.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    let mut out = BufWriter::new(file);
    serde_json::to_writer(&mut out, what).map_err(|error| failed(error.into()))?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

impl FileRecord {
    fn made(how: impl Into<String>) -> Self {
        Self { package: None, made: Some(how.into()), reasons: Vec::new() }
    }

    fn placed(placed: &Placed, closure: &Closure) -> Self {
        match placed {
            Placed::File { private: false, .. } => Self::made("file of the template"),
            Placed::File { private: true, .. } => Self::made("private file of the template"),
            Placed::Link(_) => Self::made("link of the template"),
            Placed::Directory { .. } => Self::made("folder of the template"),
            Placed::Copy(from) => Self {
                package: closure.copied.get(from).map(|kept| kept.package().package.clone()),
                ..Self::made(format!("copy of {from}"))
            },
            Placed::Concat { .. } => {
                let sources = placed.sources();
                let from: Vec<String> = sources.iter().map(ToString::to_string).collect();
                Self::made(format!("put together from {}", from.join(", ")))
            }
        }
    }
}

fn notes(closure: &Closure, assembled: &Assembled) -> Vec<String> {
    let there = |path: &ImagePath| assembled.tree.get(path).is_some();
    let open = closure.notes.iter().filter(|note| match note {
        dmc_elf::Note::Dangling { target, .. } => !there(target),
        _ => true,
    });
    let mut notes: Vec<String> = open.map(ToString::to_string).collect();
    notes.extend(assembled.shadowed.iter().map(|(path, conffile)| match conffile {
        Some(package) => {
            format!("the template's `{path}` takes the place of a conffile of {package}")
        }
        None => format!("the template's `{path}` takes the place of a package's"),
    }));
    notes.extend(
        assembled
            .lowered
            .iter()
            .map(|path| format!("`{path}` is without its setuid or setgid bit")),
    );
    notes.extend(assembled.notes.iter().cloned());
    notes
}
