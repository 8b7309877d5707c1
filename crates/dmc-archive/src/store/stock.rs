//! What lies on the shelves: listed, and removed piece by piece.
//!
//! Only plain files with names that dmc gives are listed. A link is never followed: a shelf that is
//! one is passed over, and so is whatever else somebody put between the objects.

use super::objects::ACCEPTED;
use super::{NEW, Shelf, Store, StoreError};
use camino::Utf8PathBuf;
use dmc_types::Sha256;
use std::fs;
use std::io;
use std::time::SystemTime;

/// One file of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where it lies.
    pub shelf: Shelf,
    /// Its name there.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was made or last used, to some minutes.
    pub used: SystemTime,
}

impl Object {
    /// The digest or key that it is named by; none for releases and what is not complete.
    pub fn digest(&self) -> Option<Sha256> {
        self.name.strip_suffix(".deb").unwrap_or(&self.name).parse().ok()
    }

    /// Whether it is what is remembered of a release.
    pub fn is_memory(&self) -> bool {
        self.shelf == Shelf::Releases && self.name.ends_with(ACCEPTED)
    }

    /// Whether it was never finished.
    pub fn is_unfinished(&self) -> bool {
        self.shelf == Shelf::Partial || self.name.as_bytes().starts_with(NEW)
    }
}

impl Store {
    /// All objects, shelf by shelf, each sorted by name.
    pub fn objects(&self) -> Result<Vec<Object>, StoreError> {
        let shelves: Result<Vec<_>, _> =
            Shelf::ALL.iter().map(|shelf| self.shelf(*shelf)).collect();
        Ok(shelves?.concat())
    }

    /// Where an object is.
    pub fn path_of(&self, object: &Object) -> Utf8PathBuf {
        self.path(object.shelf, &object.name)
    }

    /// Removes an object; nothing is wrong where it is gone already.
    pub fn remove(&self, object: &Object) -> Result<(), StoreError> {
        let path = self.path_of(object);
        if self.is_read_only() {
            return Err(StoreError::ReadOnly { path });
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// Removes an object that nobody has used since it was listed; says whether it did.
    pub fn remove_unused(&self, object: &Object) -> Result<bool, StoreError> {
        let path = self.path_of(object);
        let used = fs::symlink_metadata(&path).and_then(|data| data.modified());
        if used.is_ok_and(|used| used == object.used) {
            self.remove(object)?;
            return Ok(true);
        }
        Ok(false)
    }

    pub(super) fn shelf(&self, at: Shelf) -> Result<Vec<Object>, StoreError> {
        for folder in [self.root().to_owned(), self.root().join(at.name())] {
            match fs::symlink_metadata(&folder) {
                Ok(data) if data.is_dir() => {}
                Ok(_) => {
                    tracing::warn!(%folder, "it is no folder of the store, and passed over");
                    return Ok(Vec::new());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(source) => return Err(StoreError::io("read", &folder, source)),
            }
        }
        let folder = self.root().join(at.name());
        let entries = fs::read_dir(&folder).map_err(|e| StoreError::io("read", &folder, e))?;
        let mut objects = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| StoreError::io("read", &folder, e))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Another dmc may have removed it meanwhile.
            let Ok(data) = entry.metadata() else { continue };
            if data.is_file() && at.has_names_like(&name) {
                let used = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                objects.push(Object { shelf: at, name, size: data.len(), used });
            }
        }
        objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(objects)
    }
}

impl Shelf {
    fn has_names_like(self, name: &str) -> bool {
        let hex = |name: &str, digits: usize| {
            name.len() == digits && name.bytes().all(|b| b.is_ascii_hexdigit())
        };
        if name.as_bytes().starts_with(NEW) {
            return true;
        }
        match self {
            Self::Debs => name.strip_suffix(".deb").is_some_and(|name| hex(name, 64)),
            Self::Compiled => hex(name, 64) || hex(name, 128),
            Self::Partial => name.strip_suffix(".part").is_some(),
            Self::Releases => true,
            _ => hex(name, 64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty;
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_what_dmc_made_is_listed_and_no_link_is_followed() {
        let (dir, store) = empty();
        store.prepare().unwrap();
        let hex = "ab".repeat(32);
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join(&hex), "precious").unwrap();
        let at = |path: &str| store.root().join(path);
        for path in
            ["debs/readme.txt", "facts/x", &format!("debs/{hex}"), &format!("debs/{hex}.deb")]
        {
            fs::write(at(path), "12345").unwrap();
        }
        fs::create_dir(at(&format!("facts/{hex}"))).unwrap();
        std::os::unix::fs::symlink(outside.join(&hex), at(&format!("contents/{hex}"))).unwrap();
        fs::remove_dir(at("pieces")).unwrap();
        std::os::unix::fs::symlink(&outside, at("pieces")).unwrap();
        let objects = store.objects().unwrap();
        let names: Vec<&str> = objects.iter().map(|object| &*object.name).collect();
        assert_eq!(names, [format!("{hex}.deb")]);
        assert_eq!((objects[0].size, objects[0].digest()), (5, hex.parse().ok()));
        let used_since =
            Object { used: objects[0].used + Duration::from_secs(1), ..objects[0].clone() };
        assert!(!store.remove_unused(&used_since).unwrap());
        assert!(store.remove_unused(&objects[0]).unwrap());
        assert!(!store.remove_unused(&objects[0]).unwrap());
        store.remove(&objects[0]).unwrap();
        assert!(store.objects().unwrap().is_empty());
        assert!(store.read_only().remove(&objects[0]).is_err());
    }
}
