//! What a registry answers.

use super::http::{Answer, Call, pairs};
use super::{Door, Shared, State};
use crate::sha256;
use std::fmt::Write as _;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Repository and the rest of a path: `nginx`, `manifests/latest`.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/v2/")?;
    let words = ["/manifests/", "/blobs/", "/tags/", "/referrers/"];
    let at = words.iter().filter_map(|word| path.find(word)).min()?;
    Some((&path[..at], &path[at + 1..]))
}

pub(super) fn route(state: &State, call: &Call) -> Answer {
    let mut shared = state.shared();
    if call.path() == "/token" {
        return token(state, &mut shared, call);
    }
    if let Some(refusal) = refusal(state, &mut shared, call) {
        return refusal;
    }
    let Some((repository, rest)) = split(call.path()) else {
        return Answer::new(if call.path() == "/v2/" { 200 } else { 404 }, b"{}");
    };
    let (kind, name) = rest.split_once('/').unwrap_or((rest, ""));
    match (call.method.as_str(), kind) {
        ("GET" | "HEAD", "manifests") => read_manifest(&mut shared, repository, name),
        ("PUT", "manifests") => put_manifest(state, &mut shared, call, repository, name),
        ("DELETE", "manifests") => delete_manifest(&mut shared, repository, name),
        ("GET", "tags") => tags(state, &mut shared, call, repository),
        ("GET", "referrers") => referrers(state, &mut shared, repository, name),
        ("POST", "blobs") => begin(state, &mut shared, call, repository),
        (_, "blobs") if name.starts_with("uploads/") => {
            upload(state, &mut shared, call, repository, name)
        }
        ("GET" | "HEAD", "blobs") => read_blob(&mut shared, call, repository, name),
        _ => Answer::error(405, "UNSUPPORTED", "this is not done here"),
    }
}

fn basic(user: &str, password: &str) -> String {
    let text = format!("{user}:{password}");
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::from("Basic ");
    for group in text.as_bytes().chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            let there = digit <= group.len();
            encoded.push(if there { char::from(alphabet[value as usize]) } else { '=' });
        }
    }
    encoded
}

/// What is said to whom it does not let in.
fn refusal(state: &State, shared: &mut Shared, call: &Call) -> Option<Answer> {
    let said = call.header("authorization").unwrap_or_default();
    let challenge = match &state.kind.door {
        Door::Open => return None,
        Door::Basic(user, password) if said == basic(user, password) => return None,
        Door::Basic(..) => "Basic realm=\"test\"".to_owned(),
        Door::Token(..) => {
            if let Some(uses) = shared.tokens.get_mut(said).filter(|uses| **uses > 0) {
                *uses -= 1;
                return None;
            }
            let (name, _) = split(call.path()).unwrap_or(("", ""));
            let actions = if call.method == "GET" { "pull" } else { "pull,push" };
            let (realm, scope) = (&shared.realm, format!("repository:{name}:{actions}"));
            format!("Bearer realm=\"{realm}\",service=\"test\",scope=\"{scope}\"")
        }
    };
    let answer = Answer::error(401, "UNAUTHORIZED", "authentication required");
    Some(answer.with("WWW-Authenticate", challenge))
}

fn token(state: &State, shared: &mut Shared, call: &Call) -> Answer {
    let Door::Token(user, password, good_for) = &state.kind.door else {
        return Answer::new(404, b"");
    };
    let form = String::from_utf8_lossy(&call.body);
    let identity = pairs(&form).any(|(key, value)| key == "refresh_token" && value == *password);
    let named = call.header("authorization") == Some(&*basic(user, password));
    if !(named || (call.method == "POST" && identity)) {
        return Answer::error(401, "UNAUTHORIZED", "unknown user or wrong password");
    }
    shared.next += 1;
    let value = format!("token-{}", shared.next);
    shared.tokens.insert(format!("Bearer {value}"), *good_for);
    let key = if call.method == "POST" { "access_token" } else { "token" };
    Answer::new(200, format!(r#"{{"{key}":"{value}","expires_in":300}}"#).as_bytes())
}

fn digits(reference: &str) -> Option<&str> {
    reference.strip_prefix("sha256:")
}

fn read_manifest(shared: &mut Shared, repository: &str, reference: &str) -> Answer {
    let kept = shared.repository(repository);
    let digest = digits(reference).map(str::to_owned).or_else(|| kept.tags.get(reference).cloned());
    let found = digest.and_then(|digest| Some((kept.manifests.get(&digest)?, digest)));
    match found {
        Some(((kind, bytes), digest)) => Answer::new(200, bytes)
            .with("Content-Type", kind.clone())
            .with("Docker-Content-Digest", format!("sha256:{digest}")),
        None => Answer::error(404, "MANIFEST_UNKNOWN", "there is no such manifest"),
    }
}

/// The digests that stand in a manifest, but for its subject's.
fn named_in(text: &str) -> Vec<String> {
    let text = match text.find("\"subject\":{") {
        Some(at) => {
            let end = text[at..].find('}').map_or(text.len(), |end| at + end);
            format!("{}{}", &text[..at], &text[end..])
        }
        None => text.to_owned(),
    };
    let parts = text.split("\"digest\":\"sha256:").skip(1);
    parts.map(|part| part.chars().take(64).collect()).collect()
}

fn subject(text: &str) -> Option<String> {
    let about = text.split("\"subject\":{").nth(1)?;
    Some(about.split("sha256:").nth(1)?.chars().take(64).collect())
}

fn put_manifest(
    state: &State,
    shared: &mut Shared,
    call: &Call,
    repository: &str,
    reference: &str,
) -> Answer {
    let kind = call.header("content-type").unwrap_or_default().to_owned();
    let text = String::from_utf8_lossy(&call.body).into_owned();
    let by_tag = reference.starts_with("sha256-");
    let kept = shared.repository(repository);
    for name in named_in(&text) {
        // The list of referrers names artifacts that may come later.
        if !by_tag && !kept.blobs.contains(&name) && !kept.manifests.contains_key(&name) {
            return Answer::error(404, "MANIFEST_BLOB_UNKNOWN", &format!("sha256:{name}"));
        }
    }
    let digest = sha256(&call.body);
    if digits(reference).is_some_and(|said| said != digest) {
        return Answer::error(400, "DIGEST_INVALID", "the manifest has another digest");
    }
    let tag = if digits(reference).is_some() { None } else { Some(reference) };
    shared.put_manifest(repository, tag, &kind, &call.body);
    let answer = Answer::new(201, b"")
        .with("Location", format!("/v2/{repository}/manifests/sha256:{digest}"))
        .with("Docker-Content-Digest", format!("sha256:{digest}"));
    match subject(&text).filter(|_| state.kind.referrers) {
        Some(about) => answer.with("OCI-Subject", format!("sha256:{about}")),
        None => answer,
    }
}

fn delete_manifest(shared: &mut Shared, repository: &str, reference: &str) -> Answer {
    let kept = shared.repository(repository);
    let gone = match digits(reference) {
        Some(digest) => {
            kept.tags.retain(|_, means| means != digest);
            kept.manifests.remove(digest).is_some()
        }
        None => kept.tags.remove(reference).is_some(),
    };
    if gone { Answer::new(202, b"") } else { Answer::error(404, "MANIFEST_UNKNOWN", "not there") }
}

fn tags(state: &State, shared: &mut Shared, call: &Call, repository: &str) -> Answer {
    let Some(kept) = shared.repositories.get(repository) else {
        return Answer::error(404, "NAME_UNKNOWN", "there is no such repository");
    };
    let last = call.query("last").unwrap_or_default();
    let behind: Vec<&String> = kept.tags.keys().filter(|tag| **tag > last).collect();
    let page: Vec<String> =
        behind.iter().take(state.kind.page).map(|tag| format!("\"{tag}\"")).collect();
    let body = format!(r#"{{"name":"{repository}","tags":[{}]}}"#, page.join(","));
    let answer = Answer::new(200, body.as_bytes());
    match behind.get(state.kind.page.saturating_sub(1)).filter(|_| behind.len() > page.len()) {
        Some(last) => {
            answer.with("Link", format!("</v2/{repository}/tags/list?last={last}>; rel=\"next\""))
        }
        None => answer,
    }
}

fn referrers(state: &State, shared: &mut Shared, repository: &str, about: &str) -> Answer {
    if !state.kind.referrers {
        return Answer::new(404, b"404 page not found");
    }
    let mut entries = String::new();
    for (digest, (kind, bytes)) in &shared.repository(repository).manifests {
        let text = String::from_utf8_lossy(bytes);
        if subject(&text).as_deref() != digits(about) {
            continue;
        }
        let artifact = text.split("\"artifactType\":\"").nth(1).and_then(|t| t.split('"').next());
        let comma = if entries.is_empty() { "" } else { "," };
        let _ = write!(
            entries,
            r#"{comma}{{"mediaType":"{kind}","digest":"sha256:{digest}","size":{},"artifactType":"{}"}}"#,
            bytes.len(),
            artifact.unwrap_or_default(),
        );
    }
    let body = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{entries}]}}"#);
    Answer::new(200, body.as_bytes()).with("Content-Type", INDEX)
}

fn begin(state: &State, shared: &mut Shared, call: &Call, repository: &str) -> Answer {
    let mount = call.query("mount").and_then(|digest| digits(&digest).map(str::to_owned));
    let from = call.query("from").unwrap_or_default();
    if let Some(digest) = mount.filter(|_| state.kind.mounts)
        && shared.repository(&from).blobs.contains(&digest)
    {
        shared.repository(repository).blobs.insert(digest.clone());
        return Answer::new(201, b"")
            .with("Location", format!("/v2/{repository}/blobs/sha256:{digest}"));
    }
    shared.next += 1;
    let id = shared.next.to_string();
    shared.uploads.insert(id.clone(), Vec::new());
    let answer = Answer::new(202, b"").with("Location", location(repository, &id));
    match state.kind.least_chunk {
        Some(least) => answer.with("OCI-Chunk-Min-Length", least.to_string()),
        None => answer,
    }
}

fn location(repository: &str, id: &str) -> String {
    format!("/v2/{repository}/blobs/uploads/{id}?state=x")
}

fn upload(state: &State, shared: &mut Shared, call: &Call, repository: &str, name: &str) -> Answer {
    let id = name.trim_start_matches("uploads/").to_owned();
    let unknown = || Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload");
    let Some(bytes) = shared.uploads.get_mut(&id) else { return unknown() };
    if call.method == "PATCH" {
        let range = call.header("content-range").and_then(|range| {
            let (from, last) = range.split_once('-')?;
            Some((from.parse::<usize>().ok()?, last.parse::<usize>().ok()? + 1))
        });
        if range != Some((bytes.len(), bytes.len() + call.body.len())) {
            return Answer::new(416, b"");
        }
        let least = state.kind.least_chunk.unwrap_or(0);
        if call.body.len() < least && bytes.is_empty() {
            return Answer::error(400, "SIZE_INVALID", "the chunk is too small");
        }
    }
    bytes.extend_from_slice(&call.body);
    let end = bytes.len().saturating_sub(1);
    if call.method != "PUT" {
        let status = if call.method == "PATCH" { 202 } else { 204 };
        return Answer::new(status, b"")
            .with("Location", location(repository, &id))
            .with("Range", format!("0-{end}"));
    }
    let bytes = shared.uploads.remove(&id).unwrap_or_default();
    let digest = sha256(&bytes);
    if call.query("digest").as_deref().and_then(digits) != Some(&digest) {
        return Answer::error(400, "DIGEST_INVALID", "the blob has another digest");
    }
    shared.blobs.insert(digest.clone(), bytes);
    shared.repository(repository).blobs.insert(digest.clone());
    Answer::new(201, b"")
        .with("Location", format!("/v2/{repository}/blobs/sha256:{digest}"))
        .with("Docker-Content-Digest", format!("sha256:{digest}"))
}

fn read_blob(shared: &mut Shared, call: &Call, repository: &str, name: &str) -> Answer {
    let digest = digits(name).unwrap_or_default().to_owned();
    if !shared.repository(repository).blobs.contains(&digest) {
        return Answer::error(404, "BLOB_UNKNOWN", "there is no such blob");
    }
    let bytes = shared.blobs.get(&digest).cloned().unwrap_or_default();
    let from = call
        .header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let named = format!("sha256:{digest}");
    match from.filter(|from| *from < bytes.len()) {
        Some(from) => Answer::new(206, &bytes[from..])
            .with("Content-Range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len())),
        None => Answer::new(200, &bytes),
    }
    .with("Docker-Content-Digest", named)
}

/// The same answer about other bytes.
pub(super) fn with_other_digest(mut answer: Answer) -> Answer {
    let other = format!("sha256:{}", sha256(b"other"));
    for (name, value) in &mut answer.headers {
        if name == "Docker-Content-Digest" {
            value.clone_from(&other);
        }
    }
    if let Some(byte) = answer.body.last_mut() {
        *byte ^= 1;
    }
    answer
}

/// What came of a chunk whose connection broke.
pub(super) fn take_in_part(state: &State, call: &Call) {
    let Some((_, rest)) = split(call.path()) else { return };
    let id = rest.trim_start_matches("blobs/uploads/").to_owned();
    let mut shared = state.shared();
    if !state.kind.resumes {
        shared.uploads.remove(&id);
    } else if let Some(bytes) = shared.uploads.get_mut(&id) {
        bytes.extend_from_slice(&call.body);
    }
}
