//! The alternatives of a small image, as `update-alternatives --install` leaves them in automatic
//! mode (update-alternatives(1)).
//!
//! Of the candidates for a name the one of the highest priority wins, ties going to the package
//! that comes first by name. Slaves follow it, each as far as its file is in the image.

use dmc_types::{Alternative, ImagePath, PackageFacts, PackageName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// Candidates with their packages by the name in `/etc/alternatives`, the winner first.
pub(crate) type Groups = BTreeMap<String, Vec<(PackageName, Alternative)>>;

/// Groups the alternatives of packages, which come sorted by name.
pub(crate) fn groups(packages: &[Arc<PackageFacts>]) -> Groups {
    let mut groups = Groups::new();
    for facts in packages {
        for alternative in dmc_system::alternatives(facts) {
            let group = groups.entry(alternative.name.clone()).or_default();
            group.push((facts.package.clone(), alternative));
        }
    }
    for group in groups.values_mut() {
        group.sort_by_key(|(_, alternative)| std::cmp::Reverse(alternative.priority));
    }
    groups
}

/// Link, name and path of a candidate and of those of its slaves whose files are there.
pub(crate) fn links<'a>(
    alternative: &'a Alternative,
    is_there: &'a dyn Fn(&ImagePath) -> bool,
) -> impl Iterator<Item = (&'a ImagePath, &'a str, &'a ImagePath)> {
    let slaves = alternative.slaves.iter().map(|(link, name, path)| (link, name.as_str(), path));
    let own = (&alternative.link, alternative.name.as_str(), &alternative.path);
    std::iter::once(own).chain(slaves).filter(|(_, _, path)| is_there(path))
}

/// What dpkg keeps of a group in `/var/lib/dpkg/alternatives`: the state, the link, the slaves with
/// their links, and each candidate with its priority and the files of its slaves.
pub(crate) fn state(group: &[(PackageName, Alternative)]) -> String {
    let Some((_, first)) = group.first() else { return String::new() };
    let mut text = format!("auto\n{}\n", first.link);
    let all = group.iter().flat_map(|(_, one)| &one.slaves);
    let slaves: BTreeMap<&str, &ImagePath> =
        all.map(|(link, name, _)| (name.as_str(), link)).collect();
    for (name, link) in &slaves {
        let _ = write!(text, "{name}\n{link}\n");
    }
    text.push('\n');
    let mut seen: BTreeSet<&ImagePath> = BTreeSet::new();
    let mut sorted: Vec<&Alternative> = group.iter().map(|(_, one)| one).collect();
    sorted.sort_by(|one, other| one.path.cmp(&other.path));
    for one in sorted.into_iter().filter(|one| seen.insert(&one.path)) {
        let _ = write!(text, "{}\n{}\n", one.path, one.priority);
        for name in slaves.keys() {
            let path = one.slaves.iter().find(|(_, own, _)| own == name).map(|(_, _, path)| path);
            let _ = writeln!(text, "{}", path.map(ToString::to_string).unwrap_or_default());
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        ImagePath::parse(text).unwrap()
    }

    #[test]
    fn the_state_of_a_group_is_what_dpkg_writes() {
        let man = |name: &str| path(&format!("/usr/share/man/man1/{name}.1.gz"));
        let mawk = Alternative {
            link: path("/usr/bin/awk"),
            name: "awk".to_owned(),
            path: path("/usr/bin/mawk"),
            priority: 5,
            slaves: vec![
                (man("awk"), "awk.1.gz".to_owned(), man("mawk")),
                (path("/usr/bin/nawk"), "nawk".to_owned(), path("/usr/bin/mawk")),
            ],
        };
        let text = state(&[("mawk".parse().unwrap(), mawk)]);
        let wanted = "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\nnawk\n\
                      /usr/bin/nawk\n\n/usr/bin/mawk\n5\n/usr/share/man/man1/mawk.1.gz\n\
                      /usr/bin/mawk\n\n";
        assert_eq!(text, wanted);
    }
}
