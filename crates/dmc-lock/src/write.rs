//! From a lock to its text: tables and entries in the order of their names, one line a package.

use crate::lock::{Lock, LockedPackage, LockedRelease, LockedTemplate, Role};
use crate::read::VERSION;
use dmc_types::Checksum;
use std::fmt;

const HEADER: &str = "\
# The packages that each image is made of, and what they were chosen by.
# Written by `dmc lock`; `dmc --locked` builds from it. Not to be edited by hand.
";

/// The text of the lock.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}version = {VERSION}")?;
        writeln!(f, "output = \"{}\"", self.output)?;
        writeln!(f, "dist = \"{}\"", self.dist)?;
        writeln!(f, "rules = \"{}\"", self.rules)?;
        for (suite, release) in &self.releases {
            writeln!(f, "\n[release.{}]", key(&suite.to_string()))?;
            write_release(f, release)?;
        }
        for (arch, rows) in &self.packages {
            writeln!(f, "\n[packages.{arch}]")?;
            for (name, row) in rows {
                write!(f, "{} = ", key(&name.to_string()))?;
                write_package(f, row)?;
            }
        }
        for (name, template) in &self.templates {
            writeln!(f, "\n[template.{}]", key(name.as_str()))?;
            write_template(f, template)?;
        }
        Ok(())
    }
}

fn write_release(f: &mut fmt::Formatter<'_>, release: &LockedRelease) -> fmt::Result {
    match release.role {
        Some(Role::Main) => writeln!(f, "role = \"main\"")?,
        Some(Role::Security) => writeln!(f, "role = \"security\"")?,
        None => {}
    }
    // A time that TOML cannot write does not come out of any release.
    let date = jiff::Timestamp::from_second(release.date).unwrap_or_default();
    writeln!(f, "date = {date}")?;
    writeln!(f, "sha256 = \"{}\"", release.in_release)?;
    writeln!(f, "signer = \"{}\"", release.signer)?;
    if release.expired { writeln!(f, "expired = true") } else { Ok(()) }
}

fn write_package(f: &mut fmt::Formatter<'_>, row: &LockedPackage) -> fmt::Result {
    let arch = row.arch.map_or("all", dmc_types::Arch::name);
    let (algorithm, digest) = match row.checksum {
        Checksum::Sha256(digest) => ("sha256", digest.to_string()),
        Checksum::Sha512(digest) => ("sha512", digest.to_string()),
    };
    writeln!(
        f,
        "{{ version = \"{}\", arch = \"{arch}\", size = {}, {algorithm} = \"{digest}\", suite = \"{}\", path = \"{}\" }}",
        row.version, row.size, row.suite, row.path,
    )
}

fn write_template(f: &mut fmt::Formatter<'_>, template: &LockedTemplate) -> fmt::Result {
    writeln!(f, "digest = \"{}\"", template.digest)?;
    if template.small {
        writeln!(f, "small = true")?;
    }
    for (arch, names) in &template.packages {
        writeln!(f, "packages.{arch} = [")?;
        for name in names {
            writeln!(f, "    \"{name}\",")?;
        }
        writeln!(f, "]")?;
    }
    Ok(())
}

/// A key of TOML: bare where it can be.
fn key(text: &str) -> String {
    let bare = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if bare { text.to_owned() } else { format!("\"{text}\"") }
}
