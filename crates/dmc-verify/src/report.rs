//! What the checks found.

use dmc_types::{Arch, ImagePath, PackageName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot work: the image is refused.
    Error,
    /// It may matter.
    Warning,
    /// It is left to the reader.
    Note,
}

/// Everything found in one image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// What is in it.
    pub counts: Counts,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// The figures of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// ELF files.
    pub elf: usize,
    /// Scripts that may be executed.
    pub scripts: usize,
    /// Files with a setuid or setgid bit.
    pub setuid: usize,
    /// Regular files.
    pub files: usize,
    /// Sum of their sizes in bytes.
    pub bytes: u64,
    /// Packages of which something is in the image.
    pub packages: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    #[serde(flatten)]
    pub problem: Problem,
}

/// What can be wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "problem")]
pub enum Problem {
    /// A library that a file needs is not where the loader looks.
    Library {
        /// The file.
        file: ImagePath,
        /// The library, as in `DT_NEEDED`.
        needs: String,
        /// The program that loads the file, or the file itself.
        scope: ImagePath,
    },
    /// A library is there but lacks a version that a file asks for.
    Version {
        /// The file.
        file: ImagePath,
        /// The library that was found.
        library: ImagePath,
        /// The version.
        version: String,
        /// The program that loads both.
        scope: ImagePath,
    },
    /// Symbols that nothing in the load scope defines.
    Symbols {
        /// The file that imports them.
        file: ImagePath,
        /// The program that loads it, or the file itself where no program is known to.
        scope: ImagePath,
        /// The symbols, with `@VERSION` where they ask for one.
        symbols: Vec<String>,
    },
    /// The interpreter of a program or script is missing or cannot be executed.
    Interpreter {
        /// The file.
        file: ImagePath,
        /// Its interpreter, or the program that `env` is to start.
        interpreter: String,
    },
    /// A file is for another machine, and the loader or kernel will refuse it.
    Machine {
        /// The file.
        file: ImagePath,
        /// The image's architecture.
        arch: Arch,
    },
    /// What the image is to run is not there or not executable for its user.
    Program {
        /// `entrypoint`, `cmd` or `healthcheck`.
        key: &'static str,
        /// The word that names it.
        program: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A folder that the image's configuration names is not there.
    Folder {
        /// `workdir` or `volumes`.
        key: &'static str,
        /// The folder.
        path: ImagePath,
    },
    /// A symbolic link leads nowhere.
    Link {
        /// The link.
        link: ImagePath,
        /// What is not there.
        target: ImagePath,
    },
    /// A configuration file names a user or group that the image does not define.
    Account {
        /// The file.
        file: ImagePath,
        /// The line's number, from 1.
        line: usize,
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Everybody may write to it.
    Writable {
        /// The file or folder.
        path: ImagePath,
    },
    /// It runs with its owner's or group's rights.
    Setuid {
        /// The file.
        path: ImagePath,
    },
    /// Something that a file names and that nothing resolves.
    Open {
        /// What, in a sentence.
        what: String,
    },
    /// A statement of a maintainer script that nothing in the image stands for.
    Script {
        /// The package.
        package: PackageName,
        /// The script: `postinst`.
        script: String,
        /// The line's number, from 1.
        line: usize,
        /// The statement.
        statement: String,
    },
    /// The image in the layout was made of other inputs than those at hand.
    Outdated,
}

impl Report {
    /// Adds a finding.
    pub fn add(&mut self, severity: Severity, problem: Problem) {
        self.findings.push(Finding { severity, problem });
    }

    /// Puts findings in their order, each once.
    pub fn sort(&mut self) {
        self.findings.sort();
        self.findings.dedup();
    }

    /// Findings of one severity.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }

    /// Whether the image can work.
    pub fn is_good(&self) -> bool {
        self.of(Severity::Error).next().is_none()
    }
}

/// Most symbols that a message names.
const SHOWN: usize = 8;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library { file, needs, scope } => {
                write!(f, "`{file}` needs {needs}, which the loader does not find")?;
                loaded_by(f, file, scope)
            }
            Self::Version { file, library, version, scope } => {
                write!(f, "`{file}` needs version {version} of `{library}`, which has it not")?;
                loaded_by(f, file, scope)
            }
            Self::Symbols { file, scope, symbols } => {
                write!(f, "`{file}` imports ")?;
                f.write_str(&symbols[..symbols.len().min(SHOWN)].join(", "))?;
                if symbols.len() > SHOWN {
                    write!(f, " and {} more", symbols.len() - SHOWN)?;
                }
                f.write_str(", which nothing that is loaded with it defines")?;
                loaded_by(f, file, scope)
            }
            Self::Interpreter { file, interpreter } => {
                write!(f, "`{file}` is run by `{interpreter}`, which is not there to be run")
            }
            Self::Machine { file, arch } => write!(f, "`{file}` is not for {arch}"),
            Self::Program { key, program, why } => write!(f, "{key} runs `{program}`, {why}"),
            Self::Folder { key, path } => {
                write!(f, "{key} names `{path}`, which is no folder of the image")
            }
            Self::Link { link, target } => {
                write!(f, "link `{link}` leads to `{target}`, which is not in the image")
            }
            Self::Account { file, line, kind, name } => {
                write!(f, "`{file}`, line {line}: there is no {kind} {name} in the image")
            }
            Self::Writable { path } => write!(f, "everybody may write to `{path}`"),
            Self::Setuid { path } => write!(f, "`{path}` runs with its owner's rights"),
            Self::Open { what } => f.write_str(what),
            Self::Script { package, script, line, statement } => {
                write!(f, "{package}.{script}, line {line}: not covered: {statement}")
            }
            Self::Outdated => f.write_str(
                "the image in the layout was made of other packages or another template",
            ),
        }
    }
}

fn loaded_by(f: &mut fmt::Formatter<'_>, file: &ImagePath, scope: &ImagePath) -> fmt::Result {
    if file == scope { Ok(()) } else { write!(f, " (loaded by `{scope}`)") }
}
