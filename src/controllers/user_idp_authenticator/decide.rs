//! The verdict on a link.

use kube::ResourceExt as _;

use super::{
    observe::{Observed, Requirement},
    readiness::{Readiness, idp_name, readiness},
};
use crate::{
    api::{UserIdpAuthenticator, UserIdpAuthenticatorStatus, status::Details},
    controllers::pipeline::{Step, Verdict},
    domain::{
        details,
        digest::sha256_hex,
        reasons::UserIdpAuthenticatorReason as Reason,
        verdict::{Finding, Judgement, Problem},
        verdicts::user_idp_authenticator::{
            IDENTITY_PROVIDER_READY, LINK_UNIQUE, LINKED_IDENTITY, LINKING_ALLOWED, Missing, linking_not_allowed,
            missing_linked_identity, not_unique,
        },
    },
};

/// Judges a link. It waits for the first verdicts of the `IdentityProvider`s that it depends on, and keeps its own while
/// its `IdentityProvider` is suspended.
#[must_use]
pub fn decide(object: &UserIdpAuthenticator, seen: &Observed) -> Step<UserIdpAuthenticatorStatus> {
    let not_ready = match readiness(object, seen.idp.as_ref()) {
        Readiness::Waits | Readiness::Stays => return Step::Rest,
        Readiness::Ready => None,
        Readiness::NotReady(problem) => Some(problem),
    };
    let is_ready = not_ready.is_none();
    let forbids = seen.idp.as_ref().filter(|idp| is_ready && !idp.allows_linking);
    let not_allowed = forbids.map(|idp| linking_not_allowed(&idp_name(object), &idp.name));
    let not_unique = seen.idp.as_ref().and_then(|_| not_unique(seen.lost));
    let is_good = is_ready && not_allowed.is_none() && not_unique.is_none();
    if is_good && seen.required.contains(&Requirement::Waits) {
        return Step::Rest;
    }
    let missing = if is_good { missing_linked_identity(&missing(object, seen)) } else { None };
    let is_in_force = is_good && missing.is_none();
    let linked = if object.spec.requires.is_empty() {
        "no further identity is required"
    } else {
        "the user has every identity in requires"
    };
    let findings = vec![
        finding(IDENTITY_PROVIDER_READY, true, not_ready, "the IdentityProvider is ready"),
        finding(LINKING_ALLOWED, is_ready, not_allowed, "the IdentityProvider allows links to it"),
        finding(LINK_UNIQUE, seen.idp.is_some(), not_unique, "no older link has the user or the idpUserId"),
        finding(LINKED_IDENTITY, is_good, missing, linked),
    ];
    Verdict {
        judgement: Judgement {
            findings,
            ready_reason: Reason::IdentitySet.into(),
            ready_message: "the user can authenticate with the IdentityProvider".to_owned(),
        },
        status: UserIdpAuthenticatorStatus {
            details: details(object, seen, is_in_force),
            ..UserIdpAuthenticatorStatus::default()
        },
        notices: Vec::new(),
        requeue: None,
    }
    .into()
}

fn finding(condition: &'static str, is_evaluated: bool, problem: Option<Problem>, good: &str) -> Finding {
    match problem {
        Some(problem) => Finding::failed(condition, problem),
        None if is_evaluated => Finding::succeeded(condition, good),
        None => Finding::not_evaluated(condition),
    }
}

fn missing(object: &UserIdpAuthenticator, seen: &Observed) -> Vec<Missing> {
    let names = object.spec.requires.iter().zip(&seen.required).enumerate();
    let missing = names.filter_map(|(position, (required, found))| match found {
        Requirement::Missing(lack) => Some(Missing { position, idp: required.name.clone(), lack: *lack }),
        Requirement::Met | Requirement::Waits => None,
    });
    missing.collect()
}

/// Where nothing is in force, what was in force last stays told.
fn details(object: &UserIdpAuthenticator, seen: &Observed, is_in_force: bool) -> Option<Details> {
    let old = object.status.as_ref().and_then(|status| status.details.as_ref());
    if !is_in_force {
        return old.cloned();
    }
    let owner = object.namespace().unwrap_or_default();
    Some(details::next(old, &config_digest(object, seen), &owner, None, seen.now))
}

/// The effective configuration: the ids, the name, and which `IdentityProvider` it came to.
fn config_digest(object: &UserIdpAuthenticator, seen: &Observed) -> String {
    let spec = &object.spec;
    let idp = seen.idp.as_ref().map(|idp| idp.uid.as_str()).unwrap_or_default();
    sha256_hex(&[&spec.user_id, idp, &spec.idp_user_id, &spec.idp_user_name].map(str::as_bytes))
}
