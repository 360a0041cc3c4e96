//! Problems of an `IdentityProvider`.

use crate::domain::{
    jwks::KeySetError,
    key_source::{FetchError, KeysError},
    reasons::IdentityProviderReason as Reason,
    verdict::{Problem, Weight},
};

/// `spec.state` is `Active`.
pub const ACTIVE: &str = "Active";
/// What [`ACTIVE`] says when it is True.
pub const ACTIVE_MESSAGE: &str = "state is Active";
/// No older object of the namespace has the same issuer.
pub const ISSUER_UNIQUE: &str = "IssuerUnique";
/// The output ConfigMap bears the spec's keys.
pub const PUBLISHED: &str = "Published";
/// The endpoint answered.
pub const KEYS_REACHABLE: &str = "KeysReachable";
/// The answer held good keys.
pub const KEYS_VALID: &str = "KeysValid";
/// Good keys were seen not too long ago.
pub const KEYS_FRESH: &str = "KeysFresh";

const ENDPOINT: &str = "/spec/keysEndpoint";

/// The problem that a failed look for keys is. `served` says that the last good keys are still published.
#[must_use]
pub fn keys_problem(error: KeysError, served: bool) -> (&'static str, Problem) {
    match error {
        KeysError::Fetch(error) => (KEYS_REACHABLE, fetch_problem(error, served)),
        KeysError::Judged(error) => (KEYS_VALID, key_set_problem(error, served)),
    }
}

fn fetch_problem(error: FetchError, served: bool) -> Problem {
    let (reason, title, message) = match error {
        FetchError::Unreachable => (
            Reason::KeysUnreachable,
            "Keys endpoint unreachable",
            "keysEndpoint gives no answer: it must be a host that resolves, accepts connections and answers within 10 s"
                .to_owned(),
        ),
        FetchError::AddressForbidden => (
            Reason::AddressForbidden,
            "Address forbidden",
            "keysEndpoint has an address that may not be called: it must be none of the loopback, link-local, multicast, \
             metadata and API server addresses; an operator's administrator can allow some of them with --allow-cidr"
                .to_owned(),
        ),
        FetchError::Tls => (
            Reason::TlsFailed,
            "TLS failed",
            "keysEndpoint must have a certificate for its host that is valid now and issued by a trusted authority".to_owned(),
        ),
        FetchError::UnexpectedStatus(status) => (
            Reason::UnexpectedStatus,
            "Unexpected HTTP status",
            format!("keysEndpoint answered with HTTP status {status}: it must answer GET with 200"),
        ),
        FetchError::Encoded => (
            Reason::UnexpectedStatus,
            "Unexpected HTTP status",
            "keysEndpoint answered with a Content-Encoding: it must answer without one".to_owned(),
        ),
        FetchError::Redirect(status) => (
            Reason::RedirectRefused,
            "Redirect refused",
            format!("keysEndpoint answered with redirect {status}: it must be the URL of the keys themselves"),
        ),
        FetchError::BodyTooLarge => (
            Reason::BodyTooLarge,
            "Answer too large",
            "keysEndpoint answered with more than 512 KiB: it must be a JWK Set of at most 64 keys".to_owned(),
        ),
    };
    let weight = match error {
        _ if served => Weight::Advises,
        FetchError::AddressForbidden => Weight::Stalls,
        _ => Weight::Waits,
    };
    problem(reason, weight, 503, title, message, served)
}

fn key_set_problem(error: KeySetError, served: bool) -> Problem {
    let (reason, title, message) = match error {
        KeySetError::NotAJwks => (
            Reason::NotAJwks,
            "Not a JWK Set",
            "keysEndpoint must answer with a JWK Set (RFC 7517) of at most 64 keys: {\"keys\": [..]}",
        ),
        KeySetError::PrivateKeyPublished => (
            Reason::PrivateKeyPublished,
            "Private key published",
            "keysEndpoint shows a private key to everybody: the provider must replace its keys and publish public ones only",
        ),
        KeySetError::SymmetricKeyPublished => (
            Reason::SymmetricKeyPublished,
            "Symmetric key published",
            "keysEndpoint shows a symmetric key to everybody: the provider must publish public keys only",
        ),
        KeySetError::DuplicateKeyId => (
            Reason::DuplicateKeyId,
            "Duplicate key id",
            "keysEndpoint has two signing keys of one kid: each must have its own",
        ),
        KeySetError::KeyTooWeak => (
            Reason::KeyTooWeak,
            "Key too weak",
            "keysEndpoint has no usable key: an RSA key must have 2048 to 8192 bits and an odd exponent above 1",
        ),
        KeySetError::BadKeyEncoding => (
            Reason::BadKeyEncoding,
            "Bad key encoding",
            "keysEndpoint has no usable key: parameters must be in base64url without padding, and of their curve's size",
        ),
        KeySetError::NoUsableKey => (
            Reason::NoUsableKey,
            "No usable key",
            "keysEndpoint has no usable key: it must have an RSA, P-256, P-384 or Ed25519 key for signatures",
        ),
    };
    let weight = if served { Weight::Advises } else { Weight::Waits };
    problem(reason, weight, 400, title, message.to_owned(), served)
}

fn problem(reason: Reason, weight: Weight, http: u16, title: &'static str, cause: String, served: bool) -> Problem {
    let message = if served { format!("{cause}; the last good keys stay published") } else { cause };
    Problem::new(reason, weight, http, title, ENDPOINT, message)
}

/// The last good keys are too old to be trusted.
#[must_use]
pub fn keys_stale() -> Problem {
    Problem::new(
        Reason::KeysStale,
        Weight::Waits,
        503,
        "Keys stale",
        ENDPOINT,
        "keysEndpoint has given no good keys for longer than keys.staleAfter: the published ones are withdrawn until it does",
    )
}

/// It is not to be used, as declared.
#[must_use]
pub fn not_active() -> Problem {
    Problem::new(
        Reason::Inactive,
        Weight::Advises,
        403,
        "Inactive",
        "/spec/state",
        "state is Inactive: no keys are published, and links to it are not in force",
    )
}

/// An older object of the namespace has the same issuer.
#[must_use]
pub fn duplicate_issuer(holder: &str) -> Problem {
    Problem::new(
        Reason::DuplicateIssuer,
        Weight::Stalls,
        409,
        "Duplicate issuer",
        "/spec/issuer",
        format!(
            "issuer must be unique in the namespace: the older IdentityProvider '{holder}' has it; \
             delete one of them or change its issuer"
        ),
    )
}

/// A ConfigMap of the output's name is not ours.
#[must_use]
pub fn publish_conflict(name: &str) -> Problem {
    conflict(format!(
        "ConfigMap '{name}' was not made for this IdentityProvider: delete it, or name another one in \
         publish.configMapName of a new IdentityProvider"
    ))
}

/// The output ConfigMap is immutable and would have to change.
#[must_use]
pub fn publish_immutable(name: &str) -> Problem {
    conflict(format!("ConfigMap '{name}' is immutable and would have to change: delete it and a new one is made"))
}

fn conflict(message: String) -> Problem {
    Problem::new(Reason::PublishConflict, Weight::Stalls, 409, "Publish conflict", "/metadata/name", message)
}
