//! What the watches know: all objects, which Secrets and ConfigMaps exist, who depends on whom.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::ResourceExt as _;

use super::kinds::Managed;
use crate::{
    api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator},
    cluster::{
        index::Index,
        key::{Kind, ObjectKey, Request},
        meta_store::MetaStore,
        objects::Objects,
    },
};

/// What objects are looked up by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Objects that read or write this Secret.
    Secret(ObjectKey),
    /// Objects that read or write this ConfigMap.
    ConfigMap(ObjectKey),
    /// Links that name this `IdentityProvider`.
    NeedsIdp(ObjectKey),
    /// Links that name an `IdentityProvider` by id: namespace and id.
    NeedsIdpId(ObjectKey),
    /// The `IdentityProvider` of this id: namespace and `metadata.uid`.
    IsIdp(ObjectKey),
    /// Contenders for a tenant, in lower case.
    Tenant(String),
    /// Contenders for an issuer: namespace and issuer.
    Issuer(ObjectKey),
    /// Contenders for a strategy's id: namespace and id.
    StrategyId(ObjectKey),
}

impl Relation {
    /// Whether only one of those in this relation can have what it is about.
    #[must_use]
    pub const fn is_contest(&self) -> bool {
        matches!(self, Self::Tenant(_) | Self::Issuer(_) | Self::StrategyId(_))
    }
}

/// Everything the watches know.
#[derive(Default)]
pub struct World {
    /// All `IdentityProvider`s.
    pub identity_providers: Objects<IdentityProvider>,
    /// All `TenantJwtSecret`s.
    pub tenant_jwt_secrets: Objects<TenantJwtSecret>,
    /// All `UserIdpAuthenticator`s.
    pub user_idp_authenticators: Objects<UserIdpAuthenticator>,
    /// All `StrategyInstance`s.
    pub strategy_instances: Objects<StrategyInstance>,
    /// Which Secrets exist.
    pub secrets: MetaStore,
    /// Which ConfigMaps exist.
    pub configmaps: MetaStore,
    relations: RwLock<Index<Relation, Request>>,
    queues: Queues,
}

/// Objects to be looked at again, one queue a kind. There is none before its controller runs: a standby would fill it.
#[derive(Default)]
struct Queues {
    identity_providers: OnceLock<UnboundedSender<ObjectKey>>,
    tenant_jwt_secrets: OnceLock<UnboundedSender<ObjectKey>>,
    user_idp_authenticators: OnceLock<UnboundedSender<ObjectKey>>,
    strategy_instances: OnceLock<UnboundedSender<ObjectKey>>,
}

impl Queues {
    fn of(&self, kind: Kind) -> &OnceLock<UnboundedSender<ObjectKey>> {
        match kind {
            Kind::IdentityProvider => &self.identity_providers,
            Kind::TenantJwtSecret => &self.tenant_jwt_secrets,
            Kind::UserIdpAuthenticator => &self.user_idp_authenticators,
            Kind::StrategyInstance => &self.strategy_instances,
        }
    }
}

impl World {
    /// Opens the queue of this kind's controller, which has to look at every object once by itself. Opened once.
    pub fn open_queue(&self, kind: Kind) -> Option<UnboundedReceiver<ObjectKey>> {
        let (sender, receiver) = unbounded();
        self.queues.of(kind).set(sender).ok().map(|()| receiver)
    }

    /// Has an object looked at again.
    pub fn wake(&self, request: &Request) {
        if let Some(queue) = self.queues.of(request.kind).get() {
            // Closed only when the controllers have ended.
            let _ = queue.unbounded_send(request.key.clone());
        }
    }

    /// Has all objects of this relation looked at again.
    pub fn wake_related(&self, relation: &Relation) {
        for request in self.related(relation) {
            self.wake(&request);
        }
    }

    /// The objects of this relation.
    #[must_use]
    pub fn related(&self, relation: &Relation) -> Vec<Request> {
        self.relations.read().unwrap_or_else(PoisonError::into_inner).get(relation).cloned().collect()
    }

    /// Who holds what this relation is about: the oldest object that is not being deleted, then the one of the smallest
    /// UID, whatever its own verdict.
    pub fn holder<K: Managed>(&self, relation: &Relation) -> Option<Arc<K>> {
        let contenders = self.related(relation).into_iter().filter(|request| request.kind == K::KIND);
        let live = contenders.filter_map(|request| K::objects(self).live(&request.key));
        live.min_by_key(|object| (object.creation_timestamp().map(|created| created.0), object.uid()))
    }

    /// The object has exactly these relations from now on.
    pub fn relate(&self, request: &Request, relations: Vec<Relation>) {
        self.relations.write().unwrap_or_else(PoisonError::into_inner).set(request, relations);
    }

    /// The request to look at this object again.
    pub fn request<K: Managed>(key: ObjectKey) -> Request {
        Request { kind: K::KIND, key }
    }
}
