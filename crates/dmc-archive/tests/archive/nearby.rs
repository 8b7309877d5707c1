//! A cache that is asked before the mirror, and trusted with nothing.

use crate::stage::{Stage, candidate, quick};
use dmc_archive::TransportOptions;
use dmc_archive::transport::Nearby;
use dmc_types::Sha256;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

const HELLO: &str = "pool/main/h/hello/hello_1.0-1_amd64.deb";

/// A cache that gives these bytes by these digests, whatever they are.
#[derive(Debug, Default)]
struct Cache {
    files: BTreeMap<Sha256, Vec<u8>>,
    breaks: bool,
}

impl Nearby for Cache {
    fn copy<'a>(
        &'a self,
        digest: &'a Sha256,
        _size: u64,
        into: &'a mut (dyn Write + Send),
    ) -> BoxFuture<'a, io::Result<bool>> {
        Box::pin(async move {
            let Some(bytes) = self.files.get(digest) else { return Ok(false) };
            into.write_all(bytes)?;
            if self.breaks { Err(io::Error::other("the cache went away")) } else { Ok(true) }
        })
    }
}

/// Everything that the mirror has, by its digest.
fn all_of(stage: &Stage) -> BTreeMap<Sha256, Vec<u8>> {
    let files = stage.archive.files().values();
    files.map(|bytes| (dmc_testkit::sha256(bytes).parse().unwrap(), bytes.clone())).collect()
}

fn near(cache: Cache) -> TransportOptions {
    TransportOptions { nearby: Some(Arc::new(cache)), ..quick() }
}

#[tokio::test]
async fn what_the_cache_has_is_not_asked_of_the_mirror() {
    let stage = Stage::new();
    let options = near(Cache { files: all_of(&stage), breaks: false });
    let archive = stage.run_with(stage.spec(), options);
    let hello = candidate(&archive, "hello").await;
    let facts = archive.facts(&hello).await.unwrap();
    assert_eq!(facts.version, "1.0-1");
    let asked = stage.server.requests();
    assert!(asked.iter().all(|asked| asked.path.ends_with("InRelease")), "{asked:?}");
    let traffic = archive.transport().traffic();
    assert!(traffic.nearby >= hello.size && traffic.received < hello.size, "{traffic:?}");
}

#[tokio::test]
async fn whatever_is_wrong_with_the_cache_the_mirror_is_there() {
    for (why, cache) in [
        ("empty", |_: &Stage| Cache::default()),
        ("broken", |stage: &Stage| Cache { files: all_of(stage), breaks: true }),
        ("false bytes", |stage: &Stage| {
            let mut files = all_of(stage);
            for bytes in files.values_mut() {
                bytes.reverse();
            }
            Cache { files, breaks: false }
        }),
        ("too much", |stage: &Stage| {
            let mut files = all_of(stage);
            for bytes in files.values_mut() {
                bytes.resize(bytes.len() + (1 << 20), 0);
            }
            Cache { files, breaks: false }
        }),
        ("too little", |stage: &Stage| {
            let mut files = all_of(stage);
            for bytes in files.values_mut() {
                bytes.truncate(bytes.len() / 2);
            }
            Cache { files, breaks: false }
        }),
    ] as [(&str, fn(&Stage) -> Cache); 5]
    {
        let stage = Stage::new();
        let archive = stage.run_with(stage.spec(), near(cache(&stage)));
        let hello = candidate(&archive, "hello").await;
        assert_eq!(archive.facts(&hello).await.unwrap().version, "1.0-1", "{why}");
        assert_eq!(stage.server.count(HELLO), 1, "{why}");
        assert_eq!(archive.transport().traffic().nearby, 0, "{why}");
    }
}
