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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::{
        controllers::user_idp_authenticator::idp_view::{IdpReady, IdpView},
        domain::{
            verdict::Outcome,
            verdicts::user_idp_authenticator::{Lack, Lost},
        },
    };

    fn link() -> UserIdpAuthenticator {
        serde_json::from_value(json!({
            "apiVersion": "idp-operator.dev/v1alpha1", "kind": "UserIdpAuthenticator",
            "metadata": { "name": "mini", "namespace": "ns", "generation": 1 },
            "spec": {
                "userId": "1", "idpRef": { "name": "login" }, "idpUserId": "2", "idpUserName": "3",
                "requires": [{ "name": "a" }, { "name": "b" }],
            },
        }))
        .unwrap()
    }

    /// All is well.
    fn seen() -> Observed {
        let idp = IdpView {
            name: "login".into(),
            uid: "u".into(),
            ready: IdpReady::True,
            is_inactive: false,
            allows_linking: true,
            is_suspended: false,
        };
        let required = vec![Requirement::Met, Requirement::Met];
        Observed { idp: Some(idp), lost: Lost::default(), required, now: Timestamp::UNIX_EPOCH }
    }

    /// Each condition: good, not evaluated (-), or its reason; and whether `details` are told. Nothing if it waits.
    fn told(seen: &Observed) -> String {
        let Step::Judged(verdict) = decide(&link(), seen) else { return "waits".to_owned() };
        let outcomes = verdict.judgement.findings.iter().map(|finding| match &finding.outcome {
            Outcome::Succeeded(_) | Outcome::Noted { .. } => "good",
            Outcome::NotEvaluated => "-",
            Outcome::Failed(problem) => problem.reason,
        });
        let details = if verdict.status.details.is_some() { "in force" } else { "not" };
        outcomes.chain([details]).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_condition_is_judged_as_far_as_those_before_it_allow() {
        const BOTH: Lost = Lost { external_id: true, user: true };
        const STALLED: IdpReady = IdpReady::False { stalled: true };
        let good = seen;
        let no_idp = || Observed { idp: None, ..seen() };
        let forbidden = || {
            let mut seen = seen();
            seen.idp.as_mut().unwrap().allows_linking = false;
            seen
        };
        let ready = |ready, mut seen: Observed| {
            seen.idp.as_mut().unwrap().ready = ready;
            seen
        };
        let lost = |lost, seen: Observed| Observed { lost, ..seen };
        let required = |first, second, seen: Observed| Observed { required: vec![first, second], ..seen };
        let (met, waits, missing) = (Requirement::Met, Requirement::Waits, Requirement::Missing(Lack::Link));
        let user = Lost { user: true, ..Lost::default() };
        for (seen, expected) in [
            (good(), "good good good good in force"),
            (no_idp(), "IdpNotFound - - - not"),
            (lost(BOTH, no_idp()), "IdpNotFound - - - not"),
            (ready(IdpReady::NoVerdict, good()), "waits"),
            (ready(IdpReady::NoVerdict, lost(BOTH, good())), "waits"),
            (ready(STALLED, good()), "IdpNotReady - good - not"),
            (ready(STALLED, forbidden()), "IdpNotReady - good - not"),
            (ready(STALLED, lost(user, good())), "IdpNotReady - UserAlreadyLinked - not"),
            (forbidden(), "good LinkingNotAllowed good - not"),
            (lost(BOTH, forbidden()), "good LinkingNotAllowed AlreadyLinked - not"),
            (lost(user, good()), "good good UserAlreadyLinked - not"),
            (required(met, waits, good()), "waits"),
            (required(missing, waits, good()), "waits"),
            (required(met, waits, lost(user, good())), "good good UserAlreadyLinked - not"),
            (required(met, waits, ready(STALLED, good())), "IdpNotReady - good - not"),
            (required(missing, met, good()), "good good good MissingLinkedIdentity not"),
        ] {
            assert_eq!(told(&seen), expected, "{seen:?}");
        }
    }
}
