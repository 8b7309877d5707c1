//! The database server: its first start, whatever comes between, and all later ones.

use crate::images::wait_for;
use dmc_e2e::{Arm64, Container, Done, Engine, confined, image, need_root, run};
use std::time::{Duration, Instant};

/// Quotes, a backslash, a dollar, letters beyond ASCII, and one beyond three bytes of UTF-8.
const PASSWORD: &str = "it's \"é\" 😀 \\ $x `y`";

/// An engine with both images; server and client talk in one network without a way out.
struct Site {
    engine: Engine,
    server: String,
    client: String,
    arch: &'static str,
}

impl Site {
    #[track_caller]
    fn new(arch: &'static str) -> Self {
        need_root("it starts containers");
        let engine = Engine::podman();
        let server = engine.take(&image("mariadb").1, arch);
        let client = engine.take(&image("mariadb-client").1, "amd64");
        run(engine.command().args(["volume", "create", "data"])).ok();
        Self { engine, server, client, arch }
    }

    fn start(&self, options: &[&str]) -> Container<'_> {
        let fixed = ["--arch", self.arch, "-v", "data:/var/lib/mysql"];
        Container::alone(&self.engine, &[&fixed, options].concat(), &[&self.server])
    }

    /// Runs the image where it is expected to end by itself.
    fn refuses(&self, options: &[&str], said: &str) {
        let fixed = ["-v", "data:/var/lib/mysql"];
        let done = confined(&self.engine, &[&fixed, options].concat(), &[&self.server]);
        assert!(done.code != Some(0) && done.stderr.contains(said), "{done:?}");
    }

    fn ask(&self, server: &Container<'_>, user: &str, password: &str, sql: &str) -> Done {
        let network = format!("--network=container:{}", server.id());
        let login = [format!("-u{user}"), format!("-p{password}")];
        let [user, password] = login.each_ref().map(String::as_str);
        let args = [&self.client, "--protocol=tcp", "-h127.0.0.1", user, password, "-Ne", sql];
        confined(&self.engine, &[&network], &args)
    }

    #[track_caller]
    fn answer(&self, server: &Container<'_>, sql: &str) -> String {
        self.ask(server, "root", PASSWORD, sql).ok().stdout
    }
}

/// Waits until the server says that it is up: clients that come too early would restart what has died.
fn up(server: &Container<'_>) {
    wait_for(|| server.logs().stderr.contains("port: 3306"));
}

fn given(password: &str) -> String {
    format!("MARIADB_ROOT_PASSWORD={password}")
}

fn serves_twice(site: &Site) {
    let first = site.start(&["-e", &given(PASSWORD)]);
    up(&first);
    let open = "select count(*) from mysql.global_priv where \
        ifnull(json_value(Priv, '$.authentication_string'), '') in ('', 'invalid') \
        and not ifnull(json_value(Priv, '$.account_locked'), false)";
    assert_eq!(site.answer(&first, open), "0\n", "accounts without a password");
    assert_eq!(
        site.answer(&first, "select distinct User from mysql.user order by 1"),
        "mariadb.sys\nroot\n"
    );
    for wrong in ["no", ""] {
        let done = site.ask(&first, "root", wrong, "select 1").code_is(1);
        assert!(done.stderr.contains("Access denied"), "{}", done.stderr);
    }
    let made = "create database d; create table d.t (x text); insert into d.t values ('kept ✓')";
    site.answer(&first, made);
    assert_eq!(first.stop(), 0, "{:?}", first.logs());
    drop(first);

    let second = site.start(&["-e", &given("another")]);
    up(&second);
    assert_eq!(site.answer(&second, "select x from d.t"), "kept ✓\n");
    site.ask(&second, "root", "another", "select 1").code_is(1);
    assert_eq!(second.stop(), 0, "{:?}", second.logs());
}

#[test]
fn the_first_start_sets_the_password_and_later_starts_keep_data_and_password() {
    serves_twice(&Site::new("amd64"));
}

#[test]
fn the_arm64_image_serves_sql_under_qemu() {
    let _arm64 = Arm64::runnable();
    serves_twice(&Site::new("arm64"));
}

#[test]
fn a_secret_file_gives_the_password_and_variables_make_a_database_with_its_user() {
    let site = Site::new("amd64");
    let file = site.engine.folder().join("secret");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let mount = format!("{}:/run/secrets/root:ro", file.display());
    let options = [
        ("-v", mount.as_str()),
        ("-e", "MARIADB_ROOT_PASSWORD_FILE=/run/secrets/root"),
        ("-e", "MARIADB_DATABASE=my_db`s"),
        ("-e", "MARIADB_USER=o'neil"),
        ("-e", "MARIADB_PASSWORD=it's"),
    ];
    let options: Vec<&str> = options.iter().flat_map(|(flag, value)| [*flag, value]).collect();
    let server = site.start(&options);
    up(&server);
    let seen = site
        .ask(&server, "o'neil", "it's", "create table `my_db``s`.t (i int); show databases")
        .ok();
    assert_eq!(seen.stdout, "information_schema\nmy_db`s\n");
    site.ask(&server, "o'neil", "it's", "create database myxdb`s").code_is(1);
    assert_eq!(site.answer(&server, "select count(*) from mysql.user where User='root'"), "2\n");
}

#[test]
fn a_first_start_without_a_password_or_on_other_files_is_refused() {
    let site = Site::new("amd64");
    site.refuses(&[], "the first start needs a password for root: set MARIADB_ROOT_PASSWORD");
    site.refuses(&["-e", "MARIADB_ROOT_PASSWORD="], "the first start needs a password");
    let missing = "MARIADB_ROOT_PASSWORD_FILE=/run/secrets/none";
    site.refuses(&["-e", missing], "/run/secrets/none: No such file or directory");
    let user = ["-e", &given("x"), "-e", "MARIADB_USER=u"];
    site.refuses(&user, "MARIADB_USER needs a password");
    let folder = site.engine.folder().join("home");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("thesis"), "years of work").unwrap();
    run(std::process::Command::new("chown").args(["-R", "999:999"]).arg(&folder)).ok();
    let mount = format!("{}:/var/lib/mysql", folder.display());
    let done =
        confined(&site.engine, &["-v", &mount, "-e", &given("x")], &[&site.server]).code_is(1);
    assert!(done.stderr.contains("holds other things than MariaDB's data"), "{}", done.stderr);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing came or went");
}

#[test]
fn a_first_start_killed_at_any_of_twenty_moments_is_begun_anew_by_a_plain_restart() {
    let site = Site::new("amd64");
    let start = Instant::now();
    let whole = site.start(&["-e", &given(PASSWORD)]);
    wait_for(|| whole.logs().stderr.contains("port: 3306"));
    let time = start.elapsed();
    drop(whole);
    for moment in 0..20_u32 {
        run(site.engine.command().args(["volume", "rm", "-f", "data"])).ok();
        let server = site.start(&["-e", &given(PASSWORD)]);
        std::thread::sleep(time * moment / 20);
        server.kill();
        server.again();
        let up = || server.logs().stderr.matches("port: 3306").count();
        let start = Instant::now();
        while up() == 0 || site.ask(&server, "root", PASSWORD, "do 0").code != Some(0) {
            let late = start.elapsed() > Duration::from_mins(1);
            assert!(!late, "killed after {moment}/20 of {time:?}: {}", server.logs().stderr);
            std::thread::sleep(Duration::from_millis(200));
        }
        let left = site.answer(&server, "select count(*) from mysql.user where User='root'");
        assert_eq!(left, "2\n", "killed after {moment}/20 of {time:?}");
    }
}
