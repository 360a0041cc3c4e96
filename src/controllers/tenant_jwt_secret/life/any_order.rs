//! Whatever happens in whatever order.
#![cfg(test)]

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Algorithm(Option<SigningAlgorithm>),
    Rotation(usize),
    Token(u8),
    Refer(Option<u8>),
    Break(&'static str),
    Strip(&'static str),
    Delete,
    LoseStatus,
    Rival(bool),
    Retain(bool),
    Adopt(bool),
    Forms(bool, bool),
    Foreign,
    Fail,
}

const ROTATIONS: [(Option<&str>, &str, &str); 6] = [
    (None, "24h", "0s"),
    (None, "0s", "0s"),
    (None, "8760h", "24h"),
    (Some("100h"), "24h", "2h"),
    (Some("1h"), "0s", "0s"),
    (Some("1h"), "30m", "1500ms"),
];

const KEYS: [&str; 13] = [
    "secret",
    "algorithm",
    "key-id",
    "issued-at",
    "previous-secret",
    "previous-algorithm",
    "previous-key-id",
    "previous-expires-at",
    "next-secret",
    "next-algorithm",
    "next-key-id",
    "next-active-at",
    "rotate-tokens",
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop_oneof![0i64..10, 0i64..10_000, 0i64..1_000_000].prop_map(Step::Pass),
        1 => prop_oneof![Just(None), Just(Some(Hs256)), Just(Some(Hs384)), Just(Some(Hs512))].prop_map(Step::Algorithm),
        2 => (0..ROTATIONS.len()).prop_map(Step::Rotation),
        3 => (0u8..6).prop_map(Step::Token),
        1 => proptest::option::of(0u8..4).prop_map(Step::Refer),
        1 => proptest::sample::select(&KEYS[..]).prop_map(Step::Break),
        1 => proptest::sample::select(&KEYS[..]).prop_map(Step::Strip),
        1 => Just(Step::Delete),
        1 => Just(Step::LoseStatus),
        1 => any::<bool>().prop_map(Step::Rival),
        1 => any::<bool>().prop_map(Step::Retain),
        1 => any::<bool>().prop_map(Step::Adopt),
        1 => any::<(bool, bool)>().prop_map(|(jwks, raw)| Step::Forms(jwks, raw)),
        1 => Just(Step::Foreign),
        1 => Just(Step::Fail),
    ]
}

impl Sim {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass(seconds) => self.now += SignedDuration::from_millis(seconds * 1000 + 137),
            Step::Algorithm(algorithm) => self.object.spec.signing_algorithm = *algorithm,
            Step::Rotation(which) => self.set_rotation(ROTATIONS[*which]),
            Step::Token(token) => self.set_token(&token.to_string()),
            Step::Refer(None) => self.object.spec.secret_ref = None,
            Step::Refer(Some(0)) => {
                self.refer("");
                self.source = None;
            }
            Step::Refer(Some(1)) => self.refer("bad"),
            Step::Refer(Some(seed)) => self.refer(&good(u64::from(*seed))),
            Step::Break(key) if self.secret.is_some() => self.set(key, "broken"),
            Step::Strip(key) if self.secret.is_some() => self.tamper(|data| drop(data.remove(*key))),
            Step::Break(_) | Step::Strip(_) => {}
            Step::Delete => self.secret = None,
            Step::LoseStatus => self.object.status = None,
            Step::Rival(has_rival) => self.has_rival = *has_rival,
            Step::Retain(true) => self.object.spec.deletion_policy = DeletionPolicy::Retain,
            Step::Retain(false) => self.object.spec.deletion_policy = DeletionPolicy::Delete,
            Step::Adopt(adopt) => self.object.spec.adopt = *adopt,
            Step::Forms(jwks, raw) => self.object.spec.outputs = Outputs { jwks: *jwks, raw: *raw },
            Step::Foreign => {
                self.secret = Some(Secret { type_: Some("Opaque".into()), data: Some([].into()), ..Secret::default() });
                self.set("secret", &good(9));
            }
            Step::Fail => self.fail(),
        }
    }
}

/// What the contract says about any two outputs, one look apart.
fn check(sim: &Sim, before: Option<&OutputFacts>, then: &Values, had_status: Option<&str>) {
    let (now, spec) = (sim.now, &sim.object.spec);
    let after = sim.values();
    let facts = sim.seen().output;
    let is_ours = |facts: &OutputFacts| facts.is_ours("acme", "uid");
    if facts.as_ref().is_some_and(|facts| !is_ours(facts)) {
        assert_eq!(after, *then, "somebody else's is never touched");
        return;
    }
    if let Some(facts) = facts.as_ref().filter(|_| !sim.has_rival) {
        let is_to_go = spec.deletion_policy == DeletionPolicy::Delete && !facts.is_adopted;
        assert_eq!(facts.is_owned_by("uid"), is_to_go, "who it goes with");
        let told = sim.object.status.as_ref().and_then(|status| status.deletion_policy);
        assert_eq!(told, Some(if is_to_go { DeletionPolicy::Delete } else { DeletionPolicy::Retain }));
        assert!(
            !facts.current.is_whole()
                || facts.jwks.exists == spec.outputs.jwks && (facts.jwks.is_right || !spec.outputs.jwks)
        );
    }
    if let Some(before) = before.filter(|before| is_ours(before)) {
        assert_eq!(facts.as_ref().map(|facts| facts.is_adopted), Some(before.is_adopted), "adopted once");
    }
    let makes_values = !sim.has_rival && spec.signing_algorithm.is_some();
    if let (true, None) = (makes_values, &spec.secret_ref) {
        let facts = facts.as_ref().unwrap();
        let algorithm = spec.signing_algorithm.unwrap();
        assert!(facts.current.obeys(algorithm) && facts.current.algorithm == Some(algorithm), "one good value");
        assert!(facts.current.key_id.is_some() && facts.issued_at(now).is_some());
    }
    let Some(before) = before else { return };
    let fallback = spec.signing_algorithm.or(before.next.algorithm);
    let was_good = before.current.algorithm.or(fallback).is_some_and(|algorithm| before.current.obeys(algorithm));
    let grace = SignedDuration::try_from(std::time::Duration::from(spec.rotation.grace_period)).unwrap();
    let no_lead = std::time::Duration::from(spec.rotation.lead_time).is_zero();
    let was_waiting = before.next_from(now);
    if after.current != then.current && was_good {
        let is_promoted = then.next.as_ref().map(|(value, _)| value) == after.current.as_ref();
        let is_due = is_promoted && was_waiting.is_some_and(|from| no_lead || from <= now);
        let is_new_source = spec.secret_ref.is_some() && sim.source == after.current;
        let is_new_algorithm = before.current.algorithm.is_some_and(|before| Some(before) != spec.signing_algorithm);
        let digest = sim
            .object
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(labels::ROTATE))
            .map(|token| crate::domain::digest::sha256_hex(&[token.as_bytes()]));
        let is_asked = digest.is_some_and(|digest| !before.tokens.contains(&digest) && had_status != Some(&*digest));
        let is_old = spec.rotation.interval.is_some_and(|interval| {
            let interval = SignedDuration::try_from(std::time::Duration::from(interval)).unwrap();
            before.current.time.is_some_and(|issued| now.duration_since(issued) >= interval)
        });
        assert!(
            is_due || makes_values && (is_new_source || is_new_algorithm || is_asked || is_old),
            "for no due reason"
        );
        match (&after.previous, grace.is_zero()) {
            (Some((value, until)), false) => {
                assert_eq!(Some(value), then.current.as_ref());
                assert!(*until >= now + grace && *until <= now + grace + SignedDuration::from_secs(1));
            }
            (None, true) => {}
            wrong => panic!("the replaced value is not the previous one: {wrong:?}"),
        }
    } else if after.previous != then.previous {
        assert_eq!(after.previous, None, "nothing else becomes previous");
        assert!(grace.is_zero() || before.previous_until(now).is_none(), "removed before its time");
    }
    if let (Some(next), false) = (&after.next, after.next == then.next) {
        let lead = SignedDuration::try_from(std::time::Duration::from(spec.rotation.lead_time)).unwrap();
        assert!(next.1 >= now + lead && then.current == after.current && makes_values);
    }
    if let (Some(_), None, true) = (was_waiting, &after.next, after.current == then.current) {
        assert!(
            spec.secret_ref.is_some() || before.next.algorithm != spec.signing_algorithm,
            "a good next one got lost"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: one good value, none replaced without a due reason, a replaced one kept for its
    /// grace period, and never two writes for one look.
    #[test]
    fn no_order_of_events_loses_a_value_or_replaces_one_without_a_reason(
        steps in proptest::collection::vec(step(), 1..60),
        rotation in 0..ROTATIONS.len(),
    ) {
        let mut sim = Sim::new(ROTATIONS[rotation]);
        sim.look();
        for step in &steps {
            sim.step(step);
            let (before, then) = (sim.seen().output, sim.values());
            let had_status = sim.object.status.as_ref().and_then(|status| status.rotate_token.clone());
            sim.look();
            check(&sim, before.as_ref(), &then, had_status.as_deref());
        }
    }
}
