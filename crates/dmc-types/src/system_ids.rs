//! Numbers for users and groups whose numbers Debian gives at installation.

use std::collections::{BTreeMap, BTreeSet};

/// The numbers of the system range that are given here (Debian Policy 9.2.2: 100–999 are given by
/// adduser at installation; 100 is left to base-passwd's group `users`).
const RANGE: std::ops::RangeInclusive<u32> = 101..=999;

/// A number for each name: the same on every machine and in every image, whatever the order of the
/// names, unless two of them meet; then the later name by the alphabet takes the next free number.
/// `taken` are numbers that others have. A name gets none once all are taken.
pub fn system_ids<'a>(
    names: impl IntoIterator<Item = &'a str>,
    taken: &BTreeSet<u32>,
) -> BTreeMap<String, u32> {
    let names: BTreeSet<&str> = names.into_iter().collect();
    let mut taken = taken.clone();
    let mut ids = BTreeMap::new();
    for name in names {
        let count = RANGE.end() - RANGE.start() + 1;
        let first = hash(name) % count;
        let tried = (0..count).map(|step| RANGE.start() + (first + step) % count);
        if let Some(id) = tried.into_iter().find(|id| !taken.contains(id)) {
            taken.insert(id);
            ids.insert(name.to_owned(), id);
        }
    }
    ids
}

/// FNV-1a with 32 bits.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_names_alone() {
        let none = BTreeSet::new();
        let one = system_ids(["mysql", "redis"], &none);
        assert_eq!(one, system_ids(["redis", "mysql", "redis"], &none));
        assert_eq!(one["mysql"], system_ids(["mysql"], &none)["mysql"]);
        assert!(one.values().all(|id| RANGE.contains(id)));
        // Settled: a number that changes would change the owner of data on volumes.
        assert_eq!(one["mysql"], 882);
    }

    #[test]
    fn names_that_meet_get_different_numbers() {
        let names: Vec<String> = (0..900).map(|n| format!("user{n}")).collect();
        let ids = system_ids(names.iter().map(String::as_str), &BTreeSet::from([500]));
        let different: BTreeSet<&u32> = ids.values().collect();
        assert_eq!((ids.len(), different.len()), (898, 898));
        assert!(!different.contains(&500));
    }
}
