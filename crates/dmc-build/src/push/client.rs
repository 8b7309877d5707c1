//! The client of registries that a run has.

use super::PushError;
use crate::settings::Settings;
use dmc_archive::DownloadId;
use dmc_registry::{Credentials, HostOptions, Options, Progress, Registry, TransferId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A client as the settings have it. It opens nothing yet.
pub(crate) fn client(
    settings: &Settings,
    offline: bool,
    progress: &Arc<dyn dmc_archive::Progress>,
) -> Result<Registry, PushError> {
    let (conf, usual) = (&settings.conf, Options::default());
    let mut hosts = BTreeMap::new();
    for (host, of) in &conf.registries {
        let ca = of.ca.clone().filter(|path| !path.is_empty()).map(Into::into);
        let options = HostOptions { ca, plain_http: of.plain_http };
        let host = host.parse().map_err(|source| PushError::Conf { host: host.clone(), source })?;
        hosts.insert(host, options);
    }
    Ok(Registry::new(Options {
        hosts,
        credentials: Credentials::of_files(settings.auth_files.clone()),
        offline,
        connections: usize::from(conf.connections),
        connect_timeout: usual.connect_timeout.min(conf.timeout),
        read_timeout: conf.timeout,
        retries: usize::from(conf.retries),
        progress: Arc::new(Transfers(Arc::clone(progress))),
        ..usual
    }))
}

/// Shows transfers where downloads from mirrors are shown.
struct Transfers(Arc<dyn dmc_archive::Progress>);

/// Numbers of their own: both kinds are counted from 0.
fn id(transfer: TransferId) -> DownloadId {
    DownloadId(transfer.0 | (1 << 63))
}

impl Progress for Transfers {
    fn started(&self, transfer: TransferId, name: &str, total: u64) {
        self.0.started(id(transfer), name, Some(total));
    }

    fn advanced(&self, transfer: TransferId, bytes: u64) {
        self.0.advanced(id(transfer), bytes);
    }

    fn restarted(&self, transfer: TransferId) {
        self.0.restarted(id(transfer));
    }

    fn finished(&self, transfer: TransferId, complete: bool) {
        self.0.finished(id(transfer), complete);
    }
}
