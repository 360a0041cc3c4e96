//! Years of a tenant's secret in milliseconds: the plan, the output and the verdict, without an API server.
#![cfg(test)]

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use proptest::prelude::*;
use rstest::rstest;

use super::{
    apply::{new_key_id, new_value},
    decide::plan,
    observe::{Observed, Rival, Source},
    verdict::verdict,
};
use crate::{
    api::{
        TenantJwtSecret, TenantJwtSecretSpec, TenantJwtSecretStatus, labels,
        refs::SecretKeyRef,
        tenant_jwt_secret::{Rotation, SigningAlgorithm},
    },
    cluster::key::ObjectKey,
    desired::{secret::desired, secret_values::Parts},
    domain::{
        policy,
        secret_output::{OutputFacts, Role, text, tokens},
    },
};
use SigningAlgorithm::{Hs256, Hs384, Hs512};

/// An object, its output, and the time.
struct Sim {
    object: TenantJwtSecret,
    secret: Option<Secret>,
    source: Option<String>,
    has_rival: bool,
    now: Timestamp,
    version: u64,
    /// Reasons of the last look's Events.
    news: Vec<String>,
}

/// The values of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Values {
    current: Option<String>,
    previous: Option<(String, Timestamp)>,
    next: Option<(String, Timestamp)>,
}

impl Sim {
    fn new(rotation: (Option<&str>, &str, &str)) -> Self {
        let spec = TenantJwtSecretSpec {
            tenant_id: "acme".into(),
            signing_algorithm: Some(Hs256),
            ..TenantJwtSecretSpec::default()
        };
        let mut object = TenantJwtSecret::new("acme", spec);
        object.metadata.uid = Some("uid".into());
        object.metadata.namespace = Some("ns".into());
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut sim = Self { object, secret: None, source: None, has_rival: false, now, version: 0, news: Vec::new() };
        sim.set_rotation(rotation);
        sim
    }

    fn set_rotation(&mut self, (interval, grace_period, lead_time): (Option<&str>, &str, &str)) {
        self.object.spec.rotation = Rotation {
            interval: interval.map(|interval| interval.parse().unwrap()),
            grace_period: grace_period.parse().unwrap(),
            lead_time: lead_time.parse().unwrap(),
        };
    }

    fn set_token(&mut self, token: &str) {
        self.object.metadata.annotations = Some([(labels::ROTATE.to_owned(), token.to_owned())].into());
    }

    fn refer(&mut self, source: &str) {
        self.object.spec.secret_ref = Some(SecretKeyRef { name: "source".into(), key: "secret".into() });
        self.source = Some(source.to_owned());
    }

    fn pass(&mut self, time: &str) -> &mut Self {
        self.now += time.parse::<SignedDuration>().unwrap();
        self
    }

    fn tamper(&mut self, change: impl FnOnce(&mut std::collections::BTreeMap<String, ByteString>)) {
        self.version += 1;
        let secret = self.secret.as_mut().unwrap();
        secret.metadata.resource_version = Some(self.version.to_string());
        change(secret.data.as_mut().unwrap());
    }

    fn set(&mut self, name: &str, value: &str) {
        self.tamper(|data| drop(data.insert(name.to_owned(), ByteString(value.as_bytes().to_vec()))));
    }

    fn seen(&self) -> Observed {
        let source = match (&self.object.spec.secret_ref, &self.source) {
            (None, _) => Source::Generated,
            (_, None) => Source::Missing,
            (_, Some(source)) => match policy::parse(source.as_bytes()) {
                Ok(value) => Source::Value { is_published: self.value(Role::Current).as_ref() == Some(source), value },
                Err(violation) => Source::Unreadable(violation),
            },
        };
        let rival = self.has_rival.then(|| Rival { key: ObjectKey::new("ns", "older"), has_output: false });
        Observed { claimed: true, rival, output: self.secret.as_ref().map(OutputFacts::read), source, now: self.now }
    }

    /// One reconcile. It writes once at most: a second look finds nothing to write.
    fn look(&mut self) -> TenantJwtSecretStatus {
        let seen = self.seen();
        let plan = plan(&self.object, &seen);
        if plan.is_written {
            let value = new_value(&plan.change, &seen.source).unwrap();
            let parts = Parts { change: &plan.change, value, key_id: new_key_id(), now: self.now };
            self.version += 1;
            let mut written = desired(&self.object, &parts, self.secret.take());
            written.metadata.resource_version = Some(self.version.to_string());
            self.secret = Some(written);
        }
        let verdict = verdict(&self.object, &seen, &plan, self.seen().output.as_ref());
        self.news = verdict.notices.iter().map(|notice| notice.reason.clone()).collect();
        self.object.status = Some(verdict.status.clone());
        let again = super::decide::plan(&self.object, &self.seen());
        assert!(!again.is_written, "{again:?}");
        verdict.status
    }

    fn value(&self, role: Role) -> Option<String> {
        let [value, ..] = role.keys();
        self.secret.as_ref().and_then(|secret| text(secret, value)).map(str::to_owned)
    }

    fn values(&self) -> Values {
        let timed = |role: Role| {
            let [.., time] = role.keys();
            let time = text(self.secret.as_ref()?, time)?.parse().ok()?;
            Some((self.value(role)?, time))
        };
        Values { current: self.value(Role::Current), previous: timed(Role::Previous), next: timed(Role::Next) }
    }

    /// The current value, and until when the previous one is published.
    fn looked(&mut self) -> Values {
        self.look();
        self.values()
    }

    fn after(&self, time: &str) -> Timestamp {
        self.now + time.parse::<SignedDuration>().unwrap()
    }
}

fn good(seed: u64) -> String {
    use rand::SeedableRng as _;
    use secrecy::ExposeSecret as _;
    policy::generate(Hs512, &mut rand::rngs::StdRng::seed_from_u64(seed)).unwrap().expose_secret().to_owned()
}

#[test]
fn the_operating_system_s_random_source_makes_values_that_obey_and_never_two_alike() {
    use secrecy::ExposeSecret as _;
    let values: std::collections::HashSet<String> = (0..2_000)
        .map(|_| policy::generate(Hs256, &mut rand::rngs::SysRng).unwrap().expose_secret().to_owned())
        .collect();
    assert_eq!(values.len(), 2_000);
    let obeys = |value: &String| {
        policy::inspect(value.as_bytes()).is_ok_and(|traits| policy::violations(traits, Hs256).is_empty())
    };
    assert!(values.iter().all(obeys));
}

#[test]
fn without_an_interval_ten_years_change_nothing() {
    let mut sim = Sim::new((None, "24h", "0s"));
    let first = sim.looked();
    assert_eq!(sim.look().next_rotation_time, None);
    for _ in 0..120 {
        assert_eq!(sim.pass("730h").looked(), first);
    }
    assert_eq!(sim.version, 1);
}

#[test]
fn an_interval_replaces_the_value_when_it_is_due_and_not_before() {
    let mut sim = Sim::new((Some("2160h"), "24h", "0s"));
    let status = sim.look();
    let first = sim.values();
    let due = status.next_rotation_time.unwrap().0;
    let (least, most) = (sim.after("2160h"), sim.after("2268h"));
    assert!((least..=most).contains(&due), "{due}");
    sim.now = due - SignedDuration::from_secs(1);
    assert_eq!(sim.looked(), first);
    sim.now = due;
    let second = sim.looked();
    assert_eq!(sim.news, ["SecretRotated"]);
    assert_eq!(second.previous, Some((first.current.unwrap(), sim.after("24h"))));
    assert_ne!(second.current, second.previous.clone().map(|(value, _)| value));
    // Just before its end the previous one is still there.
    let status = sim.pass("23h 59m 59s").look();
    assert_eq!(status.previous_expires_time.unwrap().0, sim.after("1s"));
    assert_eq!(sim.values(), second);
    assert_eq!(sim.pass("1s").looked(), Values { previous: None, ..second });
    assert_eq!(sim.news, ["PreviousSecretRemoved"]);
    assert_eq!(sim.look().previous_expires_time, None);
}

#[test]
fn a_lead_time_publishes_the_next_value_before_and_a_late_operator_does_not_shorten_it() {
    let mut sim = Sim::new((Some("2160h"), "24h", "2h"));
    let due = sim.look().next_rotation_time.unwrap().0;
    let first = sim.values();
    sim.now = due - SignedDuration::from_hours(2);
    let lead = sim.looked();
    assert_eq!((lead.current.clone(), lead.next.clone().map(|(_, from)| from)), (first.current.clone(), Some(due)));
    assert_eq!(sim.look().next_rotation_time.unwrap().0, due);
    sim.now = due - SignedDuration::from_secs(1);
    assert_eq!(sim.looked(), lead);
    sim.now = due;
    let second = sim.looked();
    let (next, _) = lead.next.unwrap();
    assert_eq!((second.current, second.next), (Some(next), None));
    assert_eq!(second.previous, Some((first.current.unwrap(), sim.after("24h"))));

    // Down when it was due: published late, and for the whole lead time.
    let due = sim.look().next_rotation_time.unwrap().0;
    sim.now = due + SignedDuration::from_hours(100);
    assert_eq!(sim.looked().next.unwrap().1, sim.after("2h"));
}

#[test]
fn a_token_is_honoured_once_whatever_is_lost() {
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.set_token("one");
    // The first value is made with the token present: that honours it.
    let first = sim.looked();
    assert_eq!(sim.looked(), first);
    sim.set_token("two");
    let second = sim.looked();
    assert_eq!(second.previous.clone().unwrap().0, first.current.unwrap());
    sim.object.status = None;
    assert_eq!(sim.looked(), second);
    // The Secret lost it, the status has it: recorded again.
    sim.tamper(|data| drop(data.remove("rotate-tokens")));
    assert_eq!(sim.looked(), second);
    assert_eq!(tokens(sim.secret.as_ref().unwrap()).len(), 1);
    sim.object.status = None;
    assert_eq!(sim.looked(), second);
    sim.set_token("three");
    let third = sim.looked();
    sim.set_token("two");
    assert_eq!(sim.looked(), third);
    sim.set_token("");
    assert_eq!(sim.looked(), third);
}

#[test]
fn the_last_32_tokens_are_remembered() {
    let mut sim = Sim::new((None, "0s", "0s"));
    for token in 0..40 {
        sim.set_token(&format!("token {token}"));
        sim.look();
    }
    assert_eq!(tokens(sim.secret.as_ref().unwrap()).len(), 32);
    let before = sim.values();
    sim.set_token("token 8");
    assert_eq!(sim.looked(), before);
    sim.set_token("token 7");
    assert_ne!(sim.looked(), before);
}

/// A next value waits; `then` happens.
fn lead(then: impl FnOnce(&mut Sim)) -> (Values, Sim) {
    let mut sim = Sim::new((None, "24h", "2h"));
    sim.look();
    sim.set_token("one");
    let before = sim.looked();
    assert!(before.next.is_some());
    then(&mut sim);
    (before, sim)
}

#[test]
fn lead_and_token_start_nothing_and_the_token_is_recorded_at_promotion() {
    let (before, mut sim) = lead(|sim| sim.set_token("two"));
    assert_eq!(sim.looked(), before);
    let promoted = sim.pass("2h").looked();
    assert_eq!(promoted.current, before.next.map(|(value, _)| value));
    assert_eq!(tokens(sim.secret.as_ref().unwrap()).len(), 2);
    assert_eq!(sim.pass("1h").looked(), promoted);
}

#[test]
fn lead_and_due_start_nothing() {
    let mut sim = Sim::new((Some("100h"), "24h", "20h"));
    let due = sim.look().next_rotation_time.unwrap().0;
    sim.now = due - SignedDuration::from_hours(21);
    sim.set_token("one");
    let lead = sim.looked();
    // The token's rotation comes an hour before the age's would have been published.
    sim.now = due - SignedDuration::from_hours(2);
    assert_eq!(sim.looked(), lead);
    sim.now = due - SignedDuration::from_hours(1);
    let promoted = sim.looked();
    assert_eq!(promoted.current, lead.next.map(|(value, _)| value));
    sim.now = due;
    assert_eq!(sim.looked(), promoted);
}

#[test]
fn lead_and_another_algorithm_drop_the_next_value_and_replace_at_once() {
    let (before, mut sim) = lead(|sim| sim.object.spec.signing_algorithm = Some(Hs512));
    let after = sim.looked();
    assert_eq!(after.next, None);
    assert_eq!(after.previous, Some((before.current.unwrap(), sim.after("24h"))));
    assert_ne!(after.current, before.next.map(|(value, _)| value));
    assert_eq!(sim.news, ["SecretRotated"]);
}

#[test]
fn lead_and_a_reference_drop_the_next_value_and_replace_at_once() {
    let (before, mut sim) = lead(|sim| sim.refer(&good(1)));
    sim.set_rotation((None, "24h", "0s"));
    let after = sim.looked();
    assert_eq!(
        after,
        Values { current: Some(good(1)), previous: Some((before.current.unwrap(), sim.after("24h"))), next: None }
    );
    // Without a good source the value stays, and the next one goes all the same.
    let (before, mut sim) = lead(|sim| sim.refer("bad"));
    assert_eq!(sim.looked(), Values { next: None, ..before });
}

#[rstest]
#[case::broken(Some("dG9vIHNob3J0"), "SecretRepaired")]
#[case::missing(None, "SecretRepaired")]
fn lead_and_a_lost_current_value_make_the_next_one_current(#[case] value: Option<&str>, #[case] news: &str) {
    let (before, mut sim) = lead(|sim| {
        sim.tamper(|data| {
            data.remove("secret");
            data.extend(value.map(|value| ("secret".to_owned(), ByteString(value.as_bytes().to_vec()))));
        });
    });
    let after = sim.looked();
    assert_eq!(after, Values { current: before.next.map(|(value, _)| value), previous: None, next: None });
    assert_eq!(sim.news, [news]);
}

#[test]
fn lead_and_no_rotation_any_more_make_the_next_one_current() {
    let (before, mut sim) = lead(|sim| sim.object.spec.rotation = Rotation::default());
    let after = sim.looked();
    assert_eq!(after.current, before.next.map(|(value, _)| value));
    assert_eq!(after.previous, Some((before.current.unwrap(), sim.after("24h"))));
}

#[test]
fn only_no_lead_time_at_all_promotes_at_once() {
    let (before, mut sim) = lead(|sim| sim.set_rotation((None, "24h", "1h")));
    assert_eq!(sim.looked(), before);
    sim.set_rotation((None, "24h", "0s"));
    assert_eq!(sim.looked().current, before.next.map(|(value, _)| value));
}

#[test]
fn grace_and_repair_leave_the_previous_value() {
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.look();
    sim.set_token("one");
    let before = sim.looked();
    sim.set("secret", "dG9vIHNob3J0");
    let after = sim.looked();
    assert_eq!((&after.previous, sim.news.as_slice()), (&before.previous, ["SecretRepaired".to_owned()].as_slice()));
    assert_ne!(after.current, before.current);
}

#[test]
fn only_no_grace_period_at_all_removes_the_previous_value_at_once() {
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.look();
    sim.set_token("one");
    let before = sim.looked();
    sim.set_rotation((None, "1h", "0s"));
    assert_eq!(sim.looked(), before);
    sim.set_rotation((None, "0s", "0s"));
    assert_eq!(sim.looked(), Values { previous: None, ..before.clone() });
    assert_eq!(sim.news, ["PreviousSecretRemoved"]);
    // From now on nothing becomes previous.
    sim.set_token("two");
    let after = sim.looked();
    assert_ne!((after.current, after.previous.clone()), (before.current, None));
    assert_eq!(after.previous, None);
}

#[test]
fn another_algorithm_and_a_token_in_one_edit_make_one_new_value() {
    let mut sim = Sim::new((None, "24h", "2h"));
    let first = sim.looked();
    sim.object.spec.signing_algorithm = Some(Hs512);
    sim.set_token("one");
    let after = sim.looked();
    assert_eq!(after.previous.clone().unwrap().0, first.current.unwrap());
    assert_eq!(after.next, None);
    assert_eq!(sim.pass("1h").looked(), after);
}

#[test]
fn a_deleted_output_is_made_again_with_one_value() {
    let (_, mut sim) = lead(|sim| {
        sim.set_token("two");
        sim.secret = None;
    });
    let after = sim.looked();
    assert_eq!((&after.previous, &after.next), (&None, &None));
    assert_eq!(sim.news, ["SecretGenerated"]);
    assert_eq!(sim.pass("3h").looked(), after);
}

#[test]
fn all_three_stand_together_and_the_older_previous_goes_at_promotion_only() {
    let mut sim = Sim::new((None, "24h", "2h"));
    let first = sim.looked();
    sim.set_token("one");
    sim.look();
    let second = sim.pass("2h").looked();
    sim.set_token("two");
    let all = sim.looked();
    assert_eq!((&all.current, &all.previous), (&second.current, &second.previous));
    assert_eq!(all.previous.clone().unwrap().0, first.current.unwrap());
    assert!(all.next.is_some());
    let third = sim.pass("2h").looked();
    assert_eq!(third.previous, Some((all.current.unwrap(), sim.after("24h"))));
    assert_eq!(sim.news, ["SecretRotated", "PreviousSecretRemoved"]);
}

#[rstest]
#[case::not_whole("previous-key-id", "")]
#[case::breaks_the_rules("previous-secret", "dG9vIHNob3J0")]
#[case::no_time("previous-expires-at", "tomorrow")]
#[case::past("previous-expires-at", "2020-01-01T00:00:00Z")]
#[case::too_far_in_the_future("previous-expires-at", "2040-01-01T00:00:00Z")]
#[case::next_not_whole("next-algorithm", "none")]
#[case::next_for_another_algorithm("next-algorithm", "HS512")]
#[case::next_breaks_the_rules("next-secret", "dG9vIHNob3J0")]
#[case::next_too_far_in_the_future("next-active-at", "2040-01-01T00:00:00Z")]
fn what_is_planted_and_not_whole_goes(#[case] key: &str, #[case] value: &str) {
    let mut sim = Sim::new((None, "24h", "2h"));
    let before = sim.looked();
    let role = if key.starts_with("next") { Role::Next } else { Role::Previous };
    let [secret, algorithm, key_id, time] = role.keys();
    let whole =
        [(secret, good(1)), (algorithm, "HS256".into()), (key_id, "x".into()), (time, sim.after("1h").to_string())];
    for (name, value) in &whole {
        sim.set(name, value);
    }
    let looked = sim.looked();
    assert_eq!((looked.previous.is_some(), looked.next.is_some()), (role == Role::Previous, role == Role::Next));
    sim.set(key, value);
    assert_eq!(sim.looked(), before);
}

#[test]
fn a_changed_source_is_published_and_its_former_value_kept() {
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.refer(&good(1));
    sim.set_token("tokens do nothing here");
    assert_eq!(sim.looked(), Values { current: Some(good(1)), previous: None, next: None });
    sim.source = Some(good(2));
    let second = sim.looked();
    assert_eq!(second, Values { current: Some(good(2)), previous: Some((good(1), sim.after("24h"))), next: None });
    for bad in [None, Some("bad".to_owned())] {
        sim.source = bad;
        assert_eq!(sim.looked(), second);
    }
    assert_eq!(tokens(sim.secret.as_ref().unwrap()), Vec::<String>::new());
    // Only what describes it changes with the algorithm.
    sim.source = Some(good(2));
    let issued = sim.look().issued_time;
    sim.object.spec.signing_algorithm = Some(Hs512);
    let status = sim.pass("1h").look();
    assert_eq!(
        (sim.values(), status.algorithm.as_deref(), status.issued_time),
        (second.clone(), Some("HS512"), issued)
    );
    // Without a reference the value stays.
    sim.object.spec.secret_ref = None;
    sim.object.metadata.annotations = None;
    assert_eq!(sim.looked(), second);
}

#[test]
fn who_may_make_no_value_ends_its_phases_in_time() {
    for hold in [(|sim: &mut Sim| sim.has_rival = true) as fn(&mut Sim), |sim| sim.object.spec.signing_algorithm = None]
    {
        let (before, mut sim) = lead(hold);
        assert_eq!(sim.looked(), before);
        let promoted = sim.pass("2h").looked();
        assert_eq!(promoted.current, before.next.map(|(value, _)| value));
        assert_eq!(promoted.previous, Some((before.current.unwrap(), sim.after("24h"))));
        assert_eq!(sim.pass("24h").looked(), Values { previous: None, ..promoted.clone() });
        sim.set_token("two");
        assert_eq!(sim.looked(), Values { previous: None, ..promoted.clone() });
        sim.set("secret", "dG9vIHNob3J0");
        assert_eq!(sim.looked().current.as_deref(), Some("dG9vIHNob3J0"));
    }
}

#[test]
fn a_value_without_padding_is_padded_and_stays_the_same_key() {
    let mut sim = Sim::new((None, "24h", "0s"));
    let before = sim.looked();
    let key_id = sim.look().key_id;
    let unpadded = before.current.clone().unwrap().trim_end_matches('=').to_owned();
    assert_ne!(Some(&unpadded), before.current.as_ref());
    sim.set("secret", &unpadded);
    assert_eq!(sim.look().key_id, key_id);
    assert_eq!(sim.values(), before);
}

#[test]
fn a_key_id_that_is_too_long_is_none_and_replaced_once() {
    let mut sim = Sim::new((None, "24h", "0s"));
    let before = sim.looked();
    let id = "x".repeat(254);
    sim.set("key-id", &id);
    let healed = sim.look();
    assert_ne!(healed.key_id, Some(id.clone()));
    assert_eq!(sim.values(), before);
    // Nor does it follow a good value into its grace period, where it would cut that short.
    sim.set("key-id", &id);
    sim.set_token("one");
    assert_eq!(sim.looked().previous, Some((before.current.unwrap(), sim.after("24h"))));
}

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
        }
    }
}

/// What the contract says about any two outputs, one look apart.
fn check(sim: &Sim, before: Option<&OutputFacts>, then: &Values, had_status: Option<&str>) {
    let (now, spec) = (sim.now, &sim.object.spec);
    let after = sim.values();
    let facts = sim.seen().output;
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
        let is_new_algorithm = before.current.algorithm != spec.signing_algorithm;
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
