//! What there is, the looks at what was woken, and the model's word on each link.

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    sync::{Arc, LazyLock},
};

use jiff::Timestamp;
use kube::{Client, Config, ResourceExt as _, api::ObjectMeta};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    super::{decide::decide, observe::observe},
    Happens, Life, NewIdp, NewLink,
    model::{Model, Told},
    watch::{Watch, meta},
};
use crate::{
    api::{IdentityProvider, UserIdpAuthenticator, UserIdpAuthenticatorStatus},
    cluster::{
        connector::Connector,
        events::Events,
        fetcher::Fetcher,
        key::{Kind, ObjectKey},
        metrics::Metrics,
    },
    controllers::{
        context::{Context, Examples, Failures, Outputs, Unreadable},
        kinds::Managed as _,
        pipeline::Step,
        queues::Requests,
        strategy_instance::catalogue::CatalogueInForce,
        world::World,
    },
    desired::status::{Subject, judged, suspended},
    domain::address::AddressPolicy,
};

/// Never called; but a context has them, and they can't be made without a runtime.
static UNUSED: LazyLock<(Runtime, Client, Connector)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let client = {
        let _inside = runtime.enter();
        Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap()
    };
    (runtime, client, Connector::new(AddressPolicy::default(), Vec::new()))
});

/// Each look is at another time: a time that is written though nothing changed would be seen.
fn later() -> Timestamp {
    thread_local!(static SECOND: Cell<i64> = const { Cell::new(0) });
    Timestamp::from_second(SECOND.replace(SECOND.get() + 1)).unwrap()
}

/// Most looks that a step can cause: each of five links in turn by each, and over again.
const MOST_LOOKS: usize = 200;

/// The watches, what they woke, and the model.
pub struct Sim {
    pub ctx: Context,
    queue: Requests,
    idps: Watch<IdentityProvider>,
    links: Watch<UserIdpAuthenticator>,
    /// What was last asked for, by name.
    asked: (BTreeMap<String, NewIdp>, BTreeMap<String, NewLink>),
    /// What stands in the links' statuses, by UID: an edit leaves it alone.
    statuses: BTreeMap<String, UserIdpAuthenticatorStatus>,
    model: Model,
    count: u64,
}

impl Sim {
    /// Nothing yet.
    pub fn new() -> Self {
        let world = Arc::new(World::default());
        let queue = world.queue(Kind::UserIdpAuthenticator).open(1).unwrap();
        let (_, client, connector) = &*UNUSED;
        let metrics = Metrics::default();
        let ctx = Context {
            fetcher: Fetcher::new(connector.clone(), Arc::new(|_| ()), metrics.clone()),
            events: Events::new(client.clone()),
            client: client.clone(),
            world,
            metrics,
            outputs: Outputs::default(),
            examples: Examples::default(),
            catalogue: CatalogueInForce::default(),
            failures: Failures::default(),
            unreadable: Unreadable::default(),
            clock: later,
        };
        Self {
            ctx,
            queue,
            idps: Watch::new(),
            links: Watch::new(),
            asked: Default::default(),
            statuses: BTreeMap::new(),
            model: Model::default(),
            count: 0,
        }
    }

    fn metadata(&mut self, name: &str, old: Option<&ObjectMeta>, is_another: bool, age: u8, life: Life) -> Value {
        self.count += 1;
        let kept = old.filter(|_| !is_another);
        json!({
            "namespace": "ns", "name": name, "resourceVersion": self.count.to_string(), "generation": self.count,
            "uid": kept.and_then(|old| old.uid.clone()).unwrap_or_else(|| format!("uid-{}-{}", 1000 - self.count, name)),
            "creationTimestamp": kept.map_or_else(
                || json!(format!("2026-01-01T00:00:0{age}Z")),
                |old| json!(old.creation_timestamp),
            ),
            "deletionTimestamp": (life == Life::IsDeleted).then_some("2026-01-01T00:00:00Z"),
        })
    }

    fn idp(&mut self, name: String, is_another: bool, new: Option<NewIdp>) {
        let object = new.as_ref().map(|new| {
            let old = self.idps.truth.get(&name).map(|old| meta(old).clone());
            let metadata = self.metadata(&name, old.as_ref(), is_another, 0, new.life);
            let spec = json!({
                "jwtEndpoint": "j", "issuer": name, "keysEndpoint": "k", "suspend": new.life == Life::Suspended,
                "state": if new.is_inactive { "Inactive" } else { "Active" }, "linkingAllowed": new.allows_linking,
            });
            let status = json!({ "observedGeneration": metadata["generation"], "conditions": new.conditions() });
            let idp: IdentityProvider = object("IdentityProvider", &metadata, &spec, &status);
            if new.is_readable { Ok(idp) } else { Err(Box::new(idp.metadata)) }
        });
        match new {
            Some(new) => self.asked.0.insert(name.clone(), new),
            None => self.asked.0.remove(&name),
        };
        self.idps.change(&self.ctx, name, object);
    }

    fn link(&mut self, name: String, is_another: bool, age: u8, new: Option<NewLink>) {
        let object = new.as_ref().map(|new| {
            let old = self.links.truth.get(&name).map(|old| meta(old).clone());
            let metadata = self.metadata(&name, old.as_ref(), is_another, age, new.life);
            let named = format!("idp{}", new.idp);
            let id = self.idps.truth.get(&named).and_then(|idp| meta(idp).uid.clone());
            let mut spec = json!({
                "userId": format!("user{}", new.user), "idpUserId": format!("id{}", new.id), "idpUserName": "n",
                "requires": new.requires.iter().map(|idp| json!({ "name": format!("idp{idp}") })).collect::<Vec<_>>(),
                "suspend": new.life == Life::Suspended,
            });
            match id.filter(|_| new.by_id) {
                Some(id) => spec["idpId"] = id.into(),
                None => spec["idpRef"] = json!({ "name": named }),
            }
            let old = metadata["uid"].as_str().and_then(|uid| self.statuses.get(uid));
            let status = old.map_or_else(|| json!({ "observedGeneration": -1 }), |old| json!(old));
            let link: UserIdpAuthenticator = object("UserIdpAuthenticator", &metadata, &spec, &status);
            if new.is_readable { Ok(link) } else { Err(Box::new(link.metadata)) }
        });
        match new {
            Some(new) => self.asked.1.insert(name.clone(), new),
            None => self.asked.1.remove(&name),
        };
        self.links.change(&self.ctx, name, object);
    }

    /// Lets it happen.
    fn step(&mut self, happens: Happens) {
        match happens {
            Happens::Idp { name, is_another, new } => self.idp(format!("idp{name}"), is_another, new),
            Happens::IdpEdit { name, edit } => {
                let name = format!("idp{name}");
                let edited = self.asked.0.get(&name).cloned().map(|old| edit.of(old));
                self.idp(name, false, edited);
            }
            Happens::Link { name, is_another, age, new } => self.link(format!("link{name}"), is_another, age, new),
            Happens::LinkEdit { name, edit } => {
                let name = format!("link{name}");
                let edited = self.asked.1.get(&name).cloned().map(|old| edit.of(old));
                self.link(name, false, 0, edited);
            }
            Happens::Gap { kind: Kind::IdentityProvider, is_open } => self.idps.list(&self.ctx, is_open),
            Happens::Gap { is_open, .. } => self.links.list(&self.ctx, is_open),
        }
        self.model.learn(&self.idps.told, &self.links.told);
    }

    /// Everything goes, unseen until the watches list again.
    pub fn end(&mut self) {
        self.idps.truth.clear();
        self.links.truth.clear();
        self.idps.list(&self.ctx, false);
        self.links.list(&self.ctx, false);
    }

    /// Looks at whoever is woken until nobody is.
    ///
    /// # Panics
    /// If that takes no end.
    fn settle(&mut self) {
        let mut woken = VecDeque::from(self.queue.drain());
        for _ in 0..MOST_LOOKS {
            let Some(name) = woken.pop_front() else { return };
            self.look(&name);
            woken.extend(self.queue.drain());
        }
        panic!("links wake each other for ever");
    }

    /// One look, as the pipeline has it. Returns whether the status is another by it.
    fn look(&mut self, name: &str) -> bool {
        let world = &self.ctx.world;
        let Some(link) = world.user_idp_authenticators.live(&ObjectKey::new("ns", name)) else { return false };
        let old = link.status.clone().unwrap_or_default();
        let uid = link.uid().unwrap();
        let subject =
            Subject { uid: &uid, generation: link.metadata.generation.unwrap_or_default(), now: self.ctx.now() };
        let new = if link.is_suspended() {
            UserIdpAuthenticatorStatus { core: suspended(&old.core, subject), ..old.clone() }
        } else {
            match decide(&link, &observe(&link, &self.ctx)) {
                Step::Wait | Step::Rest => return false,
                Step::Judged(verdict) => UserIdpAuthenticatorStatus {
                    core: judged(&old.core, &verdict.judgement, subject),
                    ..verdict.status
                },
            }
        };
        let is_another = new != old;
        // Of what was edited meanwhile, the API server takes no status.
        if is_another && !self.links.is_stale(name) {
            self.write(name, &link, new);
        }
        is_another
    }

    /// The watch tells of it before the answer does, or after it, or not at all.
    fn write(&mut self, name: &str, link: &UserIdpAuthenticator, status: UserIdpAuthenticatorStatus) {
        self.count += 1;
        self.statuses.insert(link.uid().unwrap(), status.clone());
        let mut new = UserIdpAuthenticator { status: Some(status), ..link.clone() };
        new.metadata.resource_version = Some(self.count.to_string());
        let is_told_first = self.count.is_multiple_of(2);
        let reporting = self.ctx.world.reporting(World::request::<UserIdpAuthenticator>(link.key()));
        if is_told_first {
            self.links.change(&self.ctx, name.to_owned(), Some(Ok(new.clone())));
        }
        let changed = reporting.written(new.clone());
        if let Some(new) = changed.new {
            UserIdpAuthenticator::after_change(&self.ctx, changed.old.as_deref(), Some(&new));
        }
        if !is_told_first {
            self.links.change(&self.ctx, name.to_owned(), Some(Ok(new.clone())));
        }
        // What we wrote ourselves needs no telling.
        self.links.told.insert(name.to_owned(), Ok(new));
    }

    /// Of each live link: what stands in its status, and what the model says. From now on the model remembers that.
    fn told_and_expected(&mut self) -> BTreeMap<String, (Told, Told)> {
        let live = self.live().into_iter().map(|(name, link)| {
            let status = self.statuses.get(&link.uid().unwrap());
            let is_stale = self.links.is_stale(&name);
            let expected = if is_stale { self.model.last_told(&link) } else { self.model.expected(&name, &link) };
            (name, link.uid().unwrap(), status.map_or(Told::nothing(), Told::of), expected)
        });
        let live: Vec<_> = live.collect();
        for (_, uid, _, expected) in &live {
            self.model.tell(uid.clone(), expected.clone());
        }
        live.into_iter().map(|(name, _, told, expected)| (name, (told, expected))).collect()
    }

    /// Names of the live links whose status is another after one more look at it.
    fn restless(&mut self) -> Vec<String> {
        let names = self.live().into_iter().map(|(name, _)| name).filter(|name| !self.links.is_stale(name));
        let names: Vec<String> = names.collect();
        names.into_iter().filter(|name| self.look(name)).collect()
    }

    /// The links as far as they were told, that can be read and are not being deleted.
    fn live(&self) -> Vec<(String, UserIdpAuthenticator)> {
        let links = self.links.told.iter().filter_map(|(name, link)| Some((name.clone(), link.as_ref().ok()?.clone())));
        links.filter(|(_, link)| link.metadata.deletion_timestamp.is_none()).collect()
    }
}

/// Lets it happen, and judges what all links are told in the end.
///
/// # Errors
/// When a link is told anything but what the model says, or would be told something else by one more look. Otherwise
/// returns the reasons of the live links, by name.
pub fn settled(sim: &mut Sim, happens: Happens) -> Result<Vec<String>, TestCaseError> {
    sim.step(happens);
    sim.settle();
    let mut reasons = Vec::new();
    for (name, (told, expected)) in sim.told_and_expected() {
        reasons.extend(told.reason());
        prop_assert_eq!(told, expected, "{}", name);
    }
    prop_assert_eq!(sim.restless(), Vec::<String>::new(), "told otherwise by one more look");
    Ok(reasons)
}

fn object<K: serde::de::DeserializeOwned>(kind: &str, metadata: &Value, spec: &Value, status: &Value) -> K {
    serde_json::from_value(json!({
        "apiVersion": "idp-operator.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec, "status": status,
    }))
    .unwrap()
}
