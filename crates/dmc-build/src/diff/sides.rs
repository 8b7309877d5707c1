//! What a word names: an image in a layout, or a lock.

use super::{Held, Holding};
use crate::error::BuildError;
use crate::lock::read_lock;
use crate::naming;
use crate::record::ImageRecord;
use crate::workshop::Workshop;
use camino::Utf8Path;
use dmc_deb::deb822;
use dmc_image::Layout;
use dmc_image::layout::ImageFiles;
use dmc_image::oci::{Descriptor, Index, Manifest};
use dmc_lock::LockedPackage;
use dmc_types::{Arch, Checksum, ImagePath, PackageName, Sha256};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;

/// Where packages of an image without a record are found: dpkg's database, or a file a package.
const STATUS: &[u8] = b"/var/lib/dpkg/status";
const STATUS_D: &[u8] = b"/var/lib/dpkg/status.d/";

/// Whether a path is one of those.
pub(crate) fn is_database(path: &ImagePath) -> bool {
    path.as_bytes() == STATUS || path.as_bytes().starts_with(STATUS_D)
}

/// Says whether a document is an index or a manifest.
#[derive(Deserialize)]
struct Either {
    manifests: Option<serde_json::Value>,
}

/// What an image configuration says of the machine.
#[derive(Deserialize)]
struct Machine {
    architecture: String,
    variant: Option<String>,
}

impl Workshop {
    /// What a word names, by architecture; of a lock all templates.
    pub(super) fn holdings(&self, word: &str) -> Result<Vec<Holding>, BuildError> {
        if Utf8Path::new(word).is_file() {
            return lock(Utf8Path::new(word));
        }
        let (root, name) = match word.split_once('@') {
            Some((folder, name)) if Utf8Path::new(folder).is_dir() => (folder.into(), name),
            // NAME@sha256:…, as registries write it.
            Some((_, digest)) if digest.starts_with("sha256:") => {
                (self.settings.out.clone(), digest)
            }
            _ => (self.settings.out.clone(), word),
        };
        let none = |has: Vec<String>| BuildError::NoSuchImage {
            word: word.to_owned(),
            out: root.clone(),
            has,
        };
        if !root.join("index.json").exists() {
            return Err(none(Vec::new()));
        }
        let layout = Layout::open(root.clone())?;
        let Some(top) = find(&layout, name)? else {
            return Err(none(layout.refs()?.into_iter().map(|(name, _)| name).collect()));
        };
        let mut holdings = Vec::new();
        for manifest in manifests(&layout, &top)? {
            holdings.push(image(&layout, &manifest)?);
        }
        Ok(holdings)
    }
}

/// The blob of a reference or a digest.
fn find(layout: &Layout, name: &str) -> Result<Option<Descriptor>, BuildError> {
    if let Some(digits) = name.strip_prefix("sha256:") {
        let Ok(digest) = digits.parse::<Sha256>() else { return Ok(None) };
        let size = fs::metadata(layout.blob_path(&digest)).map(|found| found.len());
        return Ok(size.ok().map(|size| Descriptor::new("", digest, size)));
    }
    if name.contains(':') {
        return Ok(layout.resolve(name)?);
    }
    let latest = |private| layout.resolve(&format!("{name}:{}", naming::latest(private)));
    Ok(latest(false)?.or(latest(true)?))
}

/// The manifests of an index, the first of each platform, or the one that is given.
fn manifests(layout: &Layout, top: &Descriptor) -> Result<Vec<Descriptor>, BuildError> {
    let either: Either = layout.read_document(top)?;
    if either.manifests.is_none() {
        return Ok(vec![top.clone()]);
    }
    let index: Index = layout.read_document(top)?;
    // What other tools attest of an image lies beside it, for no machine.
    let known = |one: &Descriptor| {
        one.platform.as_ref().is_none_or(|platform| platform.architecture != "unknown")
    };
    let mut manifests: Vec<Descriptor> = Vec::new();
    for one in index.manifests.into_iter().filter(known) {
        // The same image in another form follows the first.
        let again = one.platform.is_some() && manifests.iter().any(|m| m.platform == one.platform);
        if !again {
            manifests.push(one);
        }
    }
    Ok(manifests)
}

fn image(layout: &Layout, descriptor: &Descriptor) -> Result<Holding, BuildError> {
    let manifest: Manifest = layout.read_document(descriptor)?;
    let machine: Machine = layout.read_document(&manifest.config)?;
    let is = |arch: &Arch| {
        let oci = arch.oci();
        oci.architecture == machine.architecture && oci.variant == machine.variant.as_deref()
    };
    // Debian's arm64 goes without the variant that others give it.
    let plain = |arch: &Arch| {
        arch.oci().architecture == machine.architecture && arch.oci().variant.is_none()
    };
    let arch = Arch::ALL.into_iter().find(is).or_else(|| Arch::ALL.into_iter().find(plain));
    let arch = arch.ok_or_else(|| BuildError::OtherMachine {
        digest: descriptor.digest,
        machine: machine.architecture.clone(),
    })?;
    let record = ImageRecord::read(layout, &descriptor.digest).ok();
    let database = |path: &ImagePath| record.is_none() && is_database(path);
    let files = layout.files(&manifest, &database)?;
    let title = manifest.annotations.get("org.opencontainers.image.title").cloned();
    let template = record.as_ref().map(|record| record.template.to_string()).or(title);
    Ok(Holding {
        template: template.unwrap_or_else(|| "image".to_owned()),
        arch,
        manifest: Some(descriptor.digest),
        layers: Some(manifest.layers.iter().map(|layer| layer.size).sum()),
        packages: record.map_or_else(|| installed(&files), recorded),
        files: Some(files.all),
    })
}

fn recorded(record: ImageRecord) -> BTreeMap<PackageName, Held> {
    let held = record.packages.into_iter().map(|(name, package)| {
        (name, Held { version: package.version, deb: Some(package.deb), size: None })
    });
    held.collect()
}

/// The packages that dpkg's database in an image names as installed.
fn installed(files: &ImageFiles) -> BTreeMap<PackageName, Held> {
    let mut packages = BTreeMap::new();
    for bytes in files.kept.values() {
        for paragraph in deb822::paragraphs(bytes) {
            let gone =
                paragraph.field("Status").is_some_and(|status| !status.ends_with(" installed"));
            let name = paragraph.field("Package").and_then(|name| name.parse().ok());
            if let (false, Some(name), Some(version)) = (gone, name, paragraph.field("Version")) {
                let version = version.to_owned();
                packages.insert(name, Held { version, deb: None, size: None });
            }
        }
    }
    packages
}

fn lock(path: &Utf8Path) -> Result<Vec<Holding>, BuildError> {
    let Some(lock) = read_lock(path)? else { return Ok(Vec::new()) };
    let holding = |(template, arch)| {
        let packages = lock.image(&template, arch).unwrap_or_default();
        let held = |row: &LockedPackage| Held {
            version: row.version.to_string(),
            deb: match row.checksum {
                Checksum::Sha256(digest) => Some(digest),
                Checksum::Sha512(_) => None,
            },
            size: Some(row.size),
        };
        Holding {
            template: template.to_string(),
            arch,
            manifest: None,
            layers: None,
            packages: packages
                .into_iter()
                .map(|(key, row)| (key.package.clone(), held(row)))
                .collect(),
            files: None,
        }
    };
    Ok(lock.images().map(holding).collect())
}
