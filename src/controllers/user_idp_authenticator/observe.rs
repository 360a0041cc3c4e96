//! What a link depends on.

use jiff::Timestamp;

use super::{
    idp_view::IdpView,
    readiness::{Presence, presence},
};
use crate::{
    api::{IdentityProvider, UserIdpAuthenticator},
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
    let requirement = |name: &str| requirement(ctx, object.sibling(name), &object.spec.user_id);
    Observed {
        idp: ctx.world.idp_of(object).and_then(|key| view(ctx, &key)),
        lost: lost(&ctx.world, object),
        required: object.spec.requires.iter().map(|required| requirement(&required.name)).collect(),
        now: ctx.now(),
    }
}

/// The live `IdentityProvider` of this name. One that can't be read is there, without a verdict: its links keep theirs.
pub fn view(ctx: &Context, idp: &ObjectKey) -> Option<IdpView> {
    let unread = || {
        let request = World::request::<IdentityProvider>(idp.clone());
        ctx.unreadable.is_there(&request).then(|| IdpView::unread(&idp.name))
    };
    let read = || ctx.world.identity_providers.live(idp).and_then(|idp| IdpView::of(&idp));
    // It is in the store before it is readable: whoever finds it in neither has to look there once more.
    read().or_else(unread).or_else(read)
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
fn requirement(ctx: &Context, idp: ObjectKey, user: &str) -> Requirement {
    let world = &ctx.world;
    let Some(seen) = view(ctx, &idp) else { return Requirement::Missing(Lack::Idp) };
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
