//! Moves the name of what runs: forward once tests hold, and back.

use super::error::PromoteError;
use super::live::{self, How, LIVE, Live, LivePredicate};
use super::memory;
use super::place::Place;
use super::read::{accept_live, live_tag, stated};
use super::tags::is_committed;
use crate::error::BuildError;
use crate::load::Engine;
use crate::naming;
use crate::test::{self, Images, Job, TestResult};
use crate::workshop::Workshop;
use dmc_image::oci::Descriptor;
use dmc_types::{Arch, Sha256, TemplateName};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;

/// The kind of statement that says that tests hold (in-toto's attestation framework, "Test
/// Result").
pub(crate) const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// What became of a promotion or a rollback.
#[derive(Debug, Clone, PartialEq)]
pub struct Promoted {
    /// What is live now.
    pub live: Live,
    /// What was live before.
    pub before: Option<Sha256>,
    /// How many tests held for it in this run; none where it was live already.
    pub tests: usize,
}

/// With what tests are run.
pub(crate) struct Trial {
    pub(crate) arch: Arch,
    pub(crate) engine: Engine,
    pub(crate) relay: Vec<OsString>,
}

/// Tests a template's newest image, and makes it the live one if all tests hold.
pub(crate) async fn promote(
    workshop: &Workshop,
    template: &TemplateName,
    trial: impl FnOnce() -> Result<Trial, BuildError>,
    tell: impl Fn(&TestResult),
) -> Result<Promoted, BuildError> {
    let place = Place::of(workshop, template)?;
    let (tag, latest) =
        (live_tag(workshop, template), naming::latest(workshop.is_private(template)));
    let Some(index) = place.resolve(&latest).await? else {
        let repository = place.repository;
        return Err(PromoteError::Nothing { repository, tag: latest }.into());
    };
    if !is_committed(&index) {
        return Err(PromoteError::Uncommitted { template: template.clone() }.into());
    }
    let index = Descriptor::new(&index.media_type, index.digest, index.size);
    place.check_signed(&index).await?;
    let mover = Mover::new(workshop, &place, &tag).await?;
    if let Some(live) = mover.is_live(&index)
        && !workshop.settings.force
    {
        accept_live(workshop, &live)?;
        return Ok(Promoted { before: Some(index.digest), live, tests: 0 });
    }
    let tests = prove(&place, workshop, template, &index, trial()?, tell).await?;
    let live = mover.make_live(&index, How::Promote).await?;
    Ok(Promoted { live, before: mover.was(), tests })
}

/// Makes what was live before the live image again.
pub(crate) async fn rollback(
    workshop: &Workshop,
    template: &TemplateName,
) -> Result<Promoted, BuildError> {
    let place = Place::of(workshop, template)?;
    let tag = live_tag(workshop, template);
    let mover = Mover::new(workshop, &place, &tag).await?;
    let past = mover.last.as_ref().and_then(|last| live::before(&last.history));
    if mover.found.is_none() && mover.last.is_none() {
        return Err(PromoteError::NotLive { repository: place.repository, tag }.into());
    }
    let digest = past.and_then(|past| past.digest.strip_prefix("sha256:")?.parse::<Sha256>().ok());
    let Some(digest) = digest else {
        let repository = place.repository;
        return Err(PromoteError::NothingBefore { repository, tag }.into());
    };
    let Some(index) = place.find(&digest).await? else {
        let image = format!("{}@sha256:{digest}", place.repository);
        return Err(PromoteError::Gone { image }.into());
    };
    place.check_signed(&index).await?;
    let live = mover.make_live(&index, How::Rollback).await?;
    Ok(Promoted { live, before: mover.was(), tests: 0 })
}

/// Runs the template's tests against this very image, and states that they hold.
async fn prove(
    place: &Place<'_>,
    workshop: &Workshop,
    template: &TemplateName,
    index: &Descriptor,
    trial: Trial,
    tell: impl Fn(&TestResult),
) -> Result<usize, BuildError> {
    let known = workshop.settings.catalog.get(template.as_str())?;
    let names: Vec<&str> = known.tests().iter().map(|it| it.test.name.as_str()).collect();
    if names.is_empty() {
        return Err(PromoteError::NoTests { template: template.clone() }.into());
    }
    let Trial { arch, engine, relay } = trial;
    let manifest = place.image(index, arch).await?;
    let predicate = test_result(template, arch, &manifest, engine, &names);
    let mut manifests = BTreeMap::from([(template.clone(), manifest)]);
    for companion in test::companions(workshop, template)? {
        let image = companion_image(workshop, &companion, arch).await?;
        manifests.insert(companion, image);
    }
    let images = Images { layout: place.layout().clone(), manifests };
    let job = Job::of(workshop, template, arch, engine, relay, images)?;
    let held = job.run(tell).await?;
    place.state(index, TEST_RESULT, predicate).await?;
    Ok(held)
}

/// What a companion is in the place where the tested image is: the live image, else the newest.
async fn companion_image(
    workshop: &Workshop,
    companion: &TemplateName,
    arch: Arch,
) -> Result<Descriptor, BuildError> {
    let place = Place::of(workshop, companion)?;
    let latest = naming::latest(workshop.is_private(companion));
    let index = match place.resolve(&live_tag(workshop, companion)).await? {
        Some(live) => Some(live),
        None => place.resolve(&latest).await?,
    };
    match index {
        Some(index) => place.image(&index, arch).await,
        None => Err(PromoteError::Nothing { repository: place.repository, tag: latest }.into()),
    }
}

fn test_result(
    template: &TemplateName,
    arch: Arch,
    manifest: &Descriptor,
    engine: Engine,
    passed: &[&str],
) -> Value {
    json!({
        "result": "PASSED",
        "configuration": [{
            "name": format!("{template} on {arch} in {}", engine.program()),
            "digest": { "sha256": manifest.digest.to_string() },
        }],
        "passedTests": passed,
        "warnedTests": [],
        "failedTests": [],
    })
}

/// Moves the name of what runs. It looks at the tag before and after; nothing keeps others from
/// moving it at the same moment, and no more than that it happened can be told.
struct Mover<'a> {
    workshop: &'a Workshop,
    place: &'a Place<'a>,
    tag: &'a str,
    /// What the tag meant at first.
    found: Option<Descriptor>,
    /// The last that is stated of what was live, whatever the tag means.
    last: Option<Live>,
}

impl<'a> Mover<'a> {
    async fn new(
        workshop: &'a Workshop,
        place: &'a Place<'a>,
        tag: &'a str,
    ) -> Result<Self, BuildError> {
        let found = place.resolve(tag).await?;
        let mut last = match &found {
            Some(index) => stated(place, tag, index).await?,
            None => None,
        };
        // Where the tag was moved by hand, what this machine accepted is what counts.
        let store = workshop.archive.store().root();
        if let Some((digest, sequence)) = memory::last(store, &place.repository, tag)?
            && last.as_ref().is_none_or(|last| last.sequence < sequence)
        {
            let known = match place.find(&digest).await? {
                Some(index) => stated(place, tag, &index).await?,
                None => None,
            };
            let bare = || Live {
                repository: place.repository.clone(),
                tag: tag.to_owned(),
                index: Descriptor::new("", digest, 0),
                sequence,
                signer: None,
                history: Vec::new(),
            };
            last = Some(known.unwrap_or_else(bare));
        }
        Ok(Self { workshop, place, tag, found, last })
    }

    fn was(&self) -> Option<Sha256> {
        self.found.as_ref().map(|found| found.digest)
    }

    /// Whether the tag means this index, and rightly so.
    fn is_live(&self, index: &Descriptor) -> Option<Live> {
        let last = self.last.as_ref().filter(|last| last.index.digest == index.digest);
        last.filter(|_| self.was() == Some(index.digest)).cloned()
    }

    async fn make_live(&self, index: &Descriptor, how: How) -> Result<Live, BuildError> {
        let (repository, tag) = (&self.place.repository, self.tag);
        self.check(self.was()).await?;
        let next = LivePredicate::next(repository, tag, &index.digest, self.last.as_ref(), how);
        // What a tag means is stated before the tag means it.
        let predicate = serde_json::to_value(&next).unwrap_or_default();
        self.place.state(index, LIVE, predicate).await?;
        self.place.tag(&naming::digest_tag(&index.digest, self.is_private()), index).await?;
        self.check(self.was()).await?;
        self.place.tag(tag, index).await?;
        self.check(Some(index.digest)).await?;
        let signer = self.workshop.signer()?.map(|signer| signer.public().fingerprint());
        let live = Live {
            repository: next.repository,
            tag: next.tag,
            index: index.clone(),
            sequence: next.sequence,
            signer,
            history: next.history,
        };
        accept_live(self.workshop, &live)?;
        Ok(live)
    }

    fn is_private(&self) -> bool {
        self.tag != self.workshop.settings.conf.promotion.tag
    }

    /// Whether the tag means what it should.
    async fn check(&self, expected: Option<Sha256>) -> Result<(), BuildError> {
        let found = self.place.resolve(self.tag).await?.map(|found| found.digest);
        if found == expected {
            return Ok(());
        }
        let named = |digest: Option<Sha256>| {
            digest.map_or_else(|| "not there".to_owned(), |digest| format!("sha256:{digest}"))
        };
        Err(PromoteError::LostRace {
            repository: self.place.repository.clone(),
            tag: self.tag.to_owned(),
            found: named(found),
            expected: named(expected),
        }
        .into())
    }
}
