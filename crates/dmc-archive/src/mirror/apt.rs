//! apt's configuration, read from below a root folder.

use super::MirrorError;
use crate::spec::{Role, SiteSpec};
use camino::{Utf8Path, Utf8PathBuf};
use dmc_deb::sources::{Source, parse_list, parse_sources};
use dmc_types::Suite;
use std::fs;
use std::io::{ErrorKind, Read};

/// Largest source list that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What apt's configuration says about archives. By default it says nothing.
#[derive(Debug, Clone)]
pub struct AptConfiguration {
    /// The folder that stands for `/`; keyrings are looked for below it.
    pub root: Utf8PathBuf,
    /// The archives, in apt's order of files and within them.
    pub sources: Vec<AptSource>,
}

/// One entry and where it stands.
#[derive(Debug, Clone)]
pub struct AptSource {
    /// Its file, as seen from the root folder.
    pub file: Utf8PathBuf,
    /// The entry.
    pub source: Source,
}

impl Default for AptConfiguration {
    fn default() -> Self {
        Self { root: "/".into(), sources: Vec::new() }
    }
}

impl AptConfiguration {
    /// Reads `etc/apt/sources.list` and `etc/apt/sources.list.d/*.{list,sources}` below `root`
    /// (`/` for the machine's own). Files that are absent are no error: a machine without apt has
    /// none. Entries that cannot be read are passed over with a warning.
    pub fn read(root: &Utf8Path) -> Result<Self, MirrorError> {
        let mut sources = Vec::new();
        for file in files(root)? {
            let Some(text) = read(root, &file)? else { continue };
            let list = match file.extension() {
                Some("sources") => parse_sources(&text),
                _ => parse_list(&text),
            };
            for problem in &list.problems {
                tracing::warn!(%file, %problem, "an entry of apt's configuration is passed over");
            }
            for source in list.sources {
                for switch in &source.ignored {
                    tracing::warn!(%file, line = source.line, %switch, "this switch of apt's configuration is not honoured");
                }
                sources.push(AptSource { file: file.clone(), source });
            }
        }
        Ok(Self { root: root.to_owned(), sources })
    }
}

impl AptSource {
    /// Whether the entry may be of this site: by its suites, and by its architectures.
    pub(super) fn serves(&self, site: &SiteSpec) -> bool {
        // One entry may name both, where a mirror has both below one address.
        let role = self.source.suites.iter().any(|suite| match site.role {
            Role::Security => is_security(suite),
            Role::Main => !is_security(suite),
        });
        let common = match (&self.source.archs, &site.archs) {
            (Some(has), Some(wants)) => has.iter().any(|arch| wants.contains(arch)),
            _ => true,
        };
        role && common
    }
}

fn is_security(suite: &Suite) -> bool {
    suite.as_str().ends_with("-security") || suite.as_str().ends_with("/updates")
}

/// The files that apt reads (sources.list(5), apt.conf(5)), as seen from the root folder.
fn files(root: &Utf8Path) -> Result<Vec<Utf8PathBuf>, MirrorError> {
    let mut files = vec![Utf8PathBuf::from("/etc/apt/sources.list")];
    let folder = Utf8Path::new("/etc/apt/sources.list.d");
    let unreadable = |source| MirrorError::Unreadable { path: folder.to_owned(), source };
    let entries = match fs::read_dir(inside(root, folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // apt takes names of letters, digits, `_`, `-` and `.` only; others are not UTF-8 either.
        let Ok(name) = entry.map_err(unreadable)?.file_name().into_string() else { continue };
        let taken = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if taken && matches!(extension, Some("list" | "sources")) {
            names.push(name);
        }
    }
    names.sort();
    files.extend(names.into_iter().map(|name| folder.join(name)));
    Ok(files)
}

fn read(root: &Utf8Path, file: &Utf8Path) -> Result<Option<Vec<u8>>, MirrorError> {
    let unreadable = |source| MirrorError::Unreadable { path: file.to_owned(), source };
    let opened = match fs::File::open(inside(root, file)) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut text = Vec::new();
    opened.take(LARGEST).read_to_end(&mut text).map_err(unreadable)?;
    Ok(Some(text))
}

/// An absolute path of the machine, seen from below the root folder.
pub(super) fn inside(root: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: &str = "Types: deb\nURIs: http://a/debian\nSuites: bookworm\nComponents: main\n\
        Signed-By: /usr/share/keyrings/x.gpg\nTrusted: yes\n";

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (dir, root)
    }

    #[test]
    fn a_machine_without_apt_has_no_sources() {
        let (_dir, root) = machine(&[]);
        assert!(AptConfiguration::read(&root).unwrap().sources.is_empty());
    }

    #[test]
    fn both_forms_are_read_in_apts_order() {
        let (_dir, root) = machine(&[
            ("etc/apt/sources.list.d/b.sources", SOURCES),
            ("etc/apt/sources.list.d/a.list", "deb http://b/debian sid main\n"),
            ("etc/apt/sources.list.d/c.list.save", "deb http://no/debian sid main\n"),
            ("etc/apt/sources.list.d/d e.list", "deb http://no/debian sid main\n"),
            ("etc/apt/sources.list", "# nothing\ndeb http://c/debian sid main\n"),
        ]);
        let apt = AptConfiguration::read(&root).unwrap();
        let found: Vec<_> = apt
            .sources
            .iter()
            .map(|entry| (entry.file.file_name().unwrap(), entry.source.uris[0].as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("sources.list", "http://c/debian"),
                ("a.list", "http://b/debian"),
                ("b.sources", "http://a/debian"),
            ]
        );
        assert_eq!(apt.sources[2].source.ignored.len(), 1, "trust switches are told of");
    }
}
