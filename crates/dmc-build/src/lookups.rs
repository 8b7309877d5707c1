//! The indices as a build sees them, and what it saw.
//!
//! An image depends on the archive through the answers to its lookups alone: where a later index
//! answers all of them as before, the image is the same, and need not be made to know it. A lookup
//! that finds nothing is an answer too. Names that are suggested in messages are not looked up
//! here: a build that asks for them has failed.

use dmc_archive::index::IndexError;
use dmc_archive::{Candidate, Packages};
use dmc_types::{Arch, PackageName, Sha256};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A question to the indices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Lookup {
    /// The vendor's package of this name.
    Package(PackageName),
    /// A third party's, by the archive's name.
    From(String, PackageName),
    /// Those that provide a name.
    Providers(PackageName),
    /// Those that are essential.
    Essential,
}

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The version; of several packages each with its name. Empty where there is none.
    says: String,
    /// Over everything in it that can reach an image.
    digest: Sha256,
}

/// All lookups of a build with their answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace(Vec<(Lookup, Answer)>);

/// A lookup that is answered otherwise than it was.
#[derive(Debug)]
pub(crate) struct Changed<'a> {
    pub(crate) lookup: &'a Lookup,
    /// What was said then, and is now.
    pub(crate) was: &'a str,
    pub(crate) now: String,
    /// The packages that are found now.
    pub(crate) found: Vec<Candidate>,
}

/// The packages of an architecture, with a memory of what was asked: most is asked several times.
#[derive(Debug)]
pub(crate) struct Lookups<'a> {
    packages: &'a Packages,
    seen: RefCell<BTreeMap<Lookup, Vec<Candidate>>>,
}

impl<'a> Lookups<'a> {
    pub(crate) fn new(packages: &'a Packages) -> Self {
        Self { packages, seen: RefCell::default() }
    }

    pub(crate) fn arch(&self) -> Arch {
        self.packages.arch()
    }

    pub(crate) fn package(&self, name: &PackageName) -> Result<Option<Candidate>, IndexError> {
        Ok(self.ask(Lookup::Package(name.clone()))?.pop())
    }

    pub(crate) fn package_from(
        &self,
        archive: &str,
        name: &PackageName,
    ) -> Result<Option<Candidate>, IndexError> {
        Ok(self.ask(Lookup::From(archive.to_owned(), name.clone()))?.pop())
    }

    pub(crate) fn providers(&self, name: &PackageName) -> Result<Vec<Candidate>, IndexError> {
        self.ask(Lookup::Providers(name.clone()))
    }

    pub(crate) fn essential(&self) -> Result<Vec<Candidate>, IndexError> {
        self.ask(Lookup::Essential)
    }

    /// Names that are spelled much like this one, for messages.
    pub(crate) fn nearest(&self, name: &str) -> Result<Vec<PackageName>, IndexError> {
        self.packages.nearest(name)
    }

    /// The packages of a lock, where these are one's. Not asked of an archive, so not remembered.
    pub(crate) fn chosen(&self) -> Result<Vec<Candidate>, IndexError> {
        self.packages.chosen()
    }

    /// Everything that was asked.
    pub(crate) fn trace(&self) -> Trace {
        let answered = |(lookup, found): (Lookup, Vec<Candidate>)| {
            let answer = Answer::new(&lookup, &found);
            (lookup, answer)
        };
        Trace(self.seen.take().into_iter().map(answered).collect())
    }

    fn ask(&self, lookup: Lookup) -> Result<Vec<Candidate>, IndexError> {
        if let Some(found) = self.seen.borrow().get(&lookup) {
            return Ok(found.clone());
        }
        let found = ask(self.packages, &lookup)?;
        self.seen.borrow_mut().insert(lookup, found.clone());
        Ok(found)
    }
}

impl Trace {
    /// Whether an index answers everything as before.
    pub(crate) fn holds(&self, packages: &Packages) -> Result<bool, IndexError> {
        for (lookup, before) in &self.0 {
            if Answer::new(lookup, &ask(packages, lookup)?) != *before {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The lookups that an index answers otherwise.
    pub(crate) fn changes(&self, packages: &Packages) -> Result<Vec<Changed<'_>>, IndexError> {
        let mut changes = Vec::new();
        for (lookup, before) in &self.0 {
            let found = ask(packages, lookup)?;
            let now = Answer::new(lookup, &found);
            if now != *before {
                changes.push(Changed { lookup, was: &before.says, now: now.says, found });
            }
        }
        Ok(changes)
    }
}

fn ask(packages: &Packages, lookup: &Lookup) -> Result<Vec<Candidate>, IndexError> {
    match lookup {
        Lookup::Package(name) => Ok(packages.package(name)?.into_iter().collect()),
        Lookup::From(archive, name) => {
            Ok(packages.package_from(archive, name)?.into_iter().collect())
        }
        Lookup::Providers(name) => packages.providers(name),
        Lookup::Essential => packages.essential(),
    }
}

impl Answer {
    /// Neither the pocket nor the path of a package reaches an image: a package that moves from
    /// one suite to another stays what it is.
    fn new(lookup: &Lookup, found: &[Candidate]) -> Self {
        let mut hash = sha2::Sha256::new();
        for one in found {
            let arch = one.arch.map_or("all", Arch::name);
            let checksum = one.checksum.to_string();
            let size = one.size.to_string();
            let essential = if one.essential { "yes" } else { "" };
            for text in [
                one.package.as_str(),
                one.version.as_str(),
                &one.source,
                &one.source_version,
                arch,
                &one.pre_depends,
                &one.depends,
                &one.provides,
                &one.conflicts,
                &one.breaks,
                &one.multi_arch,
                &one.priority,
                essential,
                &size,
                &checksum,
            ] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        let says = found.iter().map(|one| match lookup {
            Lookup::Package(_) | Lookup::From(..) => one.version.to_string(),
            Lookup::Providers(_) | Lookup::Essential => format!("{} {}", one.package, one.version),
        });
        let says = says.collect::<Vec<_>>().join(", ");
        Self { says, digest: Sha256::from_bytes(hash.finalize().into()) }
    }
}
