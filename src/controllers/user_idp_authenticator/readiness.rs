//! Whether a link's `IdentityProvider` is ready: one judge for the link itself and for those that require it.

use super::idp_view::{IdpReady, IdpView};
use crate::{
    api::{UserIdpAuthenticator, status::condition},
    domain::{
        reasons::UserIdpAuthenticatorReason as Reason,
        verdict::Problem,
        verdicts::user_idp_authenticator::{
            IDENTITY_PROVIDER_READY, IdpName, LINK_UNIQUE, idp_inactive, idp_not_found, idp_not_ready,
        },
    },
};

/// What a link has of its `IdentityProvider`.
#[derive(Clone, Debug, PartialEq)]
pub enum Readiness {
    /// It has no verdict yet.
    Waits,
    /// It is suspended: the link's whole verdict stays as it is.
    Stays,
    /// It is ready.
    Ready,
    /// It is missing, inactive or not ready.
    NotReady(Problem),
}

/// What a link has of its `IdentityProvider`, as it is or as it was last told.
#[must_use]
pub fn readiness(link: &UserIdpAuthenticator, idp: Option<&IdpView>) -> Readiness {
    let name = idp_name(link);
    let Some(idp) = idp else { return Readiness::NotReady(idp_not_found(&name)) };
    let ready = match idp.ready {
        IdpReady::NoVerdict => return Readiness::Waits,
        _ if idp.is_suspended && has_verdict_of_this_generation(link) => return Readiness::Stays,
        _ if idp.is_inactive => return Readiness::NotReady(idp_inactive(&name, &idp.name)),
        IdpReady::Unknown => last_told(link),
        ready => ready,
    };
    match ready {
        IdpReady::True => Readiness::Ready,
        IdpReady::False { stalled } => Readiness::NotReady(idp_not_ready(&name, &idp.name, stalled)),
        IdpReady::NoVerdict | IdpReady::Unknown => Readiness::NotReady(idp_not_ready(&name, &idp.name, false)),
    }
}

/// How the link names its `IdentityProvider`.
#[must_use]
pub fn idp_name(link: &UserIdpAuthenticator) -> IdpName {
    match (&link.spec.idp_ref, &link.spec.idp_id) {
        (Some(idp), _) => IdpName::Ref(idp.name.clone()),
        (None, id) => IdpName::Id(id.clone().unwrap_or_default()),
    }
}

fn has_verdict_of_this_generation(link: &UserIdpAuthenticator) -> bool {
    link.status.as_ref().is_some_and(|status| {
        status.core.observed_generation == link.metadata.generation
            && status.core.condition(condition::READY).is_some_and(|ready| ready.status != "Unknown")
    })
}

/// The `IdentityProvider`'s `Ready` by the link's own status.
fn last_told(link: &UserIdpAuthenticator) -> IdpReady {
    if is_recorded(link, IDENTITY_PROVIDER_READY) {
        return IdpReady::True;
    }
    let stalled = link.status.as_ref().and_then(|status| status.core.condition(condition::STALLED));
    IdpReady::False { stalled: stalled.is_some_and(|stalled| stalled.reason == Reason::IdpNotReady.as_str()) }
}

/// Whether this condition of the link is True.
fn is_recorded(link: &UserIdpAuthenticator, type_: &str) -> bool {
    let core = link.status.as_ref().map(|status| &status.core);
    core.and_then(|core| core.condition(type_)).is_some_and(|condition| condition.status == "True")
}

/// A link as those see it that require it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Its `IdentityProvider` has no verdict yet.
    Waits,
    /// Its `IdentityProvider` is not ready.
    NotReady,
    /// Its `IdentityProvider` is ready; whether it holds its identity, the contests know.
    Ready,
    /// Its `IdentityProvider` was ready, and its verdict stays.
    Recorded {
        /// Whether it held its identity.
        is_unique: bool,
    },
}

/// The link as those see it that require it; `idp` is the `IdentityProvider` that it is to. It is judged as it would judge
/// itself, not by its status, which may not be written yet; but where it keeps its verdict, that stands.
#[must_use]
pub fn presence(link: &UserIdpAuthenticator, idp: &IdpView) -> Presence {
    let readiness = if link.spec.suspend { Readiness::Stays } else { readiness(link, Some(idp)) };
    match readiness {
        Readiness::Waits => Presence::Waits,
        Readiness::NotReady(_) => Presence::NotReady,
        Readiness::Ready => Presence::Ready,
        Readiness::Stays if !is_recorded(link, IDENTITY_PROVIDER_READY) => Presence::NotReady,
        Readiness::Stays => Presence::Recorded { is_unique: is_recorded(link, LINK_UNIQUE) },
    }
}
