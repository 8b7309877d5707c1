use super::*;
use crate::fixture::package;

fn shown(text: &str) -> Vec<String> {
    let path = ImagePath::parse("/usr/lib/tmpfiles.d/x.conf").unwrap();
    let file = read_tmpfiles(&package("x-y", &[], &[]), &path, text.as_bytes());
    let or = |it: &Option<String>| it.clone().unwrap_or_else(|| "-".to_owned());
    let lines = file.lines.iter().map(|line| {
        let mode = line.mode.map_or("-".to_owned(), |mode| format!("{mode:04o}"));
        format!("{:?} {} {mode} {} {}", line.kind, line.path, or(&line.user), or(&line.group))
    });
    lines.chain(file.left_out.iter().map(|(origin, why)| format!("{origin}: {why}"))).collect()
}

#[test]
fn lines_are_read_as_debians_packages_write_them() {
    for (why, text, wanted) in [
        (
            "mariadb-server",
            "# x\n\nd /run/mysqld 0755 mysql mysql -",
            "Directory /run/mysqld 0755 mysql mysql",
        ),
        (
            "php8.4-fpm",
            "    d /run/php              0755 www-data www-data -   -",
            "Directory /run/php 0755 www-data www-data",
        ),
        (
            "setgid is left out",
            "d /run/postgresql 2775 postgres postgres - -",
            "Directory /run/postgresql 0775 postgres postgres",
        ),
        ("legacy", "d /var/run/x", "Directory /run/x - - -"),
        ("at the start alone", "d! /run/x 1777 root root 10d", "Directory /run/x 1777 root root"),
        (
            "varnish",
            "f /var/lib/v/T - - - - Signature: 8a 47",
            "File(\"Signature: 8a 47\") /var/lib/v/T - - -",
        ),
        ("a link", "L+ /run/x - - - - ../x", "Link { target: \"../x\", force: true } /run/x - - -"),
        ("a specifier", "e %t/x 0700", "Adjust /run/x 0700 - -"),
        ("quotes", "d \"/run/a b\" - :x", "Directory /run/a b - x -"),
    ] {
        assert_eq!(shown(text), [wanted], "{why}");
    }
    assert_eq!(shown("x /tmp/sshauth.*\nr! /etc/passwd.lock\nR /a"), Vec::<String>::new());
}

#[test]
fn lines_without_sense_in_an_image_are_left_out_with_the_reason() {
    for (text, why) in [
        ("C /etc/s 600 - - - /proc/x", "it copies"),
        ("w /sys/x - - - - 1", "running system"),
        ("c /dev/x 600", "pipe or device"),
        ("d /run/%m", "specifier"),
        ("z /run/* 0700", "pattern"),
        ("d run", "none"),
        ("d", "no path"),
        ("d /a rwx", "no number"),
        ("a+ /a - - - - u:x:r", "attributes"),
        ("f~ /a - - - - eA==", "encoded"),
        ("d \"/a", "cannot be read"),
    ] {
        let shown = shown(text);
        assert!(shown.len() == 1 && shown[0].contains(why), "{text}: {shown:?}");
        assert!(shown[0].starts_with("package x-y, /usr/lib/tmpfiles.d/x.conf, line 1"), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_brings_it_down(text: String) {
        shown(&text);
        shown(&format!("d {text}\nf /a {text}"));
    }
}
