//! A mirror's bad days.

use crate::stage::{
    KEY, Stage, amd64, candidate, hello, main_suite, quick, refused, security_suite,
};
use dmc_archive::TransportOptions;
use dmc_archive::mirror::AptConfiguration;
use dmc_testkit::{Compression, DebBuilder, FakeArchive, Fault, Server, sha256};
use futures::future::try_join_all;
use reqwest::Url;
use std::time::{Duration, Instant};

const RELEASE: &str = "dists/trixie/InRelease";
const HELLO: &str = "pool/main/h/hello/hello_1.0-1_amd64.deb";

fn wait(seconds: &str) -> Vec<(String, String)> {
    vec![("Retry-After".to_owned(), seconds.to_owned())]
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    for fault in [
        Fault::status(500),
        Fault::status(502),
        Fault::status(503),
        Fault::Status(503, wait("0")),
        Fault::Status(429, wait("soon")),
        Fault::Status(429, wait("Fri, 31 Dec 1999 23:59:59 GMT")),
        Fault::Hangup,
        Fault::Cut(100),
        Fault::Stall(100),
        Fault::WrongLength(1_000_000),
        Fault::Slow(4_000_000),
    ] {
        let stage = Stage::new();
        stage.server.fault(RELEASE, 2, fault.clone());
        let begun = Instant::now();
        let archive = stage.run();
        let found = archive.releases().await;
        assert!(found.is_ok(), "{fault:?}: {found:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{fault:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn what_does_not_pass_is_named_with_address_and_attempts() {
    for (fault, attempts, part) in [
        (Fault::status(500), 4, "the server answers 500"),
        (Fault::Status(429, wait("0")), 4, "asks to wait 0 s"),
        (Fault::Status(429, wait("6")), 1, "the server answers 429 and asks to wait 6 s"),
        (Fault::Status(503, wait("Tue, 31 Dec 2999 23:59:59 GMT")), 1, "asks to wait 30"),
        (Fault::Stall(100), 4, "connection"),
        (Fault::Hangup, 4, "connection"),
        (Fault::status(404), 1, "no such file"),
        (Fault::status(403), 1, "the server answers 403"),
        (Fault::status(501), 1, "the server answers 501"),
        (Fault::RedirectLoop, 1, "redirects go round in a circle"),
        (Fault::Redirect("ftp://127.0.0.1/x".into()), 1, "a redirect to `ftp://127.0.0.1/x`"),
        (Fault::Redirect(String::new()), 1, "a redirect to ``"),
    ] {
        let stage = Stage::new();
        stage.server.break_for_good(RELEASE, fault.clone());
        let url = format!("{}/{RELEASE}", stage.server.url());
        let archive = stage.run();
        refused(archive.releases().await, &format!("{fault:?}"), &[&url, part]);
        assert_eq!(stage.server.count(RELEASE), attempts, "{fault:?}");
    }
}

#[tokio::test]
async fn a_host_that_asks_to_wait_is_left_alone_by_all_requests() {
    let stage = Stage::new();
    let archive = stage.run();
    let (busy, other) =
        (candidate(&archive, "hello").await, candidate(&archive, "hello-data").await);
    stage.server.fault(HELLO, 1, Fault::Status(429, wait("1")));
    let begun = Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        archive.facts(&other).await
    };
    let (busy, other) =
        tokio::join!(archive.facts(&busy), async { (later.await, begun.elapsed()) });
    assert!(busy.is_ok() && other.0.is_ok(), "{busy:?} {other:?}");
    assert!(other.1 >= Duration::from_secs(1), "{:?}", other.1);
    assert_eq!(stage.server.count(HELLO), 2);
}

#[tokio::test]
async fn a_mirror_that_takes_in_an_update_is_waited_for() {
    let mut suite = main_suite();
    suite.indices = vec![Compression::Xz];
    let stage = Stage::with(FakeArchive::of(&[suite, security_suite()]));
    let index = |arch: &str| format!("dists/trixie/main/binary-{arch}/Packages.xz");
    let digest = sha256(stage.archive.get(&index("amd64")));
    let hashed = format!("dists/trixie/main/binary-amd64/by-hash/SHA256/{digest}");
    let older = Fault::Replace(stage.archive.get(&index("arm64")).to_vec());
    stage.server.fault(&hashed, 3, Fault::status(404));
    stage.server.fault(&index("amd64"), 2, Fault::status(404));
    stage.server.fault(&index("amd64"), 1, older);
    stage.server.fault(HELLO, 2, Fault::status(404));
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    archive.facts(&wanted).await.unwrap();
    assert_eq!((stage.server.count(&hashed), stage.server.count(HELLO)), (4, 3));
}

#[tokio::test]
async fn an_update_that_does_not_end_is_told() {
    let stage = Stage::new();
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    stage.server.break_for_good(HELLO, Fault::status(404));
    let parts = [HELLO, "(4 attempts)", "there is no such file"];
    refused(archive.facts(&wanted).await, "package", &parts);
    assert_eq!(stage.server.count(HELLO), 4);
}

#[tokio::test]
async fn a_wrong_length_is_refused_before_the_body() {
    let stage = Stage::new();
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    stage.server.break_for_good(HELLO, Fault::WrongLength(u64::MAX / 2));
    refused(archive.facts(&wanted).await, "length", &[HELLO, "it has 9223372036854775807 bytes"]);
    assert_eq!(stage.server.count(HELLO), 1);
}

#[tokio::test]
async fn a_release_without_end_is_refused() {
    let stage = Stage::new();
    stage.server.break_for_good(RELEASE, Fault::WrongLength(1 << 40));
    let archive = stage.run();
    refused(archive.releases().await, "endless", &["it is larger than 16777216 bytes"]);
}

#[tokio::test]
async fn redirects_to_another_host_are_followed() {
    let stage = Stage::new();
    let other = Server::start(&stage.archive);
    for path in [RELEASE, HELLO] {
        stage.server.break_for_good(path, Fault::Redirect(format!("{}/{path}", other.url())));
    }
    let archive = stage.run();
    let wanted = candidate(&archive, "hello").await;
    archive.facts(&wanted).await.unwrap();
    assert_eq!((other.count(RELEASE), other.count(HELLO)), (1, 1));
}

#[tokio::test]
async fn a_long_chain_of_redirects_is_cut() {
    let stage = Stage::new();
    for step in 0..10 {
        let path = if step == 0 { RELEASE.to_owned() } else { format!("hop/{step}") };
        let next = Fault::Redirect(format!("/debian/hop/{}", step + 1));
        stage.server.break_for_good(&path, next);
    }
    refused(stage.run().releases().await, "chain", &["more than 5 redirects"]);
}

#[tokio::test]
async fn a_mirror_that_is_down_is_named() {
    let stage = Stage::new();
    for (url, part) in [
        ("http://127.0.0.1:9/debian", "connection failed"),
        ("http://no-such-host.invalid/debian", "no-such-host.invalid"),
        ("ftp://127.0.0.1/debian", "the scheme `ftp`"),
        ("file:///no/such/folder", "no such file"),
    ] {
        let mut spec = stage.spec();
        spec.mirror = Some(Url::parse(url).unwrap());
        let archive = stage.run_with(spec, quick());
        refused(archive.releases().await, url, &[url, part]);
    }
}

#[tokio::test]
async fn connections_to_a_host_are_few() {
    let debs = (0..12).map(|n| {
        DebBuilder::new(&format!("package-{n}"), "1", "amd64")
            .file("/usr/share/noise", crate::stage::noise(50_000 + n))
    });
    let suite = main_suite().debs(debs);
    let stage = Stage::with(FakeArchive::of(&[suite, security_suite()]));
    let archive =
        stage.run_with(stage.spec(), TransportOptions { connections_per_host: 3, ..quick() });
    let mut wanted = Vec::new();
    for n in 0..12 {
        wanted.push(candidate(&archive, &format!("package-{n}")).await);
    }
    for path in stage.archive.files().keys().filter(|path| path.ends_with(".deb")) {
        stage.server.fault(path, 1, Fault::Slow(500_000));
    }
    try_join_all(wanted.iter().map(|one| archive.facts(one))).await.unwrap();
    assert_eq!(stage.server.most_at_once(), 3);
}

#[tokio::test]
async fn local_archives_need_no_server() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    stage.archive.write_to(folder.path());
    let mut spec = crate::stage::spec(&format!("file://{}", folder.path().display()));
    spec.vendor.keyrings.shipped[0].bytes = KEY.public_binary().into();
    let options = TransportOptions { network: dmc_archive::transport::Network::Offline, ..quick() };
    let archive = stage.run_with(spec, options);
    let wanted = candidate(&archive, "hello").await;
    archive.facts(&wanted).await.unwrap();
    assert!(stage.server.requests().is_empty());
    assert_eq!(archive.transport().traffic().requests, 0);
    std::fs::write(folder.path().join(HELLO), "too short").unwrap();
    std::fs::remove_dir_all(stage.dir().join("v1/debs")).unwrap();
    std::fs::remove_dir_all(stage.dir().join("v1/facts")).unwrap();
    let archive = stage.run_with(archive.spec().clone(), quick());
    refused(archive.facts(&wanted).await, "local", &["file://", "it has 9 bytes instead of"]);
}

#[tokio::test]
async fn progress_tells_what_arrives() {
    use dmc_archive::{Archive, DownloadId, Progress, Transport};
    use std::sync::{Arc, Mutex};

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);
    impl Progress for Log {
        fn started(&self, id: DownloadId, name: &str, total: Option<u64>) {
            self.0.lock().unwrap().push(format!("{} {name} {}", id.0, total.is_some()));
        }
        fn finished(&self, id: DownloadId, complete: bool) {
            self.0.lock().unwrap().push(format!("{} {complete}", id.0));
        }
    }

    let stage = Stage::with(FakeArchive::of(&[main_suite().deb(hello("2")), security_suite()]));
    let log = Arc::new(Log::default());
    let transport = Transport::new(quick(), log.clone());
    let mut spec = stage.spec();
    spec.vendor.sites.truncate(1);
    let archive = Archive::open(spec, AptConfiguration::default(), stage.store(), transport);
    amd64(&archive).await.unwrap();
    let log = log.0.lock().unwrap();
    assert_eq!(log[..2], ["0 InRelease false", "0 true"]);
    assert!(log[2].starts_with("1 ") && log[2].ends_with(" true"), "{log:?}");
}
