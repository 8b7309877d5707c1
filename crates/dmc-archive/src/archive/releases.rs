//! From mirrors to accepted releases.

use super::judge::{Keys, Wish};
use super::{Archive, on_processor};
use crate::error::ArchiveError;
use crate::memory::{Memory, Past, Signers};
use crate::mirror::{self, KeyFiles, KnownFrom, Mirror, MirrorError};
use crate::release::{AcceptedRelease, News, Owner, PassedOver, ReleaseFailure};
use crate::spec::{Floor, Keyrings, Role, SiteSpec, ThirdPartySpec};
use crate::transport::{FetchCause, FetchError, shown};
use bytes::Bytes;
use dmc_deb::release::{LARGEST, Release, ReleaseError};
use dmc_deb::sources::SignedBy;
use dmc_types::{Arch, Sha256, Suite, UnixTime};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::Instrument as _;

/// What an archive must be, and what is to be read of it.
struct Wanted<'a> {
    owner: Owner,
    name: &'a str,
    /// What its memories are kept by.
    site: String,
    snapshot: Option<UnixTime>,
    origin: Option<&'a str>,
    keyrings: &'a Keyrings,
    suites: &'a [Suite],
    components: &'a [String],
    archs: Option<&'a BTreeSet<Arch>>,
}

impl Archive {
    /// The verified releases of all pockets: the vendor's, main before security, each in the
    /// order of the specification; then the third parties'.
    pub async fn releases(&self) -> Result<&[AcceptedRelease], ArchiveError> {
        let span = tracing::trace_span!(target: "dmc_trace", "releases");
        let find = || self.find_releases().instrument(span);
        self.releases.get_or_try_init(find).await.map(Vec::as_slice)
    }

    async fn find_releases(&self) -> Result<Vec<AcceptedRelease>, ArchiveError> {
        let vendor = join_all(self.spec.vendor.sites.iter().map(|site| self.vendor_site(site)));
        let others = join_all(self.spec.third_parties.iter().map(|site| self.third_party(site)));
        // All are waited for, so that the same failure is told each time.
        let (vendor, others) = futures::future::join(vendor, others).await;
        let all: Result<Vec<_>, _> = vendor.into_iter().chain(others).collect();
        Ok(all?.into_iter().flatten().collect())
    }

    async fn vendor_site(&self, spec: &SiteSpec) -> Result<Vec<AcceptedRelease>, ArchiveError> {
        let vendor = &self.spec.vendor;
        let wanted = Wanted {
            owner: Owner::Vendor(spec.role),
            name: &vendor.name,
            site: format!("{} {}", vendor.name, spec.name),
            snapshot: self.spec.snapshot,
            origin: Some(&vendor.origin),
            keyrings: &vendor.keyrings,
            suites: &spec.pockets,
            components: &spec.components,
            archs: spec.archs.as_ref(),
        };
        let mirrors = match self.spec.snapshot {
            Some(_) => vec![Mirror::new(&spec.default, KnownFrom::Vendor, SignedBy::Machine)],
            None => mirror::candidates(spec, self.spec.mirror.as_ref(), &self.apt),
        };
        let found = self.first_that_fits(&wanted, spec.role, mirrors).await;
        found.map_err(|error| self.perhaps_ended(spec, error))
    }

    fn perhaps_ended(&self, spec: &SiteSpec, error: ArchiveError) -> ArchiveError {
        let vendor = &self.spec.vendor;
        match (error, spec.pockets.first()) {
            (ArchiveError::Release(failure), Some(suite))
                if failure.is_absent()
                    && !vendor.moved_to.is_empty()
                    && self.spec.snapshot.is_none() =>
            {
                let (vendor, moved_to) = (vendor.name.clone(), vendor.moved_to.clone());
                let source = Box::new(failure);
                ReleaseFailure::Ended { suite: suite.clone(), vendor, moved_to, source }.into()
            }
            (error, _) => error,
        }
    }

    async fn third_party(
        &self,
        spec: &ThirdPartySpec,
    ) -> Result<Vec<AcceptedRelease>, ArchiveError> {
        let wanted = Wanted {
            owner: Owner::ThirdParty(spec.name.clone()),
            name: &spec.name,
            // Its address is its own: another one is another archive.
            site: format!("archive {} {}", spec.name, spec.url),
            snapshot: None,
            origin: spec.origin.as_deref(),
            keyrings: &spec.keyrings,
            suites: std::slice::from_ref(&spec.suite),
            components: &spec.components,
            archs: spec.archs.as_ref(),
        };
        let mirror = Mirror::new(&spec.url, KnownFrom::ThirdParty, SignedBy::Machine);
        self.read_site(&wanted, &mirror).await.map_err(|(_, error)| error)
    }

    /// Tries the mirrors in order. One of apt's configuration that is another archive, or cannot
    /// be asked, is passed over; the vendor's own address is tried only where apt's were all
    /// found to be other archives.
    async fn first_that_fits(
        &self,
        wanted: &Wanted<'_>,
        role: Role,
        mirrors: Vec<Mirror>,
    ) -> Result<Vec<AcceptedRelease>, ArchiveError> {
        let mut passed = Vec::new();
        let mut last = None;
        let mut out_of_reach = false;
        for mirror in mirrors {
            if mirror.known_from == KnownFrom::Vendor && out_of_reach {
                break;
            }
            let (place, failure) = match self.read_site(wanted, &mirror).await {
                Ok(releases) => return Ok(releases),
                Err((place, ArchiveError::Release(failure))) => (place, failure),
                Err((_, other)) => return Err(other),
            };
            let from_apt = matches!(mirror.known_from, KnownFrom::Apt { .. });
            let harmless = failure.is_another_archive(role) || failure.is_out_of_reach();
            if !(from_apt && place == 0 && harmless) {
                return Err(none_fits(wanted, passed, failure));
            }
            out_of_reach |= failure.is_out_of_reach();
            let (url, why) = (shown(&mirror.url), failure.in_full());
            if self.transport.is_offline() {
                tracing::debug!(%url, %why, "an archive of apt's configuration is not in the store");
            } else {
                tracing::info!(%url, %why, "an archive of apt's configuration is passed over");
            }
            passed.push(PassedOver { url, why, absent: failure.is_absent() });
            last = Some(failure);
        }
        match last {
            Some(last) => Err(none_fits(wanted, passed, last)),
            None => Err(MirrorError::NoMirror { vendor: wanted.name.to_owned() }.into()),
        }
    }

    /// All pockets of a site from one mirror. The error names the place of the pocket.
    async fn read_site(
        &self,
        wanted: &Wanted<'_>,
        mirror: &Mirror,
    ) -> Result<Vec<AcceptedRelease>, (usize, ArchiveError)> {
        let texts =
            join_all(wanted.suites.iter().map(|suite| self.in_release(mirror, suite))).await;
        let mut jobs = Vec::new();
        for (place, (suite, text)) in wanted.suites.iter().zip(texts).enumerate() {
            let text = text.map_err(|error| (place, error))?;
            let files = self.key_files(wanted.keyrings, wanted.name);
            let keys = self.keyrings.of(&wanted.owner, &files, mirror);
            let keys = keys.map_err(|error| (place, error.into()))?;
            jobs.push(self.accept(wanted, mirror, suite, text, keys));
        }
        let mut accepted = Vec::new();
        for (place, release) in join_all(jobs).await.into_iter().enumerate() {
            accepted.push(release.map_err(|error| (place, error))?);
        }
        Ok(accepted)
    }

    /// The text as the mirror has it now or, where the network may not be used, as it was kept.
    async fn in_release(&self, mirror: &Mirror, suite: &Suite) -> Result<Fetched, ArchiveError> {
        let kept = self.store.release(mirror.url.as_str(), suite)?;
        let url = mirror::below(&mirror.url, &format!("dists/{suite}/InRelease"));
        match (self.transport.to_memory(&url, LARGEST as u64).await, kept) {
            (Ok(bytes), kept) => Ok(Fetched { bytes: bytes.into(), kept, from_store: false }),
            (Err(FetchError { cause: FetchCause::Offline, .. }), Some(bytes)) => {
                Ok(Fetched { bytes: bytes.into(), kept: None, from_store: true })
            }
            (Err(source), _) => Err(ReleaseFailure::Fetch { suite: suite.clone(), source }.into()),
        }
    }

    async fn accept(
        &self,
        wanted: &Wanted<'_>,
        mirror: &Mirror,
        suite: &Suite,
        text: Fetched,
        keys: Arc<Keys>,
    ) -> Result<AcceptedRelease, ArchiveError> {
        let before = self.store.memory(&wanted.site, suite)?;
        let url = shown(&mirror.url);
        let refused =
            |source| ReleaseFailure::Refused { suite: suite.clone(), url: url.clone(), source };
        let judged = self.judge(self.wish(wanted, suite), text, before, keys).await?;
        let Judged { text, before, verdict } = judged;
        let (release, signers) = verdict.map_err(refused)?;
        let past = Past {
            suite,
            url: &url,
            memory: before.as_ref(),
            floors: &self.floors(wanted, suite),
            accept_rollback: self.spec.accept_rollback.contains(suite),
            accept_keys: &self.spec.accept_keys,
        };
        past.check(&release, &signers)?;
        let accepted = AcceptedRelease {
            news: text.news(&release.digest(), before.as_ref()),
            release,
            suite: suite.clone(),
            mirror: mirror.clone(),
            owner: wanted.owner.clone(),
            components: wanted.components.to_vec(),
            archs: wanted.archs.cloned(),
            signers: signers.good,
            before,
        };
        self.keep(&wanted.site, &accepted, &text)?;
        Ok(accepted)
    }

    /// Judges a text, or recalls what judging it came to.
    async fn judge(
        &self,
        wish: Wish,
        text: Fetched,
        before: Option<Memory>,
        keys: Arc<Keys>,
    ) -> Result<Judged, ArchiveError> {
        let remembered = (&self.store, before.as_ref());
        let known = wish.recall(&text.bytes, &keys.digest, remembered).transpose();
        if let Some(verdict) = known {
            return Ok(Judged { text, before, verdict });
        }
        let keyrings = keys.keyrings()?;
        let store = self.store.clone();
        let work = move || {
            let verdict = wish.judge(&text.bytes, &keyrings, before.as_ref());
            let kept = match &verdict {
                Ok((release, _)) => wish.keep(release, &keys.digest, &store),
                Err(_) => Ok(()),
            };
            kept.map(|()| Judged { text, before, verdict })
        };
        Ok(on_processor("checking a signature", work).await??)
    }

    fn wish(&self, wanted: &Wanted<'_>, suite: &Suite) -> Wish {
        Wish {
            suite: suite.clone(),
            origin: wanted.origin.map(str::to_owned),
            now: self.spec.now,
            snapshot: wanted.snapshot,
            accept_expired: self.spec.accept_expired.contains(suite),
        }
    }

    /// A snapshot is older than its suite's floors on purpose.
    fn floors(&self, wanted: &Wanted<'_>, suite: &Suite) -> Vec<&Floor> {
        let of_this = |floor: &&Floor| floor.owner == wanted.owner && floor.suite == *suite;
        match wanted.snapshot {
            Some(_) => Vec::new(),
            None => self.spec.floors.iter().filter(of_this).collect(),
        }
    }

    /// Keeps an accepted release for runs without the network, and remembers it.
    fn keep(
        &self,
        site: &str,
        accepted: &AcceptedRelease,
        text: &Fetched,
    ) -> Result<(), ArchiveError> {
        let AcceptedRelease { suite, mirror, release, before, .. } = accepted;
        if self.store.is_read_only() {
            return Ok(());
        }
        if !text.from_store && text.kept.as_deref() != Some(&*text.bytes) {
            self.store.put_release(mirror.url.as_str(), suite, &text.bytes)?;
        }
        if before.as_ref().is_none_or(|before| before.digest != release.digest()) {
            self.store.remember(site, suite, &Memory::of(release, &accepted.signers))?;
        }
        Ok(())
    }

    pub(super) fn key_files<'a>(&'a self, keyrings: &'a Keyrings, vendor: &'a str) -> KeyFiles<'a> {
        KeyFiles { root: &self.apt.root, keyrings, vendor }
    }
}

fn none_fits(wanted: &Wanted<'_>, passed: Vec<PassedOver>, last: ReleaseFailure) -> ArchiveError {
    if passed.is_empty() {
        return last.into();
    }
    let vendor = wanted.name.to_owned();
    ReleaseFailure::NoneFits { vendor, passed, source: Box::new(last) }.into()
}

/// What judging a text came to.
struct Judged {
    text: Fetched,
    before: Option<Memory>,
    verdict: Result<(Release, Signers), ReleaseError>,
}

/// An `InRelease`, not verified yet, beside the one that was kept.
struct Fetched {
    bytes: Bytes,
    kept: Option<Vec<u8>>,
    from_store: bool,
}

impl Fetched {
    fn news(&self, digest: &Sha256, memory: Option<&Memory>) -> News {
        match memory {
            _ if self.from_store => News::Stored,
            None => News::First,
            Some(memory) if memory.digest == *digest => News::Unchanged,
            Some(_) => News::Changed,
        }
    }
}
