//! `Contents`: which package ships a path, for messages.
//!
//! The file is large (762 MB for Debian's main) and streamed; nothing of it is kept but the lines
//! that were asked for. Lines are a path without its first slash, white space, and a list of
//! packages with their sections: <https://wiki.debian.org/DebianRepository/Format#A.22Contents.22_indices>.

use dmc_types::{ImagePath, PackageName};
use std::collections::BTreeSet;
use std::io::{self, BufRead};

/// Longest line that is looked at; the rest of a longer one is passed over.
const LONGEST: u64 = 1 << 20;

/// The packages that ship a path, in either spelling of merged-/usr, sorted.
pub(crate) fn who_ships(
    mut text: impl BufRead,
    path: &ImagePath,
) -> io::Result<BTreeSet<PackageName>> {
    let merged = path.merged_usr();
    let spellings =
        [merged.relative(), merged.relative().strip_prefix(b"usr/").unwrap_or_default()];
    let mut found = BTreeSet::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut text, LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        for spelling in spellings.iter().filter(|spelling| !spelling.is_empty()) {
            let rest = line.strip_prefix(*spelling);
            if let Some(rest) =
                rest.filter(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"))
            {
                found.extend(packages(rest));
            }
        }
    }
}

/// `nginx` and `libc6` of `   httpd/nginx,libs/libc6`. Paths may hold spaces: only what looks
/// like one list of sections and packages counts.
fn packages(rest: &[u8]) -> Vec<PackageName> {
    let text = std::str::from_utf8(rest).unwrap_or_default().trim();
    if text.contains(char::is_whitespace) {
        return Vec::new();
    }
    let names = text.split(',').filter_map(|item| item.rsplit('/').next());
    names.filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_path_in_both_spellings() {
        let text = "usr/bin/env                 utils/coreutils\n\
            lib/x86_64-linux-gnu/libc.so.6\tlibs/libc6,libs/libc6-cross\n\
            usr/lib/x86_64-linux-gnu/libc.so.6 admin/usr-is-merged\n\
            usr/bin/env x  utils/other\n\
            usr/bin/environment utils/third\n";
        for (path, wanted) in [
            ("/usr/bin/env", vec!["coreutils"]),
            ("/bin/env", vec!["coreutils"]),
            ("/lib/x86_64-linux-gnu/libc.so.6", vec!["libc6", "libc6-cross", "usr-is-merged"]),
            ("/usr/bin/envi", vec![]),
            ("/", vec![]),
        ] {
            let path = ImagePath::parse(path).unwrap();
            let found = who_ships(text.as_bytes(), &path).unwrap();
            let names: Vec<&str> = found.iter().map(PackageName::as_str).collect();
            assert_eq!(names, wanted, "{path}");
        }
    }
}
