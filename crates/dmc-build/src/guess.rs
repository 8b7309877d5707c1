//! In which of its dependencies a package's need is likely to be met.
//!
//! By Debian Policy 8.1 the soname predicts the name of a library's package (`libpcre2-8.so.0` is
//! in `libpcre2-8-0`), with a few exceptions (`libz.so.1` is in `zlib1g`) and, since the change to
//! 64-bit time, with `t64` at the end. A guess decides only what is read first; every package is
//! checked before it counts, so a wrong one costs a download.

use dmc_elf::Want;
use dmc_types::{ImagePath, PackageName, SoName};

/// How sure one can be that a package meets a need, without looking into it. Best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likelihood {
    /// Its name is what policy prescribes: worth reading at once.
    Expected,
    /// Its name shares the library's stem.
    Similar,
    /// It is named as libraries are.
    Library,
    /// Nothing speaks for it.
    Any,
}

/// How likely `package` meets `want`.
pub(crate) fn likelihood(want: &Want, package: &PackageName) -> Likelihood {
    match want {
        Want::Package(name) if name == package => Likelihood::Expected,
        Want::Package(_) => Likelihood::Any,
        Want::Library(names) => names
            .iter()
            .map(|(soname, _)| of_library(soname, package.as_str()))
            .min()
            .unwrap_or(Likelihood::Any),
        Want::Path(path) | Want::File(path) => of_path(path, package.as_str()),
    }
}

fn of_library(soname: &SoName, package: &str) -> Likelihood {
    let expected = package_name(soname);
    if package == expected || package.strip_suffix("t64") == Some(&expected) {
        return Likelihood::Expected;
    }
    // `libxml2.so.16` is in `libxml2-16`, but `libxml2.so.2` is in `libxml2`.
    let (stem, _) = parts(soname);
    if package == stem {
        return Likelihood::Expected;
    }
    let bare = stem.strip_prefix("lib").unwrap_or(&stem);
    if package.starts_with(&stem) || (bare.len() > 2 && package.contains(bare)) {
        return Likelihood::Similar;
    }
    if package.starts_with("lib") || package.starts_with(bare) {
        return Likelihood::Library;
    }
    Likelihood::Any
}

/// The name that policy prescribes: the soname's stem and version, joined by a hyphen where the
/// stem ends in a digit; lower case, without underscores.
fn package_name(soname: &SoName) -> String {
    let (mut name, version) = parts(soname);
    if name.ends_with(|c: char| c.is_ascii_digit()) && !version.is_empty() {
        name.push('-');
    }
    name + &version
}

/// A soname's stem and version in the letters of package names.
fn parts(soname: &SoName) -> (String, String) {
    let clean = |text: &str| text.to_lowercase().replace('_', "-");
    let name = soname.as_str();
    match name.split_once(".so") {
        // `libdb-5.3.so` carries its version in the stem.
        Some((stem, version)) => (clean(stem), clean(version.trim_start_matches('.'))),
        None => (clean(name), String::new()),
    }
}

fn of_path(path: &ImagePath, package: &str) -> Likelihood {
    let parts: Vec<&[u8]> = path.parts().collect();
    if let [b"usr", b"share", b"doc", owner, ..] = parts[..] {
        return if owner == package.as_bytes() { Likelihood::Expected } else { Likelihood::Any };
    }
    let file = String::from_utf8_lossy(path.file_name()).to_lowercase();
    if file == package {
        Likelihood::Expected
    } else if package.starts_with(&file) || file.starts_with(package) {
        Likelihood::Similar
    } else {
        Likelihood::Any
    }
}

/// The package that a path names by itself: `/usr/share/doc/PACKAGE/…`; the common licence texts
/// are base-files' by Debian Policy 12.5.
pub(crate) fn named_by(want: &Want) -> Option<PackageName> {
    let Want::Path(path) = want else { return None };
    let parts: Vec<&[u8]> = path.parts().collect();
    match parts[..] {
        [b"usr", b"share", b"doc", owner, ..] => std::str::from_utf8(owner).ok()?.parse().ok(),
        [b"usr", b"share", b"common-licenses", ..] => "base-files".parse().ok(),
        _ => None,
    }
}

/// What Debian puts before and after a name to make a package's name of it.
const BEFORE: [&str; 6] = ["lib", "node-", "python3-", "ruby-", "fonts-", "php-"];
const AFTER: [&str; 7] = ["-common", "-data", "-bin", "-base", "-core", "-files", "-dev"];

/// Whether a path seems to name a package that ships data: one of its folders, or its last part up
/// to the first dot, is the package's name without what naming adds. Programs do not count: which
/// of them is run is no matter of data.
pub(crate) fn is_hinted(path: &ImagePath, package: &PackageName) -> bool {
    let whole = package.as_str();
    let bare = BEFORE.iter().find_map(|before| whole.strip_prefix(before)).unwrap_or(whole);
    let bare = AFTER.iter().find_map(|after| bare.strip_suffix(after)).unwrap_or(bare);
    let mut parts = path.parts().skip(1);
    let program = path.parts().any(|part| matches!(part, b"bin" | b"sbin"));
    !program
        && parts.any(|part| {
            let stem = part.split(|b| *b == b'.').next().unwrap_or_default();
            [whole, bare].iter().any(|name| part == name.as_bytes() || stem == name.as_bytes())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soname_predicts_the_package() {
        for (soname, package, wanted) in [
            ("libpcre2-8.so.0", "libpcre2-8-0", Likelihood::Expected),
            ("libcrypt.so.1", "libcrypt1", Likelihood::Expected),
            ("libssl.so.3", "libssl3t64", Likelihood::Expected),
            ("libgcc_s.so.1", "libgcc-s1", Likelihood::Expected),
            ("libstdc++.so.6", "libstdc++6", Likelihood::Expected),
            ("libc.so.6", "libc6", Likelihood::Expected),
            ("libxml2.so.2", "libxml2", Likelihood::Expected),
            ("libdb-5.3.so", "libdb5.3t64", Likelihood::Library),
            ("libpam.so.0", "libpam0g", Likelihood::Similar),
            ("libz.so.1", "zlib1g", Likelihood::Library),
            ("libcrypto.so.3", "libssl3t64", Likelihood::Library),
            ("libz.so.1", "nginx-common", Likelihood::Any),
        ] {
            let want = Want::Library(vec![(soname.parse().unwrap(), vec![])]);
            let package: PackageName = package.parse().unwrap();
            assert_eq!(likelihood(&want, &package), wanted, "{soname} in {package}");
        }
    }

    #[test]
    fn paths_hint_at_packages_of_data() {
        for (path, package, wanted) in [
            ("/usr/share/nodejs/acorn/dist/acorn.js", "node-acorn", true),
            ("/usr/share/nodejs/undici/undici-fetch.js", "node-undici", true),
            ("/usr/share/nodejs/acorn/dist/acorn.js", "node-busboy", false),
            ("/etc/nginx/nginx.conf", "nginx-common", true),
            ("/etc/nginx/nginx.conf", "iproute2", false),
            ("/usr/share/misc/magic.mgc", "libmagic-mgc", false),
            ("/usr/bin/perl", "perl", false),
            ("/usr/share/perl", "usr", false),
        ] {
            let hinted = is_hinted(&ImagePath::parse(path).unwrap(), &package.parse().unwrap());
            assert_eq!(hinted, wanted, "{path} in {package}");
        }
    }

    #[test]
    fn paths_speak_for_packages_of_their_name() {
        for (path, package, wanted) in [
            ("/usr/share/doc/gcc-14-base/copyright", "gcc-14-base", Likelihood::Expected),
            ("/usr/share/doc/gcc-14-base/copyright", "libc6", Likelihood::Any),
            ("/usr/bin/python3", "python3-minimal", Likelihood::Similar),
            ("/usr/bin/python3.13", "python3.13-minimal", Likelihood::Similar),
            ("/usr/bin/perl", "nginx", Likelihood::Any),
        ] {
            let want = Want::Path(ImagePath::parse(path).unwrap());
            assert_eq!(likelihood(&want, &package.parse().unwrap()), wanted, "{path} in {package}");
        }
    }
}
