//! Which keys a token is judged with.
#![cfg(test)]

use aws_lc_rs::hmac;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    AT, Accepted, Refusal, Terms, USUAL, at, claims,
    signer::{ED25519, P256, RSA, STRANGER, Signer, encode},
    usual_claims,
};
use crate::{
    api::identity_provider::Algorithm::{self, ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512},
    domain::{
        jwk::PublicKey,
        jwks::KeySet,
        token::{MAX_ATTEMPTS, judge_token},
    },
};

fn judge<'a>(token: &str, keys: &'a [PublicKey]) -> Result<Accepted<'a>, Refusal> {
    judge_token(token, &USUAL, keys, at(AT))
}

fn token(signer: &Signer, header: &Value) -> String {
    signer.token(header, &claims(json!({})))
}

#[rstest]
fn each_algorithm_is_verified_with_its_key(
    #[values(RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA)] algorithm: Algorithm,
) {
    let signer = Signer::of(algorithm.as_str());
    let keys = ["RS256", "ES256", "ES384", "EdDSA"].map(|any| Signer::of(any).public(Some(any)));
    let token = token(signer, &json!({ "alg": algorithm }));
    let accepted = judge(&token, &keys).unwrap();
    assert_eq!((accepted.algorithm, &accepted.key.canonical["kty"]), (algorithm, &signer.jwk()["kty"]));

    let others: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(|other| *other != algorithm).collect();
    let terms = Terms { algorithms: &others, ..USUAL };
    assert_eq!(judge_token(&token, &terms, &keys, at(AT)), Err(Refusal::AlgorithmNotAllowed));
    assert_eq!(
        judge_token(&token, &Terms { algorithms: &[], ..USUAL }, &keys, at(AT)),
        Err(Refusal::AlgorithmNotAllowed)
    );
}

#[test]
fn every_algorithm_of_a_judged_set_is_supported() {
    let signers: [&Signer; 4] = ["RS256", "ES256", "ES384", "EdDSA"].map(Signer::of);
    let keys = signers.map(|signer| Value::Object(signer.jwk()));
    let set = KeySet::judge(json!({ "keys": keys }).to_string().as_bytes(), &Algorithm::ALL).unwrap();
    assert_eq!(set.algorithms(), Algorithm::ALL.map(Algorithm::as_str));
    for algorithm in Algorithm::ALL.map(Algorithm::as_str) {
        let accepted = judge(&token(Signer::of(algorithm), &json!({ "alg": algorithm })), set.keys()).map(|_| ());
        assert_eq!(accepted, Ok(()), "{algorithm}");
    }
}

/// By the algorithm alone each of these would hold.
#[rstest]
#[case("RS256", "RS384")]
#[case("RS256", "PS256")]
#[case("PS512", "RS512")]
#[case("PS384", "PS256")]
fn a_signature_of_one_algorithm_is_none_of_another(#[case] told: &str, #[case] used: &str) {
    let token = RSA.signed(used, json!({ "alg": told }).to_string().as_bytes(), usual_claims().as_bytes());
    assert_eq!(judge(&token, &[RSA.public(None)]), Err(Refusal::BadSignature));
}

#[test]
fn a_key_is_used_with_its_own_algorithm_only() {
    let mut jwk = RSA.jwk();
    jwk.insert("alg".to_owned(), json!("PS256"));
    let keys = [crate::domain::jwk::read(&jwk).unwrap()];
    assert_eq!(judge(&token(&RSA, &json!({ "alg": "RS256" })), &keys), Err(Refusal::AlgorithmNotAllowed));
    assert!(judge(&token(&RSA, &json!({ "alg": "PS256" })), &keys).is_ok());
}

/// RFC 8725, section 2.1: whoever knows the public key would know the secret.
#[test]
fn a_public_key_is_no_secret_of_an_hmac_whatever_the_key_permits() {
    let mut key = RSA.public(None);
    key.algorithms.extend(["HS256", "none"]);
    let Signer::Rsa(pair) = &*RSA else { unreachable!() };
    let secrets = [
        aws_lc_rs::signature::KeyPair::public_key(pair).as_ref().to_vec(),
        Value::Object(key.canonical.clone()).to_string().into_bytes(),
        key.canonical["n"].as_str().unwrap().as_bytes().to_vec(),
        Vec::new(),
    ];
    for secret in secrets {
        let message = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(usual_claims()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        let token = format!("{message}.{}", encode(tag));
        assert_eq!(judge(&token, &[key.clone()]), Err(Refusal::AlgorithmNotAllowed));
    }
    for alg in ["none", "None", "NONE", "nOnE"] {
        let token = format!("{}.{}.", encode(json!({ "alg": alg }).to_string()), encode(usual_claims()));
        assert_eq!(judge(&token, &[key.clone()]), Err(Refusal::AlgorithmNotAllowed));
    }
}

#[test]
fn a_missing_signature_is_none() {
    for algorithm in Algorithm::ALL.map(Algorithm::as_str) {
        let message = format!("{}.{}", encode(json!({ "alg": algorithm }).to_string()), encode(usual_claims()));
        for signature in [vec![], vec![0; 64], vec![0; 96], vec![0; 256], vec![0xFF; 256]] {
            let token = format!("{message}.{}", encode(signature));
            assert_eq!(judge(&token, &[Signer::of(algorithm).public(None)]), Err(Refusal::BadSignature));
        }
    }
}

#[test]
fn the_key_id_picks_the_key() {
    let keys = [ED25519.public(Some("a")), STRANGER.public(Some("b")), P256.public(Some("c"))];
    let verdict = |kid: &str| judge(&token(&ED25519, &json!({ "alg": "EdDSA", "kid": kid })), &keys);
    assert_eq!(verdict("a").map(|accepted| accepted.key), Ok(&keys[0]));
    assert_eq!(verdict("b"), Err(Refusal::BadSignature));
    assert_eq!(verdict("c"), Err(Refusal::AlgorithmNotAllowed));
    for unknown in ["", "A", "a ", "d", &"a".repeat(300)] {
        assert_eq!(verdict(unknown), Err(Refusal::UnknownKey));
    }
}

#[test]
fn a_key_without_id_is_of_no_id() {
    let keys = [ED25519.public(None)];
    assert_eq!(judge(&token(&ED25519, &json!({ "alg": "EdDSA", "kid": "a" })), &keys), Err(Refusal::UnknownKey));
    assert_eq!(judge(&token(&ED25519, &json!({ "alg": "EdDSA", "kid": "" })), &keys), Err(Refusal::UnknownKey));
}

/// An algorithm that is never permitted stays so when the key is gone: such an example can be judged.
#[test]
fn the_algorithm_is_judged_before_the_key() {
    let token = token(&ED25519, &json!({ "alg": "EdDSA", "kid": "gone" }));
    let terms = Terms { algorithms: &[RS256], ..USUAL };
    assert_eq!(judge_token(&token, &terms, &[], at(AT)), Err(Refusal::AlgorithmNotAllowed));
    assert_eq!(judge(&token, &[]), Err(Refusal::UnknownKey));
}

#[test]
fn without_a_key_id_eight_keys_of_the_algorithm_are_tried() {
    let token = token(&ED25519, &json!({ "alg": "EdDSA" }));
    let strangers: Vec<PublicKey> = (0..MAX_ATTEMPTS).map(|_| Signer::ed25519().public(None)).collect();
    let with = |strangers: &[PublicKey]| {
        // Keys of other algorithms don't count.
        let mut keys = vec![RSA.public(None), P256.public(Some("p"))];
        keys.extend_from_slice(strangers);
        keys.push(ED25519.public(Some("a")));
        judge(&token, &keys).map(|_| ())
    };
    assert_eq!(with(&[]), Ok(()));
    assert_eq!(with(&strangers[..7]), Ok(()));
    assert_eq!(with(&strangers), Err(Refusal::KeyIdRequired));
    assert_eq!(judge(&token, &strangers), Err(Refusal::BadSignature));
    assert_eq!(judge(&token, &[RSA.public(None)]), Err(Refusal::AlgorithmNotAllowed));
}

#[test]
fn a_key_that_a_token_brings_along_is_not_used() {
    let jwk = Value::Object(STRANGER.jwk());
    let headers = [
        json!({ "alg": "EdDSA", "jwk": jwk }),
        json!({ "alg": "EdDSA", "jwk": jwk, "kid": "a" }),
        json!({ "alg": "EdDSA", "jku": "https://attacker.example.com/keys" }),
        json!({ "alg": "EdDSA", "x5u": "https://attacker.example.com/chain" }),
        json!({ "alg": "EdDSA", "x5c": ["MIIB"] }),
    ];
    for header in headers {
        let keys = [ED25519.public(Some("a"))];
        assert_eq!(judge(&token(&STRANGER, &header), &keys), Err(Refusal::BadSignature));
        assert!(judge(&token(&ED25519, &header), &keys).is_ok());
    }
}

/// A set that was judged has no such key; nothing follows from one but a refusal.
#[test]
fn a_key_that_is_none_refuses() {
    for algorithm in Algorithm::ALL.map(Algorithm::as_str) {
        let token = token(Signer::of(algorithm), &json!({ "alg": algorithm }));
        for canonical in [
            json!({}),
            json!({ "kty": "RSA", "n": "AA", "e": "AQ" }),
            json!({ "kty": "RSA", "n": "", "e": "" }),
            json!({ "kty": "EC", "x": "AA", "y": "=" }),
            json!({ "kty": "OKP", "x": 1 }),
            json!({ "kty": "oct", "k": "AA" }),
        ] {
            let key =
                PublicKey { id: None, algorithms: vec![algorithm], canonical: canonical.as_object().unwrap().clone() };
            assert_eq!(judge(&token, &[key]), Err(Refusal::BadSignature));
        }
    }
}

#[rstest]
fn one_flipped_bit_of_a_token_refuses_it(#[values("RS256", "PS256", "ES256", "ES384", "EdDSA")] algorithm: &str) {
    let signer = Signer::of(algorithm);
    let keys = [signer.public(None)];
    let token = token(signer, &json!({ "alg": algorithm }));
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| crate::domain::token::json::decode(part).unwrap()).collect();
    assert!(judge(&token, &keys).is_ok());
    for part in 0..parts.len() {
        for bit in 0..parts[part].len() * 8 {
            let mut changed = parts.clone();
            changed[part][bit / 8] ^= 1 << (bit % 8);
            let changed: Vec<String> = changed.iter().map(encode).collect();
            assert!(judge(&changed.join("."), &keys).is_err(), "part {part}, bit {bit}");
        }
    }
    for bit in 0..token.len() * 8 {
        let mut changed = token.clone().into_bytes();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = String::from_utf8(changed) {
            assert!(judge(&changed, &keys).is_err(), "bit {bit} of the text");
        }
    }
}
