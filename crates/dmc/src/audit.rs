//! What `dmc -a audit` says.

use dmc_build::Step;
use dmc_build::audit::{
    AuditReport, Audited, AuditedImage, Finding, NotCovered, Presence, Standing, Uncovered,
};
use dmc_types::PackageName;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A line on each image, and one for each finding; the same as JSON.
pub(crate) fn results(step: &Step, report: &AuditReport) -> Vec<(String, Value)> {
    let name = step.template().map(ToString::to_string).unwrap_or_default();
    let one = |image: &AuditedImage| {
        let text = format!("{name} {}: {}", image.arch, text(&image.audited));
        let value = json!({
            "template": name, "arch": image.arch, "digest": format!("sha256:{}", image.manifest),
            "tracker": report.tracker, "checked": report.checked, "audit": image.audited,
        });
        (text, value)
    };
    report.images.iter().map(one).collect()
}

/// How old the tracker's data is.
pub(crate) fn age(report: &AuditReport) -> String {
    let minutes = report.now.saturating_sub(report.checked).max(0) / 60;
    let age = match minutes {
        0 => "just fetched or checked".to_owned(),
        1..120 => format!("{minutes} minutes old"),
        120..2880 => format!("{} hours old", minutes / 60),
        _ => format!("{} days old", minutes / 1440),
    };
    format!("the data of {} is {age}", report.tracker)
}

fn text(audited: &Audited) -> String {
    let Audited { packages, sources, findings, not_covered, own_files } = audited;
    let mut text = format!("{packages} packages from {sources} sources; {}", summary(findings));
    for finding in findings {
        let _ = write!(text, "\n  {}", line(finding));
    }
    for NotCovered { package, version, why } in not_covered {
        let why = match why {
            Uncovered::Archive(archive) => format!("it is from the archive {archive}"),
            Uncovered::Release(codename) => format!("the tracker does not know {codename}"),
            Uncovered::Unlisted => "the image does not say what it was built from".to_owned(),
        };
        let _ = write!(text, "\n  not covered: {package} {version}: {why}");
    }
    if *own_files > 0 {
        let files = if *own_files == 1 { "1 file" } else { &format!("{own_files} files") };
        let _ = write!(text, "\n  not covered: {files} of the template itself");
    }
    text
}

/// How many there are of each urgency.
fn summary(findings: &[Finding]) -> String {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    let affects = |finding: &&Finding| finding.not_affected.is_none();
    let open = |finding: &&Finding| finding.standing != Standing::Undetermined;
    for finding in findings.iter().filter(affects).filter(open) {
        *counts.entry(&finding.urgency).or_default() += 1;
    }
    let mut parts: Vec<String> =
        counts.iter().rev().map(|(urgency, count)| format!("{count} {urgency}")).collect();
    let undetermined = findings.iter().filter(affects).filter(|one| !open(one)).count();
    let harmless = findings.iter().filter(|one| !affects(one)).count();
    if undetermined > 0 {
        parts.push(format!("{undetermined} undetermined"));
    }
    if harmless > 0 {
        parts.push(format!("{harmless} not affecting the image"));
    }
    if parts.is_empty() { "nothing known".to_owned() } else { parts.join(", ") }
}

fn line(finding: &Finding) -> String {
    let Finding { id, source, version, urgency, .. } = finding;
    let packages: Vec<&str> = finding.packages.keys().map(PackageName::as_str).collect();
    let packages = packages.join(", ");
    let mut text = match finding.presence {
        Presence::Installed => format!("{id} {urgency}: {source} {version} ({packages})"),
        Presence::BuiltIn => format!("{id} {urgency}: {source} {version}, built into {packages}"),
    };
    match (finding.standing, &finding.fixed) {
        (Standing::Undetermined, _) => text.push_str(", undetermined"),
        (_, Some(fixed)) => drop(write!(text, ", fixed in {fixed}")),
        (_, None) => text.push_str(", open"),
    }
    if let Some(no_dsa) = &finding.no_dsa {
        let reason = Some(&no_dsa.reason).filter(|reason| !reason.is_empty());
        let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
        let _ = write!(text, ", no advisory ({}{reason})", no_dsa.why);
    }
    if let Some(evidence) = &finding.not_affected {
        let _ = write!(text, "; not affected: {}", evidence.because);
    }
    text
}
