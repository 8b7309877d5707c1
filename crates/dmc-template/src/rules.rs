//! `conf/rules/*.toml` to [`Rule`]s.
//!
//! Each file holds `[[rule]]` tables. Paths and sonames may hold the placeholders `{triplet}` and
//! `{arch}`. The meaning of a rule is [`Rule`]'s.

use crate::words::{ArchGlob, WordError};
use crate::{TextError, text};
use dmc_types::{Arch, PackageName, Rule, RuleEffect, RuleTrigger, SoName};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

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
    /// A file of one of these packages is kept.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub package: Vec<PackageName>,
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
                "a rule has `when` with import, needs, path or package, and asks for libraries \
                 or include"
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
    let RuleEntry { name, because, when, libraries, packages, include } = entry;
    let globs = |globs: Vec<ArchGlob>| {
        let on_arch: Result<Vec<_>, _> = globs.iter().map(|glob| glob.for_arch(arch)).collect();
        on_arch.map_err(|error| RuleError::Pattern {
            file: file.to_owned(),
            name: name.clone(),
            source: error.into(),
        })
    };
    let mut triggers: Vec<RuleTrigger> = Vec::new();
    triggers.extend(when.import.into_iter().map(RuleTrigger::Import));
    triggers.extend(when.needs.into_iter().map(RuleTrigger::Needs));
    triggers.extend(globs(when.path)?.into_iter().map(RuleTrigger::Path));
    triggers.extend(when.package.into_iter().map(RuleTrigger::Package));
    let effect =
        RuleEffect { libraries, packages, include: globs(include)?, ..RuleEffect::default() };
    let idle = |what| RuleError::Idle { file: file.to_owned(), name: name.clone(), what };
    if triggers.is_empty() {
        return Err(idle("never fires"));
    }
    if effect.libraries.is_empty() && effect.include.is_empty() {
        return Err(idle("asks for nothing"));
    }
    Ok(Rule { name, because, triggers, effect })
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
          hint: a rule has `when` with import, needs, path or package, and asks for libraries or include

        conf/rules/x.toml: rule `a` asks for nothing
          hint: a rule has `when` with import, needs, path or package, and asks for libraries or include

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
