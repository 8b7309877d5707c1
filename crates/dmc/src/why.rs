//! `dmc why TEMPLATE PATH`.

use crate::args::Args;
use crate::error::{CommandError, FAILED};
use crate::progress::Bars;
use crate::report::{Report, command_error};
use dmc_archive::Progress;
use dmc_build::{BuildError, Reach, Settings, Why, Workshop, why};
use dmc_elf::Edge;
use dmc_types::{Arch, ImagePath, PackageName, TemplateName};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;

/// Says why a path is in the template's image on each architecture; exit code 1 where it is not.
pub(crate) fn answer(
    args: &Args,
    settings: Settings,
    template: &str,
    path: &str,
    bars: &Bars,
) -> Result<u8, CommandError> {
    let failed = |error: &BuildError| command_error(error);
    let known = settings.catalog.get(template).map_err(|error| failed(&error.into()))?;
    let template = known.name().clone();
    let path = ImagePath::parse(path)
        .map_err(|error| CommandError::from_library(crate::error::USAGE, &error, None))?;
    let archs = settings.conf.archs.clone();
    let progress: Arc<dyn Progress> = Arc::new(bars.clone());
    let workshop =
        Workshop::open(settings, Reach::Everything, &progress).map_err(|error| failed(&error))?;
    let report = Report::new(args, bars)?;
    let runtime = crate::runtime()?;
    let mut code = 0;
    for arch in archs {
        let found = runtime
            .block_on(one(&workshop, &template, arch, &path))
            .map_err(|error| failed(&error))?;
        if !found.kept {
            code = FAILED;
        }
        report.result(found.text.trim_end(), &found.value);
    }
    bars.clear();
    Ok(code)
}

struct Found {
    kept: bool,
    text: String,
    value: serde_json::Value,
}

async fn one(
    workshop: &Workshop,
    template: &TemplateName,
    arch: Arch,
    path: &ImagePath,
) -> Result<Found, BuildError> {
    let record = workshop.record(template, arch)?;
    match why(&record, path) {
        Why::Kept { path, package, made, packages, chains } => Ok(Found {
            kept: true,
            text: kept(template, arch, &path, package.as_ref(), made.as_deref(), &chains)
                + &needed(&packages),
            value: json!({
                "template": template, "arch": arch, "path": path, "kept": true,
                "package": package, "made": made, "packages": packages, "chains": chains,
            }),
        }),
        Why::Absent { path } => {
            let packages = workshop.who_ships(&record, &path).await?;
            let names: Vec<&str> = packages.iter().map(PackageName::as_str).collect();
            let shipped = if names.is_empty() {
                "no package of the archive ships it".to_owned()
            } else {
                format!("{} ships it", names.join(", "))
            };
            Ok(Found {
                kept: false,
                text: format!("{path} is not in {template} on {arch}; {shipped}"),
                value: json!({
                    "template": template, "arch": arch, "path": path, "kept": false,
                    "shipped_by": packages,
                }),
            })
        }
    }
}

/// Why the packages of a small image are there, each below the one that it is needed by.
fn needed(packages: &[(PackageName, String)]) -> String {
    let mut text = String::new();
    for (depth, (name, why)) in packages.iter().enumerate() {
        let _ = writeln!(text, "{:1$}package {name}: {why}", "", 2 + 2 * depth);
    }
    text
}

fn kept(
    template: &TemplateName,
    arch: Arch,
    path: &ImagePath,
    package: Option<&PackageName>,
    made: Option<&str>,
    chains: &[Vec<(ImagePath, Edge)>],
) -> String {
    let mut text = format!("{path} is in {template} on {arch}");
    if let Some(package) = package {
        let _ = write!(text, ", from package {package}");
    }
    if let Some(made) = made {
        let _ = write!(text, ", {made}");
    }
    text.push('\n');
    for chain in chains {
        for (depth, (path, edge)) in chain.iter().enumerate() {
            let _ = writeln!(text, "{:indent$}{path}: {edge}", "", indent = 2 + 2 * depth);
        }
    }
    text
}
