//! `dmc keygen`: a pair of keys for signatures.

use crate::args::Args;
use crate::error::{CommandError, FAILED};
use crate::progress::Bars;
use crate::report::Report;
use camino::Utf8Path;
use dmc_build::{NewKeys, Settings};
use serde_json::json;

/// The private key's file where none is named.
const FILE: &str = "dmc.key";

/// Makes the pair, and says what to write into the configuration.
pub(crate) fn answer(args: &Args, settings: &Settings, bars: &Bars) -> Result<u8, CommandError> {
    let path = Utf8Path::new(settings.conf.signing.key.as_deref().unwrap_or(FILE));
    let keys = dmc_build::keygen(path, &*settings.passwords)
        .map_err(|error| CommandError::from_library(FAILED, &error, error.hint()))?;
    let NewKeys { private, public, fingerprint } = &keys;
    let text = format!("{private}\n{public} sha256:{fingerprint}");
    let value = json!({
        "private": private, "public": public, "fingerprint": format!("sha256:{fingerprint}"),
    });
    Report::new(args, bars)?.result(&text, &value);
    tracing::info!(
        "whoever verifies needs {public}; keep {private} and its password apart from it"
    );
    Ok(0)
}
