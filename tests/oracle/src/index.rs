//! Package indices: a row of named texts for each package.

use debian_packaging::binary_package_control::BinaryPackageControlFile;
use dmc_archive::Candidate;
use dmc_types::{Arch, Checksum};

/// What is compared of a package, in the order of [`FIELDS`]; empty where there is no such field.
pub type Row = [String; FIELDS.len()];

/// The fields, by the names that they have in an index.
pub const FIELDS: [&str; 10] = [
    "Package",
    "Version",
    "Architecture",
    "Filename",
    "Size",
    "SHA256",
    "Installed-Size",
    "Pre-Depends",
    "Depends",
    "Provides",
];

/// As dmc found it, through its compiled index.
pub fn ours(candidate: &Candidate) -> Row {
    let Checksum::Sha256(digest) = &candidate.checksum else {
        panic!("{} has no SHA-256", candidate.package)
    };
    [
        candidate.package.to_string(),
        candidate.version.as_str().to_owned(),
        candidate.arch.map_or("all", Arch::name).to_owned(),
        candidate.filename.clone(),
        candidate.size.to_string(),
        digest.to_string(),
        candidate.installed_size.map(|kib| kib.to_string()).unwrap_or_default(),
        candidate.pre_depends.clone(),
        candidate.depends.clone(),
        candidate.provides.clone(),
    ]
}

/// As the oracle read it.
pub fn theirs(package: &BinaryPackageControlFile<'_>) -> Row {
    FIELDS.map(|field| package.field_str(field).unwrap_or_default().to_owned())
}
