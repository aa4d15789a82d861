//! An HTTP interface beside the store: what an operator does with a browser or a shell on real machines, over HTTP on loopback.
//!
//! ```text
//!   GET    /-/tokens                      your keys: id, scope, how it stands
//!   POST   /-/tokens?kind=read|write      a new token, as two lines of a .env; &scope=S, &uid=N for others
//!   POST   /-/tokens/{id}/roll            the same key id, another secret
//!   DELETE /-/tokens/{id}                 revokes it
//!   POST   /-/grail/restart               your GRAIL reads its .env anew
//!   GET    /-/validators                  what the simulated validators could not read, as JSON
//!   POST   /-/validators/restart          they forget their clients
//! ```
//!
//! It shares the store's port: no bucket can be called `-`. Nobody is asked who they are, since the keys open nothing;
//! pages in a browser are sent away all the same.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, ORIGIN};
use http::{Request, Response, StatusCode};
use s3s::Body;
use serde_json::json;

use super::accounts::OPERATOR_UID;
use super::grail::{GrailHandle, GrailStart};
use super::s3::{S3Control, Scope, Standing, Token};
use super::validator::ValidatorHandle;

/// How its paths begin.
const PREFIX: &str = "/-/";
/// Where tokens are made and listed.
pub const TOKENS: &str = "/-/tokens";
/// Where GRAIL is restarted.
pub const GRAIL_RESTART: &str = "/-/grail/restart";
/// What a visitor reads who is lost.
const WAYS: &str = "there is: GET and POST /-/tokens, POST /-/tokens/{id}/roll, DELETE /-/tokens/{id}, \
                    POST /-/grail/restart, GET /-/validators, POST /-/validators/restart";
/// What a visitor reads who asks for a token that cannot be made.
const TOKEN_QUERY: &str = "ask for a token with kind=read or kind=write, if need be with scope=read, write, account-wide or \
                           other-bucket, and with uid=N of a uid on the subnet";

/// The interface.
#[derive(Debug, Clone)]
pub struct AdminApi {
    s3: S3Control,
    grail: Option<GrailHandle>,
    validators: Option<ValidatorHandle>,
}

/// An answer in the making: a status and a text.
pub(super) type Answer = (StatusCode, String);

impl AdminApi {
    /// Over a store, with whoever else there is.
    pub const fn new(s3: S3Control, grail: Option<GrailHandle>, validators: Option<ValidatorHandle>) -> Self {
        Self { s3, grail, validators }
    }

    /// Whether a path is of this interface and not the store's.
    pub fn has(path: &str) -> bool {
        path.starts_with(PREFIX) || path == "/-"
    }

    /// Answers a request. Its body, if it has one, is not read.
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if request.headers().contains_key(ORIGIN) {
            let words = "this interface is for shells, not for pages in a browser".to_owned();
            return plain((StatusCode::FORBIDDEN, words));
        }
        let path = request.uri().path();
        let parts: Vec<_> = path.strip_prefix(PREFIX).unwrap_or_default().split('/').collect();
        let query = request.uri().query().unwrap_or_default();
        match (parts.as_slice(), request.method().as_str()) {
            (["tokens"], "GET") => plain((StatusCode::OK, self.list())),
            (["tokens"], "POST") => plain(self.issue(query)),
            (["tokens"], _) => wrong_verb("GET, POST"),
            (["tokens", id], "DELETE") => plain(self.revoke(id)),
            (["tokens", _], _) => wrong_verb("DELETE"),
            (["tokens", id, "roll"], "POST") => plain(self.roll(id)),
            (["grail", "restart"], "POST") => plain(self.restart_grail()),
            (["validators"], "GET") => self.validators(),
            (["validators"], _) => wrong_verb("GET"),
            (["validators", "restart"], "POST") => plain(self.restart_validators()),
            (["tokens", _, "roll"] | ["grail" | "validators", "restart"], _) => wrong_verb("POST"),
            _ => plain(nowhere()),
        }
    }

    fn list(&self) -> String {
        let line = |(key_id, scope, standing): (String, Scope, Standing)| match standing {
            Standing::Known => format!("{key_id} {} known\n", scope.name()),
            Standing::KnownIn(seconds) => format!("{key_id} {} known in {seconds} s\n", scope.name()),
            Standing::Revoked => format!("{key_id} {} revoked\n", scope.name()),
        };
        self.s3.tokens(OPERATOR_UID).into_iter().map(line).collect()
    }

    fn issue(&self, query: &str) -> Answer {
        let Some(Wanted { uid, scope, kind }) = Wanted::of(query).filter(|wanted| self.s3.is_member(wanted.uid)) else {
            return (StatusCode::BAD_REQUEST, TOKEN_QUERY.to_owned());
        };
        (StatusCode::OK, dotenv(kind, &self.s3.issue(uid, scope)))
    }

    fn roll(&self, key_id: &str) -> Answer {
        let writes = self.s3.scope_of(key_id) == Some(Scope::Write);
        let kind = if writes { Kind::Write } else { Kind::Read };
        self.s3.roll(key_id).map_or_else(no_such_token, |token| (StatusCode::OK, dotenv(kind, &token)))
    }

    fn revoke(&self, key_id: &str) -> Answer {
        if self.s3.revoke(key_id) { (StatusCode::OK, "revoked".to_owned()) } else { no_such_token() }
    }

    fn restart_grail(&self) -> Answer {
        let Some(grail) = &self.grail else {
            return (StatusCode::NOT_FOUND, "nobody runs GRAIL in this scenario: choose one with a .env".to_owned());
        };
        match grail.restart() {
            GrailStart::Unchanged => (StatusCode::OK, "unchanged: the chain holds what the .env says".to_owned()),
            GrailStart::Committed { key_id, write_key } => {
                let which = if write_key { "the WRITE key" } else { "the read key" };
                (StatusCode::OK, format!("committed: {which} {key_id} is published with the next block"))
            }
            GrailStart::NotConfigured(name) => {
                (StatusCode::CONFLICT, format!("not started: the .env has no {name}; put it back"))
            }
            GrailStart::Refused(reason) => (StatusCode::CONFLICT, format!("refused by the node: {reason}")),
        }
    }

    fn validators(&self) -> Response<Body> {
        let Some(validators) = &self.validators else { return plain(nobody_looks()) };
        let log = validators.log();
        let document = json!({ "looks": log.len(), "last": log.last(), "gaps": validators.gaps() });
        respond(StatusCode::OK, "application/json", document.to_string())
    }

    fn restart_validators(&self) -> Answer {
        let Some(validators) = &self.validators else { return nobody_looks() };
        validators.restart();
        (StatusCode::OK, "restarted: every validator has fetched anew".to_owned())
    }
}

/// For which variables of a `.env` a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

/// The token that a query asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    uid: u16,
    scope: Scope,
    kind: Kind,
}

impl Wanted {
    /// Whoever misspells something is told, rather than given another token than was meant.
    fn of(query: &str) -> Option<Self> {
        let (mut uid, mut scope, mut kind) = (OPERATOR_UID, None, None);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=')? {
                ("kind", "read") => kind = Some(Kind::Read),
                ("kind", "write") => kind = Some(Kind::Write),
                ("scope", name) => scope = Some(Scope::named(name)?),
                ("uid", number) => uid = number.parse().ok()?,
                _ => return None,
            }
        }
        let kind = kind?;
        let usual = if kind == Kind::Read { Scope::Read } else { Scope::Write };
        Some(Self { uid, scope: scope.unwrap_or(usual), kind })
    }
}

/// A token as two lines of a `.env`.
fn dotenv(kind: Kind, token: &Token) -> String {
    let name = if kind == Kind::Read { "READ" } else { "WRITE" };
    let Token { key_id, secret } = token;
    format!("R2_{name}_ACCESS_KEY_ID={key_id}\nR2_{name}_SECRET_ACCESS_KEY={}\n", secret.expose())
}

fn no_such_token() -> Answer {
    (StatusCode::NOT_FOUND, format!("no such token, or revoked already: GET {TOKENS} lists yours"))
}

fn nobody_looks() -> Answer {
    let words = "no validators are simulated in this scenario: choose one that has some, such as rotation";
    (StatusCode::NOT_FOUND, words.to_owned())
}

fn nowhere() -> Answer {
    (StatusCode::NOT_FOUND, format!("nothing is here; {WAYS}"))
}

fn wrong_verb(allowed: &'static str) -> Response<Body> {
    let mut response = plain((StatusCode::METHOD_NOT_ALLOWED, format!("here goes {allowed}; {WAYS}")));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn plain((status, mut text): Answer) -> Response<Body> {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    respond(status, "text/plain; charset=utf-8", text)
}

/// What is answered may be a secret: nobody is to keep it.
fn respond(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_asks_for_a_kind_and_may_ask_for_another_scope_and_uid() {
        let wanted = |uid, scope, kind| Some(Wanted { uid, scope, kind });
        assert_eq!(Wanted::of("kind=read"), wanted(42, Scope::Read, Kind::Read));
        assert_eq!(Wanted::of("kind=write"), wanted(42, Scope::Write, Kind::Write));
        assert_eq!(Wanted::of("scope=write&kind=read&uid=7"), wanted(7, Scope::Write, Kind::Read));
        for query in
            ["", "kind", "kind=", "kind=both", "scope=read", "kind=read&scope=all", "kind=read&uid=x", "kind=read&x=1"]
        {
            assert_eq!(Wanted::of(query), None, "{query}");
        }
    }
}
