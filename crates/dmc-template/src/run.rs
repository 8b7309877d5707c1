//! `[run]` of a template joined with those of the templates that it extends.

use crate::TemplateError;
use crate::family::Family;
use crate::schema::run::RunTable;
use crate::schema::test::Scene;
use crate::words::{
    ArchPath, EngineOption, Exec, MountPath, ObjectName, Publish, Variable, Volume,
};
use std::collections::BTreeMap;

/// How a container of an image runs on this machine, besides what its own configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// What the container is called, where the template says it.
    pub name: Option<ObjectName>,
    /// Arguments in place of `cmd`.
    pub args: Option<Exec>,
    /// Environment variables besides the image's.
    pub env: BTreeMap<Variable, String>,
    /// Ports of the machine that lead to the container's.
    pub publish: Vec<Publish>,
    /// Where data is kept, by path in the container.
    pub volumes: BTreeMap<MountPath, Volume>,
    /// Folders in memory besides /tmp.
    pub tmpfs: Vec<MountPath>,
    /// Further options of the engine.
    pub options: Vec<EngineOption>,
}

impl Run {
    /// None where no part of the family has a `[run]`.
    pub(crate) fn join(family: &Family<'_>) -> Result<Option<Self>, TemplateError> {
        let table = |part: &crate::family::Part| part.file.run.clone();
        if family.parts.iter().all(|part| part.file.run.is_none()) {
            return Ok(None);
        }
        let tables: Vec<RunTable> = family.parts.iter().filter_map(|part| table(part)).collect();
        let lists = |list: fn(&RunTable) -> &Vec<MountPath>| each(&tables, list);
        Ok(Some(Self {
            name: family.settle("`run.name`", |part| table(part)?.name)?,
            args: family.settle("`run.args`", |part| table(part)?.args)?,
            env: family.settle_map(
                |name| format!("variable `{name}` of [run]"),
                family.parts.iter().flat_map(|part| {
                    let env = table(part).unwrap_or_default().env;
                    env.into_iter().map(|(name, value)| (*part, name, value))
                }),
            )?,
            publish: each(&tables, |table| &table.publish),
            volumes: family.settle_map(
                |path| format!("volume `{path}` of [run]"),
                family.parts.iter().flat_map(|part| {
                    let volumes = table(part).unwrap_or_default().volumes;
                    volumes.into_iter().map(|(path, volume)| (*part, path, volume))
                }),
            )?,
            tmpfs: lists(|table| &table.tmpfs),
            options: each(&tables, |table| &table.options),
        }))
    }

    /// Lets the container of a test run as this says, where the test says nothing else. Its
    /// volumes are the test's own.
    pub fn lay_under(&self, scene: &mut Scene) {
        for (name, value) in &self.env {
            scene.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if scene.args.is_none() {
            scene.args = self.args.as_ref().map(|args| args.0.clone());
        }
        let paths = |paths: Vec<&MountPath>| -> Vec<ArchPath> {
            let paths = paths.into_iter().map(|path| ArchPath::try_from(path.as_str().to_owned()));
            paths.filter_map(Result::ok).collect()
        };
        for path in paths(self.volumes.keys().collect()) {
            if !is_mounted(scene, &path) {
                scene.volumes.push(path);
            }
        }
        for path in paths(self.tmpfs.iter().collect()) {
            if !is_mounted(scene, &path) {
                scene.tmpfs.push(path);
            }
        }
    }
}

fn is_mounted(scene: &Scene, path: &ArchPath) -> bool {
    scene.files.contains_key(path) || scene.volumes.contains(path) || scene.tmpfs.contains(path)
}

/// All parts' items, in order, each once.
fn each<T: Clone + PartialEq>(tables: &[RunTable], list: fn(&RunTable) -> &Vec<T>) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for item in tables.iter().flat_map(list) {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
    all
}
