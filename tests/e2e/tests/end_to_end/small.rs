//! Small images: the package set is apt's, and a shell finds its way in them.

use dmc_e2e::{Container, Engine, Workplace, host, run, tool};
use dmc_solve::{Listing, solve};
use dmc_types::Arch;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Servers, interpreters and tools of trixie, with few and with many dependencies.
const PACKAGES: [&str; 30] = [
    "nginx",
    "apache2",
    "mariadb-server",
    "postgresql",
    "redis-server",
    "python3",
    "nodejs",
    "php8.4-fpm",
    "openssh-server",
    "bind9",
    "postfix",
    "exim4",
    "dovecot-imapd",
    "haproxy",
    "squid",
    "memcached",
    "rabbitmq-server",
    "openjdk-21-jre-headless",
    "git",
    "curl",
    "emacs-nox",
    "vim",
    "gcc",
    "samba",
    "slapd",
    "cups",
    "chromium",
    "prometheus",
    "snmpd",
    "proftpd-core",
];

/// apt with folders of its own and an empty system: it fetches indices and simulates.
fn apt(folder: &Path, arch: &str) -> Command {
    let mut apt = tool("apt-get", "apt");
    apt.env("APT_CONFIG", folder.join("apt.conf"));
    apt.args(["-o", &format!("APT::Architecture={arch}")]);
    apt
}

fn prepare(folder: &Path, arch: &str) {
    for inner in ["state/lists/partial", "cache/archives/partial", "etc/sources.list.d"] {
        fs::create_dir_all(folder.join(inner)).unwrap();
    }
    let dump = run(tool("apt-get", "apt").args(["indextargets", "--format", "$(REPO_URI)"])).ok();
    let debian = |uri: &&str| uri.trim_end_matches('/').ends_with("/debian");
    let uri = dump.stdout.lines().find(debian).expect("an archive of Debian's in apt's lists");
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/keyrings");
    let key = |release: &str| {
        let key = keys.join(format!("debian-archive-{release}-automatic.asc"));
        key.canonicalize().unwrap().display().to_string()
    };
    let signers = [key("trixie"), key("bookworm")].join(",");
    let source = format!("deb [signed-by={signers}] {uri} trixie main\n");
    fs::write(folder.join("etc/sources.list"), source).unwrap();
    fs::write(folder.join("status"), "").unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    let conf = format!(
        "Dir::Etc \"{}\";\nDir::State \"{}\";\nDir::State::status \"{}\";\nDir::Cache \"{}\";\n\
         APT::Architectures {{ \"{arch}\"; }};\nAPT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\nDebug::NoLocking \"true\";\n\
         pkgCacheGen::ForceEssential \",\";\n",
        at("etc"),
        at("state"),
        at("status"),
        at("cache")
    );
    fs::write(folder.join("apt.conf"), conf).unwrap();
    run(apt(folder, arch).args(["-q", "update"])).ok();
}

/// What apt would install with the essential packages; it only simulates.
fn apts_answer(folder: &Path, arch: &str, package: &str) -> BTreeSet<String> {
    let mut simulated = apt(folder, arch);
    simulated.args(["-s", "--no-install-recommends", "install", "?essential", package]);
    let said = run(&mut simulated).ok().stdout;
    let installed = said.lines().filter_map(|line| line.strip_prefix("Inst "));
    installed.map(|line| line.split([' ', ':']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_package_set_is_that_of_apt_for_thirty_packages() {
    let folder = tempfile::tempdir().unwrap();
    let arch: Arch = host().parse().unwrap();
    prepare(folder.path(), host());
    let lists = fs::read_dir(folder.path().join("state/lists")).unwrap();
    let mut lists = lists.map(|entry| entry.unwrap().path());
    let text = lists.find(|path| path.to_string_lossy().ends_with("_Packages")).unwrap();
    let listing = Listing::parse(&fs::read(text).unwrap(), arch);
    let mut different = Vec::new();
    println!("{:24} {:>5} {:>5}  differences", "package", "apt", "dmc");
    for package in PACKAGES {
        let apt = apts_answer(folder.path(), host(), package);
        let ours = solve(&listing, &[package.parse().unwrap()]).unwrap();
        let ours: BTreeSet<String> = ours.keys().map(ToString::to_string).collect();
        let difference: Vec<&String> = apt.symmetric_difference(&ours).collect();
        println!("{package:24} {:>5} {:>5}  {difference:?}", apt.len(), ours.len());
        if !difference.is_empty() {
            different.push(package);
        }
    }
    assert!(different.is_empty(), "{different:?}");
}

#[test]
fn a_small_nginx_serves_and_has_a_shell_and_dpkg() {
    let workplace = Workplace::new();
    let built = workplace.create(&["--small", "-t", "nginx"]);
    assert_eq!(built.layout.architectures(&built.digest), ["amd64", "arm64"]);
    let config = built.layout.config(&built.digest, host());
    assert_eq!(config["config"]["Labels"]["dmc.mode"], "small");

    let engine = Engine::podman();
    let args = ["load", "--small", "-t", "nginx", "--engine", engine.name()];
    run(&mut engine.aim(workplace.dmc(&args))).ok();
    let image = format!("localhost/{}", built.reference);
    let shell = |script: &str| {
        let mut command = engine.command();
        command.args(["run", "--rm", "--network=none", "--entrypoint", "sh", &image, "-c", script]);
        run(&mut command).ok().stdout
    };
    let said =
        shell("set -e; ls /; id -u; dpkg -l | tail -3; bash --version; perl -v; awk --version");
    assert!(
        said.contains("\n65532\n") && said.contains("GNU bash") && said.contains("perl 5"),
        "{said}"
    );
    // What the template puts in place of a configuration file, and nothing else.
    assert_eq!(shell("dpkg --verify").trim(), "??5?????? c /etc/nginx/nginx.conf");
    assert_eq!(shell("dpkg --audit").trim(), "");

    let container = Container::with_site(&engine, "", &[&image]);
    assert_eq!(container.get("/").status, 200);
    assert_eq!(container.quit(), 0);
}
