//! What `dmc -a licences` says.

use dmc_build::{LicenceReport, Step};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One line on the image and one for each package: first those whose licences are known.
pub(crate) fn text(step: &Step, report: &LicenceReport) -> String {
    let mut text = format!(
        "{} {}: licences of {} packages, {} not known, {} denied",
        step.template().map(ToString::to_string).unwrap_or_default(),
        step.arch().map_or("", dmc_types::Arch::name),
        report.packages.len(),
        report.unknown().count(),
        report.denied().count(),
    );
    for package in &report.packages {
        if let Ok(licence) = &package.licence {
            let _ = write!(text, "\n  {} {}: {licence}", package.name, package.version);
        }
    }
    for package in &report.packages {
        if let Err(why) = &package.licence {
            let _ = write!(text, "\n  not known: {} {}: {why}", package.name, package.version);
        }
    }
    for package in report.denied() {
        let _ = write!(text, "\n  denied: {}: {}", package.name, package.denied.join(", "));
    }
    text
}

/// The same as JSON.
pub(crate) fn value(step: &Step, report: &LicenceReport) -> Value {
    let packages = report.packages.iter().map(|package| {
        json!({
            "name": package.name, "version": package.version,
            "licence": package.licence.as_ref().ok(), "unknown": package.licence.as_ref().err(),
            "denied": package.denied,
        })
    });
    json!({
        "template": step.template(), "arch": step.arch(), "packages": packages.collect::<Vec<_>>(),
    })
}
