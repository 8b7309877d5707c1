//! The files of a layer.

use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// A file, folder or link.
#[derive(Debug, Clone)]
pub struct Item {
    /// Mode bits, without the type.
    pub mode: u32,
    /// Its type.
    pub kind: tar::EntryType,
    /// Contents of a file.
    pub content: Vec<u8>,
}

/// Paths with a leading slash, and what is there.
#[derive(Debug)]
pub struct Tree(pub BTreeMap<String, Item>);

impl Tree {
    /// Reads a layer.
    #[track_caller]
    pub fn of_layer(blob: &Path) -> Self {
        let mut archive = tar::Archive::new(MultiGzDecoder::new(File::open(blob).unwrap()));
        let mut items = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().trim_matches('/').to_owned();
            let (mode, kind) = (entry.header().mode().unwrap(), entry.header().entry_type());
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let twice = items.insert(format!("/{path}"), Item { mode, kind, content });
            assert!(twice.is_none(), "/{path} is in the layer twice");
        }
        Self(items)
    }

    /// The names of the packages that dpkg's status records.
    pub fn packages(&self) -> Vec<String> {
        let names = self.0.keys().filter_map(|path| path.strip_prefix("/var/lib/dpkg/status.d/"));
        names.filter(|name| !name.ends_with(".md5sums")).map(ToOwned::to_owned).collect()
    }

    /// A file as text.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        let item = self.0.get(path).unwrap_or_else(|| panic!("there is no {path}"));
        String::from_utf8(item.content.clone()).unwrap()
    }
}
