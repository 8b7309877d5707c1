use super::*;
use dmc_deb::deb822::Paragraph;
use dmc_types::ImagePath;

const CODENAME: &str = "trixie";

fn tracker(source: &str, entry: &str) -> Tracker {
    let json = format!(r#"{{"{source}":{{"CVE-1":{{"releases":{{"{CODENAME}":{entry}}}}}}}}}"#);
    Tracker::read(json.as_bytes(), CODENAME).unwrap()
}

fn package(text: &str) -> Package {
    Package::read(&Paragraph::new(text.as_bytes())).unwrap()
}

fn file(path: &str, package: &str) -> KeptFile {
    KeptFile {
        path: ImagePath::parse(path).unwrap(),
        package: package.parse().ok(),
        made_from: Vec::new(),
        own: false,
    }
}

/// libwall1 of the source wall, with its library.
fn holdings() -> Holdings {
    Holdings {
        packages: vec![package(
            "Package: libwall1\nSource: wall (2.0-1)\nVersion: 2.0-1+b3\nArchitecture: amd64\n",
        )],
        files: vec![
            file("/usr/lib/x86_64-linux-gnu/libwall.so.1.2", "libwall1"),
            file("/usr/share/doc/libwall1/copyright", "libwall1"),
        ],
        ..Holdings::default()
    }
}

fn curated(text: &str) -> Curated {
    let data = "data = [\"/usr/share/doc/**\"]\n";
    Curated::read([("test.toml", format!("{data}{text}").as_bytes())]).unwrap()
}

#[test]
fn the_source_version_and_what_the_tracker_says_decide() {
    for (why, entry, wanted) in [
        ("open", r#"{"status":"open","urgency":"high"}"#, Some(Standing::Open)),
        (
            "the release's own version does not count for an older one",
            r#"{"status":"resolved","fixed_version":"2.0-2"}"#,
            Some(Standing::Older),
        ),
        (
            "a rebuild is no newer version",
            r#"{"status":"resolved","fixed_version":"2.0-1+b1"}"#,
            Some(Standing::Older),
        ),
        ("fixed in this very version", r#"{"status":"resolved","fixed_version":"2.0-1"}"#, None),
        ("never affected", r#"{"status":"resolved","fixed_version":"0"}"#, None),
        ("never affected, whatever else", r#"{"status":"open","fixed_version":"0"}"#, None),
        ("nobody knows", r#"{"status":"undetermined"}"#, Some(Standing::Undetermined)),
        ("resolved from nowhere on", r#"{"status":"resolved"}"#, Some(Standing::Undetermined)),
        (
            "a version that is none",
            r#"{"status":"resolved","fixed_version":"not a version"}"#,
            Some(Standing::Undetermined),
        ),
    ] {
        let audited = audit(&holdings(), &tracker("wall", entry), &Curated::default());
        let found = audited.findings.first().map(|finding| finding.standing);
        assert_eq!(found, wanted, "{why}");
        assert_eq!((audited.packages, audited.sources), (1, 1));
    }
}

#[test]
fn urgency_and_the_reasons_for_no_advisory_are_shown_as_they_are() {
    for (urgency, no_dsa) in [
        ("unimportant", None),
        ("end-of-life", Some(("Not supported", "end-of-life"))),
        ("not yet assigned", Some(("Minor issue", "postponed"))),
    ] {
        let more = no_dsa.map_or_else(String::new, |(why, reason)| {
            format!(r#","nodsa":"{why}","nodsa_reason":"{reason}""#)
        });
        let entry = format!(r#"{{"status":"open","urgency":"{urgency}"{more}}}"#);
        let audited = audit(&holdings(), &tracker("wall", &entry), &Curated::default());
        let finding = &audited.findings[0];
        assert_eq!(finding.urgency.as_str(), urgency);
        let said = finding.no_dsa.as_ref().map(|one| (one.why.as_str(), one.reason.as_str()));
        assert_eq!(said, no_dsa);
    }
}

#[test]
fn what_the_tracker_does_not_speak_of_is_not_covered_and_never_clean() {
    let mut foreign = holdings();
    foreign.packages[0].archive = Some("example".to_owned());
    let tracker = tracker("wall", r#"{"status":"open"}"#);
    let audited = audit(&foreign, &tracker, &Curated::default());
    assert_eq!((audited.packages, audited.findings.len()), (0, 0));
    assert_eq!(audited.not_covered[0].why, Uncovered::Archive("example".to_owned()));

    let other = Tracker::read(&b"{}"[..], "noble").unwrap();
    let audited = audit(&holdings(), &other, &Curated::default());
    assert_eq!(audited.packages, 0);
    assert_eq!(audited.not_covered[0].why, Uncovered::Release("noble".to_owned()));

    let mut bare = holdings();
    bare.unknown.insert("libodd1".parse().unwrap(), "3-1".to_owned());
    assert_eq!(audit(&bare, &tracker, &Curated::default()).not_covered[0].why, Uncovered::Unlisted);

    let mut own = holdings();
    own.files.push(KeptFile { own: true, ..file("/usr/bin/mine", "") });
    assert_eq!(audit(&own, &tracker, &Curated::default()).own_files, 1);
}

#[test]
fn what_is_built_in_is_reported_with_the_packages_that_have_it() {
    let mut holdings = holdings();
    holdings.packages.push(package(
        "Package: tool\nVersion: 1-1\nArchitecture: amd64\n\
         Static-Built-Using: wall (= 1.9-1), golang-1.24 (= 1.24.4-1)\n",
    ));
    holdings.files.push(file("/usr/bin/tool", "tool"));
    let entry = r#"{"status":"resolved","fixed_version":"2.0-1","urgency":"high"}"#;
    let place = "[[vulnerability]]\nid = \"CVE-1\"\nsource = \"wall\"\npaths = [\"/usr/bin/wall\"]\n\
        because = \"x\"\n";
    let audited = audit(&holdings, &tracker("wall", entry), &curated(place));
    assert_eq!(audited.sources, 4, "wall in two versions, tool, golang-1.24");
    let [finding] = &audited.findings[..] else { panic!("{:?}", audited.findings) };
    assert_eq!((finding.presence, &*finding.version), (Presence::BuiltIn, "1.9-1"));
    assert!(finding.packages.keys().map(PackageName::as_str).eq(["tool"]));
    assert_eq!(finding.not_affected, None, "places of files say nothing of code that is built in");
    assert!(finding.fails(&[FailOn::Medium]));
}

#[test]
fn that_an_image_is_not_affected_is_said_with_evidence_only() {
    use Justification::{ComponentNotPresent, VulnerableCodeNotPresent};
    let place = |what: &str| {
        format!("[[vulnerability]]\nid = \"CVE-1\"\nsource = \"wall\"\nbecause = \"x\"\n{what}\n")
    };
    for (why, what, wanted) in [
        ("no entry", String::new(), None),
        ("its package is absent", place("packages = [\"wall\"]"), Some(ComponentNotPresent)),
        ("its package is there", place("packages = [\"wall\", \"libwall1\"]"), None),
        (
            "its file is absent",
            place("paths = [\"/usr/bin/wall\"]"),
            Some(VulnerableCodeNotPresent),
        ),
        ("a file matches", place("paths = [\"/usr/bin/wall\", \"/usr/lib/**/libwall.*\"]"), None),
        ("the library is there", place("sonames = [\"libwall.so.1\"]"), None),
        ("another one", place("sonames = [\"libwall.so.12\"]"), Some(VulnerableCodeNotPresent)),
        (
            "one of both is there",
            place("paths = [\"/usr/bin/wall\"]\nsonames = [\"libwall.so.1\"]"),
            None,
        ),
        ("another source's", place("paths = [\"/x\"]").replace("\"wall\"", "\"hall\""), None),
        ("another issue's", place("paths = [\"/x\"]").replace("CVE-1", "CVE-2"), None),
    ] {
        let tracker = tracker("wall", r#"{"status":"open"}"#);
        let audited = audit(&holdings(), &tracker, &curated(&what));
        let found = audited.findings[0].not_affected.as_ref().map(|one| one.justification);
        assert_eq!(found, wanted, "{why}");
    }
}

#[test]
fn a_source_of_which_data_alone_was_kept_has_no_code() {
    let tracker = tracker("wall", r#"{"status":"open","urgency":"high"}"#);
    let found = |files: Vec<KeptFile>| {
        let holdings = Holdings { files, ..holdings() };
        audit(&holdings, &tracker, &curated("")).findings.remove(0)
    };
    let copyright = || file("/usr/share/doc/libwall1/copyright", "libwall1");
    let bare = found(vec![copyright(), file("/usr/bin/other", "other")]);
    let evidence = bare.not_affected.clone().unwrap();
    assert_eq!(evidence.justification, Justification::VulnerableCodeNotPresent);
    assert!(evidence.because.contains("libwall1"), "{}", evidence.because);
    assert!(!bare.fails(&[FailOn::High]), "what does not affect the image does not fail the run");

    let path = |path| ImagePath::parse(path).unwrap();
    for (why, more) in [
        ("a file that may be code", file("/usr/share/wall/run.py", "libwall1")),
        (
            "a program under a name of data",
            KeptFile {
                made_from: vec![path("/usr/bin/wall")],
                ..file("/usr/share/doc/x", "libwall1")
            },
        ),
        (
            "put together from files of packages that are not known",
            KeptFile { made_from: vec![path("/usr/bin/wall")], ..file("/usr/bin/all", "") },
        ),
    ] {
        assert_eq!(found(vec![copyright(), more]).not_affected, None, "{why}");
    }
}

#[test]
fn a_copy_counts_as_the_file_that_it_is_of() {
    let place = "[[vulnerability]]\nid = \"CVE-1\"\nsource = \"wall\"\npaths = [\"/usr/bin/wall\"]\n\
        because = \"x\"\n";
    let mut holdings = holdings();
    let made_from = vec![ImagePath::parse("/usr/bin/wall").unwrap()];
    holdings.files.push(KeptFile { made_from, ..file("/usr/bin/shout", "libwall1") });
    let tracker = tracker("wall", r#"{"status":"open"}"#);
    assert_eq!(audit(&holdings, &tracker, &curated(place)).findings[0].not_affected, None);
}

#[test]
fn what_fails_a_run_is_said_expressly() {
    let finding = |entry: &str| {
        audit(&holdings(), &tracker("wall", entry), &Curated::default()).findings.remove(0)
    };
    let (open, unknown) =
        (r#"{"status":"open","urgency":"#, r#"{"status":"undetermined","urgency":"#);
    for (entry, limits, fails) in [
        (format!("{open}\"high\"}}"), &[][..], false),
        (format!("{open}\"high\"}}"), &[FailOn::Medium], true),
        (format!("{open}\"low\"}}"), &[FailOn::Medium], false),
        (format!("{open}\"not yet assigned\"}}"), &[FailOn::Unimportant], false),
        (format!("{open}\"not yet assigned\"}}"), &[FailOn::High, FailOn::NotYetAssigned], true),
        (format!("{unknown}\"high\"}}"), &[FailOn::High], false),
        (format!("{unknown}\"high\"}}"), &[FailOn::Undetermined], true),
    ] {
        assert_eq!(finding(&entry).fails(limits), fails, "{entry} {limits:?}");
    }
}
