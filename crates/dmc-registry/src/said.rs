//! What an answer that is no success means.

use crate::error::{Cause, Said};
use crate::pace::retry_after;
use reqwest::Response;
use serde::Deserialize;

/// Most that is read of an answer that says what is wrong.
const ANSWER_LIMIT: usize = 64 << 10;

/// Most characters of it that are shown.
const SHOWN: usize = 300;

#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: serde_json::Value,
}

/// One line, without what a terminal would obey.
fn line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(SHOWN).collect()
}

/// What the body of an answer says. One that is not JSON of the specification says nothing.
pub(crate) fn said(status: u16, body: &[u8]) -> Said {
    let first = serde_json::from_slice::<Errors>(body).ok().and_then(|all| {
        let mut errors = all.errors.into_iter();
        errors.next()
    });
    let Some(OneError { code, message, detail }) = first else {
        return Said { status, ..Said::default() };
    };
    let detail = detail.as_str().filter(|detail| *detail != message).map(line);
    let message = match detail {
        Some(detail) if !detail.is_empty() => format!("{} ({detail})", line(&message)),
        _ => line(&message),
    };
    Said { status, code: line(&code), message }
}

/// Reads an answer that is no success.
pub(crate) async fn read(mut response: Response) -> (Said, Option<std::time::Duration>) {
    let (status, after) = (response.status().as_u16(), retry_after(response.headers()));
    let mut body = Vec::new();
    // An answer that breaks off says no less than its status.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_LIMIT {
            break;
        }
    }
    (said(status, &body), after)
}

/// The cause behind an answer that is no success.
pub(crate) async fn refusal(response: Response) -> Cause {
    let (said, after) = read(response).await;
    cause(said, after)
}

fn cause(said: Said, after: Option<std::time::Duration>) -> Cause {
    let about_quota = format!("{} {}", said.code, said.message).to_ascii_lowercase();
    match (said.status, said.code.as_str()) {
        (429, _) => Cause::Busy { status: 429, after },
        (503, _) if after.is_some() => Cause::Busy { status: 503, after },
        (400..=499 | 507, _) if said.status == 507 || about_quota.contains("quota") => {
            Cause::Quota(said)
        }
        (413, _) => Cause::RequestTooLarge(said),
        (_, "NAME_INVALID" | "NAME_UNKNOWN") => Cause::NameRefused(said),
        (_, "MANIFEST_INVALID" | "MANIFEST_BLOB_UNKNOWN" | "MANIFEST_UNVERIFIED") => {
            Cause::ManifestRefused(said)
        }
        (_, "DIGEST_INVALID" | "SIZE_INVALID") => Cause::DigestRefused(said),
        (_, "BLOB_UPLOAD_UNKNOWN" | "BLOB_UPLOAD_INVALID" | "RANGE_INVALID") | (416, _) => {
            Cause::UploadLost(said)
        }
        (403 | 405, _) | (_, "DENIED" | "UNSUPPORTED") => Cause::Denied(said),
        _ => Cause::Status(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_means_what_its_code_says() {
        let json = |code: &str, message: &str| {
            format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#)
        };
        for (status, body, wanted) in [
            (429, String::new(), "answers 429 and asks to wait"),
            (403, json("DENIED", "quota exceeded"), "a quota is exceeded: 403 DENIED"),
            (413, json("DENIED", "Quota"), "a quota is exceeded"),
            (507, String::new(), "a quota is exceeded: 507"),
            (413, String::new(), "too large for the registry"),
            (403, json("DENIED", "no rights"), "denies it: 403 DENIED: no rights"),
            (400, json("NAME_INVALID", "x"), "refuses the name"),
            (404, json("NAME_UNKNOWN", "x"), "refuses the name"),
            (400, json("MANIFEST_INVALID", "x"), "refuses the manifest"),
            (400, json("DIGEST_INVALID", "x"), "did not receive"),
            (404, json("BLOB_UPLOAD_UNKNOWN", "x"), "the upload is lost"),
            (500, "<html>".to_owned(), "answers 500"),
        ] {
            let found = cause(said(status, body.as_bytes()), None).to_string();
            assert!(found.contains(wanted), "{status} {body}: {found}");
        }
    }

    #[test]
    fn what_a_registry_says_is_shown_on_one_short_line() {
        let long = "x".repeat(9_000);
        let body = format!(r#"{{"errors":[{{"code":"A","message":"a\n\u001b[31mb {long}"}}]}}"#);
        let found = said(400, body.as_bytes());
        assert!(found.message.starts_with("a [31mb xx"), "{}", found.message);
        assert_eq!(found.message.chars().count(), SHOWN);
    }
}
