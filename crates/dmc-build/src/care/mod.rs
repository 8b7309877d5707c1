//! Care of what is kept: store and layout are thinned out, read again and repaired.
//!
//! [`Workshop::clean`] removes what neither an image of the layout nor a lock refers to;
//! [`Workshop::check`] reads everything again, removes what is damaged and makes it anew. Both look
//! alone where they are asked to. Which objects go and which are damaged is the store's and the
//! layout's own word; here is who refers to them.

mod check;
mod clean;
mod repair;

pub use check::{Checkup, Cure, Finding};
pub use clean::{Cleaned, Gone};

use crate::error::BuildError;
use crate::record::ImageRecord;
use crate::workshop::Workshop;
use camino::Utf8PathBuf;
use dmc_archive::ArchiveError;
use dmc_image::Layout;
use dmc_lock::Lock;
use dmc_types::{Arch, PackageName, Sha256};
use std::collections::BTreeMap;

/// Files and their length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub files: u64,
    /// Their length in bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// Packages that somebody refers to: by the digest of the .deb, what it is and for whom.
type Referred = BTreeMap<Sha256, (PackageName, Arch)>;

impl Workshop {
    /// The layout, if there is one.
    fn present_layout(&self) -> Result<Option<Layout>, BuildError> {
        if !self.settings.out.join("oci-layout").exists() {
            return Ok(None);
        }
        Ok(Some(self.layout_there()?))
    }

    /// The packages of these images.
    fn referred_by_images(
        layout: &Layout,
        images: impl IntoIterator<Item = Sha256>,
    ) -> Result<Referred, BuildError> {
        let mut referred = Referred::new();
        for image in images {
            let record = ImageRecord::read(layout, &image)?;
            let arch = record.arch;
            let debs = record.packages.into_iter();
            referred.extend(debs.map(|(name, package)| (package.deb, (name, arch))));
        }
        Ok(referred)
    }

    /// The packages of a lock, as far as the store knows them by SHA-256.
    fn referred_by_lock(&self, lock: &Lock) -> Result<Referred, BuildError> {
        let store = self.archive.store().clone().read_only();
        let mut referred = Referred::new();
        for (arch, packages) in &lock.packages {
            for (key, package) in packages {
                let deb = store.key(&package.checksum).map_err(ArchiveError::from)?;
                referred.extend(deb.map(|deb| (deb, (key.package.clone(), *arch))));
            }
        }
        Ok(referred)
    }
}

/// The images of which there is a record: its path and the manifest's digest.
fn records(layout: &Layout) -> Result<Vec<(Utf8PathBuf, Sha256)>, BuildError> {
    let folder = layout.root().join(ImageRecord::FOLDER);
    let failed = |source| BuildError::Record { path: folder.clone(), source };
    let listing = match folder.read_dir_utf8() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut found = Vec::new();
    for item in listing {
        let path = item.map_err(failed)?.into_path();
        let digest = path.file_name().and_then(|name| name.strip_suffix(".json")?.parse().ok());
        found.extend(digest.map(|digest| (path, digest)));
    }
    found.sort();
    Ok(found)
}
