use super::*;
use crate::fixture::package;
use std::convert::Infallible;

fn gathered(script: &str, sysusers: &str) -> Vec<String> {
    let files: &[&str] =
        if sysusers.is_empty() { &[] } else { &["/usr/lib/sysusers.d/x.conf", "/usr/lib/x.conf"] };
    let package = package("x-y", &[("preinst", script)], files);
    let read = |_: &PackageFacts, _: &Entry| Ok::<_, Infallible>(sysusers.as_bytes().to_vec());
    let Ok(all) = SystemAccounts::gather([&package], read);
    let id = |id: Option<u32>| id.map_or("-".to_owned(), |id| id.to_string());
    let users = all.users.iter().map(|(name, it)| {
        let group = it.group.clone().unwrap_or_else(|| "own".to_owned());
        format!("user {name} {} {group} {:?} {} {}", id(it.id), it.gecos, it.home, it.shell)
    });
    let groups = all.groups.iter().map(|(name, group)| format!("group {name} {}", id(group.id)));
    let members = all.members.iter().map(|(user, group)| format!("{user} in {group}"));
    users.chain(groups).chain(members).collect()
}

#[test]
fn statements_define_users_as_debians_scripts_write_them() {
    for (why, script, wanted) in [
        (
            "mariadb-server",
            "if ! getent group mysql >/dev/null\nthen\n addgroup --system mysql >/dev/null\nfi\n\
             if ! getent passwd mysql >/dev/null\nthen\n adduser \\\n --system \\\n \
             --disabled-login \\\n --ingroup mysql \\\n --no-create-home \\\n \
             --home /nonexistent \\\n --gecos \"MariaDB Server\" \\\n --shell /bin/false \\\n \
             mysql >/dev/null 2>&1\nfi\n",
            vec!["user mysql - own \"MariaDB Server\" /nonexistent /bin/false", "group mysql -"],
        ),
        (
            "dnsmasq-base",
            "useradd --system --gid nogroup --comment dnsmasq --home-dir /var/lib/misc \
             --no-create-home --shell /usr/sbin/nologin dnsmasq",
            vec!["user dnsmasq - nogroup \"dnsmasq\" /var/lib/misc /usr/sbin/nologin"],
        ),
        (
            "postgresql-common",
            "quiet=--quiet\nadduser --system $quiet --home /var/lib/postgresql --shell /bin/bash \
             --group --gecos \"a b\" postgres\nadduser $quiet postgres ssl-cert\n",
            vec![
                "user postgres - own \"a b\" /var/lib/postgresql /bin/bash",
                "group postgres -",
                "postgres in ssl-cert",
            ],
        ),
        (
            "Debian-exim",
            "adduser --system --group --home=/var --allow-bad-names Debian-exim",
            vec!["user Debian-exim - own \"\" /var /usr/sbin/nologin", "group Debian-exim -"],
        ),
        ("a fixed number", "groupadd -r -g 42 shadow", vec!["group shadow 42"]),
        ("usermod", "usermod -a -G a,b c", vec!["c in a", "c in b"]),
        ("gpasswd", "gpasswd -a c a", vec!["c in a"]),
        ("an upgrade alone", "if [ \"$1\" = upgrade ]; then adduser --system x; fi", vec![]),
        ("an unknown option", "adduser --system --moon x", vec![]),
        ("an unknown word", "adduser --system $(id -un)", vec![]),
        ("a bad name", "adduser --system ../x:y", vec![]),
    ] {
        assert_eq!(gathered(script, ""), wanted, "{why}");
    }
}

#[test]
fn sysusers_lines_are_read() {
    let text = "# x\nu sshd -:nogroup \"sshd user\" /run/sshd\nu! varnish 64:65\n\
                u own 7 - /a /bin/sh\ng tape 26\nm own tape\nr - 500-900\nu bad:name -\nu \"open\nq";
    assert_eq!(
        gathered("", text),
        [
            "user own 7 own \"\" /a /bin/sh",
            "user sshd - nogroup \"sshd user\" /run/sshd /usr/sbin/nologin",
            "user varnish 64 65 \"\" / /usr/sbin/nologin",
            "group own 7",
            "group tape 26",
            "own in tape",
        ]
    );
}

#[test]
fn the_first_definition_stands() {
    let text = "u x 7 \"first\"";
    let all = gathered("adduser --system --group --gecos second x", text);
    assert_eq!(all, ["user x 7 own \"first\" / /usr/sbin/nologin", "group x 7"]);
}

proptest::proptest! {
    #[test]
    fn no_text_brings_it_down(text: String) {
        gathered(&text, &text);
        gathered(&format!("adduser --system {text}"), &format!("u {text}"));
    }
}
