//! `conf/rules/*.toml` to [`Rule`]s.
//!
//! Each file holds `[[rule]]` tables. Paths and sonames may hold the placeholders `{triplet}` and
//! `{arch}`. The meaning of a rule is [`Rule`]'s.

use crate::words::{ArchGlob, WordError};
use crate::{TextError, text};
use dmc_types::{
    Arch, Generated, GlobError, PackageName, PathGlob, Rule, RuleEffect, RuleTrigger, SoName,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A file of rules.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// The rules.
    #[serde(default)]
    pub rule: Vec<RuleEntry>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    /// Its name, unique among all rules.
    pub name: String,
    /// What happens without it, in one sentence.
    pub because: String,
    /// What makes it fire; any one of these is enough.
    pub when: RuleWhen,
    /// Libraries that it asks for, found as the loader would for the file that fired it.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub libraries: Vec<SoName>,
    /// Packages in which `include` is looked for; the firing file's own where none is named.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub packages: Vec<PackageName>,
    /// Patterns of files that it asks for.
    #[serde(default)]
    pub include: Vec<ArchGlob>,
    /// Patterns of further files that it asks for where there are any.
    #[serde(default)]
    pub optional: Vec<ArchGlob>,
    /// Sentences that `dmc why` and the image's record tell where it fires.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What assembly is to make: `ca-certificates`, `ld-so-cache`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub generate: BTreeSet<Generated>,
    /// Patterns of paths, and of sonames, in read-only data of the firing file that need not be in
    /// the image.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub ignore: Vec<IgnoreGlob>,
}

/// A package's name, or a pattern of such names.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct PackageWord(RuleTrigger);

impl TryFrom<String> for PackageWord {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        Ok(Self(if text.contains('*') {
            // A package's name with letters in place of the stars says whether the rest is one.
            text.replace('*', "aa").parse::<PackageName>()?;
            RuleTrigger::PackageLike(PathGlob::parse(&format!("/{text}"))?)
        } else {
            RuleTrigger::Package(text.parse()?)
        }))
    }
}

/// A pattern of paths or, without a slash in front, of sonames.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct IgnoreGlob(ArchGlob);

impl TryFrom<String> for IgnoreGlob {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        let rooted = if text.starts_with('/') { text } else { format!("/{text}") };
        ArchGlob::try_from(rooted).map(Self)
    }
}

/// What makes a rule fire.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleWhen {
    /// A kept ELF file imports one of these symbols.
    #[serde(default)]
    pub import: Vec<String>,
    /// A kept ELF file needs one of these libraries.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub needs: Vec<SoName>,
    /// A kept file's path matches one of these.
    #[serde(default)]
    pub path: Vec<ArchGlob>,
    /// The template names one of these packages, or a file of one is kept; `*` stands for
    /// anything.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub package: Vec<PackageWord>,
    /// Packages whose files do not fire it, whatever they import.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub except: Vec<PackageName>,
}

/// Why the rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A file's text is wrong.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Two rules have one name.
    #[error("{file}: there is a rule `{name}` already, in {first}")]
    Twice {
        /// The file with the second.
        file: String,
        /// The name.
        name: String,
        /// The file with the first.
        first: String,
    },
    /// A rule never fires, or does nothing when it does.
    #[error("{file}: rule `{name}` {what}")]
    Idle {
        /// The file.
        file: String,
        /// The rule.
        name: String,
        /// Which of the two.
        what: &'static str,
    },
    /// A pattern of a rule.
    #[error("{file}: rule `{name}` has a pattern that is wrong on this architecture")]
    Pattern {
        /// The file.
        file: String,
        /// The rule.
        name: String,
        /// Why.
        source: WordError,
    },
}

impl RuleError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Text(error) => error.hint(),
            Self::Twice { .. } => Some("give one of them another name".to_owned()),
            Self::Idle { .. } => Some(
                "a rule has `when` with import, needs, path or package, and one of libraries, \
                 include or optional (with or without packages), notes, generate and ignore"
                    .to_owned(),
            ),
            Self::Pattern { .. } => None,
        }
    }
}

/// The rules of all files (name for messages, contents) on one architecture, in the files' order.
pub fn read_rules<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    arch: Arch,
) -> Result<Vec<Rule>, RuleError> {
    let mut rules = Vec::new();
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for (file, bytes) in files {
        for entry in text::read::<RuleFile>(file, bytes)?.rule {
            if let Some(first) = names.insert(entry.name.clone(), file) {
                let (file, first) = (file.to_owned(), first.to_owned());
                return Err(RuleError::Twice { file, name: entry.name, first });
            }
            rules.push(rule(file, entry, arch)?);
        }
    }
    Ok(rules)
}

fn rule(file: &str, entry: RuleEntry, arch: Arch) -> Result<Rule, RuleError> {
    let wrong = |error: GlobError| RuleError::Pattern {
        file: file.to_owned(),
        name: entry.name.clone(),
        source: error.into(),
    };
    let globs = |globs: &[ArchGlob]| {
        let on_arch: Result<Vec<_>, _> = globs.iter().map(|glob| glob.for_arch(arch)).collect();
        on_arch.map_err(wrong)
    };
    let mut triggers: Vec<RuleTrigger> = Vec::new();
    triggers.extend(entry.when.import.iter().cloned().map(RuleTrigger::Import));
    triggers.extend(entry.when.needs.iter().cloned().map(RuleTrigger::Needs));
    triggers.extend(globs(&entry.when.path)?.into_iter().map(RuleTrigger::Path));
    triggers.extend(entry.when.package.iter().map(|word| word.0.clone()));
    let ignore: Vec<ArchGlob> = entry.ignore.iter().map(|glob| glob.0.clone()).collect();
    let (include, optional) = (globs(&entry.include)?, globs(&entry.optional)?);
    let ignore = globs(&ignore)?;
    let RuleEntry { name, because, libraries, packages, notes, generate, .. } = entry;
    let idle = |what| RuleError::Idle { file: file.to_owned(), name: name.clone(), what };
    if triggers.is_empty() {
        return Err(idle("never fires"));
    }
    if include.is_empty() && optional.is_empty() && !packages.is_empty() {
        return Err(idle("names packages but no files of them"));
    }
    let effect = RuleEffect { libraries, packages, include, optional, notes, generate, ignore };
    if effect == RuleEffect::default() {
        return Err(idle("asks for nothing"));
    }
    Ok(Rule { name, because, triggers, except: entry.when.except, effect })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Vec<Rule>, RuleError> {
        let files = texts.iter().map(|text| ("conf/rules/x.toml", text.as_bytes()));
        read_rules(files, Arch::Arm64)
    }

    #[test]
    fn a_rule_is_read_for_one_architecture() {
        let rules = read(&["[[rule]]\n\
            name = \"gconv\"\nbecause = \"It converts.\"\n\
            when = { import = [\"iconv_open\"], path = [\"/usr/lib/{triplet}/*.so\"] }\n\
            packages = [\"libc6\"]\ninclude = [\"/usr/lib/{triplet}/gconv/**\"]\n"])
        .unwrap();
        let glob = |text: &str| dmc_types::PathGlob::parse(text).unwrap();
        let wanted = Rule {
            name: "gconv".to_owned(),
            because: "It converts.".to_owned(),
            triggers: vec![
                RuleTrigger::Import("iconv_open".to_owned()),
                RuleTrigger::Path(glob("/usr/lib/aarch64-linux-gnu/*.so")),
            ],
            except: Vec::new(),
            effect: RuleEffect {
                libraries: Vec::new(),
                packages: vec!["libc6".parse().unwrap()],
                include: vec![glob("/usr/lib/aarch64-linux-gnu/gconv/**")],
                ..RuleEffect::default()
            },
        };
        assert_eq!(rules, [wanted]);
    }

    #[test]
    fn a_wrong_rule_is_named() {
        let head = "[[rule]]\nname = \"a\"\nbecause = \"b\"\n";
        let good = format!("{head}when = {{ import = [\"x\"] }}\nlibraries = [\"y.so\"]\n");
        let table = [
            vec![good.clone(), good],
            vec![format!("{head}when = {{}}\nlibraries = [\"y.so\"]")],
            vec![format!("{head}when = {{ import = [\"x\"] }}")],
            vec![format!("{head}when = {{ imports = [\"x\"] }}")],
            vec![format!("{head}when = {{ needs = [\"a/b.so\"] }}")],
            vec!["[[rules]]".to_owned()],
        ];
        let shown: Vec<String> = table
            .iter()
            .map(|texts| {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let error = read(&texts).unwrap_err();
                format!("{error}\n  hint: {}", error.hint().unwrap_or_default())
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n\n"), @r#"
        conf/rules/x.toml: there is a rule `a` already, in conf/rules/x.toml
          hint: give one of them another name

        conf/rules/x.toml: rule `a` never fires
          hint: a rule has `when` with import, needs, path or package, and one of libraries, include or optional (with or without packages), notes, generate and ignore

        conf/rules/x.toml: rule `a` asks for nothing
          hint: a rule has `when` with import, needs, path or package, and one of libraries, include or optional (with or without packages), notes, generate and ignore

        conf/rules/x.toml, line 4: unknown key `imports`
          4 | when = { imports = ["x"] }
          hint: did you mean `import`?

        conf/rules/x.toml, line 4: `a/b.so` is not a soname: printable text without slash or white space
          4 | when = { needs = ["a/b.so"] }
          hint: 

        conf/rules/x.toml, line 1: unknown key `rules`
          1 | [[rules]]
          hint: did you mean `rule`?
        "#);
    }
}
