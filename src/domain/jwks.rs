//! A JWK Set (RFC 7517, section 5) from an endpoint that may send anything: good, or what is wrong with it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    digest::sha256_hex,
    json,
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
    /// Not `{"keys": [..]}` with at most [`MAX_KEYS`] objects, or with a member twice.
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
        // The order in which an endpoint lists its keys, or how often, means nothing: it must not look like a change.
        keys.sort_by_cached_key(|key| (key.id.clone(), Value::Object(key.canonical.clone()).to_string()));
        keys.dedup();
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

/// The keys as they stand there. Each is an object; one of an unknown type, or without any, is skipped later (RFC 7517,
/// section 5: "ignore JWKs [..] that are missing required members"), but not before a private one was found out.
fn parse(body: &[u8]) -> Option<Vec<Map<String, Value>>> {
    let Some(Value::Array(keys)) = json::object(body)?.remove("keys") else {
        return None;
    };
    if keys.len() > MAX_KEYS {
        return None;
    }
    keys.into_iter()
        .map(|key| match key {
            Value::Object(members) => Some(members),
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
mod tests;
