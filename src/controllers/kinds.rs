//! What the pipeline has to know of a kind.

use std::{collections::BTreeSet, fmt::Debug};

use k8s_openapi::NamespaceResourceScope;
use kube::{Resource, ResourceExt as _, api::ObjectMeta, core::object::HasStatus};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    context::Context,
    facts::Facts,
    user_idp_authenticator::{idp_view::IdpView, observe::view, readiness::presence},
    world::{Relation, World},
};
use crate::{
    api::{
        IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator,
        identity_provider::{BundleKind, State},
        status::HasCore,
        tenant_jwt_secret::TenantJwtSecretStatus,
    },
    cluster::{
        key::{Kind, ObjectKey},
        objects::Objects,
    },
    desired,
    domain::{capability::strategy_id, verdict::Problem, verdicts},
};

/// A kind that is reconciled.
pub trait Managed:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasStatus<Status: HasCore + Serialize + Clone + Debug + Default + PartialEq + Send + Sync>
    + DeserializeOwned
    + Clone
    + Debug
    + Send
    + Sync
    + 'static
{
    /// Which one.
    const KIND: Kind;

    /// `spec.suspend`
    fn is_suspended(&self) -> bool;

    /// What its verdict depends on, beside itself.
    fn relations(&self) -> Vec<Relation>;

    /// What it has only if no other object had it before, as far as the facts allow it to contend.
    fn contests(&self, _facts: &Facts) -> Vec<Relation> {
        Vec::new()
    }

    /// Where its objects are kept.
    fn objects(world: &World) -> &Objects<Self>;

    /// Tells what others know it by, before its change wakes anybody; no `new` is its end.
    fn introduce(_world: &World, _key: &ObjectKey, _new: Option<&ObjectMeta>) {}

    /// What a change of an object means for others; no `new` is its end.
    fn after_change(_ctx: &Context, _old: Option<&Self>, _new: Option<&Self>) {}

    /// What a change of one that can't be read, or could not before, means for others; or its end.
    fn after_unread(_ctx: &Context, _key: &ObjectKey) {}

    /// How failed calls to the API server are told.
    #[must_use]
    fn internal_error(message: &str) -> Problem {
        Problem::internal_error(message)
    }

    /// Notes failed calls to the API server in what the kind's status has for it.
    fn note_failure(_status: &mut Self::Status, _problem: &Problem) {}

    /// Its namespace and name.
    fn key(&self) -> ObjectKey {
        ObjectKey::of(self)
    }

    /// Another object of its namespace.
    fn sibling(&self, name: &str) -> ObjectKey {
        ObjectKey::new(self.meta().namespace.as_deref().unwrap_or_default(), name)
    }
}

impl Managed for IdentityProvider {
    const KIND: Kind = Kind::IdentityProvider;

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn relations(&self) -> Vec<Relation> {
        let bundle = self.spec.tls.as_ref().and_then(|tls| tls.ca_bundle_ref.as_ref());
        let bundle = bundle.map(|bundle| match bundle.kind {
            BundleKind::ConfigMap => Relation::ConfigMap(self.sibling(&bundle.name)),
            BundleKind::Secret => Relation::Secret(self.sibling(&bundle.name)),
        });
        let keys = self.spec.keys_from.as_ref().map(|from| from.config_map_key_ref.name.as_str());
        let keys = keys.map(|name| Relation::ConfigMap(self.sibling(name)));
        let output = Relation::ConfigMap(self.sibling(&desired::configmap::name(self)));
        std::iter::once(output).chain(bundle).chain(keys).collect()
    }

    fn contests(&self, _facts: &Facts) -> Vec<Relation> {
        match self.spec.state {
            State::Active => vec![Relation::Issuer(self.sibling(&self.spec.issuer))],
            State::Inactive => Vec::new(),
        }
    }

    fn objects(world: &World) -> &Objects<Self> {
        &world.identity_providers
    }

    /// Links may name it by its id. One that is being deleted counts as missing.
    fn introduce(world: &World, key: &ObjectKey, new: Option<&ObjectMeta>) {
        let live = new.filter(|new| new.deletion_timestamp.is_none());
        world.identify(key, live.and_then(|new| new.uid.clone()));
    }

    /// Links by its id are woken with that id.
    fn after_unread(ctx: &Context, key: &ObjectKey) {
        ctx.world.wake_related(&Relation::NeedsIdp(key.clone()));
    }

    /// Its links are woken if, and only if, the change matters to them.
    fn after_change(ctx: &Context, old: Option<&Self>, new: Option<&Self>) {
        if old.and_then(IdpView::of) != new.and_then(IdpView::of) {
            let links = |idp: &Self| {
                let id = idp.uid().unwrap_or_default();
                [Relation::NeedsIdp(idp.key()), Relation::NeedsIdpId(idp.sibling(&id))]
            };
            // Old and new are one and the same, but where it was made anew unseen: each link is woken once.
            let links: BTreeSet<Relation> = [old, new].into_iter().flatten().flat_map(links).collect();
            for links in &links {
                ctx.world.wake_related(links);
            }
        }
        match (old, new) {
            (Some(old), None) => {
                ctx.fetcher.forget(&old.key());
                ctx.examples.forget(&old.key());
            }
            (_, Some(new)) if new.meta().deletion_timestamp.is_some() => ctx.fetcher.forget(&new.key()),
            (_, Some(new)) if new.spec.suspend => ctx.fetcher.halt(&new.key()),
            _ => {}
        }
    }
}

impl Managed for TenantJwtSecret {
    const KIND: Kind = Kind::TenantJwtSecret;

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn relations(&self) -> Vec<Relation> {
        let output = desired::secret::name(self);
        let source = self.spec.secret_ref.as_ref().map(|source| source.name.as_str());
        let secrets = [Some(output.as_str()), source].into_iter().flatten();
        let secrets = secrets.map(|name| Relation::Secret(self.sibling(name)));
        secrets.chain(self.namespace().map(Relation::InNamespace)).collect()
    }

    fn contests(&self, facts: &Facts) -> Vec<Relation> {
        let tenant = &self.spec.tenant_id;
        let is_claimed = facts.claims().permit(self.meta().namespace.as_deref().unwrap_or_default(), tenant);
        is_claimed.then(|| Relation::Tenant(tenant.to_ascii_lowercase())).into_iter().collect()
    }

    fn objects(world: &World) -> &Objects<Self> {
        &world.tenant_jwt_secrets
    }

    fn internal_error(message: &str) -> Problem {
        verdicts::tenant_jwt_secret::internal_error(message)
    }

    fn note_failure(status: &mut TenantJwtSecretStatus, problem: &Problem) {
        status.last_error = verdicts::tenant_jwt_secret::last_error(problem);
    }
}

impl Managed for UserIdpAuthenticator {
    const KIND: Kind = Kind::UserIdpAuthenticator;

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn relations(&self) -> Vec<Relation> {
        let by_name = self.spec.idp_ref.as_ref().map(|idp| Relation::NeedsIdp(self.sibling(&idp.name)));
        let by_id = self.spec.idp_id.as_ref().map(|id| Relation::NeedsIdpId(self.sibling(id)));
        let required = self.spec.requires.iter().flat_map(|required| {
            let idp = self.sibling(&required.name);
            [Relation::NeedsIdp(idp.clone()), Relation::UserLink { idp, user: self.spec.user_id.clone() }]
        });
        by_name.into_iter().chain(by_id).chain(required).collect()
    }

    fn contests(&self, facts: &Facts) -> Vec<Relation> {
        let Some(idp) = facts.idp_of(self) else { return Vec::new() };
        let (id, user) = (self.spec.idp_user_id.clone(), self.spec.user_id.clone());
        vec![Relation::ExternalId { idp: idp.clone(), id }, Relation::UserLink { idp, user }]
    }

    fn objects(world: &World) -> &Objects<Self> {
        &world.user_idp_authenticators
    }

    /// Those that require it are woken if, and only if, it counts otherwise by itself. Whether it holds its identity, and
    /// what becomes of its `IdentityProvider`, wakes them too.
    fn after_change(ctx: &Context, old: Option<&Self>, new: Option<&Self>) {
        let seen = |link: &Self| Some(presence(link, &view(ctx, &ctx.world.idp_of(link)?)?));
        if let Some(link) = new.or(old)
            && old.and_then(seen) != new.and_then(seen)
        {
            ctx.world.wake_dependents(&World::request::<Self>(link.key()));
        }
    }
}

impl Managed for StrategyInstance {
    const KIND: Kind = Kind::StrategyInstance;

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn relations(&self) -> Vec<Relation> {
        let secret = self.spec.config_secret_ref.as_ref().map(|secret| secret.name.as_str());
        secret.map(|name| Relation::Secret(self.sibling(name))).into_iter().collect()
    }

    fn contests(&self, _facts: &Facts) -> Vec<Relation> {
        vec![Relation::StrategyId(self.sibling(&strategy_id(self).unwrap_or_default()))]
    }

    fn objects(world: &World) -> &Objects<Self> {
        &world.strategy_instances
    }
}
