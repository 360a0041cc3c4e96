//! References, contests, and damage of all kinds.
#![cfg(test)]

use kube::api::ObjectMeta;

use super::*;

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
fn a_token_stays_honoured_when_an_older_output_is_restored() {
    for lose in [(|sim: &mut Sim| sim.object.spec.signing_algorithm = None) as fn(&mut Sim), |sim| {
        sim.secret.as_mut().unwrap().metadata.labels = None;
        sim.secret.as_mut().unwrap().metadata.owner_references = None;
    }] {
        let mut sim = Sim::new((None, "24h", "0s"));
        sim.set_token("one");
        sim.look();
        sim.set_token("two");
        let looked = sim.looked();
        lose(&mut sim);
        sim.tamper(|data| drop(data.remove("rotate-tokens")));
        assert!(sim.look().rotate_token.is_some());
        sim.object.spec.signing_algorithm = Some(Hs256);
        sim.object.spec.adopt = true;
        assert_eq!(sim.looked(), looked);
        assert_eq!(tokens(sim.secret.as_ref().unwrap()).len(), 1);
    }
}

#[test]
fn a_good_value_whose_algorithm_got_lost_becomes_previous_all_the_same() {
    for status in [true, false] {
        let mut sim = Sim::new((None, "24h", "0s"));
        let first = sim.looked();
        sim.tamper(|data| drop(data.remove("algorithm")));
        sim.object.spec.signing_algorithm = Some(Hs512);
        if !status {
            sim.object.status = None;
        }
        assert_eq!(sim.looked().previous, Some((first.current.unwrap(), sim.after("24h"))));
        assert_eq!(sim.news, ["SecretRotated"]);
    }
}

#[test]
fn what_describes_a_kept_value_is_set_right_and_its_forms_stay() {
    let forms = |sim: &Sim| sim.secret.as_ref().and_then(|secret| text(secret, "jwks.json")).map(str::to_owned);
    for key in ["key-id", "algorithm", "issued-at"] {
        let mut sim = Sim::new((None, "24h", "0s"));
        sim.object.spec.outputs.jwks = true;
        sim.refer(&good(1));
        let before = sim.looked();
        sim.source = None;
        sim.tamper(|data| drop(data.remove(key)));
        assert_eq!(sim.looked(), before);
        let facts = sim.seen().output.unwrap();
        assert!(facts.current.is_whole() && facts.issued_at(sim.now).is_some());
        assert!(forms(&sim).unwrap().contains(facts.current.key_id.as_ref().unwrap()));
    }
    // Damaged beyond that, they stay as they are.
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.object.spec.outputs.jwks = true;
    sim.look();
    let before = forms(&sim);
    sim.has_rival = true;
    sim.set("secret", "dG9vIHNob3J0");
    sim.look();
    assert_eq!(forms(&sim), before);
    // Not even a phase that ends rewrites them, and none shows a value that breaks the rules.
    let [secret, algorithm, key_id, time] = Role::Previous.keys();
    for (name, value) in
        [(secret, good(1)), (algorithm, "HS256".into()), (key_id, "x".into()), (time, sim.after("1h").to_string())]
    {
        sim.set(name, &value);
    }
    assert!(sim.looked().previous.is_some());
    assert!(sim.pass("1h").looked().previous.is_none());
    assert_eq!(forms(&sim), before);
    // What is not asked for goes all the same.
    sim.has_rival = false;
    sim.refer("bad");
    sim.object.spec.outputs.jwks = false;
    sim.look();
    assert_eq!(forms(&sim), None);
}

#[test]
fn a_good_next_value_is_not_dropped_for_a_bad_source_where_the_current_one_is_lost() {
    let (before, mut sim) = lead(|sim| {
        sim.set("secret", "dG9vIHNob3J0");
        sim.refer("bad");
    });
    assert_eq!(sim.looked().current, before.next.map(|(value, _)| value));
}

#[test]
fn a_lost_algorithm_is_that_of_the_spec_where_the_value_obeys_it() {
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.look();
    sim.object.spec.signing_algorithm = Some(Hs384);
    let status = sim.object.status.clone();
    let second = sim.looked();
    // The status could not be written, and the key got lost.
    sim.object.status = status;
    sim.tamper(|data| drop(data.remove("algorithm")));
    assert_eq!(sim.looked(), second);
}

#[test]
fn a_reference_that_is_set_while_no_value_may_be_made_drops_the_next_one_too() {
    let (before, mut sim) = lead(|sim| sim.has_rival = true);
    sim.refer(&good(1));
    sim.set_rotation((None, "24h", "0s"));
    sim.set_token("two");
    assert_eq!(sim.looked(), Values { next: None, ..before });
    assert_eq!(tokens(sim.secret.as_ref().unwrap()).len(), 1);
}

#[test]
fn a_failed_write_of_a_changed_policy_does_not_make_it_an_adopted_one() {
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.object.spec.deletion_policy = DeletionPolicy::Retain;
    sim.object.spec.adopt = true;
    sim.look();
    sim.object.spec.deletion_policy = DeletionPolicy::Delete;
    sim.fail();
    assert_eq!(sim.look().deletion_policy, Some(DeletionPolicy::Delete));

    // Nor does a contest that was lost for a while.
    sim.object.spec.deletion_policy = DeletionPolicy::Retain;
    sim.look();
    sim.has_rival = true;
    sim.object.spec.deletion_policy = DeletionPolicy::Delete;
    assert_eq!(sim.look().deletion_policy, Some(DeletionPolicy::Retain));
    sim.has_rival = false;
    assert_eq!(sim.look().deletion_policy, Some(DeletionPolicy::Delete));
}

#[test]
fn a_forged_generation_is_written_over() {
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.look();
    let annotations = sim.secret.as_mut().unwrap().metadata.annotations.as_mut().unwrap();
    annotations.insert(labels::WRITTEN_FOR.into(), "uid/999".into());
    assert!(sim.seen().output.unwrap().is_ahead_of("uid", 1));
    sim.look();
    assert!(!sim.seen().output.unwrap().is_ahead_of("uid", 1));
}

#[test]
fn an_adopted_output_is_never_owned_even_if_its_mark_is_taken_away() {
    let mut sim = Sim::new((None, "24h", "0s"));
    sim.look();
    sim.secret.as_mut().unwrap().metadata = ObjectMeta { resource_version: Some("x".into()), ..ObjectMeta::default() };
    sim.object.spec.adopt = true;
    let owners = |sim: &Sim| sim.secret.as_ref().unwrap().metadata.owner_references.clone().unwrap_or_default();
    assert_eq!(sim.look().deletion_policy, Some(DeletionPolicy::Retain));
    assert_eq!(owners(&sim), []);
    sim.secret.as_mut().unwrap().metadata.annotations.as_mut().unwrap().remove(labels::ADOPTED);
    sim.look();
    assert_eq!(owners(&sim), []);
    sim.object.spec.adopt = false;
    sim.look();
    sim.secret.as_mut().unwrap().metadata.annotations.as_mut().unwrap().remove(labels::ADOPTED);
    sim.look();
    assert_eq!(owners(&sim), []);
}

#[test]
fn a_clock_that_is_set_back_ends_no_phase() {
    let mut sim = Sim::new((None, "8760h", "24h"));
    sim.look();
    sim.set_token("one");
    sim.look();
    sim.pass("24h").look();
    sim.set_token("two");
    let all = sim.looked();
    assert!(all.previous.is_some() && all.next.is_some());
    assert_eq!(sim.pass("-26h").looked(), all);
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
