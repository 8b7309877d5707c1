//! The list of the oracle's faults is neither too long nor too short.

use debian_packaging::dependency::{
    DependencyVersionConstraint, SingleDependency, VersionRelationship,
};
use debian_packaging::package_version::PackageVersion;
use dmc_deb::relation::Relation;
use dmc_deb::version::Version;
use dmc_oracle::{faults, relation};
use std::cmp::Ordering;
use std::panic::catch_unwind;

fn ours(left: &str, right: &str) -> Ordering {
    left.parse::<Version>().unwrap().cmp(&right.parse().unwrap())
}

fn theirs(left: &str, right: &str) -> Ordering {
    PackageVersion::parse(left).unwrap().cmp(&PackageVersion::parse(right).unwrap())
}

#[test]
fn a_tilde_on_the_right_is_still_missed_there_and_seen_here() {
    for (left, right) in [
        ("1.0a", "1.0~"),
        ("2.0-1+b1", "2.0-1~deb13u1"),
        ("1.0+dfsg-1", "1.0~rc1-1"),
        ("1:1.2.3-4.1", "1:1.2.3-4~bpo12+1"),
        ("1-2-3", "1~2-3"),
        ("1.05.01+dfsg-1", "1.5.1~a-2"),
    ] {
        assert!(faults::misses_tilde(left, right), "{left} {right}");
        assert_eq!(theirs(left, right), Ordering::Less, "{left} {right}");
        assert_eq!(ours(left, right), Ordering::Greater, "{left} {right}");
        assert_eq!(theirs(right, left), Ordering::Less, "the other way round it is right");
        assert_eq!(ours(right, left), Ordering::Less, "{left} {right}");
    }
}

#[test]
fn what_looks_like_that_fault_is_compared_alike() {
    for (left, right) in [
        ("2024-02-06b+dfsg-5~", "2024-02-06~"),
        ("1.0-1", "1.0~rc1-1"),
        ("1.01", "1.0~1"),
        ("2:1a", "1:1~"),
        ("1.0~", "1.0a"),
    ] {
        assert!(!faults::misses_tilde(left, right), "{left} {right}");
        assert_eq!(theirs(left, right), ours(left, right), "{left} {right}");
    }
}

#[test]
fn every_short_version_is_compared_alike_but_for_that_fault() {
    let letters = ["", "0", "1", "a", "b", "~", "+", ".", "-"];
    let mut versions: Vec<String> = Vec::new();
    for one in letters {
        for two in letters {
            for three in letters {
                versions.push(format!("1{one}{two}{three}"));
            }
        }
    }
    versions.retain(|version| version.parse::<Version>().is_ok());
    versions.sort();
    versions.dedup();
    let mut missed = 0;
    for left in &versions {
        for right in &versions {
            let wanted = ours(left, right);
            if faults::misses_tilde(left, right) {
                missed += 1;
                assert_eq!(
                    (wanted, theirs(left, right)),
                    (Ordering::Greater, Ordering::Less),
                    "{left} {right}"
                );
            } else {
                assert_eq!(wanted, theirs(left, right), "{left} {right}");
            }
        }
    }
    assert!(versions.len() > 400 && missed > 5000, "{} versions, {missed}", versions.len());
}

#[test]
fn long_numbers_still_panic_there() {
    let long = "1.20000000000000000000";
    assert!(faults::overflows(long) && !faults::overflows("1.2000000000000000000"));
    assert!(catch_unwind(|| theirs(long, "1.3")).is_err());
    assert_eq!(ours(long, "1.3"), Ordering::Greater);
}

#[test]
fn spellings_of_one_version_are_still_unequal_there() {
    let (left, right) = ("1.0", "0:1.0-0");
    assert_ne!(PackageVersion::parse(left).unwrap(), PackageVersion::parse(right).unwrap());
    assert_eq!(left.parse::<Version>().unwrap(), right.parse::<Version>().unwrap());
    assert_eq!(theirs(left, right), Ordering::Equal, "its order is right, its equality is not");
}

#[test]
fn a_colon_in_the_upstream_part_is_still_refused_there() {
    assert!(PackageVersion::parse("2:1:3-1").is_err());
    assert_eq!("2:1:3-1".parse::<Version>().unwrap().upstream(), "1:3");
}

#[test]
fn relations_are_misread_there_in_these_ways_only() {
    for (why, field, wrong) in [
        ("an obsolete operator is dropped", "a1 (> 1)", Some("a1")),
        ("build profiles are a name's end", "a1<!nocheck>", Some("a1<!nocheck>")),
        ("so is the other one", "a1 | b1 (< 2)", Some("a1 | b1")),
        ("a comma at the end is an error", "a1,", None),
    ] {
        let read = relation::theirs(field).ok().map(|(read, _)| read.groups[0].join(" | "));
        assert_eq!(read.as_deref(), wrong, "{why}");
        let here = relation::ours(field);
        assert!(here.left_out.is_empty(), "{why}");
        assert_ne!(Some(&*here.groups[0].join(" | ")), wrong, "{why}");
    }
}

#[test]
fn an_architecture_is_still_a_part_of_the_name_there() {
    let there = SingleDependency::parse("python3:any (>= 3.13)").unwrap();
    assert!(faults::swallows_qualifier(&there.package));
    let here: Relation = "python3:any (>= 3.13)".parse().unwrap();
    assert_eq!((here.name.as_str(), there.package.as_str()), ("python3", "python3:any"));
}

#[test]
fn a_provided_version_still_meets_no_lower_bound_there() {
    let exactly = |version| DependencyVersionConstraint {
        relationship: VersionRelationship::ExactlyEqual,
        version: PackageVersion::parse(version).unwrap(),
    };
    let wanted = "libssl3 (>= 3.0.0)";
    let there = SingleDependency::parse(wanted).unwrap();
    assert!(!there.package_satisfies_virtual("libssl3", Some(&exactly("3.5.1-1"))));
    assert!(there.package_satisfies_virtual("libssl3", Some(&exactly("3.0.0"))));
    let (operator, bound) = wanted.parse::<Relation>().unwrap().constraint.unwrap();
    assert!(operator.holds(&"3.5.1-1".parse().unwrap(), &bound));
}
