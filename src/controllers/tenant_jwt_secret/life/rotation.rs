//! One rotation after the other: by age, by token.
#![cfg(test)]

use super::*;

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
