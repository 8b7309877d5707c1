//! Chromium without a screen, driven by `WebDriver` (W3C).

use crate::http::free_port;
use crate::process::{Background, tool};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::fs::File;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a browser may take to come up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A driver and its folder; browsers that it started end with it.
#[derive(Debug)]
pub struct Browser {
    port: u16,
    driver: Background,
    folder: TempDir,
}

impl Browser {
    /// Starts the driver.
    #[track_caller]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("dmc-e2e-browser-").unwrap();
        let port = free_port();
        let _ = tool("chromium", "chromium");
        let mut command = tool("chromedriver", "chromium-driver");
        // The browser's profile and caches stay below the folder.
        command.arg(format!("--port={port}")).env("HOME", folder.path());
        command.env("TMPDIR", folder.path());
        let log = File::create(folder.path().join("log")).unwrap();
        Self { port, driver: Background::start(&mut command, &log), folder }
    }

    /// A window of a new browser.
    pub async fn window(&mut self) -> Client {
        // As root, Chromium runs without a sandbox of its own or not at all.
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"] });
        let wanted: Capabilities = [
            ("goog:chromeOptions".to_owned(), options),
            ("browserName".to_owned(), Value::from("chrome")),
        ]
        .into_iter()
        .collect();
        let address = format!("http://127.0.0.1:{}", self.port);
        let start = Instant::now();
        loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            match builder.capabilities(wanted.clone()).connect(&address).await {
                Ok(client) => return client,
                Err(error) if start.elapsed() > PATIENCE || self.driver.has_ended() => {
                    let said = std::fs::read_to_string(self.folder.path().join("log"));
                    panic!("no browser: {error}\n{}", said.unwrap_or_default());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}
