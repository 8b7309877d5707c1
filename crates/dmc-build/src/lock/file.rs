//! The file of a lock: read whole, replaced at once, never lost.

use super::LockFailure;
use camino::Utf8Path;
use dmc_lock::Lock;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

/// No lock is longer, in bytes; one byte more is read, so that too much is noticed.
const LONGEST: u64 = (8 << 20) + 1;

/// Reads a lock; none where there is no such file.
pub fn read_lock(path: &Utf8Path) -> Result<Option<Lock>, LockFailure> {
    read_at(path, path)
}

/// Reads the lock at `place`, which messages call `path`.
fn read_at(place: &Utf8Path, path: &Utf8Path) -> Result<Option<Lock>, LockFailure> {
    let unreadable = |source| LockFailure::Unreadable { path: path.to_owned(), source };
    let file = match File::open(place) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    let broken = |source| LockFailure::Broken { path: path.to_owned(), source };
    Lock::parse(&bytes).map(Some).map_err(broken)
}

/// Reads a lock, lets `change` make another of it, and puts that in its place at once. Two of these
/// at the same time come one after the other. Gives what was there and what is.
pub(super) fn update<E: From<LockFailure>>(
    path: &Utf8Path,
    change: impl FnOnce(Option<&Lock>) -> Result<Lock, E>,
) -> Result<(Option<Lock>, Lock), E> {
    // A link stays a link: the file that it leads to is replaced.
    let place = path.canonicalize_utf8().unwrap_or_else(|_absent| path.to_owned());
    let folder = match place.parent() {
        Some(parent) if parent != "" => parent,
        _ => Utf8Path::new("."),
    };
    let _turn = turn(folder);
    let old = read_at(&place, path)?;
    let new = change(old.as_ref())?;
    if old.as_ref() != Some(&new) {
        let unwritable = |source| LockFailure::Unwritable { path: path.to_owned(), source };
        replace(&place, folder, &new.to_string()).map_err(unwritable)?;
    }
    Ok((old, new))
}

/// Waits for the others that write locks in this folder. Some file systems cannot; there, two at
/// the same time may forget what one of them wrote, but never damage the file.
fn turn(folder: &Utf8Path) -> Option<File> {
    let open = File::open(folder).ok()?;
    open.lock().ok()?;
    Some(open)
}

fn replace(place: &Utf8Path, folder: &Utf8Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".dmc-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    if let Ok(metadata) = fs::metadata(place) {
        file.as_file().set_permissions(metadata.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmc_types::Sha256;

    fn lock(dist: &str) -> Lock {
        Lock::new("image 2", dist, Sha256::from_bytes([1; 32]))
    }

    fn put(path: &Utf8Path, dist: &str) -> Result<(), LockFailure> {
        update(path, |_| Ok(lock(dist))).map(drop)
    }

    #[test]
    fn a_lock_is_replaced_whole_with_its_rights_and_through_its_link() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let (file, link) = (dir.join("real.lock"), dir.join("dmc.lock"));
        assert!(read_lock(&link).unwrap().is_none());
        put(&file, "trixie").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real.lock", &link).unwrap();
        put(&link, "sid").unwrap();
        assert_eq!(read_lock(&file).unwrap(), Some(lock("sid")));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(dir.read_dir_utf8().unwrap().count(), 2, "nothing half-written stays");
    }

    #[test]
    fn a_broken_lock_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(dir.path()).unwrap().join("dmc.lock");
        fs::write(&file, "<<<<<<< ours\n").unwrap();
        let refused = put(&file, "trixie").unwrap_err();
        assert!(matches!(refused, LockFailure::Broken { .. }), "{refused}");
        assert!(refused.hint().is_some());
        assert_eq!(fs::read_to_string(&file).unwrap(), "<<<<<<< ours\n");
        let nowhere = file.join("below");
        assert!(matches!(put(&nowhere, "x"), Err(LockFailure::Unreadable { .. })));
        let absent = file.with_file_name("absent").join("dmc.lock");
        assert!(matches!(put(&absent, "x"), Err(LockFailure::Unwritable { .. })));
    }

    #[test]
    fn of_two_at_the_same_time_none_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(dir.path()).unwrap().join("dmc.lock");
        let add = |_| {
            update(&file, |old| {
                let count = old.map_or(0, |old| old.output.parse::<u32>().unwrap());
                let output = (count + 1).to_string();
                Ok::<_, LockFailure>(Lock { output, ..lock("trixie") })
            })
            .unwrap();
        };
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || (0..10).for_each(|_| add(thread)));
            }
        });
        assert_eq!(read_lock(&file).unwrap().unwrap().output, "40");
    }
}
