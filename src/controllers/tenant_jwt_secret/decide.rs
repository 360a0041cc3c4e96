//! What to do with a tenant's secret, and the verdict.
//!
//! A good value is never replaced but for another algorithm, or another good value in the referenced Secret.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use secrecy::SecretString;

use super::observe::{Observed, Source};
use crate::{
    api::{TenantJwtSecret, TenantJwtSecretStatus, labels, tenant_jwt_secret::SigningAlgorithm},
    cluster::events::Notice,
    controllers::pipeline::Verdict,
    desired,
    domain::{
        policy,
        reasons::TenantJwtSecretReason as Reason,
        secret_output::OutputFacts,
        verdict::{Finding, Judgement},
        verdicts::tenant_jwt_secret::{
            ALGORITHM_CONFIGURED, SECRET_CONFIGURED, TENANT_VALID, TenantProblem, last_error,
        },
    },
};

/// What to do, and what is wrong.
#[derive(Debug)]
pub struct Plan {
    /// What to do with the output.
    pub action: Action,
    /// What is wrong, if anything.
    pub problem: Option<TenantProblem>,
}

/// What to do with the output.
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    Keep,
    /// Restore what describes the value: labels, owner, `algorithm`, `key-id`, `issued-at`.
    Heal(SigningAlgorithm),
    /// Put a generated value there.
    Generate(SigningAlgorithm),
    /// Put the referenced value there.
    Publish(SigningAlgorithm, SecretString),
}

/// Decides.
#[must_use]
pub fn plan(object: &TenantJwtSecret, seen: &Observed) -> Plan {
    let name = desired::secret::name(&object.name_any());
    let keep = |problem| Plan { action: Action::Keep, problem: Some(problem) };
    if !seen.claimed {
        return keep(TenantProblem::TenantNotClaimed);
    }
    if let Some(rival) = &seen.rival {
        let is_near = object.namespace().as_ref() == Some(&rival.namespace);
        return keep(TenantProblem::TenantConflict { holder: is_near.then(|| rival.name.clone()) });
    }
    let Some(algorithm) = object.spec.signing_algorithm else {
        return keep(TenantProblem::SigningAlgorithmNotConfigured);
    };
    let uid = object.uid().unwrap_or_default();
    if seen.output.as_ref().is_some_and(|output| !output.is_ours(&object.spec.tenant_id, &uid)) {
        return keep(TenantProblem::SecretConflict { secret: name });
    }
    let action = match wanted(object, seen, algorithm) {
        Ok(action) => action,
        Err(problem) => return keep(problem),
    };
    match (&action, &seen.output) {
        (Action::Keep, _) => Plan { action, problem: None },
        (_, Some(output)) if output.immutable => keep(TenantProblem::SecretImmutable { secret: name }),
        _ => Plan { action, problem: None },
    }
}

fn wanted(object: &TenantJwtSecret, seen: &Observed, algorithm: SigningAlgorithm) -> Result<Action, TenantProblem> {
    let generated = |output: &OutputFacts| {
        let is_for_another = output.algorithm.is_some_and(|other| other != algorithm);
        !is_for_another && output.obeys(algorithm)
    };
    match (&seen.source, &seen.output) {
        (Source::Generated, Some(output)) if generated(output) => Ok(heal(object, seen, output, algorithm)),
        (Source::Generated, _) => Ok(Action::Generate(algorithm)),
        (Source::Missing, _) => Err(missing(object)),
        (Source::Unreadable(violation), _) => Err(invalid(object, vec![*violation])),
        (Source::Value { text, traits, is_published }, output) => {
            let broken = policy::violations(*traits, algorithm);
            match output {
                _ if !broken.is_empty() => Err(invalid(object, broken)),
                Some(output) if *is_published => Ok(heal(object, seen, output, algorithm)),
                _ => Ok(Action::Publish(algorithm, text.clone())),
            }
        }
    }
}

/// Nothing to do, or what describes a good value is to be restored.
fn heal(object: &TenantJwtSecret, seen: &Observed, output: &OutputFacts, algorithm: SigningAlgorithm) -> Action {
    let owner = desired::owner(object);
    let is_well = output.algorithm == Some(algorithm)
        && output.key_id.is_some()
        && output.sane_issued_at(seen.now).is_some()
        && output.is_managed
        && output.tenant_id.as_ref() == Some(&object.spec.tenant_id)
        && output.format.as_deref() == Some(labels::FORMAT_V1)
        && output.owners == desired::owned_by(&output.owners, &owner);
    if is_well { Action::Keep } else { Action::Heal(algorithm) }
}

fn missing(object: &TenantJwtSecret) -> TenantProblem {
    let (secret, key) = reference(object);
    TenantProblem::AuthenticationSecretNotConfigured { secret, key }
}

fn invalid(object: &TenantJwtSecret, broken: Vec<policy::Violation>) -> TenantProblem {
    let (secret, key) = reference(object);
    TenantProblem::InvalidRequest { secret, key, broken }
}

fn reference(object: &TenantJwtSecret) -> (String, String) {
    object.spec.secret_ref.as_ref().map(|reference| (reference.name.clone(), reference.key.clone())).unwrap_or_default()
}

/// The verdict, after the plan was carried out. `output` is what stands there now.
#[must_use]
pub fn verdict(
    object: &TenantJwtSecret,
    seen: &Observed,
    plan: &Plan,
    output: Option<&OutputFacts>,
) -> Verdict<TenantJwtSecretStatus> {
    let uid = object.uid().unwrap_or_default();
    let served = output.filter(|output| output.is_ours(&object.spec.tenant_id, &uid));
    let problem = plan.problem.as_ref().map(TenantProblem::problem);
    let status = TenantJwtSecretStatus {
        last_error: problem.as_ref().and_then(last_error),
        secret_name: served.map(|_| desired::secret::name(&object.name_any())),
        key_id: served.and_then(|output| output.key_id.clone()),
        algorithm: served.and_then(|output| output.algorithm).map(|algorithm| algorithm.as_str().to_owned()),
        issued_time: served.and_then(|output| output.issued_at).map(Time),
        ..TenantJwtSecretStatus::default()
    };
    let order = [
        (TENANT_VALID, "no older object holds the tenant"),
        (ALGORITHM_CONFIGURED, "signingAlgorithm is set"),
        (SECRET_CONFIGURED, "the Secret holds a value that obeys the rules"),
    ];
    let failing = plan.problem.as_ref().map(TenantProblem::condition).zip(problem);
    let findings = Finding::in_order(&order, failing);
    Verdict {
        judgement: Judgement {
            findings,
            ready_reason: Reason::Ready.into(),
            ready_message: format!("the secret is in Secret '{}'", desired::secret::name(&object.name_any())),
        },
        status,
        notices: notice(object, seen, &plan.action).into_iter().collect(),
        requeue: None,
    }
}

/// News of a value that was replaced or made again; none of a first one.
fn notice(object: &TenantJwtSecret, seen: &Observed, action: &Action) -> Option<Notice> {
    let had_one = object.status.as_ref().is_some_and(|status| status.key_id.is_some());
    let (Action::Generate(algorithm) | Action::Publish(algorithm, _)) = action else { return None };
    let (warning, reason, note) = match &seen.output {
        None if !had_one => return None,
        None => (true, "SecretGenerated", "the output Secret was lost: it is made again"),
        // A value that was good for what it was made for is replaced for a reason of the spec's or the source's.
        Some(output) if output.obeys(output.algorithm.unwrap_or(*algorithm)) => match action {
            Action::Publish(..) => (false, "SecretRotated", "the referenced value changed: it is published"),
            _ => (false, "SecretRotated", "signingAlgorithm changed: there is a new value"),
        },
        Some(_) => (true, "SecretRepaired", "the value broke the rules: it is replaced"),
    };
    Some(Notice { warning, reason: reason.to_owned(), note: note.to_owned() })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
    use rand::{SeedableRng as _, rngs::StdRng};
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::{
        api::{TenantJwtSecretSpec, refs::SecretKeyRef},
        desired::secret::{NewValue, Parts},
        domain::policy::Violation,
    };
    use SigningAlgorithm::{Hs256, Hs384, Hs512};

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn object(signing_algorithm: Option<SigningAlgorithm>) -> TenantJwtSecret {
        let spec =
            TenantJwtSecretSpec { tenant_id: "acme".into(), signing_algorithm, secret_ref: None, suspend: false };
        let mut object = TenantJwtSecret::new("acme", spec);
        object.metadata.uid = Some("u".into());
        object
    }

    fn value(algorithm: SigningAlgorithm) -> SecretString {
        policy::generate(algorithm, &mut StdRng::seed_from_u64(1)).unwrap()
    }

    /// The output as this operator writes it for the object.
    fn output(object: &TenantJwtSecret, algorithm: SigningAlgorithm) -> OutputFacts {
        let value = Some(NewValue { text: value(algorithm), key_id: "k".into() });
        let parts = Parts { value, algorithm, key_id: String::new(), now: now(), issued_at: None };
        OutputFacts::read(&desired::secret::desired(object, &parts, None))
    }

    fn seen(output: Option<OutputFacts>, source: Source) -> Observed {
        Observed { claimed: true, rival: None, output, source, now: now() }
    }

    fn referenced(algorithm: SigningAlgorithm, is_published: bool) -> Source {
        let text = value(algorithm);
        let traits = policy::inspect(text.expose_secret().as_bytes()).unwrap();
        Source::Value { text, traits, is_published }
    }

    /// The action, or else the problem's reason.
    fn told(object: &TenantJwtSecret, seen: &Observed) -> &'static str {
        let plan = plan(object, seen);
        match (&plan.action, &plan.problem) {
            (Action::Keep, Some(problem)) => problem.problem().reason,
            (Action::Keep, None) => "keep",
            (Action::Heal(_), None) => "heal",
            (Action::Generate(_), None) => "generate",
            (Action::Publish(..), None) => "publish",
            (action, Some(problem)) => panic!("{action:?} with {problem:?}"),
        }
    }

    #[test]
    fn a_value_is_generated_only_where_there_is_no_good_one_for_the_algorithm() {
        let object = object(Some(Hs384));
        let is = |output: Option<OutputFacts>| told(&object, &seen(output, Source::Generated));
        assert_eq!(is(None), "generate");
        assert_eq!(is(Some(output(&object, Hs384))), "keep");
        assert_eq!(is(Some(output(&object, Hs256))), "generate");
        // Long enough all the same, but made for another.
        assert_eq!(is(Some(output(&object, Hs512))), "generate");
        assert_eq!(is(Some(OutputFacts { value: None, ..output(&object, Hs384) })), "generate");
        assert_eq!(
            is(Some(OutputFacts { value: Some(Err(Violation::NotBase64)), ..output(&object, Hs384) })),
            "generate"
        );
    }

    #[test]
    fn what_describes_a_good_value_is_healed_around_it() {
        let object = object(Some(Hs384));
        let good = output(&object, Hs384);
        let is = |output: OutputFacts| told(&object, &seen(Some(output), Source::Generated));
        assert_eq!(is(OutputFacts { algorithm: None, ..good.clone() }), "heal");
        assert_eq!(is(OutputFacts { key_id: None, ..good.clone() }), "heal");
        assert_eq!(is(OutputFacts { issued_at: None, ..good.clone() }), "heal");
        assert_eq!(is(OutputFacts { owners: vec![], ..good.clone() }), "heal");
        assert_eq!(is(OutputFacts { is_managed: false, ..good.clone() }), "heal");
        let future = |minutes: i64| Some(now() + jiff::SignedDuration::from_mins(minutes));
        assert_eq!(is(OutputFacts { issued_at: future(5), ..good.clone() }), "keep");
        assert_eq!(is(OutputFacts { issued_at: future(6), ..good.clone() }), "heal");
        // An owner of ours that is gone by now leaves its reference.
        let stale = OwnerReference { uid: "gone".into(), ..good.owners[0].clone() };
        assert_eq!(is(OutputFacts { owners: vec![stale.clone(), good.owners[0].clone()], ..good.clone() }), "heal");
        let others = OwnerReference { kind: "Other".into(), ..stale };
        assert_eq!(is(OutputFacts { owners: vec![others, good.owners[0].clone()], ..good }), "keep");
    }

    #[test]
    fn what_is_not_ours_or_not_known_or_immutable_is_left_alone() {
        let object = object(Some(Hs384));
        let good = output(&object, Hs384);
        let is = |output: OutputFacts| told(&object, &seen(Some(output), Source::Generated));
        let of_another = OutputFacts { tenant_id: Some("other".into()), ..good.clone() };
        // Owned by this object, whatever the annotation says.
        assert_eq!(is(of_another.clone()), "heal");
        assert_eq!(is(OutputFacts { owners: vec![], ..of_another }), "SecretConflict");
        assert_eq!(is(OutputFacts { format: Some("2".into()), ..good.clone() }), "SecretConflict");
        assert_eq!(is(OutputFacts { opaque: false, ..good.clone() }), "SecretConflict");
        assert_eq!(is(OutputFacts { immutable: true, ..good.clone() }), "keep");
        assert_eq!(is(OutputFacts { immutable: true, algorithm: None, ..good }), "SecretImmutable");
    }

    #[test]
    fn who_does_not_hold_the_tenant_makes_no_value_and_learns_of_its_rival_only_nearby() {
        let mut object = object(Some(Hs384));
        object.metadata.namespace = Some("here".into());
        let message = |namespace: &str| {
            let rival = Some(crate::cluster::key::ObjectKey::new(namespace, "older"));
            let plan = plan(&object, &Observed { rival, ..seen(None, Source::Generated) });
            plan.problem.map(|problem| problem.problem().message)
        };
        assert!(message("here").is_some_and(|message| message.contains("'older'")));
        assert!(
            message("there")
                .is_some_and(|message| !message.contains("older'") && message.contains("another namespace"))
        );
        let rival = Some(crate::cluster::key::ObjectKey::new("here", "older"));
        assert_eq!(told(&object, &Observed { rival, ..seen(None, Source::Generated) }), "TenantConflict");
    }

    #[test]
    fn a_tenant_that_the_namespace_may_not_hold_is_told_of_before_all_else_and_what_is_there_is_kept() {
        let object = object(None);
        let rival = Some(crate::cluster::key::ObjectKey::new("here", "older"));
        let broken = OutputFacts { value: None, ..output(&object, Hs384) };
        let seen = Observed { claimed: false, rival, ..seen(Some(broken.clone()), Source::Missing) };
        let plan = plan(&object, &seen);
        assert!(matches!(plan.action, Action::Keep));
        assert_eq!(plan.problem, Some(TenantProblem::TenantNotClaimed));
        assert_eq!(verdict(&object, &seen, &plan, Some(&broken)).status.secret_name.as_deref(), Some("acme-jwt"));
    }

    #[test]
    fn without_an_algorithm_nothing_is_done() {
        let object = object(None);
        assert_eq!(told(&object, &seen(None, Source::Generated)), "SigningAlgorithmNotConfigured");
        let output = output(&object, Hs384);
        assert_eq!(told(&object, &seen(Some(output), Source::Generated)), "SigningAlgorithmNotConfigured");
    }

    #[test]
    fn a_referenced_value_is_published_if_good_and_nothing_is_ever_generated_for_it() {
        let mut object = object(Some(Hs384));
        object.spec.secret_ref = Some(SecretKeyRef { name: "source".into(), key: "secret".into() });
        let is = |output: Option<OutputFacts>, source| told(&object, &seen(output, source));
        let good = || Some(output(&object, Hs384));
        assert_eq!(is(None, referenced(Hs384, false)), "publish");
        assert_eq!(is(good(), referenced(Hs384, false)), "publish");
        assert_eq!(is(good(), referenced(Hs384, true)), "keep");
        // Only what describes it changes with the algorithm, if the value is good enough for both.
        assert_eq!(is(Some(output(&object, Hs512)), referenced(Hs512, true)), "heal");
        assert_eq!(is(None, referenced(Hs256, false)), "InvalidRequest");
        assert_eq!(is(good(), Source::Missing), "AuthenticationSecretNotConfigured");
        assert_eq!(is(good(), Source::Unreadable(Violation::TrailingNewline)), "InvalidRequest");
        assert_eq!(
            is(Some(OutputFacts { value: None, ..good().unwrap() }), Source::Missing),
            "AuthenticationSecretNotConfigured"
        );
    }
}
