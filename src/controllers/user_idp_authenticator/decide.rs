//! The verdict on a link.

use kube::ResourceExt as _;

use super::observe::{IdpReady, Observed};
use crate::{
    api::{UserIdpAuthenticator, UserIdpAuthenticatorStatus, status::condition},
    controllers::pipeline::{Step, Verdict},
    domain::{
        details,
        digest::sha256_hex,
        reasons::UserIdpAuthenticatorReason as Reason,
        verdict::{Finding, Judgement, Problem},
        verdicts::user_idp_authenticator::{
            IDENTITY_PROVIDER_READY, IdpName, LINKING_ALLOWED, idp_inactive, idp_not_found, idp_not_ready,
            linking_not_allowed,
        },
    },
};

/// Judges a link. It waits for its `IdentityProvider`'s first verdict, and keeps its own while that is Unknown or suspended.
#[must_use]
pub fn decide(object: &UserIdpAuthenticator, seen: &Observed) -> Step<UserIdpAuthenticatorStatus> {
    let idp_name = match (&object.spec.idp_ref, &object.spec.idp_id) {
        (Some(idp), _) => IdpName::Ref(idp.name.clone()),
        (None, id) => IdpName::Id(id.clone().unwrap_or_default()),
    };
    let Some(idp) = &seen.idp else {
        return judged(object, seen, Some((IDENTITY_PROVIDER_READY, idp_not_found(&idp_name))));
    };
    let not_ready = |problem| judged(object, seen, Some((IDENTITY_PROVIDER_READY, problem)));
    match idp.ready {
        IdpReady::NoVerdict => Step::Wait,
        _ if idp.is_suspended && has_verdict_of_this_generation(object) => Step::Wait,
        _ if idp.is_inactive => not_ready(idp_inactive(&idp_name, &idp.name)),
        IdpReady::Unknown if has_verdict_of_this_generation(object) && (idp.allows_linking || !was_ready(object)) => {
            Step::Wait
        }
        IdpReady::True | IdpReady::Unknown if !idp.allows_linking => {
            judged(object, seen, Some((LINKING_ALLOWED, linking_not_allowed(&idp_name, &idp.name))))
        }
        IdpReady::True => judged(object, seen, None),
        IdpReady::Unknown => not_ready(idp_not_ready(&idp_name, &idp.name, false)),
        IdpReady::False { stalled } => not_ready(idp_not_ready(&idp_name, &idp.name, stalled)),
    }
}

fn has_verdict_of_this_generation(object: &UserIdpAuthenticator) -> bool {
    object.status.as_ref().is_some_and(|status| {
        status.core.observed_generation == object.metadata.generation
            && status.core.condition(condition::READY).is_some_and(|ready| ready.status != "Unknown")
    })
}

/// Whether the link's last verdict was that its `IdentityProvider` is ready.
fn was_ready(object: &UserIdpAuthenticator) -> bool {
    let core = object.status.as_ref().map(|status| &status.core);
    core.and_then(|core| core.condition(IDENTITY_PROVIDER_READY)).is_some_and(|ready| ready.status == "True")
}

fn judged(
    object: &UserIdpAuthenticator,
    seen: &Observed,
    failing: Option<(&'static str, Problem)>,
) -> Step<UserIdpAuthenticatorStatus> {
    let old = object.status.as_ref().and_then(|status| status.details.as_ref());
    let details = match &failing {
        None => Some(details::next(
            old,
            &config_digest(object, seen),
            &object.namespace().unwrap_or_default(),
            None,
            seen.now,
        )),
        // Nothing is in force: what was in force last stays told.
        Some(_) => old.cloned(),
    };
    let order = [
        (IDENTITY_PROVIDER_READY, "the IdentityProvider is ready"),
        (LINKING_ALLOWED, "the IdentityProvider allows links to it"),
    ];
    Verdict {
        judgement: Judgement {
            findings: Finding::in_order(&order, failing),
            ready_reason: Reason::IdentitySet.into(),
            ready_message: "the user can authenticate with the IdentityProvider".to_owned(),
        },
        status: UserIdpAuthenticatorStatus { details, ..UserIdpAuthenticatorStatus::default() },
        notices: Vec::new(),
        requeue: None,
    }
    .into()
}

/// The effective configuration: the ids, the name, and which `IdentityProvider` it came to.
fn config_digest(object: &UserIdpAuthenticator, seen: &Observed) -> String {
    let spec = &object.spec;
    let idp = seen.idp.as_ref().map(|idp| idp.uid.as_str()).unwrap_or_default();
    sha256_hex(&[&spec.user_id, idp, &spec.idp_user_id, &spec.idp_user_name].map(str::as_bytes))
}
