//! What a link depends on.

use jiff::Timestamp;

use super::{
    idp_view::IdpView,
    readiness::{Presence, presence},
};
use crate::{
    api::UserIdpAuthenticator,
    cluster::key::ObjectKey,
    controllers::{
        context::Context,
        kinds::Managed as _,
        world::{Relation, World},
    },
    domain::verdicts::user_idp_authenticator::{Lack, Lost},
};

/// What is known when a link is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The `IdentityProvider`, unless it does not exist or is being deleted.
    pub idp: Option<IdpView>,
    /// What older links have of what it is to have.
    pub lost: Lost,
    /// What became of each entry of `requires`.
    pub required: Vec<Requirement>,
    /// Now.
    pub now: Timestamp,
}

/// What became of an identity that is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The user has it.
    Met,
    /// The user has a link to an `IdentityProvider` without a verdict, which will tell.
    Waits,
    /// The user lacks it.
    Missing(Lack),
}

/// Looks up what the link depends on. No call is made: the watches know.
pub fn observe(object: &UserIdpAuthenticator, ctx: &Context) -> Observed {
    let world = &ctx.world;
    let requirement = |name: &str| requirement(world, object.sibling(name), &object.spec.user_id);
    Observed {
        idp: world.idp_of(object).and_then(|key| view(world, &key)),
        lost: lost(world, object),
        required: object.spec.requires.iter().map(|required| requirement(&required.name)).collect(),
        now: ctx.now(),
    }
}

/// The live `IdentityProvider` of this name.
pub fn view(world: &World, idp: &ObjectKey) -> Option<IdpView> {
    world.identity_providers.live(idp).and_then(|idp| IdpView::of(&idp))
}

fn lost(world: &World, object: &UserIdpAuthenticator) -> Lost {
    let mut lost = Lost::default();
    for (contest, _) in world.standing(object).lost {
        match contest {
            Relation::ExternalId { .. } => lost.external_id = true,
            _ => lost.user = true,
        }
    }
    lost
}

/// Whether this user has an identity at this `IdentityProvider`: the link that holds the user's place there is ready and
/// holds its external id too. What that link requires itself is not asked.
fn requirement(world: &World, idp: ObjectKey, user: &str) -> Requirement {
    let Some(seen) = view(world, &idp) else { return Requirement::Missing(Lack::Idp) };
    let Some(holder) = world.holder(&Relation::UserLink { idp, user: user.to_owned() }) else {
        return Requirement::Missing(Lack::Link);
    };
    let link = world.user_idp_authenticators.live(&holder.key);
    match link.map(|link| presence(&link, &seen)) {
        Some(Presence::Waits) => Requirement::Waits,
        // One that can't be read keeps its place.
        None | Some(Presence::NotReady) => Requirement::Missing(Lack::Ready),
        Some(Presence::Recorded { is_unique: true }) => Requirement::Met,
        Some(Presence::Ready) if holder.holds_all => Requirement::Met,
        Some(Presence::Ready | Presence::Recorded { .. }) => Requirement::Missing(Lack::Unique),
    }
}
