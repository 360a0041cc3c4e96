//! Problems of an `IdentityProvider`.

use crate::domain::{
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

/// What the spec refers to is there and good.
pub const REFERENCES_RESOLVED: &str = "ReferencesResolved";
/// Tokens are judged by their audience.
pub const AUDIENCE_CHECKED: &str = "AudienceChecked";

/// It is not to be used, as declared.
#[must_use]
pub fn not_active() -> Problem {
    Problem::new(
        Reason::Inactive,
        Weight::Advises,
        403,
        "Inactive",
        "/spec/state",
        "state is Inactive: its keys are withdrawn, and links to it are not in force",
    )
}

/// No audience is set.
#[must_use]
pub fn no_audiences() -> Problem {
    Problem::new(
        Reason::NoAudiences,
        Weight::Advises,
        400,
        "No audiences",
        "/spec/audiences",
        "a token for anybody is taken: set audiences, and each token's aud must have one of them",
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
    conflict(format!(
        "ConfigMap '{name}' is immutable and would have to change: delete it, as what it holds stays published until then"
    ))
}

fn conflict(message: String) -> Problem {
    Problem::new(Reason::PublishConflict, Weight::Stalls, 409, "Publish conflict", "/metadata/name", message)
}
