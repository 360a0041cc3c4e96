//! Whatever comes, changes and goes, in whatever order, and whatever the watches miss until they list again: a link is judged
//! by what a scan of everything finds, and is woken when that changes. The triggers are the real ones.

mod sim;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::observe::observe;
use crate::cluster::key::Kind;
use sim::Sim;

/// What happens. While a watch has a gap, nothing of its kind is told until it lists again.
#[derive(Clone, Debug)]
enum Happens {
    Idp { name: u8, is_another: bool, new: Option<Value> },
    Link { name: u8, is_another: bool, age: u8, new: Option<NewLink> },
    Gap { kind: Kind, is_open: bool },
}

#[derive(Clone, Debug)]
struct NewLink {
    user: u8,
    idp: u8,
    by_id: bool,
    id: u8,
    requires: BTreeSet<u8>,
    rest: Value,
    is_readable: bool,
}

fn condition(type_: &str, status: &str) -> Value {
    json!({ "type": type_, "status": status, "reason": "IdpNotReady", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" })
}

/// `spec.suspend`, `metadata.deletionTimestamp` and these conditions, each or not.
fn rest(conditions: &'static [(&'static str, &'static str)]) -> impl Strategy<Value = Value> {
    let told = proptest::sample::subsequence(conditions, 0..=conditions.len());
    (proptest::bool::weighted(0.2), proptest::bool::weighted(0.1), told).prop_map(|(suspend, is_going, told)| {
        let told: Vec<Value> = told.into_iter().map(|(type_, status)| condition(type_, status)).collect();
        let going = is_going.then_some("2026-01-01T00:00:00Z");
        json!({ "suspend": suspend, "going": going, "conditions": told })
    })
}

fn happens() -> impl Strategy<Value = Happens> {
    const IDP: &[(&str, &str)] =
        &[("Active", "True"), ("Ready", "True"), ("Ready", "False"), ("Ready", "Unknown"), ("Stalled", "True")];
    const LINK: &[(&str, &str)] = &[("Ready", "False"), ("IdentityProviderReady", "True"), ("LinkUnique", "True")];
    let idp = (0u8..3, proptest::bool::weighted(0.3), proptest::option::weighted(0.8, rest(IDP)))
        .prop_map(|(name, is_another, new)| Happens::Idp { name, is_another, new });
    let requires = proptest::collection::btree_set(0u8..3, 0..3);
    let link = (0u8..2, 0u8..3, any::<bool>(), 0u8..2, requires, rest(LINK), proptest::bool::weighted(0.9));
    let link = link.prop_map(|(user, idp, by_id, id, requires, rest, is_readable)| NewLink {
        user,
        idp,
        by_id,
        id,
        requires,
        rest,
        is_readable,
    });
    let link = (0u8..5, proptest::bool::weighted(0.3), 0u8..3, proptest::option::weighted(0.85, link))
        .prop_map(|(name, is_another, age, new)| Happens::Link { name, is_another, age, new });
    let kind = prop_oneof![Just(Kind::IdentityProvider), Just(Kind::UserIdpAuthenticator)];
    let gap = (kind, proptest::bool::weighted(0.3)).prop_map(|(kind, is_open)| Happens::Gap { kind, is_open });
    prop_oneof![3 => idp, 6 => link, 1 => gap]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn links_are_judged_by_what_a_scan_finds_and_woken_when_that_changes(
        steps in proptest::collection::vec(happens(), 1..40)
    ) {
        let mut sim = Sim::new();
        let mut before = BTreeMap::new();
        for step in steps {
            sim.step(step);
            let woken = sim.woken();
            let after = sim.expected();
            for (name, expected) in &after {
                let link = sim.links.told[name].as_ref().unwrap();
                prop_assert_eq!(&observe(link, &sim.ctx), &expected.1, "{}", name);
                prop_assert!(before.get(name) == Some(expected) || woken.contains(name), "{} sleeps", name);
            }
            before = after;
        }
        sim.end();
        prop_assert!(sim.ctx.world.is_empty(), "something is left");
    }
}
