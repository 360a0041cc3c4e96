//! Any text as a token, and any header and claims in a token that is signed: nothing panics, a refusal says why, and what
//! is accepted obeys the terms as another reader sees them.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use idp_operator::{
    api::identity_provider::Algorithm,
    domain::{
        jwk::PublicKey,
        jwks::KeySet,
        token::{MAX_BYTES, Refusal, Terms, judge_claims, judge_header_value, judge_token},
    },
};
use jiff::Timestamp;
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use serde_json::{Map, Value, json};

const ISSUER: &str = "https://login.example.com";
const AT: i64 = 1_800_000_000;
const SKEW: i64 = 3;
const MAX_AGE: i64 = 3600;

static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::generate().unwrap());
static KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(|| {
    let x = URL_SAFE_NO_PAD.encode(PAIR.public_key());
    let jwks = json!({ "keys": [
        { "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x },
        // RFC 7515, appendices A.2 and A.3.
        { "kty": "RSA", "kid": "r", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" },
        { "kty": "EC", "crv": "P-256", "kid": "e", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
    ] });
    KeySet::judge(jwks.to_string().as_bytes(), &Algorithm::ALL).unwrap().keys().to_vec()
});
static AUDIENCES: LazyLock<Vec<String>> = LazyLock::new(|| vec!["api".to_owned(), "web".to_owned()]);

fuzz_target!(|data: &[u8]| {
    let _ = run(Unstructured::new(data));
});

fn run(mut input: Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=3)? {
        0 => {
            let text = String::from_utf8_lossy(input.take_rest());
            if let Ok(token) = judge_header_value(&text) {
                assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
            }
            // Nobody but this target has the key.
            let refusal = judge(&text).unwrap_err();
            assert!(refusal != Refusal::TooLarge || text.len() > MAX_BYTES);
        }
        1 => {
            let header = input.take_rest();
            if judge(&signed(header, usual().to_string().as_bytes())).is_ok() {
                let header: Value = serde_json::from_slice(header).expect("a JSON header");
                assert_eq!(header["alg"], "EdDSA");
                assert!(header.get("kid").is_none_or(|kid| kid == "a"));
                assert!(header.get("crit").is_none() && header.get("typ").is_none_or(Value::is_string));
            }
        }
        2 => {
            let claims = input.take_rest();
            if judge(&signed(br#"{"alg":"EdDSA"}"#, claims)).is_ok() {
                check_accepted(&serde_json::from_slice(claims).expect("JSON claims"));
            }
        }
        _ => {
            let mut claims = Map::new();
            for name in ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"] {
                if let Some(value) = claim(&mut input, name)? {
                    claims.insert(name.to_owned(), value);
                }
            }
            let verdict = judge_claims(&claims, &terms(), at());
            let claims = Value::Object(claims);
            let token = signed(br#"{"alg":"EdDSA","kid":"a"}"#, claims.to_string().as_bytes());
            assert_eq!(judge(&token), if token.len() > MAX_BYTES { Err(Refusal::TooLarge) } else { verdict });
            if verdict.is_ok() {
                check_accepted(&claims);
            }
        }
    }
    Ok(())
}

fn at() -> Timestamp {
    Timestamp::from_second(AT).unwrap()
}

fn terms() -> Terms<'static> {
    Terms {
        issuer: ISSUER,
        audiences: &AUDIENCES,
        algorithms: &Algorithm::ALL,
        clock_skew: Duration::from_secs(SKEW.unsigned_abs()),
        max_token_age: Some(Duration::from_secs(MAX_AGE.unsigned_abs())),
    }
}

fn judge(token: &str) -> std::result::Result<(), Refusal> {
    let verdict = judge_token(token, &terms(), &KEYS, at()).map(|_| ());
    if let Err(refusal) = verdict {
        assert!(!refusal.rule().is_empty() && !refusal.detail().is_empty());
    }
    verdict
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(PAIR.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn usual() -> Value {
    json!({ "iss": ISSUER, "aud": "api", "iat": AT, "exp": AT + 60 })
}

/// In whole seconds and floating point, so a little laxer than the judge.
#[allow(clippy::cast_precision_loss)]
fn check_accepted(claims: &Value) {
    let time = |name: &str| claims.get(name).map(|value| value.as_f64().expect("a number"));
    let (expires, issued) = (time("exp").expect("exp"), time("iat").expect("iat"));
    assert_eq!(claims["iss"], ISSUER);
    assert!(["sub", "jti"].iter().all(|name| claims.get(name).is_none_or(Value::is_string)));
    let is_ours = |audience: &Value| audience == "api" || audience == "web";
    assert!(claims["aud"].as_array().map_or(is_ours(&claims["aud"]), |several| several.iter().any(is_ours)));
    assert!(expires >= (AT - SKEW) as f64 && issued <= (AT + SKEW) as f64);
    assert!(issued >= (AT - MAX_AGE - SKEW) as f64 && time("nbf").is_none_or(|start| start <= (AT + SKEW) as f64));
}

/// Nothing, what is usual, or any value.
fn claim(input: &mut Unstructured<'_>, name: &str) -> Result<Option<Value>> {
    Ok(Some(match input.int_in_range(0..=11)? {
        0 => return Ok(None),
        1 => Value::Null,
        2 => json!(input.arbitrary::<i64>()?),
        3 => json!(input.arbitrary::<u64>()?),
        // Not every number reads back to the last bit.
        4 => json!(f64::from(input.arbitrary::<f32>()?)),
        5 => json!(input.arbitrary::<&str>()?),
        6 => json!([input.arbitrary::<&str>()?, "api"]),
        7 => json!({ "a": 1 }),
        8 => json!(AT + input.int_in_range(-MAX_AGE - 10..=MAX_AGE)?),
        _ => match usual().get(name) {
            Some(value) => value.clone(),
            None if name == "nbf" => json!(AT),
            None => json!("mini"),
        },
    }))
}
