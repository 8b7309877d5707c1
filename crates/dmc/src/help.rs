//! Help, completions and the man page, all from the one definition of the arguments.

use crate::args::{Activity, Args};
use crate::embedded;
use clap::{Command, CommandFactory as _};
use dmc_template::Catalog;
use std::fmt::Write as _;
use std::io::Write as _;

/// The command line's definition. Templates are read only where help will show them.
pub(crate) fn command() -> Command {
    let help = |word: std::ffi::OsString| word == "-h" || word == "--help";
    if std::env::args_os().any(help) { with_catalog(Args::command()) } else { Args::command() }
}

/// Adds the templates and groups that are found to `--help`.
fn with_catalog(command: Command) -> Command {
    let mut folders = embedded::templates();
    folders.extend(crate::folders::read_templates("templates".into()).unwrap_or_default());
    let catalog = Catalog::read(folders);
    let mut text = format!("Activities: {}\n\nTemplates by group:\n", Activity::names().join(", "));
    for (group, names) in catalog.groups() {
        for name in names {
            let summary = catalog.any(name.as_str()).map_or("", |template| template.summary());
            let _ = writeln!(text, "  {group:8} {name:16} {summary}");
        }
    }
    text.push_str(
        "\nEnvironment: DMC_OUT, OUT_level, LOG_level (NONE, ERROR, WARN, INFO, ALL), LOG_dir, \
         SOURCE_DATE_EPOCH",
    );
    command.after_help(text)
}

/// Prints completions or the man page where they are asked for.
pub(crate) fn print_generated(args: &Args) -> bool {
    let mut out = Vec::new();
    if let Some(shell) = args.completions {
        clap_complete::generate(shell, &mut Args::command(), "dmc", &mut out);
    } else if args.man {
        // Writing to memory does not fail.
        let _ = clap_mangen::Man::new(with_catalog(Args::command())).render(&mut out);
    } else {
        return false;
    }
    // A reader that has gone away wants nothing more.
    let _ = std::io::stdout().lock().write_all(&out);
    true
}
