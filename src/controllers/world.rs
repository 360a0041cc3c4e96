//! What the watches know: all objects, which Secrets and ConfigMaps exist, who depends on whom.

use std::{
    collections::HashMap,
    sync::{Mutex, RwLock},
};

use kube::api::ObjectMeta;

use super::{
    contests::{Contests, Holder, Standing, Stir},
    kinds::Managed,
    queues::{Cause, Queue, Queues},
};
use crate::{
    api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator},
    cluster::{
        index::Index,
        key::{Kind, ObjectKey, Request},
        meta_store::MetaStore,
        objects::{Changed, Objects},
        sync::{lock, read, write},
    },
    domain::claims::{Claims, NamespaceClaims},
};

/// What objects are looked up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// Objects that read or write this Secret.
    Secret(ObjectKey),
    /// Objects that read or write this ConfigMap.
    ConfigMap(ObjectKey),
    /// Links that name this `IdentityProvider`, as theirs or in `requires`.
    NeedsIdp(ObjectKey),
    /// Links that name an `IdentityProvider` by id: namespace and id.
    NeedsIdpId(ObjectKey),
    /// Objects of this namespace whose verdict depends on its claims.
    InNamespace(String),
    /// Contenders for a tenant, in lower case.
    Tenant(String),
    /// Contenders for an issuer: namespace and issuer.
    Issuer(ObjectKey),
    /// Contenders for a strategy's id: namespace and id.
    StrategyId(ObjectKey),
    /// Contenders for an identity: the `IdentityProvider` and the user's id there, compared byte for byte.
    ExternalId {
        /// Namespace and name: links that name it by id contend with those that name it by name.
        idp: ObjectKey,
        /// `spec.idpUserId`
        id: String,
    },
    /// Contenders for being a user's link to an `IdentityProvider`, and links that require that one.
    UserLink {
        /// Namespace and name.
        idp: ObjectKey,
        /// `spec.userId`
        user: String,
    },
}

impl Relation {
    /// Whether those who contend for it in vain are told who holds it. Who loses a user's identity is not: of thousands
    /// that contend for one, nobody but the next one has to be looked at when the holder goes.
    #[must_use]
    pub const fn losers_know_its_holder(&self) -> bool {
        !matches!(self, Self::ExternalId { .. } | Self::UserLink { .. })
    }
}

/// The write of a status; its end wakes the object for what was held back.
pub struct Reporting<'a> {
    world: &'a World,
    request: Request,
}

impl Reporting<'_> {
    /// This is what was written, and is known from now on. If nothing newer is, there is nothing to wake the object for.
    pub fn written<K: Managed>(self, object: K) -> Changed<K> {
        let version = object.meta().resource_version.clone();
        let mut reporting = lock(&self.world.reporting);
        let changed = K::objects(self.world).written(object);
        let known = K::objects(self.world).known(&self.request.key);
        if known.is_some_and(|known| known.meta().resource_version == version) {
            reporting.remove(&self.request);
        }
        changed
    }
}

impl Drop for Reporting<'_> {
    fn drop(&mut self) {
        if lock(&self.world.reporting).remove(&self.request) == Some(true) {
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
    contests: RwLock<Contests>,
    reporting: Mutex<HashMap<Request, bool>>,
    queues: Queues,
}

impl World {
    /// Knows nothing yet but whether claims are required.
    #[must_use]
    pub fn new(claims: NamespaceClaims) -> Self {
        Self { contests: RwLock::new(Contests::new(claims)), ..Self::default() }
    }

    /// Whether a namespace may hold only the tenants that are claimed for it.
    #[must_use]
    pub fn requires_claims(&self) -> bool {
        read(&self.contests).facts().claims().are_required()
    }

    /// The queue of this kind's controller.
    #[must_use]
    pub fn queue(&self, kind: Kind) -> &Queue {
        self.queues.of(kind)
    }

    /// Has an object looked at again that changed, or for which something has come.
    pub fn wake(&self, request: &Request) {
        self.wake_by(&Cause::Itself, request);
    }

    /// Has an object looked at when there is room beside those that changed themselves.
    pub fn wake_later(&self, request: &Request) {
        self.wake_by(&Cause::Others, request);
    }

    /// Has an object looked at for this cause.
    pub fn wake_by(&self, cause: &Cause, request: &Request) {
        self.queues.of(request.kind).push(cause, &request.key);
    }

    /// A status of this object is being written: until that ends, changes of its status don't wake it, as the watch may
    /// tell of ours before the API server's answer does.
    pub fn reporting(&self, request: Request) -> Reporting<'_> {
        lock(&self.reporting).insert(request.clone(), false);
        Reporting { world: self, request }
    }

    /// The watch saw this object. Also tells whether it is looked at again by the end of the write of its status, if what
    /// is known then is not what was written. Both as of the same moment: else the end of a write of ours could come
    /// between, and its echo be taken for news.
    pub fn watched<K: Managed>(&self, request: &Request, object: K) -> (Changed<K>, bool) {
        let mut reporting = lock(&self.reporting);
        let changed = K::objects(self).apply(object);
        let held_back = reporting.get_mut(request).filter(|_| changed.new.is_some());
        let is_held_back = held_back.map(|held_back| *held_back = true).is_some();
        (changed, is_held_back)
    }

    /// Has all objects of this relation looked at again.
    pub fn wake_related(&self, relation: &Relation) {
        let cause = match relation {
            Relation::Secret(_) | Relation::ConfigMap(_) => Cause::Content,
            relation => Cause::Related(relation.clone()),
        };
        self.related(relation).iter().for_each(|request| self.wake_by(&cause, request));
    }

    /// The objects of this relation.
    #[must_use]
    pub fn related(&self, relation: &Relation) -> Vec<Request> {
        read(&self.relations).get(relation).cloned().collect()
    }

    /// Who holds what this object contends for, if that is one before it.
    pub fn rival<K: Managed>(&self, object: &K) -> Option<ObjectKey> {
        self.standing(object).rival().cloned()
    }

    /// Whether this object takes part in contests, and who is before it: both as of the same moment.
    pub fn standing<K: Managed>(&self, object: &K) -> Standing {
        read(&self.contests).standing(object)
    }

    /// Who holds this.
    #[must_use]
    pub fn holder(&self, contest: &Relation) -> Option<Holder> {
        read(&self.contests).holder(contest)
    }

    /// The `IdentityProvider` that the link is to: the one that it names, whether there is one or not, or the live one of
    /// the id that it names.
    #[must_use]
    pub fn idp_of(&self, link: &UserIdpAuthenticator) -> Option<ObjectKey> {
        read(&self.contests).facts().idp_of(link)
    }

    /// UID of the object of this name that contends for something, even if it can't be read any more.
    #[must_use]
    pub fn contender(&self, request: &Request) -> Option<String> {
        read(&self.contests).uid(request)
    }

    /// The object of this name changed, came or went: wakes all who contend for what has another holder by it, and who
    /// depends on what these hold.
    pub fn contend<K: Managed>(&self, request: &Request, new: Option<&K>) {
        let stir = write(&self.contests).contend(request, new);
        self.wake_stirred(&stir);
    }

    /// The object of this name can't be read any more.
    pub fn unread(&self, request: &Request, meta: &ObjectMeta) {
        let stir = write(&self.contests).unread(request, meta);
        self.wake_stirred(&stir);
    }

    /// The `IdentityProvider` of this name has this `metadata.uid` from now on; none: there is no live one. Wakes the links
    /// that name it by id, and all whose contest has another holder by it.
    pub fn identify(&self, idp: &ObjectKey, uid: Option<String>) {
        let mut contests = write(&self.contests);
        // Read under the lock: what comes or goes meanwhile contends after this, by the new id.
        let links = |id: ObjectKey| {
            let requests = self.related(&Relation::NeedsIdpId(id));
            requests.into_iter().filter_map(|request| self.user_idp_authenticators.live(&request.key)).collect()
        };
        let stir = contests.identify(idp, uid, links);
        drop(contests);
        self.wake_stirred(&stir);
    }

    /// The namespace has exactly these claims from now on: wakes those of its objects that may hold their tenant by it,
    /// or may not any more, and all whose contest has another holder by it.
    pub fn claim(&self, namespace: &str, claims: Claims) {
        let mut contests = write(&self.contests);
        // Read under the lock: what comes or goes meanwhile contends after this, by the new claims.
        let objects = || {
            let requests = self.related(&Relation::InNamespace(namespace.to_owned()));
            requests.into_iter().filter_map(|request| self.tenant_jwt_secrets.live(&request.key)).collect()
        };
        let stir = contests.claim(namespace, claims, objects);
        drop(contests);
        self.wake_stirred(&stir);
    }

    /// Wakes who depends on what this object contends for.
    pub fn wake_dependents(&self, request: &Request) {
        let contests = read(&self.contests).of(request);
        self.wake_stirred(&Stir { contests: contests.into_iter().collect(), ..Stir::default() });
    }

    fn wake_stirred(&self, stir: &Stir) {
        let dependents = stir.contests.iter().flat_map(|contest| self.related(contest));
        stir.contenders.iter().cloned().chain(dependents).for_each(|request| self.wake_later(&request));
    }

    /// The object has exactly these relations from now on.
    pub fn relate(&self, request: &Request, relations: Vec<Relation>) {
        write(&self.relations).set(request, relations);
    }

    /// Whether nothing is remembered of any object's relations and contests.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        read(&self.relations).is_empty() && read(&self.contests).is_empty()
    }

    /// The request to look at this object again.
    pub fn request<K: Managed>(key: ObjectKey) -> Request {
        Request { kind: K::KIND, key }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use proptest::prelude::*;

    use super::*;
    use crate::api::{StrategyInstanceSpec, TenantJwtSecretSpec};

    fn drain(queue: &mut crate::controllers::queues::Requests) -> Vec<String> {
        queue.drain()
    }

    #[test]
    fn our_own_status_wakes_nobody_and_somebody_else_s_does_once_ours_is_written() {
        let world = World::default();
        let mut queue = world.queue(Kind::StrategyInstance).open(16).unwrap();
        let request = Request { kind: Kind::StrategyInstance, key: ObjectKey::new("ns", "0") };

        let version = |version: u8| {
            let mut object = strategy(0, 0, 0, false);
            object.metadata.resource_version = Some(version.to_string());
            object
        };
        let watched = |number| world.watched(&request, version(number)).1;

        // Ours, told of by the watch before or after the answer.
        watched(1);
        let reporting = world.reporting(request.clone());
        assert!(watched(2));
        reporting.written(version(2));
        let reporting = world.reporting(request.clone());
        reporting.written(version(3));
        assert!(!watched(3));
        assert_eq!(drain(&mut queue), Vec::<String>::new());

        // Somebody else's, after ours and before it.
        let reporting = world.reporting(request.clone());
        assert!(watched(5));
        assert_eq!(drain(&mut queue), Vec::<String>::new());
        reporting.written(version(4));
        assert_eq!(drain(&mut queue), ["0"]);
        let reporting = world.reporting(request.clone());
        assert!(watched(6));
        reporting.written(version(7));
        assert_eq!(drain(&mut queue), Vec::<String>::new());

        // Ours failed.
        let reporting = world.reporting(request.clone());
        assert!(watched(8));
        drop(reporting);
        assert_eq!(drain(&mut queue), ["0"]);
        assert!(!watched(9));
    }

    fn strategy(name: u8, created: u8, id: u8, is_going: bool) -> StrategyInstance {
        let spec = serde_json::json!({ "type": "userpass", "id": id.to_string() });
        let spec: StrategyInstanceSpec = serde_json::from_value(spec).unwrap();
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
            let mut queue = world.queue(Kind::StrategyInstance).open(16).unwrap();
            let mut objects: BTreeMap<u8, StrategyInstance> = BTreeMap::new();
            let rivals = |world: &World, objects: &BTreeMap<u8, StrategyInstance>| -> Vec<(u8, Option<String>)> {
                objects.iter().map(|(name, object)| (*name, world.rival(object).map(|key| key.name.to_string()))).collect()
            };
            for (name, state) in steps {
                let before = rivals(&world, &objects);
                let new = state.map(|(created, id, is_going)| strategy(name, created, id, is_going));
                match &new {
                    Some(new) => objects.insert(name, new.clone()),
                    None => objects.remove(&name),
                };
                let key = ObjectKey::new("ns", name.to_string());
                world.contend(&World::request::<StrategyInstance>(key), new.as_ref());
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

    #[test]
    fn who_can_t_be_read_any_more_keeps_its_place_until_it_goes() {
        let world = World::default();
        let (older, younger) = (strategy(0, 1, 7, false), strategy(1, 2, 7, false));
        let request = |object: &StrategyInstance| World::request::<StrategyInstance>(object.key());
        for object in [&older, &younger] {
            world.contend(&request(object), Some(object));
        }
        world.unread(&request(&older), &older.metadata);
        assert_eq!(world.rival(&younger), Some(older.key()));
        world.contend::<StrategyInstance>(&request(&older), None);
        assert_eq!(world.rival(&younger), None);

        // Nor does one that is being deleted, or another one of the name.
        for unread in [strategy(0, 1, 7, true), strategy(0, 3, 7, false)] {
            world.contend(&request(&older), Some(&older));
            world.unread(&request(&older), &unread.metadata);
            assert_eq!(world.rival(&younger), None);
        }
    }

    fn tenant(namespace: &str, name: u8, created: u8, is_going: bool) -> TenantJwtSecret {
        // Of three objects of a namespace two contend for the same tenant.
        let tenant_id = if name == 0 { "acme" } else { "Shop.Example.com" }.into();
        let spec = TenantJwtSecretSpec { tenant_id, ..TenantJwtSecretSpec::default() };
        let time = |second: u8| Some(Time(Timestamp::from_second(i64::from(second)).unwrap()));
        let mut object = TenantJwtSecret::new(&format!("{namespace}{name}"), spec);
        object.metadata.namespace = Some(namespace.into());
        object.metadata.uid = Some(format!("{created}-{namespace}{name}"));
        object.metadata.creation_timestamp = time(created);
        object.metadata.deletion_timestamp = time(created).filter(|_| is_going);
        object
    }

    /// As a watch tells it; nothing: it is gone.
    fn tell(world: &World, key: &ObjectKey, new: Option<TenantJwtSecret>) {
        let request = World::request::<TenantJwtSecret>(key.clone());
        if let Some(new) = new {
            let new = world.tenant_jwt_secrets.apply(new).new.unwrap();
            world.relate(&request, new.relations());
            world.contend(&request, Some(&*new));
        } else {
            world.relate(&request, Vec::new());
            world.tenant_jwt_secrets.remove(key);
            world.contend::<TenantJwtSecret>(&request, None);
        }
    }

    const NAMESPACES: [&str; 2] = ["a", "b"];
    const CLAIMS: [&str; 4] = ["", "ACME", "*.example.com", "acme,shop.example.com"];

    #[derive(Clone, Debug)]
    enum Change {
        Object { namespace: usize, name: u8, state: Option<(u8, bool)> },
        Claims { namespace: usize, claims: usize },
    }

    fn change() -> impl Strategy<Value = Change> {
        let state = proptest::option::weighted(0.8, (0u8..3, proptest::bool::weighted(0.2)));
        prop_oneof![
            (0usize..2, 0u8..3, state).prop_map(|(namespace, name, state)| Change::Object { namespace, name, state }),
            (0usize..2, 0usize..4).prop_map(|(namespace, claims)| Change::Claims { namespace, claims }),
        ]
    }

    proptest! {
        /// Against the naive model: of all objects with the tenant that are not being deleted and whose namespace claims it,
        /// the oldest, then the one of the smallest UID. Whose standing changes is woken, and by claims no stranger is.
        #[test]
        fn a_tenant_that_is_not_claimed_takes_no_part_and_who_stands_otherwise_by_a_change_of_claims_is_woken(
            changes in proptest::collection::vec(change(), 1..40)
        ) {
            let world = World::new(NamespaceClaims::required());
            let mut queue = world.queue(Kind::TenantJwtSecret).open(16).unwrap();
            let mut objects = BTreeMap::<ObjectKey, TenantJwtSecret>::new();
            let mut claims = [Claims::default(), Claims::default()];
            let standings = |world: &World, objects: &BTreeMap<ObjectKey, TenantJwtSecret>| {
                let live = objects.iter().filter(|(_, object)| object.metadata.deletion_timestamp.is_none());
                live.map(|(key, object)| (key.clone(), world.standing(object))).collect::<HashMap<_, _>>()
            };
            for change in changes {
                let before = standings(&world, &objects);
                let mut changed = None;
                match change {
                    Change::Object { namespace, name, state } => {
                        let namespace = NAMESPACES[namespace];
                        let key = ObjectKey::new(namespace, format!("{namespace}{name}"));
                        let new = state.map(|(created, is_going)| tenant(namespace, name, created, is_going));
                        match &new {
                            Some(new) => objects.insert(key.clone(), new.clone()),
                            None => objects.remove(&key),
                        };
                        tell(&world, &key, new);
                        changed = Some(key);
                    }
                    Change::Claims { namespace, claims: number } => {
                        claims[namespace] = Claims::parse(CLAIMS[number]);
                        world.claim(NAMESPACES[namespace], claims[namespace].clone());
                    }
                }
                let woken = drain(&mut queue);
                let after = standings(&world, &objects);
                let seniority = |object: &TenantJwtSecret| {
                    (object.metadata.creation_timestamp.clone().map(|time| time.0), object.metadata.uid.clone())
                };
                let claimed = |object: &TenantJwtSecret| {
                    let namespace = usize::from(object.metadata.namespace.as_deref() == Some("b"));
                    claims[namespace].permits(&object.spec.tenant_id)
                };
                for (key, standing) in &after {
                    let object = &objects[key];
                    let holder = objects
                        .values()
                        .filter(|other| other.spec.tenant_id == object.spec.tenant_id && claimed(other))
                        .filter(|other| other.metadata.deletion_timestamp.is_none())
                        .min_by_key(|other| seniority(other))
                        .filter(|holder| seniority(holder) < seniority(object) && claimed(object));
                    let tenant = Relation::Tenant(object.spec.tenant_id.to_ascii_lowercase());
                    let lost = holder.map(|holder| (tenant, holder.key())).into_iter().collect();
                    let expected = Standing { takes_part: claimed(object), lost };
                    prop_assert_eq!(standing, &expected);
                    let was = before.get(key);
                    if changed.as_ref() != Some(key) && was.is_some_and(|was| was != standing) {
                        prop_assert!(woken.iter().any(|name| key.name == **name), "{:?} stands otherwise and sleeps", key);
                    }
                }
                if changed.is_none() {
                    for name in woken {
                        let (key, standing) = after.iter().find(|(key, _)| key.name == *name).unwrap();
                        prop_assert!(before.get(key) != Some(standing) || standing.rival().is_none(), "{name} for nothing");
                    }
                }
            }
        }
    }
}
