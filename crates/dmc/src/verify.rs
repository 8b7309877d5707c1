//! What `dmc -a verify` says.

use dmc_build::Step;
use dmc_verify::{Counts, Report, Severity};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Most warnings that are told where an image is built; `dmc -a verify` tells all.
const TOLD: usize = 5;

/// One line on the image, and one for each finding.
pub(crate) fn text(step: &Step, report: &Report) -> String {
    let Counts { elf, scripts, setuid, files, bytes, packages } = report.counts;
    let number = |severity| report.of(severity).count();
    let mut text = format!(
        "{}: {} errors, {} warnings, {} notes; {elf} ELF files, {scripts} scripts, \
         {setuid} setuid files; {files} files of {packages} packages, {:.2} MB",
        subject(step),
        number(Severity::Error),
        number(Severity::Warning),
        number(Severity::Note),
        crate::report::megabytes(bytes),
    );
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let _ = write!(text, "\n  {severity}: {}", finding.problem);
    }
    text
}

/// The same as JSON.
pub(crate) fn value(step: &Step, report: &Report) -> Value {
    json!({
        "template": step.template(), "arch": step.arch(), "good": report.is_good(),
        "counts": report.counts, "findings": report.findings,
    })
}

/// Tells what may matter of an image that was built.
pub(crate) fn warn(step: &Step, warnings: &[String]) {
    for warning in warnings.iter().take(TOLD) {
        tracing::warn!("{}: {warning}", subject(step));
    }
    if warnings.len() > TOLD {
        let more = warnings.len() - TOLD;
        tracing::warn!("{}: {more} more warnings, which `dmc -a verify` lists", subject(step));
    }
}

fn subject(step: &Step) -> String {
    let template = step.template().map(ToString::to_string).unwrap_or_default();
    format!("{template} {}", step.arch().map_or("", dmc_types::Arch::name))
}
