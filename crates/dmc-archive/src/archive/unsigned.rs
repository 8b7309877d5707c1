//! Files that no signed index names, such as the data of a security tracker.
//!
//! Whoever serves such a file is trusted for it, by https if at all: nothing that enters an image
//! comes this way. The store keeps the last version with what vouches for it, so that a server is
//! asked only whether there is another one; a run without network takes what is kept.

use super::Archive;
use crate::error::ArchiveError;
use crate::store::Shelf;
use crate::transport::{FetchError, Renewed, Validator, shown};
use dmc_types::{Sha256, UnixTime};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::fs::{self, File};

/// A file as it was fetched last.
#[derive(Debug)]
pub struct Unsigned {
    /// The file, at its start.
    pub file: File,
    /// When the server was last asked for it, in seconds since 1970.
    pub checked: UnixTime,
}

/// What is remembered of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    digest: Sha256,
    checked: UnixTime,
    validator: Option<Validator>,
}

impl Archive {
    /// The file at this address, of at most `limit` bytes; asked for again unless the run is
    /// without network.
    ///
    /// # Errors
    /// Without network, where it was never fetched.
    pub async fn unsigned(&self, url: &Url, limit: u64) -> Result<Unsigned, ArchiveError> {
        let mut known = self.known_unsigned(url)?;
        if known.is_none() || !self.transport.is_offline() {
            known = Some(self.renew_unsigned(url, limit, known).await?);
        }
        if let Some(found) = self.open_unsigned(known.as_ref())? {
            return Ok(found);
        }
        // It was damaged, and is gone now.
        let again = self.renew_unsigned(url, limit, None).await?;
        self.open_unsigned(Some(&again))?.ok_or_else(|| FetchError::offline(url).into())
    }

    fn open_unsigned(&self, known: Option<&Known>) -> Result<Option<Unsigned>, ArchiveError> {
        let Some(&Known { digest, checked, .. }) = known else { return Ok(None) };
        let file = self.store.verified(Shelf::Unsigned, &digest.to_string(), &digest)?;
        Ok(file.map(|file| Unsigned { file, checked }))
    }

    async fn renew_unsigned(
        &self,
        url: &Url,
        limit: u64,
        known: Option<Known>,
    ) -> Result<Known, ArchiveError> {
        let validator = known.as_ref().and_then(|known| known.validator.clone());
        let renewed = self.transport.renew(url, limit, validator, &self.store).await?;
        let checked = self.spec.now;
        let new = match (renewed, known) {
            (Renewed::New { digest, validator }, old) => {
                if let Some(old) = old.filter(|old| old.digest != digest) {
                    // It is only room that is lost where it stays.
                    let _ =
                        fs::remove_file(self.store.path(Shelf::Unsigned, &old.digest.to_string()));
                }
                Known { digest, checked, validator }
            }
            (Renewed::Unchanged, Some(old)) => Known { checked, ..old },
            (Renewed::Unchanged, None) => return Err(FetchError::offline(url).into()),
        };
        if let Ok(record) = postcard::to_stdvec(&new) {
            self.store.put_record(&key(url), &record)?;
        }
        Ok(new)
    }

    /// What is remembered, where the file itself is there.
    fn known_unsigned(&self, url: &Url) -> Result<Option<Known>, ArchiveError> {
        let record = self.store.record(&key(url))?;
        let known = record.and_then(|bytes| postcard::from_bytes::<Known>(&bytes).ok());
        Ok(known.filter(|known| self.store.exists(Shelf::Unsigned, &known.digest.to_string())))
    }
}

/// By the address, without a password.
fn key(url: &Url) -> Sha256 {
    let text = format!("unsigned file\n{}", shown(url));
    Sha256::from_bytes(sha2::Sha256::digest(text).into())
}
