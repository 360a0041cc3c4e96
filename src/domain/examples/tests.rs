//! Examples with real signatures, good ones and others.
#![cfg(test)]

use rstest::rstest;
use serde_json::{Value, json};

use super::{ExamplesVerdict, FailedExample, judge};
use crate::{
    api::IdentityProviderSpec,
    domain::token::{
        Part, Refusal,
        tests::signer::{ED25519, P256, STRANGER, Signer},
    },
};

const ISSUER: &str = "https://login.example.com";

/// 2026-01-31T12:00:00Z, which is when examples are judged, in seconds.
const AT: i64 = 1_769_860_800;

fn spec(changes: &Value, examples: &[Value]) -> IdentityProviderSpec {
    let mut spec = json!({
        "jwtEndpoint": "https://login.example.com/jwt", "issuer": ISSUER, "keysEndpoint": "https://login.example.com/keys",
        "examples": examples,
    });
    spec.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "mini", "aud": "api", "iat": AT - 60, "exp": AT + 60 })
}

/// A token of these claims, by a key of this id.
fn token(signer: &Signer, algorithm: &str, id: Option<&str>, claims: &Value) -> String {
    let mut header = json!({ "alg": algorithm });
    if let Some(id) = id {
        header["kid"] = json!(id);
    }
    signer.token(&header, claims.as_object().unwrap())
}

fn by_token(token: &str, expect: &str) -> Value {
    json!({ "name": "example", "token": token, "at": "2026-01-31T12:00:00Z", "expect": expect })
}

fn by_claims(claims: &Value, expect: &str) -> Value {
    json!({ "name": "example", "claims": claims, "at": "2026-01-31T12:00:00Z", "expect": expect })
}

/// What becomes of an example, by an Ed25519 key of the id `a` and a P-256 key without one: it must be the opposite for the
/// opposite expectation, unless it is not judged.
fn outcome(changes: &Value, example: impl Fn(&str) -> Value) -> Option<Result<(), Refusal>> {
    let keys = [ED25519.public(Some("a")), P256.public(None)];
    let judged = |expect: &str| judge(&spec(changes, &[example(expect)]), &keys);
    let failed = |refused| ExamplesVerdict {
        failed: vec![FailedExample { index: 0, name: "example".to_owned(), refused }],
        ..ExamplesVerdict::default()
    };
    let as_expected = ExamplesVerdict { as_expected: 1, ..ExamplesVerdict::default() };
    let (accept, reject) = (judged("Accept"), judged("Reject"));
    if accept == as_expected {
        assert_eq!(reject, failed(None));
        return Some(Ok(()));
    }
    if reject == as_expected {
        let refusal = accept.failed[0].refused.unwrap();
        assert_eq!(accept, failed(Some(refusal)));
        return Some(Err(refusal));
    }
    let not_judged = ExamplesVerdict { not_judged: 1, ..ExamplesVerdict::default() };
    assert_eq!((accept, reject), (not_judged.clone(), not_judged));
    None
}

#[rstest]
#[case::named(token(&ED25519, "EdDSA", Some("a"), &claims()), Some(Ok(())))]
#[case::without_id(token(&P256, "ES256", None, &claims()), Some(Ok(())))]
#[case::bearer(format!("Bearer {}", token(&ED25519, "EdDSA", Some("a"), &claims())), Some(Ok(())))]
#[case::other_scheme(format!("Basic {}", token(&ED25519, "EdDSA", Some("a"), &claims())), Some(Err(Refusal::NotABearer)))]
#[case::no_token("x".to_owned(), Some(Err(Refusal::NotThreeParts)))]
#[case::too_large("x".repeat(8193), Some(Err(Refusal::TooLarge)))]
#[case::header(".e30.AA".to_owned(), Some(Err(Refusal::NotAnObject(Part::Header))))]
#[case::forged(token(&STRANGER, "EdDSA", Some("a"), &claims()), Some(Err(Refusal::BadSignature)))]
#[case::of_another_issuer(token(&ED25519, "EdDSA", Some("a"), &json!({ "iss": "x", "iat": AT, "exp": AT + 1 })), Some(Err(Refusal::WrongIssuer)))]
#[case::rotated_out(token(&STRANGER, "EdDSA", Some("b"), &claims()), None)]
#[case::rotated_out_and_of_another_issuer(token(&STRANGER, "EdDSA", Some("b"), &json!({})), None)]
fn a_token_is_judged_unless_its_key_is_not_published(
    #[case] token: String,
    #[case] expected: Option<Result<(), Refusal>>,
) {
    assert_eq!(outcome(&json!({}), |expect| by_token(&token, expect)), expected);
}

/// Each field of the spec that says what a token must be like does so.
#[rstest]
#[case::issuer(json!({ "issuer": "https://login.example.com/" }), Err(Refusal::WrongIssuer))]
#[case::audience(json!({ "audiences": ["web", "api"] }), Ok(()))]
#[case::other_audience(json!({ "audiences": ["web"] }), Err(Refusal::WrongAudience))]
#[case::algorithm(json!({ "algorithms": ["EdDSA"] }), Ok(()))]
#[case::age(json!({ "maxTokenAge": "1m", "clockSkew": "0s" }), Ok(()))]
fn the_spec_s_terms_hold(#[case] changes: Value, #[case] expected: Result<(), Refusal>) {
    let token = token(&ED25519, "EdDSA", Some("a"), &claims());
    assert_eq!(outcome(&changes, |expect| by_token(&token, expect)), Some(expected));
    assert_eq!(outcome(&changes, |expect| by_claims(&claims(), expect)), Some(expected));
}

#[test]
fn the_algorithm_is_of_the_token_and_not_of_its_claims() {
    let changes = json!({ "algorithms": ["RS256"] });
    for id in ["a", "rotated-out"] {
        let token = token(&ED25519, "EdDSA", Some(id), &claims());
        assert_eq!(outcome(&changes, |expect| by_token(&token, expect)), Some(Err(Refusal::AlgorithmNotAllowed)));
    }
    assert_eq!(outcome(&changes, |expect| by_claims(&claims(), expect)), Some(Ok(())));
}

/// By default clocks may differ by 3 s, and a token is at most 1 h old.
#[rstest]
#[case(json!({ "iat": AT - 3603, "exp": AT - 2 }), Ok(()))]
#[case(json!({ "iat": AT - 3604, "exp": AT - 2 }), Err(Refusal::TooOld))]
#[case(json!({ "iat": AT - 3603, "exp": AT - 3 }), Err(Refusal::Expired))]
#[case(json!({ "iat": AT + 3, "exp": AT + 4, "nbf": AT + 3 }), Ok(()))]
#[case(json!({ "iat": AT + 4, "exp": AT + 4 }), Err(Refusal::IssuedInTheFuture))]
#[case(json!({ "iat": AT, "exp": AT + 4, "nbf": AT + 4 }), Err(Refusal::NotYetValid))]
#[case(json!({ "iat": AT }), Err(Refusal::MissingClaim("exp")))]
#[case(json!({ "iat": "now", "exp": AT }), Err(Refusal::BadClaim("iat")))]
fn an_example_is_judged_as_of_its_time(#[case] mut claims: Value, #[case] expected: Result<(), Refusal>) {
    claims["iss"] = json!(ISSUER);
    assert_eq!(outcome(&json!({}), |expect| by_claims(&claims, expect)), Some(expected));
    let token = token(&ED25519, "EdDSA", Some("a"), &claims);
    assert_eq!(outcome(&json!({}), |expect| by_token(&token, expect)), Some(expected));
}

#[test]
fn every_example_is_judged_and_told_by_its_index() {
    let example = |name: &str, token: &str, expect: &str| {
        let mut example = by_token(token, expect);
        example["name"] = json!(name);
        example
    };
    let good = token(&ED25519, "EdDSA", Some("a"), &claims());
    let gone = token(&STRANGER, "EdDSA", Some("gone"), &claims());
    let examples = [
        example("good", &good, "Accept"),
        example("good-too", &good, "Reject"),
        example("gone", &gone, "Reject"),
        example("bad", "x", "Accept"),
        example("bad-too", "x", "Reject"),
    ];
    let failed = |index, name: &str, refused| FailedExample { index, name: name.to_owned(), refused };
    assert_eq!(
        judge(&spec(&json!({}), &examples), &[ED25519.public(Some("a"))]),
        ExamplesVerdict {
            as_expected: 2,
            not_judged: 1,
            failed: vec![failed(1, "good-too", None), failed(3, "bad", Some(Refusal::NotThreeParts))],
        }
    );
    assert_eq!(judge(&spec(&json!({ "examples": null }), &[]), &[]), ExamplesVerdict::default());
}
