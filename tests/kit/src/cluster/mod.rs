//! A Kubernetes API server on 127.0.0.1, as far as it takes to apply, watch over and delete.
//!
//! It answers over TLS to one bearer token, or to one client's certificate; validates objects
//! strictly (unknown fields, wrong types, what the API's rules say); takes server-side apply alone,
//! with `application/apply-patch+yaml` and a field manager, and keeps `managedFields`, so that conflicts
//! are real ones; deletes by UID. Rollouts come one step further at each look; how Jobs come on is
//! said by the test, which runs what their pods would run. It refuses on demand, in the words that
//! a cluster would use, or says nothing at all.

mod check;
mod fields;
mod http;
mod kept;

use crate::{AUTHORITY, Identity, TlsFront};
use http::{Answer, Ask};
use kept::{Fortune, Kept};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

const TOKEN: &str = "a-token-of-tests";

/// A running API server.
#[derive(Debug)]
pub struct FakeCluster {
    front: TlsFront,
    entry: Entry,
    address: std::net::SocketAddr,
    state: Arc<State>,
    listening: Option<JoinHandle<()>>,
}

/// What a client has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Token,
    Certificate,
}

#[derive(Debug)]
struct State {
    entry: Entry,
    stopped: AtomicBool,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    namespaces: Vec<String>,
    objects: BTreeMap<String, Kept>,
    /// Method, part of the path, how often, answer; none for silence.
    refusals: Vec<(String, String, usize, Option<Answer>)>,
    asked: Vec<String>,
    fortune: Fortune,
    count: u64,
}

impl FakeCluster {
    /// A cluster with these namespaces.
    pub fn start(namespaces: &[&str]) -> Self {
        Self::behind(Entry::Token, namespaces)
    }

    /// One that lets nobody in without the certificate of a client, and asks for no token.
    pub fn with_certificates(namespaces: &[&str]) -> Self {
        Self::behind(Entry::Certificate, namespaces)
    }

    fn behind(entry: Entry, namespaces: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the port's number");
        let namespaces = namespaces.iter().map(ToString::to_string).collect();
        let shared = Mutex::new(Shared { namespaces, ..Shared::default() });
        let state = Arc::new(State { entry, stopped: AtomicBool::new(false), shared });
        let serving = Arc::clone(&state);
        let listening = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&serving);
                // A client that goes away is no failure.
                std::thread::spawn(move || drop(http::serve(&stream, &state)));
            }
        });
        let front = match entry {
            Entry::Token => TlsFront::start(address),
            Entry::Certificate => TlsFront::for_clients(address),
        };
        Self { front, entry, address, state, listening: Some(listening) }
    }

    /// A kubeconfig whose current context `tests` is this cluster and a namespace of it, and whose
    /// context `stranger` has a token or a certificate that is not known.
    pub fn kubeconfig(&self, namespace: &str) -> String {
        let cluster = json!({
            "server": format!("https://{}", self.front.address()),
            "certificate-authority-data": fields::base64(AUTHORITY.as_bytes()),
        });
        let context =
            |user: &str| json!({ "cluster": "fake", "namespace": namespace, "user": user });
        let shows = |token: &str, identity: Identity| match self.entry {
            Entry::Token => json!({ "token": token }),
            Entry::Certificate => json!({
                "client-certificate-data": fields::base64(identity.certificate.as_bytes()),
                "client-key-data": fields::base64(identity.key.as_bytes()),
            }),
        };
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{ "name": "fake", "cluster": cluster }],
            "contexts": [
                { "name": "tests", "context": context("tester") },
                { "name": "stranger", "context": context("stranger") },
            ],
            "users": [
                { "name": "tester", "user": shows(TOKEN, Identity::CLIENT) },
                { "name": "stranger", "user": shows("another", Identity::STRANGER) },
            ],
        })
        .to_string()
    }

    /// Lets the next `times` requests of a method, whose path contains `part`, be refused with a
    /// status of the API.
    pub fn refuse(
        &self,
        method: &str,
        part: &str,
        times: usize,
        code: u16,
        reason: &str,
        message: &str,
    ) {
        let answer = Answer::status(code, reason, message, &[]);
        self.state.shared().refusals.push((
            method.to_owned(),
            part.to_owned(),
            times,
            Some(answer),
        ));
    }

    /// Lets the next `times` requests of a method, whose path contains `part`, have no answer.
    pub fn ignore(&self, method: &str, part: &str, times: usize) {
        self.state.shared().refusals.push((method.to_owned(), part.to_owned(), times, None));
    }

    /// Lets rollouts come to nothing from now on.
    pub fn get_stuck(&self) {
        self.state.shared().fortune = Fortune::Stuck;
    }

    /// Lets the cluster give rollouts up from now on, with these words.
    pub fn give_up(&self, words: &str) {
        self.state.shared().fortune = Fortune::GivenUp(words.to_owned());
    }

    /// Lets rollouts go well again.
    pub fn recover(&self) {
        self.state.shared().fortune = Fortune::Good;
    }

    /// Puts an object there as another manager applies it; its path is the API's.
    pub fn put(&self, path: &str, manager: &str, object: &Value) {
        self.state.shared().apply(path, manager, true, object).expect("a good object");
    }

    /// Says how an object is that is there, as the cluster's own controllers do.
    pub fn set_status(&self, path: &str, status: &Value) {
        let mut shared = self.state.shared();
        let kept = shared.objects.get_mut(path).expect("an object that is there");
        kept.status = status.clone();
        kept.version += 1;
    }

    /// Removes an object without a word.
    pub fn remove(&self, path: &str) {
        self.state.shared().objects.remove(path);
    }

    /// The paths of all objects.
    pub fn paths(&self) -> Vec<String> {
        self.state.shared().objects.keys().cloned().collect()
    }

    /// An object as it is now.
    pub fn object(&self, path: &str) -> Option<Value> {
        let shared = self.state.shared();
        shared.objects.get(path).map(|kept| kept.shown(path, &shared.fortune))
    }

    /// Method, path and query of every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.state.shared().asked.clone()
    }
}

impl Drop for FakeCluster {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the listening thread.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

impl State {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no thread of the server panics with the lock")
    }

    /// None for silence.
    fn answer(&self, ask: &Ask) -> Option<Answer> {
        let mut shared = self.shared();
        shared.asked.push(format!("{} {}?{}", ask.method, ask.path, ask.query));
        if self.entry == Entry::Token && ask.token != format!("Bearer {TOKEN}") {
            return Some(Answer::status(401, "Unauthorized", "Unauthorized", &[]));
        }
        let refusal = shared.refusals.iter_mut().find(|(method, part, times, _)| {
            *times > 0 && *method == ask.method && ask.path.contains(part.as_str())
        });
        if let Some((_, _, times, answer)) = refusal {
            *times -= 1;
            return answer.clone();
        }
        Some(shared.answer(ask))
    }
}

impl Shared {
    fn answer(&mut self, ask: &Ask) -> Answer {
        let path = ask.path.as_str();
        match ask.method.as_str() {
            "GET" if check::is_list(path) => self.list(path, &ask.query_value("labelSelector")),
            "GET" => self.get(path),
            "PATCH" => self.patch(ask),
            "DELETE" => self.delete(path, &ask.body),
            _ => Answer::status(405, "MethodNotAllowed", "the method is not allowed", &[]),
        }
    }

    fn get(&mut self, path: &str) -> Answer {
        match self.objects.get_mut(path) {
            None => check::not_found(path),
            Some(kept) => {
                kept.looks += 1;
                Answer { code: 200, body: kept.shown(path, &self.fortune) }
            }
        }
    }

    fn list(&self, path: &str, selector: &str) -> Answer {
        let (key, wanted) = selector.split_once('=').unwrap_or_default();
        let prefix = format!("{path}/");
        let inside = self.objects.iter().filter(|(other, _)| other.starts_with(&prefix));
        let shown = inside.map(|(path, kept)| kept.shown(path, &self.fortune));
        let matches = |it: &Value| key.is_empty() || it["metadata"]["labels"][key] == wanted;
        let items: Vec<Value> = shown.filter(matches).collect();
        let (version, kind) = check::kind_of(path);
        let body = json!({
            "apiVersion": version, "kind": format!("{kind}List"), "metadata": {}, "items": items,
        });
        Answer { code: 200, body }
    }

    fn patch(&mut self, ask: &Ask) -> Answer {
        if ask.content_type != "application/apply-patch+yaml" {
            let text = format!("`{}` is not a patch that this server takes", ask.content_type);
            return Answer::status(415, "UnsupportedMediaType", &text, &[]);
        }
        let manager = ask.query_value("fieldManager");
        if manager.is_empty() {
            let text = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is \
                        required for apply patch";
            return Answer::status(422, "Invalid", text, &[]);
        }
        let namespace =
            ask.path.split("/namespaces/").nth(1).and_then(|rest| rest.split('/').next());
        if let Some(namespace) = namespace.filter(|it| !self.namespaces.iter().any(|has| has == it))
        {
            let text = format!("namespaces \"{namespace}\" not found");
            return Answer::status(404, "NotFound", &text, &[]);
        }
        let Ok(object) = serde_json::from_slice::<Value>(&ask.body) else {
            return Answer::status(400, "BadRequest", "the object is no JSON", &[]);
        };
        let force = ask.query_value("force") == "true";
        match self.apply(&ask.path, &manager, force, &object) {
            Ok(code) => {
                let kept = self.objects.get(&ask.path).expect("it was just applied");
                Answer { code, body: kept.shown(&ask.path, &self.fortune) }
            }
            Err(answer) => answer,
        }
    }

    /// Server-side apply; the status of its success.
    fn apply(
        &mut self,
        path: &str,
        manager: &str,
        force: bool,
        object: &Value,
    ) -> Result<u16, Answer> {
        check::object(path, object)?;
        let before = self.objects.get(path).cloned();
        let mut fields = before.as_ref().map(|kept| kept.fields.clone()).unwrap_or_default();
        let conflicts = fields.apply(manager, force, object);
        if !conflicts.is_empty() {
            return Err(check::conflict(object, &conflicts));
        }
        self.count += 1;
        let count = self.count;
        let Some(before) = before else {
            let (status, uid, version) = (json!({}), count, count);
            let kept = Kept { fields, uid, version, generation: 1, looks: 0, status };
            self.objects.insert(path.to_owned(), kept);
            return Ok(201);
        };
        check::unchangeable(path, &before.fields.value(), &fields.value())?;
        if fields != before.fields {
            let moved = fields.value()["spec"] != before.fields.value()["spec"];
            let generation = before.generation + u64::from(moved);
            let looks = if moved { 0 } else { before.looks };
            let kept = Kept { fields, version: count, generation, looks, ..before };
            self.objects.insert(path.to_owned(), kept);
        }
        Ok(200)
    }

    fn delete(&mut self, path: &str, options: &[u8]) -> Answer {
        let options: Value = serde_json::from_slice(options).unwrap_or_default();
        let Some(kept) = self.objects.get(path) else { return check::not_found(path) };
        let wanted = options["preconditions"]["uid"].as_str();
        let uid = kept.uid_text();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != uid) {
            let text = format!(
                "Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}"
            );
            return Answer::status(409, "Conflict", &text, &[]);
        }
        self.objects.remove(path);
        Answer {
            code: 200,
            body: json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }),
        }
    }
}
