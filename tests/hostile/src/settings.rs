//! What people write: templates, configuration, rules; and the lock, which dmc writes.

use dmc_audit::Curated;
use dmc_lock::{Lock, LockedPackage, LockedRelease, PackageKey, Role};
use dmc_system::Grammar;
use dmc_template::{Catalog, Conf, ConfLayer, SmallConf, TemplateFolder, read_rules};
use dmc_types::{Arch, Checksum, Sha256, Sha512};
use std::collections::BTreeMap;

/// Parts of an input, each the text of one template, are divided by such a line.
const DIVIDER: &str = "\n%%\n";

/// Texts of templates `a`, `b`, … that may extend each other; what can be used at all can be used
/// for every architecture, or says why not.
pub fn template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let folder = |(name, text): (char, &str)| TemplateFolder {
        name: name.to_string(),
        files: BTreeMap::from([("template.toml".to_owned(), text.as_bytes().to_vec().into())]),
        origin: format!("templates/{name}"),
    };
    let catalog = Catalog::with_tools(('a'..'e').zip(text.split(DIVIDER)).map(folder).collect());
    for name in ["a", "b", "a-dev"] {
        let Ok(template) = catalog.get(name) else { continue };
        assert_eq!(template.name().as_str(), name);
        for arch in [Arch::Amd64, Arch::Armhf] {
            if let Err(error) = template.for_arch(arch) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
    for error in catalog.broken() {
        assert!(!error.to_string().is_empty());
        assert!(error.hint().is_none_or(|hint| !hint.is_empty()));
    }
    assert!(catalog.groups().values().all(|names| !names.is_empty()));
}

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        [$(include_bytes!(concat!("../../../", $path)).as_slice()),*]
    };
}

pub(crate) fn template_seeds() -> Vec<Vec<u8>> {
    let shipped = shipped![
        "templates/nginx/template.toml",
        "templates/php/template.toml",
        "templates/mariadb/template.toml",
        "templates/minimal/template.toml",
        "templates/tzdata/template.toml",
        "templates/static/template.toml",
        "templates/dev/template.toml",
    ];
    let family = b"group = \"app\"\nsummary = \"a\"\nextends = [\"b\"]\npackages = [\"nginx\"]\n\
        include = [\"/usr/bin/{a,b}*\", \"/usr/lib/${TRIPLET}/**\"]\n%%\n\
        abstract = true\ngroup = \"base\"\nsummary = \"b\"\n[[user]]\nname = \"www\"\nuid = 33\n";
    shipped.into_iter().chain([&family[..]]).map(<[u8]>::to_vec).collect()
}

/// A text as each of the configuration's files: over the shipped settings, as rules, as what small
/// images leave out, as places of code, and as the grammar of scripts.
pub fn conf(data: &[u8]) {
    let shipped = ConfLayer { file: "dmc.conf", bytes: SHIPPED };
    let own = ConfLayer { file: "own.conf", bytes: data };
    match Conf::read(&[shipped, own]) {
        Ok(conf) => assert!(conf.connections > 0 && !conf.archs.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Err(error) = read_rules([("own.toml", data)], Arch::Amd64) {
        assert!(!error.to_string().is_empty());
        assert!(error.hint().is_none_or(|hint| !hint.is_empty()));
    }
    if let Err(error) = Curated::read([("vex.toml", data)]) {
        assert!(error.to_string().starts_with("vex.toml: "));
    }
    if let Err(error) = SmallConf::read("small.toml", data) {
        assert!(error.line > 0);
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Err(error) = Grammar::read("scripts.toml", text)
    {
        assert!(!error.to_string().is_empty());
    }
}

const SHIPPED: &[u8] = include_bytes!("../../../conf/dmc.conf");

pub(crate) fn conf_seeds() -> Vec<Vec<u8>> {
    let shipped = shipped![
        "conf/dmc.conf",
        "conf/small.toml",
        "conf/vex/libraries.toml",
        "conf/scripts.toml",
        "conf/rules/libc.toml",
        "conf/rules/python.toml",
        "conf/rules/servers.toml",
    ];
    let own =
        b"archs = [\"arm64\"]\nmirror = \"http://deb.example/debian\"\ncompression = \"zstd:3\"\n\
        [vendor.debian.suites]\nforky = { version = \"14\", aliases = [\"testing\"] }\n";
    shipped.into_iter().chain([&own[..]]).map(<[u8]>::to_vec).collect()
}

/// A lock: what is read is written as the same lock, and every name in it leads somewhere.
pub fn lock(data: &[u8]) {
    let lock = match Lock::parse(data) {
        Ok(lock) => lock,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.hint().is_empty());
            return;
        }
    };
    let text = lock.to_string();
    let again = Lock::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(again, lock);
    assert_eq!(again.to_string(), text);
    assert!(lock.differences(&again).is_empty());
    for (name, template) in &lock.templates {
        for (arch, keys) in &template.packages {
            assert_eq!(lock.image(name, *arch).unwrap().len(), keys.len());
        }
    }
    for deb in lock.debs() {
        assert!(lock.releases.contains_key(&deb.suite));
    }
}

pub(crate) fn lock_seeds() -> Vec<Vec<u8>> {
    let digest = Sha256::from_bytes([0x5a; 32]);
    let mut lock = Lock::new("image 2", "trixie@20260912T080000Z", digest);
    let empty = lock.to_string();
    for (suite, role) in [("trixie", Some(Role::Main)), ("trixie-security", Some(Role::Security))] {
        let signer = "0F".repeat(20).parse().unwrap();
        let release = LockedRelease {
            role,
            date: 1_789_200_000,
            in_release: digest,
            signer,
            expired: role == Some(Role::Security),
        };
        lock.releases.insert(suite.parse().unwrap(), release);
    }
    let row = |key: &str, version: &str, checksum| {
        let row = LockedPackage {
            version: version.parse().unwrap(),
            arch: (key != "tzdata").then_some(Arch::Amd64),
            size: 7,
            checksum,
            suite: "trixie".parse().unwrap(),
            path: format!("pool/main/{key}_{version}.deb").parse().unwrap(),
        };
        (key.parse::<PackageKey>().unwrap(), row)
    };
    let rows = [
        row("nginx", "1.26.3-3", Checksum::Sha256(digest)),
        row("tzdata", "1:2025b-4~x", Checksum::Sha512(Sha512::from_bytes([3; 64]))),
    ];
    for (template, count) in [("nginx", 2), ("tzdata", 1)] {
        let rows: BTreeMap<_, _> = rows.iter().rev().take(count).cloned().collect();
        let images = BTreeMap::from([(Arch::Amd64, rows.clone()), (Arch::Arm64, rows)]);
        lock.put(&template.parse().unwrap(), (digest, count == 1), images);
    }
    vec![empty.into_bytes(), lock.to_string().into_bytes(), b"version = 9\nnew = true".to_vec()]
}
