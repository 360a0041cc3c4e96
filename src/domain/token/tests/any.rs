//! Any tokens, under any terms.
#![cfg(test)]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::{
    collection::vec, option, prelude::*, sample::select, strategy::ValueTree as _, test_runner::TestRunner,
};
use serde_json::{Value, json};

use super::{
    AT, ISSUER, Terms, USUAL, at, claims,
    signer::{ED25519, P256, STRANGER, Signer, encode},
};
use crate::{
    api::identity_provider::Algorithm,
    domain::token::{judge_claims, judge_header_value, judge_token},
};

/// All times are in quarters of a second about [`AT`], as fractions that floating point has exactly.
#[derive(Clone, Debug)]
struct Case {
    issuer: &'static str,
    audience: Value,
    expected_audiences: Vec<&'static str>,
    expires: i64,
    issued: i64,
    not_before: Option<i64>,
    now: i64,
    skew: i64,
    max_age: Option<i64>,
    /// Name of the key that signs, and what the header says of it.
    signs: &'static str,
    key_id: Option<&'static str>,
    permitted: Vec<Algorithm>,
}

fn cases() -> impl Strategy<Value = Case> {
    let audience =
        select(vec![json!(null), json!("a"), json!("b"), json!(["a", "c"]), json!(["c"]), json!([]), json!(1)]);
    let quarters = || -60..60_i64;
    // Most tokens expire after they are issued.
    let token =
        (select(vec![ISSUER, ISSUER, ISSUER, "other"]), audience, -10..120_i64, quarters(), option::of(quarters()));
    let terms = (
        vec(select(vec!["a", "b"]), 0..2),
        quarters(),
        0..80_i64,
        option::of(0..120_i64),
        vec(select(vec![Algorithm::EdDSA, Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256]), 0..4),
    );
    let key = (
        select(vec!["ed", "ed", "ec", "stranger"]),
        select(vec![None, None, Some("ed"), Some("ec"), Some("stranger")]),
    );
    (token, terms, key).prop_map(|(token, terms, (signs, key_id))| {
        let (issuer, audience, lifetime, birth, not_before) = token;
        let (expected_audiences, now, skew, max_age, permitted) = terms;
        Case {
            issuer,
            audience,
            expected_audiences,
            expires: birth + lifetime,
            issued: birth,
            not_before,
            now,
            skew,
            max_age,
            signs,
            key_id,
            permitted,
        }
    })
}

impl Case {
    /// The contract in other words.
    fn is_good(&self) -> bool {
        let algorithm = if self.signs == "ec" { Algorithm::ES256 } else { Algorithm::EdDSA };
        let is_signed = self.permitted.contains(&algorithm)
            && self.signs != "stranger"
            && self.key_id.is_none_or(|id| id == self.signs);
        let held: Option<Vec<&str>> = match &self.audience {
            Value::Null => Some(vec![]),
            Value::String(one) => Some(vec![one]),
            Value::Array(several) => several.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let is_for_us = held.is_some_and(|held| {
            self.expected_audiences.is_empty() || self.expected_audiences.iter().any(|one| held.contains(one))
        });
        is_signed
            && is_for_us
            && self.issuer == ISSUER
            && self.now < self.expires + self.skew
            && self.now >= self.issued - self.skew
            && self.not_before.is_none_or(|start| self.now >= start - self.skew)
            && self.max_age.is_none_or(|age| self.now - self.issued <= age + self.skew)
    }

    fn is_accepted(&self) -> bool {
        let audiences: Vec<String> = self.expected_audiences.iter().map(|one| (*one).to_owned()).collect();
        let duration = |quarters: i64| Duration::from_millis(quarters.unsigned_abs() * 250);
        let terms = Terms {
            issuer: ISSUER,
            audiences: &audiences,
            algorithms: &self.permitted,
            clock_skew: duration(self.skew),
            max_token_age: self.max_age.map(duration),
        };
        let claims = claims(json!({
            "iss": self.issuer,
            "aud": self.audience,
            "exp": date(self.expires),
            "iat": date(self.issued),
            "nbf": self.not_before.map(date),
        }));
        let signer: &Signer = match self.signs {
            "ec" => &P256,
            "ed" => &ED25519,
            _ => &STRANGER,
        };
        let mut header = json!({ "alg": if self.signs == "ec" { "ES256" } else { "EdDSA" } });
        if let Some(id) = self.key_id {
            header["kid"] = json!(id);
        }
        let keys = [ED25519.public(Some("ed")), P256.public(Some("ec"))];
        let now = at(AT) + SignedDuration::from_millis(self.now * 250);
        judge_token(&signer.token(&header, &claims), &terms, &keys, now).is_ok()
    }
}

/// Whole seconds as whole numbers, others with their fraction.
fn date(quarters: i64) -> Value {
    let (seconds, rest) = (AT + quarters.div_euclid(4), quarters.rem_euclid(4));
    let text = if rest == 0 { seconds.to_string() } else { format!("{seconds}.{}", rest * 25) };
    serde_json::from_str(&text).unwrap()
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!(ISSUER)),
        (AT - 10..AT + 10).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

#[test]
fn random_tokens_are_good_and_bad_often_enough() {
    let mut runner = TestRunner::deterministic();
    let good = (0..4096).filter(|_| cases().new_tree(&mut runner).unwrap().current().is_good()).count();
    assert!((200..3900).contains(&good), "{good} of 4096 are good");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_token_is_accepted_exactly_when_the_contract_says_so(case in cases()) {
        prop_assert_eq!(case.is_accepted(), case.is_good());
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", parts in vec("[A-Za-z0-9_=.+/-]{0,40}", 0..6)) {
        for text in [text, parts.join(".")] {
            let _ = judge_header_value(&text);
            let _ = judge_token(&text, &USUAL, &[ED25519.public(None)], at(AT));
        }
    }

    #[test]
    fn no_bytes_as_parts_make_it_panic(parts in vec(vec(any::<u8>(), 0..60), 3)) {
        let parts: Vec<String> = parts.iter().map(encode).collect();
        let _ = judge_token(&parts.join("."), &USUAL, &[ED25519.public(None)], at(AT));
    }

    #[test]
    fn no_signed_bytes_make_it_panic(header in vec(any::<u8>(), 0..60), claims in vec(any::<u8>(), 0..200)) {
        let keys = [ED25519.public(None)];
        let _ = judge_token(&ED25519.signed("EdDSA", &header, b"{}"), &USUAL, &keys, at(AT));
        let _ = judge_token(&ED25519.signed("EdDSA", br#"{"alg":"EdDSA"}"#, &claims), &USUAL, &keys, at(AT));
    }

    #[test]
    fn no_claims_make_it_panic(
        iss in json_value(), aud in json_value(), exp in json_value(), iat in json_value(), nbf in json_value(),
        second in -377_705_023_201..253_402_207_200_i64,
    ) {
        let audiences = ["a".to_owned()];
        let terms = Terms { audiences: &audiences, max_token_age: Some(Duration::from_mins(1)), ..USUAL };
        let claims = claims(json!({ "iss": iss, "aud": aud, "exp": exp, "iat": iat, "nbf": nbf }));
        for time in [at(AT), at(second), Timestamp::MIN, Timestamp::MAX] {
            let verdict = judge_claims(&claims, &terms, time);
            let token = ED25519.token(&json!({ "alg": "EdDSA" }), &claims);
            let keys = [ED25519.public(None)];
            let judged = judge_token(&token, &terms, &keys, time).map(|_| ());
            prop_assert_eq!(judged, verdict);
        }
    }
}
