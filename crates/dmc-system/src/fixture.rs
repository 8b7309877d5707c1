//! Packages for tests.

use dmc_types::{Entry, EntryKind, FileFacts, ImagePath, Nature, PackageFacts, Sha1, Sha256};

/// A package with scripts, and with files of these paths.
pub(crate) fn package(name: &str, scripts: &[(&str, &str)], files: &[&str]) -> PackageFacts {
    let digest = Sha256::from_bytes([0; 32]);
    let entry = |path: &&str| Entry {
        path: ImagePath::parse(path).unwrap(),
        mode: 0o644,
        uid: 0,
        gid: 0,
        time: 0,
        kind: EntryKind::File(FileFacts {
            size: 0,
            digest,
            sha1: Sha1::from_bytes([0; 20]),
            offset: 0,
            nature: Nature::Data,
        }),
    };
    PackageFacts {
        deb: digest,
        package: name.parse().unwrap(),
        version: "1".to_owned(),
        arch: None,
        control: format!("Package: {name}\n"),
        scripts: scripts.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect(),
        conffiles: Vec::new(),
        md5sums: std::collections::BTreeMap::new(),
        licences: Vec::new(),
        entries: files.iter().map(entry).collect(),
    }
}
