//! Problems with an `IdentityProvider`'s keys, and with what they depend on.

use super::identity_provider::{KEYS_REACHABLE, KEYS_VALID, REFERENCES_RESOLVED};
use crate::domain::{
    ca_bundle::CaBundleError,
    jwks::KeySetError,
    key_source::{FetchError, KeysError, Place},
    reasons::IdentityProviderReason as Reason,
    verdict::{Problem, Weight},
};

const ENDPOINT: &str = "/spec/keysEndpoint";
const CONFIG_MAP: &str = "/spec/keysFrom/configMapKeyRef";

/// Why nobody is known who vouches for the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// There is no such object of this kind and name, or it has no such key.
    NotFound(&'static str, String, String),
    /// The certificates in the spec are none.
    Inline(CaBundleError),
    /// The certificates in the object of this kind, name and key are none.
    Referenced(&'static str, String, String, CaBundleError),
}

/// The problem that it is not known who vouches for the endpoint.
#[must_use]
pub fn trust_problem(error: &TrustError) -> Problem {
    match error {
        TrustError::NotFound(kind, name, key) => Problem::new(
            Reason::ReferenceNotFound,
            Weight::Waits,
            404,
            NOT_FOUND,
            "/spec/tls/caBundleRef",
            format!("tls.caBundleRef: {}", not_found(kind, name, key)),
        ),
        TrustError::Inline(error) => invalid_bundle("/spec/tls/caBundle", format!("tls.caBundle {}", error.detail())),
        TrustError::Referenced(kind, name, key, error) => invalid_bundle(
            "/spec/tls/caBundleRef",
            format!("tls.caBundleRef: key '{key}' of {kind} '{name}' {}", error.detail()),
        ),
    }
}

const NOT_FOUND: &str = "Reference not found";

/// The same for what is missing and for what may not be read.
fn not_found(kind: &str, name: &str, key: &str) -> String {
    format!("{kind} '{name}' must be in this namespace and have data with the key '{key}': create it, or name another")
}

fn invalid_bundle(pointer: &'static str, message: String) -> Problem {
    Problem::new(Reason::InvalidCaBundle, Weight::Stalls, 400, "Invalid CA bundle", pointer, message)
}

/// The problem that a failed look for keys is, and the condition that tells of it. `served` says that the last good keys
/// are still published. Nothing, where another condition tells: it is not known who vouches for the endpoint.
#[must_use]
pub fn keys_problem(error: KeysError, place: &Place, served: bool) -> Option<(&'static str, Problem)> {
    match (error, place) {
        (KeysError::Fetch(error), _) => Some((KEYS_REACHABLE, fetch_problem(error, served))),
        (KeysError::Judged(error), _) => Some((KEYS_VALID, key_set_problem(error, place, served))),
        (KeysError::Unresolved, Place::ConfigMap(name, key)) => {
            Some((REFERENCES_RESOLVED, keys_not_found(name, key, served)))
        }
        (KeysError::Unresolved, Place::Endpoint(_)) => None,
    }
}

/// What a fetch came to, as a metric's label: the reason that a status would have.
#[must_use]
pub fn fetch_result(error: Option<KeysError>) -> &'static str {
    match error {
        None => "ok",
        Some(KeysError::Fetch(error)) => fetch_reason(error).as_str(),
        Some(KeysError::Judged(error)) => key_set_reason(error).as_str(),
        Some(KeysError::Unresolved) => Reason::ReferenceNotFound.as_str(),
    }
}

fn keys_not_found(name: &str, key: &str, served: bool) -> Problem {
    let cause = format!("keysFrom.configMapKeyRef: {}", not_found("ConfigMap", name, key));
    problem(Reason::ReferenceNotFound, Weight::Waits, 404, NOT_FOUND, CONFIG_MAP, cause, served)
}

fn fetch_reason(error: FetchError) -> Reason {
    match error {
        FetchError::Unreachable => Reason::KeysUnreachable,
        FetchError::AddressForbidden => Reason::AddressForbidden,
        FetchError::Tls => Reason::TlsFailed,
        FetchError::UnexpectedStatus(_) | FetchError::Encoded => Reason::UnexpectedStatus,
        FetchError::Redirect(_) => Reason::RedirectRefused,
        FetchError::BodyTooLarge => Reason::BodyTooLarge,
    }
}

fn fetch_problem(error: FetchError, served: bool) -> Problem {
    let (title, message) = match error {
        FetchError::Unreachable => (
            "Keys endpoint unreachable",
            "keysEndpoint gives no answer: it must be a host that resolves, accepts connections and answers within 10 s"
                .to_owned(),
        ),
        FetchError::AddressForbidden => (
            "Address forbidden",
            "keysEndpoint has an address that may not be called: it must be none of the loopback, unspecified, link-local, \
             multicast, metadata and API server addresses, and none that --deny-cidr names; the operator's administrator can \
             allow some of them with --allow-cidr"
                .to_owned(),
        ),
        FetchError::Tls => (
            "TLS failed",
            "keysEndpoint must have a certificate for its host that is valid now and issued by a trusted authority".to_owned(),
        ),
        FetchError::UnexpectedStatus(status) => (
            "Unexpected HTTP status",
            format!("keysEndpoint answered with HTTP status {status}: it must answer GET with 200"),
        ),
        FetchError::Encoded => (
            "Unexpected HTTP status",
            "keysEndpoint answered with a Content-Encoding: it must answer without one".to_owned(),
        ),
        FetchError::Redirect(status) => (
            "Redirect refused",
            format!("keysEndpoint answered with redirect {status}: it must be the URL of the keys themselves"),
        ),
        FetchError::BodyTooLarge => (
            "Answer too large",
            "keysEndpoint answered with more than 512 KiB: it must be a JWK Set of at most 64 keys".to_owned(),
        ),
    };
    let weight = if error == FetchError::AddressForbidden { Weight::Stalls } else { Weight::Waits };
    problem(fetch_reason(error), weight, 503, title, ENDPOINT, message, served)
}

fn key_set_reason(error: KeySetError) -> Reason {
    match error {
        KeySetError::NotAJwks => Reason::NotAJwks,
        KeySetError::PrivateKeyPublished => Reason::PrivateKeyPublished,
        KeySetError::SymmetricKeyPublished => Reason::SymmetricKeyPublished,
        KeySetError::DuplicateKeyId => Reason::DuplicateKeyId,
        KeySetError::KeyTooWeak => Reason::KeyTooWeak,
        KeySetError::BadKeyEncoding => Reason::BadKeyEncoding,
        KeySetError::NoUsableKey => Reason::NoUsableKey,
    }
}

fn key_set_problem(error: KeySetError, place: &Place, served: bool) -> Problem {
    let (title, cause) = match error {
        KeySetError::NotAJwks => (
            "Not a JWK Set",
            match place {
                Place::Endpoint(_) => "must answer with a JWK Set (RFC 7517) of at most 64 keys: {\"keys\": [..]}",
                Place::ConfigMap(..) => "must hold a JWK Set (RFC 7517) of at most 64 keys: {\"keys\": [..]}",
            },
        ),
        KeySetError::PrivateKeyPublished => (
            "Private key published",
            "shows a private key to everybody: the provider must replace its keys and publish public ones only",
        ),
        KeySetError::SymmetricKeyPublished => (
            "Symmetric key published",
            "shows a symmetric key to everybody: the provider must publish public keys only",
        ),
        KeySetError::DuplicateKeyId => ("Duplicate key id", "has two signing keys of one kid: each must have its own"),
        KeySetError::KeyTooWeak => (
            "Key too weak",
            "has no usable key: an RSA key must have 2048 to 8192 bits and an odd exponent above 1, an Ed25519 key a point of large order",
        ),
        KeySetError::BadKeyEncoding => (
            "Bad key encoding",
            "has no usable key: parameters must be in base64url without padding and make a point of their curve, and kid a text of at most 256 bytes",
        ),
        KeySetError::NoUsableKey => (
            "No usable key",
            "has no usable key: it must have an RSA, P-256, P-384 or Ed25519 key for signatures by one of algorithms",
        ),
    };
    let (field, pointer) = field(place);
    problem(key_set_reason(error), Weight::Waits, 400, title, pointer, format!("{field} {cause}"), served)
}

fn field(place: &Place) -> (&'static str, &'static str) {
    match place {
        Place::Endpoint(_) => ("keysEndpoint", ENDPOINT),
        Place::ConfigMap(..) => ("keysFrom", CONFIG_MAP),
    }
}

/// While the last good keys are served, it only advises.
fn problem(
    reason: Reason,
    weight: Weight,
    http: u16,
    title: &'static str,
    pointer: &'static str,
    cause: String,
    served: bool,
) -> Problem {
    if served {
        let message = format!("{cause}; the last good keys stay published");
        Problem::new(reason, Weight::Advises, http, title, pointer, message)
    } else {
        Problem::new(reason, weight, http, title, pointer, cause)
    }
}

/// The last good keys are too old to be trusted.
#[must_use]
pub fn keys_stale(place: &Place) -> Problem {
    let (field, pointer) = field(place);
    Problem::new(
        Reason::KeysStale,
        Weight::Waits,
        503,
        "Keys stale",
        pointer,
        format!(
            "{field} has given no good keys for longer than keys.staleAfter: the published ones are withdrawn until it does"
        ),
    )
}
