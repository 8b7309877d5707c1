//! What runs on this machine becomes what is live.

use super::container::Service;
use super::error::PromoteError;
use super::place::Place;
use super::read::live;
use crate::error::BuildError;
use crate::load::{self, Engine};
use crate::naming;
use crate::test::client::Client;
use crate::workshop::Workshop;
use dmc_template::{ArchTemplate, Run};
use dmc_types::{Arch, Sha256, TemplateName};
use std::sync::Arc;

/// What became of the container of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarted {
    /// The container.
    pub container: String,
    /// What it runs now; none where there is no container, and none was to be started.
    pub runs: Option<Sha256>,
    /// What it ran before.
    pub before: Option<Sha256>,
}

/// Lets the container of a template run the live image. Where there is no container, one is started
/// if the template says how by its `[run]`.
pub(crate) async fn restart(
    workshop: &Workshop,
    template: &TemplateName,
    arch: Arch,
    engine: Engine,
) -> Result<Restarted, BuildError> {
    let known = workshop.settings.catalog.get(template.as_str())?;
    let run = known.run().cloned().unwrap_or_default();
    let live = live(workshop, template).await?;
    let client = Client::new(engine, Arc::default(), 1);
    let container = run.name.as_ref().map_or(template.as_str(), |name| name.as_str()).to_owned();
    let index = live.index.digest;
    let arch_template = known.for_arch(arch)?;
    let mut service = Service {
        client: &client,
        template,
        options: options(&run, &arch_template, &container),
        args: run.args.as_ref().map(|args| args.0.clone()).unwrap_or_default(),
        check: arch_template.image.healthcheck.as_ref().map(|check| check.test.0.clone()),
        name: container.clone(),
        index,
        image: String::new(),
    };
    let there = service.there();
    let before = there.as_ref().and_then(|there| there.index);
    match &there {
        None if known.run().is_none() => {
            return Ok(Restarted { container, runs: None, before: None });
        }
        Some(there) if !there.ours => {
            return Err(PromoteError::Foreign { name: container }.into());
        }
        Some(there) if there.running && before == Some(index) && !workshop.settings.force => {
            return Ok(Restarted { container, runs: before, before });
        }
        _ => {}
    }
    let place = Place::of(workshop, template)?;
    let manifest = place.image(&live.index, arch).await?;
    service.image = format!("localhost/{template}:{}", naming::digest_tag(&index, false));
    load::load(place.layout(), &manifest, std::slice::from_ref(&service.image), engine)?;
    service.replace(there.as_ref())?;
    Ok(Restarted { container, runs: Some(index), before })
}

/// The template's own options of its container.
fn options(run: &Run, template: &ArchTemplate, container: &str) -> Vec<String> {
    let mut options: Vec<String> =
        run.env.iter().map(|(name, value)| format!("--env={name}={value}")).collect();
    options.extend(run.publish.iter().map(|ports| format!("--publish={ports}")));
    options.extend(run.volumes.iter().map(|(path, from)| format!("--volume={from}:{path}")));
    for path in template.image.volumes.iter().map(ToString::to_string) {
        if !run.volumes.keys().any(|named| named.as_str() == path) {
            options.push(format!("--volume={container}{}:{path}", path.replace('/', "-")));
        }
    }
    options.extend(run.tmpfs.iter().map(|path| format!("--tmpfs={path}")));
    options.extend(run.options.iter().map(ToString::to_string));
    options
}
