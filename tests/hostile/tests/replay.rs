//! Seeds and findings, read again.

use dmc_hostile::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_seed_is_read_without_a_panic() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(seeds.len() > 2, "{}", target.name);
        for seed in seeds {
            (target.run)(&seed);
            // What a fuzzer does first: cut short, and with a bit turned.
            for at in [seed.len() / 3, seed.len() / 2, seed.len().saturating_sub(1)] {
                (target.run)(&seed[..at]);
                let mut turned = seed.clone();
                turned.get_mut(at).into_iter().for_each(|byte| *byte ^= 0x10);
                (target.run)(&turned);
            }
        }
    }
}

#[test]
fn what_was_found_once_is_read_without_a_panic() {
    let findings = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings");
    let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    for folder in fs::read_dir(&findings).into_iter().flatten() {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        assert!(names.contains(&*name), "there is no target {name}");
        let target = TARGETS.iter().find(|target| target.name == name).unwrap();
        for file in fs::read_dir(folder.path()).unwrap() {
            (target.run)(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}

#[test]
fn every_target_is_built_for_the_fuzzer() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let name = target.name;
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in it");
        let text = fs::read_to_string(fuzz.join(format!("targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("dmc_hostile::{name}(data)")), "{text}");
    }
}
