//! What `dmc update` says: which releases moved, and what that means for each image.

use dmc_archive::release::News;
use dmc_build::{Change, Outdated, ReleaseLine, Standing, State, Step};
use dmc_image::oci::rfc3339;
use serde_json::{Value, json};

/// Each release that moved, from when to when; one line where none did. In JSON all of them.
pub(crate) fn releases(releases: &[ReleaseLine]) -> Vec<(String, Value)> {
    let still = releases.iter().all(|release| told(release).is_none());
    let mut lines: Vec<(String, Value)> = releases
        .iter()
        .map(|release| {
            let value = json!({
                "suite": release.suite, "url": release.url, "news": word(release.news),
                "from": release.before.map(rfc3339), "to": rfc3339(release.date),
            });
            (told(release).unwrap_or_default(), value)
        })
        .collect();
    if still {
        let each = releases.iter();
        let each = each.map(|release| format!("{} of {}", release.suite, rfc3339(release.date)));
        let asked = releases.iter().any(|release| release.news != News::Stored);
        let what = if asked { "nothing changed" } else { "as the store has it" };
        let text = format!("{what}: {}", each.collect::<Vec<_>>().join(", "));
        if let Some((first, _)) = lines.first_mut() {
            *first = text;
        }
    }
    lines
}

fn told(release: &ReleaseLine) -> Option<String> {
    let ReleaseLine { suite, url, date, before, news, .. } = release;
    let date = rfc3339(*date);
    match (news, before) {
        (News::Unchanged | News::Stored, _) => None,
        (_, Some(before)) => Some(format!("{suite} of {url}: {} -> {date}", rfc3339(*before))),
        (_, None) => Some(format!("{suite} of {url}: {date}, for the first time")),
    }
}

fn word(news: News) -> &'static str {
    match news {
        News::First => "first",
        News::Unchanged => "unchanged",
        News::Changed => "changed",
        News::Stored => "stored",
    }
}

/// How a template's images stand, a line for each architecture.
pub(crate) fn standings(step: &Step, standings: &[Standing]) -> Vec<(String, Value)> {
    let name = step.template().map(ToString::to_string).unwrap_or_default();
    let line = |Standing { arch, state }: &Standing| {
        let none = Outdated::default();
        let (built, text, outdated) = match state {
            State::NotBuilt => (false, "not built yet".to_owned(), &none),
            State::UpToDate => (true, "up to date".to_owned(), &none),
            State::Outdated(outdated) => (true, reasons(outdated), outdated),
        };
        let value = json!({
            "template": name, "arch": arch, "built": built,
            "up_to_date": matches!(state, State::UpToDate),
            "files_can_change": outdated.files_can_change(),
            "inputs": outdated.inputs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "changes": outdated.shipped.iter().map(value).collect::<Vec<_>>(),
            "searched": outdated.searched.iter().map(value).collect::<Vec<_>>(),
        });
        (format!("{name} {arch}: {text}"), value)
    };
    standings.iter().map(line).collect()
}

fn reasons(outdated: &Outdated) -> String {
    let Outdated { inputs, shipped, searched } = outdated;
    let mut parts = Vec::new();
    if !inputs.is_empty() {
        let inputs: Vec<String> = inputs.iter().map(ToString::to_string).collect();
        parts.push(format!("built from others: {}", inputs.join(", ")));
    }
    if !shipped.is_empty() {
        parts.push(format!("its files can change: {}", list(shipped)));
    }
    if !searched.is_empty() {
        let only = if parts.is_empty() { "only the search is touched" } else { "searched" };
        parts.push(format!("{only}: {}", list(searched)));
    }
    parts.join("; ")
}

fn list(changes: &[Change]) -> String {
    let each = changes.iter().map(|change| {
        let [from, to] = [&change.from, &change.to].map(|version| version.as_deref());
        match (from, to) {
            (Some(from), Some(to)) if from == to => format!("{} {from} made anew", change.what),
            _ => format!("{} {} -> {}", change.what, from.unwrap_or("none"), to.unwrap_or("gone")),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

fn value(change: &Change) -> Value {
    json!({ "package": change.what, "from": change.from, "to": change.to })
}
