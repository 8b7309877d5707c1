//! `-l`: the numbered tasks, without doing any.

use crate::args::Args;
use crate::error::CommandError;
use crate::progress::Bars;
use crate::report::{Report, command_error};
use dmc_archive::Progress;
use dmc_build::{Reach, Settings, Step, Workshop};
use serde_json::json;
use std::sync::Arc;

/// Prints the tasks: number, activity, template, architecture, what, whether its result is there.
pub(crate) fn print(
    args: &Args,
    settings: Settings,
    tasks: &[(usize, Step)],
    bars: &Bars,
) -> Result<u8, CommandError> {
    let progress: Arc<dyn Progress> = Arc::new(bars.clone());
    let workshop =
        Workshop::open(settings, Reach::Look, &progress).map_err(|error| command_error(&error))?;
    let report = Report::new(args, bars)?;
    let runtime = crate::runtime()?;
    for (number, step) in tasks {
        let cached = runtime.block_on(workshop.is_cached(step));
        let template = step.template().map(ToString::to_string);
        let arch = step.arch().map(dmc_types::Arch::name);
        let mark = match step {
            Step::Test(template, arch) => workshop.tested(template, *arch),
            _ => None,
        };
        let tested = mark.map_or(String::new(), |mark| format!(" (held with {})", mark.engine));
        let text = format!(
            "{number:>3}  {:8} {:16} {:8} {}{}{tested}",
            step.activity(),
            template.as_deref().unwrap_or("-"),
            arch.unwrap_or("-"),
            step.what(),
            if cached { " (cached)" } else { "" },
        );
        let value = json!({
            "task": number, "activity": step.activity().to_string(), "template": template,
            "arch": arch, "what": step.what(), "cached": cached,
        });
        report.result(&text, &value);
    }
    Ok(0)
}
