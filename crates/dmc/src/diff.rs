//! `dmc diff OLD NEW`.

use crate::args::Args;
use crate::error::CommandError;
use crate::progress::Bars;
use crate::report::{Report, command_error};
use crate::settings;
use dmc_archive::Progress;
use dmc_build::{
    Compared, Difference, Held, NoChangelog, Pair, Reach, Settings, SourceChange, Totals, Workshop,
};
use dmc_image::layout::{ImageFile, ImageFileKind};
use dmc_types::{Arch, ImagePath, PackageName};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

/// Says what differs between two images or locks. No difference is no failure.
pub(crate) fn answer(
    args: &Args,
    settings: Settings,
    (old, new): (&str, &str),
    bars: &Bars,
) -> Result<u8, CommandError> {
    let archs = settings::archs(args)?;
    let progress: Arc<dyn Progress> = Arc::new(bars.clone());
    let workshop = Workshop::open(settings, Reach::Look, &progress);
    let compared = workshop.and_then(|workshop| workshop.diff((old, new), &archs));
    let report = Report::new(args, bars)?;
    for one in compared.map_err(|error| command_error(&error))? {
        let (text, value) = match &one {
            Compared::Both(difference) => (text(difference), value(difference)),
            Compared::OnlyOld(template, arch) => alone(template, *arch, old),
            Compared::OnlyNew(template, arch) => alone(template, *arch, new),
        };
        report.result(text.trim_end(), &value);
    }
    bars.clear();
    Ok(0)
}

fn alone(template: &str, arch: Arch, word: &str) -> (String, Value) {
    let value = json!({ "template": template, "arch": arch, "only_in": word });
    (format!("{template} {arch}: only in {word}"), value)
}

fn text(difference: &Difference) -> String {
    let Difference { template, arch, totals: [old, new], .. } = difference;
    let what = match old.manifest.zip(new.manifest) {
        Some((old, new)) if old == new => format!("the same, sha256:{old}"),
        Some((old, new)) if difference.tells_nothing() => {
            format!("the same files, run or labelled otherwise, sha256:{old} -> sha256:{new}")
        }
        Some((old, new)) => format!("sha256:{old} -> sha256:{new}"),
        None if difference.is_empty() => "the same packages".to_owned(),
        None => "other packages".to_owned(),
    };
    let mut text = format!("{template} {arch}: {what}\n");
    if difference.tells_nothing() {
        return text;
    }
    write_packages(&mut text, difference);
    write_files(&mut text, difference);
    for (what, old, new) in [
        ("layer", old.layers, new.layers),
        ("unpacked", old.layers.map(|_| old.unpacked), new.layers.map(|_| new.unpacked)),
        (".debs", old.debs, new.debs),
    ] {
        if let (Some(old), Some(new)) = (old, new) {
            let _ = writeln!(text, "  {what}: {old} -> {new} bytes ({})", more(old, new));
        }
    }
    for source in &difference.sources {
        write_source(&mut text, source);
    }
    text
}

/// How much more, with its sign.
fn more(old: u64, new: u64) -> String {
    let sign = if new < old { '-' } else { '+' };
    format!("{sign}{}", new.abs_diff(old))
}

/// How many are others, new and gone.
fn counts<'a, T: 'a>(pairs: impl Iterator<Item = &'a Pair<T>>) -> String {
    let [mut other, mut new, mut gone] = [0, 0, 0];
    for pair in pairs {
        *match pair {
            (Some(_), None) => &mut gone,
            (None, _) => &mut new,
            _ => &mut other,
        } += 1;
    }
    format!("{other} other, {new} new, {gone} gone")
}

fn write_packages(text: &mut String, difference: &Difference) {
    let packages = &difference.packages;
    let of = difference.totals[1].packages;
    let _ = writeln!(text, "  packages: {} of {of}", counts(packages.values()));
    for (name, pair) in packages {
        let _ = match pair {
            (Some(old), Some(new)) if old.version == new.version => {
                writeln!(text, "    {name} {} made anew", old.version)
            }
            (Some(old), Some(new)) => {
                writeln!(text, "    {name} {} -> {}", old.version, new.version)
            }
            (None, Some(new)) => writeln!(text, "  + {name} {}", new.version),
            (Some(old), None) => writeln!(text, "  - {name} {}", old.version),
            (None, None) => Ok(()),
        };
    }
}

fn write_files(text: &mut String, difference: &Difference) {
    let Some(files) = &difference.files else { return };
    let of = difference.totals[1].files;
    let _ = writeln!(text, "  files: {} of {of}", counts(files.values()));
    for (path, pair) in files {
        let _ = match pair {
            (Some(old), Some(new)) => writeln!(text, "    {path}: {}", changed(old, new)),
            (None, Some(new)) => writeln!(text, "  + {path}: {}", told(new)),
            (Some(old), None) => writeln!(text, "  - {path}: {}", told(old)),
            (None, None) => Ok(()),
        };
    }
}

fn told(file: &ImageFile) -> String {
    match &file.kind {
        ImageFileKind::File { size, .. } => format!("{size} bytes"),
        ImageFileKind::Directory => "folder".to_owned(),
        ImageFileKind::Symlink(target) => format!("link to {}", target.escape_ascii()),
        ImageFileKind::Hardlink(target) => format!("the same file as {}", target.escape_ascii()),
        ImageFileKind::Special => "device, pipe or socket".to_owned(),
    }
}

fn changed(old: &ImageFile, new: &ImageFile) -> String {
    let mut parts = Vec::new();
    match (&old.kind, &new.kind) {
        (one, other) if one == other => {}
        (ImageFileKind::File { size, .. }, ImageFileKind::File { size: now, .. }) => {
            let from = if size == now { "other contents, " } else { &format!("{size} -> ") };
            parts.push(format!("{from}{now} bytes"));
        }
        _ => parts.push(format!("{} -> {}", told(old), told(new))),
    }
    if old.mode != new.mode {
        parts.push(format!("mode {:04o} -> {:04o}", old.mode, new.mode));
    }
    if (old.uid, old.gid) != (new.uid, new.gid) {
        parts.push(format!("owner {}:{} -> {}:{}", old.uid, old.gid, new.uid, new.gid));
    }
    parts.join(", ")
}

fn write_source(text: &mut String, change: &SourceChange) {
    let SourceChange { source, from, to, packages, back, entries, cves, missing } = change;
    let names: Vec<&str> = packages.iter().map(PackageName::as_str).collect();
    let _ = write!(text, "  {source} {from} -> {to} ({})", names.join(", "));
    if *back {
        text.push_str(", taken back");
    }
    if !cves.is_empty() {
        let _ = write!(text, ": {}", cves.join(", "));
    }
    text.push('\n');
    for entry in entries {
        let date = entry.date.as_deref().unwrap_or("no date");
        let _ = writeln!(text, "    {} ({}), {date}", entry.version, entry.distributions);
        for line in entry.text.lines().filter(|line| !line.trim().is_empty()) {
            let _ = writeln!(text, "    {line}");
        }
    }
    if let Some(missing) = missing {
        let _ = writeln!(text, "    {}", sentence(*missing));
    }
}

fn sentence(missing: NoChangelog) -> &'static str {
    match missing {
        NoChangelog::NotStored => {
            "the newer package is not in the store: its changelog is not known"
        }
        NoChangelog::NotInPackage => "the package has no changelog",
        NoChangelog::TooShort => "the package's changelog does not go back to the older version",
        NoChangelog::SameSource => "the same source, compiled again",
    }
}

fn value(difference: &Difference) -> Value {
    let Difference { template, arch, totals: [old, new], packages, files, sources } = difference;
    json!({
        "template": template, "arch": arch, "same": difference.is_empty(),
        "old": total(old), "new": total(new),
        "packages": packages.iter().map(package).collect::<Vec<_>>(),
        "files": files.as_ref().map(|files| files.iter().map(file).collect::<Vec<_>>()),
        "sources": sources.iter().map(source).collect::<Vec<_>>(),
    })
}

fn total(totals: &Totals) -> Value {
    let files = totals.layers.map(|_| (totals.files, totals.unpacked));
    json!({
        "digest": totals.manifest.map(|digest| format!("sha256:{digest}")),
        "packages": totals.packages, "debs": totals.debs, "layers": totals.layers,
        "files": files.map(|(files, _)| files), "unpacked": files.map(|(_, bytes)| bytes),
    })
}

fn package((name, (old, new)): (&PackageName, &Pair<Held>)) -> Value {
    let version = |held: &Option<Held>| held.as_ref().map(|held| held.version.clone());
    json!({ "package": name, "from": version(old), "to": version(new) })
}

fn file((path, (old, new)): (&ImagePath, &Pair<ImageFile>)) -> Value {
    let side = |file: &ImageFile| {
        let (kind, size, digest) = match &file.kind {
            ImageFileKind::File { size, digest, .. } => {
                ("file", Some(*size), Some(digest.to_string()))
            }
            ImageFileKind::Directory => ("folder", None, None),
            ImageFileKind::Symlink(_) => ("link", None, None),
            ImageFileKind::Hardlink(_) => ("hardlink", None, None),
            ImageFileKind::Special => ("special", None, None),
        };
        let target = match &file.kind {
            ImageFileKind::Symlink(target) | ImageFileKind::Hardlink(target) => {
                Some(target.escape_ascii().to_string())
            }
            _ => None,
        };
        json!({
            "kind": kind, "mode": format!("{:04o}", file.mode), "uid": file.uid, "gid": file.gid,
            "size": size, "sha256": digest, "target": target,
        })
    };
    json!({ "path": path, "from": old.as_ref().map(side), "to": new.as_ref().map(side) })
}

fn source(change: &SourceChange) -> Value {
    let entries = change.entries.iter().map(|entry| {
        json!({
            "version": entry.version, "distributions": entry.distributions, "date": entry.date,
            "text": entry.text,
        })
    });
    json!({
        "source": change.source, "from": change.from, "to": change.to, "back": change.back,
        "packages": change.packages, "cves": change.cves, "entries": entries.collect::<Vec<_>>(),
        "missing": change.missing.map(sentence),
    })
}
