//! The templates, rules and configuration of this repository hold what they promise.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use dmc_template::{Catalog, Conf, ConfLayer, Owner, Placed, TemplateFolder, read_rules};
use dmc_types::{Arch, ImagePath, RuleTrigger};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files below a folder by their path in it, but private ones, which a site may have.
fn files(folder: &Path) -> BTreeMap<String, Cow<'static, [u8]>> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_path_buf()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().unwrap() != "private.d" {
                left.push(path);
            } else if path.is_file() {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap().into());
            }
        }
    }
    found
}

fn catalog() -> Catalog {
    let folders = fs::read_dir(repository().join("templates")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        TemplateFolder { origin: format!("templates/{name}"), files: files(&path), name }
    });
    Catalog::read(folders.collect())
}

fn conf() -> Vec<u8> {
    fs::read(repository().join("conf/dmc.conf")).unwrap()
}

#[test]
fn every_template_holds_on_every_architecture() {
    let catalog = catalog();
    let broken: Vec<String> = catalog.broken().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(catalog.names().count() > 0);
    for name in catalog.names() {
        for arch in Arch::ALL {
            catalog.get(name.as_str()).unwrap().for_arch(arch).unwrap();
        }
    }
}

#[test]
fn dmcs_own_image_waits_for_the_program_and_has_its_version() {
    let mut folder = files(&repository().join("templates/dmc"));
    let read = |name: &str, files| {
        let parts = ["tls-roots", "minimal", "accounts", "nonroot", "nss", "os-release", "tmp"];
        let part = |name: &str| TemplateFolder {
            origin: name.to_owned(),
            files: self::files(&repository().join("templates").join(name)),
            name: name.to_owned(),
        };
        let own = TemplateFolder { origin: name.to_owned(), files, name: name.to_owned() };
        Catalog::read(parts.iter().copied().map(part).chain([own]).collect())
    };
    let waiting = read("dmc", folder.clone());
    assert!(matches!(waiting.get("dmc"), Err(dmc_template::TemplateError::NoProgram { .. })));
    folder.insert("files-amd64/usr/bin/dmc".to_owned(), b"\x7fELF".into());
    let ready = read("dmc", folder);
    let dmc = ready.get("dmc").unwrap().for_arch(Arch::Amd64).unwrap();
    assert_eq!(dmc.version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert!(ready.get("dmc").unwrap().for_arch(Arch::Arm64).is_err());
}

#[test]
fn nginx_runs_as_an_ordinary_user_on_8080() {
    let catalog = catalog();
    let nginx = catalog.get("nginx").unwrap();
    assert_eq!(nginx.group(), "base");
    for arch in Arch::ALL {
        let nginx = nginx.for_arch(arch).unwrap();
        let packages: Vec<&str> = nginx.packages.iter().map(|it| it.name.as_str()).collect();
        let wanted = ["base-passwd", "libc-bin", "base-files", "nginx", "nginx-common"];
        assert_eq!(packages, wanted);
        assert_eq!(nginx.roots, [ImagePath::parse("/usr/sbin/nginx").unwrap()]);
        assert_eq!(nginx.image.user, Some(Owner { uid: 65532, gid: 65532 }));
        assert_eq!(nginx.image.ports[0].to_string(), "8080/tcp");
        assert_eq!(nginx.image.stop_signal.as_deref(), Some("SIGQUIT"));
        let placed: Vec<String> = nginx.placed.iter().map(describe).collect();
        insta::allow_duplicates! { insta::assert_snapshot!(placed.join("\n"), @r"
        folder 0755 0 /dev
        file 0644 0 /etc/nginx/conf.d/default.conf
        file 0644 0 /etc/nginx/nginx.conf
        copy /etc/nsswitch.conf of /usr/share/libc-bin/nsswitch.conf
        folder 0700 65532 /home/nonroot
        folder 0755 0 /proc
        folder 0700 0 /root
        folder 0755 0 /run
        folder 1777 0 /run/lock
        folder 0755 0 /sys
        folder 1777 0 /tmp
        link /var/lock -> /run/lock
        link /var/run -> /run
        folder 1777 0 /var/tmp
        "); }
    }
}

fn describe((path, placed): (&ImagePath, &Placed)) -> String {
    match placed {
        Placed::File { mode, owner, .. } => format!("file {mode:04o} {} {path}", owner.uid),
        Placed::Directory { mode, owner } => format!("folder {mode:04o} {} {path}", owner.uid),
        Placed::Link(target) => format!("link {path} -> {target}"),
        Placed::Copy(from) => format!("copy {path} of {from}"),
        Placed::Concat { parts, .. } => format!("{path} of {} parts", parts.len()),
    }
}

#[test]
fn threads_may_end_as_libgcc_is_there() {
    let files = files(&repository().join("conf/rules"));
    for arch in Arch::ALL {
        let files = files.iter().map(|(file, bytes)| (file.as_str(), &**bytes));
        let rules = read_rules(files, arch).unwrap();
        let fired = |symbol: &str| {
            let trigger = RuleTrigger::Import(symbol.to_owned());
            rules.iter().find(|rule| rule.triggers.contains(&trigger)).unwrap()
        };
        for symbol in ["pthread_exit", "pthread_cancel"] {
            assert_eq!(fired(symbol).effect.libraries[0].as_str(), "libgcc_s.so.1");
        }
    }
}

#[test]
fn trixie_is_three_suites_of_two_archives() {
    let bytes = conf();
    let conf = Conf::read(&[ConfLayer { file: "conf/dmc.conf", bytes: &bytes }]).unwrap();
    assert_eq!(
        (conf.dist.as_str(), conf.archs.as_slice()),
        ("trixie", &[Arch::Amd64, Arch::Arm64][..])
    );
    let trixie = conf.dist(&conf.dist).unwrap();
    assert_eq!((trixie.version(), trixie.vendor.origin.as_str()), (Some("13"), "Debian"));
    let pockets: Vec<String> = trixie
        .pockets(Arch::Amd64)
        .unwrap()
        .iter()
        .map(|pocket| format!("{} {} {}", pocket.suite, pocket.archive, pocket.uri))
        .collect();
    insta::assert_snapshot!(pockets.join("\n"), @r"
    trixie main http://ftp.fr.debian.org/debian
    trixie-updates main http://ftp.fr.debian.org/debian
    trixie-security security http://security.debian.org/debian-security
    ");
    let sid = conf.dist("unstable").unwrap();
    assert_eq!(sid.pockets(Arch::Amd64).unwrap().len(), 1);
}

#[test]
fn the_configurations_names_of_licences_join_the_shipped_ones() {
    let shipped = fs::read_to_string(repository().join("conf/licences.toml")).unwrap();
    let ours = b"[licences.names]\nOwn = \"LicenseRef-own\"\nExpat = \"X11\"\nISC = \"\"";
    let layers = [
        ConfLayer { file: "conf/dmc.conf", bytes: &conf() },
        ConfLayer { file: "test", bytes: ours },
    ];
    let licences = Conf::read(&layers).unwrap().licences;
    let names = licences.all_names(&shipped).unwrap();
    let id = |name: &str| names.get(name).map(String::as_str);
    assert_eq!(
        ["Own", "Expat", "ISC", "GPL-2+"].map(id),
        [Some("LicenseRef-own"), Some("X11"), None, Some("GPL-2.0-or-later")]
    );
    assert!(licences.all_names("Expat = 1").unwrap_err().to_string().contains("licences.toml"));
}

#[test]
fn every_shipped_keyring_is_named_and_every_named_one_is_shipped() {
    let bytes = conf();
    let conf = Conf::read(&[ConfLayer { file: "conf/dmc.conf", bytes: &bytes }]).unwrap();
    let shipped = files(&repository().join("conf/keyrings"));
    let shipped: Vec<&str> =
        shipped.keys().map(String::as_str).filter(|file| !file.starts_with("README")).collect();
    assert_eq!(conf.vendors["debian"].keyrings, shipped);
}
