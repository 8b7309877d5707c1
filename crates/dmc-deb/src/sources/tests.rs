use super::*;
use proptest::prelude::*;

fn suites(source: &Source) -> Vec<&str> {
    source.suites.iter().map(Suite::as_str).collect()
}

#[test]
fn a_debian_installers_file_is_read() {
    let list = parse_sources(
        b"# Debian\nTypes: deb deb-src\nURIs: http://deb.example/debian\n http://other.example/debian\n\
          Suites: trixie trixie-updates\nComponents: main contrib\n# a comment within\n\
          Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\nTargets: Packages\n \t\n\
          types: deb\nuris: file:/srv/security\nSUITES: trixie-security\ncomponents: main\n",
    );
    assert_eq!(list.problems, []);
    let [main, security] = &list.sources[..] else { panic!("{list:?}") };
    assert_eq!(main.uris, ["http://deb.example/debian", "http://other.example/debian"]);
    assert_eq!(suites(main), ["trixie", "trixie-updates"]);
    assert_eq!(main.components, ["main", "contrib"]);
    assert_eq!((main.line, main.archs.as_ref(), &*main.ignored), (2, None, &[][..]));
    let files = vec!["/usr/share/keyrings/debian-archive-keyring.gpg".into()];
    assert_eq!(main.signed_by, SignedBy::Keys { files, fingerprints: vec![] });
    assert_eq!((security.line, suites(security)), (11, vec!["trixie-security"]));
    assert_eq!(security.signed_by, SignedBy::Machine);
}

#[test]
fn the_one_line_form_is_read() {
    let list = parse_list(
        b"# all\ndeb http://deb.example/debian trixie main contrib # why\n\
          deb-src http://deb.example/debian trixie main\n\n\
          deb [ arch=amd64,arm64,hurd-amd64 signed-by=/k.gpg,/l.asc ] https://x.example/ stable y\n",
    );
    assert_eq!(list.problems, []);
    let [first, second] = &list.sources[..] else { panic!("{list:?}") };
    assert_eq!((first.line, &*first.uris[0]), (2, "http://deb.example/debian"));
    assert_eq!(first.components, ["main", "contrib"]);
    assert_eq!(second.archs, Some(vec![Arch::Amd64, Arch::Arm64]));
    let files = vec!["/k.gpg".into(), "/l.asc".into()];
    assert_eq!(second.signed_by, SignedBy::Keys { files, fingerprints: vec![] });
}

#[test]
fn trust_switches_are_named_and_nothing_more() {
    let deb822 = parse_sources(
        b"Types: deb\nURIs: http://x.example\nSuites: s\nComponents: c\nTrusted: yes\n\
          Allow-Insecure: true\nAllow-Weak: 1\nAllow-Downgrade-To-Insecure: on\n\
          Check-Valid-Until: no\nCheck-Date: false\n",
    );
    let line = parse_list(
        b"deb [trusted=yes allow-insecure=yes allow-weak=yes allow-downgrade-to-insecure=yes \
          check-valid-until=no check-date=no] http://x.example s c",
    );
    for list in [deb822, line] {
        assert_eq!(
            list.sources[0].ignored,
            [
                TrustSwitch::Trusted,
                TrustSwitch::AllowInsecure,
                TrustSwitch::AllowWeak,
                TrustSwitch::AllowDowngradeToInsecure,
                TrustSwitch::NoCheckValidUntil,
                TrustSwitch::NoCheckDate,
            ]
        );
    }
    let strict = parse_list(b"deb [check-date=yes allow-insecure=no] http://x.example s c");
    assert_eq!(strict.sources[0].ignored, []);
}

#[test]
fn what_is_switched_off_stays_out() {
    for off in ["Enabled: no", "Trusted: no", "Types: deb-src"] {
        let text = format!("Types: deb\nURIs: http://x.example\nSuites: s\nComponents: c\n{off}\n");
        assert_eq!(parse_sources(text.as_bytes()), SourceList::default(), "{off}");
    }
}

#[test]
fn keys_are_files_fingerprints_or_inline() {
    let keys = |signed_by: &str| {
        let text =
            format!("Types: deb\nURIs: u\nSuites: s\nComponents: c\nSigned-By: {signed_by}\n");
        let mut list = parse_sources(text.as_bytes());
        list.sources.pop().map(|source| source.signed_by).ok_or(list.problems)
    };
    let print = "0123456789ABCDEF0123456789abcdef01234567";
    assert_eq!(
        keys(&format!("/a.gpg, {print}!")).unwrap(),
        SignedBy::Keys { files: vec!["/a.gpg".into()], fingerprints: vec![format!("{print}!")] }
    );
    assert_eq!(
        keys("\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDME\n -----END PGP PUBLIC KEY BLOCK-----")
            .unwrap(),
        SignedBy::Inline(
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n"
                .into()
        )
    );
    for bad in ["relative.gpg", "0123456789ABCDEF", ","] {
        assert_eq!(keys(bad).unwrap_err().len(), 1, "{bad:?} was accepted");
    }
}

#[test]
fn problems_name_their_line_and_spare_the_rest() {
    let list = parse_list(
        b"deb http://x.example s c\nrpm http://x.example s c\ndeb http://flat.example ./\n\
          deb [trusted http://x.example s c\ndeb http://x.example\ndeb http://x.example ../s c\n\
          deb http://x.example s\ndeb http://last.example s c\n",
    );
    let shown: Vec<_> = list.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "line 2: `rpm http://x.example s c` cannot be read",
            "line 3: `./` is a flat archive, which is not supported",
            "line 4: `deb [trusted http://x.example s c` cannot be read",
            "line 5: `Suites` is missing",
            "line 6: `../s` is not a value of `Suites`",
            "line 7: `Components` is missing",
        ]
    );
    assert!(list.problems.iter().all(|problem| !problem.hint().is_empty()));
    assert_eq!(list.sources.len(), 2);

    let list = parse_sources(b" lost\nTypes: deb\nodd\n\nTypes: deb\nURIs: u\nSuites: s\n");
    let shown: Vec<_> = list.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "line 1: ` lost` cannot be read",
            "line 3: `odd` cannot be read",
            "line 2: `URIs` is missing",
            "line 5: `Components` is missing",
        ]
    );
    assert_eq!(parse_list(b"#\n\xff").problems[0].to_string(), "line 2: the text is not UTF-8");
}

proptest! {
    #[test]
    fn no_text_panics(text in "(deb |Types: deb\n|URIs:|Suites:|[ =\\[\\]:#\nsé/.-])*") {
        parse_list(text.as_bytes());
        parse_sources(text.as_bytes());
    }
}
