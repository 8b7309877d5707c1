//! The registry as a cache of .debs and package indices: each is a blob by its own SHA-256.

use dmc_archive::transport::Nearby;
use dmc_image::oci::Descriptor;
use dmc_registry::{Cause, Registry, Repository};
use dmc_types::Sha256;
use futures::future::BoxFuture;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// One repository with the files that a plan has brought there.
pub(crate) struct RegistryCache {
    pub(crate) registry: Arc<Registry>,
    pub(crate) repository: Repository,
}

impl fmt::Debug for RegistryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryCache({})", self.repository)
    }
}

impl Nearby for RegistryCache {
    fn copy<'a>(
        &'a self,
        digest: &'a Sha256,
        size: u64,
        into: &'a mut (dyn Write + Send),
    ) -> BoxFuture<'a, io::Result<bool>> {
        Box::pin(async move {
            let blob = Descriptor::new(super::DEB, *digest, size);
            match self.registry.blob_to(&self.repository, &blob, into).await {
                Ok(()) => Ok(true),
                Err(error) if matches!(*error.cause, Cause::NotThere) => Ok(false),
                Err(error) => Err(io::Error::other(error)),
            }
        })
    }
}
