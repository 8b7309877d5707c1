//! Folders, files and links that packages declare in tmpfiles.d(5).
//!
//! What makes sense in an image is taken: folders (`d`, `D`, `v`, `q`, `Q`), files with a given
//! text (`f`), links (`L`), and owner and mode of what is there (`e`, `z`). `!`, for the start of a
//! system alone, counts as well; ages do not, and lines that only clean up say nothing. All other
//! lines are left out, with the reason. Specifiers that are the same everywhere are replaced.

use crate::accounts::configuration;
use crate::fields;
use dmc_types::{Entry, ImagePath, PackageFacts};

/// Where packages keep tmpfiles.d files.
const TMPFILES: &str = "/usr/lib/tmpfiles.d";

/// Specifiers with one value for every Debian system.
const SPECIFIERS: [(char, &str); 8] = [
    ('%', "%"),
    ('t', "/run"),
    ('S', "/var/lib"),
    ('C', "/var/cache"),
    ('L', "/var/log"),
    ('T', "/tmp"),
    ('V', "/var/tmp"),
    ('h', "/root"),
];

/// What a line of tmpfiles.d declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TmpLine {
    /// Where.
    pub path: ImagePath,
    /// What.
    pub kind: TmpKind,
    /// Permission bits, at most 0o1777; none for the default.
    pub mode: Option<u32>,
    /// Name or number of the owner; none for the default.
    pub user: Option<String>,
    /// Name or number of the group; none for the default.
    pub group: Option<String>,
    /// Package, file and line.
    pub origin: String,
}

/// What is to be at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TmpKind {
    /// A folder; where there is one, it gets mode and owner.
    Directory,
    /// Whatever is there already gets mode and owner.
    Adjust,
    /// A file with this text, where there is nothing.
    File(String),
    /// A link to this target, where there is nothing or `force` is set.
    Link {
        /// Where it leads.
        target: String,
        /// Whether it replaces what is there.
        force: bool,
    },
}

/// The lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TmpFile {
    /// Those that are taken.
    pub lines: Vec<TmpLine>,
    /// Those that are left out: package, file and line, and why.
    pub left_out: Vec<(String, &'static str)>,
}

/// The tmpfiles.d files of a package, by name.
pub fn tmpfiles_of(package: &PackageFacts) -> Vec<&Entry> {
    configuration(package, TMPFILES)
}

/// Reads a package's tmpfiles.d file at `path`.
pub fn read_tmpfiles(package: &PackageFacts, path: &ImagePath, text: &[u8]) -> TmpFile {
    let mut file = TmpFile::default();
    for (line, fields) in fields::lines(text, 7) {
        let origin = format!("package {}, {path}, line {line}", package.package);
        match read(&fields) {
            Ok(Some(line)) => file.lines.push(TmpLine { origin, ..line }),
            Ok(None) => {}
            Err(why) => file.left_out.push((origin, why)),
        }
    }
    file
}

fn read(fields: &[String]) -> Result<Option<TmpLine>, &'static str> {
    let field = |at: usize| fields.get(at).map(String::as_str).filter(|it| *it != "-");
    let Some(kind) = field(0) else { return Err("it cannot be read") };
    let mut letters = kind.chars();
    let letter = letters.next().unwrap_or_default();
    let modifiers = letters.as_str();
    if matches!(letter, 'x' | 'X' | 'r' | 'R') {
        return Ok(None);
    }
    if modifiers.contains(['~', '^']) {
        return Err("its text is encoded or a credential");
    }
    let path = specified(field(1).ok_or("it has no path")?)?;
    let path = ImagePath::parse(&path).ok().ok_or("its path is none, or is a pattern")?;
    let path = now_below_run(&path.merged_usr());
    let text = field(6).map(specified).transpose()?;
    let kind = match letter {
        'd' | 'D' | 'v' | 'q' | 'Q' => TmpKind::Directory,
        'e' | 'z' => TmpKind::Adjust,
        'f' | 'F' => TmpKind::File(text.unwrap_or_default()),
        'L' => TmpKind::Link {
            target: text.unwrap_or_else(|| format!("/usr/share/factory{path}")),
            force: modifiers.contains('+'),
        },
        'C' => return Err("it copies"),
        'w' => return Err("it writes to a file of a running system"),
        'p' | 'c' | 'b' => return Err("it makes a pipe or device"),
        'Z' | 'm' => return Err("it changes whole trees"),
        _ => return Err("it sets attributes"),
    };
    if path.as_bytes().iter().any(|byte| b"*?[".contains(byte)) {
        return Err("its path is a pattern");
    }
    let mode = field(2).map(|mode| {
        let bits = u32::from_str_radix(mode.trim_start_matches(['~', ':']), 8).ok();
        bits.map(|bits| bits & 0o1777).ok_or("its mode is no number")
    });
    let mode = mode.transpose()?;
    let name = |at: usize| field(at).map(|name| name.trim_start_matches(':').to_owned());
    Ok(Some(TmpLine { path, kind, mode, user: name(3), group: name(4), origin: String::new() }))
}

fn specified(text: &str) -> Result<String, &'static str> {
    let mut parts = text.chars();
    let mut whole = String::new();
    while let Some(next) = parts.next() {
        if next != '%' {
            whole.push(next);
            continue;
        }
        let letter = parts.next();
        match SPECIFIERS.iter().find(|(known, _)| Some(*known) == letter) {
            Some((_, value)) => whole.push_str(value),
            None => return Err("it depends on the machine (a specifier)"),
        }
    }
    Ok(whole)
}

/// `/var/run` and `/var/lock` are links in Debian.
fn now_below_run(path: &ImagePath) -> ImagePath {
    let text = path.as_bytes();
    let moved =
        [("/var/run/", "/run/"), ("/var/lock/", "/run/lock/")].iter().find_map(|(old, new)| {
            let rest = text.strip_prefix(old.as_bytes())?;
            ImagePath::parse([new.as_bytes(), rest].concat()).ok()
        });
    moved.unwrap_or_else(|| path.clone())
}

#[cfg(test)]
mod tests;
