//! Orders of events that chance finds seldom, each with what is told in the end: that also judges the model.

use super::{
    Happens, IdpEdit, IdpTold, Life, LinkEdit, NewIdp, NewLink, good_idp,
    sim::{Sim, settled},
};

/// A link of this user to this `IdentityProvider`, with this external id, younger than those of lower names.
fn link(name: u8, user: u8, idp: u8, id: u8, requires: &[u8]) -> Happens {
    let requires = requires.iter().copied().collect();
    let new = Some(NewLink { user, idp, by_id: false, id, requires, life: Life::Works, is_readable: true });
    Happens::Link { name, is_another: false, age: name, new }
}

fn gone(name: u8) -> Happens {
    Happens::Link { name, is_another: false, age: 0, new: None }
}

fn suspend(name: u8, suspend: bool) -> Happens {
    Happens::LinkEdit { name, edit: LinkEdit::Life(if suspend { Life::Suspended } else { Life::Works }) }
}

fn told(name: u8, ready: &'static str) -> Happens {
    Happens::IdpEdit { name, edit: IdpEdit::Told(IdpTold::Verdict { active: "True", ready, stalled: false }) }
}

/// With three good `IdentityProvider`s: after each event, the reasons of the links that there are.
fn reasons(events: Vec<(Happens, &str)>) {
    let mut sim = Sim::new();
    for idp in 0..3 {
        settled(&mut sim, good_idp(idp)).unwrap();
    }
    for (number, (event, expected)) in events.into_iter().enumerate() {
        let reasons = settled(&mut sim, event).unwrap();
        assert_eq!(reasons.join(" "), expected, "after event {number}");
    }
}

#[test]
fn a_suspended_link_counts_by_what_it_was_told_last_until_it_is_resumed() {
    reasons(vec![
        (link(0, 0, 0, 0, &[]), "IdentitySet"),
        (link(1, 0, 1, 0, &[0]), "IdentitySet IdentitySet"),
        (suspend(0, true), "IdentitySet IdentitySet"),
        (told(0, "False"), "IdentitySet IdentitySet"),
        (suspend(0, false), "IdpNotReady MissingLinkedIdentity"),
        (suspend(0, true), "IdpNotReady MissingLinkedIdentity"),
        (told(0, "True"), "IdpNotReady MissingLinkedIdentity"),
        (suspend(0, false), "IdentitySet IdentitySet"),
    ]);
}

#[test]
fn a_link_that_lost_its_external_id_does_not_count_and_suspended_not_before_it_is_told_otherwise() {
    reasons(vec![
        (link(0, 1, 0, 0, &[]), "IdentitySet"),
        (link(1, 0, 0, 0, &[]), "IdentitySet AlreadyLinked"),
        (link(2, 0, 1, 0, &[0]), "IdentitySet AlreadyLinked MissingLinkedIdentity"),
        (suspend(1, true), "IdentitySet AlreadyLinked MissingLinkedIdentity"),
        (gone(0), "AlreadyLinked MissingLinkedIdentity"),
        (suspend(1, false), "IdentitySet IdentitySet"),
    ]);
}

#[test]
fn links_that_require_each_other_follow_both_of_their_identity_providers() {
    reasons(vec![
        (link(0, 0, 0, 0, &[1]), "MissingLinkedIdentity"),
        (link(1, 0, 1, 0, &[0]), "IdentitySet IdentitySet"),
        (told(1, "Unknown"), "IdentitySet IdentitySet"),
        (told(1, "False"), "MissingLinkedIdentity IdpNotReady"),
        (told(1, "Unknown"), "MissingLinkedIdentity IdpNotReady"),
        (told(1, "True"), "IdentitySet IdentitySet"),
    ]);
}

#[test]
fn an_identity_provider_that_could_not_be_read_is_gone_when_it_is_being_deleted() {
    let edit = |edit| Happens::IdpEdit { name: 0, edit };
    let told = IdpTold::Verdict { active: "True", ready: "True", stalled: false };
    let going = NewIdp { is_inactive: false, allows_linking: true, life: Life::IsDeleted, told, is_readable: true };
    // Made anew in a gap: what was told last stays, as nothing is known of it, but one more look must not tell otherwise.
    let anew = NewIdp { life: Life::Works, is_readable: false, ..going.clone() };
    reasons(vec![
        (link(0, 0, 0, 0, &[]), "IdentitySet"),
        (link(1, 0, 1, 0, &[0]), "IdentitySet IdentitySet"),
        (edit(IdpEdit::Readable(false)), "IdentitySet IdentitySet"),
        (Happens::Idp { name: 0, is_another: false, new: Some(going.clone()) }, "IdpNotFound MissingLinkedIdentity"),
        (Happens::Idp { name: 0, is_another: true, new: Some(anew) }, "IdpNotFound MissingLinkedIdentity"),
        (good_idp(0), "IdentitySet IdentitySet"),
        (edit(IdpEdit::Readable(false)), "IdentitySet IdentitySet"),
        (edit(IdpEdit::Life(Life::IsDeleted)), "IdpNotFound MissingLinkedIdentity"),
        (good_idp(0), "IdentitySet IdentitySet"),
        (edit(IdpEdit::Readable(false)), "IdentitySet IdentitySet"),
        (Happens::Idp { name: 0, is_another: false, new: None }, "IdpNotFound MissingLinkedIdentity"),
    ]);
}
