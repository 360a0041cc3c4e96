//! Tokens of every kind, made with keys that live as long as the test.
#![cfg(test)]

mod any;
mod claims;
mod header;
mod hostile;
mod keys;
pub mod signer;
mod vectors;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::signer::ED25519;
use super::{Accepted, Part, Refusal, Terms, judge_claims, judge_token};
use crate::api::identity_provider::Algorithm;

const ISSUER: &str = "https://login.example.com";

/// When tokens are judged where nothing else is said, in seconds.
const AT: i64 = 1_800_000_000;

const USUAL: Terms<'static> = Terms {
    issuer: ISSUER,
    audiences: &[],
    algorithms: &Algorithm::ALL,
    clock_skew: Duration::from_secs(3),
    max_token_age: None,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Claims that are accepted, but for these members; `null` takes a member out.
fn claims(changes: Value) -> Map<String, Value> {
    let Value::Object(mut claims) = json!({ "iss": ISSUER, "sub": "mini", "iat": AT - 60, "exp": AT + 60 }) else {
        unreachable!()
    };
    let Value::Object(changes) = changes else { unreachable!() };
    for (name, value) in changes {
        if value.is_null() {
            claims.remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
    claims
}

/// What becomes of claims, which is the same with a signature and without.
fn judge(claims: &Map<String, Value>, terms: &Terms<'_>, at: Timestamp) -> Result<(), Refusal> {
    let verdict = judge_claims(claims, terms, at);
    let token = ED25519.token(&json!({ "alg": "EdDSA" }), claims);
    assert_eq!(judge_token(&token, terms, &[ED25519.public(None)], at).map(|_| ()), verdict);
    verdict
}

/// What becomes of a token of this header, signed by Ed25519 as it stands, that is good otherwise.
fn judge_header(header: &str) -> Result<(), Refusal> {
    judge_raw(&ED25519.signed("EdDSA", header.as_bytes(), usual_claims().as_bytes()))
}

/// What becomes of a token of these claims, signed as they stand.
fn judge_text(claims: impl AsRef<[u8]>) -> Result<(), Refusal> {
    judge_raw(&ED25519.signed("EdDSA", br#"{"alg":"EdDSA"}"#, claims.as_ref()))
}

fn judge_raw(token: &str) -> Result<(), Refusal> {
    judge_token(token, &USUAL, &[ED25519.public(Some("a"))], at(AT)).map(|_| ())
}

fn usual_claims() -> String {
    Value::Object(claims(json!({}))).to_string()
}
