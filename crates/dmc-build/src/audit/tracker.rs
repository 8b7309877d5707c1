//! The security tracker's data: a file of the machine, or one that the store keeps.

use super::AuditError;
use crate::error::BuildError;
use crate::workshop::Workshop;
use camino::Utf8Path;
use dmc_archive::{Unsigned, Url};
use dmc_audit::Tracker;
use dmc_types::UnixTime;
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tokio::sync::Mutex;

/// Most bytes that are fetched.
const LARGEST: u64 = 256 << 20;

/// What was read in this run, by codename.
pub(crate) type Trackers = Mutex<BTreeMap<String, Arc<Known>>>;

/// What a tracker says of one release.
#[derive(Debug)]
pub(crate) struct Known {
    pub(super) tracker: Tracker,
    /// Of when it is, in seconds since 1970.
    pub(super) checked: UnixTime,
}

impl Workshop {
    /// What the tracker says of a release; fetched and read once a run.
    pub(super) async fn tracker(
        self: &Arc<Self>,
        codename: &str,
    ) -> Result<Arc<Known>, BuildError> {
        let mut known = self.trackers.lock().await;
        if let Some(known) = known.get(codename) {
            return Ok(Arc::clone(known));
        }
        let from = self.settings.conf.audit.tracker.clone();
        let Unsigned { file, checked } = self.tracker_data(&from).await?;
        let name = codename.to_owned();
        let read = move || Tracker::read(file, &name);
        let tracker = self.clone().on_processor("the tracker's data", read).await?;
        let tracker = tracker.map_err(|source| AuditError::Tracker { from, source })?;
        let found = Arc::new(Known { tracker, checked });
        known.insert(codename.to_owned(), Arc::clone(&found));
        Ok(found)
    }

    async fn tracker_data(&self, from: &str) -> Result<Unsigned, AuditError> {
        let path = match Url::parse(from) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) => {
                let fetched = self.archive.unsigned(&url, LARGEST).await;
                let failed = |source| AuditError::Fetch { source: Box::new(source) };
                return fetched.map_err(failed);
            }
            Ok(url) if url.scheme() == "file" => url.path().to_owned(),
            Ok(_) => return Err(AuditError::Address { text: from.to_owned() }),
            Err(_no_address) => from.to_owned(),
        };
        let failed = |source| AuditError::File { path: Utf8Path::new(&path).to_owned(), source };
        let file = File::open(&path).map_err(failed)?;
        let changed = file.metadata().and_then(|data| data.modified()).map_err(failed)?;
        let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Unsigned { file, checked: i64::try_from(since.as_secs()).unwrap_or(i64::MAX) })
    }
}
