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
            IDENTITY_PROVIDER_READY, IdpName, idp_inactive, idp_not_found, idp_not_ready,
        },
    },
};

/// Judges a link. It waits for its `IdentityProvider`'s first verdict, and keeps its own while that is Unknown.
#[must_use]
pub fn decide(object: &UserIdpAuthenticator, seen: &Observed) -> Step<UserIdpAuthenticatorStatus> {
    let idp_name = match (&object.spec.idp_ref, &object.spec.idp_id) {
        (Some(idp), _) => IdpName::Ref(idp.name.clone()),
        (None, id) => IdpName::Id(id.clone().unwrap_or_default()),
    };
    let Some(idp) = &seen.idp else {
        return judged(object, seen, Err(idp_not_found(&idp_name)));
    };
    match idp.ready {
        IdpReady::NoVerdict => Step::Wait,
        _ if idp.is_inactive => judged(object, seen, Err(idp_inactive(&idp_name, &idp.name))),
        IdpReady::Unknown if has_verdict_of_this_generation(object) => Step::Wait,
        IdpReady::True => judged(object, seen, Ok(())),
        IdpReady::Unknown => judged(object, seen, Err(idp_not_ready(&idp_name, &idp.name, false))),
        IdpReady::False { stalled } => judged(object, seen, Err(idp_not_ready(&idp_name, &idp.name, stalled))),
    }
}

fn has_verdict_of_this_generation(object: &UserIdpAuthenticator) -> bool {
    object.status.as_ref().is_some_and(|status| {
        status.core.observed_generation == object.metadata.generation
            && status.core.condition(condition::READY).is_some_and(|ready| ready.status != "Unknown")
    })
}

fn judged(
    object: &UserIdpAuthenticator,
    seen: &Observed,
    idp: Result<(), Problem>,
) -> Step<UserIdpAuthenticatorStatus> {
    let old = object.status.as_ref().and_then(|status| status.details.as_ref());
    let details = match &idp {
        Ok(()) => Some(details::next(
            old,
            &config_digest(object, seen),
            &object.namespace().unwrap_or_default(),
            None,
            seen.now,
        )),
        // Nothing is in force: what was in force last stays told.
        Err(_) => old.cloned(),
    };
    let finding = match idp {
        Ok(()) => Finding::succeeded(IDENTITY_PROVIDER_READY, "the IdentityProvider is ready"),
        Err(problem) => Finding::failed(IDENTITY_PROVIDER_READY, problem),
    };
    Verdict {
        judgement: Judgement {
            findings: vec![finding],
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
