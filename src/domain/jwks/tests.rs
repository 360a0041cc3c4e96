//! Sets of every kind, from good to hostile.
#![cfg(test)]

mod hostile;
mod laws;
mod vectors;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rstest::rstest;
use serde_json::{Value, json};

use super::{KeySet, KeySetError};
use crate::api::identity_provider::Algorithm;

const ALL: &[Algorithm] = &Algorithm::ALL;

/// RFC 8037, appendix A.2.
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;

fn set(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn rsa(bytes: usize, exponent: &str) -> String {
    let n = URL_SAFE_NO_PAD.encode(vec![0xFF; bytes]);
    format!(r#"{{"kty":"RSA","n":"{n}","e":"{exponent}"}}"#)
}

#[test]
fn what_is_published_is_canonical() {
    let keys = KeySet::judge(set(&[ED25519]).as_bytes(), ALL).unwrap();
    assert_eq!(
        keys.to_json(),
        r#"{"keys":[{"alg":"EdDSA","crv":"Ed25519","kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
    );
}

#[test]
fn the_order_of_keys_means_nothing() {
    let a = format!(r#"{P256},"kid":"a","x5c":["unknown members go"]}}"#);
    let b = ED25519.replace('}', r#","kid":"b"}"#);
    let one = KeySet::judge(set(&[&a, &b]).as_bytes(), ALL).unwrap();
    let other = KeySet::judge(set(&[&b, &a]).as_bytes(), ALL).unwrap();
    assert_eq!(one.digest("i", "s"), other.digest("i", "s"));
    assert_ne!(one.digest("i", "s"), one.digest("i", "t"));
    assert_eq!(one.ids(), ["a", "b"]);
}

#[rstest]
#[case::empty("", KeySetError::NotAJwks)]
#[case::html("<html>", KeySetError::NotAJwks)]
#[case::truncated(r#"{"keys":["#, KeySetError::NotAJwks)]
#[case::list("[]", KeySetError::NotAJwks)]
#[case::no_keys("{}", KeySetError::NotAJwks)]
#[case::keys_that_are_none(r#"{"keys":[null]}"#, KeySetError::NotAJwks)]
#[case::two_documents(r#"{"keys":[]}{"keys":[]}"#, KeySetError::NotAJwks)]
#[case::byte_order_mark("\u{feff}{\"keys\":[]}", KeySetError::NotAJwks)]
#[case::keys_twice(r#"{"keys":[],"keys":[]}"#, KeySetError::NotAJwks)]
#[case::keys_twice_escaped(r#"{"keys":[],"\u006beys":[]}"#, KeySetError::NotAJwks)]
#[case::member_of_a_key_twice(r#"{"keys":[{"kty":"RSA","kty":"oct"}]}"#, KeySetError::NotAJwks)]
#[case::unknown_member_twice(r#"{"keys":[],"x":{"y":1,"y":1}}"#, KeySetError::NotAJwks)]
#[case::key_without_type(r#"{"keys":[{}]}"#, KeySetError::NoUsableKey)]
#[case::key_of_null_type(r#"{"keys":[{"kty":null}]}"#, KeySetError::NoUsableKey)]
#[case::type_in_lower_case(r#"{"keys":[{"kty":"rsa","n":"AA","e":"AQAB"}]}"#, KeySetError::NoUsableKey)]
#[case::private_without_type(r#"{"keys":[{"d":"AA"}]}"#, KeySetError::PrivateKeyPublished)]
#[case::private_of_unknown_type(r#"{"keys":[{"kty":"XYZ","d":"AA"}]}"#, KeySetError::PrivateKeyPublished)]
#[case::private_for_encryption(r#"{"keys":[{"kty":"EC","use":"enc","d":"AA"}]}"#, KeySetError::PrivateKeyPublished)]
#[case::private_in_part(r#"{"keys":[{"kty":"RSA","qi":"AA"}]}"#, KeySetError::PrivateKeyPublished)]
#[case::private_of_many_primes(r#"{"keys":[{"kty":"RSA","oth":[]}]}"#, KeySetError::PrivateKeyPublished)]
#[case::private_behind_a_name(r#"{"keys":[{"kty":"EC","\u0064":"AA"}]}"#, KeySetError::PrivateKeyPublished)]
#[case::symmetric_without_value(r#"{"keys":[{"kty":"oct"}]}"#, KeySetError::SymmetricKeyPublished)]
#[case::symmetric_of_another_type(r#"{"keys":[{"kty":"RSA","k":"AA"}]}"#, KeySetError::SymmetricKeyPublished)]
#[case::no_key(r#"{"keys":[]}"#, KeySetError::NoUsableKey)]
#[case::unknown_type(r#"{"keys":[{"kty":"XYZ"}]}"#, KeySetError::NoUsableKey)]
#[case::unknown_curve(r#"{"keys":[{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}]}"#, KeySetError::NoUsableKey)]
#[case::private(r#"{"keys":[{"kty":"RSA","n":"AA","e":"AQAB","d":"AA"}]}"#, KeySetError::PrivateKeyPublished)]
#[case::symmetric(r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, KeySetError::SymmetricKeyPublished)]
#[case::private_and_symmetric(r#"{"keys":[{"kty":"RSA","d":"AA","k":"AA"}]}"#, KeySetError::PrivateKeyPublished)]
#[case::symmetric_with_d(r#"{"keys":[{"kty":"oct","k":"AA","d":"AA"}]}"#, KeySetError::SymmetricKeyPublished)]
#[case::padded(r#"{"keys":[{"kty":"RSA","n":"AA==","e":"AQAB"}]}"#, KeySetError::BadKeyEncoding)]
#[case::short_coordinate(r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#, KeySetError::BadKeyEncoding)]
fn what_is_wrong_is_told_apart(#[case] body: &str, #[case] expected: KeySetError) {
    assert_eq!(KeySet::judge(body.as_bytes(), ALL), Err(expected));
}

#[test]
fn a_set_has_at_most_64_keys() {
    let many = |count: usize| {
        let keys: Vec<String> = (0..count).map(|id| ED25519.replace('}', &format!(r#","kid":"{id}"}}"#))).collect();
        KeySet::judge(set(&keys.iter().map(String::as_str).collect::<Vec<_>>()).as_bytes(), ALL)
            .map(|keys| keys.count())
    };
    assert_eq!((many(64), many(65)), (Ok(64), Err(KeySetError::NotAJwks)));
    // Keys that are not used count as well.
    assert_eq!(KeySet::judge(set(&["{}"; 65]).as_bytes(), ALL), Err(KeySetError::NotAJwks));
}

#[test]
fn a_key_that_is_listed_twice_is_one_key() {
    assert_eq!(KeySet::judge(set(&[ED25519; 3]).as_bytes(), ALL), KeySet::judge(set(&[ED25519]).as_bytes(), ALL));
}

#[test]
fn signing_keys_of_one_id_are_refused_but_not_where_one_encrypts() {
    let signing = format!(r#"{P256},"kid":"a"}}"#);
    let encrypting = format!(r#"{P256},"kid":"a","use":"enc"}}"#);
    assert_eq!(KeySet::judge(set(&[&signing, &signing]).as_bytes(), ALL), Err(KeySetError::DuplicateKeyId));
    assert_eq!(KeySet::judge(set(&[&signing, &encrypting]).as_bytes(), ALL).unwrap().count(), 1);
    // The whole set is judged before its keys are, and before what is permitted.
    let unknown = r#"{"kty":"XYZ","kid":"a"}"#;
    for other in [unknown, &signing] {
        let body = set(&[&signing, other]);
        assert_eq!(KeySet::judge(body.as_bytes(), &[Algorithm::RS256]), Err(KeySetError::DuplicateKeyId));
    }
}

#[test]
fn only_encryption_keys_are_no_usable_key() {
    let key = format!(r#"{P256},"use":"enc"}}"#);
    assert_eq!(KeySet::judge(set(&[&key]).as_bytes(), ALL), Err(KeySetError::NoUsableKey));
}

#[rstest]
#[case(255, "AQAB", Err(KeySetError::KeyTooWeak))]
#[case(256, "AQAB", Ok(1))]
#[case(1024, "AQAB", Ok(1))]
#[case(1025, "AQAB", Err(KeySetError::KeyTooWeak))]
#[case::exponent_one(256, "AQ", Err(KeySetError::KeyTooWeak))]
#[case::even_exponent(256, "Ag", Err(KeySetError::KeyTooWeak))]
fn rsa_keys_are_bounded(#[case] bytes: usize, #[case] exponent: &str, #[case] expected: Result<usize, KeySetError>) {
    assert_eq!(KeySet::judge(set(&[&rsa(bytes, exponent)]).as_bytes(), ALL).map(|keys| keys.count()), expected);
}

#[test]
fn a_good_key_beside_a_weak_one_is_used() {
    let keys = KeySet::judge(set(&[&rsa(128, "AQAB"), ED25519]).as_bytes(), ALL).unwrap();
    assert_eq!(keys.algorithms(), ["EdDSA"]);
}

#[test]
fn a_secret_beside_a_private_key_is_told_as_the_private_key() {
    let body = set(&[r#"{"kty":"oct","k":"AA"}"#, r#"{"kty":"EC","crv":"P-256","d":"AA"}"#]);
    assert_eq!(KeySet::judge(body.as_bytes(), ALL), Err(KeySetError::PrivateKeyPublished));
}

/// An RSA key, which is good for six algorithms, and an Ed25519 key.
const TWO: &str = r#"{"keys":[{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"},
  {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

#[rstest]
#[case(&Algorithm::ALL, Ok(vec!["EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]))]
#[case(&[Algorithm::RS256], Ok(vec!["RS256"]))]
#[case(&[Algorithm::EdDSA, Algorithm::RS512], Ok(vec!["EdDSA", "RS512"]))]
#[case(&[Algorithm::ES256], Err(KeySetError::NoUsableKey))]
#[case(&[], Err(KeySetError::NoUsableKey))]
fn only_permitted_algorithms_count(#[case] permitted: &[Algorithm], #[case] expected: Result<Vec<&str>, KeySetError>) {
    let judged = KeySet::judge(TWO.as_bytes(), permitted);
    let algorithms = judged.clone().map(|keys| keys.algorithms());
    assert_eq!(algorithms, expected.map(|names| names.into_iter().map(str::to_owned).collect()));
    assert_eq!(KeySet::judge(TWO.as_bytes(), ALL).unwrap().under(permitted), judged.ok());
}

#[test]
fn a_key_is_published_with_its_algorithm_where_only_one_is_permitted() {
    let algs = |permitted: &[Algorithm]| -> Vec<Value> {
        let keys = KeySet::judge(TWO.as_bytes(), permitted).unwrap();
        keys.keys().iter().map(|key| key.canonical.get("alg").cloned().unwrap_or_default()).collect()
    };
    assert_eq!(algs(&[Algorithm::RS256]), [json!("RS256")]);
    assert_eq!(algs(&[Algorithm::RS256, Algorithm::PS256]), [Value::Null]);
}

/// Each of these is skipped where it stands with others; alone it gives its reason.
#[rstest]
#[case::weak(rsa(128, "AQAB"), KeySetError::KeyTooWeak)]
#[case::badly_encoded(rsa(256, "AQ=="), KeySetError::BadKeyEncoding)]
#[case::unknown_curve(P256.replace("P-256", "P-521") + "}", KeySetError::NoUsableKey)]
#[case::curve_of_another_type(P256.replace("P-256", "Ed25519") + "}", KeySetError::NoUsableKey)]
#[case::no_curve(P256.replace(r#""crv":"P-256","#, "") + "}", KeySetError::NoUsableKey)]
#[case::unknown_type(ED25519.replace("OKP", "AKP"), KeySetError::NoUsableKey)]
#[case::no_type(ED25519.replace(r#""kty":"OKP","#, ""), KeySetError::NoUsableKey)]
#[case::for_encryption(ED25519.replace('}', r#","use":"enc"}"#), KeySetError::NoUsableKey)]
#[case::for_signing_only(ED25519.replace('}', r#","key_ops":["sign"]}"#), KeySetError::NoUsableKey)]
#[case::for_another_algorithm(ED25519.replace('}', r#","alg":"ES256"}"#), KeySetError::NoUsableKey)]
fn a_key_that_is_not_used_gives_its_reason_only_where_none_is(#[case] key: String, #[case] reason: KeySetError) {
    let judge = |keys: &[&str], permitted: &[Algorithm]| {
        KeySet::judge(set(keys).as_bytes(), permitted).map(|keys| keys.algorithms().join(" "))
    };
    let good = rsa(256, "AQAB");
    assert_eq!(judge(&[&key], ALL), Err(reason));
    assert_eq!(judge(&[&key, &good], &[Algorithm::RS256]), Ok("RS256".to_owned()));
    // The first one's, whatever comes after it. A key that is only not permitted is no reason.
    assert_eq!(judge(&[&good, &key, &rsa(128, "AQAB"), "{}"], &[Algorithm::ES256]), Err(reason));
    assert_eq!(judge(&[&good], &[Algorithm::ES256]), Err(KeySetError::NoUsableKey));
}
