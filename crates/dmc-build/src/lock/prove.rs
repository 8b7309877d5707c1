//! Whether the packages of a lock come to the same image by themselves.

use crate::image::Choice;
use dmc_elf::{Closure, Kept};
use dmc_types::{ImagePath, PackageName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Most differences that are told.
const TOLD: usize = 10;

/// What differs between an image that was chosen from the whole archive and one that was chosen
/// from that one's packages alone: nothing, where the lock is good.
pub(super) fn differences(whole: &Choice, alone: &Choice) -> Vec<String> {
    let mut told = Vec::new();
    let packages = |choice: &Choice| choice.candidates.keys().cloned().collect::<BTreeSet<_>>();
    let (one, other) = (packages(whole), packages(alone));
    told.extend(one.symmetric_difference(&other).map(|package| format!("package {package}")));
    let (one, other) = (&whole.closure, &alone.closure);
    compare(&files(&one.files), &files(&other.files), &mut told);
    compare(&files(&one.copied), &files(&other.copied), &mut told);
    compare(&one.alternatives, &other.alternatives, &mut told);
    if one.generate != other.generate {
        told.push("what is generated".to_owned());
    }
    told.extend(notes(one, other));
    told.truncate(TOLD);
    told
}

/// Where each file comes from and why it is there.
type Files<'a> = BTreeMap<&'a ImagePath, (&'a PackageName, &'a ImagePath, &'a [dmc_elf::Edge])>;

fn files(kept: &BTreeMap<ImagePath, Kept>) -> Files<'_> {
    let from = |kept| {
        let kept: &Kept = kept;
        (&kept.package().package, &kept.entry().path, kept.reasons.as_slice())
    };
    kept.iter().map(|(path, kept)| (path, from(kept))).collect()
}

fn compare<K: Ord + Display, V: PartialEq>(
    one: &BTreeMap<K, V>,
    other: &BTreeMap<K, V>,
    told: &mut Vec<String>,
) {
    let keys: BTreeSet<&K> = one.keys().chain(other.keys()).collect();
    let differ = keys.into_iter().filter(|key| one.get(key) != other.get(key));
    told.extend(differ.map(|key| format!("`{key}`")));
}

fn notes<'a>(one: &'a Closure, other: &'a Closure) -> impl Iterator<Item = String> + 'a {
    one.notes.symmetric_difference(&other.notes).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmc_elf::Note;
    use dmc_types::Generated;

    fn choice(change: impl FnOnce(&mut Closure)) -> Choice {
        let mut closure = Closure::default();
        change(&mut closure);
        Choice { candidates: BTreeMap::new(), closure }
    }

    #[test]
    fn whatever_differs_is_told() {
        let same = choice(|_| {});
        assert!(differences(&same, &choice(|_| {})).is_empty());
        let generated = choice(|closure| {
            closure.generate.insert(Generated::LdSoCache);
        });
        assert_eq!(differences(&same, &generated), ["what is generated"]);
        let noted = choice(|closure| {
            closure.notes.insert(Note::NoLicence("hello".parse().unwrap()));
        });
        assert_eq!(differences(&noted, &same), ["package hello has no copyright file"]);
        let many = choice(|closure| {
            for number in 10..40 {
                let name = format!("package{number}").parse().unwrap();
                closure.notes.insert(Note::NoLicence(name));
            }
        });
        assert_eq!(differences(&same, &many).len(), TOLD);
    }
}
