//! `IdentityProvider`s whose endpoint answers, but not with good keys.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::endpoints::{all_served, published, told};
use crate::support::{
    Scene,
    key_server::{ED25519, P256, jwks},
};

#[tokio::test]
async fn an_answer_without_good_keys() {
    let scene = Scene::new("endpoints").await;
    let _operator = scene.operator().await;
    let not_a_jwks = || {
        told(
            "400 not-a-jwks",
            "NotAJwks",
            "keysEndpoint must answer with a JWK Set (RFC 7517) of at most 64 keys: {\"keys\": [..]}",
        )
    };
    let private = || {
        told(
            "400 private-key-published",
            "PrivateKeyPublished",
            "keysEndpoint shows a private key to everybody: the provider must replace its keys and publish public ones only",
        )
    };
    let symmetric = || {
        told(
            "400 symmetric-key-published",
            "SymmetricKeyPublished",
            "keysEndpoint shows a symmetric key to everybody: the provider must publish public keys only",
        )
    };
    let weak = || {
        told(
            "400 key-too-weak",
            "KeyTooWeak",
            "keysEndpoint has no usable key: an RSA key must have 2048 to 8192 bits and an odd exponent above 1, an Ed25519 key a point of large order",
        )
    };
    let encoding = || {
        told(
            "400 bad-key-encoding",
            "BadKeyEncoding",
            "keysEndpoint has no usable key: parameters must be in base64url without padding and make a point of their curve, and kid a text of at most 256 bytes",
        )
    };
    let unusable = || {
        told(
            "400 no-usable-key",
            "NoUsableKey",
            "keysEndpoint has no usable key: it must have an RSA, P-256, P-384 or Ed25519 key for signatures by one of algorithms",
        )
    };
    let duplicate = told(
        "400 duplicate-key-id",
        "DuplicateKeyId",
        "keysEndpoint has two signing keys of one kid: each must have its own",
    );
    let rsa = |bits: usize, exponent: &str| {
        json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(vec![0xff; bits / 8]), "e": exponent }).to_string()
    };
    let many = |count: usize| {
        let keys: Vec<String> = (0..count).map(|id| ED25519.replace("\"ed\"", &format!("\"{id}\""))).collect();
        jwks(&keys.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let changed = |key: &str, from: &str, to: &str| jwks(&[&key.replace(from, to)]);
    let private_key = ED25519.replace("\"kid\"", "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\",\"kid\"");
    let table = [
        ("empty", String::new(), not_a_jwks()),
        ("html", "<!doctype html><title>Sign in</title>".to_owned(), not_a_jwks()),
        ("empty-object", "{}".to_owned(), not_a_jwks()),
        ("a-key-without-set", ED25519.to_owned(), not_a_jwks()),
        ("a-list", format!("[{ED25519}]"), not_a_jwks()),
        ("configuration", json!({ "jwks_uri": "https://login.example.com/keys" }).to_string(), not_a_jwks()),
        ("keys-twice", format!(r#"{{"keys":[],"keys":[{ED25519}]}}"#), not_a_jwks()),
        ("65-keys", many(65), not_a_jwks()),
        ("64-keys", many(64), published("64 keys are published")),
        ("no-keys", jwks(&[]), unusable()),
        ("only-encryption", changed(P256, "\"kid\"", "\"use\":\"enc\",\"kid\""), unusable()),
        ("only-signing-operation", changed(P256, "\"kid\"", "\"key_ops\":[\"sign\"],\"kid\""), unusable()),
        ("unknown-curve", changed(P256, "P-256", "secp256k1"), unusable()),
        ("key-without-type", changed(ED25519, "\"kty\":\"OKP\",", ""), unusable()),
        ("alg-of-another-type", changed(P256, "\"kid\"", "\"alg\":\"RS256\",\"kid\""), unusable()),
        ("private-key", jwks(&[P256, &private_key]), private()),
        ("symmetric-key", jwks(&[P256, r#"{"kty":"oct","k":"c2VjcmV0","kid":"s"}"#]), symmetric()),
        ("duplicate-kid", jwks(&[ED25519, &P256.replace("\"ec\"", "\"ed\"")]), duplicate),
        ("rsa-1024", jwks(&[&rsa(1024, "AQAB")]), weak()),
        ("rsa-exponent-1", jwks(&[&rsa(2048, "AQ")]), weak()),
        ("rsa-16384", jwks(&[&rsa(16384, "AQAB")]), weak()),
        ("rsa-2048", jwks(&[&rsa(2048, "AQAB")]), published("1 key is published")),
        ("padded", changed(P256, "M\",\"kid\"", "M=\",\"kid\""), encoding()),
        ("of-wrong-size", changed(ED25519, "11qYAYKx", ""), encoding()),
        ("not-of-its-curve", changed(P256, "4Etl6SRW", "4Etl6SRX"), encoding()),
        ("kid-with-escapes", changed(ED25519, "\"ed\"", r#""\u001b[2J""#), encoding()),
        ("all-zeros", changed(ED25519, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", &"A".repeat(43)), weak()),
        ("no-private-key", changed(ED25519, "\"kid\"", "\"d\":null,\"kid\""), published("1 key is published")),
        ("good-beside-none", jwks(&["{}", ED25519]), published("1 key is published")),
        ("good-beside-weak", jwks(&[&rsa(1024, "AQAB"), ED25519]), published("1 key is published")),
    ];
    all_served(&scene, table.map(|(name, body, answer)| (name, ("200 OK", "", body), answer))).await;
}
