//! Paragraphs, relations between packages, versions.

use dmc_deb::deb822;
use dmc_deb::relation::{Operator, Relations};
use dmc_deb::version::Version;
use dmc_testkit::{FakeArchive, FakeSuite, fixtures};
use dmc_types::Arch;

/// A text in paragraphs: it comes out the same whole and in chunks.
pub fn deb822(data: &[u8]) {
    let whole: Vec<&[u8]> = deb822::stanzas(data).collect();
    for stanza in &whole {
        assert!(!stanza.is_empty());
        for field in deb822::fields(stanza) {
            assert!(!field.name.contains(&b'\n') && !field.name.contains(&b':'));
            assert_eq!(field.value, field.value.trim_ascii());
            assert!(field.is(&String::from_utf8_lossy(field.name)) || !field.name.is_ascii());
        }
        let paragraph = deb822::Paragraph::new(stanza);
        assert!(paragraph.field("Package").is_none_or(|it| it.len() < stanza.len()));
    }
    let size = 1 + data.first().map_or(0, |first| usize::from(first % 32));
    let (mut buffer, mut count) = (Vec::new(), 0);
    for chunk in data.chunks(size) {
        buffer.extend_from_slice(chunk);
        let done = deb822::complete(&buffer);
        for stanza in deb822::stanzas(&buffer[..done]) {
            assert_eq!(stanza, whole[count]);
            count += 1;
        }
        buffer.drain(..done);
    }
    count += deb822::stanzas(&buffer).inspect(|stanza| assert!(whole.contains(stanza))).count();
    assert_eq!(count, whole.len());
}

pub(crate) fn deb822_seeds() -> Vec<Vec<u8>> {
    let suite = FakeSuite::new("trixie").debs(fixtures::nginx_like(&[Arch::Amd64]));
    let archive = FakeArchive::of(&[FakeSuite { by_hash: false, ..suite }]);
    let release = archive.get("dists/trixie/InRelease");
    let debs = fixtures::nginx_like(&[Arch::Amd64]);
    let paragraphs = debs.iter().map(|deb| deb.control().into_bytes());
    paragraphs
        .chain([
            release.to_vec(),
            debs[..3].iter().map(|deb| deb.control() + "\n").collect::<String>().into_bytes(),
            b"\n\nPackage: a\n# note\nDepends: b,\n c\nodd line\nEmpty:\n\n\n\nB:1".to_vec(),
        ])
        .collect()
}

/// A field of relations: what cannot be read is named, and everything else is kept.
pub fn relations(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (relations, problems) = Relations::parse(&text);
    assert!(relations.groups.iter().all(|group| !group.is_empty()));
    assert!(relations.iter().count() + problems.len() <= text.matches([',', '|']).count() + 1);
    for relation in relations.iter() {
        assert!(text.contains(relation.name.as_str()));
        if let Some((operator, version)) = &relation.constraint {
            let itself = matches!(
                operator,
                Operator::EarlierOrEqual | Operator::Exactly | Operator::LaterOrEqual
            );
            assert_eq!(operator.holds(version, version), itself);
        }
    }
    for problem in problems {
        assert!(problem.text.chars().count() <= 200);
        assert!(!problem.to_string().is_empty() && !problem.hint().is_empty());
    }
}

pub(crate) fn relations_seeds() -> Vec<Vec<u8>> {
    let fields = fixtures::nginx_like(&[Arch::Amd64]);
    let fields = fields.iter().filter_map(|deb| deb.get("Depends").map(str::to_owned));
    let made = [
        "libc6 (>= 2.34), nginx-common (<< 1.26.3-3.1~), debconf (>= 0.5) | debconf-2.0",
        "python3:any (>= 3.13~), gcc:native [amd64 !i386 linux-any] <!nocheck> <cross stage1>",
        "perl:i386 (= 1:5.40.1-6), mail-transport-agent | default-mta (> 1) , , x (< 2)",
        "a (>> 1), A, b (1), c (>= 1) (>= 2), d [, e:odd, f $(x)",
    ];
    fields.chain(made.map(str::to_owned)).map(String::into_bytes).collect()
}

/// Lines of versions: the first few are ordered as numbers are, and print as they were read.
pub fn versions(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = text.lines().take(4).filter_map(|line| match line.parse::<Version>() {
        Ok(version) => {
            assert_eq!(version.to_string(), line);
            assert!(line.contains(version.upstream()));
            assert!(version.upstream().starts_with(version.upstream_tag()));
            Some(version)
        }
        Err(error) => {
            assert!(error.to_string().len() < 1000);
            None
        }
    });
    let read: Vec<Version> = read.collect();
    for a in &read {
        for b in &read {
            assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a} {b}");
            for c in read.iter().filter(|c| a <= b && b <= *c) {
                assert!(a <= c, "{a} {b} {c}");
            }
        }
    }
}

pub(crate) fn versions_seeds() -> Vec<Vec<u8>> {
    [
        "1.26.3-3\n1.26.3-3+deb13u1\n1.26.3-3~bpo12+1",
        "1:2.3+dfsg-4\n2.3\n0:2.3\n1:2.3~rc1",
        "2.41-12\n2.41-12+b1\n2.041-12\n2.41a-12",
        "1.0-1-1\n1-\n:1\n2147483647:0",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
