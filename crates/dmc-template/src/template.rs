//! A template with everything that it extends, and what it comes to on one architecture.

use crate::deploy::Deploy;
use crate::extensions::{Extensions, RawExtensions};
use crate::overlay::ArchBytes;
use crate::run::Run;
use crate::schema::{ConcatPart, SpareLinks};
use crate::words::{ArchGlob, ArchPath, ArchText, BuildMode, OwnVersion, PackagePattern, Variable};
use crate::{Exec, HealthCheck, MountedFile, Package, Port, Signal, TemplateError, Test};
use dmc_types::{Arch, GlobError, ImagePath, PackageName, PathError, PathGlob, TemplateName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A checked template, joined with all that it extends.
///
/// Parents come first, depth first, each once. Lists are appended, parents' items first, without
/// doubles. Of single values and of entries with a key (paths, names), the child's wins; two
/// parents of which neither extends the other must agree, unless the child says which it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(crate) name: TemplateName,
    pub(crate) group: String,
    pub(crate) summary: String,
    pub(crate) description: Option<String>,
    pub(crate) is_abstract: bool,
    pub(crate) parts: Vec<TemplateName>,
    pub(crate) origins: BTreeSet<String>,
    pub(crate) mode: BuildMode,
    pub(crate) version_from: Option<PackageName>,
    pub(crate) version: Option<OwnVersion>,
    pub(crate) packages: Vec<Package>,
    pub(crate) packages_like: Vec<PackagePattern>,
    pub(crate) roots: Vec<ArchPath>,
    pub(crate) include: Vec<ArchGlob>,
    pub(crate) exclude: Vec<ArchGlob>,
    pub(crate) programs: Vec<ArchPath>,
    pub(crate) extensions: Option<RawExtensions>,
    pub(crate) placed: BTreeMap<ArchPath, RawPlaced>,
    pub(crate) spare_links: Vec<SpareLinks>,
    pub(crate) accounts: Vec<String>,
    pub(crate) packaged_accounts: BTreeMap<String, u32>,
    pub(crate) users: Vec<User>,
    pub(crate) groups: Vec<Group>,
    pub(crate) image: RawImage,
    pub(crate) deploy: Option<Deploy>,
    pub(crate) run: Option<Run>,
    pub(crate) tests: Vec<TemplateTest>,
    pub(crate) with_tools: bool,
    pub(crate) digest_input: Vec<u8>,
}

/// A test, with the files that it may name.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateTest {
    /// The test.
    pub test: Test,
    /// The files.
    pub folder: Arc<SideFolder>,
}

/// What lies in a folder beside those of the image: `tests/` or `deploy/`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SideFolder(pub(crate) BTreeMap<String, Arc<[u8]>>);

impl SideFolder {
    /// What is mounted: the contents by their path below it, which is empty for a single file.
    /// Nothing where the folder has no such file.
    pub fn find<'a>(&'a self, file: &'a MountedFile) -> Vec<(&'a str, &'a [u8])> {
        match file {
            MountedFile::Text(text) => vec![("", text.as_bytes())],
            MountedFile::Named(name) => {
                let below = |(path, bytes): (&'a String, &'a Arc<[u8]>)| {
                    let rest = path.strip_prefix(name.as_str())?;
                    let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
                    Some((rest, bytes.as_ref()))
                };
                self.0.iter().filter_map(below).collect()
            }
        }
    }
}

/// [`Placed`] with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RawPlaced {
    File { bytes: ArchBytes, mode: u32, owner: Owner, private: bool },
    Copy(ArchPath),
    Concat { parts: Vec<ConcatPart>, mode: u32, owner: Owner },
    Link(ArchText),
    Directory { mode: u32, owner: Owner },
}

/// [`ImageSettings`] with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawImage {
    pub(crate) environment: BTreeMap<Variable, String>,
    pub(crate) entrypoint: Option<Exec>,
    pub(crate) cmd: Option<Exec>,
    pub(crate) user: Option<Owner>,
    pub(crate) workdir: Option<ArchPath>,
    pub(crate) volumes: Vec<ArchPath>,
    pub(crate) ports: Vec<Port>,
    pub(crate) stop_signal: Option<Signal>,
    pub(crate) healthcheck: Option<HealthCheck>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// What a template comes to on one architecture: what the walk and the build work from.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchTemplate {
    /// The template, and the image's name.
    pub name: TemplateName,
    /// The architecture.
    pub arch: Arch,
    /// Which files of the packages the image holds.
    pub mode: BuildMode,
    /// The package whose upstream version becomes the image's tag.
    pub version_from: Option<PackageName>,
    /// The version, where no package gives it.
    pub version: Option<String>,
    /// Packages whose files `roots`, `include` and [`Placed::Copy`] may name.
    pub packages: Vec<Package>,
    /// Patterns of further packages among those that these depend on.
    pub packages_like: Vec<PackagePattern>,
    /// Files to start from.
    pub roots: Vec<ImagePath>,
    /// Patterns of further files of the packages.
    pub include: Vec<PathGlob>,
    /// Patterns of files to leave out of what `include` and rules bring in.
    pub exclude: Vec<PathGlob>,
    /// Extensions of the program, if it names any.
    pub extensions: Option<Extensions>,
    /// What the template itself puts into the image, by merged-/usr path.
    pub placed: BTreeMap<ImagePath, Placed>,
    /// Symbolic links at paths where there is nothing else, with their targets.
    pub spare_links: BTreeMap<ImagePath, String>,
    /// Users and groups to take from base-passwd's master files, by name; `*` means all of them.
    /// None: the image's passwd and group hold the template's own alone.
    pub accounts: Vec<String>,
    /// Those of [`Self::accounts`] that packages define, with the number that user and group of
    /// that name have.
    pub packaged_accounts: BTreeMap<String, u32>,
    /// The template's own users.
    pub users: Vec<User>,
    /// The template's own groups, the users' own among them.
    pub groups: Vec<Group>,
    /// The image's configuration.
    pub image: ImageSettings,
}

/// Something at a path that comes from the template and not from a package's entry there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// A file of the template.
    File {
        /// Its contents.
        bytes: Arc<[u8]>,
        /// Permission bits.
        mode: u32,
        /// Its owner.
        owner: Owner,
        /// Whether it is from `private.d/`.
        private: bool,
    },
    /// A copy of the packages' file at this path, with that file's mode and owner.
    Copy(ImagePath),
    /// Files of the packages and texts, one after the other.
    Concat {
        /// What it is made of.
        parts: Vec<Piece>,
        /// Permission bits.
        mode: u32,
        /// Its owner.
        owner: Owner,
    },
    /// A symbolic link to this target.
    Link(String),
    /// A folder.
    Directory {
        /// Permission bits, with the sticky bit at most.
        mode: u32,
        /// Its owner.
        owner: Owner,
    },
}

impl Placed {
    /// The packages' files that it takes its contents from.
    pub fn sources(&self) -> Vec<&ImagePath> {
        match self {
            Self::Copy(from) => vec![from],
            Self::Concat { parts, .. } => {
                let files = parts.iter().filter_map(|part| match part {
                    Piece::File(path) => Some(path),
                    Piece::Text(_) => None,
                });
                files.collect()
            }
            Self::File { .. } | Self::Link(_) | Self::Directory { .. } => Vec::new(),
        }
    }
}

/// A piece of a [`Placed::Concat`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// All of the packages' file at this path.
    File(ImagePath),
    /// Text.
    Text(Arc<str>),
}

/// A user and a group, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// A user of the template's own: a line of passwd(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User and own group.
    pub owner: Owner,
    /// Full name or comment.
    pub gecos: String,
    /// Home folder.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// A group: a line of group(5). Where base-passwd has a group of this name, its members join it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its number.
    pub gid: u32,
    /// Names of the users that are in it besides those whose own it is, sorted.
    pub members: Vec<String>,
}

/// What goes into the image's configuration (OCI image specification, "Image Configuration").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSettings {
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// `Entrypoint`.
    pub entrypoint: Option<Vec<String>>,
    /// `Cmd`.
    pub cmd: Option<Vec<String>>,
    /// `User`; none where the template leaves it to the build's default.
    pub user: Option<Owner>,
    /// `WorkingDir`.
    pub workdir: Option<ImagePath>,
    /// `Volumes`.
    pub volumes: Vec<ImagePath>,
    /// `ExposedPorts`.
    pub ports: Vec<Port>,
    /// `StopSignal`.
    pub stop_signal: Option<String>,
    /// `Healthcheck`, which docker and podman read.
    pub healthcheck: Option<HealthCheck>,
    /// `Labels`.
    pub labels: BTreeMap<String, String>,
}

impl Template {
    /// Its name.
    pub fn name(&self) -> &TemplateName {
        &self.name
    }

    /// Its group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// One line on what it is.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// More than a line, if it says more.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Everything that it is made of, parents first, itself last.
    pub fn parts(&self) -> &[TemplateName] {
        &self.parts
    }

    /// Where its parts were read: the folders, as their reader called them.
    pub fn origins(&self) -> &BTreeSet<String> {
        &self.origins
    }

    /// What must hold of the running image; parents' tests first. A test takes the place of a
    /// parent's with the same name.
    pub fn tests(&self) -> &[TemplateTest] {
        &self.tests
    }

    /// How it runs in a cluster; none where it is not made for one.
    pub fn deploy(&self) -> Option<&Deploy> {
        self.deploy.as_ref()
    }

    /// How a container of it runs on this machine, where it says that.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// What stands in front of `cmd` in a variant with tools: the entrypoint of other images.
    pub fn folded_entrypoint(&self) -> &[String] {
        let entrypoint = self.image.entrypoint.as_ref().filter(|_| self.with_tools);
        entrypoint.map_or(&[], |program| &program.0)
    }

    /// Whether any file of `private.d/` goes into the image.
    pub fn is_private(&self) -> bool {
        self.placed.values().any(|placed| matches!(placed, RawPlaced::File { private: true, .. }))
    }

    /// Bytes that change whenever anything changes that the image could depend on: the texts and
    /// overlay files of all parts as they stand, without `tests/` and `deploy/`. Same files, same bytes.
    pub fn digest_input(&self) -> &[u8] {
        &self.digest_input
    }

    /// What it comes to on `arch`.
    pub fn for_arch(&self, arch: Arch) -> Result<ArchTemplate, TemplateError> {
        let path = |path: &ArchPath| path.for_arch(arch).map_err(|source| self.bad_path(source));
        let glob = |glob: &ArchGlob| glob.for_arch(arch).map_err(|source| self.bad_glob(source));
        let extensions = self.extensions.as_ref().map(|extensions| extensions.for_arch(arch));
        let mut image = self.image.for_arch(arch).map_err(|source| self.bad_path(source))?;
        if self.with_tools {
            let words = image.entrypoint.take().into_iter().chain(image.cmd.take()).flatten();
            image.cmd = Some(words.collect());
        }
        Ok(ArchTemplate {
            name: self.name.clone(),
            arch,
            mode: self.mode,
            version_from: self.version_from.clone(),
            version: self.version.as_ref().map(|version| version.as_str().to_owned()),
            packages: self.packages.clone(),
            packages_like: self.packages_like.clone(),
            roots: self.roots.iter().map(path).collect::<Result<_, _>>()?,
            include: self.include.iter().map(glob).collect::<Result<_, _>>()?,
            exclude: self.exclude.iter().map(glob).collect::<Result<_, _>>()?,
            extensions: extensions.transpose().map_err(|source| self.bad_glob(source))?,
            placed: self.placed_on(arch)?,
            spare_links: self.spare_on(arch).map_err(|source| self.bad_path(source))?,
            accounts: self.accounts.clone(),
            packaged_accounts: self.packaged_accounts.clone(),
            users: self.users.clone(),
            groups: self.groups.clone(),
            image,
        })
    }

    /// The first program that the template's folder is to bring and does not, on any architecture.
    pub(crate) fn lacks(&self) -> Option<&ArchPath> {
        self.programs.iter().find(|path| !self.placed.contains_key(path))
    }

    /// The template has all programs that its folder is to bring.
    fn check_programs(
        &self,
        arch: Arch,
        placed: &BTreeMap<ImagePath, Placed>,
    ) -> Result<(), TemplateError> {
        for path in &self.programs {
            let path = path.for_arch(arch).map_err(|source| self.bad_path(source))?;
            if !placed.contains_key(&path) {
                return Err(TemplateError::NoProgram {
                    template: self.name.clone(),
                    path: path.to_string(),
                    arch: Some(arch),
                });
            }
        }
        Ok(())
    }

    fn placed_on(&self, arch: Arch) -> Result<BTreeMap<ImagePath, Placed>, TemplateError> {
        let mut placed = BTreeMap::new();
        for (path, what) in &self.placed {
            let path = path.for_arch(arch).map_err(|source| self.bad_path(source))?;
            let what = what.for_arch(arch).map_err(|source| self.bad_path(source))?;
            let Some(what) = what else { continue };
            // `/x/{triplet}` and the triplet written out are one path on one architecture.
            if placed.insert(path.clone(), what).is_some() {
                let template = self.name.clone();
                return Err(TemplateError::Twice { template, what: path.to_string() });
            }
        }
        self.check_programs(arch, &placed)?;
        Ok(placed)
    }

    fn bad_glob(&self, source: GlobError) -> TemplateError {
        TemplateError::ArchGlob { template: self.name.clone(), source }
    }

    fn spare_on(&self, arch: Arch) -> Result<BTreeMap<ImagePath, String>, PathError> {
        let mut spare = BTreeMap::new();
        for links in &self.spare_links {
            let folder = links.folder.for_arch(arch)?;
            for name in &links.names {
                let path = ImagePath::parse(format!("{folder}/{name}"))?.merged_usr();
                spare.entry(path).or_insert_with(|| links.target.for_arch(arch));
            }
        }
        Ok(spare)
    }

    fn bad_path(&self, source: PathError) -> TemplateError {
        TemplateError::ArchPath { template: self.name.clone(), source }
    }
}

impl RawPlaced {
    /// None for a file that other architectures have.
    fn for_arch(&self, arch: Arch) -> Result<Option<Placed>, PathError> {
        Ok(Some(match self {
            Self::File { bytes, mode, owner, private } => {
                let Some(bytes) = bytes.on(arch).cloned() else { return Ok(None) };
                Placed::File { bytes, mode: *mode, owner: *owner, private: *private }
            }
            Self::Copy(from) => Placed::Copy(from.for_arch(arch)?),
            Self::Concat { parts, mode, owner } => {
                let piece = |part: &ConcatPart| match part {
                    ConcatPart::File(path) => path.for_arch(arch).map(Piece::File),
                    ConcatPart::Text(text) => Ok(Piece::Text(text.as_str().into())),
                };
                let parts = parts.iter().map(piece).collect::<Result<_, _>>()?;
                Placed::Concat { parts, mode: *mode, owner: *owner }
            }
            Self::Link(target) => Placed::Link(target.for_arch(arch)),
            Self::Directory { mode, owner } => Placed::Directory { mode: *mode, owner: *owner },
        }))
    }
}

impl RawImage {
    fn for_arch(&self, arch: Arch) -> Result<ImageSettings, PathError> {
        let words = |exec: &Exec| exec.0.clone();
        let text = |(name, value): (&Variable, &String)| (name.to_string(), value.clone());
        Ok(ImageSettings {
            environment: self.environment.iter().map(text).collect(),
            entrypoint: self.entrypoint.as_ref().map(words),
            cmd: self.cmd.as_ref().map(words),
            user: self.user,
            workdir: self.workdir.as_ref().map(|path| path.for_arch(arch)).transpose()?,
            volumes: self
                .volumes
                .iter()
                .map(|path| path.for_arch(arch))
                .collect::<Result<_, _>>()?,
            ports: self.ports.clone(),
            stop_signal: self.stop_signal.as_ref().map(|signal| signal.as_str().to_owned()),
            healthcheck: self.healthcheck.clone(),
            labels: self.labels.clone(),
        })
    }
}
