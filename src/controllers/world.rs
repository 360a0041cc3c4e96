//! What the watches know: all objects, which Secrets and ConfigMaps exist, who depends on whom.

use std::sync::{Mutex, PoisonError, RwLock};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

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
}

/// Everything the watches know.
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
    queues: Vec<(Kind, UnboundedSender<ObjectKey>)>,
    waiting: Mutex<Vec<(Kind, UnboundedReceiver<ObjectKey>)>>,
}

impl Default for World {
    fn default() -> Self {
        let (queues, waiting) = Kind::ALL
            .into_iter()
            .map(|kind| {
                let (sender, receiver) = unbounded();
                ((kind, sender), (kind, receiver))
            })
            .unzip();
        Self {
            identity_providers: Objects::default(),
            tenant_jwt_secrets: Objects::default(),
            user_idp_authenticators: Objects::default(),
            strategy_instances: Objects::default(),
            secrets: MetaStore::default(),
            configmaps: MetaStore::default(),
            relations: RwLock::default(),
            queues,
            waiting: Mutex::new(waiting),
        }
    }
}

impl World {
    /// Objects to be looked at again, for the controller of this kind. Given out once.
    #[must_use]
    pub fn take_queue(&self, kind: Kind) -> Option<UnboundedReceiver<ObjectKey>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let position = waiting.iter().position(|(other, _)| *other == kind)?;
        Some(waiting.swap_remove(position).1)
    }

    /// Has an object looked at again.
    pub fn wake(&self, request: &Request) {
        if let Some((_, queue)) = self.queues.iter().find(|(kind, _)| *kind == request.kind) {
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
        self.relations
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(relation)
            .cloned()
            .collect()
    }

    /// The object has exactly these relations from now on.
    pub fn relate(&self, request: &Request, relations: Vec<Relation>) {
        self.relations
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .set(request, relations);
    }

    /// The request to look at this object again.
    pub fn request<K: Managed>(key: ObjectKey) -> Request {
        Request { kind: K::KIND, key }
    }
}
