//! Which statements of maintainer scripts dmc stands in for, and which it does not.
//!
//! The grammar is data (`conf/scripts.toml`): forms of statements with what does their work, or
//! with why an image does without; everything else is reported as not covered. Only what dpkg runs
//! when a package is first installed counts (Debian Policy 6.6): preinst, config and postinst.

use crate::shell::{self, Run, Scene};
use crate::{accounts, alternatives};
use dmc_types::{ImagePath, PackageFacts, PathGlob};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Scripts that dpkg and debconf run at a first installation, with their arguments.
const SCRIPTS: [(&str, &[&str]); 3] =
    [("preinst", &["install"]), ("config", &["configure", ""]), ("postinst", &["configure", ""])];

/// Longest list of statements that is reported for one package.
const MOST: usize = 2_000;

/// What is known of statements: see `conf/scripts.toml`.
#[derive(Debug, Clone, Default)]
pub struct Grammar {
    absent: Vec<PathGlob>,
    unset: Vec<String>,
    /// Forms by the name of their program.
    forms: BTreeMap<String, Vec<Form>>,
}

/// A text that is no grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct GrammarError {
    /// The file, as the caller named it.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Debug, Clone)]
struct Form {
    words: Vec<String>,
    covered: Covered,
}

/// What becomes of a statement in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covered {
    /// A part of dmc does it, or a key of the template.
    Done(String),
    /// It has no effect there, for this reason.
    NoEffect(String),
    /// Nothing does it.
    NotCovered,
}

/// A statement of a maintainer script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// The script: `postinst`.
    pub script: String,
    /// Its line, from 1.
    pub line: usize,
    /// The statement as it stands there, at most 160 characters.
    pub text: String,
    /// What becomes of it.
    pub covered: Covered,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrammarFile {
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    unset: Vec<String>,
    #[serde(default)]
    done: Vec<FormsTable>,
    #[serde(default)]
    without: Vec<FormsTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormsTable {
    because: String,
    forms: Vec<String>,
}

impl Grammar {
    /// Reads `conf/scripts.toml`; `file` is its name for messages.
    pub fn read(file: &str, text: &str) -> Result<Self, GrammarError> {
        let refused = |why: String| GrammarError { file: file.to_owned(), why };
        let read: GrammarFile = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
        let globs = read.absent.iter().map(|glob| PathGlob::parse(glob));
        let absent = globs.collect::<Result<_, _>>().map_err(|error| refused(error.to_string()))?;
        let mut forms: BTreeMap<String, Vec<Form>> = BTreeMap::new();
        let done = read.done.into_iter().map(|table| (true, table));
        for (done, table) in done.chain(read.without.into_iter().map(|table| (false, table))) {
            for form in table.forms {
                let words: Vec<String> = form.split_whitespace().map(str::to_owned).collect();
                let Some((program, words)) = words.split_first() else {
                    return Err(refused("a form has no words".to_owned()));
                };
                let because = table.because.clone();
                let covered =
                    if done { Covered::Done(because) } else { Covered::NoEffect(because) };
                let form = Form { words: words.to_vec(), covered };
                forms.entry(program.clone()).or_default().push(form);
            }
        }
        Ok(Self { absent, unset: read.unset, forms })
    }

    fn is_absent(&self, path: &str) -> bool {
        ImagePath::parse(path).is_ok_and(|path| self.absent.iter().any(|glob| glob.matches(&path)))
    }

    fn covered(&self, words: &[Option<Rc<str>>]) -> Covered {
        let Some((Some(first), rest)) = words.split_first() else { return Covered::NotCovered };
        let program = first.rsplit('/').next().unwrap_or_default();
        let fits = |form: &&Form| form.fits(rest);
        // `db_*` stands for every program whose name begins so.
        let family = program.split_once('_').map(|(head, _)| format!("{head}_*"));
        let forms = [Some(program), family.as_deref()].into_iter().flatten();
        let mut forms = forms.filter_map(|name| self.forms.get(name)).flatten();
        forms.find(fits).map_or(Covered::NotCovered, |form| form.covered.clone())
    }
}

impl Form {
    /// Whether a statement's words after the program have this form: `*` is any word, `…` any
    /// number of words, `-x` an option that stands anywhere before.
    fn fits(&self, words: &[Option<Rc<str>>]) -> bool {
        let mut words = words.iter();
        for form in &self.words {
            if form == "…" {
                return true;
            }
            let Some(word) = words.next() else { return false };
            let fits = form == "*"
                || word.as_deref().is_some_and(|word| {
                    // `/run/*` is a path below.
                    word == form || form.strip_suffix('*').is_some_and(|it| word.starts_with(it))
                });
            if !fits {
                return false;
            }
        }
        words.next().is_none()
    }
}

/// A script of a package.
pub(crate) struct Script<'a> {
    pub(crate) name: &'static str,
    arguments: &'static [&'static str],
    pub(crate) bytes: &'a [u8],
}

/// The scripts that run when a package is first installed.
pub(crate) fn at_installation(package: &PackageFacts) -> Vec<Script<'_>> {
    let script = |(name, arguments): &(&'static str, &'static [&'static str])| {
        let bytes = package.scripts.get(*name)?;
        Some(Script { name, arguments, bytes })
    };
    SCRIPTS.iter().filter_map(script).collect()
}

impl Script<'_> {
    /// The statements that the script comes upon, and where it cannot be followed further.
    pub(crate) fn follow(
        &self,
        package: &PackageFacts,
        grammar: &Grammar,
    ) -> (Vec<Run>, Option<usize>) {
        let arch = package.arch.map_or("all", dmc_types::Arch::name);
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let scene = Scene {
            arguments: self.arguments.iter().map(|it| (*it).to_owned()).collect(),
            variables: vec![
                variable("DPKG_MAINTSCRIPT_NAME", self.name),
                variable("DPKG_MAINTSCRIPT_PACKAGE", package.package.as_str()),
                variable("DPKG_MAINTSCRIPT_ARCH", arch),
            ],
            empty: &grammar.unset,
            absent: &|path| grammar.is_absent(path),
        };
        shell::follow(self.bytes, &scene)
    }

    /// Whether it is for a shell; nothing is known of scripts in other languages.
    fn is_shell(&self) -> bool {
        let first = self.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first = String::from_utf8_lossy(first);
        let mut words = first.trim_start_matches("#!").split_whitespace();
        let program = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        first.starts_with("#!") && matches!(program, "sh" | "bash" | "dash")
    }
}

/// Every statement that a package's scripts hold for a first installation, by script and line,
/// each once. A statement that comes up in several ways counts as its worst.
pub fn script_report(package: &PackageFacts, grammar: &Grammar) -> Vec<Statement> {
    let mut report = Vec::new();
    for script in at_installation(package) {
        let statement = |line: usize, text: &str, covered: Covered| Statement {
            script: script.name.to_owned(),
            line,
            text: text.to_owned(),
            covered,
        };
        if !script.is_shell() {
            let text = "the whole script, which is not for a shell";
            report.push(statement(1, text, Covered::NotCovered));
            continue;
        }
        let (runs, broken) = script.follow(package, grammar);
        let mut lines: BTreeMap<(usize, Rc<str>), Covered> = BTreeMap::new();
        for run in runs {
            let covered = judge(&run, grammar);
            let worst = lines.entry((run.line, run.text)).or_insert_with(|| covered.clone());
            // What is done somewhere is worth more words than what is never reached.
            if covered == Covered::NotCovered || matches!(*worst, Covered::NoEffect(_)) {
                *worst = if *worst == Covered::NotCovered { Covered::NotCovered } else { covered };
            }
        }
        report.extend(lines.into_iter().map(|((line, text), it)| statement(line, &text, it)));
        if let Some(line) = broken {
            let text = "from here on the script cannot be followed";
            report.push(statement(line, text, Covered::NotCovered));
        }
    }
    report.truncate(MOST);
    report
}

fn judge(run: &Run, grammar: &Grammar) -> Covered {
    let without = |why: &str| Covered::NoEffect(why.to_owned());
    if !run.reached {
        without("it is not reached at a first installation")
    } else if run.words.is_empty() {
        without("it sets variables of the script")
    } else if run.call {
        without("it calls a function of the script, which is followed")
    } else {
        understood(run, grammar.covered(&run.words))
    }
}

/// A form says what kind of statement it is; whether dmc does it depends on all its words.
fn understood(run: &Run, covered: Covered) -> Covered {
    let program = run.words.first().and_then(|first| first.as_deref()).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let installs = run.words.iter().any(|word| word.as_deref() == Some("--install"));
    let known = match (&covered, program) {
        (Covered::Done(_), "update-alternatives") if installs => {
            alternatives::installed(&run.words).is_some()
        }
        (Covered::Done(_), "update-alternatives") => {
            return Covered::NoEffect("it asks, or takes back what was never there".to_owned());
        }
        (Covered::Done(_), "adduser" | "addgroup" | "useradd" | "groupadd" | "usermod") => {
            accounts::defined(&run.words).is_some()
        }
        _ => true,
    };
    if known { covered } else { Covered::NotCovered }
}

#[cfg(test)]
mod tests;
