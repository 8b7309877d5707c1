//! `template.toml` as a JSON Schema, for editors and for docs/template-keys.md.
//!
//! Most types derive theirs. Those that are read in a way of their own have it here: by the table
//! that they are read from, or by the forms that their text may take.

use super::deploy::{Probe, ProbeTable};
use super::test::{
    Companion, CompanionTable, MountedFile, StepTable, Test, TestStep, TestTable, Texts,
};
use super::{ConcatPart, Package, PackageTable, TemplateFile, TextTable};
use crate::extensions::ExtensionPackage;
use crate::rules::RuleFile;
use crate::words::{Exec, Mode, OwnerText, Period, Port};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

/// The schema of `template.toml`.
pub fn template_schema() -> Schema {
    schemars::schema_for!(TemplateFile)
}

/// The schema of the files in `conf/rules/`.
pub fn rule_schema() -> Schema {
    schemars::schema_for!(RuleFile)
}

macro_rules! schema_of {
    ($($name:ident as $form:ty),* $(,)?) => {
        $(impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$form>::json_schema(generator)
            }
        })*
    };
}

schema_of! {
    Test as TestTable,
    TestStep as StepTable,
    Companion as CompanionTable,
    Probe as ProbeTable,
    Package as PackageForm,
    ConcatPart as TextForm,
    MountedFile as TextForm,
    Texts as TextsForm,
    Exec as Vec<String>,
    Mode as String,
    OwnerText as String,
    Period as String,
    Port as PortForm,
    ExtensionPackage as String,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it stands for its schema alone")]
enum PackageForm {
    Name(String),
    Table(PackageTable),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it stands for its schema alone")]
enum TextForm {
    Path(String),
    Text(TextTable),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it stands for its schema alone")]
enum TextsForm {
    One(String),
    More(Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it stands for its schema alone")]
enum PortForm {
    Number(u16),
    Text(String),
}
