//! What maintainer scripts would have done, in an image of packages that declare it.

use crate::layer;
use crate::stage::{Run, Stage, build};
use dmc_build::ImageSummary;
use dmc_testkit::DebBuilder;

/// A certificate (`/C=DE/O=ex ample/CN=test root`), whose subject has the hash ae1c6a0e.
const CERTIFICATE: &str = include_str!("certificate.pem");

/// A server whose package brings a user, a folder, an alternative and a configuration file.
fn server() -> DebBuilder {
    let script = "#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n  adduser --system --group \
                  --home /var/lib/server --gecos Server _server\nfi\n";
    DebBuilder::new("server", "1.0-1", "all")
        .field("Depends", "base-files")
        .file("/usr/share/doc/server/copyright", "free\n")
        .executable("/usr/bin/server", "data")
        .conffile("/etc/server.conf", "of the package\n")
        .file("/usr/share/server/a.sql", "a;\n")
        .file("/usr/share/server/b.sql", "b;\n")
        .file("/usr/lib/sysusers.d/server.conf", "u _logs - \"Logs\"\nm _server _logs\n")
        .file(
            "/usr/lib/tmpfiles.d/server.conf",
            "d /run/server 0750 _server _logs\nC /etc/x - - - - /y\n",
        )
        .script("postinst", script)
}

fn run(server: DebBuilder, template: &str) -> (Stage, Run) {
    let stage = Stage::changed(|suite| suite.debs.push(("main".to_owned(), server)));
    let head = "group = \"app\"\nsummary = \"x\"\nextends = [\"accounts\"]\n\
                packages = [\"server\", \"base-files\"]\nroots = [\"/usr/bin/server\"]\n";
    let mut settings = stage.settings_with("", &[("it", &format!("{head}{template}"))]);
    settings.conf.archs.truncate(1);
    let run = build(settings, &["it"]);
    (stage, run)
}

/// The image, and a line of its listing for each path that has this in it.
fn image(template: &str, part: &str) -> (ImageSummary, Vec<String>) {
    let (stage, run) = run(server(), template);
    let image = run.good().images.into_values().next().unwrap();
    let listing = layer::listing(&stage.path("out"), &image);
    let lines = listing.lines().filter(|line| line.contains(part));
    // Without size and digest.
    let short = lines.map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        [&fields[..2], &fields[4..]].concat().join(" ")
    });
    let short = short.collect();
    (image, short)
}

const ACCOUNTS: &str = "accounts = [\"_server\", \"_logs\"]\n";

#[test]
fn folders_of_tmpfiles_belong_to_users_of_the_packages() {
    let (made, lines) = image(ACCOUNTS, "run/server");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("d0750 ") && !lines[0].contains(" 0:0 "), "{lines:?}");
    assert!(made.notes.iter().any(|note| note.contains("line 2") && note.contains("copies")));
}

#[test]
fn a_line_of_tmpfiles_needs_its_owner_and_may_be_excluded() {
    let (made, lines) = image("", "run/server");
    assert_eq!(lines, Vec::<String>::new(), "no owner");
    let note = made.notes.iter().find(|note| note.contains("server.conf, line 1")).unwrap();
    assert!(note.contains("owner `_server`") && note.contains("accounts = ["), "{note}");
    for exclude in ["/run/server", "/usr/lib/tmpfiles.d/*"] {
        let (_, lines) = image(&format!("exclude = [\"{exclude}\"]\n"), "run/server");
        assert_eq!(lines, Vec::<String>::new(), "{exclude}");
    }
}

#[test]
fn an_account_that_nothing_defines_is_an_error() {
    let (_, failed) = run(server(), "accounts = [\"_sever\", \"_logs\"]\n");
    failed.said("misspelt", &["`_sever`", "nor any package", "did you mean `_server`?"]);
    let fixed = server().script("preinst", "#!/bin/sh\ngroupadd -g 150 other\n");
    let (_, failed) = run(fixed, "accounts = [\"_server\", \"_logs\", \"other\"]\n");
    failed.said("fixed", &["`other` has the number 150", "preinst, line 2", "uid = 150"]);
}

#[test]
fn files_are_put_together_and_a_part_that_nothing_ships_is_an_error() {
    let concat = |part: &str| {
        format!(
            "{ACCOUNTS}[[concat]]\npath = \"/srv/all.sql\"\nmode = \"0640\"\nowner = \"_server\"\n\
             parts = [\"/usr/share/server/b.sql\", {{ text = \"-- x\\n\" }}, \"{part}\"]\n"
        )
    };
    let (_, lines) = image(&concat("/usr/share/server/a.sql"), "sql");
    assert_eq!(lines.len(), 1, "the parts themselves are not kept: {lines:?}");
    assert!(lines[0].starts_with("-0640 ") && lines[0].ends_with("srv/all.sql"), "{lines:?}");
    let (_, failed) = run(server(), &concat("/usr/share/server/c.sql"));
    failed.said("no such part", &["/usr/share/server/c.sql", "template it"]);
}

#[test]
fn a_conffile_is_copied_and_one_that_is_shadowed_is_reported() {
    let text = format!(
        "{ACCOUNTS}copies = {{ \"/etc/other.conf\" = \"/etc/server.conf\" }}\n\
         files = [{{ path = \"/etc/server.conf\", text = \"own\" }}]\n"
    );
    let (made, lines) = image(&text, ".conf");
    assert_eq!(lines, ["-0644 0:0 etc/other.conf", "-0644 0:0 etc/server.conf"]);
    let note = "the template's `/etc/server.conf` takes the place of a conffile of server";
    assert!(made.notes.iter().any(|it| it == note), "{:?}", made.notes);
}

#[test]
fn a_sites_certificate_joins_bundle_and_links() {
    let file = |text: &str| {
        let path = "/usr/local/share/ca-certificates/own.crt";
        format!("{ACCOUNTS}[[files]]\npath = \"{path}\"\ntext = '''\n{text}'''\n")
    };
    let (_, lines) = image(&file(CERTIFICATE), "etc/ssl/certs/");
    assert_eq!(
        lines[1..],
        [
            "l0777 0:0 etc/ssl/certs/ae1c6a0e.0 -> own.pem",
            "-0644 0:0 etc/ssl/certs/ca-certificates.crt",
            "l0777 0:0 etc/ssl/certs/own.pem -> /usr/local/share/ca-certificates/own.crt",
        ]
    );
    let (_, failed) = run(server(), &file("no certificate\n"));
    failed.said("no certificate", &["ca-certificates/own.crt", "BEGIN CERTIFICATE"]);
}

#[test]
fn a_path_has_one_form_whatever_a_package_says() {
    let split = server().file("/lib/x/a", "a").file("/usr/lib/x/b", "b").file("/bin/tool", "t");
    let stage = Stage::changed(|suite| suite.debs.push(("main".to_owned(), split)));
    let template = format!(
        "group = \"app\"\nsummary = \"x\"\nextends = [\"accounts\"]\npackages = [\"server\"]\n\
         roots = [\"/usr/bin/server\"]\n{ACCOUNTS}include = [\"/usr/lib/x/*\", \"/usr/bin/tool\"]\n"
    );
    let run = build(stage.settings_with("", &[("it", &template)]), &["it"]).good();
    let listing = layer::listing(&stage.path("out"), &run.images["it amd64"]);
    for top in ["bin", "sbin", "lib"] {
        let link = format!(" {top} -> usr/{top}");
        assert!(listing.lines().any(|line| line.ends_with(&link)), "{listing}");
        assert!(!listing.contains(&format!(" {top}/")), "{listing}");
    }
    for path in ["usr/lib/x/a", "usr/lib/x/b", "usr/bin/tool"] {
        assert!(listing.lines().any(|line| line.ends_with(&format!(" {path}"))), "{listing}");
    }
}
