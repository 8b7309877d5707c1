//! What runs on this machine becomes what is live.

use super::container::{Service, There};
use super::error::PromoteError;
use super::place::Place;
use super::read::live;
use crate::error::BuildError;
use crate::load::{self, Engine};
use crate::naming;
use crate::test::client::Client;
use crate::workshop::Workshop;
use dmc_template::{ArchTemplate, Run, Template};
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
    let force = workshop.settings.force;
    if let Some(rests) = at_rest(there.as_ref(), &container, index, known, force)? {
        return Ok(rests);
    }
    let image = |index| format!("localhost/{template}:{}", naming::digest_tag(&index, false));
    service.image = image(index);
    let place = Place::of(workshop, template)?;
    let manifest = place.image(&live.index, arch).await?;
    load::load(place.layout(), &manifest, std::slice::from_ref(&service.image), engine)?;
    service.replace(there.as_ref())?;
    if let Some(old) = before.filter(|before| *before != index) {
        // It is kept where promoted images are; whoever uses it otherwise keeps it here, too.
        client.tell(["rmi", &image(old)]);
    }
    Ok(Restarted { container, runs: Some(index), before })
}

/// What becomes of a restart that has nothing to do, or must not do anything.
fn at_rest(
    there: Option<&There>,
    container: &str,
    index: Sha256,
    known: &Template,
    force: bool,
) -> Result<Option<Restarted>, PromoteError> {
    let container = container.to_owned();
    match there {
        None if known.run().is_none() => {
            Ok(Some(Restarted { container, runs: None, before: None }))
        }
        Some(there) if !there.ours => Err(PromoteError::Foreign { name: container }),
        Some(there) if there.running && there.index == Some(index) && !force => {
            Ok(Some(Restarted { container, runs: there.index, before: there.index }))
        }
        _ => Ok(None),
    }
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
