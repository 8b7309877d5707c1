//! Which formats the objects of a store have, and what happens to those of another dmc.
//!
//! `format` beside the shelves has a line for each shelf whose objects dmc defines itself: its name
//! and a version. A store without that file is judged by one object of each shelf. What is older
//! is emptied, once and plainly said, and made again; what is newer is refused, as this dmc would
//! spoil it for the other. Packages, indices and releases are the archive's own: they stay.

use super::objects::{FACTS, PIECE, RECORD};
use super::{Shelf, Store, StoreError};
use crate::index;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};

/// The file's name.
const FILE: &str = "format";

/// Most that is read of it.
const LONGEST: u64 = 4 << 10;

/// What this dmc writes.
const CURRENT: [(Shelf, u32); 4] = [
    (Shelf::Facts, FACTS.version),
    (Shelf::Pieces, PIECE.version),
    (Shelf::Records, RECORD.version),
    (Shelf::Compiled, index::FORMAT),
];

/// The formats of a store's shelves by name, and whether it says so itself.
struct Formats {
    formats: BTreeMap<String, u32>,
    written_down: bool,
}

impl Store {
    /// Makes the store one of this dmc's formats: empties shelves of older ones. A store that does
    /// not exist yet stays so; one that cannot be written is taken as it is.
    ///
    /// # Errors
    /// [`StoreError::Newer`] where another dmc has written formats that this one does not know.
    pub fn adapt(&self) -> Result<(), StoreError> {
        let Some(Formats { formats, written_down }) = self.formats()? else { return Ok(()) };
        let current = BTreeMap::from(CURRENT.map(|(shelf, version)| (shelf.name(), version)));
        for (name, found) in &formats {
            let known = current.get(name.as_str()).copied().unwrap_or(0);
            if *found > known {
                let (root, what) = (self.root().to_owned(), name.clone());
                return Err(StoreError::Newer { root, what, found: *found, known });
            }
        }
        if self.is_read_only() {
            return Ok(());
        }
        let older = |(shelf, version): &(Shelf, u32)| {
            formats.get(shelf.name()).is_some_and(|found| found < version)
        };
        let mut emptied = true;
        for (shelf, version) in CURRENT.iter().filter(|one| older(one)) {
            let was = formats.get(shelf.name()).copied().unwrap_or(0);
            tracing::info!(
                "the store's `{}` have an older format ({was}, now {version}) and are made again",
                shelf.name()
            );
            emptied &= self.empty(*shelf);
        }
        if !written_down || formats.len() < CURRENT.len() || CURRENT.iter().any(older) {
            self.write_down(emptied);
        }
        Ok(())
    }

    /// None where there is no store.
    fn formats(&self) -> Result<Option<Formats>, StoreError> {
        let path = self.root().join(FILE);
        let text = match File::open(&path) {
            Ok(file) => io::read_to_string(file.take(LONGEST)),
            Err(error) => Err(error),
        };
        match text {
            Ok(text) => {
                if let Some(formats) = parse(&text) {
                    return Ok(Some(Formats { formats, written_down: true }));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.root().exists() => {
                return Ok(None);
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
            }
            Err(source) => return Err(StoreError::io("read", &path, source)),
        }
        let seen = CURRENT
            .iter()
            .filter_map(|(shelf, _)| Some((shelf.name().to_owned(), self.format_of_one(*shelf)?)));
        Ok(Some(Formats { formats: seen.collect(), written_down: false }))
    }

    /// The format of any one object of a shelf.
    fn format_of_one(&self, at: Shelf) -> Option<u32> {
        // Sealed objects have their version after four bytes, compiled indices after eight.
        let (magic, place): (&[u8], usize) = match at {
            Shelf::Compiled => (b"dmcindex", 8),
            _ => (b"dmc", 4),
        };
        let entries = fs::read_dir(self.root().join(at.name())).ok()?;
        entries.flatten().find_map(|entry| {
            let mut head = [0; 12];
            File::open(entry.path()).ok()?.read_exact(&mut head).ok()?;
            let version = head.get(place..place + 4)?.try_into().ok()?;
            head.starts_with(magic).then_some(u32::from_le_bytes(version))
        })
    }

    /// Whether all of it could be removed.
    fn empty(&self, at: Shelf) -> bool {
        let Ok(objects) = self.shelf(at) else { return false };
        objects.iter().all(|object| self.remove(object).is_ok())
    }

    /// For the next run. Where it fails, that run looks again.
    fn write_down(&self, emptied: bool) {
        if !emptied {
            return;
        }
        let lines = CURRENT.map(|(shelf, version)| format!("{} {version}\n", shelf.name()));
        let text = lines.concat();
        let written = tempfile::NamedTempFile::new_in(self.root()).and_then(|mut new| {
            new.write_all(text.as_bytes())?;
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            new.as_file().set_permissions(readable)?;
            new.persist(self.root().join(FILE)).map_err(|refused| refused.error)
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the store's formats are not written down");
        }
    }
}

fn parse(text: &str) -> Option<BTreeMap<String, u32>> {
    let line = |line: &str| {
        let (name, version) = line.split_once(' ')?;
        Some((name.to_owned(), version.parse().ok()?))
    };
    let formats: Option<BTreeMap<_, _>> = text.lines().map(line).collect();
    formats.filter(|formats| !formats.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty;
    use super::*;
    use dmc_types::Sha256;

    const KEY: Sha256 = Sha256::from_bytes([7; 32]);

    fn text(store: &Store) -> String {
        fs::read_to_string(store.root().join(FILE)).unwrap_or_default()
    }

    #[test]
    fn a_store_that_is_not_there_is_not_made() {
        let (dir, store) = empty();
        store.adapt().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_shelves_of_an_older_format_are_emptied() {
        let (_dir, store) = empty();
        store.put_piece(&KEY, b"piece").unwrap();
        store.put_record(&KEY, b"record").unwrap();
        store.adapt().unwrap();
        let now = text(&store);
        assert!(now.contains("pieces 2\n"), "{now}");
        assert!(store.piece(&KEY).unwrap().is_some(), "it is of this format");
        fs::write(store.root().join(FILE), now.replace("pieces 2", "pieces 0")).unwrap();
        store.clone().read_only().adapt().unwrap();
        assert!(store.piece(&KEY).unwrap().is_some(), "a run that only reads changes nothing");
        store.adapt().unwrap();
        assert!(store.piece(&KEY).unwrap().is_none() && store.record(&KEY).unwrap().is_some());
        assert_eq!(text(&store), now);
    }

    #[test]
    fn a_store_that_does_not_say_is_judged_by_its_objects() {
        let (_dir, store) = empty();
        let folder = store.folder(Shelf::Compiled).unwrap();
        let mut old = b"dmcindex".to_vec();
        old.extend_from_slice(&1_u32.to_le_bytes());
        let path = folder.join(KEY.to_string());
        for broken in ["", "nonsense", "compiled x\n"] {
            fs::write(&path, &old).unwrap();
            fs::write(store.root().join(FILE), broken).unwrap();
            store.adapt().unwrap();
            assert!(!path.exists(), "{broken:?}");
            assert!(text(&store).contains("compiled"), "{broken:?}");
        }
    }

    #[test]
    fn a_newer_dmcs_store_is_refused_with_a_way_out() {
        let (_dir, store) = empty();
        store.put_record(&KEY, b"record").unwrap();
        for newer in ["facts 99\n", "wonders 1\n"] {
            fs::write(store.root().join(FILE), newer).unwrap();
            let refused = store.adapt().unwrap_err();
            assert!(matches!(refused, StoreError::Newer { .. }), "{refused}");
            assert!(refused.hint().unwrap().contains("--store"), "{refused}");
            assert_eq!(text(&store), newer, "it is left alone");
        }
    }
}
