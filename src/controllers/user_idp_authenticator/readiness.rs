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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// A link of this generation, whose status is of the first, with these conditions.
    fn link(generation: i64, suspend: bool, conditions: &[(&str, &str, &str)]) -> UserIdpAuthenticator {
        let conditions = conditions.iter().map(|(type_, status, reason)| {
            json!({
                "type": type_, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        });
        serde_json::from_value(json!({
            "apiVersion": "idp-operator.dev/v1alpha1", "kind": "UserIdpAuthenticator",
            "metadata": { "name": "mini", "generation": generation },
            "spec": { "userId": "1", "idpRef": { "name": "login" }, "idpUserId": "2", "idpUserName": "3", "suspend": suspend },
            "status": { "observedGeneration": 1, "conditions": conditions.collect::<Vec<_>>() },
        }))
        .unwrap()
    }

    fn idp(ready: IdpReady) -> IdpView {
        IdpView {
            name: "login".into(),
            uid: "u".into(),
            ready,
            is_inactive: false,
            allows_linking: true,
            is_suspended: false,
        }
    }

    const GOOD: &[(&str, &str, &str)] = &[
        ("Ready", "True", "IdentitySet"),
        ("IdentityProviderReady", "True", "Succeeded"),
        ("LinkUnique", "True", "Succeeded"),
    ];
    const LOST: &[(&str, &str, &str)] = &[
        ("Ready", "False", "AlreadyLinked"),
        ("IdentityProviderReady", "True", "Succeeded"),
        ("LinkUnique", "False", "X"),
    ];
    const WAITED: &[(&str, &str, &str)] = &[
        ("Ready", "False", "IdpNotReady"),
        ("Reconciling", "True", "IdpNotReady"),
        ("IdentityProviderReady", "False", "X"),
    ];
    const STALLED: &[(&str, &str, &str)] = &[
        ("Ready", "False", "IdpNotReady"),
        ("Stalled", "True", "IdpNotReady"),
        ("IdentityProviderReady", "False", "X"),
    ];
    const INACTIVE: &[(&str, &str, &str)] = &[
        ("Ready", "False", "IdpInactive"),
        ("Stalled", "True", "IdpInactive"),
        ("IdentityProviderReady", "False", "X"),
    ];

    #[rstest]
    #[case::without_a_verdict(&[], IdpReady::False { stalled: false })]
    #[case::ready(GOOD, IdpReady::True)]
    #[case::ready_but_lost(LOST, IdpReady::True)]
    #[case::not_ready(WAITED, IdpReady::False { stalled: false })]
    #[case::not_ready_and_stalled(STALLED, IdpReady::False { stalled: true })]
    #[case::not_ready_for_another_cause(INACTIVE, IdpReady::False { stalled: false })]
    fn what_a_link_was_told_last_stands_while_ready_is_unknown(
        #[case] told: &[(&str, &str, &str)],
        #[case] stands: IdpReady,
        #[values(1, 2)] generation: i64,
    ) {
        let link = link(generation, false, told);
        assert_eq!(readiness(&link, Some(&idp(IdpReady::Unknown))), readiness(&link, Some(&idp(stands))));
        assert_eq!(presence(&link, &idp(IdpReady::Unknown)), presence(&link, &idp(stands)));
    }

    #[rstest]
    #[case::ready(IdpReady::True, Presence::Ready)]
    #[case::not_ready(IdpReady::False { stalled: true }, Presence::NotReady)]
    #[case::no_verdict(IdpReady::NoVerdict, Presence::Waits)]
    fn a_link_counts_by_what_is_seen_whatever_its_status_says(#[case] ready: IdpReady, #[case] expected: Presence) {
        for told in [&[], GOOD, LOST, WAITED] {
            assert_eq!(presence(&link(1, false, told), &idp(ready)), expected);
        }
    }

    #[rstest]
    #[case::good(GOOD, Presence::Recorded { is_unique: true })]
    #[case::lost(LOST, Presence::Recorded { is_unique: false })]
    #[case::not_ready(WAITED, Presence::NotReady)]
    fn a_link_that_keeps_its_verdict_counts_by_that(#[case] told: &[(&str, &str, &str)], #[case] expected: Presence) {
        let (ready, failed) = (idp(IdpReady::True), idp(IdpReady::False { stalled: true }));
        for idp in [&ready, &failed] {
            // Suspended itself, of whatever generation; or by its IdentityProvider, of the present one.
            assert_eq!(presence(&link(2, true, told), idp), expected);
            let idp = IdpView { is_suspended: true, ..idp.clone() };
            assert_eq!(presence(&link(1, false, told), &idp), expected);
            assert_eq!(readiness(&link(1, false, told), Some(&idp)), Readiness::Stays);
            assert_ne!(readiness(&link(2, false, told), Some(&idp)), Readiness::Stays);
        }
    }
}
