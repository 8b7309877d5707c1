//! Files that no index names.

use crate::stage::{Stage, refused};
use dmc_archive::{Archive, Unsigned};
use dmc_testkit::Fault;
use reqwest::Url;
use std::io::Read as _;

const PATH: &str = "tracker.json";
const LIMIT: u64 = 1 << 20;

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.change(|archive| archive.put(PATH, "one"));
    stage
}

fn url(stage: &Stage) -> Url {
    Url::parse(&format!("{}/{PATH}", stage.server.url())).unwrap()
}

fn text(found: Unsigned) -> String {
    let mut text = String::new();
    let mut file = found.file;
    file.read_to_string(&mut text).unwrap();
    text
}

async fn read(stage: &Stage, archive: &Archive) -> String {
    text(archive.unsigned(&url(stage), LIMIT).await.unwrap())
}

fn offline(stage: &Stage) -> Archive {
    stage.offline()
}

#[tokio::test]
async fn what_did_not_change_does_not_come_again_and_serves_runs_without_network() {
    let mut stage = stage();
    refused(offline(&stage).unsigned(&url(&stage), LIMIT).await, "never fetched", &["network"]);
    let archive = stage.run();
    assert_eq!(read(&stage, &archive).await, "one");
    let received = archive.transport().traffic().received;
    assert_eq!(read(&stage, &archive).await, "one");
    assert_eq!(archive.transport().traffic().received, received, "it came again");
    assert_eq!(stage.server.count(PATH), 2);
    assert_eq!(read(&stage, &offline(&stage)).await, "one");

    stage.change(|archive| archive.put(PATH, "another"));
    assert_eq!(read(&stage, &stage.run()).await, "another");
    let shelf = stage.run().store().root().join("unsigned");
    assert_eq!(shelf.read_dir_utf8().unwrap().count(), 1, "the old one stayed");
    assert_eq!(stage.server.count(PATH), 3);
}

#[tokio::test]
async fn what_breaks_off_is_resumed_and_what_is_damaged_comes_again() {
    let stage = stage();
    stage.server.fault(PATH, 1, Fault::Cut(2));
    let archive = stage.run();
    assert_eq!(read(&stage, &archive).await, "one");
    let shelf = archive.store().root().join("unsigned");
    let stored = shelf.read_dir_utf8().unwrap().next().unwrap().unwrap().into_path();
    std::fs::write(stored, "bad").unwrap();
    assert_eq!(read(&stage, &archive).await, "one");
}

#[tokio::test]
async fn what_cannot_be_had_is_named_and_nothing_of_it_is_kept() {
    let stage = stage();
    let archive = stage.run();
    refused(archive.unsigned(&url(&stage), 2).await, "too long", &["larger than 2 bytes"]);
    stage.server.fault(PATH, 1, Fault::status(404));
    refused(archive.unsigned(&url(&stage), LIMIT).await, "absent", &["no such file"]);
    // An answer to a question that was not asked.
    stage.server.fault(PATH, 1, Fault::status(304));
    refused(archive.unsigned(&url(&stage), LIMIT).await, "unasked", &["304"]);
    let store = archive.store();
    let left = store.root().join("unsigned").read_dir_utf8().map_or(0, Iterator::count);
    assert_eq!(left, 0);
}
