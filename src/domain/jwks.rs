//! A JWK Set (RFC 7517, section 5) from an endpoint that may send anything: good, or what is wrong with it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    digest::sha256_hex,
    jwk::{self, PublicKey, Skip},
};
use crate::api::identity_provider::Algorithm;

/// Most keys of a set.
pub const MAX_KEYS: usize = 64;

/// The keys of a set that can verify signatures by the algorithms that it was judged under, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

/// What is wrong with a set as a whole, or with all of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Not `{"keys": [..]}` with at most [`MAX_KEYS`] objects.
    NotAJwks,
    /// A private key is shown to everybody: tokens can be forged.
    PrivateKeyPublished,
    /// A shared secret is shown to everybody: tokens can be forged.
    SymmetricKeyPublished,
    /// Two signing keys of one `kid`.
    DuplicateKeyId,
    /// No key is left, the first one being too weak.
    KeyTooWeak,
    /// No key is left, the first one being badly encoded.
    BadKeyEncoding,
    /// No key is left.
    NoUsableKey,
}

impl KeySet {
    /// Judges the bytes of an answer under the algorithms that are permitted. The whole set is judged before any key is.
    ///
    /// # Errors
    /// The first thing that is wrong, in the order of [`KeySetError`]; of skipped keys, the first one's reason. A key that
    /// is good but for no permitted algorithm is not used, which is no reason by itself.
    pub fn judge(body: &[u8], permitted: &[Algorithm]) -> Result<Self, KeySetError> {
        let keys = parse(body).ok_or(KeySetError::NotAJwks)?;
        if keys.iter().any(jwk::is_private) {
            return Err(KeySetError::PrivateKeyPublished);
        }
        if keys.iter().any(jwk::is_symmetric) {
            return Err(KeySetError::SymmetricKeyPublished);
        }
        if has_duplicate_ids(&keys) {
            return Err(KeySetError::DuplicateKeyId);
        }
        let (good, skipped): (Vec<_>, Vec<_>) = keys.iter().map(jwk::read).partition(Result::is_ok);
        let good: Vec<PublicKey> = good.into_iter().flatten().collect();
        Self::of(&good, permitted).ok_or_else(|| match skipped.into_iter().find_map(Result::err) {
            Some(Skip::TooWeak) => KeySetError::KeyTooWeak,
            Some(Skip::BadEncoding) => KeySetError::BadKeyEncoding,
            Some(Skip::Unusable) | None => KeySetError::NoUsableKey,
        })
    }

    /// What is left of it under these algorithms, as if it had been judged under them; nothing where no key is.
    #[must_use]
    pub fn under(&self, permitted: &[Algorithm]) -> Option<Self> {
        Self::of(&self.keys, permitted)
    }

    fn of(keys: &[PublicKey], permitted: &[Algorithm]) -> Option<Self> {
        let mut keys: Vec<PublicKey> = keys.iter().filter_map(|key| key.under(permitted)).collect();
        // The order in which an endpoint lists its keys means nothing: it must not look like a change.
        keys.sort_by_cached_key(|key| (key.id.clone(), Value::Object(key.canonical.clone()).to_string()));
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// The set in its canonical form, as published.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({ "keys": self.keys.iter().map(|key| &key.canonical).collect::<Vec<_>>() }).to_string()
    }

    /// The keys, in an order that does not depend on the endpoint's.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Number of keys.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The ids of the keys that have one, sorted.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.keys.iter().filter_map(|key| key.id.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The algorithms of all keys, sorted.
    #[must_use]
    pub fn algorithms(&self) -> Vec<String> {
        let all: BTreeSet<&str> = self.keys.iter().flat_map(|key| key.algorithms.iter().copied()).collect();
        all.into_iter().map(str::to_owned).collect()
    }

    /// SHA-256 over issuer, source and canonical keys.
    #[must_use]
    pub fn digest(&self, issuer: &str, source: &str) -> String {
        sha256_hex(&[issuer.as_bytes(), source.as_bytes(), self.to_json().as_bytes()])
    }
}

fn parse(body: &[u8]) -> Option<Vec<Map<String, Value>>> {
    let Ok(Value::Object(mut set)) = serde_json::from_slice(body) else {
        return None;
    };
    let Some(Value::Array(keys)) = set.remove("keys") else {
        return None;
    };
    if keys.len() > MAX_KEYS {
        return None;
    }
    keys.into_iter()
        .map(|key| match key {
            Value::Object(members) if members.get("kty").is_some_and(Value::is_string) => Some(members),
            _ => None,
        })
        .collect()
}

fn has_duplicate_ids(keys: &[Map<String, Value>]) -> bool {
    let mut seen = BTreeSet::new();
    keys.iter()
        .filter(|key| jwk::is_for_signatures(key))
        .filter_map(|key| key.get("kid").and_then(Value::as_str))
        .any(|id| !seen.insert(id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// RFC 7517, appendix A.1.
    const RFC_7517: &str = r#"{"keys":[
      {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
       "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
      {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
       "e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}"#;

    /// RFC 8037, appendix A.2.
    const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;

    fn set(keys: &[&str]) -> String {
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    fn rsa(bytes: usize, exponent: &str) -> String {
        use base64::Engine as _;
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(vec![0xFF; bytes]);
        format!(r#"{{"kty":"RSA","n":"{n}","e":"{exponent}"}}"#)
    }

    #[test]
    fn the_rfc_s_example_has_one_signing_key() {
        let keys = KeySet::judge(RFC_7517.as_bytes(), &Algorithm::ALL).unwrap();
        assert_eq!(
            (keys.count(), keys.ids(), keys.algorithms()),
            (1, vec!["2011-04-29".to_owned()], vec!["RS256".to_owned()])
        );
    }

    #[test]
    fn what_is_published_is_canonical() {
        let keys = KeySet::judge(set(&[ED25519]).as_bytes(), &Algorithm::ALL).unwrap();
        assert_eq!(
            keys.to_json(),
            r#"{"keys":[{"alg":"EdDSA","crv":"Ed25519","kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
        );
    }

    #[test]
    fn the_order_of_keys_means_nothing() {
        let a = format!(r#"{P256},"kid":"a","x5c":["unknown members go"]}}"#);
        let b = ED25519.replace('}', r#","kid":"b"}"#);
        let one = KeySet::judge(set(&[&a, &b]).as_bytes(), &Algorithm::ALL).unwrap();
        let other = KeySet::judge(set(&[&b, &a]).as_bytes(), &Algorithm::ALL).unwrap();
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
    #[case::key_without_type(r#"{"keys":[{}]}"#, KeySetError::NotAJwks)]
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
        assert_eq!(KeySet::judge(body.as_bytes(), &Algorithm::ALL), Err(expected));
    }

    #[test]
    fn a_set_has_at_most_64_keys() {
        assert_eq!(KeySet::judge(set(&[ED25519; 64]).as_bytes(), &Algorithm::ALL).unwrap().count(), 64);
        assert_eq!(KeySet::judge(set(&[ED25519; 65]).as_bytes(), &Algorithm::ALL), Err(KeySetError::NotAJwks));
    }

    #[test]
    fn signing_keys_of_one_id_are_refused_but_not_where_one_encrypts() {
        let signing = format!(r#"{P256},"kid":"a"}}"#);
        let encrypting = format!(r#"{P256},"kid":"a","use":"enc"}}"#);
        assert_eq!(
            KeySet::judge(set(&[&signing, &signing]).as_bytes(), &Algorithm::ALL),
            Err(KeySetError::DuplicateKeyId)
        );
        assert_eq!(KeySet::judge(set(&[&signing, &encrypting]).as_bytes(), &Algorithm::ALL).unwrap().count(), 1);
    }

    #[test]
    fn only_encryption_keys_are_no_usable_key() {
        let key = format!(r#"{P256},"use":"enc"}}"#);
        assert_eq!(KeySet::judge(set(&[&key]).as_bytes(), &Algorithm::ALL), Err(KeySetError::NoUsableKey));
    }

    #[rstest]
    #[case(255, "AQAB", Err(KeySetError::KeyTooWeak))]
    #[case(256, "AQAB", Ok(1))]
    #[case(1024, "AQAB", Ok(1))]
    #[case(1025, "AQAB", Err(KeySetError::KeyTooWeak))]
    #[case::exponent_one(256, "AQ", Err(KeySetError::KeyTooWeak))]
    #[case::even_exponent(256, "Ag", Err(KeySetError::KeyTooWeak))]
    fn rsa_keys_are_bounded(
        #[case] bytes: usize,
        #[case] exponent: &str,
        #[case] expected: Result<usize, KeySetError>,
    ) {
        assert_eq!(
            KeySet::judge(set(&[&rsa(bytes, exponent)]).as_bytes(), &Algorithm::ALL).map(|keys| keys.count()),
            expected
        );
    }

    #[test]
    fn a_good_key_beside_a_weak_one_is_used() {
        let keys = KeySet::judge(set(&[&rsa(128, "AQAB"), ED25519]).as_bytes(), &Algorithm::ALL).unwrap();
        assert_eq!(keys.algorithms(), ["EdDSA"]);
    }

    #[test]
    fn a_secret_beside_a_private_key_is_told_as_the_private_key() {
        let body = set(&[r#"{"kty":"oct","k":"AA"}"#, r#"{"kty":"EC","crv":"P-256","d":"AA"}"#]);
        assert_eq!(KeySet::judge(body.as_bytes(), &Algorithm::ALL), Err(KeySetError::PrivateKeyPublished));
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
    fn only_permitted_algorithms_count(
        #[case] permitted: &[Algorithm],
        #[case] expected: Result<Vec<&str>, KeySetError>,
    ) {
        let judged = KeySet::judge(TWO.as_bytes(), permitted);
        let algorithms = judged.clone().map(|keys| keys.algorithms());
        assert_eq!(algorithms, expected.map(|names| names.into_iter().map(str::to_owned).collect()));
        assert_eq!(KeySet::judge(TWO.as_bytes(), &Algorithm::ALL).unwrap().under(permitted), judged.ok());
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

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = KeySet::judge(&body, &Algorithm::ALL);
        }

        #[test]
        fn no_values_of_members_make_it_panic(kty in "RSA|EC|OKP|oct", crv in "P-256|P-384|Ed25519|", x in ".{0,60}", y in "[A-Za-z0-9_=-]{0,60}") {
            let key = json!({"kty": kty, "crv": crv, "x": &x, "y": &y, "n": &y, "e": &x, "kid": &x});
            let _ = KeySet::judge(json!({"keys": [key]}).to_string().as_bytes(), &Algorithm::ALL);
        }
    }
}
