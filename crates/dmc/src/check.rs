//! `dmc check`: store and layout are read again and repaired.

use crate::args::Args;
use crate::error::{CommandError, FAILED};
use crate::progress::Bars;
use crate::report::{Report, command_error, megabytes};
use dmc_archive::Progress;
use dmc_build::{Checkup, Cure, Finding, Reach, Settings, Workshop};
use serde_json::json;
use std::sync::Arc;

/// Checks and repairs, or by `-l` only checks; exit code 1 where something stays damaged.
pub(crate) fn answer(args: &Args, settings: Settings, bars: &Bars) -> Result<u8, CommandError> {
    let lock = crate::settings::lock_if_there(args, &settings)?;
    let progress: Arc<dyn Progress> = Arc::new(bars.clone());
    let reach = match (args.list, args.offline) {
        (true, _) => Reach::Look,
        (false, true) => Reach::Offline,
        (false, false) => Reach::Everything,
    };
    let workshop =
        Workshop::open(settings, reach, &progress).map_err(|error| command_error(&error))?;
    let workshop = Arc::new(workshop);
    let checkup = crate::runtime()?
        .block_on(workshop.check(lock.as_ref(), !args.list))
        .map_err(|error| command_error(&error))?;
    bars.clear();
    tell(&Report::new(args, bars)?, &checkup);
    Ok(if checkup.is_bad() { FAILED } else { 0 })
}

fn tell(report: &Report, checkup: &Checkup) {
    let (mut files, mut bytes) = (0, 0);
    for (what, amount) in &checkup.read {
        files += amount.files;
        bytes += amount.bytes;
        let text = format!("{what}: {} files, {:.2} MB", amount.files, megabytes(amount.bytes));
        let value = json!({ "of": what, "files": amount.files, "bytes": amount.bytes });
        report.result(&text, &value);
    }
    for finding in &checkup.findings {
        let (text, value) = told(finding);
        report.result(&text, &value);
        if let Cure::Lost { hint: Some(hint), .. } = &finding.cure {
            tracing::error!("{}\nhint: {hint}", finding.path);
        }
    }
    let count = |word: &str| checkup.findings.iter().filter(|one| name(&one.cure) == word).count();
    let damaged = checkup.findings.len();
    let (restored, removed, lost) = (count("restored"), count("removed"), count("lost"));
    let all = format!("{files} files, {:.2} MB", megabytes(bytes));
    let text = match (damaged, damaged == count("damaged")) {
        (0, _) => format!("all is well: {all}"),
        (_, true) => format!("{damaged} damaged of {all}; `dmc check` without -l repairs them"),
        _ => format!(
            "{damaged} damaged of {all}: {restored} restored, {removed} removed, {lost} lost"
        ),
    };
    let value = json!({
        "files": files, "bytes": bytes, "damaged": damaged, "restored": restored,
        "removed": removed, "lost": lost, "good": !checkup.is_bad(),
    });
    report.result(&text, &value);
}

fn told(finding: &Finding) -> (String, serde_json::Value) {
    let Finding { path, why, cure } = finding;
    let (word, because) = (name(cure), because(cure));
    let text = match (because, word) {
        (Some(because), _) => format!("{path}: {why}; {word}: {because}"),
        (None, "damaged") => format!("{path}: {why}"),
        (None, _) => format!("{path}: {why}; {word}"),
    };
    (text, json!({ "path": path, "why": why, "cure": word, "because": because }))
}

fn name(cure: &Cure) -> &'static str {
    match cure {
        Cure::None => "damaged",
        Cure::Removed => "removed",
        Cure::Restored => "restored",
        Cure::Lost { .. } => "lost",
    }
}

fn because(cure: &Cure) -> Option<&str> {
    match cure {
        Cure::Lost { why, .. } => Some(why),
        _ => None,
    }
}
