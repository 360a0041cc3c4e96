//! Phases that overlap with each other, and with edits.
#![cfg(test)]

use rstest::rstest;

use super::*;

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
