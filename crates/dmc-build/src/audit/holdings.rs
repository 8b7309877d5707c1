//! What an image of the layout holds: its own database of packages, and the record of its files.

use crate::error::BuildError;
use crate::record::{FileRecord, ImageRecord};
use crate::workshop::Workshop;
use dmc_audit::{Holdings, KeptFile, Package};
use dmc_deb::deb822;
use dmc_image::Layout;
use dmc_image::oci::{Descriptor, Manifest};
use dmc_types::{ImagePath, PackageName};
use std::collections::BTreeSet;

/// Where packages are found: dpkg's database, or a file a package.
const STATUS: &[u8] = b"/var/lib/dpkg/status";
const STATUS_D: &[u8] = b"/var/lib/dpkg/status.d/";

impl Workshop {
    /// The codename of the release that an image is of, and what it holds.
    pub(super) fn audited_holdings(
        &self,
        layout: &Layout,
        manifest: &Descriptor,
    ) -> Result<(String, Holdings), BuildError> {
        let record = ImageRecord::read(layout, &manifest.digest)?;
        let image: Manifest = layout.read_document(manifest)?;
        let database = |path: &ImagePath| {
            let path = path.as_bytes();
            path == STATUS || (path.starts_with(STATUS_D) && !path.ends_with(b".md5sums"))
        };
        let files = layout.files(&image, &database)?;
        let paragraphs = files.kept.values().flat_map(|bytes| deb822::paragraphs(bytes));
        let mut packages: Vec<Package> =
            paragraphs.filter_map(|paragraph| Package::read(&paragraph)).collect();
        for package in &mut packages {
            package.archive =
                record.packages.get(&package.name).and_then(|known| known.archive.clone());
        }
        let named: BTreeSet<&PackageName> = packages.iter().map(|package| &package.name).collect();
        let unknown = record.packages.iter().filter(|(name, _)| !named.contains(name));
        let unknown =
            unknown.map(|(name, package)| (name.clone(), package.version.clone())).collect();
        let files = record.files.iter().map(|(path, file)| kept(path, file)).collect();
        let dist = image.annotations.get("dmc.dist").unwrap_or(&self.settings.conf.dist);
        Ok((dist.clone(), Holdings { packages, unknown, files }))
    }
}

fn kept(path: &ImagePath, file: &FileRecord) -> KeptFile {
    let made = file.made.as_deref().unwrap_or_default();
    // As `FileRecord` writes it.
    let sources = made.strip_prefix("copy of ").or(made.strip_prefix("put together from "));
    let sources = sources.into_iter().flat_map(|sources| sources.split(", "));
    KeptFile {
        path: path.clone(),
        package: file.package.clone(),
        made_from: sources.filter_map(|path| ImagePath::parse(path).ok()).collect(),
        own: made.ends_with("file of the template"),
    }
}
