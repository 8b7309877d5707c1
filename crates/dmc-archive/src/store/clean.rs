//! Which objects of a store are to go.
//!
//! What somebody refers to stays: a package that an image or a lock names, an index that a stored
//! release names. Nothing tells who needs a compressed piece or a record; they go when nobody has
//! used them for long. Releases always stay: they are the memory by which older ones are refused.
//! [`surplus`] is pure; the caller lists before and removes after.

use super::{Object, Shelf, Store, StoreError};
use dmc_types::Sha256;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// Whatever was used so lately stays, whoever needs it: a dmc may be at work with it. Longer than
/// the time for which a use is not noted.
pub const SPARE: Duration = Duration::from_hours(1);

/// How long pieces, records and indices are kept without use.
const IDLE: Duration = Duration::from_hours(30 * 24);

/// How much is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of what nobody refers to, only what was not used for so long; all of it by default. What
    /// is kept for thirty days stays so long in any case.
    pub older_than: Option<Duration>,
    /// Besides, the least recently used until the store is no larger than this, in bytes:
    /// first what nobody refers to, then the rest. By itself it leaves what fits.
    pub max_size: Option<u64>,
}

/// What is referred to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needed {
    /// Packages, by the digest of the .deb.
    pub debs: BTreeSet<Sha256>,
    /// Indices, by the hexadecimal digests that releases name.
    pub indices: BTreeSet<String>,
}

/// How firmly an object is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// By nothing.
    Loose,
    /// By whoever may use it again.
    Cached,
    /// By an image or a lock.
    Needed,
    /// By all later runs.
    Memory,
}

impl Needed {
    fn hold(&self, object: &Object) -> Hold {
        if object.is_unfinished() {
            return Hold::Loose;
        }
        match object.shelf {
            Shelf::Releases => Hold::Memory,
            Shelf::Debs | Shelf::Contents | Shelf::Facts => {
                let needed = object.digest().is_some_and(|digest| self.debs.contains(&digest));
                if needed { Hold::Needed } else { Hold::Loose }
            }
            Shelf::Indices | Shelf::Compiled if !self.indices.contains(&object.name) => Hold::Loose,
            Shelf::Indices
            | Shelf::Compiled
            | Shelf::Pieces
            | Shelf::Records
            | Shelf::Unsigned
            | Shelf::Partial => Hold::Cached,
        }
    }
}

/// The objects that are to go, the least recently used first.
pub fn surplus(
    objects: Vec<Object>,
    needed: &Needed,
    limits: &Limits,
    now: SystemTime,
) -> Vec<Object> {
    let idle = |object: &Object| now.duration_since(object.used).unwrap_or_default();
    let mut size: u64 = objects.iter().map(|object| object.size).sum();
    let mut may_go: Vec<(Hold, Object)> = objects
        .into_iter()
        .map(|object| (needed.hold(&object), object))
        .filter(|(hold, object)| *hold != Hold::Memory && idle(object) >= SPARE)
        .collect();
    may_go.sort_by(|(a, x), (b, y)| {
        ((*a == Hold::Needed), x.used, &x.name).cmp(&(*b == Hold::Needed, y.used, &y.name))
    });
    let by_size_alone = limits.max_size.is_some() && limits.older_than.is_none();
    let old = |hold: Hold, object: &Object| match (hold, limits.older_than) {
        (Hold::Loose, None) => !by_size_alone || object.is_unfinished(),
        (Hold::Cached, None) => !by_size_alone && idle(object) >= IDLE,
        (Hold::Loose, Some(age)) => idle(object) >= age,
        (Hold::Cached, Some(age)) => idle(object) >= age.max(IDLE),
        _ => false,
    };
    let (mut gone, rest): (Vec<_>, Vec<_>) =
        may_go.into_iter().partition(|(hold, object)| old(*hold, object));
    size -= gone.iter().map(|(_, object)| object.size).sum::<u64>();
    for (hold, object) in rest {
        if limits.max_size.is_none_or(|most| size <= most) {
            break;
        }
        size -= object.size;
        gone.push((hold, object));
    }
    gone.into_iter().map(|(_, object)| object).collect()
}

impl Store {
    /// Every digest of an index that a stored release names. Nothing is verified: this only keeps.
    pub fn named_indices(&self) -> Result<BTreeSet<String>, StoreError> {
        let mut named = BTreeSet::new();
        for object in self.shelf(Shelf::Releases)? {
            let path = self.path_of(&object);
            let bytes = std::fs::read(&path).map_err(|e| StoreError::io("read", &path, e))?;
            let words = bytes.split(u8::is_ascii_whitespace);
            let digests = words.filter(|word| matches!(word.len(), 64 | 128));
            named.extend(digests.filter_map(|word| String::from_utf8(word.to_vec()).ok()));
        }
        Ok(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;

    /// Shelf, name (a digit that stands for the digest), size, seconds since its last use.
    const STOCK: [(Shelf, char, u64, u64); 12] = [
        (Shelf::Debs, '1', 10, 40 * DAY),
        (Shelf::Debs, '2', 10, 40 * DAY),
        (Shelf::Contents, '2', 20, 3 * DAY),
        (Shelf::Facts, '3', 5, 60),
        (Shelf::Indices, '4', 8, 2 * DAY),
        (Shelf::Compiled, '5', 8, 2 * DAY),
        (Shelf::Compiled, '6', 8, 31 * DAY),
        (Shelf::Releases, '7', 1, 99 * DAY),
        (Shelf::Pieces, '8', 3, 20 * DAY),
        (Shelf::Records, '9', 1, 35 * DAY),
        (Shelf::Partial, 'p', 2, 2 * HOUR),
        (Shelf::Partial, 'q', 2, 60),
    ];

    fn name(shelf: Shelf, digit: char) -> String {
        match shelf {
            Shelf::Debs => format!("{}.deb", digit.to_string().repeat(64)),
            Shelf::Partial => format!("{digit}.part"),
            _ => digit.to_string().repeat(64),
        }
    }

    #[test]
    fn what_goes_depends_on_references_age_and_size() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(365 * DAY);
        let object = |(shelf, digit, size, idle)| Object {
            shelf,
            name: name(shelf, digit),
            size,
            used: now - Duration::from_secs(idle),
        };
        let needed = Needed {
            debs: ["1".repeat(64).parse().unwrap()].into(),
            indices: ["4", "6", "7"].map(|digit| digit.repeat(64)).into(),
        };
        let days = |days| Some(Duration::from_secs(days * DAY));
        for (why, older_than, max_size, wanted) in [
            ("what nobody refers to, and what lay idle", None, None, "2 9 6 2 5 p"),
            ("the same where it is old", days(30), None, "2 9 6"),
            ("no age is none for what may be used again", days(0), None, "2 9 6 2 5 p"),
            ("an age above that of the rest", days(33), None, "2 9"),
            ("what fits stays", None, Some(1000), "p"),
            ("the least recently used goes first", None, Some(60), "p 2 9 6"),
            ("what is needed goes last", None, Some(20), "p 2 9 6 8 2 4 5"),
            ("but it goes", None, Some(15), "p 2 9 6 8 2 4 5 1"),
            ("releases and what is in use stay", None, Some(0), "p 2 9 6 8 2 4 5 1"),
            ("age and size", days(30), Some(50), "2 9 6 8 2"),
        ] {
            let stock = STOCK.map(object).to_vec();
            let gone = surplus(stock, &needed, &Limits { older_than, max_size }, now);
            let gone: Vec<&str> = gone.iter().map(|object| &object.name[..1]).collect();
            assert_eq!(gone.join(" "), wanted, "{why}");
        }
    }

    #[test]
    fn indices_are_kept_by_the_releases_that_name_them() {
        let (_dir, store) = super::super::tests::empty();
        let hex = "ab".repeat(32);
        let text = format!("SHA256:\n {hex}  123 main/binary-amd64/Packages.xz\n not-hex 1 x\n");
        store.write(Shelf::Releases, "trixie_InRelease", &[text.as_bytes()]).unwrap();
        assert_eq!(store.named_indices().unwrap(), [hex].into());
    }
}
