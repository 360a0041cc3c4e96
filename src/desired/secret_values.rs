//! The values in a tenant's output Secret: current, previous and next.

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    api::tenant_jwt_secret::{Outputs, SigningAlgorithm},
    domain::{
        oct_jwks, policy,
        rotation::{Change, Current, Next, Previous},
        secret_output::{MAX_TOKENS, OutputFacts, Role, Slot, key, key_id, text, tokens},
    },
};

/// A new value.
#[derive(Debug)]
pub struct NewValue {
    /// Padded Base64 text.
    pub text: SecretString,
    /// Random id.
    pub key_id: String,
}

/// What a write of the output sets.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What becomes of the values.
    pub change: &'a Change,
    /// The new value that the change asks for, if it does.
    pub value: Option<NewValue>,
    /// Id for an existing value that has none.
    pub key_id: String,
    /// Whether what describes the output is set too; else only values change.
    pub describes: bool,
    /// Now: when a value becomes current, or since when a damaged `issued-at` counts.
    pub now: Timestamp,
}

/// A value with what describes it.
#[derive(Debug)]
struct Entry {
    text: SecretString,
    algorithm: Option<SigningAlgorithm>,
    key_id: Option<String>,
}

impl Entry {
    /// The value in padded Base64; nothing where it is no Base64 text.
    fn read(secret: &Secret, role: Role) -> Option<Self> {
        let [value, algorithm, ..] = role.keys();
        Some(Self {
            text: policy::parse(text(secret, value)?.as_bytes()).ok()?.text,
            algorithm: text(secret, algorithm).and_then(SigningAlgorithm::parse),
            key_id: key_id(secret, role).map(str::to_owned),
        })
    }
}

/// Changes the values. A change that asks for a value that is not there leaves what is.
pub fn change(parts: &Parts<'_>, before: &OutputFacts, secret: &mut Secret) {
    let now = parts.now;
    let key_id = parts.key_id.as_str();
    let current = Entry::read(secret, Role::Current);
    let next = Entry::read(secret, Role::Next);
    match parts.change.previous {
        Previous::Keep => {}
        Previous::Remove => clear(secret, Role::Previous),
        Previous::Demote(algorithm, until) => {
            put_entry(secret, Role::Previous, current.as_ref(), Some(algorithm), (key_id, until));
        }
    }
    match (parts.change.current, &parts.value) {
        (Current::Keep, _) | (Current::New(..), None) => {}
        (Current::Describe(algorithm), _) => {
            let described = current.map(|current| Entry { algorithm: Some(algorithm), ..current });
            let since = before.issued_at(now).unwrap_or(now);
            put_entry(secret, Role::Current, described.as_ref(), None, (key_id, since));
        }
        (Current::New(algorithm, _), Some(new)) => set(secret, Role::Current, &new.text, algorithm, &new.key_id, now),
        (Current::Promote(_), _) => put_entry(secret, Role::Current, next.as_ref(), None, (key_id, now)),
    }
    match (parts.change.next, &parts.value) {
        (Next::Keep, _) | (Next::New(..), None) => {}
        (Next::Remove, _) => clear(secret, Role::Next),
        (Next::New(algorithm, from), Some(new)) => set(secret, Role::Next, &new.text, algorithm, &new.key_id, from),
    }
    if let Some(token) = &parts.change.token {
        let mut known = tokens(secret);
        known.push(token.clone());
        let first = known.len().saturating_sub(MAX_TOKENS);
        put(secret, key::ROTATE_TOKENS, known.split_off(first).join("\n").into_bytes());
    }
}

/// Makes the further forms of the values anew, and takes away those that are not asked for. A damaged value leaves them as
/// they are: they may hold the last good one.
pub fn set_forms(outputs: Outputs, secret: &mut Secret) {
    let is_whole = Slot::read(secret, Role::Current).is_whole();
    let jwks = (is_whole && outputs.jwks).then(|| oct_jwks::jwks(secret));
    let raw = if is_whole && outputs.raw { oct_jwks::raw(secret) } else { None };
    for (name, is_asked, form) in [(key::JWKS, outputs.jwks, jwks), (key::RAW, outputs.raw, raw)] {
        match form {
            Some(bytes) => put(secret, name, bytes.to_vec()),
            None if !is_asked => remove(secret, name),
            None => {}
        }
    }
}

/// Sets a value that is already known; `key_id` is for one that has none, `or_algorithm` too.
fn put_entry(
    secret: &mut Secret,
    role: Role,
    entry: Option<&Entry>,
    or_algorithm: Option<SigningAlgorithm>,
    (key_id, time): (&str, Timestamp),
) {
    if let Some((entry, algorithm)) = entry.and_then(|entry| Some((entry, entry.algorithm.or(or_algorithm)?))) {
        let key_id = entry.key_id.as_deref().unwrap_or(key_id);
        set(secret, role, &entry.text, algorithm, key_id, time);
    }
}

fn set(
    secret: &mut Secret,
    role: Role,
    value: &SecretString,
    algorithm: SigningAlgorithm,
    key_id: &str,
    time: Timestamp,
) {
    let texts = [value.expose_secret(), algorithm.as_str(), key_id, &format!("{time:.0}")];
    for (name, text) in role.keys().into_iter().zip(texts) {
        put(secret, name, text.as_bytes().to_vec());
    }
}

fn clear(secret: &mut Secret, role: Role) {
    for name in role.keys() {
        remove(secret, name);
    }
}

fn put(secret: &mut Secret, name: &str, bytes: Vec<u8>) {
    secret.data.get_or_insert_default().insert(name.to_owned(), ByteString(bytes));
}

fn remove(secret: &mut Secret, name: &str) {
    if let Some(data) = &mut secret.data {
        data.remove(name);
    }
}
