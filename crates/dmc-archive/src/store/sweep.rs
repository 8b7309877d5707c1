//! Removal of what runs that were killed left behind.

use super::{NEW, Shelf, Store};
use std::fs;
use std::time::{Duration, SystemTime};

impl Store {
    /// Removes objects that were never finished and broken downloads that nobody went on with,
    /// where nothing was written to them for `spare`: another dmc may be at work on younger ones.
    /// What cannot be removed stays; it is in nobody's way.
    pub fn sweep(&self, spare: Duration) {
        if self.is_read_only() {
            return;
        }
        let limit = SystemTime::now().checked_sub(spare).unwrap_or(SystemTime::UNIX_EPOCH);
        for shelf in Shelf::ALL {
            let Ok(entries) = fs::read_dir(self.root().join(shelf.name())) else { continue };
            let unwanted = entries.flatten().filter(|entry| {
                shelf == Shelf::Partial || entry.file_name().as_encoded_bytes().starts_with(NEW)
            });
            for entry in unwanted {
                let old =
                    entry.metadata().and_then(|data| data.modified()).is_ok_and(|t| t < limit);
                if old && let Err(error) = fs::remove_file(entry.path()) {
                    tracing::debug!(path = %entry.path().display(), %error, "it stays behind");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty;
    use super::*;
    use std::fs::File;

    #[test]
    fn only_what_is_old_and_unfinished_goes() {
        let (_dir, store) = empty();
        store.prepare().unwrap();
        let old = SystemTime::now() - Duration::from_hours(2);
        for (path, aged, stays) in [
            ("debs/.new-a", true, false),
            ("debs/.new-b", false, true),
            ("debs/x.deb", true, true),
            ("partial/x.part", true, false),
            ("partial/y.part", false, true),
        ] {
            let path = store.root().join(path);
            let file = File::create(&path).unwrap();
            if aged {
                file.set_modified(old).unwrap();
            }
            store.clone().read_only().sweep(Duration::from_hours(1));
            assert!(path.exists(), "{path}");
            store.sweep(Duration::from_hours(1));
            assert_eq!(path.exists(), stays, "{path}");
        }
    }
}
