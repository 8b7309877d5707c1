//! Why an image is not built.

mod hint;

use crate::assemble::AssembleError;
use crate::audit::AuditError;
use crate::farm::FarmFailure;
use crate::lock::{Drift, LockFailure};
use crate::plan::{NoTask, Step};
use crate::promote::PromoteError;
use crate::push::PushError;
use crate::signing::SigningError;
use camino::Utf8PathBuf;
use dmc_archive::ArchiveError;
use dmc_deb::version::VersionError;
use dmc_deploy::DeployError;
use dmc_elf::WalkError;
use dmc_image::LayoutError;
use dmc_image::archive::ArchiveError as ExportError;
use dmc_image::layout::TagError;
use dmc_registry::RegistryError;
use dmc_sbom::SbomError;
use dmc_solve::Unsolvable;
use dmc_system::GrammarError;
use dmc_template::{ConfError, PackagePattern, RuleError, TemplateError, TextError};
use dmc_types::{Arch, PackageName, Sha256, TemplateName};
use dmc_verify::{Report, Severity, TableError};
use std::fmt::Write as _;
use std::io;

/// A task that failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A template that is not there or not right.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Configuration that comes to nothing.
    #[error(transparent)]
    Conf(#[from] ConfError),
    /// A rule that is not right.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The tables of verify.
    #[error(transparent)]
    Tables(#[from] TableError),
    /// The grammar of maintainer scripts.
    #[error(transparent)]
    Grammar(#[from] GrammarError),
    /// The image would not work.
    #[error("the image of template {template} for {arch} would not work:{}", listed(report))]
    Unfit {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// What is wrong with it.
        report: Box<Report>,
    },
    /// A number that no task has.
    #[error(transparent)]
    NoTask(#[from] NoTask),
    /// The archive or the store.
    #[error(transparent)]
    Archive(Box<ArchiveError>),
    /// A package that a template or rule names is not in the archive.
    #[error("there is no package {package} for {arch}{}", in_archive(archive.as_ref()))]
    UnknownPackage {
        /// The package.
        package: PackageName,
        /// The third-party archive that it was to come from.
        archive: Option<String>,
        /// The architecture.
        arch: Arch,
        /// Packages with similar names.
        near: Vec<PackageName>,
    },
    /// A template's pattern of packages that nothing matches.
    #[error(
        "`{pattern}` matches none of the packages that template {template} depends on, on {arch}"
    )]
    NoPackageLike {
        /// The pattern.
        pattern: PackagePattern,
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
    },
    /// An extension that a template lists has no package.
    #[error(
        "template {template}: there is no extension `{extension}`: no package {package} for {arch}"
    )]
    UnknownExtension {
        /// The template.
        template: TemplateName,
        /// What it lists.
        extension: String,
        /// The package that it would be in.
        package: PackageName,
        /// The architecture.
        arch: Arch,
        /// Extensions with similar names.
        near: Vec<String>,
    },
    /// The package of an extension holds none of the files that extensions are.
    #[error(
        "template {template}: `{extension}` is no extension: package {package} has no file {include}"
    )]
    NotAnExtension {
        /// The template.
        template: TemplateName,
        /// What it lists.
        extension: String,
        /// Its package.
        package: PackageName,
        /// The patterns of files.
        include: String,
    },
    /// The name of an extension, or of one of its files, makes no package or path.
    #[error("template {template}: extension `{extension}` cannot be used")]
    Extension {
        /// The template.
        template: TemplateName,
        /// What it lists.
        extension: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The closure cannot be completed.
    #[error("template {template}: {why}")]
    Walk {
        /// The template.
        template: TemplateName,
        /// What is missing or wrong.
        why: Box<WalkError>,
    },
    /// The packages of a small image cannot be together.
    #[error("template {template} on {arch}: {why}")]
    Unsolvable {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// What stands against it.
        why: Box<Unsolvable>,
    },
    /// What small images leave out cannot be read.
    #[error(transparent)]
    Small(#[from] TextError),
    /// Edges that `--strict` does not leave open.
    #[error("template {template}: {} stay open on {arch}:\n  {}", edges(open), open.join("\n  "))]
    Open {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// A sentence for each.
        open: Vec<String>,
    },
    /// The closure does not make a tree.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// A registry, or what goes there.
    #[error(transparent)]
    Push(#[from] PushError),
    /// A security tracker.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A cluster, or what goes there.
    #[error(transparent)]
    Deploy(Box<DeployError>),
    /// Machines that do not come together.
    #[error(transparent)]
    Farm(#[from] FarmFailure),
    /// A key or a signature.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The layout cannot be read or written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A version that makes no tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// A version that Debian's rules do not allow.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The architectures would get different versions.
    #[error(
        "template {template}: source version of {package} differs: {} on {}, {} on {}",
        one.1, one.0, other.1, other.0
    )]
    Skew {
        /// The template.
        template: TemplateName,
        /// The package that gives the version.
        package: PackageName,
        /// An architecture and its version.
        one: (Arch, String),
        /// Another architecture and its version.
        other: (Arch, String),
    },
    /// A forced build did not come to the image that is known.
    #[error(
        "the image of template {template} for {arch} is not the same when it is built again: \
         sha256:{before} became sha256:{now}"
    )]
    OtherDigest {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// The manifest that was there.
        before: Sha256,
        /// The manifest that came out.
        now: Sha256,
    },
    /// The lock does not hold.
    #[error("the lock `{path}` does not hold: {why}")]
    Drift {
        /// Its file.
        path: Utf8PathBuf,
        /// What does not hold.
        why: Box<Drift>,
    },
    /// The lock cannot be read, made or written.
    #[error(transparent)]
    Lock(#[from] LockFailure),
    /// A task needs what another one makes.
    #[error("{step} needs what {needed} leaves, and that is not there")]
    NotYet {
        /// The task that was to be done.
        step: Step,
        /// The task that comes first.
        needed: Step,
        /// That task's number, where it is in the plan.
        number: Option<usize>,
    },
    /// A task on which this one builds has failed in this run.
    #[error("not done, because {needed} failed")]
    Skipped {
        /// The task that failed.
        needed: Step,
    },
    /// An image cannot be described.
    #[error(transparent)]
    Sbom(#[from] SbomError),
    /// An image was never described, or not in this way.
    #[error("the image of template {template} for {arch} has no document of kind `{kind}`")]
    NoDocument {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// What was asked for.
        kind: dmc_sbom::Kind,
    },
    /// Packages are under licences that are not wanted.
    #[error("template {template}: {packages} packages are under licences that are denied")]
    Denied {
        /// The template.
        template: TemplateName,
        /// How many.
        packages: usize,
    },
    /// No engine answers.
    #[error("no container engine answers")]
    NoEngine,
    /// An engine did not take the image.
    #[error("{engine} did not load the image: {why}")]
    Engine {
        /// The program.
        engine: &'static str,
        /// What it said.
        why: String,
    },
    /// The image could not be written for an engine.
    #[error(transparent)]
    Export(ExportError),
    /// Some of a template's tests do not hold.
    #[error("template {template}: {failed} of {of} tests do not hold")]
    TestsFailed {
        /// The template.
        template: TemplateName,
        /// How many do not hold.
        failed: usize,
        /// How many there are.
        of: usize,
    },
    /// The run ended before the tests did.
    #[error("the tests were broken off")]
    TestsStopped,
    /// Everything would be removed.
    #[error("there is no image layout in `{out}` and no lock: nothing refers to anything")]
    NothingRefers {
        /// Where no layout is.
        out: Utf8PathBuf,
    },
    /// A package that an image or a lock refers to is not in the archive any more.
    #[error("the archive does not have that {package} for {arch} any more (sha256:{deb})")]
    Superseded {
        /// The package.
        package: PackageName,
        /// The architecture.
        arch: Arch,
        /// Digest of the .deb.
        deb: Sha256,
    },
    /// There is no such image in the layout.
    #[error("there is no image of template {template} for {arch} in `{out}`")]
    NoImage {
        /// The template.
        template: TemplateName,
        /// The architecture.
        arch: Arch,
        /// The layout.
        out: Utf8PathBuf,
    },
    /// A word that names no image.
    #[error("`{word}` names no image in `{out}`")]
    NoSuchImage {
        /// The word.
        word: String,
        /// The layout.
        out: Utf8PathBuf,
        /// The names that the layout has.
        has: Vec<String>,
    },
    /// An image for a machine that Debian does not know.
    #[error("the image sha256:{digest} is for `{machine}`")]
    OtherMachine {
        /// Its manifest.
        digest: Sha256,
        /// What its configuration says.
        machine: String,
    },
    /// The record of an image is missing or cannot be read.
    #[error("the record `{path}` of an image cannot be read")]
    Record {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The record of an image cannot be written.
    #[error("cannot write the record `{path}` of an image")]
    WriteRecord {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An address in the configuration is none.
    #[error("`{text}` is not the address of an archive: {why}")]
    Address {
        /// What was read.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file of the configuration cannot be read.
    #[error("cannot read the keyring `{path}`")]
    Keyring {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An image cannot be named, promoted or taken for the live one.
    #[error(transparent)]
    Promote(#[from] PromoteError),
    /// The user's configuration cannot be written.
    #[error("cannot write `{path}`")]
    WriteConf {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BuildError {
    /// Whether the command line, configuration or a template is at fault, not the run.
    /// What was skipped is as its cause, which is told beside it.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Push(error) => return error.is_usage(),
            Self::Farm(error) => return error.is_usage(),
            Self::Deploy(error) => return error.is_usage(),
            Self::Audit(error) => return error.is_usage(),
            _ => {}
        }
        matches!(
            self,
            Self::Skipped { .. }
                | Self::Template(_)
                | Self::Conf(_)
                | Self::Rule(_)
                | Self::NoTask(_)
                | Self::NothingRefers { .. }
                | Self::Address { .. }
        )
    }
}

/// Most findings or names that a message holds.
const LISTED: usize = 20;

/// The errors of a report, one a line.
fn listed(report: &Report) -> String {
    let errors = report.of(Severity::Error);
    let mut text = String::new();
    for finding in errors.take(LISTED) {
        let _ = write!(text, "\n- {}", finding.problem);
    }
    let more = report.of(Severity::Error).count().saturating_sub(LISTED);
    if more > 0 {
        let _ = write!(text, "\n- and {more} more");
    }
    text
}

fn in_archive(archive: Option<&String>) -> String {
    archive.map(|archive| format!(" in archive {archive}")).unwrap_or_default()
}

impl From<RegistryError> for BuildError {
    fn from(error: RegistryError) -> Self {
        Self::Push(error.into())
    }
}

impl From<DeployError> for BuildError {
    fn from(error: DeployError) -> Self {
        Self::Deploy(Box::new(error))
    }
}

impl From<dmc_farm::FarmError> for BuildError {
    fn from(error: dmc_farm::FarmError) -> Self {
        Self::Farm(error.into())
    }
}

impl From<ArchiveError> for BuildError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(Box::new(error))
    }
}

fn edges(open: &[String]) -> String {
    match open.len() {
        1 => "1 edge".to_owned(),
        more => format!("{more} edges"),
    }
}
