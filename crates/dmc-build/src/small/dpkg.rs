//! dpkg's database, as dpkg would have written it (dpkg-query(1), deb-control(5)).
//!
//! `status` holds each package's whole paragraph with the sums of its configuration files, and
//! `info/` its list of files, its md5sums and its scripts. Lists and sums name what is in the image
//! and nothing else, so that `dpkg --verify` finds the image as it says; what was left out on
//! purpose is named in `/etc/dpkg/dpkg.cfg.d/dmc`, in the form in which dpkg leaves it out too.

use dmc_deb::deb822::Paragraph;
use dmc_template::SmallConf;
use dmc_types::{Arch, ImagePath, PackageFacts, PathGlob};
use std::fmt::Write as _;

/// The name of a package's files in `info/`: with the architecture where the package can be there
/// for several.
pub(crate) fn info_name(facts: &PackageFacts, arch: Arch) -> String {
    let multi_arch = Paragraph::new(facts.control.as_bytes()).field("Multi-Arch");
    match multi_arch {
        Some("same") => format!("{}:{}", facts.package, facts.arch.unwrap_or(arch)),
        _ => facts.package.to_string(),
    }
}

/// The package's paragraph of `status`, with an empty line at its end. `sums` are the MD5 sums of
/// its configuration files, by their paths.
pub(crate) fn status(facts: &PackageFacts, sums: &[(&ImagePath, String)]) -> String {
    let (first, rest) = facts.control.split_once('\n').unwrap_or((&facts.control, ""));
    let mut text = format!("{first}\nStatus: install ok installed\n{rest}");
    if !sums.is_empty() {
        text.push_str("Conffiles:\n");
        for (path, sum) in sums {
            let _ = writeln!(text, " {path} {sum}");
        }
    }
    text + "\n"
}

/// The package's list: its root, and each file and folder that is in the image.
pub(crate) fn list(facts: &PackageFacts, is_there: &dyn Fn(&ImagePath) -> bool) -> String {
    let there = facts.entries.iter().filter(|entry| is_there(&entry.path));
    there.fold("/.\n".to_owned(), |text, entry| text + &entry.path.to_string() + "\n")
}

/// Lines of md5sum(1) for those files of the package that are in the image.
pub(crate) fn md5sums(facts: &PackageFacts, is_there: &dyn Fn(&ImagePath) -> bool) -> String {
    let there = facts.md5sums.iter().filter(|(path, _)| is_there(path));
    there.fold(String::new(), |mut text, (path, sum)| {
        let _ = writeln!(text, "{sum}  {}", String::from_utf8_lossy(path.relative()));
        text
    })
}

/// dpkg's options that leave out what the image leaves out. Its `*` crosses folders.
pub(crate) fn exclusions(conf: &SmallConf) -> String {
    let mut text = "# What this image leaves out of its packages.\n".to_owned();
    let mut lines = |word: &str, globs: &[PathGlob]| {
        for glob in globs {
            let _ = writeln!(text, "{word}={}", glob.as_str().replace("**", "*"));
        }
    };
    for one in &conf.leave_out {
        lines("path-exclude", &one.paths);
        lines("path-include", &one.but);
    }
    text
}
