//! A small Debian 13 in which an image of nginx can be built.
//!
//! Packages have the names, versions, dependencies, paths, links and maintainer scripts of trixie,
//! and contents of a few bytes; programs are made by [`ElfBuilder`], so nothing runs. Everything is
//! the same in each run. Besides what nginx needs there is what it must not drag along: manuals,
//! changelogs, gconv modules, engines, update-passwd, and packages that apt would install
//! (iproute2, debconf, libselinux1,
//! openssl-provider-legacy).

mod base;

use crate::{DebBuilder, EPOCH, ElfBuilder, FakeSuite, SigningKey, loader};
use dmc_types::{Arch, UnixTime};

const DAY: UnixTime = 24 * 3600;
/// nginx's version here.
pub const NGINX: &str = "1.26.3-3";
/// glibc's version here.
pub const GLIBC: &str = "2.41-12";

/// Suites `trixie` (with [`nginx_like`]), `trixie-updates` and `trixie-security` (both empty),
/// signed by one key. The security suite ends seven days after [`EPOCH`].
pub fn suites(arches: &[Arch], key: &SigningKey) -> [FakeSuite; 3] {
    let of =
        |suite: FakeSuite| FakeSuite { architectures: arches.to_vec(), ..suite.signed_by(key) };
    let mut trixie = of(FakeSuite::new("trixie")).debs(nginx_like(arches));
    "stable".clone_into(&mut trixie.suite);
    let mut updates = of(FakeSuite::new("trixie-updates"));
    "stable-updates".clone_into(&mut updates.suite);
    let mut security = of(FakeSuite::security("trixie-security"));
    "stable-security".clone_into(&mut security.suite);
    [trixie, updates, security]
}

/// nginx with everything it needs, and some packages that it does not need.
pub fn nginx_like(arches: &[Arch]) -> Vec<DebBuilder> {
    let mut debs =
        vec![nginx_common(), decoy("debconf", "1.5.91", "all", "/usr/share/debconf/confmodule")];
    for arch in arches {
        let arch = *arch;
        debs.push(nginx(arch));
        debs.extend(libraries(arch));
        debs.extend(base::packages(arch));
        debs.push(decoy("iproute2", "6.15.0-1", arch.name(), "/usr/bin/ip"));
        for name in ["libselinux1", "libdebconfclient0"] {
            debs.push(decoy(name, "1-1", arch.name(), &format!("/usr/share/{name}")));
        }
        let legacy = format!("/usr/lib/{}/ossl-modules/legacy.so", arch.triplet());
        let name = "openssl-provider-legacy";
        debs.push(decoy(name, "3.5.1-1", arch.name(), &legacy).field("Source", "openssl"));
    }
    debs
}

/// A package with a changelog, a manual and a copyright file, like all of Debian's.
fn package(name: &str, version: &str, arch: &str, age: UnixTime) -> DebBuilder {
    let doc = format!("/usr/share/doc/{name}");
    DebBuilder::new(name, version, arch)
        .time(EPOCH - age * DAY)
        .file(&format!("{doc}/changelog.Debian.gz"), "changes")
        .file(&format!("{doc}/copyright"), format!("License of {name}\n"))
}

fn decoy(name: &str, version: &str, arch: &str, path: &str) -> DebBuilder {
    package(name, version, arch, 50).executable(path, "not needed")
}

fn nginx(arch: Arch) -> DebBuilder {
    let program = ElfBuilder::program(arch)
        .needs("libcrypt.so.1")
        .needs("libpcre2-8.so.0")
        .needs("libssl.so.3")
        .needs("libcrypto.so.3")
        .needs("libz.so.1")
        .needs("libc.so.6")
        .imports("SSL_new")
        .imports("deflate")
        .imports("pthread_exit")
        .rodata(b"/usr/share/nginx\0/etc/nginx/nginx.conf\0nginx/1.26.3\0");
    let depends = format!(
        "libc6 (>= 2.34), libcrypt1 (>= 1:4.1.0), libpcre2-8-0 (>= 10.22), libssl3t64 (>= 3.0.0), \
         zlib1g (>= 1:1.1.4), iproute2, nginx-common (= {NGINX})"
    );
    package("nginx", NGINX, arch.name(), 10)
        .field("Depends", &depends)
        .field("Provides", "httpd, httpd-cgi, nginx-abi-1.26.3-1")
        .field("Section", "httpd")
        .field("Homepage", "https://nginx.org")
        .executable("/usr/sbin/nginx", program.build())
        .file("/usr/share/man/man8/nginx.8.gz", "manual")
        .script("postinst", "#!/bin/sh\nset -e\ninvoke-rc.d nginx start || true\n")
        .script("triggers", "interest-noawait /usr/lib/nginx/modules\n")
}

fn nginx_common() -> DebBuilder {
    let mut deb = package("nginx-common", NGINX, "all", 10)
        .field("Source", "nginx")
        .field("Depends", "debconf (>= 0.5) | debconf-2.0")
        .field("Section", "httpd")
        .field("Multi-Arch", "foreign")
        .conffile("/etc/default/nginx", "# DAEMON_OPTS=\n")
        .conffile("/etc/nginx/nginx.conf", "user www-data;\nerror_log /var/log/nginx/error.log;\n")
        .conffile("/etc/nginx/mime.types", "types { text/html html htm; }\n");
    for name in ["fastcgi_params", "proxy_params", "scgi_params", "uwsgi_params"] {
        deb = deb.conffile(&format!("/etc/nginx/{name}"), format!("# {name}\n"));
    }
    for name in ["fastcgi.conf", "koi-utf", "koi-win", "win-utf", "snippets/fastcgi-php.conf"] {
        deb = deb.conffile(&format!("/etc/nginx/{name}"), format!("# {name}\n"));
    }
    deb.dir("/etc/nginx/conf.d")
        .dir("/etc/nginx/modules-enabled")
        .conffile("/etc/nginx/sites-available/default", "server { listen 80; }\n")
        .file("/usr/share/nginx/html/index.html", "<h1>Welcome to nginx!</h1>\n")
        .symlink("/usr/share/nginx/modules", "../../lib/nginx/modules")
        .file("/usr/lib/systemd/system/nginx.service", "[Service]\n")
        .dir("/var/lib/nginx")
        .dir("/var/log/nginx")
        .script("postinst", "#!/bin/sh\nset -e\nchown www-data:adm /var/log/nginx\n")
}

fn libraries(arch: Arch) -> Vec<DebBuilder> {
    vec![
        library(arch, "libcrypt1", "1:4.4.38-1", "libcrypt.so.1", ".1.0")
            .field("Source", "libxcrypt"),
        library(arch, "libpcre2-8-0", "10.45-1", "libpcre2-8.so.0", ".14.0")
            .field("Source", "pcre2"),
        library(arch, "libzstd1", "1.5.7+dfsg-1", "libzstd.so.1", ".5.7")
            .field("Source", "libzstd"),
        library(arch, "zlib1g", "1:1.3.dfsg+really1.3.1-1+b1", "libz.so.1", ".3.1")
            .field("Source", "zlib (1:1.3.dfsg+really1.3.1-1)")
            .field("Provides", "libz1"),
        openssl(arch),
        libgcc(arch),
        package("gcc-14-base", "14.2.0-19", arch.name(), 40)
            .field("Source", "gcc-14")
            .field("Multi-Arch", "same"),
    ]
}

/// A library whose file has a longer name than its soname.
fn library(arch: Arch, name: &str, version: &str, soname: &str, rest: &str) -> DebBuilder {
    let folder = format!("/usr/lib/{}", arch.triplet());
    let symbol = if soname == "libz.so.1" { "deflate" } else { "start" };
    let elf = ElfBuilder::library(arch, soname).needs("libc.so.6").defines(symbol);
    package(name, version, arch.name(), 30)
        .field("Depends", "libc6 (>= 2.34)")
        .field("Multi-Arch", "same")
        .field("Section", "libs")
        .file(&format!("{folder}/{soname}{rest}"), elf.build())
        .symlink(&format!("{folder}/{soname}"), &format!("{soname}{rest}"))
        .script("triggers", "activate-noawait ldconfig\n")
}

fn openssl(arch: Arch) -> DebBuilder {
    let folder = format!("/usr/lib/{}", arch.triplet());
    let ssl = ElfBuilder::library(arch, "libssl.so.3")
        .needs("libcrypto.so.3")
        .needs("libc.so.6")
        .defines("SSL_new");
    let crypto = ElfBuilder::library(arch, "libcrypto.so.3")
        .needs("libz.so.1")
        .needs("libzstd.so.1")
        .needs("libc.so.6")
        .imports("pthread_exit")
        .defines("EVP_sha256")
        .rodata(b"/usr/lib/ssl\0");
    let engine = ElfBuilder::plugin(arch).needs("libcrypto.so.3");
    let depends =
        "libc6 (>= 2.38), libzstd1 (>= 1.5.5), zlib1g (>= 1:1.1.4), openssl-provider-legacy";
    package("libssl3t64", "3.5.1-1", arch.name(), 20)
        .field("Source", "openssl")
        .field("Depends", depends)
        .field("Provides", "libssl3 (= 3.5.1-1)")
        .field("Replaces", "libssl3")
        .field("Multi-Arch", "same")
        .file(&format!("{folder}/engines-3/afalg.so"), engine.build())
        .file(&format!("{folder}/libcrypto.so.3"), crypto.build())
        .file(&format!("{folder}/libssl.so.3"), ssl.build())
}

/// Its folder of documents is a link into another package.
fn libgcc(arch: Arch) -> DebBuilder {
    let elf = ElfBuilder::library(arch, "libgcc_s.so.1").needs("libc.so.6");
    let elf = elf.defines("_Unwind_ForcedUnwind");
    DebBuilder::new("libgcc-s1", "14.2.0-19", arch.name())
        .time(EPOCH - 40 * DAY)
        .field("Source", "gcc-14")
        .field("Depends", "gcc-14-base (= 14.2.0-19), libc6 (>= 2.35)")
        .field("Provides", "libgcc1 (= 1:14.2.0-19)")
        .field("Multi-Arch", "same")
        .file(&format!("/usr/lib/{}/libgcc_s.so.1", arch.triplet()), elf.build())
        .symlink("/usr/share/doc/libgcc-s1", "gcc-14-base")
}

/// The file name of an architecture's loader, which is its soname.
fn loader_name(arch: Arch) -> &'static str {
    loader(arch).rsplit_once('/').map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FakeArchive;
    use std::collections::BTreeSet;

    const BOTH: [Arch; 2] = [Arch::Amd64, Arch::Arm64];

    #[test]
    fn packages_are_small_and_always_the_same() {
        let (first, again) = (nginx_like(&BOTH), nginx_like(&BOTH));
        let mut names = BTreeSet::new();
        for (deb, other) in first.iter().zip(&again) {
            let bytes = deb.build();
            assert_eq!(bytes, other.build(), "{}", deb.package());
            assert!(bytes.len() < 8192, "{}: {}", deb.package(), bytes.len());
            assert!(names.insert((deb.package().to_owned(), deb.architecture().to_owned())));
        }
    }

    #[test]
    fn every_dependency_is_there_but_for_alternatives() {
        let debs = nginx_like(&BOTH);
        let known: BTreeSet<&str> = debs.iter().map(DebBuilder::package).collect();
        for deb in &debs {
            for dependency in deb.get("Depends").unwrap_or_default().split(", ") {
                let name = dependency.split([' ', '|']).next().unwrap_or_default();
                assert!(name.is_empty() || known.contains(name), "{}: {name}", deb.package());
            }
        }
    }

    #[test]
    fn suites_are_three_and_signed() {
        let key = SigningKey::with_subkey("archive");
        let archive = FakeArchive::of(&suites(&BOTH, &key));
        for suite in ["trixie", "trixie-updates", "trixie-security"] {
            let release = archive.get(&format!("dists/{suite}/InRelease"));
            assert!(release.starts_with(b"-----BEGIN PGP"), "{suite}");
        }
        assert!(archive.path_of("/nginx_1.26.3-3_arm64.deb").starts_with("pool/main/n/nginx/"));
    }
}
