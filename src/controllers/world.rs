//! What the watches know: all objects, which Secrets and ConfigMaps exist, who depends on whom.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, OnceLock, RwLock},
};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use jiff::Timestamp;
use kube::ResourceExt as _;

use super::kinds::Managed;
use crate::{
    api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator},
    cluster::{
        index::Index,
        key::{Kind, ObjectKey, Request},
        meta_store::MetaStore,
        objects::Objects,
        sync::{lock, read, write},
    },
};

/// What objects are looked up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Who contends for what only one object can have, in the order in which they hold it: the oldest, then the one of the
/// smallest UID, whatever its own verdict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contender {
    created: Option<Timestamp>,
    uid: String,
    request: Request,
}

impl Contender {
    fn of<K: Managed>(object: &K) -> Self {
        Self {
            created: object.creation_timestamp().map(|created| created.0),
            uid: object.uid().unwrap_or_default(),
            request: World::request::<K>(object.key()),
        }
    }
}

/// The write of a status; its end wakes the object for what was held back.
pub struct Reporting<'a> {
    world: &'a World,
    request: Request,
    is_ours: bool,
}

impl Reporting<'_> {
    /// What is known of the object now is what was written: there is nothing to wake it for.
    pub fn is_known(mut self) {
        self.is_ours = true;
    }
}

impl Drop for Reporting<'_> {
    fn drop(&mut self) {
        let was_held_back = lock(&self.world.reporting).remove(&self.request).unwrap_or(false);
        if was_held_back && !self.is_ours {
            self.world.wake(&self.request);
        }
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
    contests: RwLock<Index<Relation, Contender>>,
    reporting: Mutex<HashMap<Request, bool>>,
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

    /// A status of this object is being written: until that ends, changes of its status don't wake it, as the watch may
    /// tell of ours before the API server's answer does.
    pub fn reporting(&self, request: Request) -> Reporting<'_> {
        lock(&self.reporting).insert(request.clone(), false);
        Reporting { world: self, request, is_ours: false }
    }

    /// Has an object looked at again whose status changed; later, if a status of it is being written.
    pub fn wake_for_status(&self, request: &Request) {
        match lock(&self.reporting).get_mut(request) {
            Some(is_held_back) => *is_held_back = true,
            None => self.wake(request),
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
        read(&self.relations).get(relation).cloned().collect()
    }

    /// Who holds what this object contends for, if that is one before it.
    pub fn rival<K: Managed>(&self, object: &K) -> Option<ObjectKey> {
        let contests = read(&self.contests);
        let this = Contender::of(object);
        let holder = object.contests().iter().find_map(|contest| contests.get(contest).next().cloned())?;
        (holder < this).then_some(holder.request.key)
    }

    /// An object changed, came or went: wakes all who contend for what has another holder by it. One that is being
    /// deleted holds nothing.
    pub fn contend<K: Managed>(&self, old: Option<&K>, new: Option<&K>) {
        let claim = |object: &K| (Contender::of(object), object.contests());
        let live = |object: &&K| object.meta().deletion_timestamp.is_none();
        let (old, new) = (old.filter(live).map(claim), new.filter(live).map(claim));
        if old == new {
            return;
        }
        let mut contests = write(&self.contests);
        let touched: BTreeSet<Relation> = old.iter().chain(&new).flat_map(|(_, contests)| contests).cloned().collect();
        let before: Vec<Option<Contender>> =
            touched.iter().map(|contest| contests.get(contest).next().cloned()).collect();
        if let Some((contender, _)) = old {
            contests.set(&contender, Vec::new());
        }
        if let Some((contender, claimed)) = new {
            contests.set(&contender, claimed);
        }
        for (contest, before) in touched.iter().zip(before) {
            if contests.get(contest).next() != before.as_ref() {
                contests.get(contest).for_each(|contender| self.wake(&contender.request));
            }
        }
    }

    /// The object has exactly these relations from now on.
    pub fn relate(&self, request: &Request, relations: Vec<Relation>) {
        write(&self.relations).set(request, relations);
    }

    /// The request to look at this object again.
    pub fn request<K: Managed>(key: ObjectKey) -> Request {
        Request { kind: K::KIND, key }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use proptest::prelude::*;

    use super::*;
    use crate::api::StrategyInstanceSpec;

    fn drain(queue: &mut UnboundedReceiver<ObjectKey>) -> Vec<String> {
        std::iter::from_fn(|| queue.try_recv().ok()).map(|key| key.name).collect()
    }

    #[test]
    fn our_own_status_wakes_nobody_and_somebody_else_s_does_once_ours_is_written() {
        let world = World::default();
        let mut queue = world.open_queue(Kind::StrategyInstance).unwrap();
        let request = Request { kind: Kind::StrategyInstance, key: ObjectKey::new("ns", "a") };

        let reporting = world.reporting(request.clone());
        world.wake_for_status(&request);
        assert_eq!(drain(&mut queue), Vec::<String>::new());
        reporting.is_known();
        assert_eq!(drain(&mut queue), Vec::<String>::new());

        let reporting = world.reporting(request.clone());
        world.wake_for_status(&request);
        drop(reporting);
        assert_eq!(drain(&mut queue), ["a"]);

        drop(world.reporting(request.clone()));
        assert_eq!(drain(&mut queue), Vec::<String>::new());
        world.wake_for_status(&request);
        assert_eq!(drain(&mut queue), ["a"]);
    }

    fn strategy(name: u8, created: u8, id: u8, is_going: bool) -> StrategyInstance {
        let spec = StrategyInstanceSpec {
            type_: "userpass".into(),
            id: Some(id.to_string()),
            name: None,
            is_login_active: None,
            is_self_register_active: None,
            is_sync_active: None,
            does_implicit_register: None,
            suspend: false,
        };
        let time = |second: u8| Some(Time(Timestamp::from_second(i64::from(second)).unwrap()));
        let mut object = StrategyInstance::new(&name.to_string(), spec);
        object.metadata.namespace = Some("ns".into());
        object.metadata.uid = Some(format!("{created}-{name}"));
        object.metadata.creation_timestamp = time(created);
        object.metadata.deletion_timestamp = time(created).filter(|_| is_going);
        object
    }

    proptest! {
        /// Against the naive model: of all objects with the id that are not being deleted, the oldest, then the one of the
        /// smallest UID. Whoever has another rival by a change is woken by it.
        #[test]
        fn the_holder_is_the_one_that_a_scan_finds_and_who_has_another_rival_is_woken(
            steps in proptest::collection::vec((0u8..6, proptest::option::weighted(0.8, (0u8..3, 0u8..3, proptest::bool::weighted(0.2)))), 1..40)
        ) {
            let world = World::default();
            let mut queue = world.open_queue(Kind::StrategyInstance).unwrap();
            let mut objects: std::collections::BTreeMap<u8, StrategyInstance> = std::collections::BTreeMap::new();
            let rivals = |world: &World, objects: &std::collections::BTreeMap<u8, StrategyInstance>| -> Vec<(u8, Option<String>)> {
                objects.iter().map(|(name, object)| (*name, world.rival(object).map(|key| key.name))).collect()
            };
            for (name, state) in steps {
                let before = rivals(&world, &objects);
                let new = state.map(|(created, id, is_going)| strategy(name, created, id, is_going));
                let old = match &new {
                    Some(new) => objects.insert(name, new.clone()),
                    None => objects.remove(&name),
                };
                world.contend(old.as_ref(), new.as_ref());
                for (name, rival) in rivals(&world, &objects) {
                    let object = &objects[&name];
                    let seniority = |object: &StrategyInstance| {
                        (object.metadata.creation_timestamp.clone().map(|time| time.0), object.metadata.uid.clone())
                    };
                    let expected = objects
                        .values()
                        .filter(|other| other.spec.id == object.spec.id && other.metadata.deletion_timestamp.is_none())
                        .min_by_key(|other| seniority(other))
                        .filter(|holder| seniority(holder) < seniority(object))
                        .map(|holder| holder.metadata.name.clone().unwrap());
                    prop_assert_eq!(&rival, &expected);
                }
                let woken = drain(&mut queue);
                for (other, rival) in rivals(&world, &objects) {
                    let is_live = objects[&other].metadata.deletion_timestamp.is_none();
                    let was = before.iter().find(|(before, _)| *before == other).map(|(_, rival)| rival.clone());
                    if other != name && is_live && was.is_some_and(|was| was != rival) {
                        prop_assert!(woken.contains(&other.to_string()), "{} has another rival and sleeps", other);
                    }
                }
            }
        }
    }
}
