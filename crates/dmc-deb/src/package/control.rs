//! `control.tar`: what a package says of itself.

use super::{Control, DebError};
use dmc_types::ImagePath;
use std::io::Read;

/// Maintainer scripts (Debian Policy 6, debconf-devel(7)).
const SCRIPTS: [&str; 5] = ["preinst", "postinst", "prerm", "postrm", "config"];

/// Reads the members that are wanted and passes over the others.
pub(super) fn read(tar: &mut dyn Read, limit: u64) -> Result<Control, DebError> {
    let damaged = |source| DebError::reading("control.tar", limit, source);
    let mut control = Control::default();
    for entry in tar::Archive::new(tar).entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path_bytes().into_owned();
        let name = path.strip_prefix(b"./").unwrap_or(&path);
        let name = std::str::from_utf8(name).unwrap_or_default();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        match name {
            "control" => control.paragraph = paragraph(bytes)?,
            "conffiles" => control.conffiles = conffiles(&bytes)?,
            "md5sums" => control.md5sums.extend(md5sums(&bytes)),
            script if SCRIPTS.contains(&script) => {
                control.scripts.insert(script.to_owned(), bytes);
            }
            _ => {}
        }
    }
    if control.paragraph.is_empty() {
        return Err(DebError::BadControl { file: "control", why: "is missing" });
    }
    Ok(control)
}

fn paragraph(bytes: Vec<u8>) -> Result<String, DebError> {
    let bad = |why| DebError::BadControl { file: "control", why };
    let mut text = String::from_utf8(bytes).ok().ok_or_else(|| bad("is not UTF-8"))?;
    text.truncate(text.trim_end().len());
    if text.is_empty() {
        return Err(bad("is empty"));
    }
    text.push('\n');
    Ok(text)
}

/// A line a path; one with a flag before it (deb-conffiles(5)) names a file that is gone.
fn conffiles(bytes: &[u8]) -> Result<Vec<ImagePath>, DebError> {
    let lines = bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with(b"remove-on-upgrade "))
        .map(|line| ImagePath::parse(line).map_err(|source| DebError::BadPath { source }))
        .collect()
}

/// `MD5  path` lines. Nothing relies on them, so what cannot be read is passed over.
fn md5sums(bytes: &[u8]) -> impl Iterator<Item = (ImagePath, String)> {
    bytes.split(|b| *b == b'\n').filter_map(|line| {
        let (digest, path) = line.split_at_checked(32)?;
        let path = path.strip_prefix(b"  ").or_else(|| path.strip_prefix(b" *"))?;
        let digest = std::str::from_utf8(digest).ok()?;
        let hexadecimal = digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let path = ImagePath::from_tar(path.trim_ascii_end()).ok()?;
        hexadecimal.then(|| (path, digest.to_owned()))
    })
}
