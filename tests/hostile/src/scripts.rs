//! Maintainer scripts, which are read and never run.

use dmc_system::{Grammar, script_report};
use dmc_testkit::fixtures;
use dmc_types::{Arch, PackageFacts, Sha256};
use std::collections::BTreeMap;
use std::sync::OnceLock;

const GRAMMAR: &str = include_str!("../../../conf/scripts.toml");

/// A postinst; every statement of the report stands in a line that the script has.
pub fn scripts(data: &[u8]) {
    static READ: OnceLock<Grammar> = OnceLock::new();
    let grammar = READ.get_or_init(|| Grammar::read("scripts.toml", GRAMMAR).unwrap());
    let package = PackageFacts {
        deb: Sha256::from_bytes([0; 32]),
        package: "postfix".parse().unwrap(),
        version: "1".to_owned(),
        arch: None,
        control: "Package: a\n".to_owned(),
        scripts: BTreeMap::from([("postinst".to_owned(), data.to_vec())]),
        conffiles: Vec::new(),
        md5sums: BTreeMap::new(),
        licences: Vec::new(),
        entries: Vec::new(),
    };
    let lines = data.split(|b| *b == b'\n').count();
    for statement in script_report(&package, grammar) {
        assert!((1..=lines).contains(&statement.line), "{statement:?}");
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let made = [
        "#!/bin/sh\nset -e\nif [ \"$1\" = configure ] && [ -z \"$2\" ]; then\n  adduser --system \
         --group www || true\nfi\ncase \"$1\" in\n  configure|abort-*) ldconfig ;;\n  *) exit 1 ;;\n\
         esac\nexit 0\n",
        "#!/bin/sh\nfor f in /etc/a /etc/b; do test -e $f && rm -f \"$f\" 2>/dev/null; done\n\
         while read -r x; do echo \"${x%%:*} $(id -u) `date`\"; done <<EOF\nroot:x\nEOF\n\
         f() { local a=${1:-b}; update-rc.d \"$a\" defaults >/dev/null; }\nf nginx\n",
        "#!/bin/sh\n. /usr/share/debconf/confmodule\ndb_get a/b\nx='a b'\\''c' y=$((1+2))\n\
         [ -d /run/systemd ] || { true; } && (cd / ; ls | wc -l &)\nuntil false; do break; done\n",
        "#!/usr/bin/perl\nprint 1;\n",
    ];
    let debs = fixtures::nginx_like(&[Arch::Amd64]);
    let scripts = debs.iter().flat_map(dmc_testkit::DebBuilder::scripts).map(<[u8]>::to_vec);
    made.map(|text| text.as_bytes().to_vec()).into_iter().chain(scripts).collect()
}
