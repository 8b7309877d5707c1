//! `conf/` and `templates/` as they were when the program was built, so that it works in an empty
//! folder.

use dmc_template::TemplateFolder;
use include_dir::{Dir, include_dir};
use std::borrow::Cow;
use std::collections::BTreeMap;

static CONF: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../conf");
static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../templates");

/// The shipped configuration.
pub(crate) fn conf() -> &'static [u8] {
    CONF.get_file("dmc.conf").map(include_dir::File::contents).unwrap_or_default()
}

/// What verify knows of Debian's software.
pub(crate) fn verify() -> &'static str {
    text("verify.toml")
}

/// What is known of statements of maintainer scripts.
pub(crate) fn scripts() -> &'static str {
    text("scripts.toml")
}

/// What Debian's licences are called elsewhere.
pub(crate) fn licences() -> &'static str {
    text("licences.toml")
}

fn text(name: &str) -> &'static str {
    CONF.get_file(name).and_then(include_dir::File::contents_utf8).unwrap_or_default()
}

/// The shipped configuration with every setting commented out, for the user to begin with.
pub(crate) fn conf_as_comment() -> String {
    let text = String::from_utf8_lossy(conf());
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line if line.starts_with('#') => format!("{line}\n"),
        line => format!("# {line}\n"),
    };
    text.lines().map(line).collect()
}

/// The shipped keyrings by file name.
pub(crate) fn keyrings() -> BTreeMap<String, Cow<'static, [u8]>> {
    let files = CONF.get_dir("keyrings").into_iter().flat_map(Dir::files);
    files
        .filter_map(|file| {
            let name = file.path().file_name()?.to_str()?.to_owned();
            Some((name, Cow::Borrowed(file.contents())))
        })
        .collect()
}

/// The shipped rules: name and text of each file.
pub(crate) fn rules() -> Vec<(String, &'static [u8])> {
    let files = CONF.get_dir("rules").into_iter().flat_map(Dir::files);
    let mut rules: Vec<_> = files
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "toml"))
        .map(|file| (file.path().display().to_string(), file.contents()))
        .collect();
    rules.sort();
    rules
}

/// What ships of where the code of vulnerabilities lies: name and text of each file.
pub(crate) fn vex() -> Vec<(String, Vec<u8>)> {
    let files = CONF.get_dir("vex").into_iter().flat_map(Dir::files);
    let text = |file: &include_dir::File| {
        (format!("built-in conf/{}", file.path().display()), file.contents().to_vec())
    };
    let mut texts: Vec<_> = files.map(text).collect();
    texts.sort();
    texts
}

/// The shipped templates. A `private.d/` that lay beside them when the program was built is not
/// part of it.
pub(crate) fn templates() -> Vec<TemplateFolder> {
    let folder = |dir: &Dir<'static>| {
        let name = dir.path().display().to_string();
        let mut files = BTreeMap::new();
        collect(dir, &format!("{name}/"), &mut files);
        files.retain(|path, _| !path.starts_with("private.d/"));
        TemplateFolder { origin: format!("built-in template {name}"), name, files }
    };
    TEMPLATES.dirs().map(folder).collect()
}

fn collect(dir: &Dir<'static>, prefix: &str, files: &mut BTreeMap<String, Cow<'static, [u8]>>) {
    for file in dir.files() {
        let path = file.path().display().to_string();
        if let Some(below) = path.strip_prefix(prefix) {
            files.insert(below.to_owned(), Cow::Borrowed(file.contents()));
        }
    }
    for inner in dir.dirs() {
        collect(inner, prefix, files);
    }
}
