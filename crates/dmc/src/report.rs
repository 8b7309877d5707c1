//! What a run tells: results on stdout, everything else on stderr.

use crate::args::Args;
use crate::error::{CommandError, FAILED, USAGE};
use crate::keys;
use crate::lock;
use crate::progress::Bars;
use crate::{audit, deploy, farm, licences, promote, push, sbom, signatures, update, verify};
use dmc_build::{
    BuildError, ExtensionCost, ExtensionCosts, ImageSummary, LicenceReport, Outcome, ReleaseLine,
    Step, TestResult, Watch,
};
use dmc_types::{Arch, PackageName};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

/// Watches a run and prints what comes out of it.
pub(crate) struct Report {
    json: bool,
    bars: Bars,
    /// The file of `--report`.
    values: Option<File>,
    shows_keys: bool,
    /// Whether it is still to be told which releases moved: once, whatever the architectures.
    tells_news: Cell<bool>,
    /// Failures in full, for the end of the run.
    failures: RefCell<Vec<(Step, CommandError)>>,
}

/// A library's error in the user's terms.
pub(crate) fn command_error(error: &BuildError) -> CommandError {
    let code = if error.is_usage() { USAGE } else { FAILED };
    CommandError::from_library(code, error, error.hint())
}

impl Report {
    pub(crate) fn new(args: &Args, bars: &Bars) -> Result<Self, CommandError> {
        let create = |path| {
            File::create(path).map_err(|error| {
                CommandError::failed(format!("cannot write the report `{path}`")).because(&error)
            })
        };
        Ok(Self {
            json: args.json,
            bars: bars.clone(),
            values: args.report.as_ref().map(create).transpose()?,
            shows_keys: false,
            tells_news: Cell::new(false),
            failures: RefCell::default(),
        })
    }

    /// The same, also telling whose keys the releases are signed with.
    pub(crate) fn with_keys(self, shows_keys: bool) -> Self {
        Self { shows_keys, ..self }
    }

    /// The same, telling also which releases moved.
    pub(crate) fn with_news(self, tells_news: bool) -> Self {
        Self { tells_news: Cell::new(tells_news), ..self }
    }

    fn results(&self, all: Vec<(String, Value)>) {
        for (text, value) in all {
            self.result(&text, &value);
        }
    }

    /// A value for the file of `--report`.
    fn record(&self, value: &Value) {
        if let Some(mut file) = self.values.as_ref()
            && let Err(error) = writeln!(file, "{value}")
        {
            tracing::warn!(%error, "the report is not complete");
        }
    }

    /// One result: a line of text, or a JSON value, on stdout.
    pub(crate) fn result(&self, text: &str, value: &Value) {
        self.record(value);
        let line = if self.json { value.to_string() } else { text.to_owned() };
        if line.is_empty() {
            return;
        }
        self.bars.suspend(|| {
            let mut stdout = std::io::stdout().lock();
            // A reader that has gone away wants nothing more.
            let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        });
    }

    /// Which tasks failed, again and at the end, and the exit code that they give.
    pub(crate) fn finish(&self, tasks: usize) -> u8 {
        self.bars.clear();
        let failures = self.failures.borrow();
        if failures.is_empty() {
            return 0;
        }
        let names: Vec<String> = failures.iter().map(|(step, _)| step.to_string()).collect();
        tracing::error!("{} of {tasks} tasks failed: {}", failures.len(), names.join("; "));
        let usage = failures.iter().all(|(_, error)| error.code() == USAGE);
        if usage { USAGE } else { FAILED }
    }

    fn tell(&self, step: &Step, outcome: &Outcome, took: Duration) {
        match outcome {
            Outcome::Prepared { store, conf } => {
                tracing::info!("store: {store}");
                if let Some(conf) = conf {
                    tracing::info!("configuration to edit: {conf}");
                }
            }
            Outcome::Indices { packages, releases } => self.indices(step, *packages, releases),
            Outcome::Keys(keys) => self.results(keys::lines(keys)),
            Outcome::Tools(tools) => {
                for tool in tools {
                    let found = if tool.found { "found" } else { "missing" };
                    tracing::info!("optional tool {}: {found} ({})", tool.program, tool.purpose);
                }
            }
            Outcome::Changes(standings) => self.results(update::standings(step, standings)),
            Outcome::Image { summary, cached } => self.image(step, summary, *cached, took),
            Outcome::Index(named) => {
                let reference = named.references.first().map_or("", String::as_str);
                let digest = format!("sha256:{}", named.index.digest);
                for note in &named.notes {
                    tracing::warn!("{step}: {note}");
                }
                let value = json!({
                    "template": step.template(), "references": named.references, "digest": digest,
                    "notes": named.notes,
                });
                self.result(&format!("{reference} {digest}"), &value);
            }
            Outcome::Tested(0) => tracing::warn!("{step}: the template has no [[test]]"),
            Outcome::Tested(held) => {
                tracing::info!("{step}: {held} tests hold, in {:.2} s", took.as_secs_f64());
            }
            Outcome::Verified(report) => self.verified(step, report),
            Outcome::Promoted(promoted) => promote::told(self, step, promoted),
            Outcome::Restarted(restarted) => promote::restarted(self, step, restarted),
            Outcome::Audited(report) => self.audited(step, report),
            Outcome::Described(all) => self.results(sbom::lines(step, all)),
            Outcome::Document(bytes) => self.document(bytes),
            Outcome::Licences => {}
            Outcome::Chosen(images) => lock::chosen(step, images),
            Outcome::Lock { update, written } => lock::told(self, update, *written),
            Outcome::Delivered(delivered) => farm::delivered(self, step, delivered, took),
            Outcome::Signatures(checked) => signatures::told(self, step, checked),
            Outcome::Pushed(pushed) => push::told(self, step, pushed, took),
            Outcome::Deployed(deployed) => deploy::told(self, step, deployed, took),
            Outcome::Undeployed(gone) => deploy::deleted(self, step, gone),
            Outcome::Loaded(references) => {
                for reference in references {
                    let value = json!({ "template": step.template(), "loaded": reference });
                    self.result(reference, &value);
                }
            }
        }
    }

    /// What the releases vouch for, and once a run which of them moved, where that is to be told.
    fn indices(&self, step: &Step, packages: Option<usize>, releases: &[ReleaseLine]) {
        for release in releases.iter().filter(|_| self.shows_keys) {
            let ReleaseLine { suite, url, signer, .. } = release;
            tracing::info!("{suite} of {url}, signed by {signer}");
        }
        if self.tells_news.take() {
            self.results(update::releases(releases));
        }
        let suites: Vec<&str> = releases.iter().map(|release| &*release.suite).collect();
        let (arch, suites) = (step.arch().map_or("", Arch::name), suites.join(", "));
        if let Some(packages) = packages {
            tracing::info!("{arch}: {packages} packages of {suites}, verified");
        } else {
            tracing::info!("{arch}: {suites} unchanged, verified");
        }
    }

    /// One image of an index: a line on stderr, and a value of its own in JSON.
    fn image(&self, step: &Step, summary: &ImageSummary, cached: bool, took: Duration) {
        verify::warn(step, &summary.warnings);
        for note in &summary.notes {
            tracing::debug!("{step}: {note}");
        }
        let name = step.template().map(ToString::to_string).unwrap_or_default();
        let tag = summary.tags.first().map_or("latest", String::as_str);
        let how = if cached { "unchanged" } else { "built" };
        tracing::info!(
            "{name}:{tag} {} sha256:{} {:.2} MB, {} packages, {} files, {how} in {:.2} s",
            summary.arch,
            summary.manifest.digest,
            megabytes(summary.layer_size),
            summary.packages,
            summary.files,
            took.as_secs_f64(),
        );
        if let Some(form) = &summary.second {
            tracing::info!(
                "{name}:{tag} {} as {}: sha256:{} {:.2} MB",
                summary.arch,
                form.compression,
                form.manifest.digest,
                megabytes(form.layer_size),
            );
        }
        for line in summary.extensions.iter().flat_map(extension_lines) {
            tracing::info!("{line}");
        }
        let mut value = json!({
            "template": name, "arch": summary.arch, "tag": tag,
            "digest": format!("sha256:{}", summary.manifest.digest),
            "layer_size": summary.layer_size, "packages": summary.packages,
            "files": summary.files, "unchanged": cached, "notes": summary.notes,
            "extensions": summary.extensions,
            "counts": summary.counts, "warnings": summary.warnings,
        });
        if let Some(form) = &summary.second {
            value["second"] = json!({
                "compression": form.compression, "layer_size": form.layer_size,
                "digest": format!("sha256:{}", form.manifest.digest),
            });
        }
        self.result("", &value);
    }

    /// What is known of images: results, and a failure where that was asked for.
    fn audited(&self, step: &Step, report: &dmc_build::audit::AuditReport) {
        tracing::info!("{step}: {}", audit::age(report));
        self.results(audit::results(step, report));
        if report.failing > 0 {
            let count = report.failing;
            let error = CommandError::failed(format!("{step}: --fail-on is met {count} times"));
            self.failures.borrow_mut().push((step.clone(), error));
        }
    }

    /// A document about an image, as it is.
    fn document(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        match serde_json::from_slice(bytes) {
            Ok(value) if self.json => self.result(&text, &value),
            _ => self.result(&text, &Value::Null),
        }
    }

    /// What is wrong with an image: results, and a failure where it cannot work.
    fn verified(&self, step: &Step, report: &dmc_verify::Report) {
        self.result(&verify::text(step, report), &verify::value(step, report));
        if !report.is_good() {
            let error = CommandError::failed(format!("{step}: the image would not work"));
            self.failures.borrow_mut().push((step.clone(), error));
        }
    }
}

/// What each extension costs, and all together.
fn extension_lines(costs: &ExtensionCosts) -> Vec<String> {
    let line = |what: &str, cost: &ExtensionCost, packages: &str| {
        let (compressed, raw) = (megabytes(cost.compressed), megabytes(cost.size));
        format!("  {what}: {compressed:.2} MB, {raw:.2} MB raw, {} files, {packages}", cost.files)
    };
    let each = costs.each.iter().map(|cost| {
        let packages: Vec<&str> = cost.packages.iter().map(PackageName::as_str).collect();
        let name = format!("extension {}", cost.names.join(", "));
        match (cost.files, packages.is_empty()) {
            (0, _) => format!("  {name}: nothing that the others do not need"),
            (_, true) => line(&name, cost, "no package of its own"),
            (_, false) => line(&name, cost, &packages.join(" ")),
        }
    });
    let together = format!("{} packages", costs.together.packages.len());
    each.chain([line("all extensions", &costs.together, &together)]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl Watch for Report {
    fn begun(&self, _number: usize, step: &Step) {
        self.bars.task(&step.to_string());
    }

    fn further(&self, step: &Step, state: &str) {
        tracing::info!("{step}: {state}");
    }

    fn tested(&self, step: &Step, result: &TestResult) {
        let held = result.failure.is_none();
        let mut text = format!("{} {step}: {}", if held { "ok" } else { "FAILED" }, result.name);
        for line in result.failure.iter().flat_map(|failure| failure.lines()) {
            text.push_str("\n  ");
            text.push_str(line);
        }
        let value = json!({
            "template": step.template(), "arch": step.arch(), "test": result.name, "held": held,
            "failure": result.failure, "seconds": result.took.as_secs_f64(),
        });
        self.result(&text, &value);
    }

    fn licences(&self, step: &Step, report: &LicenceReport) {
        self.result(&licences::text(step, report), &licences::value(step, report));
    }

    fn ended(
        &self,
        number: usize,
        step: &Step,
        result: &Result<Outcome, BuildError>,
        took: Duration,
    ) {
        self.bars.done();
        match result {
            Ok(outcome) => self.tell(step, outcome, took),
            Err(error) => {
                let error = command_error(error);
                let text = error.render_plain();
                tracing::error!("task {number}, {step}: {text}");
                self.record(&json!({
                    "failed": step.to_string(), "template": step.template(), "arch": step.arch(),
                    "error": text,
                }));
                self.failures.borrow_mut().push((step.clone(), error));
            }
        }
    }
}
