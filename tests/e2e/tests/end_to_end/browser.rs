//! Adminer in a real browser, with the database server beside it.

use crate::php::{Site, load};
use dmc_e2e::{Browser, Container, Engine, Workplace, free_port};
use fantoccini::{Client, Locator};
use std::time::Duration;

/// A password that SQL, HTML and shells would each read in another way.
const PASSWORD: &str = "s3cr'et\"<é> $x";

#[test]
fn adminer_logs_into_mariadb_and_lists_its_databases() {
    let engine = Engine::podman();
    let workplace = Workplace::new();
    let [adminer, nginx, mariadb] = load(&engine, &workplace, ["adminer", "nginx", "mariadb"]);
    let database = free_port();
    let (password, port) =
        (format!("MARIADB_ROOT_PASSWORD={PASSWORD}"), format!("--port={database}"));
    let image = ["--user=999", "-e", &password, "-v", "/var/lib/mysql", &mariadb, &port];
    let server = Container::on_host(&engine, database, &image);
    let site = Site::start(&engine, "/usr/share/adminer/adminer.php", &nginx, &[&adminer]);
    server.wait_until_it_says("ready for connections");

    let mut browser = Browser::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let window = browser.window().await;
        let page = format!("http://127.0.0.1:{}/", site.port());
        log_in(&window, &page, &format!("127.0.0.1:{database}")).await;
        let databases = databases(&window).await;
        for name in ["information_schema", "mysql", "performance_schema", "sys"] {
            assert!(databases.iter().any(|one| one == name), "no {name} in {databases:?}");
        }
        assert!(window.source().await.unwrap().contains("MariaDB"), "the server's version");
        window.close().await.unwrap();
    });
}

async fn log_in(window: &Client, page: &str, server: &str) {
    window.goto(page).await.unwrap();
    assert_eq!(window.title().await.unwrap(), "Login - Adminer");
    let fields =
        [("auth[server]", server), ("auth[username]", "root"), ("auth[password]", PASSWORD)];
    for (name, text) in fields {
        let field = window.find(Locator::Css(&format!("input[name='{name}']"))).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }
    window
        .find(Locator::Css("input[type='submit'][value='Login']"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
}

/// What the page after the login lists.
async fn databases(window: &Client) -> Vec<String> {
    let first = Locator::Css("#content table tbody tr");
    if let Err(error) = window.wait().at_most(Duration::from_secs(30)).for_element(first).await {
        panic!("{error}: {}", window.source().await.unwrap_or_default());
    }
    let mut names = Vec::new();
    for link in window.find_all(Locator::Css("#content table tbody tr a")).await.unwrap() {
        names.push(link.text().await.unwrap());
    }
    names
}
