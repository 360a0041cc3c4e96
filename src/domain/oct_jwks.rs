//! Further forms of a tenant's values: a JWK Set of `oct` keys (RFC 7517; RFC 7518, section 6.4), and raw bytes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use k8s_openapi::api::core::v1::Secret;
use secrecy::zeroize::Zeroizing;
use serde::{Serialize, Serializer};

use super::{
    policy,
    secret_output::{Role, Slot, key_id, text},
};

/// Bytes that hold a value. They are overwritten when they go.
pub type Bytes = Zeroizing<Vec<u8>>;

#[derive(Serialize)]
struct Jwks<'a> {
    keys: Vec<Jwk<'a>>,
}

#[derive(Serialize)]
struct Jwk<'a> {
    kty: &'static str,
    kid: &'a str,
    alg: &'static str,
    #[serde(rename = "use")]
    use_: &'static str,
    #[serde(serialize_with = "exposed")]
    k: Zeroizing<String>,
}

fn exposed<S: Serializer>(value: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value)
}

/// The set of the values that are whole: current, previous, next.
#[must_use]
pub fn jwks(secret: &Secret) -> Bytes {
    let keys = Role::ALL.into_iter().filter_map(|role| jwk(secret, role)).collect();
    Zeroizing::new(serde_json::to_vec(&Jwks { keys }).unwrap_or_default())
}

fn jwk(secret: &Secret, role: Role) -> Option<Jwk<'_>> {
    let slot = Slot::read(secret, role);
    let alg = slot.algorithm.filter(|_| slot.is_whole())?.as_str();
    let [value, ..] = role.keys();
    let decoded = policy::decode(text(secret, value)?.as_bytes()).ok()?;
    let k = Zeroizing::new(URL_SAFE_NO_PAD.encode(decoded.as_slice()));
    Some(Jwk { kty: "oct", kid: key_id(secret, role)?, alg, use_: "sig", k })
}

/// The current value's decoded bytes.
#[must_use]
pub fn raw(secret: &Secret) -> Option<Bytes> {
    let [value, ..] = Role::Current.keys();
    policy::decode(text(secret, value)?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn only_values_that_are_whole_and_obey_the_rules_are_keys() {
        let good = "QWExIUJiMkBDYzMjRGQ0JEVlNSVGZjZeR2c3JkhoOCpJaTkoSmowKUtrLV9MbD0r";
        let mut data = BTreeMap::new();
        for (role, value) in [(Role::Current, good), (Role::Previous, "dG9vIHNob3J0"), (Role::Next, good)] {
            for (name, text) in role.keys().into_iter().zip([value, "HS256", role.keys()[0], "2030-01-01T00:00:00Z"]) {
                data.insert(name.to_owned(), ByteString(text.as_bytes().to_vec()));
            }
        }
        data.remove("next-key-id");
        let secret = Secret { data: Some(data), ..Secret::default() };
        let jwks: serde_json::Value = serde_json::from_slice(&jwks(&secret)).unwrap();
        let k = good.replace('+', "-").replace('/', "_");
        let key = serde_json::json!({ "kty": "oct", "kid": "secret", "alg": "HS256", "use": "sig", "k": k });
        assert_eq!(jwks, serde_json::json!({ "keys": [key] }));
    }
}
