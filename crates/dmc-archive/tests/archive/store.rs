//! The store, as a whole run sees it.

use crate::stage::{Stage, amd64, candidate, quick, refused};
use camino::Utf8PathBuf;
use dmc_archive::mirror::AptConfiguration;
use dmc_archive::transport::Network;
use dmc_archive::{Archive, Quiet, Store, Transport, TransportOptions};
use std::fs;
use std::sync::Arc;

fn run_on(stage: &Stage, store: Store, network: Network) -> Archive {
    let options = TransportOptions { network, ..quick() };
    let transport = Transport::new(options, Arc::new(Quiet));
    Archive::open(stage.spec(), AptConfiguration::default(), store, transport)
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_named() {
    let stage = Stage::new();
    // Tests may run as root, whom permissions do not stop: a file stands where a folder must be.
    for shelf in ["releases", "partial", "indices", "compiled", "contents", "facts", "debs"] {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        fs::create_dir(root.join("v1")).unwrap();
        fs::write(root.join("v1").join(shelf), "in the way").unwrap();
        let archive = run_on(&stage, Store::open(&root), Network::Allowed);
        let result = async {
            amd64(&archive).await?;
            archive.facts(&candidate(&archive, "hello").await).await
        };
        let way = format!("{root}/v1/{shelf}");
        refused(result.await, shelf, &[&way]);
    }
}

#[tokio::test]
async fn a_dry_run_opens_no_socket_and_writes_nothing() {
    let stage = Stage::new();
    let dry = || run_on(&stage, stage.store().read_only(), Network::Offline);
    refused(amd64(&dry()).await, "empty", &["may not use the network"]);
    assert!(stage.stored().is_empty());
    stage.run().releases().await.unwrap();
    refused(amd64(&dry()).await, "no index", &["the index of `trixie", "is not in the store"]);
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    refused(dry().facts(&wanted).await, "no facts", &["not in the store"]);
    assert!(!stage.store().has_facts(&archive.store().key(&wanted.checksum).unwrap().unwrap()));
    archive.facts(&wanted).await.unwrap();
    let (before, requests) = (stage.stored(), stage.server.requests().len());
    let archive = dry();
    let wanted = candidate(&archive, "hello").await;
    let facts = archive.facts(&wanted).await.unwrap();
    assert!(stage.store().has_facts(&facts.deb) && stage.store().has_deb(&facts.deb));
    assert_eq!((stage.stored(), stage.server.requests().len()), (before, requests));
}

#[tokio::test]
async fn losing_the_store_loses_nothing_but_time() {
    let stage = Stage::new();
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    let facts = archive.facts(&wanted).await.unwrap();
    let before = stage.stored();
    fs::remove_dir_all(stage.dir().join("v1")).unwrap();
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    assert_eq!(archive.facts(&wanted).await.unwrap(), facts);
    assert_eq!(stage.stored(), before);
}
