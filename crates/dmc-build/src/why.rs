//! Why a file is in an image.

use crate::record::ImageRecord;
use dmc_elf::Edge;
use dmc_types::{ImagePath, PackageName};

/// An answer to "why is this file here?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is in the image.
    Kept {
        /// The path as the image spells it.
        path: ImagePath,
        /// The package that ships it, if one does.
        package: Option<PackageName>,
        /// How it was made, where no package ships it.
        made: Option<String>,
        /// Why the packages on the way are in a small image: each with its reason, the one that
        /// ships it first.
        packages: Vec<(PackageName, String)>,
        /// For each reason the chain up to the template.
        chains: Vec<Vec<(ImagePath, Edge)>>,
    },
    /// It is not.
    Absent {
        /// The path under merged-/usr.
        path: ImagePath,
    },
}

/// Looks a path up in an image's record.
pub fn why(record: &ImageRecord, path: &ImagePath) -> Why {
    let path = path.merged_usr();
    let Some(file) = record.files.get(&path) else {
        return Why::Absent { path };
    };
    let chains = file.reasons.iter().map(|edge| record.chain(&path, edge)).collect();
    let packages = file.package.iter().flat_map(|package| record.package_chain(package)).collect();
    Why::Kept { package: file.package.clone(), made: file.made.clone(), packages, chains, path }
}
