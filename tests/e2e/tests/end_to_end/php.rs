//! PHP behind nginx: extensions by a list, and for arm64 under qemu.

use dmc_e2e::{Arm64, Built, Container, Engine, Page, Workplace, free_port, host, run, tool};
use std::fs;
use std::path::Path;

/// A template that lists extensions and brings an authority of its own.
const CHILD: &str = r#"
group = "app"
summary = "PHP with more"
extends = ["php", "tls-roots"]
version_from = "php8.4-fpm"
extensions = ["curl", "fileinfo", "gd", "intl", "pgsql", "redis", "sqlite3", "xsl"]
"#;

/// nginx and a container of PHP behind it, on the host's network.
pub(crate) struct Site<'a> {
    web: Container<'a>,
    _php: Container<'a>,
}

impl<'a> Site<'a> {
    /// `script` is what is run for every page; `image` may begin with the engine's options.
    #[track_caller]
    pub(crate) fn start(engine: &'a Engine, script: &str, nginx: &str, image: &[&str]) -> Self {
        let port = free_port();
        // Over the template's own pool, which listens on one port for all.
        let pool = engine.folder().join(format!("pool-{port}.conf"));
        fs::write(&pool, format!("[www]\nlisten = 127.0.0.1:{port}\n")).unwrap();
        let mount = format!("{}:/etc/php/8.4/fpm/pool.d/zz.conf:ro", pool.display());
        let image = [&["-v", &mount], image].concat();
        let php = Container::on_host(engine, port, &image);
        php.wait_until_it_says("ready to handle connections");
        let location = format!(
            "include fastcgi_params; fastcgi_param SCRIPT_FILENAME {script}; \
             fastcgi_pass 127.0.0.1:{port};"
        );
        Self { web: Container::with_site(engine, &location, &[nginx]), _php: php }
    }

    pub(crate) fn port(&self) -> u16 {
        self.web.port()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Page {
        self.web.get(path)
    }
}

/// Builds templates for this machine and loads them; returns the images' references.
#[track_caller]
pub(crate) fn load<const N: usize>(
    engine: &Engine,
    workplace: &Workplace,
    templates: [&str; N],
) -> [String; N] {
    let names = templates.join(",");
    let args = ["-a", "create,load", "-t", &names, "--engine", engine.name(), "-A", host()];
    let printed = run(&mut engine.aim(workplace.dmc(&args))).ok().stdout;
    templates.map(|name| {
        let begins = format!("localhost/{name}:");
        let line = printed.lines().find(|line| line.starts_with(&begins));
        line.unwrap_or_else(|| panic!("no {name} in:\n{printed}")).to_owned()
    })
}

/// The repository's templates in a workplace, to which a test adds.
fn with_templates(workplace: &Workplace, name: &str, text: &str) {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
    run(tool("cp", "coreutils").arg("-r").arg(templates).arg(workplace.root())).ok();
    let folder = workplace.root().join("templates").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("template.toml"), text).unwrap();
}

/// A key and a certificate that vouches for itself, as `NAME.key` and `NAME.crt`.
fn certificate(folder: &Path, name: &str) {
    let at = |end: &str| folder.join(format!("{name}.{end}"));
    let mut openssl = tool("openssl", "openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    run(openssl.arg("-keyout").arg(at("key")).arg("-out").arg(at("crt"))).ok();
    // nginx reads the key as an ordinary user.
    run(tool("chmod", "coreutils").arg("644").arg(at("key"))).ok();
}

#[test]
fn extensions_by_a_list_work_and_create_says_what_each_costs() {
    let engine = Engine::podman();
    let workplace = Workplace::new();
    with_templates(&workplace, "more", CHILD);
    let www = engine.folder().join("www");
    fs::create_dir(&www).unwrap();
    for name in ["ours", "other"] {
        certificate(&www, name);
    }
    let own = workplace.root().join("templates/more/files/usr/local/share/ca-certificates");
    fs::create_dir_all(&own).unwrap();
    fs::copy(www.join("ours.crt"), own.join("ours.crt")).unwrap();
    fs::write(www.join("x.php"), include_str!("php/extensions.php")).unwrap();

    let said = workplace.run(&["-t", "more", "-A", host()]).ok().stderr;
    for name in ["curl", "fileinfo", "gd", "intl", "pgsql", "redis", "sqlite3", "xsl"] {
        let line = said.lines().find(|line| line.contains(&format!("extension {name}: ")));
        let line = line.unwrap_or_else(|| panic!("no cost of {name} in:\n{said}"));
        assert!(line.contains(" MB, ") && !line.contains(" 0 files"), "{line}");
    }
    let [more, nginx] = load(&engine, &workplace, ["more", "nginx"]);

    let secure = free_port();
    let tls = format!(
        "server {{ listen 127.0.0.1:{secure} ssl; ssl_certificate /www/ours.crt; \
         ssl_certificate_key /www/ours.key; location / {{ return 200 'over TLS'; }} }}\n"
    );
    fs::write(www.join("tls.conf"), tls).unwrap();
    let mount = format!("{}:/www:ro", www.display());
    let site = format!("{}/tls.conf:/etc/nginx/conf.d/default.conf:ro", www.display());
    let _tls = Container::on_host(&engine, secure, &["-v", &mount, "-v", &site, &nginx]);
    let port = format!("HTTPS_PORT={secure}");
    let php = Site::start(&engine, "/www/x.php", &nginx, &["-v", &mount, "-e", &port, &more]);
    let page = php.get("/");
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(!page.text.contains("FAILS") && page.text.contains("sqlite: works"), "{}", page.text);
}

#[test]
fn an_extension_that_does_not_exist_is_named_with_the_nearest() {
    let workplace = Workplace::new();
    let child = "group = \"app\"\nsummary = \"x\"\nextends = [\"php\"]\nextensions = [\"crul\"]\n";
    with_templates(&workplace, "child", child);
    let said = workplace.run(&["-t", "child", "-A", host()]).code_is(1).stderr;
    assert!(said.contains("template child: there is no extension `crul`"), "{said}");
    assert!(said.contains("similar names: curl"), "{said}");
}

#[test]
fn the_arm64_image_of_php_answers_under_qemu() {
    let _arm64 = Arm64::runnable();
    let engine = Engine::podman();
    let workplace = Workplace::new();
    let [nginx] = load(&engine, &workplace, ["nginx"]);
    let built: Built = workplace.create(&["-t", "php", "-A", "arm64"]);
    let file = engine.folder().join("arm64.tar");
    let image = "localhost/php:arm64";
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--override-arch", "arm64", &built.transport()]);
    run(skopeo.arg(format!("docker-archive:{}:{image}", file.display()))).ok();
    run(engine.command().args(["load", "-i"]).arg(&file)).ok();

    let www = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/php/tests/www");
    let mount = format!("{}:/www:ro", www.canonicalize().unwrap().display());
    let options = ["--arch", "arm64", "-v", &mount, "-e", "GREETING=hello", image];
    let php = Site::start(&engine, "/www/works.php", &nginx, &options);
    let page = php.get("/");
    assert!(!page.text.contains("FAILS") && page.text.contains("opcache: works"), "{}", page.text);
}
