//! The way past a registry's door: what it asks for, and the tokens that it has given.
//!
//! Credentials go to the registry itself and to the token service that it names, and to the
//! latter only over https, or where it is the same host as a registry that is spoken to without
//! TLS. A token counts for its scopes, until it expires or the registry asks again. Follows the
//! Distribution project's token authentication specification, OAuth 2 for identity tokens.

use crate::challenge::Challenge;
use crate::client::Site;
use crate::credentials::Credential;
use crate::error::{Cause, Said};
use crate::{Registry, Repository, said};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a token counts that does not say so (token authentication specification).
const USUAL_LIFE: u64 = 60;

/// Most that is read of a token service's answer.
const ANSWER_LIMIT: u64 = 1 << 20;

/// Credentials and where they were found.
pub(crate) type Found = Option<(Credential, String)>;

/// What one registry has asked for so far, and given.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    scheme: Mutex<Option<Scheme>>,
    /// Held while a token is fetched, so that many requests fetch one.
    tokens: tokio::sync::Mutex<BTreeMap<String, Token>>,
    found: Mutex<BTreeMap<Repository, Found>>,
}

#[derive(Debug, Clone)]
enum Scheme {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

struct Token {
    value: HeaderValue,
    until: Instant,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("until", &self.until).finish_non_exhaustive()
    }
}

/// What goes with a request.
pub(crate) struct Pass {
    pub(crate) value: HeaderValue,
    /// Where the credentials were found; none for a token that anyone gets.
    from: Option<String>,
    /// Whether nothing better can be had.
    fresh: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(alias = "access_token")]
    token: String,
    expires_in: Option<u64>,
}

impl Guard {
    /// Takes in what a refusal asks for. An error where that was tried already.
    pub(crate) fn challenged(
        &self,
        offers: &[Challenge],
        pass: Option<&Pass>,
        said: Said,
        asked: &Repository,
    ) -> Result<(), Cause> {
        let offer = |scheme: &str| offers.iter().find(|offer| offer.scheme == scheme);
        if let Some(pass) = pass.filter(|pass| pass.fresh) {
            let short = offers.iter().any(|offer| {
                offer.parameters.get("error").is_some_and(|error| error == "insufficient_scope")
            });
            return Err(match &pass.from {
                Some(_) if short => Cause::Denied(said),
                Some(from) => Cause::WrongCredentials { from: from.clone(), said },
                None => Cause::NoCredentials { said, asked: asked.to_string() },
            });
        }
        let scheme = if let Some(bearer) = offer("bearer") {
            let text = bearer.parameters.get("realm").map_or("", String::as_str);
            let realm = Url::parse(text).map_err(|_unreadable| Cause::Realm(text.to_owned()))?;
            Scheme::Bearer { realm, service: bearer.parameters.get("service").cloned() }
        } else if offer("basic").is_some() {
            Scheme::Basic
        } else {
            let schemes: Vec<&str> = offers.iter().map(|offer| &*offer.scheme).collect();
            return Err(Cause::Challenge(schemes.join(", ")));
        };
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = Some(scheme);
        Ok(())
    }

    /// Forgets the token of these scopes.
    pub(crate) async fn forget(&self, scopes: &str) {
        self.tokens.lock().await.remove(scopes);
    }
}

impl Registry {
    /// What proves who the user is to a registry, as far as it has asked. `scopes` are separated
    /// by spaces.
    pub(crate) async fn pass(
        &self,
        site: &Site,
        repository: &Repository,
        scopes: &str,
    ) -> Result<Option<Pass>, Cause> {
        let scheme = site.guard.scheme.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(scheme) = scheme else { return Ok(None) };
        let found = self.found(site, repository).await?;
        let from = found.as_ref().map(|(_, from)| from.clone());
        match (scheme, found) {
            (Scheme::Basic, Some((Credential::Password { user, password }, _))) => {
                Ok(Some(Pass { value: basic(&user, &password)?, from, fresh: true }))
            }
            (Scheme::Basic, Some((Credential::Identity(_), _))) => {
                Err(Cause::Challenge("basic, for which an identity token is no password".into()))
            }
            (Scheme::Basic, None) => {
                let said = Said { status: 401, ..Said::default() };
                Err(Cause::NoCredentials { said, asked: repository.to_string() })
            }
            (Scheme::Bearer { realm, service }, found) => {
                let mut tokens = site.guard.tokens.lock().await;
                if let Some(token) = tokens.get(scopes).filter(|t| t.until > Instant::now()) {
                    return Ok(Some(Pass { value: token.value.clone(), from, fresh: false }));
                }
                let wanted = Wanted { realm, service, scopes, repository, found: found.as_ref() };
                let token = self.token(site, &wanted).await?;
                let value = token.value.clone();
                tokens.insert(scopes.to_owned(), token);
                Ok(Some(Pass { value, from, fresh: true }))
            }
        }
    }

    async fn found(&self, site: &Site, repository: &Repository) -> Result<Found, Cause> {
        let known = || site.guard.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(repository) {
            return Ok(found.clone());
        }
        let (credentials, asked) = (self.options().credentials.clone(), repository.clone());
        // A helper may ask the user something.
        let found = tokio::task::spawn_blocking(move || credentials.find(&asked)).await;
        let found = found.map_err(|_stopped| Cause::Answer("could not be waited for"))?;
        let found = found.map_err(Cause::Credentials)?;
        known().insert(repository.clone(), found.clone());
        Ok(found)
    }

    async fn token(&self, site: &Site, wanted: &Wanted<'_>) -> Result<Token, Cause> {
        let realm = &wanted.realm;
        let same_host = site.plain && realm.host_str() == site.base.host_str();
        if realm.scheme() != "https" && !(realm.scheme() == "http" && same_host) {
            return Err(Cause::Realm(realm.to_string()));
        }
        let client = self.client_of(realm)?;
        let request = match wanted.found {
            Some((Credential::Identity(identity), _)) => client
                .post(realm.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(wanted.form(identity)),
            Some((Credential::Password { user, password }, _)) => {
                client.get(wanted.address()).header(AUTHORIZATION, basic(user, password)?)
            }
            None => client.get(wanted.address()),
        };
        self.count();
        let asked = Instant::now();
        let response = request.send().await.map_err(crate::client::network)?;
        if !response.status().is_success() {
            return Err(wanted.refusal(said::read(response).await));
        }
        let bytes = crate::client::body(response, ANSWER_LIMIT).await?;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(Cause::Json)?;
        let value = HeaderValue::from_str(&format!("Bearer {}", answer.token));
        let mut value = value.map_err(|_unfit| Cause::Answer("holds a token that is none"))?;
        value.set_sensitive(true);
        let life = Duration::from_secs(answer.expires_in.unwrap_or(USUAL_LIFE));
        // Not in its last moments: it is to hold while a request is on its way.
        let until = asked.checked_add(life.mul_f32(0.9)).unwrap_or(asked);
        Ok(Token { value, until })
    }
}

/// A token that is to be had.
struct Wanted<'a> {
    realm: Url,
    service: Option<String>,
    scopes: &'a str,
    repository: &'a Repository,
    found: Option<&'a (Credential, String)>,
}

impl Wanted<'_> {
    /// With service and scopes; each scope stands alone.
    fn address(&self) -> Url {
        let mut url = self.realm.clone();
        let mut pairs = url.query_pairs_mut();
        pairs.extend_pairs(self.service.iter().map(|service| ("service", service)));
        pairs.extend_pairs(self.scopes.split(' ').map(|scope| ("scope", scope)));
        drop(pairs);
        url
    }

    /// The form that an identity token goes in.
    fn form(&self, identity: &str) -> String {
        let mut url = self.realm.clone();
        url.set_query(None);
        url.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", "dmc")
            .append_pair("service", self.service.as_deref().unwrap_or_default())
            .append_pair("scope", self.scopes)
            .append_pair("refresh_token", identity);
        url.query().unwrap_or_default().to_owned()
    }

    fn refusal(&self, (said, after): (Said, Option<Duration>)) -> Cause {
        match (said.status, self.found) {
            (429, _) => Cause::Busy { status: 429, after },
            (400 | 401 | 403, Some((_, from))) => {
                Cause::WrongCredentials { from: from.clone(), said }
            }
            (401 | 403, None) => Cause::NoCredentials { said, asked: self.repository.to_string() },
            _ => {
                let mut realm = self.realm.clone();
                realm.set_query(None);
                Cause::Token { realm: realm.to_string(), said }
            }
        }
    }
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, Cause> {
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let value = HeaderValue::from_str(&text);
    let mut value = value.map_err(|_unfit| Cause::Answer("cannot be given that password"))?;
    value.set_sensitive(true);
    Ok(value)
}
