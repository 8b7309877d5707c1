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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Catalog, TemplateFolder};

    fn catalog(templates: &[(&str, &str)]) -> Catalog {
        let folder = |(name, keys): &(&str, &str)| {
            let text = format!("group = \"app\"\nsummary = \"x\"\n{keys}");
            let files = [("template.toml".to_owned(), text.into_bytes().into())].into();
            TemplateFolder { name: (*name).to_owned(), files, origin: String::new() }
        };
        Catalog::read(templates.iter().map(folder).collect())
    }

    #[test]
    fn a_child_says_how_it_runs_on_top_of_its_parents() {
        let catalog = catalog(&[
            (
                "base",
                "[run]\npublish = [\"8080:8080\"]\nenv = { A = \"1\", B = \"1\" }\nname = \"x\"",
            ),
            (
                "site",
                "extends = [\"base\"]\n[run]\nenv = { B = \"2\" }\npublish = [\"53:53/udp\"]\n\
                 volumes = { \"/data\" = \"kept\", \"/etc/x\" = \"/srv/x\" }\ntmpfs = [\"/run/x\"]\n\
                 [[test]]\nname = \"t\"\nenv = { A = \"3\" }\nvolumes = [\"/data\"]\nlog = {}",
            ),
            ("plain", ""),
        ]);
        assert_eq!(catalog.get("plain").unwrap().run(), None);
        let site = catalog.get("site").unwrap();
        let run = site.run().unwrap();
        let text = |items: &[Publish]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(text(&run.publish), ["8080:8080", "53:53/udp"]);
        assert_eq!(run.name.as_ref().unwrap().as_str(), "x");
        let env: Vec<&str> = run.env.values().map(String::as_str).collect();
        assert_eq!(env, ["1", "2"]);
        let mut scene = site.tests()[0].test.scene.clone();
        run.lay_under(&mut scene);
        let env: Vec<&str> = scene.env.values().map(String::as_str).collect();
        assert_eq!(env, ["3", "2"], "the test has the last word");
        let paths: Vec<String> = scene.volumes.iter().map(ToString::to_string).collect();
        assert_eq!((paths.join(" "), scene.tmpfs.len()), ("/data /etc/x".to_owned(), 1));
    }

    #[test]
    fn what_no_engine_takes_is_refused() {
        for keys in [
            "publish = [\"8080\"]",
            "publish = [\"0:80\"]",
            "publish = [\"x:1:1\"]",
            "publish = [\"1:1/sctp\"]",
            "publish = [\"1.2.3.4:5:1:1\"]",
            "volumes = { \"/data\" = \"a b\" }",
            "volumes = { \"/data\" = \"/\" }",
            "volumes = { \"data\" = \"x\" }",
            "options = [\"-v\"]",
            "options = [\"--\"]",
            "name = \"A\"",
            "ports = []",
        ] {
            let catalog = catalog(&[("site", &format!("[run]\n{keys}"))]);
            assert!(catalog.get("site").is_err(), "{keys}");
        }
    }
}
