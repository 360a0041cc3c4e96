//! Problems of a `UserIdpAuthenticator`.

use crate::domain::{
    reasons::UserIdpAuthenticatorReason as Reason,
    verdict::{Problem, Weight},
};

/// The `IdentityProvider` exists and is ready.
pub const IDENTITY_PROVIDER_READY: &str = "IdentityProviderReady";

/// The `IdentityProvider` allows links to it.
pub const LINKING_ALLOWED: &str = "LinkingAllowed";

/// How a spec names its `IdentityProvider`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdpName {
    /// `spec.idpRef.name`
    Ref(String),
    /// `spec.idpId`
    Id(String),
}

impl IdpName {
    fn pointer(&self) -> &'static str {
        match self {
            Self::Ref(_) => "/spec/idpRef/name",
            Self::Id(_) => "/spec/idpId",
        }
    }
}

/// There is no such `IdentityProvider`, or it is being deleted.
#[must_use]
pub fn idp_not_found(idp: &IdpName) -> Problem {
    let message = match idp {
        IdpName::Ref(name) => {
            format!("idpRef must name an IdentityProvider of this namespace: there is none of the name '{name}'")
        }
        IdpName::Id(id) => {
            format!(
                "idpId must be the status.idpId of an IdentityProvider of this namespace: there is none of the id '{id}'"
            )
        }
    };
    Problem::new(Reason::IdpNotFound, Weight::Waits, 404, "Resource not found", idp.pointer(), message)
}

/// The `IdentityProvider` is not ready; only an edit helps if only an edit helps there.
#[must_use]
pub fn idp_not_ready(idp: &IdpName, name: &str, stalled: bool) -> Problem {
    Problem::new(
        Reason::IdpNotReady,
        if stalled { Weight::Stalls } else { Weight::Waits },
        503,
        "IdentityProvider not ready",
        idp.pointer(),
        format!("IdentityProvider '{name}' is not ready: see its status for the cause"),
    )
}

/// The `IdentityProvider` is inactive.
#[must_use]
pub fn idp_inactive(idp: &IdpName, name: &str) -> Problem {
    Problem::new(
        Reason::IdpInactive,
        Weight::Stalls,
        403,
        "IdentityProvider inactive",
        idp.pointer(),
        format!("IdentityProvider '{name}' is inactive: set its state to Active, or delete the link"),
    )
}

/// The `IdentityProvider` allows no links to it.
#[must_use]
pub fn linking_not_allowed(idp: &IdpName, name: &str) -> Problem {
    Problem::new(
        Reason::LinkingNotAllowed,
        Weight::Stalls,
        403,
        "Linking not allowed",
        idp.pointer(),
        format!("IdentityProvider '{name}' allows no links: set its linkingAllowed to true, or delete the link"),
    )
}
