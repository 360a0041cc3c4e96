//! Any bytes as a JWK Set, and sets of keys with any members, under any algorithms: nothing panics, no secret is taken for
//! a public key, and what is published is judged to itself.
#![no_main]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use idp_operator::{
    api::identity_provider::Algorithm,
    domain::jwks::{KeySet, MAX_KEYS},
};
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use serde_json::{Map, Value, json};

const ALL: &[Algorithm] = &Algorithm::ALL;

fuzz_target!(|data: &[u8]| {
    let _ = run(Unstructured::new(data));
});

fn run(mut input: Unstructured<'_>) -> Result<()> {
    let (one, other) = (algorithms(&mut input)?, algorithms(&mut input)?);
    let body = if input.ratio(1, 3)? {
        input.take_rest().to_vec()
    } else {
        let count = input.int_in_range(0..=6)?;
        let keys: Vec<Value> = (0..count).map(|_| key(&mut input)).collect::<Result<_>>()?;
        json!({ "keys": keys }).to_string().into_bytes()
    };
    check(&body, &one, &other);
    Ok(())
}

fn algorithms(input: &mut Unstructured<'_>) -> Result<Vec<Algorithm>> {
    let bits: u16 = input.arbitrary()?;
    Ok(ALL.iter().enumerate().filter(|(number, _)| bits >> number & 1 == 1).map(|(_, algorithm)| *algorithm).collect())
}

fn check(body: &[u8], one: &[Algorithm], other: &[Algorithm]) {
    let all = KeySet::judge(body, ALL);
    let judged = KeySet::judge(body, one);
    assert_eq!(all.clone().ok().and_then(|all| all.under(one)), judged.clone().ok());
    if let (Err(all), Err(judged)) = (&all, &judged) {
        assert_eq!(all, judged);
    }
    let Ok(set) = judged else { return };
    let both: Vec<Algorithm> = one.iter().copied().filter(|algorithm| other.contains(algorithm)).collect();
    let less = KeySet::judge(body, &both).ok();
    assert_eq!(set.under(&both), less);
    assert_eq!(set.under(other), less);
    let published = set.to_json();
    let again = |permitted: &[Algorithm]| KeySet::judge(published.as_bytes(), permitted).ok();
    assert_eq!(again(one), Some(set.clone()));
    assert_eq!(again(ALL).and_then(|all| all.under(one)), Some(set.clone()));
    assert_eq!(again(&both), less);
    check_published(&published, one);
    // As another reader sees what came.
    let mut came: Value = serde_json::from_slice(body).expect("JSON");
    let keys = came["keys"].as_array_mut().expect("a list");
    assert!(keys.len() <= MAX_KEYS && set.count() <= keys.len());
    for key in keys.iter() {
        for secret in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(secret).is_none_or(Value::is_null), "a secret is taken for a public key");
        }
        assert_ne!(key.get("kty"), Some(&json!("oct")));
    }
    keys.reverse();
    came["more"] = json!({ "keys": [] });
    let pretty = serde_json::to_vec_pretty(&came).expect("JSON");
    assert_eq!(KeySet::judge(&pretty, one), Ok(set));
}

fn check_published(published: &str, permitted: &[Algorithm]) {
    let published: Value = serde_json::from_str(published).expect("JSON");
    let keys = published["keys"].as_array().expect("a list");
    assert!(!keys.is_empty());
    for key in keys {
        for (name, value) in key.as_object().expect("a key") {
            assert!(["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"].contains(&name.as_str()));
            assert!(value.as_str().is_some_and(|text| !text.contains(char::is_control)));
        }
        let permits = |name: &Value| permitted.iter().any(|algorithm| name == algorithm.as_str());
        assert!(key["use"] == "sig" && key.get("alg").is_none_or(permits));
    }
}

fn key(input: &mut Unstructured<'_>) -> Result<Value> {
    const KEYS: [&str; 5] = [
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
        r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
        r#"{"kty":"EC","crv":"P-384"}"#,
        "{}",
    ];
    let mut key: Map<String, Value> = serde_json::from_str(input.choose(&KEYS)?).expect("a key");
    for _ in 0..input.int_in_range(0..=3)? {
        let names = ["kty", "crv", "x", "y", "n", "e", "kid", "use", "key_ops", "alg", "d", "k", "oth", "x5c"];
        let name = *input.choose(&names)?;
        key.insert(name.to_owned(), value(input)?);
    }
    Ok(Value::Object(key))
}

fn value(input: &mut Unstructured<'_>) -> Result<Value> {
    const WORDS: [&str; 18] = [
        "RSA", "EC", "OKP", "oct", "P-256", "P-384", "Ed25519", "sig", "enc", "verify", "RS256", "PS512", "ES256",
        "ES384", "EdDSA", "HS256", "AQAB", "",
    ];
    Ok(match input.int_in_range(0..=7)? {
        0 => Value::Null,
        1 => json!(input.arbitrary::<i64>()?),
        2 => json!(input.arbitrary::<&str>()?),
        3 => json!([input.choose(&WORDS)?]),
        4 | 5 => json!(URL_SAFE_NO_PAD.encode(input.arbitrary::<&[u8]>()?)),
        _ => json!(input.choose(&WORDS)?),
    })
}
