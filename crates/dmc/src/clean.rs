//! `dmc clean`: what nobody needs any more is removed.

use crate::args::Args;
use crate::error::CommandError;
use crate::progress::Bars;
use crate::report::{Report, command_error, megabytes};
use dmc_archive::Progress;
use dmc_archive::store::Limits;
use dmc_build::{Amount, Cleaned, Gone, Reach, Settings, Workshop};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// Removes, or by `-l` tells, what store and layout hold for nobody.
pub(crate) fn answer(args: &Args, settings: Settings, bars: &Bars) -> Result<u8, CommandError> {
    let lock = crate::settings::lock_if_there(args, &settings)?;
    let limits = Limits { older_than: args.older_than, max_size: args.max_size };
    let progress: Arc<dyn Progress> = Arc::new(bars.clone());
    let reach = if args.list { Reach::Look } else { Reach::Offline };
    let workshop =
        Workshop::open(settings, reach, &progress).map_err(|error| command_error(&error))?;
    let cleaned =
        workshop.clean(&limits, lock.as_ref(), args.list).map_err(|error| command_error(&error))?;
    let report = Report::new(args, bars)?;
    for gone in &cleaned.gone {
        if args.list {
            report.result(&line(gone), &value(gone));
        } else {
            tracing::debug!("removed {}", line(gone));
        }
    }
    tell(&report, &cleaned, !args.list);
    Ok(0)
}

/// One file that goes.
fn line(gone: &Gone) -> String {
    let size = megabytes(gone.size);
    match gone.used.and_then(|used| SystemTime::now().duration_since(used).ok()) {
        Some(idle) => {
            let days = idle.as_secs() / (24 * 3600);
            format!("{}  {size:.2} MB, not used for {days} days", gone.path)
        }
        None => format!("{}  {size:.2} MB", gone.path),
    }
}

fn value(gone: &Gone) -> serde_json::Value {
    let used = gone.used.and_then(|used| used.duration_since(SystemTime::UNIX_EPOCH).ok());
    json!({
        "path": gone.path, "of": gone.of, "bytes": gone.size,
        "used": used.map(|used| used.as_secs()),
    })
}

/// How much went, of what, and what is left.
fn tell(report: &Report, cleaned: &Cleaned, removed: bool) {
    let mut all = Amount::default();
    let mut by_kind: BTreeMap<&str, Amount> = BTreeMap::new();
    for gone in &cleaned.gone {
        for amount in [&mut all, by_kind.entry(gone.of).or_default()] {
            amount.files += 1;
            amount.bytes += gone.size;
        }
    }
    let kinds: Vec<String> = by_kind
        .iter()
        .map(|(kind, amount)| {
            format!("{kind} {} ({:.2} MB)", amount.files, megabytes(amount.bytes))
        })
        .collect();
    let (verb, of) = match (removed, kinds.is_empty()) {
        (_, true) => ("nothing to remove", String::new()),
        (true, false) => ("removed", format!(": {}", kinds.join(", "))),
        (false, false) => ("would remove", format!(": {}", kinds.join(", "))),
    };
    let how_much = match all.files {
        0 => String::new(),
        files => format!(" {files} files, {:.2} MB", megabytes(all.bytes)),
    };
    let left = cleaned.left;
    let text = format!(
        "{verb}{how_much}{of}; the store has {} files, {:.2} MB{}",
        left.files,
        megabytes(left.bytes),
        if removed { "" } else { " then" },
    );
    let amount = |amount: &Amount| json!({ "files": amount.files, "bytes": amount.bytes });
    let of: serde_json::Map<String, serde_json::Value> =
        by_kind.iter().map(|(kind, it)| ((*kind).to_owned(), amount(it))).collect();
    let value = json!({
        "removed": removed, "files": all.files, "bytes": all.bytes, "of": of, "left": amount(&left),
    });
    report.result(&text, &value);
}
