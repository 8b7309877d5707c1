//! Relations between packages, as lists of choices: `libc6 (>= 2.38)`.

use crate::faults;
use debian_packaging::dependency::{DependencyList, SingleDependency};
use dmc_deb::relation::{ArchQualifier, Relation, Relations};

/// A field as read.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Groups and their alternatives.
    pub groups: Vec<Vec<String>>,
    /// Names of alternatives that were left out.
    pub left_out: Vec<String>,
}

/// The fields of a binary package that hold relations (Debian Policy 7).
pub const FIELDS: [&str; 9] = [
    "Pre-Depends",
    "Depends",
    "Recommends",
    "Suggests",
    "Enhances",
    "Breaks",
    "Conflicts",
    "Provides",
    "Replaces",
];

/// As dmc reads it.
pub fn ours(field: &str) -> Field {
    let (relations, errors) = Relations::parse(field);
    let groups = relations.groups.iter().map(|group| group.iter().map(text).collect()).collect();
    let name = |text: &str| text.split([' ', '(']).next().unwrap_or_default().to_owned();
    Field { groups, left_out: errors.iter().map(|error| name(&error.text)).collect() }
}

fn text(relation: &Relation) -> String {
    // Written here, not by dmc's own `Display`, so that the parts are compared.
    let qualifier = match relation.qualifier {
        None => String::new(),
        Some(ArchQualifier::Any) => ":any".to_owned(),
        Some(ArchQualifier::Native) => ":native".to_owned(),
        Some(ArchQualifier::Arch(arch)) => format!(":{}", arch.name()),
    };
    let version = relation.constraint.as_ref();
    let version = version.map(|(operator, version)| format!(" ({operator} {version})"));
    format!("{}{qualifier}{}", relation.name, version.unwrap_or_default())
}

/// As the oracle reads it, and how many architectures it took for parts of names. Alternatives
/// that dmc leaves out are left out here too.
///
/// # Errors
/// Says why it does not read the field.
pub fn theirs(field: &str) -> Result<(Field, usize), String> {
    let list = DependencyList::parse(field).map_err(|error| error.to_string())?;
    let all = || list.requirements().flat_map(|group| group.iter());
    let unreleased = |one: &&SingleDependency| faults::asks_for_unreleased(&one.package);
    let kept = list.requirements().map(|group| -> Vec<String> {
        group.iter().filter(|one| !unreleased(one)).map(ToString::to_string).collect()
    });
    let field = Field {
        groups: kept.filter(|group| !group.is_empty()).collect(),
        left_out: all().filter(unreleased).map(|one| one.package.clone()).collect(),
    };
    Ok((field, all().filter(|one| faults::swallows_qualifier(&one.package)).count()))
}
