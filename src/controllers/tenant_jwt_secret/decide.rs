//! What to do with a tenant's secret, and what is wrong. Which value is replaced when is [`rotation`]'s.

use jiff::SignedDuration;
use kube::ResourceExt as _;

use super::observe::{Observed, Source};
use crate::{
    api::{
        TenantJwtSecret, labels,
        tenant_jwt_secret::{Rotation, SigningAlgorithm},
    },
    desired,
    domain::{
        digest::sha256_hex,
        policy::{self, Violation},
        rotation::{self, Change, Mode, Terms},
        secret_output::OutputFacts,
        verdicts::tenant_jwt_secret::{Conflict, SECRET_CONFIGURED, TenantProblem},
    },
};

/// What to do, and what is wrong.
#[derive(Debug)]
pub struct Plan {
    /// What becomes of the values.
    pub change: Change,
    /// Whether the output is written: for its values, or for what describes it.
    pub is_written: bool,
    /// Whether what describes the output is this object's to say.
    pub describes: bool,
    /// Where values come from.
    pub mode: Mode,
    /// What the spec asks for.
    pub terms: Terms,
    /// What is wrong, if anything.
    pub problem: Option<TenantProblem>,
}

/// Decides.
#[must_use]
pub fn plan(object: &TenantJwtSecret, seen: &Observed) -> Plan {
    let terms = terms(object);
    let (mode, problem) = mode(object, seen);
    let mut plan = Plan { change: Change::NONE, is_written: false, describes: true, mode, terms, problem };
    if let Some(conflict) = seen.output.as_ref().and_then(|output| conflict(object, seen, output)) {
        // Who does not hold the tenant has nothing to say about the Secret either.
        if plan.problem.as_ref().is_none_or(|problem| problem.condition() == SECRET_CONFIGURED) {
            plan.problem = Some(TenantProblem::SecretConflict { secret: desired::secret::name(object), conflict });
        }
        return plan;
    }
    if seen.output.as_ref().is_some_and(|output| is_another_s(object, seen, output)) {
        return plan;
    }
    let change = rotation::change(seen.output.as_ref(), &plan.terms, mode, seen.now);
    let Some(output) = &seen.output else {
        return Plan { is_written: !change.is_none(), change, ..plan };
    };
    // A Secret without an owner is not made to go with an object that does not even hold the tenant.
    let describes = seen.holds_tenant() || output.is_owned_by(&object.uid().unwrap_or_default());
    let is_changed = !change.is_none() || describes && !desired::secret::has_its_forms(object, output);
    let is_described = !describes || desired::secret::is_described(object, output);
    if is_changed && output.immutable {
        let immutable = TenantProblem::SecretImmutable { secret: desired::secret::name(object) };
        return Plan { is_written: !is_described, describes, problem: plan.problem.or(Some(immutable)), ..plan };
    }
    Plan { is_written: is_changed || !is_described, describes, change, ..plan }
}

fn mode(object: &TenantJwtSecret, seen: &Observed) -> (Mode, Option<TenantProblem>) {
    let held = if object.spec.secret_ref.is_some() { Mode::ReferencedBad } else { Mode::Held };
    if !seen.claimed {
        return (held, Some(TenantProblem::TenantNotClaimed));
    }
    if let Some(rival) = &seen.rival {
        let is_near = object.metadata.namespace.as_deref() == Some(&rival.key.namespace);
        let holder = is_near.then(|| rival.key.name.to_string());
        return (held, Some(TenantProblem::TenantConflict { holder }));
    }
    let Some(algorithm) = object.spec.signing_algorithm else {
        return (held, Some(TenantProblem::SigningAlgorithmNotConfigured));
    };
    match &seen.source {
        Source::Generated => (Mode::Generated(algorithm), None),
        Source::Missing => (Mode::ReferencedBad, Some(missing(object))),
        Source::Unreadable(violation) => (Mode::ReferencedBad, Some(invalid(object, vec![*violation]))),
        Source::Value { value, is_published } => {
            let broken = policy::violations(value.traits, algorithm);
            if broken.is_empty() {
                (Mode::Referenced(algorithm, *is_published), None)
            } else {
                (Mode::ReferencedBad, Some(invalid(object, broken)))
            }
        }
    }
}

/// Why the Secret of the output's name may not be written, if so.
fn conflict(object: &TenantJwtSecret, seen: &Observed, output: &OutputFacts) -> Option<Conflict> {
    if output.is_ours(&object.spec.tenant_id, &object.uid().unwrap_or_default()) {
        return None;
    }
    let obeys = |algorithm: SigningAlgorithm| output.current.obeys(algorithm);
    let is_another_tenant_s = output.tenant_id.as_ref().is_some_and(|tenant| *tenant != object.spec.tenant_id);
    let may_adopt = object.spec.adopt && seen.holds_tenant();
    let obstacles = [
        (!output.is_known_format(), Conflict::UnknownFormat),
        (!output.opaque, Conflict::NotOpaque),
        (is_another_tenant_s || seen.has_other_owner, Conflict::OfAnotherTenant),
        (output.owners.iter().any(|owner| owner.controller == Some(true)), Conflict::Controlled),
        (!object.spec.signing_algorithm.is_some_and(obeys), Conflict::BreaksTheRules),
        (!may_adopt, Conflict::Foreign),
    ];
    obstacles.into_iter().find_map(|(is_so, conflict)| is_so.then_some(conflict))
}

/// Whether a Secret of this tenant is the output of another object, which holds the tenant or held it.
#[must_use]
pub(super) fn is_another_s(object: &TenantJwtSecret, seen: &Observed, output: &OutputFacts) -> bool {
    if seen.holds_tenant() || output.is_owned_by(&object.uid().unwrap_or_default()) {
        return false;
    }
    let is_the_holder_s = seen.rival.as_ref().is_some_and(|rival| rival.has_output);
    is_the_holder_s || seen.has_other_owner
}

fn terms(object: &TenantJwtSecret) -> Terms {
    let Rotation { interval, grace_period, lead_time } = &object.spec.rotation;
    let digest = |token: &String| sha256_hex(&[token.as_bytes()]);
    let tenant = sha256_hex(&[object.spec.tenant_id.to_ascii_lowercase().as_bytes()]);
    Terms {
        interval: interval.map(signed),
        grace_period: signed(*grace_period),
        lead_time: signed(*lead_time),
        spread: tenant.get(..8).and_then(|start| u64::from_str_radix(start, 16).ok()).unwrap_or_default(),
        token: object.annotations().get(labels::ROTATE).filter(|token| !token.is_empty()).map(digest),
        honoured: object.status.as_ref().and_then(|status| status.rotate_token.clone()),
        algorithm: object.status.as_ref().and_then(|status| SigningAlgorithm::parse(status.algorithm.as_deref()?)),
    }
}

/// The schema's bounds are far below what could overflow.
fn signed(duration: kube::core::Duration) -> SignedDuration {
    SignedDuration::try_from(std::time::Duration::from(duration)).unwrap_or(SignedDuration::MAX)
}

fn missing(object: &TenantJwtSecret) -> TenantProblem {
    let (secret, key) = reference(object);
    TenantProblem::AuthenticationSecretNotConfigured { secret, key }
}

fn invalid(object: &TenantJwtSecret, broken: Vec<Violation>) -> TenantProblem {
    let (secret, key) = reference(object);
    TenantProblem::InvalidRequest { secret, key, broken }
}

fn reference(object: &TenantJwtSecret) -> (String, String) {
    object.spec.secret_ref.as_ref().map(|reference| (reference.name.clone(), reference.key.clone())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
    use rand::{SeedableRng as _, rngs::StdRng};
    use secrecy::ExposeSecret as _;

    use super::{super::observe::Rival, *};
    use crate::{
        api::{TenantJwtSecretSpec, refs::SecretKeyRef},
        desired::secret_values::{NewValue, Parts},
        domain::{
            policy::Violation,
            rotation::{Current, Why},
            secret_output::Slot,
        },
    };
    use SigningAlgorithm::{Hs256, Hs384, Hs512};

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn object(signing_algorithm: Option<SigningAlgorithm>) -> TenantJwtSecret {
        let spec =
            TenantJwtSecretSpec { tenant_id: "acme".into(), signing_algorithm, ..TenantJwtSecretSpec::default() };
        let mut object = TenantJwtSecret::new("acme", spec);
        object.metadata.uid = Some("u".into());
        object
    }

    fn value(algorithm: SigningAlgorithm) -> secrecy::SecretString {
        policy::generate(algorithm, &mut StdRng::seed_from_u64(1)).unwrap()
    }

    /// The output as this operator writes it for the object.
    fn output(object: &TenantJwtSecret, algorithm: SigningAlgorithm) -> OutputFacts {
        let value = Some(NewValue { text: value(algorithm), key_id: "k".into() });
        let change = Change { current: Current::New(algorithm, Why::Missing), ..Change::NONE };
        let parts = Parts { change: &change, value, key_id: String::new(), describes: true, now: now() };
        OutputFacts::read(&desired::secret::desired(object, &parts, None))
    }

    fn rival(namespace: &str) -> Rival {
        Rival { key: crate::cluster::key::ObjectKey::new(namespace, "older"), has_output: false }
    }

    fn seen(output: Option<OutputFacts>, source: Source) -> Observed {
        Observed { claimed: true, rival: None, output, has_other_owner: false, source, now: now() }
    }

    fn referenced(algorithm: SigningAlgorithm, is_published: bool) -> Source {
        let value = policy::parse(value(algorithm).expose_secret().as_bytes()).unwrap();
        Source::Value { value, is_published }
    }

    /// What is done, or else the problem's reason.
    fn told(object: &TenantJwtSecret, seen: &Observed) -> &'static str {
        let plan = plan(object, seen);
        match (plan.change.current, &plan.problem, plan.is_written) {
            (Current::Keep, Some(problem), false) => problem.problem().reason,
            (Current::Keep, None, false) => "keep",
            (Current::Keep | Current::Describe(_), None, true) => "heal",
            (Current::New(..), None, true) if matches!(seen.source, Source::Value { .. }) => "publish",
            (Current::New(..), None, true) => "generate",
            _ => panic!("{plan:?}"),
        }
    }

    fn with(output: OutputFacts, change: impl FnOnce(&mut Slot)) -> OutputFacts {
        let mut output = output;
        change(&mut output.current);
        output
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
        assert_eq!(is(Some(with(output(&object, Hs384), |current| current.value = None))), "generate");
        assert_eq!(
            is(Some(with(output(&object, Hs384), |current| current.value = Some(Err(Violation::NotBase64))))),
            "generate"
        );
    }

    #[test]
    fn what_describes_a_good_value_is_healed_around_it() {
        let object = object(Some(Hs384));
        let good = output(&object, Hs384);
        let is = |output: OutputFacts| told(&object, &seen(Some(output), Source::Generated));
        assert_eq!(is(with(good.clone(), |current| current.algorithm = None)), "heal");
        assert_eq!(is(with(good.clone(), |current| current.key_id = None)), "heal");
        assert_eq!(is(with(good.clone(), |current| current.time = None)), "heal");
        assert_eq!(is(OutputFacts { owners: vec![], ..good.clone() }), "heal");
        assert_eq!(is(OutputFacts { is_managed: false, ..good.clone() }), "heal");
        let future = |minutes: i64| Some(now() + jiff::SignedDuration::from_mins(minutes));
        assert_eq!(is(with(good.clone(), |current| current.time = future(5))), "keep");
        assert_eq!(is(with(good.clone(), |current| current.time = future(6))), "heal");
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
        assert_eq!(
            is(with(OutputFacts { immutable: true, ..good }, |current| current.algorithm = None)),
            "SecretImmutable"
        );
    }

    #[test]
    fn who_does_not_hold_the_tenant_makes_no_value_and_learns_of_its_rival_only_nearby() {
        let mut object = object(Some(Hs384));
        object.metadata.namespace = Some("here".into());
        let message = |namespace: &str| {
            let rival = Some(rival(namespace));
            let plan = plan(&object, &Observed { rival, ..seen(None, Source::Generated) });
            plan.problem.map(|problem| problem.problem().message)
        };
        assert!(message("here").is_some_and(|message| message.contains("'older'")));
        assert!(
            message("there")
                .is_some_and(|message| !message.contains("older'") && message.contains("another namespace"))
        );
        let rival = Some(rival("here"));
        assert_eq!(told(&object, &Observed { rival, ..seen(None, Source::Generated) }), "TenantConflict");
    }

    #[test]
    fn a_tenant_that_the_namespace_may_not_hold_is_told_of_before_all_else_and_what_is_there_is_kept() {
        let object = object(None);
        let rival = Some(rival("there"));
        let broken = with(output(&object, Hs384), |current| current.value = None);
        let seen = Observed { claimed: false, rival, ..seen(Some(broken.clone()), Source::Missing) };
        let plan = plan(&object, &seen);
        assert!(!plan.is_written);
        assert_eq!(plan.problem, Some(TenantProblem::TenantNotClaimed));
        let verdict = super::super::verdict::verdict;
        assert_eq!(verdict(&object, &seen, &plan, Some(&broken)).status.secret_name.as_deref(), Some("acme-jwt"));
    }

    #[test]
    fn an_output_without_an_owner_does_not_become_that_of_an_object_without_the_tenant() {
        let object = object(Some(Hs384));
        let retained = OutputFacts { owners: vec![], ..output(&object, Hs384) };
        let is = |seen: Observed| plan(&object, &seen).is_written;
        let unclaimed = || Observed { claimed: false, ..seen(Some(retained.clone()), Source::Generated) };
        let losing = || Observed { rival: Some(rival("there")), ..seen(Some(retained.clone()), Source::Generated) };
        assert!(is(seen(Some(retained.clone()), Source::Generated)));
        assert!(!is(unclaimed()) && !is(losing()));
        // What goes with it anyway is looked after.
        let output = OutputFacts { is_managed: false, ..output(&object, Hs384) };
        assert!(is(Observed { output: Some(output), ..losing() }));
    }

    #[test]
    fn what_may_be_adopted_and_what_not() {
        let mut object = object(Some(Hs384));
        object.spec.adopt = true;
        let found =
            OutputFacts { is_managed: false, tenant_id: None, format: None, owners: vec![], ..output(&object, Hs384) };
        let is = |output: OutputFacts| told(&object, &seen(Some(output), Source::Generated));
        let stale = desired::owner(&TenantJwtSecret::new("gone", TenantJwtSecretSpec::default()));
        assert_eq!(is(found.clone()), "heal");
        assert_eq!(is(OutputFacts { owners: vec![stale.clone()], ..found.clone() }), "heal");
        assert_eq!(is(OutputFacts { tenant_id: Some("acme".into()), ..found.clone() }), "heal");
        let controller = OwnerReference { kind: "Other".into(), controller: Some(true), ..stale };
        for refused in [
            OutputFacts { opaque: false, ..found.clone() },
            OutputFacts { tenant_id: Some("other".into()), ..found.clone() },
            OutputFacts { format: Some("2".into()), ..found.clone() },
            OutputFacts { owners: vec![controller], ..found.clone() },
            with(found.clone(), |current| current.value = None),
            OutputFacts { current: output(&object, Hs256).current, ..found.clone() },
        ] {
            assert_eq!(is(refused), "SecretConflict");
        }
        let others = Observed { has_other_owner: true, ..seen(Some(found), Source::Generated) };
        assert_eq!(told(&object, &others), "SecretConflict");
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
            is(Some(with(good().unwrap(), |current| current.value = None)), Source::Missing),
            "AuthenticationSecretNotConfigured"
        );
    }
}
