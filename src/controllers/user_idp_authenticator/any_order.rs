//! Whatever comes, changes and goes, in whatever order, and whatever the watches miss until they list again: once everyone
//! was looked at who was woken, each link is told what the contract says, and nobody writes again. The triggers, the looks
//! and the statuses are the real ones; the contract is written out in a model of its own.

mod model;
mod named;
mod sim;
mod watch;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cluster::key::Kind;
use sim::{Sim, settled};

/// What happens. While a watch has a gap, nothing of its kind is told until it lists again.
#[derive(Clone, Debug)]
enum Happens {
    Idp { name: u8, is_another: bool, new: Option<NewIdp> },
    IdpEdit { name: u8, edit: IdpEdit },
    Link { name: u8, is_another: bool, age: u8, new: Option<NewLink> },
    LinkEdit { name: u8, edit: LinkEdit },
    Gap { kind: Kind, is_open: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Works,
    Suspended,
    IsDeleted,
}

#[derive(Clone, Debug)]
struct NewIdp {
    is_inactive: bool,
    allows_linking: bool,
    life: Life,
    told: IdpTold,
    is_readable: bool,
}

/// What an `IdentityProvider`'s status says.
#[derive(Clone, Debug)]
enum IdpTold {
    Nothing,
    /// `Ready` is Unknown from the start: calls failed, or it was suspended.
    Failed,
    Verdict {
        active: &'static str,
        ready: &'static str,
        stalled: bool,
    },
}

impl NewIdp {
    fn conditions(&self) -> Vec<Value> {
        let told = match self.told {
            IdpTold::Nothing => vec![],
            IdpTold::Failed => vec![("Ready", "Unknown"), ("Reconciling", "True")],
            IdpTold::Verdict { active, ready, stalled } => {
                let why = (ready != "True").then_some((if stalled { "Stalled" } else { "Reconciling" }, "True"));
                [("Ready", ready), ("Active", active)].into_iter().chain(why).collect()
            }
        };
        let condition = |(type_, status)| json!({ "type": type_, "status": status, "reason": "X", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" });
        told.into_iter().map(condition).collect()
    }
}

/// One thing of an `IdentityProvider` is another, and nothing else.
#[derive(Clone, Debug)]
enum IdpEdit {
    State { is_inactive: bool },
    Linking { is_allowed: bool },
    Life(Life),
    Told(IdpTold),
    Readable(bool),
}

impl IdpEdit {
    fn of(self, old: NewIdp) -> NewIdp {
        match self {
            Self::State { is_inactive } => NewIdp { is_inactive, ..old },
            Self::Linking { is_allowed } => NewIdp { allows_linking: is_allowed, ..old },
            Self::Life(life) => NewIdp { life, ..old },
            Self::Told(told) => NewIdp { told, ..old },
            Self::Readable(is_readable) => NewIdp { is_readable, ..old },
        }
    }
}

#[derive(Clone, Debug)]
struct NewLink {
    user: u8,
    idp: u8,
    by_id: bool,
    id: u8,
    requires: BTreeSet<u8>,
    life: Life,
    is_readable: bool,
}

/// One thing of a link is another, and nothing else.
#[derive(Clone, Debug)]
enum LinkEdit {
    Life(Life),
    Requires(BTreeSet<u8>),
    Readable(bool),
}

impl LinkEdit {
    fn of(self, old: NewLink) -> NewLink {
        match self {
            Self::Life(life) => NewLink { life, ..old },
            Self::Requires(requires) => NewLink { requires, ..old },
            Self::Readable(is_readable) => NewLink { is_readable, ..old },
        }
    }
}

fn life(works: u32) -> impl Strategy<Value = Life> {
    prop_oneof![works => Just(Life::Works), 3 => Just(Life::Suspended), 1 => Just(Life::IsDeleted)]
}

fn idp_told() -> impl Strategy<Value = IdpTold> {
    let verdict = |active: &'static str, ready: &'static str, stalled| IdpTold::Verdict { active, ready, stalled };
    prop_oneof![
        6 => Just(verdict("True", "True", false)),
        2 => any::<bool>().prop_map(move |stalled| verdict("True", "False", stalled)),
        3 => any::<bool>().prop_map(move |is_active| verdict(if is_active { "True" } else { "False" }, "Unknown", false)),
        1 => Just(verdict("False", "True", false)),
        1 => Just(IdpTold::Nothing),
        1 => Just(IdpTold::Failed),
    ]
}

fn idp() -> impl Strategy<Value = Happens> {
    let seldom = proptest::bool::weighted;
    let new = (seldom(0.15), seldom(0.8), life(14), idp_told(), seldom(0.95));
    let new = new.prop_map(|(is_inactive, allows_linking, life, told, is_readable)| NewIdp {
        is_inactive,
        allows_linking,
        life,
        told,
        is_readable,
    });
    (0u8..3, proptest::bool::weighted(0.3), proptest::option::weighted(0.8, new))
        .prop_map(|(name, is_another, new)| Happens::Idp { name, is_another, new })
}

/// To begin with: of links to nothing there is little to see.
fn good_idp(name: u8) -> Happens {
    let told = IdpTold::Verdict { active: "True", ready: "True", stalled: false };
    let new = NewIdp { is_inactive: false, allows_linking: true, life: Life::Works, told, is_readable: true };
    Happens::Idp { name, is_another: false, new: Some(new) }
}

fn idp_edit() -> impl Strategy<Value = Happens> {
    let edit = prop_oneof![
        2 => any::<bool>().prop_map(|is_inactive| IdpEdit::State { is_inactive }),
        2 => any::<bool>().prop_map(|is_allowed| IdpEdit::Linking { is_allowed }),
        4 => life(3).prop_map(IdpEdit::Life),
        6 => idp_told().prop_map(IdpEdit::Told),
        1 => proptest::bool::weighted(0.6).prop_map(IdpEdit::Readable),
    ];
    (0u8..3, edit).prop_map(|(name, edit)| Happens::IdpEdit { name, edit })
}

fn requires() -> impl Strategy<Value = BTreeSet<u8>> {
    proptest::collection::btree_set(0u8..3, 0..3)
}

/// Mostly of one user, as only what the same user has is required.
fn link() -> impl Strategy<Value = Happens> {
    let seldom = proptest::bool::weighted;
    let user = seldom(0.25).prop_map(u8::from);
    let new = (user, 0u8..3, any::<bool>(), 0u8..2, requires(), life(14), seldom(0.95));
    let new = new.prop_map(|(user, idp, by_id, id, requires, life, is_readable)| NewLink {
        user,
        idp,
        by_id,
        id,
        requires,
        life,
        is_readable,
    });
    (0u8..5, seldom(0.3), 0u8..3, proptest::option::weighted(0.9, new))
        .prop_map(|(name, is_another, age, new)| Happens::Link { name, is_another, age, new })
}

fn link_edit() -> impl Strategy<Value = Happens> {
    let edit = prop_oneof![
        4 => life(4).prop_map(LinkEdit::Life),
        3 => requires().prop_map(LinkEdit::Requires),
        1 => proptest::bool::weighted(0.7).prop_map(LinkEdit::Readable),
    ];
    (0u8..5, edit).prop_map(|(name, edit)| Happens::LinkEdit { name, edit })
}

fn happens() -> impl Strategy<Value = Happens> {
    let kind = prop_oneof![Just(Kind::IdentityProvider), Just(Kind::UserIdpAuthenticator)];
    let gap = (kind, proptest::bool::weighted(0.3)).prop_map(|(kind, is_open)| Happens::Gap { kind, is_open });
    prop_oneof![2 => idp(), 8 => idp_edit(), 8 => link(), 5 => link_edit(), 1 => gap]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn links_are_told_what_the_contract_says_and_then_rest(steps in proptest::collection::vec(happens(), 1..40)) {
        let mut sim = Sim::new();
        for step in (0..3).map(good_idp).chain(steps) {
            settled(&mut sim, step)?;
        }
        sim.end();
        prop_assert!(sim.ctx.world.is_empty(), "something is left");
    }
}
