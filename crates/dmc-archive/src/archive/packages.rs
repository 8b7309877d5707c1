//! From candidates to facts and contents.

use super::{Archive, on_processor};
use crate::error::ArchiveError;
use crate::index::Candidate;
use crate::package::decode;
use crate::store::{Contents, Shelf, StoreError, deb_name};
use crate::transport::{FetchError, Wanted};
use dmc_types::{PackageFacts, Sha256};
use std::sync::Arc;
use tracing::Instrument as _;

impl Archive {
    /// What is known of a package: from the store, else decoded from the .deb in the store, else
    /// fetched. Requests for one package at the same time share the work.
    pub async fn facts(&self, candidate: &Candidate) -> Result<Arc<PackageFacts>, ArchiveError> {
        let cell = self.facts.cell(candidate.checksum);
        let find = || {
            let package = candidate.package.as_str();
            let span = tracing::trace_span!(target: "dmc_trace", "package", of = package);
            self.find_facts(candidate).instrument(span)
        };
        cell.get_or_try_init(find).await.cloned()
    }

    /// The decoded files of a package whose facts were asked for before.
    pub fn contents(&self, facts: &PackageFacts) -> Result<Contents, ArchiveError> {
        let missing = || StoreError::Damaged {
            path: self.store.path(Shelf::Contents, &facts.deb.to_string()),
            why: "it vanished",
        };
        Ok(self.store.contents(&facts.deb)?.ok_or_else(missing)?)
    }

    /// Makes a package's contents anew, for whoever found that they are not what its facts say.
    pub async fn repair_contents(&self, candidate: &Candidate) -> Result<Contents, ArchiveError> {
        tracing::warn!(package = %candidate.package, "its damaged contents in the store are made again");
        let facts = self.fetch_and_decode(candidate).await?;
        self.facts.forget(&candidate.checksum);
        self.contents(&facts)
    }

    /// Facts that need no network: from the store, or from the .deb in it.
    pub(super) async fn facts_at_hand(
        &self,
        candidate: &Candidate,
    ) -> Result<Option<Arc<PackageFacts>>, ArchiveError> {
        let Some(deb) = self.store.key(&candidate.checksum)? else { return Ok(None) };
        if let Some(facts) = self.stored_facts(deb).await? {
            return Ok(Some(facts));
        }
        if !self.store.has_deb(&deb) {
            return Ok(None);
        }
        Ok(self.decode(deb, candidate).await?.map(Arc::new))
    }

    async fn find_facts(&self, candidate: &Candidate) -> Result<Arc<PackageFacts>, ArchiveError> {
        if let Some(deb) = self.store.key(&candidate.checksum)?
            && let Some(facts) = self.stored_facts(deb).await?
        {
            return Ok(facts);
        }
        self.fetch_and_decode(candidate).await.map(Arc::new)
    }

    async fn stored_facts(&self, deb: Sha256) -> Result<Option<Arc<PackageFacts>>, ArchiveError> {
        let store = self.store.clone();
        Ok(on_processor("reading facts", move || store.facts(&deb)).await??)
    }

    async fn fetch_and_decode(&self, candidate: &Candidate) -> Result<PackageFacts, ArchiveError> {
        if let Some(deb) = self.store.key(&candidate.checksum)?
            && self.store.has_deb(&deb)
            && let Some(facts) = self.decode(deb, candidate).await?
        {
            return Ok(facts);
        }
        let deb = self.fetch_deb(candidate).await?;
        let vanished = || StoreError::Damaged {
            path: self.store.path(Shelf::Debs, &deb_name(&deb)),
            why: "it changed while it was read",
        };
        Ok(self.decode(deb, candidate).await?.ok_or_else(vanished)?)
    }

    /// Fetches a package into the store, verified; gives its name there.
    pub async fn fetch_deb(&self, candidate: &Candidate) -> Result<Sha256, ArchiveError> {
        let fetch = async || self.fetch_present_deb(candidate).await;
        self.transport.through_an_update(FetchError::may_appear, fetch).await
    }

    /// The same where the file is there already or will not come.
    pub(super) async fn fetch_present_deb(
        &self,
        candidate: &Candidate,
    ) -> Result<Sha256, ArchiveError> {
        let wanted =
            Wanted { url: candidate.url(), size: candidate.size, checksum: candidate.checksum };
        let deb = self.transport.to_store(&wanted, &self.store, Shelf::Debs, deb_name).await?;
        self.store.put_alias(&candidate.checksum, &deb)?;
        Ok(deb)
    }

    /// Decodes a .deb of the store; none where it turns out to be damaged.
    async fn decode(
        &self,
        deb: Sha256,
        candidate: &Candidate,
    ) -> Result<Option<PackageFacts>, ArchiveError> {
        let (store, candidate) = (self.store.clone(), candidate.clone());
        let work = move || match store.verified(Shelf::Debs, &deb_name(&deb), &deb)? {
            Some(file) => decode(&store, file, deb, &candidate).map(Some),
            None => Ok(None),
        };
        on_processor("decoding a package", work).await?
    }
}
