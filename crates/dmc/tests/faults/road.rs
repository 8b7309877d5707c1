//! What lies between the program and the mirror: names, addresses, proxies, TLS.

use crate::scene::{NGINX, WANTED, assert_recovers, assert_told, clear, read_from, scene};
use crate::stage::{HONEST, Stage, Told};
use dmc_testkit::{AUTHORITY, Proxy, Server, TlsFront, clock};
use std::net::TcpListener;

/// A run with these variables in its environment.
fn run_with(stage: &Stage, variables: &[(&str, &str)]) -> Told {
    let mut command = stage.command(&NGINX);
    command.envs(variables.iter().copied());
    stage.told(&command.output().unwrap())
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn nobody_there_and_no_such_host_are_told() {
    let stage = scene();
    let refused = format!("{}/debian", nobody());
    for (url, word) in
        [(refused.as_str(), "refused"), ("http://no-such-host.invalid/debian", "no-such-host")]
    {
        read_from(&stage, url);
        let told = stage.run(&NGINX);
        assert_told(&told, &[url, "(3 attempts)", "the connection failed", word], url);
        read_from(&stage, &stage.server.url());
        assert_recovers(&stage, &NGINX, &WANTED, url);
        clear(&stage);
    }
}

#[test]
fn a_mirror_on_ipv6_alone_is_reached() {
    let stage = scene();
    let mirror = Server::start_on_ipv6(&HONEST);
    assert!(mirror.url().starts_with("http://[::1]:"), "{}", mirror.url());
    read_from(&stage, &mirror.url());
    assert_recovers(&stage, &NGINX, &WANTED, "ipv6");
    assert!(mirror.count("dists/trixie/InRelease") > 0);
}

#[test]
fn proxies_are_used_for_all_hosts_but_those_of_no_proxy() {
    let stage = scene();
    let proxy = Proxy::start(stage.server.address());
    let url = proxy.url();
    // The name exists for the proxy alone.
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        clear(&stage);
        read_from(&stage, "http://deb.example/debian");
        let before = proxy.asked().len();
        let told = run_with(&stage, &[(name, &url)]).good();
        assert_eq!(told.stdout, *WANTED, "{name}");
        let asked = proxy.asked().split_off(before);
        let wanted = "GET http://deb.example/debian/dists/trixie/InRelease";
        assert!(asked.iter().any(|line| line == wanted), "{name}: {asked:?}");
    }
    // A proxy that is not there hurts only those who are sent to it.
    let dead = nobody();
    read_from(&stage, &stage.server.url());
    for name in ["no_proxy", "NO_PROXY"] {
        for hosts in ["127.0.0.1", "deb.example,127.0.0.0/8", "*"] {
            clear(&stage);
            let told = run_with(&stage, &[("http_proxy", &dead), (name, hosts)]).good();
            assert_eq!(told.stdout, *WANTED, "{name}={hosts}");
        }
    }
    clear(&stage);
    let told = run_with(&stage, &[("http_proxy", &dead), ("no_proxy", "deb.example")]);
    assert_told(&told, &["the connection failed", "http_proxy"], "a dead proxy");
    assert_recovers(&stage, &NGINX, &WANTED, "without the proxy");
}

#[test]
fn certificates_are_accepted_from_known_authorities_alone() {
    let stage = scene();
    stage.write("authority.pem", AUTHORITY.as_bytes());
    let authority = stage.path("authority.pem");
    let known = ("SSL_CERT_FILE", authority.as_str());
    let front = TlsFront::start(stage.server.address());
    let secure = format!("https://{}/debian", front.address());
    read_from(&stage, &secure);
    let told = run_with(&stage, &[]);
    let words = ["the server's certificate is not accepted", "UnknownIssuer", "SSL_CERT_FILE"];
    assert_told(&told, &words, "unknown authority");
    assert!(!told.stderr.contains("attempts"), "it is not tried again: {}", told.stderr);
    assert!(stage.server.requests().is_empty());
    assert_eq!(run_with(&stage, &[known]).good().stdout, *WANTED);
    // Through a proxy the certificate is still the server's.
    let proxy = Proxy::start(front.address());
    read_from(&stage, "https://localhost/debian");
    for (variables, good) in
        [(vec![known], true), (vec![], false), (vec![known, ("no_proxy", "localhost")], false)]
    {
        clear(&stage);
        let url = proxy.url();
        let told = run_with(&stage, &[&[("https_proxy", url.as_str())], &*variables].concat());
        assert_eq!(told.code == Some(0), good, "{variables:?}: {}", told.stderr);
    }
    assert_eq!(proxy.asked()[0], "CONNECT localhost:443");
    read_from(&stage, &secure.replace("127.0.0.1", "127.0.0.2"));
    assert_eq!(run_with(&stage, &[known]).code, Some(1), "another name");
    read_from(&stage, &secure);
    let mut command = stage.command(&NGINX);
    clock::set_wrong(command.env("SSL_CERT_FILE", &authority), -20 * 366 * 86_400);
    let told = stage.told(&command.output().unwrap());
    assert_told(&told, &["certificate is not accepted", "clock"], "before its time");
    read_from(&stage, &stage.server.url());
    assert_recovers(&stage, &NGINX, &WANTED, "without TLS");
}
