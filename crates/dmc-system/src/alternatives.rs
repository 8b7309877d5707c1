//! `update-alternatives --install` in maintainer scripts.
//!
//! No package says as data which alternatives it brings; its postinst calls update-alternatives(1).
//! Calls with words that are known (literal, from a variable with a literal value, from a loop over
//! literal words) become [`Alternative`]s; a call with an unknown word becomes none and is reported
//! as not covered.

use crate::scripts::{self, Grammar};
use dmc_types::{Alternative, ImagePath, PackageFacts};
use std::rc::Rc;

/// The alternatives that a package's scripts install, in their order. Paths are in their
/// merged-/usr spelling.
pub fn alternatives(package: &PackageFacts) -> Vec<Alternative> {
    let grammar = Grammar::default();
    let mut found = Vec::new();
    for script in scripts::at_installation(package) {
        let called = script.bytes.windows(CALL.len()).any(|part| part == CALL.as_bytes());
        if !called {
            continue;
        }
        let (runs, _) = script.follow(package, &grammar);
        for run in runs.iter().filter(|run| run.reached) {
            if let Some(alternative) = installed(&run.words)
                && !found.contains(&alternative)
            {
                found.push(alternative);
            }
        }
    }
    found
}

const CALL: &str = "update-alternatives";

/// What a call of update-alternatives installs.
pub(crate) fn installed(words: &[Option<Rc<str>>]) -> Option<Alternative> {
    let words: Vec<&str> = words.iter().map(Option::as_deref).collect::<Option<_>>()?;
    let (first, words) = words.split_first()?;
    if first.rsplit('/').next() != Some(CALL) {
        return None;
    }
    let mut words = words.iter().copied();
    let mut made: Option<Alternative> = None;
    while let Some(word) = words.next() {
        match word {
            "--install" => {
                let (link, name, path) = triple(&mut words)?;
                let priority = words.next()?.parse().ok()?;
                made = Some(Alternative { link, name, path, priority, slaves: Vec::new() });
            }
            "--slave" | "--follower" => made.as_mut()?.slaves.push(triple(&mut words)?),
            "--log" => drop(words.next()),
            "--force" | "--quiet" | "--verbose" | "--debug" | "--skip-auto" => {}
            // Others among them move the links elsewhere (`--altdir`, `--root`).
            _ => return None,
        }
    }
    made
}

fn triple<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<(ImagePath, String, ImagePath)> {
    let path = |word: &str| ImagePath::parse(word).ok().map(|path| path.merged_usr());
    let (link, name, target) = (words.next()?, words.next()?, words.next()?);
    let plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    plain.then_some(())?;
    Some((path(link)?, name.to_owned(), path(target)?))
}

#[cfg(test)]
mod tests;
