//! `template.toml`, key by key: the one place that says what a template may hold.
//!
//! Keys that are missing are empty. How a template's keys join with those of the templates that
//! it extends is said in [`crate::Template`].

use crate::extensions::{ExtensionName, ExtensionTable};
use crate::words::{
    ArchGlob, ArchPath, ArchText, BuildMode, Exec, Gecos, LoginName, LoginPath, Mode, OwnVersion,
    OwnerText, PackagePattern, Period, Port, Signal, Variable,
};
use dmc_types::{PackageName, TemplateName};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

pub(crate) mod deploy;
mod json;
pub use json::{rule_schema, template_schema};
pub(crate) mod run;
pub(crate) mod test;

use deploy::DeployTable;
use run::RunTable;
use test::Test;

/// The whole of a `template.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateFile {
    /// The group that `dmc -g` selects it by: `core`, `base`, `app` or any other word.
    pub group: String,
    /// One line for lists, without a full stop.
    pub summary: String,
    /// More than a line, for the image's `org.opencontainers.image.description`.
    pub description: Option<String>,
    /// A part for others to extend; no image is built from it.
    #[serde(default)]
    pub r#abstract: bool,
    /// Templates that this one builds on.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub extends: Vec<TemplateName>,

    /// "micro", the default: what the roots need, file by file; "small": whole packages with all
    /// that they depend on and the essential ones, so that a shell is there.
    pub mode: Option<BuildMode>,
    /// The package whose upstream version becomes the image's tag.
    #[schemars(with = "Option<String>")]
    pub version_from: Option<PackageName>,
    /// The version itself, such as "1.4.0", for programs that no package brings; it takes the place
    /// of `version_from`.
    pub version: Option<OwnVersion>,
    /// Packages whose files `roots`, `include` and `copies` may name.
    #[serde(default)]
    pub packages: Vec<Package>,
    /// Patterns of further packages, such as `libpython3.*-stdlib`: whatever the packages named
    /// above depend on, directly or not, and that matches. For names that differ by release.
    #[serde(default)]
    pub packages_like: Vec<PackagePattern>,
    /// Files to start from: programs, with everything that they need.
    #[serde(default)]
    pub roots: Vec<ArchPath>,
    /// Patterns of further files of the packages; each must match something.
    #[serde(default)]
    pub include: Vec<ArchGlob>,
    /// Patterns of files to leave out of what `include` and rules bring in.
    #[serde(default)]
    pub exclude: Vec<ArchGlob>,
    /// Programs that the template's own folder brings, built elsewhere, as `files-amd64/PATH` for
    /// each architecture. Until one is there, the template is in no list and no group.
    #[serde(default)]
    pub programs: Vec<ArchPath>,
    /// Extensions of the program, by the names that `[extension]` makes packages of.
    #[serde(default)]
    pub extensions: Vec<ExtensionName>,
    /// What the name of an extension comes to.
    pub extension: Option<ExtensionTable>,

    /// Symbolic links: path = target.
    #[serde(default)]
    pub links: BTreeMap<ArchPath, ArchText>,
    /// Symbolic links at paths where the image has nothing else.
    #[serde(default)]
    pub spare_links: Vec<SpareLinks>,
    /// Files that maintainer scripts would have copied: path = the packages' file.
    #[serde(default)]
    pub copies: BTreeMap<ArchPath, ArchPath>,
    /// Files put together from files of the packages and pieces of text, in their order.
    #[serde(default)]
    pub concat: Vec<Concat>,
    /// Small files, written here; larger ones go below `files/`.
    #[serde(default)]
    pub files: Vec<TextFile>,
    /// Folders with their owner and mode.
    #[serde(default)]
    pub directories: Vec<Directory>,
    /// Patterns of files below `files/`, `files-ARCH/` and `private.d/` that are programs (mode
    /// 0755, others 0644). Modes on disk do not count, as git and umask change them.
    #[serde(default)]
    pub executable: Vec<ArchGlob>,

    /// Users and groups to take from base-passwd's master files, by name; `"*"` takes all.
    /// A user comes with its own group. Other names are those that packages of the image define,
    /// by sysusers.d or in their maintainer scripts; `users` can fix their numbers.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Users that the template brings.
    #[serde(default)]
    pub users: Vec<UserEntry>,
    /// Groups that the template brings; a user's own group needs no entry.
    #[serde(default)]
    pub user_groups: Vec<GroupEntry>,

    /// Environment variables.
    #[serde(default)]
    pub environment: BTreeMap<Variable, String>,
    /// The program that starts, in exec form.
    pub entrypoint: Option<Exec>,
    /// Arguments that a user's own replace, in exec form.
    pub cmd: Option<Exec>,
    /// Whom it runs as: a name, or `"uid:gid"`; numeric in the image.
    pub user: Option<OwnerText>,
    /// The folder it starts in.
    pub workdir: Option<ArchPath>,
    /// Folders for data that outlives the container.
    #[serde(default)]
    pub volumes: Vec<ArchPath>,
    /// Ports that it serves: 8080 or "53/udp".
    #[serde(default)]
    pub ports: Vec<Port>,
    /// The signal that stops it.
    pub stop_signal: Option<Signal>,
    /// How an engine asks whether it is well.
    pub healthcheck: Option<HealthCheck>,
    /// Labels besides those that dmc sets.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,

    /// How it runs in a cluster; a template without it is none that runs there.
    pub deploy: Option<DeployTable>,
    /// How a container of the image runs on this machine.
    pub run: Option<RunTable>,

    /// What must hold of the running image.
    #[serde(default)]
    pub test: Vec<Test>,
}

/// A package: its name alone, or with the third-party archive that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: PackageName,
    /// The name of an `[[archive]]` in the configuration; none for the distribution's own.
    pub archive: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PackageTable {
    #[schemars(with = "String")]
    name: PackageName,
    archive: String,
}

impl<'de> Deserialize<'de> for Package {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        // Not serde's `untagged`, which forgets what was wrong.
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Package;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a package's name, or { name = \"nodejs\", archive = \"node\" }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Package, E> {
                Ok(Package { name: name.parse().map_err(E::custom)?, archive: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Package, A::Error> {
                let table = PackageTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Package { name: table.name, archive: Some(table.archive) })
            }
        }
        d.deserialize_any(NameOrTable)
    }
}

/// A file with its text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextFile {
    /// Where it goes.
    pub path: ArchPath,
    /// What it holds.
    pub text: String,
    /// Its mode; "0644" where none is given.
    pub mode: Option<Mode>,
    /// Its owner; root where none is given.
    pub owner: Option<OwnerText>,
}

/// A file put together from others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concat {
    /// Where it goes.
    pub path: ArchPath,
    /// What it is made of, in order.
    pub parts: Vec<ConcatPart>,
    /// Its mode; "0644" where none is given.
    pub mode: Option<Mode>,
    /// Its owner; root where none is given.
    pub owner: Option<OwnerText>,
}

/// A piece of a [`Concat`]: the path of a packages' file, or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConcatPart {
    /// All of a file that a package ships. It is not kept itself.
    File(ArchPath),
    /// Text as it stands.
    Text(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextTable {
    text: String,
}

impl<'de> Deserialize<'de> for ConcatPart {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct PathOrTable;
        impl<'de> Visitor<'de> for PathOrTable {
            type Value = ConcatPart;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path of a package's file, or { text = \"…\" }")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<ConcatPart, E> {
                ArchPath::try_from(path.to_owned()).map(ConcatPart::File).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConcatPart, A::Error> {
                let table = TextTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ConcatPart::Text(table.text))
            }
        }
        d.deserialize_any(PathOrTable)
    }
}

/// Links of many names to one program, each only where nothing else has that name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpareLinks {
    /// The folder that they are in.
    pub folder: ArchPath,
    /// What they lead to.
    pub target: ArchText,
    /// Their names.
    pub names: Vec<String>,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Where it is.
    pub path: ArchPath,
    /// Its owner; root where none is given.
    pub owner: Option<OwnerText>,
    /// Its mode; "0755" where none is given.
    pub mode: Option<Mode>,
}

/// A user (passwd(5)).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// Login name.
    pub name: LoginName,
    /// Its number.
    pub uid: u32,
    /// Its own group's number; its own number where none is given.
    pub gid: Option<u32>,
    /// Its full name or a comment.
    pub gecos: Option<Gecos>,
    /// Home folder; `/nonexistent` where none is given.
    pub home: Option<LoginPath>,
    /// Login shell; `/usr/sbin/nologin` where none is given.
    pub shell: Option<LoginPath>,
    /// Further groups.
    #[serde(default)]
    pub groups: Vec<LoginName>,
}

/// A group (group(5)).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupEntry {
    /// Its name.
    pub name: LoginName,
    /// Its number.
    pub gid: u32,
}

/// A health check: a program of the image that exits with 0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// The program with its arguments, in exec form.
    pub test: Exec,
    /// Time between two checks.
    pub interval: Option<Period>,
    /// Time after which a check counts as failed.
    pub timeout: Option<Period>,
    /// Failures in a row that make it unhealthy.
    pub retries: Option<u32>,
    /// Time for starting, during which failures do not count.
    pub start_period: Option<Period>,
}
