//! A closure and its tree, as the room of findings wants to see them.
//!
//! What each file is, is known of files from packages and read anew of those that the template
//! places; texts come from the store. Besides what the tree shows, the report holds what the walk
//! left open.

use crate::assemble::{AssembleError, Assembled};
use crate::config::{NONROOT, PATH};
use dmc_elf::{Closure, Kept, Note};
use dmc_image::{Content, ContentSource, NodeKind, SealedTree};
use dmc_system::{Covered, Grammar, Statement};
use dmc_template::{ArchTemplate, Owner};
use dmc_types::{ImagePath, Nature, Sha256};
use dmc_verify::{Item, ItemKind, Problem, Report, Severity, Start, Subject, Tables};
use std::collections::BTreeMap;

/// Configuration files are read as far as this.
const LONGEST_TEXT: u64 = 1024 * 1024;

/// What an image is made of, for a look at it.
#[derive(Clone, Copy)]
pub(crate) struct Finished<'a> {
    pub(crate) closure: &'a Closure,
    pub(crate) template: &'a ArchTemplate,
    pub(crate) assembled: &'a Assembled,
    pub(crate) contents: &'a dyn ContentSource,
}

/// Looks for everything that is wrong with an image. What the closure left open is an error where
/// the run is `strict`.
pub(crate) fn verify(
    finished: Finished,
    tables: &Tables,
    strict: bool,
) -> Result<Report, AssembleError> {
    let tree = &finished.assembled.tree;
    let placed = natures_of_placed(tree);
    let subject = Subject {
        arch: finished.template.arch,
        items: items(finished, &placed),
        start: start(finished.template),
        texts: texts(finished, tables)?,
    };
    let mut report = dmc_verify::verify(&subject, tables);
    report.counts.packages = finished.closure.shipped().len();
    for note in &finished.closure.notes {
        let severity = match note {
            Note::Open { .. } if strict => Severity::Error,
            Note::Open { .. } => Severity::Warning,
            Note::Optional { .. } => Severity::Note,
            // Told by the rules themselves, or found in the tree.
            Note::Rule { .. }
            | Note::NoLicence(_)
            | Note::NoInterpreter { .. }
            | Note::Dangling { .. } => continue,
        };
        report.add(severity, Problem::Open { what: note.to_string() });
    }
    if !strict {
        soften(&mut report, finished.closure);
    }
    report.sort();
    Ok(report)
}

/// Adds the statements of maintainer scripts that nothing in the image stands for.
pub(crate) fn uncovered(closure: &Closure, grammar: &Grammar, report: &mut Report) {
    for (package, facts) in closure.shipped() {
        let statements = dmc_system::script_report(facts, grammar).into_iter();
        for statement in statements.filter(|one| one.covered == Covered::NotCovered) {
            let Statement { script, line, text: statement, .. } = statement;
            let package = package.clone();
            report.add(Severity::Note, Problem::Script { package, script, line, statement });
        }
    }
    report.sort();
}

/// What the files are that no package ships.
fn natures_of_placed(tree: &SealedTree) -> BTreeMap<&ImagePath, Nature> {
    let inline = tree.iter().filter_map(|(path, node)| match &node.kind {
        NodeKind::File(Content::Inline(bytes)) => Some((path, dmc_elf::nature(bytes))),
        _ => None,
    });
    inline.collect()
}

fn items<'a>(
    finished: Finished<'a>,
    placed: &'a BTreeMap<&ImagePath, Nature>,
) -> BTreeMap<&'a ImagePath, Item<'a>> {
    let Finished { closure, assembled: Assembled { tree, .. }, .. } = finished;
    let kept = closure.files.values().chain(closure.copied.values());
    let files = kept.filter_map(|kept| kept.file());
    let shipped: BTreeMap<Sha256, &Nature> =
        files.map(|file| (file.digest, &file.nature)).collect();
    let kind = |path: &ImagePath, kind: &'a NodeKind| match kind {
        NodeKind::Directory => ItemKind::Directory,
        NodeKind::Symlink(target) => ItemKind::Symlink(target),
        NodeKind::File(content) => {
            let shipped = || match content {
                Content::Stored(content) => shipped.get(&content.digest).copied(),
                Content::Inline(_) => None,
            };
            let nature = placed.get(path).or_else(shipped).unwrap_or(&Nature::Data);
            ItemKind::File { size: content.size(), nature }
        }
        NodeKind::Hardlink(_) => ItemKind::File { size: 0, nature: &Nature::Data },
    };
    let item = |(path, node): (&'a ImagePath, &'a dmc_image::Node)| {
        let kind = match &node.kind {
            // Settled when the tree was sealed: it is another name of a file.
            NodeKind::Hardlink(first) => {
                match tree.get(first).map(|node| kind(first, &node.kind)) {
                    Some(ItemKind::File { nature, .. }) => ItemKind::File { size: 0, nature },
                    _ => kind(path, &node.kind),
                }
            }
            other => kind(path, other),
        };
        let reasons = closure.files.get(path).map(|kept| kept.reasons.as_slice());
        let item = Item {
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            kind,
            wanted_by: reasons
                .unwrap_or_default()
                .iter()
                .filter_map(|edge| edge.from.as_ref())
                .collect(),
        };
        (path, item)
    };
    tree.iter().map(item).collect()
}

/// A script that only a program's text names may lack what runs it: that is worth a warning.
fn soften(report: &mut Report, closure: &Closure) {
    for finding in &mut report.findings {
        if let Problem::Interpreter { file, .. } = &finding.problem
            && closure.files.get(file).is_some_and(Kept::is_merely_named)
        {
            finding.severity = finding.severity.max(Severity::Warning);
        }
    }
}

fn start(template: &ArchTemplate) -> Start<'_> {
    let image = &template.image;
    let Owner { uid, gid } = image.user.unwrap_or(NONROOT);
    let set = image.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Start {
        entrypoint: image.entrypoint.as_deref().unwrap_or_default(),
        cmd: image.cmd.as_deref().unwrap_or_default(),
        healthcheck: image.healthcheck.as_ref().map_or(&[], |check| check.test.0.as_slice()),
        user: (uid, gid),
        workdir: image.workdir.as_ref(),
        volumes: &image.volumes,
        environment: [("PATH", PATH)].into_iter().chain(set).collect(),
    }
}

fn texts<'a>(
    finished: Finished<'a>,
    tables: &Tables,
) -> Result<BTreeMap<&'a ImagePath, String>, AssembleError> {
    let mut texts = BTreeMap::new();
    for (path, node) in finished.assembled.tree.iter().filter(|(path, _)| tables.reads(path)) {
        let NodeKind::File(content) = &node.kind else { continue };
        if content.size() > LONGEST_TEXT {
            continue;
        }
        let text = match content {
            Content::Inline(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Content::Stored(content) => {
                let mut bytes = Vec::new();
                let object = content.object;
                finished.contents.append(content, &mut bytes).map_err(|source| {
                    AssembleError::Contents { path: path.clone(), object, source }
                })?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        texts.insert(path, text);
    }
    Ok(texts)
}
