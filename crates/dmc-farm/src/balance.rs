//! Which images are built together: those with packages in common, and on each machine as much.
//!
//! What an image costs a machine is less where another image has brought its packages already.
//! Placed are the costliest first (Graham's rule of the longest job first), each where it adds
//! least among the machines that stay below a limit; the limit is the lowest that can be kept, so
//! that images gather where their packages are, but never for longer than the others work.

use crate::plan::PlannedImage;
use dmc_lock::{Lock, PackageKey};
use dmc_types::{Arch, TemplateName};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// How long images took when they were built last.
pub type Cost = BTreeMap<(TemplateName, Arch), u64>;

/// What an image takes besides its packages, in milliseconds.
const AT_LEAST: u64 = 200;

/// Bytes of packages that are fetched, decoded and packed in a millisecond, where nothing better
/// is known.
const PACE: u64 = 10_000;

/// How much of an image's cost goes with its packages, in hundredths.
const OF_PACKAGES: u64 = 60;

/// One image that is to be placed.
struct Work<'a> {
    image: PlannedImage,
    packages: BTreeMap<&'a PackageKey, u64>,
}

impl Work<'_> {
    /// What it costs a machine that has these packages of its architecture.
    fn beside(&self, there: Option<&BTreeSet<&PackageKey>>) -> u64 {
        let all: u64 = self.packages.values().sum();
        let has = |key: &PackageKey| there.is_some_and(|there| there.contains(key));
        let saved: u64 =
            self.packages.iter().filter(|(key, _)| has(key)).map(|(_, size)| size).sum();
        let share = saved.saturating_mul(OF_PACKAGES).checked_div(all).unwrap_or(0);
        self.image.cost - self.image.cost.saturating_mul(share) / 100
    }
}

/// A machine, as far as it is filled.
#[derive(Default)]
struct Machine<'a> {
    load: u64,
    packages: BTreeMap<Arch, BTreeSet<&'a PackageKey>>,
    images: Vec<PlannedImage>,
}

/// Shares all images of a lock among `count` machines. Costs that are not known are estimated by
/// the size of the packages. Equal locks and costs give equal shards; one may be empty.
pub fn shards(lock: &Lock, costs: &Cost, count: u32) -> Vec<Vec<PlannedImage>> {
    let mut works: Vec<Work<'_>> = lock.images().map(|image| work(lock, costs, image)).collect();
    works.sort_by(|one, other| {
        let key = |work: &Work<'_>| {
            (Reverse(work.image.cost), work.image.template.clone(), work.image.arch)
        };
        key(one).cmp(&key(other))
    });
    let mut machines = place(&works, count, None).unwrap_or_default();
    let mut highest = longest(&machines);
    let mut lowest = works.iter().map(|work| work.image.cost).max().unwrap_or(0);
    while lowest < highest {
        let limit = lowest.midpoint(highest);
        match place(&works, count, Some(limit)) {
            Some(better) => {
                highest = longest(&better).min(limit);
                machines = better;
            }
            None => lowest = limit + 1,
        }
    }
    let sorted = |mut images: Vec<PlannedImage>| {
        images.sort_by(|one, other| (&one.template, one.arch).cmp(&(&other.template, other.arch)));
        images
    };
    machines.into_iter().map(|machine| sorted(machine.images)).collect()
}

/// Places all images; none where the limit cannot be kept. Without one, each goes where it is done
/// soonest.
fn place<'a>(works: &[Work<'a>], count: u32, limit: Option<u64>) -> Option<Vec<Machine<'a>>> {
    let mut machines: Vec<Machine<'_>> = Vec::new();
    machines.resize_with(count.max(1) as usize, Machine::default);
    for work in works {
        let adds = |machine: &Machine<'_>| work.beside(machine.packages.get(&work.image.arch));
        let done = |machine: &Machine<'_>| machine.load.saturating_add(adds(machine));
        let fits = |machine: &&mut Machine<'_>| limit.is_none_or(|limit| done(machine) <= limit);
        let best = machines.iter_mut().filter(fits).min_by_key(|machine| match limit {
            Some(_) => (adds(machine), machine.load),
            None => (done(machine), 0),
        });
        let machine = best?;
        machine.load = done(machine);
        machine.packages.entry(work.image.arch).or_default().extend(work.packages.keys());
        machine.images.push(work.image.clone());
    }
    Some(machines)
}

fn longest(machines: &[Machine<'_>]) -> u64 {
    machines.iter().map(|machine| machine.load).max().unwrap_or(0)
}

fn work<'a>(lock: &'a Lock, costs: &Cost, (template, arch): (TemplateName, Arch)) -> Work<'a> {
    let rows = lock.image(&template, arch).unwrap_or_default();
    let packages: BTreeMap<&PackageKey, u64> =
        rows.into_iter().map(|(key, row)| (key, row.size)).collect();
    let size: u64 = packages.values().sum();
    let known = costs.get(&(template.clone(), arch)).copied();
    let cost = known.unwrap_or(AT_LEAST + size / PACE).max(1);
    Work { image: PlannedImage { template, arch, cost }, packages }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmc_lock::LockedPackage;
    use dmc_types::{Checksum, Sha256};

    /// A lock of images on amd64: name, and its packages with their sizes in MB.
    fn lock(images: &[(&str, &[(&str, u64)])]) -> Lock {
        let mut lock = Lock::new("image 2", "trixie", Sha256::from_bytes([1; 32]));
        for (template, packages) in images {
            let row = |(name, size): &(&str, u64)| {
                let row = LockedPackage {
                    version: "1".parse().unwrap(),
                    arch: Some(Arch::Amd64),
                    size: size * 1_000_000,
                    checksum: Checksum::Sha256(Sha256::from_bytes([2; 32])),
                    suite: "trixie".parse().unwrap(),
                    path: format!("pool/{name}.deb").parse().unwrap(),
                };
                (name.parse().unwrap(), row)
            };
            let rows = packages.iter().map(row).collect();
            let digest = (Sha256::from_bytes([3; 32]), false);
            lock.put(&template.parse().unwrap(), digest, [(Arch::Amd64, rows)].into());
        }
        lock
    }

    fn names(shards: &[Vec<PlannedImage>]) -> Vec<String> {
        let names = |shard: &Vec<PlannedImage>| {
            let names: Vec<&str> = shard.iter().map(|image| image.template.as_str()).collect();
            names.join(" ")
        };
        shards.iter().map(names).collect()
    }

    #[test]
    fn images_gather_where_their_packages_are() {
        let lock = lock(&[
            ("python-a", &[("python3", 40), ("aa", 1)]),
            ("nodejs-a", &[("nodejs", 41), ("bb", 1)]),
            ("python-b", &[("python3", 40), ("cc", 2)]),
            ("nodejs-b", &[("nodejs", 41), ("dd", 2)]),
        ]);
        let two = shards(&lock, &Cost::new(), 2);
        assert_eq!(names(&two), ["nodejs-a nodejs-b", "python-a python-b"]);
        assert_eq!(names(&shards(&lock, &Cost::new(), 1)).len(), 1);
        let six = shards(&lock, &Cost::new(), 6);
        assert_eq!((six.len(), six.iter().flatten().count()), (6, 4), "some may be empty");
    }

    #[test]
    fn what_is_known_of_the_cost_counts_more_than_the_size() {
        let lock = lock(&[
            ("slow", &[("small", 1)]),
            ("one", &[("large", 50)]),
            ("two", &[("other", 50)]),
        ]);
        let costs = [("slow", 9000), ("one", 3000), ("two", 4000)];
        let costs = costs.map(|(name, ms)| ((name.parse().unwrap(), Arch::Amd64), ms)).into();
        assert_eq!(names(&shards(&lock, &costs, 2)), ["slow", "one two"]);
    }

    #[test]
    fn no_machine_has_more_than_a_third_above_the_least_that_can_be() {
        // Images without anything in common: the bound of the longest job first is 4/3 - 1/3m.
        for seed in 1..60_u64 {
            let sizes: Vec<u64> = (0..9).map(|at| (seed * 37 + at * at * 91) % 97 + 1).collect();
            let all: Vec<(String, u64)> =
                sizes.iter().enumerate().map(|(at, size)| (format!("p{at:02}"), *size)).collect();
            let packages: Vec<[(&str, u64); 1]> =
                all.iter().map(|(name, size)| [(name.as_str(), *size)]).collect();
            let images: Vec<(&str, &[(&str, u64)])> = all
                .iter()
                .zip(&packages)
                .map(|((name, _), packages)| (name.as_str(), packages.as_slice()))
                .collect();
            let shards = shards(&lock(&images), &Cost::new(), 3);
            let loads = shards.iter().map(|shard| shard.iter().map(|it| it.cost).sum::<u64>());
            let worst = loads.max().unwrap();
            let costs: Vec<u64> = shards.iter().flatten().map(|image| image.cost).collect();
            assert!(worst * 9 <= best(&costs) * 11, "{sizes:?}");
        }
    }

    /// The least that the fullest of three machines can have.
    fn best(costs: &[u64]) -> u64 {
        let ways = 3_usize.pow(u32::try_from(costs.len()).unwrap());
        let fullest = |way: usize| {
            let mut loads = [0; 3];
            let mut left = way;
            for cost in costs {
                loads[left % 3] += cost;
                left /= 3;
            }
            loads.into_iter().max().unwrap()
        };
        (0..ways).map(fullest).min().unwrap()
    }
}
