//! Both sides on the machine's real mirror.
//!
//! Needs curl and a Debian mirror in apt's configuration; what is missing is a failure. Files come
//! by ordinary GET into a folder that both sides read: `InRelease` each time, indices and packages
//! once, as their names change with their contents.

use camino::Utf8Path;
use debian_packaging::package_version::PackageVersion;
use debian_packaging::repository::release::{ChecksumType, ReleaseFile};
use dmc_archive::mirror::AptConfiguration;
use dmc_archive::{Candidate, Keyrings, Packages, Role, ShippedKeyring};
use dmc_deb::version::Version;
use dmc_oracle::site::{COMPONENT, Site};
use dmc_oracle::{faults, index, package, relation, release};
use dmc_types::PackageName;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::process::Command;
use std::sync::LazyLock;

const MACHINE_KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// A suite, as far as it was fetched.
struct Fetched {
    site: Site,
    mirror: String,
}

static SUITES: LazyLock<[Fetched; 2]> = LazyLock::new(|| {
    [Fetched::new("trixie", Role::Main), Fetched::new("trixie-security", Role::Security)]
});

impl Fetched {
    /// Its `InRelease` and the index of amd64.
    fn new(name: &str, role: Role) -> Self {
        let folder = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("archive").join(name);
        let site = Site { folder, suite: name.to_owned(), role, keyrings: keyrings() };
        let path = format!("dists/{name}/InRelease");
        let has =
            |mirror: &String| get(mirror, &path, &site.folder) && is_debian(&site.read(&path));
        let mirror = mirrors(role).into_iter().find(has);
        let mirror = mirror.unwrap_or_else(|| panic!("no mirror of apt's sources has {name}"));
        let fetched = Self { site, mirror };
        let release = fetched.site.theirs();
        let entries = release.release().iter_packages_indices(ChecksumType::Sha256).unwrap();
        let wanted = format!("{COMPONENT}/binary-amd64/Packages.xz");
        let entry = entries.map(Result::unwrap).find(|entry| entry.path == wanted).unwrap();
        fetched.fetch(&format!("dists/{name}/{}", entry.by_hash_path()));
        fetched
    }

    fn fetch(&self, path: &str) {
        let there = self.site.folder.join(path).exists();
        assert!(there || get(&self.mirror, path, &self.site.folder), "{path} cannot be fetched");
    }
}

/// The machine's archives that may be of this role.
fn mirrors(role: Role) -> Vec<String> {
    let apt = AptConfiguration::read("/".into()).unwrap();
    let sources = apt.sources.iter().map(|entry| &entry.source);
    let security = |suite: &dmc_types::Suite| suite.as_str().ends_with("-security");
    let fits = sources
        .filter(|source| source.suites.iter().any(security) == (role == Role::Security))
        .flat_map(|source| source.uris.clone());
    fits.filter(|uri| uri.starts_with("http")).collect()
}

fn is_debian(in_release: &[u8]) -> bool {
    ReleaseFile::from_armored_reader(in_release).is_ok_and(|file| file.origin() == Some("Debian"))
}

/// The machine's keys, else those that dmc brings.
fn keyrings() -> Keyrings {
    let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/keyrings");
    let files = folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path());
    let shipped = files.filter(|path| path.extension() == Some("asc")).map(|path| ShippedKeyring {
        name: path.file_name().unwrap().to_owned(),
        bytes: fs::read(&path).unwrap().into(),
    });
    Keyrings { machine: MACHINE_KEYRINGS.map(Into::into).to_vec(), shipped: shipped.collect() }
}

/// Fetches a file to its place below `folder`.
fn get(mirror: &str, path: &str, folder: &Utf8Path) -> bool {
    let (url, file) = (format!("{}/{path}", mirror.trim_end_matches('/')), folder.join(path));
    let part = file.with_file_name(format!("{}.part", file.file_name().unwrap()));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let options = ["--fail", "--silent", "--show-error", "--location", "--retry", "3", "--globoff"];
    let status =
        Command::new("curl").args(options).args(["--output", part.as_str(), &url]).status();
    let done = status.expect("curl must be installed").success();
    if done {
        fs::rename(&part, &file).unwrap();
    }
    done
}

#[test]
fn releases_are_read_alike() {
    for Fetched { site, .. } in &*SUITES {
        let ours = release::ours(&site.ours().release().unwrap());
        assert!(
            ours == release::theirs(site.theirs().release()),
            "{} is read otherwise",
            site.suite
        );
        assert!(ours.files.len() > 50, "{}", ours.files.len());
    }
}

#[test]
fn every_package_of_the_indices_is_read_alike() {
    for Fetched { site, .. } in &*SUITES {
        let (ours, theirs) = (site.ours().packages(), site.theirs().packages());
        assert_eq!(ours.len(), theirs.len(), "{}", site.suite);
        let mut rows: BTreeMap<String, Vec<index::Row>> = BTreeMap::new();
        for there in &*theirs {
            let row = index::theirs(there);
            rows.entry(row[0].clone()).or_default().push(row);
        }
        for (name, rows) in &rows {
            let here = ours.package(&name.parse().unwrap()).unwrap();
            let here = index::ours(&here.unwrap_or_else(|| panic!("{name} is missing")));
            // Of several versions the index gives the highest.
            assert!(rows.contains(&here), "{here:#?}\nis none of {rows:#?}");
        }
        println!("{}: {} packages, {} names", site.suite, theirs.len(), rows.len());
        assert!(theirs.len() > 100, "{} of {}", theirs.len(), site.suite);
    }
}

#[test]
fn every_relation_of_the_indices_is_read_alike() {
    let (mut fields, mut qualified, mut left_out) = (0, 0, 0);
    for Fetched { site, .. } in &*SUITES {
        for there in &*site.theirs().packages() {
            for field in relation::FIELDS {
                let Some(text) = there.field_str(field) else { continue };
                let (wanted, swallowed) = relation::theirs(text).unwrap();
                let read = relation::ours(text);
                assert_eq!(read, wanted, "{field} of {}", there.package().unwrap());
                fields += 1;
                qualified += swallowed;
                left_out += read.left_out.len();
            }
        }
    }
    println!("{fields} fields, {qualified} names with an architecture, {left_out} left out");
    assert!(fields > 50_000 && qualified > 1000, "{fields} fields, {qualified}");
    assert!(left_out < 100, "{left_out} are left out");
}

/// The versions of packages and those that relations ask for, each once, in dmc's order.
fn versions() -> Vec<Version> {
    let mut texts = BTreeSet::new();
    for Fetched { site, .. } in &*SUITES {
        for there in &*site.theirs().packages() {
            texts.insert(there.version_str().unwrap().to_owned());
            for field in relation::FIELDS {
                let Some(list) = there.field_dependency_list(field) else { continue };
                for one in list.unwrap().requirements().flat_map(|group| group.iter()) {
                    let version = one.version_constraint.as_ref();
                    texts.extend(version.map(|constraint| constraint.version.to_string()));
                }
            }
        }
    }
    let mut versions: Vec<Version> = texts.iter().map(|text| text.parse().unwrap()).collect();
    versions.sort();
    versions
}

#[test]
fn neighbours_among_all_versions_are_compared_alike_but_for_the_known_fault() {
    let all = versions();
    let (mut right, mut missed, mut overflowing) = (0, 0, 0);
    // Next to each other in the order, and a little apart.
    let pairs = [1, 2, 5].into_iter().flat_map(|far| all.iter().zip(&all[far..]));
    for (low, high) in pairs.flat_map(|(low, high)| [(low, high), (high, low)]) {
        let (left, there) = (low.as_str(), high.as_str());
        if faults::overflows(left) || faults::overflows(there) {
            overflowing += 1;
            continue;
        }
        let theirs =
            PackageVersion::parse(left).unwrap().cmp(&PackageVersion::parse(there).unwrap());
        if faults::misses_tilde(left, there) {
            assert_eq!(
                (low.cmp(high), theirs),
                (Ordering::Greater, Ordering::Less),
                "{left} {there}"
            );
            missed += 1;
        } else {
            assert_eq!(low.cmp(high), theirs, "{left} {there}");
            right += 1;
        }
    }
    println!(
        "{} versions: {right} pairs alike, {missed} missed, {overflowing} left out",
        all.len()
    );
    assert!(right > 100_000 && missed > 100, "{right} alike, {missed} missed");
}

#[test]
fn the_packages_of_nginx_and_all_that_it_depends_on_are_read_alike() {
    let fetched = &SUITES[0];
    let ours = fetched.site.ours();
    let (mut members, mut md5sums) = (0, 0);
    let closure = closure(&ours.packages(), "nginx");
    for candidate in &closure {
        fetched.fetch(&candidate.filename);
        let here = package::ours(&ours.facts(candidate));
        let there = package::theirs(&fetched.site.read(&candidate.filename));
        assert_eq!(here, there, "{}", candidate.filename);
        members += here.members.len();
        md5sums += here.md5sums.len();
    }
    println!("{} packages, {members} members, {md5sums} MD5 sums", closure.len());
    assert!(closure.len() > 10 && members > 800 && md5sums > 400, "{members}, {md5sums}");
}

/// What a package depends on, and so on: of each choice the first that there is.
fn closure(packages: &Packages, root: &str) -> Vec<Candidate> {
    let mut wanted: VecDeque<PackageName> = VecDeque::from([root.parse().unwrap()]);
    let mut found: BTreeMap<PackageName, Candidate> = BTreeMap::new();
    while let Some(name) = wanted.pop_front() {
        let provider = || packages.providers(&name).unwrap().into_iter().next();
        let Some(candidate) = packages.package(&name).unwrap().or_else(provider) else { continue };
        if found.contains_key(&candidate.package) {
            continue;
        }
        let first = candidate.relations().groups.into_iter().map(|group| group[0].name.clone());
        wanted.extend(first);
        found.insert(candidate.package.clone(), candidate);
    }
    found.into_values().collect()
}
