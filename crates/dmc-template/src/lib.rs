//! Template, rule and configuration text to checked values.
//!
//! Texts and bytes come from the caller; nothing here opens a file. What comes out has been
//! checked as far as text alone can tell: names are names, paths are absolute, patterns compile,
//! users that are named are defined, parents exist, and no two parts of a template contradict each
//! other. Whether a package ships a file is for later rooms to find out.
//!
//! [`Catalog`] holds all templates, the broken ones with their errors; [`Template::for_arch`]
//! gives what the build works from. [`read_rules`] and [`Conf::read`] do the same for `conf/`.
//! Errors in a text show file, line number and the line; `hint()` names the nearest known word.

mod accounts;
mod catalog;
mod conf;
mod deploy;
mod error;
mod extensions;
mod family;
mod nearest;
mod overlay;
mod rules;
mod run;
mod schema;
mod small;
mod template;
mod text;
mod words;

pub use catalog::{Catalog, TemplateFolder};
pub use conf::ClusterConf;
pub use conf::{Audit, Conf, ConfError, ConfLayer, Dist, Engine, Pocket, Promotion, Vendor};
pub use conf::{FarmConf, Licences, RegistryConf, Signing, Snapshot, ThirdParty, Uris};
pub use deploy::Deploy;
pub use error::TemplateError;
pub use extensions::{ExtensionName, ExtensionPackage, ExtensionTable, Extensions, Switch};
pub use extensions::{SwitchPath, SwitchTable};
pub use nearest::nearest;
pub use rules::{RuleError, RuleFile, read_rules};
pub use run::Run;
pub use schema::SpareLinks;
pub use schema::deploy::{Ask, Claim, DeployKind, DeployTable, Probe, ServicePort};
pub use schema::run::RunTable;
pub use schema::test::{
    Companion, ExecTest, FileTest, HttpTest, LogTest, RunTest, Scene, StartTest, StopTest,
};
pub use schema::test::{MountedFile, Test, TestStep, Texts};
pub use schema::{Concat, ConcatPart, Directory, GroupEntry, HealthCheck, Package};
pub use schema::{TemplateFile, TextFile, UserEntry, rule_schema, template_schema};
pub use small::{LeaveOut, Make, SmallConf};
pub use template::{ArchTemplate, Group, ImageSettings, Owner, Piece, Placed, Template};
pub use template::{SideFolder, TemplateTest, User};
pub use text::TextError;
pub use words::{
    ArchGlob, ArchPath, ArchText, BuildMode, EngineOption, Exec, Gecos, LoginName, LoginPath, Mode,
    MountPath, ObjectName, OwnerText, PackagePattern, Period, Port, Protocol, Publish, Quantity,
    Signal, Variable, Volume, WordError,
};
