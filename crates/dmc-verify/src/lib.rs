//! What is wrong with a finished tree, found without running anything.
//!
//! [`verify`] looks at the files of one image, for whichever architecture, as the loader and the
//! kernel of that architecture would: libraries, symbol versions and symbols in the load scope of
//! each program and plugin, interpreters, links, rights, users that configuration files name, and
//! what the image's configuration runs. Pure: a [`Subject`] in, a [`Report`] out. What is known of
//! Debian's software besides comes from `conf/verify.toml` ([`Tables`]).
//!
//! The loader's search order is dmc-elf's; how symbols bind is glibc's (`elf/dl-lookup.c`,
//! `elf/dl-version.c`).

mod binding;
mod files;
mod loader;
mod report;
mod subject;
mod tables;

#[cfg(test)]
mod tests;

pub use report::{Counts, Finding, Problem, Report, Severity};
pub use subject::{Item, ItemKind, Start, Subject};
pub use tables::{TableError, Tables};

/// Looks for everything that is wrong with an image.
pub fn verify(subject: &Subject, tables: &Tables) -> Report {
    let mut report = Report::default();
    binding::check(subject, tables, &mut report);
    files::check(subject, tables, &mut report);
    report.sort();
    report
}
