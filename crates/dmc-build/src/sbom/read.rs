//! An image of the layout, as whoever describes it wants to see it.
//!
//! Files and their digests are those of the layer, or of the tree that it was made of; packages
//! those of the database that is among them, and which file is whose comes from the image's record.

use crate::diff::is_database;
use crate::error::BuildError;
use crate::record::{FileRecord, ImageRecord};
use crate::settings::Settings;
use dmc_deb::deb822::{Paragraph, paragraphs};
use dmc_image::Layout;
use dmc_image::layout::{ImageFileKind, ImageFiles};
use dmc_image::oci::{Descriptor, Manifest};
use dmc_sbom::licence::Licensing;
use dmc_sbom::{Distribution, File, Image, Package};
use dmc_types::{ImagePath, PackageName};
use std::collections::BTreeMap;

/// Most links that are followed to a file; as many as the kernel follows.
const LINKS: usize = 40;
/// Where packages keep their copyright files.
const DOCUMENTATION: &[u8] = b"/usr/share/doc/";

/// Reads an image that dmc has built.
pub(super) fn image(
    settings: &Settings,
    layout: &Layout,
    descriptor: &Descriptor,
    files: &ImageFiles,
) -> Result<Image, BuildError> {
    let record = ImageRecord::read(layout, &descriptor.digest)?;
    let manifest: Manifest = layout.read_document(descriptor)?;
    let said = |key: &str| manifest.annotations.get(key).cloned();
    let codename = said("dmc.dist").unwrap_or_else(|| settings.conf.dist.clone());
    let dist = settings.conf.dist(&codename)?;
    Ok(Image {
        name: record.template.clone(),
        version: said("org.opencontainers.image.version").unwrap_or_else(|| "latest".to_owned()),
        manifest: descriptor.digest,
        arch: record.arch,
        created: said("org.opencontainers.image.created").unwrap_or_default(),
        distribution: Distribution {
            vendor: dist.vendor_name.to_owned(),
            origin: dist.vendor.origin.clone(),
            version: dist.version().unwrap_or(dist.codename).to_owned(),
        },
        packages: packages(&record, files),
        files: contents(&record, files),
    })
}

/// The files of an image, with the contents of those that say something about the others.
pub(super) fn files(layout: &Layout, descriptor: &Descriptor) -> Result<ImageFiles, BuildError> {
    let manifest: Manifest = layout.read_document(descriptor)?;
    Ok(layout.files(&manifest, &is_telling)?)
}

/// Whether the contents of a file say something about others.
pub(crate) fn is_telling(path: &ImagePath) -> bool {
    is_database(path) || is_copyright(path)
}

fn is_copyright(path: &ImagePath) -> bool {
    path.as_bytes().starts_with(DOCUMENTATION) && path.file_name() == b"copyright"
}

/// The packages on record, each with what the image's own database says of it.
fn packages(record: &ImageRecord, files: &ImageFiles) -> BTreeMap<PackageName, Package> {
    let installed: BTreeMap<&str, Paragraph> = files
        .kept
        .iter()
        .filter(|(path, _)| is_database(path))
        .flat_map(|(_, bytes)| paragraphs(bytes))
        .filter_map(|paragraph| Some((paragraph.field("Package")?, paragraph)))
        .collect();
    let package = |(name, on_record): (&PackageName, &crate::PackageRecord)| {
        let control = installed.get(name.as_str()).map_or(&b""[..], |it| it.as_bytes());
        let read = Package::read(name, control, on_record.deb, licensing(files, name));
        (name.clone(), Package { archive: on_record.archive.clone(), ..read })
    };
    record.packages.iter().map(package).collect()
}

fn licensing(files: &ImageFiles, package: &PackageName) -> Licensing {
    let found = copyright(files, package).and_then(|path| files.kept.get(&path));
    found.map_or(Licensing::Missing, |text| Licensing::read(text))
}

/// Where a package's copyright file is, every link followed: packages of one source often share a
/// folder (Debian Policy 12.5).
fn copyright(files: &ImageFiles, package: &PackageName) -> Option<ImagePath> {
    let mut folder =
        ImagePath::parse([DOCUMENTATION, package.as_str().as_bytes()].concat()).ok()?;
    let mut file = None;
    for _ in 0..LINKS {
        let path = file.clone().unwrap_or_else(|| folder.clone());
        match (&files.all.get(&path)?.kind, &file) {
            (ImageFileKind::Symlink(target), None) => folder = path.link_target(target).ok()?,
            (ImageFileKind::Symlink(target), Some(_)) => file = path.link_target(target).ok(),
            (ImageFileKind::Hardlink(target), _) => file = ImagePath::from_tar(target).ok(),
            (ImageFileKind::Directory, None) => file = folder.join("copyright").ok(),
            (ImageFileKind::File { .. }, Some(_)) => return file,
            _ => return None,
        }
    }
    None
}

/// Every regular file under each of its names.
fn contents(record: &ImageRecord, files: &ImageFiles) -> BTreeMap<ImagePath, File> {
    let mut found = BTreeMap::new();
    for (path, file) in &files.all {
        let kind = match &file.kind {
            ImageFileKind::Hardlink(target) => {
                let target = ImagePath::from_tar(target).ok();
                target.and_then(|target| files.all.get(&target)).map(|file| &file.kind)
            }
            kind => Some(kind),
        };
        let Some(ImageFileKind::File { digest, sha1, .. }) = kind else { continue };
        let FileRecord { package, made, .. } = record.files.get(path).cloned().unwrap_or_default();
        found.insert(path.clone(), File { sha1: *sha1, sha256: *digest, package, made });
    }
    found
}
