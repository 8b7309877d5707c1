//! From a template to what its walk starts from.
//!
//! Besides what the template names, these are the files that it places copies of, the masters of
//! user databases where it asks for accounts, and the scripts among its own files, whose
//! interpreters the image needs.

use crate::assemble;
use dmc_elf::Start;
use dmc_template::{ArchTemplate, Placed};
use dmc_types::{ImagePath, Nature, Shebang};

/// What a walk starts from.
pub(crate) fn start(template: &ArchTemplate, rules: Vec<dmc_types::Rule>) -> Start {
    let mut copied: Vec<ImagePath> =
        template.placed.values().flat_map(Placed::sources).cloned().collect();
    if !template.accounts.is_empty() {
        copied.extend(assemble::MASTERS.iter().filter_map(|path| ImagePath::parse(path).ok()));
    }
    Start {
        arch: template.arch,
        packages: template.packages.iter().map(|package| package.name.clone()).collect(),
        roots: template.roots.clone(),
        include: template.include.clone(),
        exclude: template.exclude.clone(),
        extensions: Vec::new(),
        copied,
        rules,
        scripts: scripts(template),
        placed: template.placed.keys().cloned().collect(),
    }
}

/// The scripts among the template's own files.
fn scripts(template: &ArchTemplate) -> Vec<(ImagePath, Shebang)> {
    let script = |(path, placed): (&ImagePath, &Placed)| {
        let Placed::File { bytes, .. } = placed else { return None };
        match dmc_elf::nature(bytes) {
            Nature::Script(shebang) => Some((path.clone(), shebang)),
            _ => None,
        }
    };
    template.placed.iter().filter_map(script).collect()
}
