//! Package URLs (the purl specification, types `deb` and `oci`).
//!
//! `pkg:deb/debian/NAME@VERSION?arch=…&distro=debian-13&upstream=SOURCE@VERSION`. The specification
//! has `+` written as `%2B`, and leaves `~` and `:` as they are; an `@` of a qualifier is `%40`.
//! A third party's package has its archive's name in place of the vendor's and says no `distro`:
//! whoever looks it up among the distribution's own packages would find another one.

use crate::{Distribution, Image, Package, SbomError};
use dmc_types::{PackageName, Sha256};
use packageurl::PackageUrl;

/// The URL of a package.
pub fn deb(
    name: &PackageName,
    package: &Package,
    distribution: &Distribution,
) -> Result<String, SbomError> {
    let upstream = format!("{}@{}", package.source, package.source_version);
    let write = || -> Result<String, packageurl::Error> {
        let mut url = PackageUrl::new("deb", name.as_str())?;
        url.with_namespace(package.archive.as_deref().unwrap_or(&distribution.vendor))?
            .with_version(package.version.as_str())?
            .add_qualifier("arch", package.arch.as_str())?
            .add_qualifier("upstream", upstream)?;
        if package.archive.is_none() {
            let distro = format!("{}-{}", distribution.vendor, distribution.version);
            url.add_qualifier("distro", distro)?;
        }
        Ok(url.to_string())
    };
    write().map_err(|source| SbomError::Purl { name: name.to_string(), source })
}

/// The URL of an image.
pub fn oci(image: &Image) -> Result<String, SbomError> {
    let Image { name, version, manifest, arch, .. } = image;
    of_manifest(name.as_str(), version, manifest, arch.oci().architecture)
}

/// The same for a manifest of which this is known, the architecture in Go's words.
pub(crate) fn of_manifest(
    name: &str,
    tag: &str,
    manifest: &Sha256,
    architecture: &str,
) -> Result<String, SbomError> {
    let write = || -> Result<String, packageurl::Error> {
        let mut url = PackageUrl::new("oci", name)?;
        url.with_version(format!("sha256:{manifest}"))?
            .add_qualifier("arch", architecture)?
            .add_qualifier("tag", tag)?;
        Ok(url.to_string())
    };
    write().map_err(|source| SbomError::Purl { name: name.to_owned(), source })
}
